// What can go wrong, with the numbers of the public contract, so that an app can tell cases apart.

/**
 * Client error codes that this SDK itself produces or has to know; the server sends others as well.
 */
export const ErrorCode = {
  OK: 0,
  /** A call that needs a room was made outside of one. */
  NOT_IN_ROOM: 1000002,
  STREAM_ID_TOO_LONG: 1000014,
  STREAM_ID_EMPTY: 1000015,
  STREAM_ID_CHARACTERS: 1000016,
  /** The network was lost. */
  NETWORK_LOST: 1000017,
  /** The AppID is not known to the server. */
  APP_ID_REFUSED: 1001004,
  /** Logged in to another room already. */
  TOO_MANY_ROOMS: 1002001,
  /** The room was not logged in to. */
  ROOM_NOT_LOGGED_IN: 1002002,
  USER_ID_EMPTY: 1002005,
  USER_ID_TOO_LONG: 1002007,
  USER_NAME_TOO_LONG: 1002010,
  ROOM_ID_EMPTY: 1002011,
  ROOM_ID_TOO_LONG: 1002013,
  ROOM_EXTRA_INFO_KEY_TOO_LONG: 1002015,
  ROOM_EXTRA_INFO_VALUE_TOO_LONG: 1002016,
  /** The room's extra info has another key. */
  ROOM_EXTRA_INFO_SECOND_KEY: 1002017,
  /** The server did not answer the login in time. */
  LOGIN_TIMEOUT: 1002031,
  LOGIN_AUTHENTICATION: 1002033,
  ROOM_FULL: 1002034,
  /** The same user logged in elsewhere. */
  LOGGED_IN_ELSEWHERE: 1002050,
  /** Reconnecting was given up. */
  RECONNECT_GAVE_UP: 1002053,
  KICKED_BY_SERVER: 1002055,
  /** Logged in twice from one client. */
  DUPLICATE_LOGIN: 1002056,
  LOGIN_BANNED: 1002066,
  PUBLISHING_BANNED: 1003025,
  STREAM_ID_EXISTS: 1003028,
  EXTRA_INFO_NULL: 1003050,
  EXTRA_INFO_TOO_LONG: 1003051,
  STREAM_UNKNOWN: 1004002,
  PLAY_INTERRUPTED: 1004020,
  STREAM_BANNED: 1004025,
  MESSAGE_EMPTY: 1009001,
  MESSAGE_TOO_LONG: 1009002,
  /** The message is for a room that this client is not in. */
  MESSAGE_WRONG_ROOM: 1009005,
  /** Nobody got the message: all users that it names are offline. */
  MESSAGE_FAILED: 1009010,
  /** More than two broadcast messages a second. */
  BROADCAST_TOO_OFTEN: 1009015,
  BAD_PARAMETER: 1100001,
  REQUEST_TIMEOUT: 1100002,
  SOCKET_CLOSED: 1100003,
  SERVER_UNKNOWN: 1100999,
  TOKEN_MALFORMED: 1102016,
  TOKEN_EXPIRED: 1102018,
  TOKEN_REFUSED: 1102020,
  /** A publication could not be set up in this browser, or is one too many. */
  PUBLISH_SETUP: 1103001,
  /** The server cannot use the SDP offer. */
  PUBLISH_OFFER: 1103003,
  PUBLISH_AUTHENTICATION: 1103019,
  /** A publication was tried again until the time for it was over. */
  PUBLISH_RETRY_TIMEOUT: 1103030,
  SCREEN_SHARE_CANCELLED: 1103042,
  SCREEN_SHARE_UNSUPPORTED: 1103043,
  STREAM_WITHOUT_TRACK: 1103047,
  NO_DEVICE: 1103048,
  NOT_PUBLISHING: 1103055,
  ALREADY_PUBLISHING: 1103056,
  CAPTURE_FAILED: 1103061,
  NO_PERMISSION: 1103064,
  DEVICE_BUSY: 1103065,
  BAD_CONSTRAINTS: 1103066,
  /** A play could not be set up in this browser, or is one too many. */
  PLAY_SETUP: 1104001,
  /**
   * The server cannot use the SDP offer of a play; with the state PLAYING, all of the stream plays
   * but a track whose codec this browser does not decode.
   */
  PLAY_OFFER: 1104003,
  /** A play was tried again until the time for it was over. */
  PLAY_RETRY_TIMEOUT: 1104039,
  PLAY_AUTHENTICATION: 1104046,
  /** Messages come too often. */
  TOO_OFTEN: 1109001,
} as const;

