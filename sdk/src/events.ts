// Every event of the SDK with the arguments of its handlers, and the small emitter that carries
// them.

import type { ZegoPlayStats, ZegoPublishStats } from "./stats.ts";

/** A user of a room. */
export interface ZegoUser {
  userID: string;
  userName?: string;
}

/** A stream of a room's list. The addresses stay empty: Odeum has no CDN of its own. */
export interface ZegoStreamList {
  streamID: string;
  user: ZegoUser;
  extraInfo: string;
  urlsFLV: string;
  urlsRTMP: string;
  urlsHLS: string;
  urlsHttpsFLV: string;
  urlsHttpsHLS: string;
}

/** A broadcast message. */
export interface ZegoBroadcastMessageInfo {
  fromUser: ZegoUser;
  message: string;
  /** Unix milliseconds. */
  sendTime: number;
  /** Unique in the room's life. */
  messageID: number;
}

/** A barrage message. */
export interface ZegoBarrageMessageInfo {
  fromUser: ZegoUser;
  message: string;
  /** Unix milliseconds. */
  sendTime: number;
  /** Unique in the room's life. */
  messageID: string;
}

/** What somebody has attached to the room. */
export interface ZegoRoomExtraInfo {
  key: string;
  value: string;
  updateUser: ZegoUser;
  /** Unix milliseconds. */
  updateTime: number;
}

/** What somebody has attached to a stream. */
export interface ZegoStreamExtraInfo {
  streamID: string;
  user: ZegoUser;
  extraInfo: string;
}

/** Came or went. */
export type UpdateType = "ADD" | "DELETE";

/** Why the state of a room changed. */
export type ZegoRoomStateChangedReason =
  | "LOGINING"
  | "LOGINED"
  | "LOGIN_FAILED"
  | "RECONNECTING"
  | "RECONNECTED"
  | "RECONNECT_FAILED"
  | "KICKOUT"
  | "LOGOUT"
  | "LOGOUT_FAILED";

/** The older, coarser form of a room's state. */
export type ZegoRoomState = "DISCONNECTED" | "CONNECTING" | "CONNECTED";

/** The state of a publication. `PUBLISH_REQUESTING` with an error code is a retry. */
export interface ZegoPublisherState {
  streamID: string;
  state: "PUBLISHING" | "NO_PUBLISH" | "PUBLISH_REQUESTING";
  errorCode: number;
  extendedData: string;
}

/** The state of a play. `PLAY_REQUESTING` with an error code is a retry. */
export interface ZegoPlayerState {
  streamID: string;
  state: "NO_PLAY" | "PLAY_REQUESTING" | "PLAYING";
  errorCode: number;
  extendedData: string;
}

/** The events of `ZegoExpressEngine` and what their handlers are given. */
export interface ZegoEvent {
  /** The login's life, in detail. */
  roomStateChanged: (
    roomID: string,
    reason: ZegoRoomStateChangedReason,
    errorCode: number,
    extendedData: string,
  ) => void;
  /** The login's life in its older form. */
  roomStateUpdate: (
    roomID: string,
    state: ZegoRoomState,
    errorCode: number,
    extendedData: string,
  ) => void;
  /** Others came or went; only after a login with `userUpdate: true`. */
  roomUserUpdate: (roomID: string, updateType: UpdateType, userList: ZegoUser[]) => void;
  /** How many users the room has, oneself included: after the login, then at most every 30 s. */
  roomOnlineUserCountUpdate: (roomID: string, count: number) => void;
  /**
   * Streams of others came or went. For `DELETE` extendedData is JSON:
   * `{"stream_delete_reason":[{"streamID":"…","code":1..6}]}`.
   */
  roomStreamUpdate: (
    roomID: string,
    updateType: UpdateType,
    streamList: ZegoStreamList[],
    extendedData: string,
  ) => void;
  /** The room's extra info: after the login if it has one, then when somebody else sets it. */
  roomExtraInfoUpdate: (roomID: string, roomExtraInfoList: ZegoRoomExtraInfo[]) => void;
  /** Somebody else set the extra info of a stream. */
  streamExtraInfoUpdate: (roomID: string, streamList: ZegoStreamExtraInfo[]) => void;
  /** Somebody said something to all; told once, also over a lost connection. */
  IMRecvBroadcastMessage: (roomID: string, chatData: ZegoBroadcastMessageInfo[]) => void;
  /** Somebody said something to all that may be lost. */
  IMRecvBarrageMessage: (roomID: string, messageInfo: ZegoBarrageMessageInfo[]) => void;
  /** Somebody sent a command; told once, also over a lost connection. */
  IMRecvCustomCommand: (roomID: string, fromUser: ZegoUser, command: string) => void;
  /** The state of an own publication. */
  publisherStateUpdate: (result: ZegoPublisherState) => void;
  /** The state of an own play. */
  playerStateUpdate: (result: ZegoPlayerState) => void;
  /** Every 3 s for each publication. */
  publishQualityUpdate: (streamID: string, stats: ZegoPublishStats) => void;
  /** Every 3 s for each play. */
  playQualityUpdate: (streamID: string, stats: ZegoPlayStats) => void;
  /** The token expires within 30 s: call `renewToken`. */
  tokenWillExpire: (roomID: string) => void;
  /** The user ended screen sharing in the browser's own bar. */
  screenSharingEnded: (mediaStream: MediaStream) => void;
}

type Handler = (...values: unknown[]) => void;

/** Keeps handlers by event and calls them in the order of their registration. */
export class Emitter<Events extends object> {
  /** Handlers by event; a handler registered twice is called twice. */
  readonly #handlers = new Map<keyof Events, Handler[]>();

  /** Registers a handler; false when it is not a function. */
  on<Name extends keyof Events>(name: Name, handler: Events[Name]): boolean {
    if (typeof handler !== "function") return false;
    const handlers = this.#handlers.get(name) ?? [];
    this.#handlers.set(name, [...handlers, handler as unknown as Handler]);
    return true;
  }

  /** Takes a handler away, or all of the event; false when there was none. */
  off<Name extends keyof Events>(name: Name, handler?: Events[Name]): boolean {
    const handlers = this.#handlers.get(name) ?? [];
    const kept =
      handler === undefined ? [] : handlers.filter((each) => each !== (handler as unknown));
    if (kept.length > 0) this.#handlers.set(name, kept);
    else this.#handlers.delete(name);
    return kept.length < handlers.length;
  }

  /** Calls every handler. One that throws does not keep the others from being called. */
  emit<Name extends keyof Events>(
    name: Name,
    ...values: Events[Name] extends (...values: infer Values) => void ? Values : never
  ): void {
    for (const handler of this.#handlers.get(name) ?? []) {
      try {
        handler(...values);
      } catch (error) {
        // The app's own mistake: let the browser report it as any uncaught error.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Forgets every handler. */
  clear(): void {
    this.#handlers.clear();
  }
}
