//! The signalling protocol, version 1: JSON text messages over one WebSocket at `/signal`.
//!
//! A client sends [`ClientMessage`]s; each carries a `request_id` of the client's choosing and gets
//! exactly one reply: a [`Reply`] or [`ServerMessage::Error`] with the same `request_id`. Beside
//! the replies the server sends [`Numbered`] notices of the room: their `sequence` counts up from 1
//! without a gap for the life of the session, over every WebSocket that carries it, so that a
//! client which comes back says the last one it has seen and misses nothing. A notice with
//! `sequence` 0 is outside of that: it may be lost and is not sent again.

use serde::{Deserialize, Serialize};

/// The protocol version that this file describes, sent as `version` in `login` and `resume`.
pub const VERSION: u32 = 1;

/// A user as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// 1 to 63 bytes.
    pub user_id: String,
    /// 0 to 255 bytes; may be empty.
    #[serde(default)]
    pub user_name: String,
}

/// A stream of the room's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// 1 to 256 of `[0-9A-Za-z_-]`.
    pub stream_id: String,
    /// Who publishes it.
    pub user: User,
    /// Free text of its publisher, at most 1,024 bytes.
    #[serde(default)]
    pub extra_info: String,
}

/// A room's extra info.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomExtraInfo {
    /// 1 to 10 bytes.
    pub key: String,
    /// 0 to 128 bytes.
    pub value: String,
    /// Who set it last.
    pub update_user: User,
    /// When, Unix milliseconds.
    pub update_time_ms: u64,
}

/// Everything a client may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Opens a session: the first message on a WebSocket unless it is `resume`. Reply: `logged_in`.
    Login(Login),
    /// Carries an open session on over a new WebSocket. Reply: `resumed`.
    Resume(Resume),
    /// Ends the session. Reply: `done`; the server then closes the WebSocket.
    Logout(RoomRequest),
    /// Replaces the session's token. Reply: `done`.
    RenewToken(RenewToken),
    /// "I am alive, and I have seen all notices up to `last_sequence`." Reply: `done`.
    Heartbeat(Heartbeat),
    /// Publishes a stream: an SDP offer with media to send. Reply: `answer`.
    Publish(Publish),
    /// Stops publishing a stream. Reply: `done`.
    Unpublish(StreamRequest),
    /// Plays a stream: an SDP offer with media to receive. Reply: `answer`.
    Play(Play),
    /// Stops playing a stream. Reply: `done`.
    Unplay(StreamRequest),
    /// Says what the client wants to see of a stream that it plays, in place of all that it said
    /// before: what is left out is `BEST`, 0, `MEDIUM` again. Reply: `done`.
    SetPlayVideo(SetPlayVideo),
    /// Restarts the ICE of a stream's transport: the client comes from another network. Reply:
    /// `ice_restarted`.
    RestartIce(RestartIce),
    /// Says something to all others, reliably. Reply: `done`.
    SendBroadcastMessage(SendMessage),
    /// Says something to all others that may be lost. Reply: `done`.
    SendBarrageMessage(SendMessage),
    /// Sends a command to some others or all, reliably. Reply: `command_sent`.
    SendCustomCommand(SendCustomCommand),
    /// Sets the room's extra info. Reply: `done`.
    SetRoomExtraInfo(SetRoomExtraInfo),
    /// Sets the extra info of a stream that the session publishes. Reply: `done`.
    SetStreamExtraInfo(SetStreamExtraInfo),
}

/// Opens a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// Must be [`VERSION`].
    pub version: u32,
    /// The app.
    pub app_id: u32,
    /// The room, made by this login when it is the first.
    pub room_id: String,
    /// Must equal the token's user.
    pub user_id: String,
    /// Shown to others; empty when left out.
    #[serde(default)]
    pub user_name: String,
    /// A token of form 03 or 04.
    pub token: String,
    /// Whether users coming and going shall be told.
    #[serde(default)]
    pub user_update: bool,
    /// Users the room may hold, set by its first login; 0 is no limit of its own.
    #[serde(default)]
    pub max_member_count: u32,
}

/// Carries a session on after its WebSocket was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// Must be [`VERSION`].
    pub version: u32,
    /// The app.
    pub app_id: u32,
    /// The room.
    pub room_id: String,
    /// The user that logged in.
    pub user_id: String,
    /// From `logged_in`.
    pub session_id: u64,
    /// From `logged_in` or the last `resumed`: 32 hex characters.
    pub resume_secret: String,
    /// The last notice the client has seen, 0 for none.
    pub last_sequence: u64,
    /// A valid token of the same user, checked again.
    pub token: String,
}

