// Messages between users: the limits that are checked before anything is sent, what the app is told
// of a command that was sent, and of what others said.

import { ErrorCode, ZegoError } from "./errors.ts";
import type { Emitter, ZegoEvent } from "./events.ts";
import { bytesOf } from "./identifier.ts";
import { toZegoUser } from "./room_view.ts";
import type { Notice } from "./wire.ts";

const messageBytesMax = 1_024;
const extraInfoKeyBytesMax = 10;
const extraInfoValueBytesMax = 128;
const streamExtraInfoBytesMax = 1_024;
/** The contract's number for a user who is not in the room. */
const OFFLINE = 50003;

/** What is wrong with the text of a message or command; undefined when nothing is. */
export function messageFault(text: unknown): ZegoError | undefined {
  if (typeof text !== "string" || text === "")
    return new ZegoError(ErrorCode.MESSAGE_EMPTY, "the message is empty");
  if (bytesOf(text) > messageBytesMax)
    return new ZegoError(ErrorCode.MESSAGE_TOO_LONG, "the message is too long");
  return undefined;
}

/** What is wrong with a room's extra info; undefined when nothing is. */
export function roomExtraInfoFault(key: unknown, value: unknown): ZegoError | undefined {
  if (typeof key !== "string" || key === "" || typeof value !== "string")
    return new ZegoError(ErrorCode.BAD_PARAMETER, "key and value are texts, and key is not empty");
  if (bytesOf(key) > extraInfoKeyBytesMax)
    return new ZegoError(ErrorCode.ROOM_EXTRA_INFO_KEY_TOO_LONG, "key is too long");
  if (bytesOf(value) > extraInfoValueBytesMax)
    return new ZegoError(ErrorCode.ROOM_EXTRA_INFO_VALUE_TOO_LONG, "value is too long");
  return undefined;
}

/** What is wrong with a stream's extra info; undefined when nothing is. */
export function streamExtraInfoFault(extraInfo: unknown): ZegoError | undefined {
  if (typeof extraInfo !== "string")
    return new ZegoError(ErrorCode.EXTRA_INFO_NULL, "extraInfo is not a text");
  if (bytesOf(extraInfo) > streamExtraInfoBytesMax)
    return new ZegoError(ErrorCode.EXTRA_INFO_TOO_LONG, "extraInfo is too long");
  return undefined;
}

/**
 * The extendedData for a command some of whose targets are not in the room; a failure when all of
 * them are not.
 */
export function commandOutcome(targets: readonly string[], offline: readonly string[]): string {
  if (offline.length === 0) return "";
  const told = JSON.stringify({ fail_users: offline.map((uid) => ({ uid, code: OFFLINE })) });
  if (offline.length === new Set(targets).size) throw new ZegoError(ErrorCode.MESSAGE_FAILED, told);
  return told;
}

/** Tells the app of a message or command; false when the notice is neither. */
export function tellMessage(emitter: Emitter<ZegoEvent>, roomID: string, notice: Notice): boolean {
  if (notice.type === "custom_command") {
    emitter.emit("IMRecvCustomCommand", roomID, toZegoUser(notice.from_user), notice.command);
    return true;
  }
  if (notice.type !== "broadcast_message" && notice.type !== "barrage_message") return false;
  const { message, send_time_ms: sendTime } = notice;
  const info = { fromUser: toZegoUser(notice.from_user), message, sendTime };
  if (notice.type === "broadcast_message")
    emitter.emit("IMRecvBroadcastMessage", roomID, [{ ...info, messageID: notice.message_id }]);
  else emitter.emit("IMRecvBarrageMessage", roomID, [{ ...info, messageID: notice.message_id }]);
  return true;
}
