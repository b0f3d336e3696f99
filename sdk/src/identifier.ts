// The limits of names, checked before anything is sent, with the contract's codes.

import { ErrorCode, ZegoError } from "./errors.ts";

const roomIdBytesMax = 127;
const userIdBytesMax = 63;
const userNameBytesMax = 255;
const streamIdBytesMax = 256;

/** Bytes of a text in UTF-8. */
export const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** What is wrong with a login's names; undefined when nothing is. */
export function loginFault(
  roomID: unknown,
  userID: unknown,
  userName: unknown,
): ZegoError | undefined {
  if (typeof roomID !== "string" || roomID === "")
    return new ZegoError(ErrorCode.ROOM_ID_EMPTY, "roomID is empty");
  if (bytesOf(roomID) > roomIdBytesMax)
    return new ZegoError(ErrorCode.ROOM_ID_TOO_LONG, "roomID is too long");
  if (typeof userID !== "string" || userID === "")
    return new ZegoError(ErrorCode.USER_ID_EMPTY, "userID is empty");
  if (bytesOf(userID) > userIdBytesMax)
    return new ZegoError(ErrorCode.USER_ID_TOO_LONG, "userID is too long");
  if (typeof userName !== "string" || bytesOf(userName) > userNameBytesMax) {
    return new ZegoError(ErrorCode.USER_NAME_TOO_LONG, "userName is too long");
  }
  return undefined;
}

/** What is wrong with a stream's name; undefined when nothing is. */
export function streamFault(streamID: unknown): ZegoError | undefined {
  if (typeof streamID !== "string" || streamID === "") {
    return new ZegoError(ErrorCode.STREAM_ID_EMPTY, "streamID is empty");
  }
  if (bytesOf(streamID) > streamIdBytesMax)
    return new ZegoError(ErrorCode.STREAM_ID_TOO_LONG, "streamID is too long");
  if (!/^[0-9A-Za-z_-]+$/.test(streamID)) {
    return new ZegoError(
      ErrorCode.STREAM_ID_CHARACTERS,
      "streamID may have only letters, digits, _ and -",
    );
  }
  return undefined;
}
