// The shapes of the signalling protocol, made from crates/proto/src/signal.rs by `npm run gen`: do not edit.

/** The protocol version that these shapes describe. */
export const VERSION = 1;

/** A user as others see it. */
export interface User {
  /** 1 to 63 bytes. */
  user_id: string;
  /** 0 to 255 bytes; may be empty. */
  user_name: string;
}

/** A stream of the room's list. */
export interface Stream {
  /** 1 to 256 of `[0-9A-Za-z_-]`. */
  stream_id: string;
  /** Who publishes it. */
  user: User;
  /** Free text of its publisher, at most 1,024 bytes. */
  extra_info: string;
}

/** A room's extra info. */
export interface RoomExtraInfo {
  /** 1 to 10 bytes. */
  key: string;
  /** 0 to 128 bytes. */
  value: string;
  /** Who set it last. */
  update_user: User;
  /** When, Unix milliseconds. */
  update_time_ms: number;
}

/** Everything a client may send. */
export type ClientMessage =
  /** Opens a session: the first message on a WebSocket unless it is `resume`. Reply: `logged_in`. */
  | ({ type: "login" } & Login)
  /** Carries an open session on over a new WebSocket. Reply: `resumed`. */
  | ({ type: "resume" } & Resume)
  /** Ends the session. Reply: `done`; the server then closes the WebSocket. */
  | ({ type: "logout" } & RoomRequest)
  /** Replaces the session's token. Reply: `done`. */
  | ({ type: "renew_token" } & RenewToken)
  /** "I am alive, and I have seen all notices up to `last_sequence`." Reply: `done`. */
  | ({ type: "heartbeat" } & Heartbeat)
  /** Publishes a stream: an SDP offer with media to send. Reply: `answer`. */
  | ({ type: "publish" } & Publish)
  /** Stops publishing a stream. Reply: `done`. */
  | ({ type: "unpublish" } & StreamRequest)
  /** Plays a stream: an SDP offer with media to receive. Reply: `answer`. */
  | ({ type: "play" } & Play)
  /** Stops playing a stream. Reply: `done`. */
  | ({ type: "unplay" } & StreamRequest)
  /**
   * Says what the client wants to see of a stream that it plays, in place of all that it said
   * before: what is left out is `BEST`, 0, `MEDIUM` again. Reply: `done`.
   */
  | ({ type: "set_play_video" } & SetPlayVideo)
  /**
   * Restarts the ICE of a stream's transport: the client comes from another network. Reply:
   * `ice_restarted`.
   */
  | ({ type: "restart_ice" } & RestartIce)
  /** Says something to all others, reliably. Reply: `done`. */
  | ({ type: "send_broadcast_message" } & SendMessage)
  /** Says something to all others that may be lost. Reply: `done`. */
  | ({ type: "send_barrage_message" } & SendMessage)
  /** Sends a command to some others or all, reliably. Reply: `command_sent`. */
  | ({ type: "send_custom_command" } & SendCustomCommand)
  /** Sets the room's extra info. Reply: `done`. */
  | ({ type: "set_room_extra_info" } & SetRoomExtraInfo)
  /** Sets the extra info of a stream that the session publishes. Reply: `done`. */
  | ({ type: "set_stream_extra_info" } & SetStreamExtraInfo);

/** Every `type` of ClientMessage. */
export const clientMessageTypes = [
  "login",
  "resume",
  "logout",
  "renew_token",
  "heartbeat",
  "publish",
  "unpublish",
  "play",
  "unplay",
  "set_play_video",
  "restart_ice",
  "send_broadcast_message",
  "send_barrage_message",
  "send_custom_command",
  "set_room_extra_info",
  "set_stream_extra_info",
] as const;

/** Opens a session. */
export interface Login {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** Must be `VERSION`. */
  version: number;
  /** The app. */
  app_id: number;
  /** The room, made by this login when it is the first. */
  room_id: string;
  /** Must equal the token's user. */
  user_id: string;
  /** Shown to others; empty when left out. */
  user_name?: string;
  /** A token of form 03 or 04. */
  token: string;
  /** Whether users coming and going shall be told. */
  user_update?: boolean;
  /** Users the room may hold, set by its first login; 0 is no limit of its own. */
  max_member_count?: number;
}

