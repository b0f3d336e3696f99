// What this client knows of its room, and the events by which an app follows it: pure, no browser.

import type {
  UpdateType,
  ZegoRoomExtraInfo,
  ZegoStreamExtraInfo,
  ZegoStreamList,
  ZegoUser,
} from "./events.ts";
import type {
  Notice,
  RoomExtraInfo,
  Snapshot,
  Stream,
  StreamDeleteReason,
  User,
} from "./wire.ts";

/** One event for the app. */
export type ViewEvent =
  | { kind: "users"; updateType: UpdateType; users: ZegoUser[] }
  | { kind: "count"; count: number }
  | { kind: "roomExtraInfo"; list: ZegoRoomExtraInfo[] }
  | { kind: "streamExtraInfo"; list: ZegoStreamExtraInfo[] }
  | { kind: "streams"; updateType: UpdateType; streams: ZegoStreamList[]; extendedData: string };

/** The other users and their streams, as the notices told. */
export class RoomView {
  /** Other users by id; empty without `userUpdate`. */
  readonly #users = new Map<string, User>();
  /** Streams of others by id. */
  readonly #streams = new Map<string, Stream>();
  /** Users in the room as was told last; 0 before the login. */
  #userCount = 0;
  /** When the room's extra info was set that was told last, and to what. */
  #extraInfo = "";
  readonly #ownUserID: string;

  /** @param ownUserID of whose doing nothing is told. */
  constructor(ownUserID: string) {
    this.#ownUserID = ownUserID;
  }

  /** Takes a snapshot and returns how it differs from what was known. */
  takeSnapshot(snapshot: Snapshot): ViewEvent[] {
    const users = new Map(snapshot.users.map((user) => [user.user_id, user]));
    const streams = new Map(snapshot.streams.map((stream) => [stream.stream_id, stream]));
    const goneStreams = [...this.#streams.values()].filter((old) => {
      const now = streams.get(old.stream_id);
      return now === undefined || now.user.user_id !== old.user.user_id;
    });
    const goneUsers = [...this.#users.values()].filter((user) => !users.has(user.user_id));
    const events = [
      // Why they went was told in notices that this client has missed.
      ...this.takeNotice({
        type: "stream_update",
        update: "DELETE",
        streams: goneStreams,
        stream_sequence: 0,
      }),
      ...this.takeNotice({ type: "user_update", update: "DELETE", users: goneUsers }),
      ...this.takeNotice({ type: "user_update", update: "ADD", users: snapshot.users }),
    ];
    if (snapshot.user_count !== this.#userCount)
      events.push(...this.takeNotice({ type: "user_count", count: snapshot.user_count }));
    if (snapshot.room_extra_info) events.push(...this.#takeExtraInfo(snapshot.room_extra_info));
    for (const stream of snapshot.streams) {
      const known = this.#streams.get(stream.stream_id);
      if (known !== undefined && known.extra_info !== stream.extra_info)
        events.push(...this.takeNotice({ type: "stream_extra_info_update", stream }));
    }
    return events.concat(
      this.takeNotice({
        type: "stream_update",
        update: "ADD",
        streams: snapshot.streams,
        stream_sequence: 0,
      }),
    );
  }

  /**
   * Takes a notice and returns what of it is new. Other notices than updates change nothing here.
   */
  takeNotice(notice: Notice): ViewEvent[] {
    if (notice.type === "user_count") {
      this.#userCount = notice.count;
      return [{ kind: "count", count: notice.count }];
    }
    if (notice.type === "room_extra_info_update") {
      const events = this.#takeExtraInfo(notice.room_extra_info);
      return notice.room_extra_info.update_user.user_id === this.#ownUserID ? [] : events;
    }
    if (notice.type === "stream_extra_info_update") {
      const { stream } = notice;
      this.#streams.set(stream.stream_id, stream);
      const { streamID, user, extraInfo } = toZegoStream(stream);
      return [{ kind: "streamExtraInfo", list: [{ streamID, user, extraInfo }] }];
    }
    if (notice.type === "user_update") return this.#takeUsers(notice.update, notice.users);
    if (notice.type === "stream_update") {
      return this.#takeStreams(notice.update, notice.streams, notice.reasons ?? []);
    }
    return [];
  }

  /** Whether the room has this stream of somebody else. */
  hasStream(streamID: string): boolean {
    return this.#streams.has(streamID);
  }

  #takeExtraInfo(info: RoomExtraInfo): ViewEvent[] {
    const { key, value, update_time_ms: updateTime } = info;
    const told = `${updateTime} ${key}=${value}`;
    if (told === this.#extraInfo) return [];
    this.#extraInfo = told;
    const updateUser = toZegoUser(info.update_user);
    return [{ kind: "roomExtraInfo", list: [{ key, value, updateUser, updateTime }] }];
  }

  #takeUsers(update: UpdateType, users: User[]): ViewEvent[] {
    const changed = users.filter((user) =>
      update === "ADD" ? !this.#users.has(user.user_id) : this.#users.has(user.user_id),
    );
    for (const user of changed) {
      if (update === "ADD") this.#users.set(user.user_id, user);
      else this.#users.delete(user.user_id);
    }
    return changed.length === 0
      ? []
      : [{ kind: "users", updateType: update, users: changed.map(toZegoUser) }];
  }

  #takeStreams(update: UpdateType, streams: Stream[], reasons: StreamDeleteReason[]): ViewEvent[] {
    const changed = streams.filter((stream) =>
      update === "ADD" ? !this.#streams.has(stream.stream_id) : this.#streams.has(stream.stream_id),
    );
    for (const stream of changed) {
      if (update === "ADD") this.#streams.set(stream.stream_id, stream);
      else this.#streams.delete(stream.stream_id);
    }
    if (changed.length === 0) return [];
    const extendedData = update === "ADD" ? "" : deleteReasons(changed, reasons);
    return [
      { kind: "streams", updateType: update, streams: changed.map(toZegoStream), extendedData },
    ];
  }
}

/** The extendedData of a DELETE. */
function deleteReasons(streams: Stream[], reasons: StreamDeleteReason[]): string {
  const gone = new Set(streams.map((stream) => stream.stream_id));
  const told = reasons.filter((reason) => gone.has(reason.stream_id));
  return JSON.stringify({
    stream_delete_reason: told.map((reason) => ({ streamID: reason.stream_id, code: reason.code })),
  });
}

/** A user as the contract spells it. */
export function toZegoUser(user: User): ZegoUser {
  return { userID: user.user_id, userName: user.user_name };
}

function toZegoStream(stream: Stream): ZegoStreamList {
  return {
    streamID: stream.stream_id,
    user: toZegoUser(stream.user),
    extraInfo: stream.extra_info,
    urlsFLV: "",
    urlsRTMP: "",
    urlsHLS: "",
    urlsHttpsFLV: "",
    urlsHttpsHLS: "",
  };
}