/// A request that names only the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRequest {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
}

/// Replaces the session's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewToken {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The new token.
    pub token: String,
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The last notice the client has seen; the server forgets notices up to here.
    pub last_sequence: u64,
}

/// Publishes a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The stream's name, unique in the app.
    pub stream_id: String,
    /// Free text for the others, at most 1,024 bytes.
    #[serde(default)]
    pub extra_info: String,
    /// The SDP offer.
    pub sdp: String,
}

/// Plays a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Play {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The stream.
    pub stream_id: String,
    /// The SDP offer, with media to receive.
    pub sdp: String,
    /// Which layer of its video.
    #[serde(default)]
    pub video_layer: VideoLayer,
    /// Rows of pixels that the client shows: no more than the layer that has them; 0 does not say.
    #[serde(default)]
    pub video_height: u16,
    /// How much its video matters among those that the client plays.
    #[serde(default)]
    pub priority: PlayPriority,
}

/// What a client wants to see of a stream that it plays. Nothing is kept of what it said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPlayVideo {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The stream.
    pub stream_id: String,
    /// Which layer of its video.
    #[serde(default)]
    pub video_layer: VideoLayer,
    /// Rows of pixels that the client shows: no more than the layer that has them; 0 does not say.
    #[serde(default)]
    pub video_height: u16,
    /// How much its video matters among those that the client plays.
    #[serde(default)]
    pub priority: PlayPriority,
}

/// Which layer of a video that is published in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VideoLayer {
    /// The best that reaches the client.
    #[default]
    Best,
    /// The largest, whatever reaches it.
    Largest,
    /// The smallest.
    Smallest,
}

/// How much a video matters among those that a client plays, when not all of them reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PlayPriority {
    /// Whatever the others leave.
    VeryLow,
    /// Less than the others.
    Low,
    /// As much as the others.
    #[default]
    Medium,
    /// More than the others.
    High,
}

/// Restarts the ICE of a stream's transport (RFC 8445 §9). Media goes on over the old path until
/// the client has nominated a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartIce {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The stream.
    pub stream_id: String,
    /// Whether the client publishes or plays it over that transport.
    pub transport: TransportUse,
    /// The `ice-ufrag` of the client's new offer: 4 to 256 of `[A-Za-z0-9+/]`.
    pub ice_ufrag: String,
}

/// What a client does with a stream over a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TransportUse {
    /// It publishes the stream.
    Publish,
    /// It plays the stream.
    Play,
}

/// A request that names a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRequest {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The stream.
    pub stream_id: String,
}

/// Says something to all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendMessage {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// 1 to 1,024 bytes.
    pub message: String,
}

/// Sends a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendCustomCommand {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// 1 to 1,024 bytes.
    pub command: String,
    /// To whom; empty or left out is everyone.
    #[serde(default)]
    pub to_user_ids: Vec<String>,
}

/// Sets the room's extra info.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRoomExtraInfo {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// 1 to 10 bytes; the room's first key stays its only one.
    pub key: String,
    /// 0 to 128 bytes.
    pub value: String,
}

/// Sets the extra info of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetStreamExtraInfo {
    /// Chosen by the client, given back in the reply.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// A stream that this session publishes.
    pub stream_id: String,
    /// Free text for the others, at most 1,024 bytes.
    pub extra_info: String,
}

/// Everything the server may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ServerMessage {
    /// The good answer to one request.
    Reply(Reply),
    /// A refusal of one request, or of a message that could not be read.
    Error(ErrorMessage),
    /// A notice of the room.
    Notice(Numbered),
}

/// The good answer to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply {
    /// To `login`.
    LoggedIn(LoggedIn),
    /// To `resume`; the missed notices follow.
    Resumed(Resumed),
    /// To `publish` and `play`.
    Answer(Answer),
    /// To `restart_ice`.
    IceRestarted(IceRestarted),
    /// To `send_custom_command`.
    CommandSent(CommandSent),
    /// To everything else.
    Done {
        /// The request's.
        request_id: u64,
    },
}

/// The session is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// The request's.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The session, for `resume`.
    pub session_id: u64,
    /// 32 hex characters, for one `resume`.
    pub resume_secret: String,
    /// How often to send `heartbeat`, milliseconds.
    pub heartbeat_interval_ms: u64,
    /// A session silent for longer is timed out, milliseconds.
    pub heartbeat_timeout_ms: u64,
    /// STUN and TURN servers for the client's `RTCPeerConnection`s, with what opens them for a
    /// while. Left out when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ice_servers: Vec<IceServer>,
    /// The room as it is.
    pub snapshot: Snapshot,
}