/** Carries a session on after its WebSocket was lost. */
export interface Resume {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** Must be `VERSION`. */
  version: number;
  /** The app. */
  app_id: number;
  /** The room. */
  room_id: string;
  /** The user that logged in. */
  user_id: string;
  /** From `logged_in`. */
  session_id: number;
  /** From `logged_in` or the last `resumed`: 32 hex characters. */
  resume_secret: string;
  /** The last notice the client has seen, 0 for none. */
  last_sequence: number;
  /** A valid token of the same user, checked again. */
  token: string;
}

/** A request that names only the room. */
export interface RoomRequest {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
}

/** Replaces the session's token. */
export interface RenewToken {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The new token. */
  token: string;
}

/** A sign of life. */
export interface Heartbeat {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The last notice the client has seen; the server forgets notices up to here. */
  last_sequence: number;
}

/** Publishes a stream. */
export interface Publish {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The stream's name, unique in the app. */
  stream_id: string;
  /** Free text for the others, at most 1,024 bytes. */
  extra_info?: string;
  /** The SDP offer. */
  sdp: string;
}

/** Plays a stream. */
export interface Play {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The stream. */
  stream_id: string;
  /** The SDP offer, with media to receive. */
  sdp: string;
  /** Which layer of its video. */
  video_layer?: VideoLayer;
  /** Rows of pixels that the client shows: no more than the layer that has them; 0 does not say. */
  video_height?: number;
  /** How much its video matters among those that the client plays. */
  priority?: PlayPriority;
}

/** What a client wants to see of a stream that it plays. Nothing is kept of what it said before. */
export interface SetPlayVideo {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The stream. */
  stream_id: string;
  /** Which layer of its video. */
  video_layer?: VideoLayer;
  /** Rows of pixels that the client shows: no more than the layer that has them; 0 does not say. */
  video_height?: number;
  /** How much its video matters among those that the client plays. */
  priority?: PlayPriority;
}

/** Which layer of a video that is published in several. */
export type VideoLayer = "BEST" | "LARGEST" | "SMALLEST";

/** How much a video matters among those that a client plays, when not all of them reach it. */
export type PlayPriority = "VERY_LOW" | "LOW" | "MEDIUM" | "HIGH";

/**
 * Restarts the ICE of a stream's transport (RFC 8445 §9). Media goes on over the old path until
 * the client has nominated a new one.
 */
export interface RestartIce {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The stream. */
  stream_id: string;
  /** Whether the client publishes or plays it over that transport. */
  transport: TransportUse;
  /** The `ice-ufrag` of the client's new offer: 4 to 256 of `[A-Za-z0-9+/]`. */
  ice_ufrag: string;
}

/** What a client does with a stream over a transport. */
export type TransportUse = "PUBLISH" | "PLAY";

/** A request that names a stream. */
export interface StreamRequest {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The stream. */
  stream_id: string;
}

/** Says something to all others. */
export interface SendMessage {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** 1 to 1,024 bytes. */
  message: string;
}

/** Sends a command. */
export interface SendCustomCommand {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** 1 to 1,024 bytes. */
  command: string;
  /** To whom; empty or left out is everyone. */
  to_user_ids?: string[];
}

/** Sets the room's extra info. */
export interface SetRoomExtraInfo {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** 1 to 10 bytes; the room's first key stays its only one. */
  key: string;
  /** 0 to 128 bytes. */
  value: string;
}

/** Sets the extra info of a stream. */
export interface SetStreamExtraInfo {
  /** Chosen by the client, given back in the reply. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** A stream that this session publishes. */
  stream_id: string;
  /** Free text for the others, at most 1,024 bytes. */
  extra_info: string;
}

/** Everything the server may send. */
export type ServerMessage = Reply | ErrorMessage | Numbered;

/** The good answer to one request. */
export type Reply =
  /** To `login`. */
  | ({ type: "logged_in" } & LoggedIn)
  /** To `resume`; the missed notices follow. */
  | ({ type: "resumed" } & Resumed)
  /** To `publish` and `play`. */
  | ({ type: "answer" } & Answer)
  /** To `restart_ice`. */
  | ({ type: "ice_restarted" } & IceRestarted)
  /** To `send_custom_command`. */
  | ({ type: "command_sent" } & CommandSent)
  /** To everything else. */
  | {
      type: "done";
      /** The request's. */
      request_id: number;
    };

/** Every `type` of Reply. */
export const replyTypes = [
  "logged_in",
  "resumed",
  "answer",
  "ice_restarted",
  "command_sent",
  "done",
] as const;