/** What a failed call rejects with. */
export class ZegoError extends Error {
  override readonly name = "ZegoError";

  /**
   * @param errorCode a client error code of the contract. @param extendedData one plain sentence.
   */
  constructor(
    readonly errorCode: number,
    readonly extendedData: string = "",
  ) {
    super(`${errorCode}${extendedData ? `: ${extendedData}` : ""}`);
  }

  /** The same number under the name that Node and browsers use. */
  get code(): number {
    return this.errorCode;
  }
}

/**
 * The error itself when it is one of ours, else one with the given code that carries its message.
 */
export function toZegoError(error: unknown, errorCode: number): ZegoError {
  if (error instanceof ZegoError) return error;
  return new ZegoError(
    errorCode,
    error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  );
}

/** The code for what getUserMedia and getDisplayMedia reject with. */
export function captureErrorCode(error: unknown): number {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return ErrorCode.NO_PERMISSION;
  if (name === "NotFoundError") return ErrorCode.NO_DEVICE;
  if (name === "NotReadableError" || name === "AbortError") return ErrorCode.DEVICE_BUSY;
  if (name === "OverconstrainedError" || name === "TypeError") return ErrorCode.BAD_CONSTRAINTS;
  return ErrorCode.CAPTURE_FAILED;
}

const finalLoginCodes: ReadonlySet<number> = new Set([
  ErrorCode.APP_ID_REFUSED,
  ErrorCode.LOGIN_AUTHENTICATION,
  ErrorCode.ROOM_FULL,
  ErrorCode.LOGIN_BANNED,
  ErrorCode.BAD_PARAMETER,
  ErrorCode.TOKEN_MALFORMED,
  ErrorCode.TOKEN_EXPIRED,
  ErrorCode.TOKEN_REFUSED,
]);

/** Whether the same login would be refused again, so that trying once more is of no use. */
export function isFinalLoginRefusal(errorCode: number): boolean {
  return finalLoginCodes.has(errorCode) || (errorCode >= 1002005 && errorCode <= 1002013);
}

const finalMediaCodes: ReadonlySet<number> = new Set([
  ErrorCode.PUBLISHING_BANNED,
  ErrorCode.STREAM_ID_EXISTS,
  ErrorCode.STREAM_UNKNOWN,
  ErrorCode.STREAM_BANNED,
  ErrorCode.PUBLISH_AUTHENTICATION,
  ErrorCode.PLAY_AUTHENTICATION,
  ErrorCode.ALREADY_PUBLISHING,
  ErrorCode.EXTRA_INFO_TOO_LONG,
  ErrorCode.PUBLISH_SETUP,
  ErrorCode.PUBLISH_OFFER,
  ErrorCode.PLAY_SETUP,
  ErrorCode.PLAY_OFFER,
  ErrorCode.BAD_PARAMETER,
  ErrorCode.TOKEN_EXPIRED,
  ErrorCode.STREAM_ID_TOO_LONG,
  ErrorCode.STREAM_ID_EMPTY,
  ErrorCode.STREAM_ID_CHARACTERS,
]);

/** Whether a publication or a play that ended with this code ended on purpose. */
export function isFinalMediaRefusal(errorCode: number): boolean {
  return finalMediaCodes.has(errorCode);
}
