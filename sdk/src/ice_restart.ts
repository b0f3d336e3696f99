// ICE restarts: a client that has moved to another network keeps its connection.

import { ErrorCode, ZegoError } from "./errors.ts";
import type { Signalling } from "./signalling.ts";
import type { TransportUse } from "./wire.ts";

/** One side's names of an ICE session. */
export interface IceCredentials {
  ufrag: string;
  password: string;
}

/** The first user name fragment of a description. */
export function ufragOf(sdp: string): string {
  return /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1] ?? "";
}

/** The description with other credentials. */
export function withCredentials(sdp: string, { ufrag, password }: IceCredentials): string {
  return sdp
    .replace(/^a=ice-ufrag:.*$/gm, () => `a=ice-ufrag:${ufrag}`)
    .replace(/^a=ice-pwd:.*$/gm, () => `a=ice-pwd:${password}`);
}

/** Tells the server the new name; returns the server's new credentials. */
export async function requestRestart(
  signalling: Signalling,
  streamID: string,
  transport: TransportUse,
  ufrag: string,
): Promise<IceCredentials> {
  const reply = await signalling.request({
    type: "restart_ice",
    room_id: signalling.roomID,
    stream_id: streamID,
    transport,
    ice_ufrag: ufrag,
  });
  if (reply.type !== "ice_restarted")
    throw new ZegoError(ErrorCode.SERVER_UNKNOWN, `reply ${reply.type}`);
  return { ufrag: reply.ice_ufrag, password: reply.ice_pwd };
}