/// A STUN or TURN server, as `RTCConfiguration.iceServers` wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `stuns:`, `turn:` and `turns:` URLs of it.
    pub urls: Vec<String>,
    /// The user's name there; none where anybody may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// The session goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The request's.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// For the next `resume`; the old one is spent.
    pub resume_secret: String,
    /// In place of the ones before, for the `RTCPeerConnection`s that are made from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ice_servers: Vec<IceServer>,
    /// Given when the missed notices are no longer kept: the room as it is, to be taken instead of
    /// them. The next notice's `sequence` is `snapshot.sequence + 1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// Given beside `snapshot`: the `broadcast_message` and `custom_command` notices that were
    /// missed, in order. Each has the number that it had, up to `snapshot.sequence`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Numbered>,
    /// Given beside `snapshot`: how many older ones are lost because more were missed than the
    /// server keeps; some of them may have arrived before the WebSocket was lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub messages_lost: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a session may see of its room at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The number of the last notice that this snapshot already includes.
    pub sequence: u64,
    /// The other users; empty when the session has not asked for user updates.
    pub users: Vec<User>,
    /// Users in the room, oneself included. More than `users` and oneself: the room is too large
    /// for `user_update`.
    #[serde(default)]
    pub user_count: u64,
    /// The room's extra info; none when nobody has set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_extra_info: Option<RoomExtraInfo>,
    /// The streams of others.
    pub streams: Vec<Stream>,
    /// The version of the stream list: it grows by one with every change.
    pub stream_sequence: u64,
    /// Stream ids that this session publishes or is about to.
    #[serde(default)]
    pub publishing: Vec<String>,
    /// Stream ids that this session plays or is about to.
    #[serde(default)]
    pub playing: Vec<String>,
}

/// The SDP answer to `publish` or `play`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The stream.
    pub stream_id: String,
    /// The SDP answer: ICE-lite, candidates included.
    pub sdp: String,
    /// Codecs of the stream that is to be played and that the offer cannot take: of those tracks
    /// nothing will come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untaken_codecs: Vec<String>,
}

/// The server's new ICE credentials; all else of its answer stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceRestarted {
    /// The request's.
    pub request_id: u64,
    /// The room.
    pub room_id: String,
    /// The stream.
    pub stream_id: String,
    /// For `a=ice-ufrag` of the answer.
    pub ice_ufrag: String,
    /// For `a=ice-pwd` of the answer.
    pub ice_pwd: String,
}

/// A command is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSent {
    /// The request's.
    pub request_id: u64,
    /// Users of `to_user_ids` who are not in the room.
    pub offline_user_ids: Vec<String>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// Always `error`.
    #[serde(rename = "type")]
    pub kind: ErrorTag,
    /// The request's; left out when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<u64>,
    /// A client error code of the contract, for example 1102018 (token expired).
    pub code: u32,
    /// One plain sentence.
    pub message: String,
}

/// The word `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorTag {
    /// The only value.
    #[serde(rename = "error")]
    Error,
}

/// A notice with its place in the session's sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// Counts up from 1 in the session, without a gap; 0 for a `barrage_message`, which is not
    /// counted: it may be lost.
    pub sequence: u64,
    /// The room.
    pub room_id: String,
    /// What happened.
    #[serde(flatten)]
    pub notice: Notice,
}