/** The session is open. */
export interface LoggedIn {
  /** The request's. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The session, for `resume`. */
  session_id: number;
  /** 32 hex characters, for one `resume`. */
  resume_secret: string;
  /** How often to send `heartbeat`, milliseconds. */
  heartbeat_interval_ms: number;
  /** A session silent for longer is timed out, milliseconds. */
  heartbeat_timeout_ms: number;
  /**
   * STUN and TURN servers for the client's `RTCPeerConnection`s, with what opens them for a
   * while. Left out when there are none.
   */
  ice_servers?: IceServer[];
  /** The room as it is. */
  snapshot: Snapshot;
}

/** A STUN or TURN server, as `RTCConfiguration.iceServers` wants it. */
export interface IceServer {
  /** `stun:`, `stuns:`, `turn:` and `turns:` URLs of it. */
  urls: string[];
  /** The user's name there; none where anybody may use it. */
  username?: string;
  /** The password. */
  credential?: string;
}

/** The session goes on. */
export interface Resumed {
  /** The request's. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** For the next `resume`; the old one is spent. */
  resume_secret: string;
  /** In place of the ones before, for the `RTCPeerConnection`s that are made from now on. */
  ice_servers?: IceServer[];
  /**
   * Given when the missed notices are no longer kept: the room as it is, to be taken instead of
   * them. The next notice's `sequence` is `snapshot.sequence + 1`.
   */
  snapshot?: Snapshot;
  /**
   * Given beside `snapshot`: the `broadcast_message` and `custom_command` notices that were
   * missed, in order. Each has the number that it had, up to `snapshot.sequence`.
   */
  messages?: Numbered[];
  /**
   * Given beside `snapshot`: how many older ones are lost because more were missed than the
   * server keeps; some of them may have arrived before the WebSocket was lost.
   */
  messages_lost?: number;
}

/** What a session may see of its room at one moment. */
export interface Snapshot {
  /** The number of the last notice that this snapshot already includes. */
  sequence: number;
  /** The other users; empty when the session has not asked for user updates. */
  users: User[];
  /**
   * Users in the room, oneself included. More than `users` and oneself: the room is too large
   * for `user_update`.
   */
  user_count: number;
  /** The room's extra info; none when nobody has set it. */
  room_extra_info?: RoomExtraInfo;
  /** The streams of others. */
  streams: Stream[];
  /** The version of the stream list: it grows by one with every change. */
  stream_sequence: number;
  /** Stream ids that this session publishes or is about to. */
  publishing: string[];
  /** Stream ids that this session plays or is about to. */
  playing: string[];
}

/** The SDP answer to `publish` or `play`. */
export interface Answer {
  /** The request's. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The stream. */
  stream_id: string;
  /** The SDP answer: ICE-lite, candidates included. */
  sdp: string;
  /**
   * Codecs of the stream that is to be played and that the offer cannot take: of those tracks
   * nothing will come.
   */
  untaken_codecs?: string[];
}

/** The server's new ICE credentials; all else of its answer stays. */
export interface IceRestarted {
  /** The request's. */
  request_id: number;
  /** The room. */
  room_id: string;
  /** The stream. */
  stream_id: string;
  /** For `a=ice-ufrag` of the answer. */
  ice_ufrag: string;
  /** For `a=ice-pwd` of the answer. */
  ice_pwd: string;
}

/** A command is on its way. */
export interface CommandSent {
  /** The request's. */
  request_id: number;
  /** Users of `to_user_ids` who are not in the room. */
  offline_user_ids: string[];
}

/** A refusal. */
export interface ErrorMessage {
  /** Always `error`. */
  type: ErrorTag;
  /** The request's; left out when it could not be read. */
  request_id?: number;
  /** A client error code of the contract, for example 1102018 (token expired). */
  code: number;
  /** One plain sentence. */
  message: string;
}

/** The word `error`. */
export type ErrorTag = "error";

/** A notice with its place in the session's sequence. */
export type Numbered = {
  /**
   * Counts up from 1 in the session, without a gap; 0 for a `barrage_message`, which is not
   * counted: it may be lost.
   */
  sequence: number;
  /** The room. */
  room_id: string;
} & Notice;

