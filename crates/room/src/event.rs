//! What a backend hears of: the facts of the callbacks `room_create`, `room_login`, `stream_create`
//! and so on. Typed; the callback surface gives them a body.

use std::sync::Arc;

use odeum_types::{
    AppId, Codec, RoomId, RoomSessionId, SessionId, StreamId, UnixMillis, UserId, UserName,
};

use crate::stream::StreamNumberId;

/// Something that happened in a room. The events of one room come in the order in which they
/// happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The app.
    pub app: AppId,
    /// The room.
    pub room: RoomId,
    /// The room's life.
    pub room_session: RoomSessionId,
    /// When: the event's create, login, logout, close or destroy time.
    pub at: UnixMillis,
    /// What.
    pub kind: EventKind,
}

impl Event {
    /// About how many bytes it takes in memory, for the bound on events that are not stored yet:
    /// fixed parts are rounded up, texts are counted.
    pub fn bytes_estimate(&self) -> usize {
        const FIXED: usize = 384;
        let texts = match &self.kind {
            EventKind::RoomCreate { creator } => creator.as_str().len(),
            EventKind::RoomClose { .. } => 0,
            EventKind::RoomLogin { user, .. } | EventKind::RoomLogout { user, .. } => {
                user.user.as_str().len() + user.name.as_str().len()
            }
            EventKind::StreamCreate { stream, .. } | EventKind::StreamClose { stream, .. } => {
                stream.stream.as_str().len()
                    + stream.user.as_str().len()
                    + stream.user_name.as_str().len()
                    + stream.title.len()
                    + stream.extra_info.len()
            }
        };
        FIXED + self.room.as_str().len() + texts
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The room's life began. Always its first event.
    RoomCreate {
        /// The user of the first login.
        creator: UserId,
    },
    /// The room's life ended. Always its last event, left out after a CloseRoom that did not ask
    /// for it.
    RoomClose {
        /// Why.
        reason: RoomCloseReason,
    },
    /// A user logged in.
    RoomLogin {
        /// Who.
        user: UserFacts,
        /// How the login was proved.
        auth_level: AuthLevel,
        /// From what kind of client.
        terminal: Terminal,
        /// Whether the user was in the room already.
        relogin: Relogin,
    },
    /// A session ended. Follows its `RoomLogin`.
    RoomLogout {
        /// Who.
        user: UserFacts,
        /// Why.
        reason: LeaveReason,
    },
    /// A user's stream has media. Inside its publisher's login and logout.
    StreamCreate {
        /// The stream.
        stream: StreamFacts,
        /// Video codec, if it has video.
        video: Option<Codec>,
        /// Whether the server still had the stream from this publisher.
        recreate: Recreate,
    },
    /// A stream that had a `StreamCreate` is gone from the list.
    StreamClose {
        /// The stream.
        stream: StreamFacts,
        /// Why.
        reason: StreamCloseReason,
    },
}

/// A user's facts in login and logout events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFacts {
    /// The user.
    pub user: UserId,
    /// Its name at login.
    pub name: UserName,
    /// The session of this login.
    pub session: SessionId,
    /// When it logged in.
    pub login_at: UnixMillis,
    /// The room's user list counter: one more for each login and each logout.
    pub user_sequence: u64,
}

/// A stream's facts in stream events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFacts {
    /// The stream.
    pub stream: StreamId,
    /// Its number in the room; `stream_sid` is made of it and the room session (ruling 21).
    pub number: StreamNumberId,
    /// The publisher.
    pub user: UserId,
    /// The publisher's name.
    pub user_name: UserName,
    /// Title; empty unless a backend added the stream with one.
    pub title: Arc<str>,
    /// The stream's extra info.
    pub extra_info: Arc<str>,
    /// When it came into the list.
    pub created_at: UnixMillis,
    /// The room's stream list counter after this change.
    pub stream_sequence: u64,
}

/// How a login was proved; `auth_level` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthLevel {
    /// 0: no token.
    NoToken,
    /// 3: token 03.
    Token03,
    /// 4: token 04.
    Token04,
}

/// What kind of client logged in; `term_type` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Terminal {
    /// 6: a browser.
    Web,
    /// 32: anything else.
    Unknown,
}

/// Whether a login found its user in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relogin {
    /// 0: it did not.
    First,
    /// 1: it did, and ended the older session.
    Again,
}

/// Whether a stream with media is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recreate {
    /// 0: a new stream.
    New,
    /// 1: its publisher replaced the transport; same number, still in the list.
    Again,
}

/// Why a session ended; `reason` of room_logout (ruling 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaveReason {
    /// 0: it logged out.
    LoggedOut,
    /// 1: it was silent for too long.
    HeartbeatTimeout,
    /// 2: the server goes down.
    ServerClosing,
    /// 3: the same user logged in again.
    LoggedInElsewhere,
    /// 3: KickoutUser.
    Kicked,
    /// 3: CloseRoom.
    RoomClosed,
    /// 4: its token expired.
    TokenExpired,
}

/// Why a stream closed; `type` of stream_close (ruling 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamCloseReason {
    /// 0: its publisher stopped or logged out.
    Stopped,
    /// 1: its publisher was silent for too long.
    HeartbeatTimeout,
    /// 2: its publisher logged in again.
    LoggedInElsewhere,
    /// 3: its publisher was kicked or its token expired.
    Kicked,
    /// 4: its media connection was lost.
    MediaLost,
    /// 4: the server goes down.
    ServerClosing,
    /// 5: CloseRoom.
    RoomClosed,
    /// 100: DeleteStream.
    Deleted,
    /// 100: ForbidRTCStream; the contract has no number for it, and the server took it away.
    Forbidden,
}

/// Why a room's life ended; `close_reason` of room_close (ruling 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomCloseReason {
    /// 0: the last user left, or logged in to another room.
    LastLeft,
    /// 0: CloseRoom.
    Closed,
    /// 1: the last user's heartbeat timed out.
    LastTimedOut,
    /// 2: the server goes down.
    ServerClosing,
    /// 3: the last user was kicked or its token expired.
    LastKicked,
}