/// What a room tells a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice {
    /// Users came or went; only to sessions that asked for it.
    UserUpdate {
        /// Came or went.
        update: Update,
        /// Who.
        users: Vec<User>,
    },
    /// How many users the room has, when that has changed; not more often than every 30 s.
    UserCount {
        /// Users, oneself included.
        count: u64,
    },
    /// Streams of others came or went.
    StreamUpdate {
        /// Came or went.
        update: Update,
        /// Which.
        streams: Vec<Stream>,
        /// The version of the stream list after this change.
        stream_sequence: u64,
        /// Why they went; empty for `ADD`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<StreamDeleteReason>,
    },
    /// The state of a stream that this session publishes.
    PublisherState {
        /// The stream.
        stream_id: String,
        /// `PUBLISHING` or `NO_PUBLISH`.
        state: PublisherState,
        /// 0, or a client error code of the contract.
        error_code: u32,
        /// Why, a word such as `stream_deleted`; empty when there is nothing to say.
        #[serde(default)]
        reason: String,
    },
    /// Somebody watches these layers of a video that this session publishes in several, and nobody
    /// the others: they need not be sent.
    LayersWanted {
        /// The stream.
        stream_id: String,
        /// Of each layer, in the order of the offer's rids, whether it is wanted.
        layers: Vec<bool>,
    },
    /// The state of a stream that this session plays.
    PlayerState {
        /// The stream.
        stream_id: String,
        /// `PLAYING` or `NO_PLAY`.
        state: PlayerState,
        /// 0, or a client error code of the contract.
        error_code: u32,
        /// Why, a word such as `stream_deleted`; empty when there is nothing to say.
        #[serde(default)]
        reason: String,
    },
    /// Somebody said something to all.
    BroadcastMessage {
        /// Its number, unique in the room's life.
        message_id: u64,
        /// Who.
        from_user: User,
        /// What.
        message: String,
        /// When, Unix milliseconds.
        send_time_ms: u64,
    },
    /// Somebody said something to all that may be lost. Its `sequence` is 0.
    BarrageMessage {
        /// Its name, unique in the room's life.
        message_id: String,
        /// Who.
        from_user: User,
        /// What.
        message: String,
        /// When, Unix milliseconds.
        send_time_ms: u64,
    },
    /// Somebody sent a command to this session or to all.
    CustomCommand {
        /// Who.
        from_user: User,
        /// What.
        command: String,
    },
    /// Somebody, maybe oneself, set the room's extra info.
    RoomExtraInfoUpdate {
        /// What it is now.
        room_extra_info: RoomExtraInfo,
    },
    /// Somebody set the extra info of a stream.
    StreamExtraInfoUpdate {
        /// The stream as it is now.
        stream: Stream,
    },
    /// The session is over: removed by the backend or by another login. The WebSocket is closed
    /// after it.
    Kickout {
        /// A client error code of the contract: 1002055, 1002050 or 1002056.
        code: u32,
        /// The backend's CustomReason; empty when it gave none.
        #[serde(default)]
        custom_reason: String,
    },
    /// The token expires soon; renew it.
    TokenWillExpire {
        /// Seconds left.
        remaining_s: u64,
    },
}

/// Whether something came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Update {
    /// Came.
    Add,
    /// Went.
    Delete,
}

/// Why a stream went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDeleteReason {
    /// The stream.
    pub stream_id: String,
    /// 1 stopped, 2 heartbeat timeout, 3 logged in elsewhere, 4 kicked, 5 disconnected, 6 removed
    /// by the backend (contract, roomStreamUpdate).
    pub code: u32,
}

/// States of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PublisherState {
    /// Media flows and the stream is in the room.
    Publishing,
    /// It is over.
    NoPublish,
}

/// States of a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PlayerState {
    /// The transport is connected.
    Playing,
    /// It is over.
    NoPlay,
}

/// WebSocket close codes of the protocol (RFC 6455 §7.4.2, private range).
pub mod close_code {
    /// The session ended: logged out, kicked or timed out; do not resume.
    pub const SESSION_OVER: u16 = 4000;
    /// Another WebSocket carries the session now.
    pub const REPLACED: u16 = 4001;
    /// The client reads too slowly; it may resume.
    pub const TOO_SLOW: u16 = 4002;
    /// Messages came too often, too large, out of order, or could not be read.
    pub const PROTOCOL_ERROR: u16 = 4003;
    /// The server is closing; log in again elsewhere or later.
    pub const SERVER_CLOSING: u16 = 4004;
    /// Nothing was heard in time, for example no `login` after the WebSocket opened.
    pub const SILENT: u16 = 4005;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_one_flat_object() {
        let notice = Numbered {
            sequence: 5,
            room_id: "r".into(),
            notice: Notice::StreamUpdate {
                update: Update::Delete,
                streams: vec![],
                stream_sequence: 9,
                reasons: vec![StreamDeleteReason { stream_id: "s".into(), code: 6 }],
            },
        };
        let json = serde_json::to_string(&notice).expect("a notice has only JSON types");
        assert_eq!(
            json,
            r#"{"sequence":5,"room_id":"r","type":"stream_update","update":"DELETE","streams":[],"stream_sequence":9,"reasons":[{"stream_id":"s","code":6}]}"#
        );
        let back: ServerMessage =
            serde_json::from_str(&json).expect("what was written can be read");
        assert_eq!(back, ServerMessage::Notice(notice));
    }

    #[test]
    fn a_request_names_its_type() {
        let message: ClientMessage = serde_json::from_str(
            r#"{"type":"unpublish","request_id":3,"room_id":"r","stream_id":"s"}"#,
        )
        .expect("a valid unpublish");
        assert!(matches!(message, ClientMessage::Unpublish(StreamRequest { request_id: 3, .. })));
    }
}