/** What a room tells a session. */
export type Notice =
  /** Users came or went; only to sessions that asked for it. */
  | {
      type: "user_update";
      /** Came or went. */
      update: Update;
      /** Who. */
      users: User[];
    }
  /** How many users the room has, when that has changed; not more often than every 30 s. */
  | {
      type: "user_count";
      /** Users, oneself included. */
      count: number;
    }
  /** Streams of others came or went. */
  | {
      type: "stream_update";
      /** Came or went. */
      update: Update;
      /** Which. */
      streams: Stream[];
      /** The version of the stream list after this change. */
      stream_sequence: number;
      /** Why they went; empty for `ADD`. */
      reasons?: StreamDeleteReason[];
    }
  /** The state of a stream that this session publishes. */
  | {
      type: "publisher_state";
      /** The stream. */
      stream_id: string;
      /** `PUBLISHING` or `NO_PUBLISH`. */
      state: PublisherState;
      /** 0, or a client error code of the contract. */
      error_code: number;
      /** Why, a word such as `stream_deleted`; empty when there is nothing to say. */
      reason: string;
    }
  /**
   * Somebody watches these layers of a video that this session publishes in several, and nobody
   * the others: they need not be sent.
   */
  | {
      type: "layers_wanted";
      /** The stream. */
      stream_id: string;
      /** Of each layer, in the order of the offer's rids, whether it is wanted. */
      layers: boolean[];
    }
  /** The state of a stream that this session plays. */
  | {
      type: "player_state";
      /** The stream. */
      stream_id: string;
      /** `PLAYING` or `NO_PLAY`. */
      state: PlayerState;
      /** 0, or a client error code of the contract. */
      error_code: number;
      /** Why, a word such as `stream_deleted`; empty when there is nothing to say. */
      reason: string;
    }
  /** Somebody said something to all. */
  | {
      type: "broadcast_message";
      /** Its number, unique in the room's life. */
      message_id: number;
      /** Who. */
      from_user: User;
      /** What. */
      message: string;
      /** When, Unix milliseconds. */
      send_time_ms: number;
    }
  /** Somebody said something to all that may be lost. Its `sequence` is 0. */
  | {
      type: "barrage_message";
      /** Its name, unique in the room's life. */
      message_id: string;
      /** Who. */
      from_user: User;
      /** What. */
      message: string;
      /** When, Unix milliseconds. */
      send_time_ms: number;
    }
  /** Somebody sent a command to this session or to all. */
  | {
      type: "custom_command";
      /** Who. */
      from_user: User;
      /** What. */
      command: string;
    }
  /** Somebody, maybe oneself, set the room's extra info. */
  | {
      type: "room_extra_info_update";
      /** What it is now. */
      room_extra_info: RoomExtraInfo;
    }
  /** Somebody set the extra info of a stream. */
  | {
      type: "stream_extra_info_update";
      /** The stream as it is now. */
      stream: Stream;
    }
  /**
   * The session is over: removed by the backend or by another login. The WebSocket is closed
   * after it.
   */
  | {
      type: "kickout";
      /** A client error code of the contract: 1002055, 1002050 or 1002056. */
      code: number;
      /** The backend's CustomReason; empty when it gave none. */
      custom_reason: string;
    }
  /** The token expires soon; renew it. */
  | {
      type: "token_will_expire";
      /** Seconds left. */
      remaining_s: number;
    };

/** Every `type` of Notice. */
export const noticeTypes = [
  "user_update",
  "user_count",
  "stream_update",
  "publisher_state",
  "layers_wanted",
  "player_state",
  "broadcast_message",
  "barrage_message",
  "custom_command",
  "room_extra_info_update",
  "stream_extra_info_update",
  "kickout",
  "token_will_expire",
] as const;

/** Whether something came or went. */
export type Update = "ADD" | "DELETE";

/** Why a stream went. */
export interface StreamDeleteReason {
  /** The stream. */
  stream_id: string;
  /**
   * 1 stopped, 2 heartbeat timeout, 3 logged in elsewhere, 4 kicked, 5 disconnected, 6 removed
   * by the backend (contract, roomStreamUpdate).
   */
  code: number;
}

/** States of a publication. */
export type PublisherState = "PUBLISHING" | "NO_PUBLISH";

/** States of a play. */
export type PlayerState = "PLAYING" | "NO_PLAY";

/** WebSocket close codes of the protocol (RFC 6455 §7.4.2, private range). */
export const CloseCode = {
  /** The session ended: logged out, kicked or timed out; do not resume. */
  SESSION_OVER: 4000,
  /** Another WebSocket carries the session now. */
  REPLACED: 4001,
  /** The client reads too slowly; it may resume. */
  TOO_SLOW: 4002,
  /** Messages came too often, too large, out of order, or could not be read. */
  PROTOCOL_ERROR: 4003,
  /** The server is closing; log in again elsewhere or later. */
  SERVER_CLOSING: 4004,
  /** Nothing was heard in time, for example no `login` after the WebSocket opened. */
  SILENT: 4005,
} as const;
