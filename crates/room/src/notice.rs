//! What a room tells its clients. Typed; signalling gives it a wire shape and the client codes that
//! the variants name.

use std::sync::Arc;
use std::time::Duration;

use odeum_types::{LayerSet, StreamId, UnixMillis};

use crate::extra_info::RoomExtraInfo;
use crate::messages::{BarrageId, MessageId, MessageText};
use crate::snapshot::{StreamEntry, UserEntry};

/// Something that one session is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// Users came or went (roomUserUpdate). Only to sessions that subscribed, never of oneself.
    UserUpdate {
        /// Came or went.
        update: ListUpdate,
        /// Which; at least one.
        users: Vec<UserEntry>,
    },
    /// How many users the room has (roomOnlineUserCountUpdate): to everyone whom nothing else has
    /// told so, at most once in [`crate::RoomConfig::user_count_interval`].
    UserCount {
        /// Users, oneself included.
        count: usize,
    },
    /// Streams of others came or went (roomStreamUpdate).
    StreamUpdate {
        /// Came, or went and why.
        update: StreamListUpdate,
        /// Which; at least one.
        streams: Vec<StreamEntry>,
        /// The room's stream list counter after this change. It also counts the receiver's own
        /// streams, of which it is not told.
        stream_sequence: u64,
    },
    /// Somebody watches these layers of a video that the receiver publishes, and nobody the others.
    LayersWanted {
        /// The stream that it publishes.
        stream: StreamId,
        /// What it is to send.
        layers: LayerSet,
    },
    /// The receiver's publication changed (publisherStateUpdate).
    PublisherState {
        /// The stream that it publishes.
        stream: StreamId,
        /// To what.
        state: PublishState,
    },
    /// A play of the receiver changed (playerStateUpdate).
    PlayerState {
        /// The stream that it plays.
        stream: StreamId,
        /// To what.
        state: PlayState,
    },
    /// Somebody said something to all (IMRecvBroadcastMessage).
    BroadcastMessage {
        /// Its number in the room.
        id: MessageId,
        /// Who.
        from: UserEntry,
        /// What.
        text: MessageText,
        /// When.
        sent_at: UnixMillis,
    },
    /// Somebody said something to all that may be lost (IMRecvBarrageMessage). Never numbered.
    BarrageMessage {
        /// Its name in the room, which has the time as well.
        id: BarrageId,
        /// Who.
        from: UserEntry,
        /// What.
        text: MessageText,
    },
    /// Somebody sent a command (IMRecvCustomCommand).
    CustomCommand {
        /// Who.
        from: UserEntry,
        /// What.
        text: MessageText,
    },
    /// Somebody, maybe oneself, set the room's extra info (roomExtraInfoUpdate).
    RoomExtraInfo(RoomExtraInfo),
    /// Somebody set the extra info of a stream in the list (streamExtraInfoUpdate): the stream as
    /// it is now.
    StreamExtraInfo(StreamEntry),
    /// The session is over; its last notice (roomStateChanged KICKOUT).
    Kickout {
        /// Why.
        reason: KickoutReason,
        /// The backend's free text for extendedData; empty unless it gave one.
        custom_reason: Arc<str>,
    },
    /// The token will expire soon (tokenWillExpire).
    TokenWillExpire {
        /// How long it is good from now, the time of the notice.
        remaining: Duration,
    },
}

/// A notice and its number in a session.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberedNotice {
    /// Its number.
    pub sequence: u64,
    /// What is told.
    pub notice: Arc<Notice>,
}

/// Which way the user list changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListUpdate {
    /// ADD.
    Add,
    /// DELETE.
    Delete,
}

/// Which way the stream list changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamListUpdate {
    /// ADD.
    Add,
    /// DELETE, the same reason for every stream of the notice.
    Delete(StreamDeleteReason),
}

/// Why a stream left the list: the contract's `stream_delete_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamDeleteReason {
    /// 1: its publisher stopped or logged out.
    Stopped,
    /// 2: its publisher's heartbeat timed out.
    HeartbeatTimeout,
    /// 3: its publisher logged in again.
    LoggedInElsewhere,
    /// 4: its publisher was kicked, or its token expired.
    Kicked,
    /// 5: its media connection was lost.
    MediaLost,
    /// 6: DeleteStream.
    Deleted,
}

/// Where a publication is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublishState {
    /// PUBLISHING: media is connected.
    Publishing,
    /// NO_PUBLISH: it ended without the client asking for it.
    Ended(PublishEndReason),
}

/// Why a publication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublishEndReason {
    /// 1003025, reason `stream_deleted`: DeleteStream.
    Deleted,
    /// 1003025, reason `stream_forbidden`: ForbidRTCStream.
    Forbidden,
    /// The media connection failed, or was lost for longer than the grace; the client may publish
    /// again.
    MediaLost,
}

/// Where a play is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlayState {
    /// PLAYING: media is connected.
    Playing,
    /// NO_PLAY: it ended without the client asking for it.
    Ended(PlayEndReason),
}

/// Why a play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlayEndReason {
    /// 1004025, reason `stream_deleted`: DeleteStream.
    Deleted,
    /// 1004025, reason `stream_forbidden`: ForbidRTCStream.
    Forbidden,
    /// The publisher stopped, left or was lost.
    PublisherGone,
    /// The publisher's transport ended or is being replaced; the stream stays, play it again.
    /// Until the publisher is back that is refused ([`crate::PlayError::PublisherInterrupted`]).
    PublisherReplaced,
    /// The player's own media connection failed or was lost; it may play again.
    MediaLost,
}

/// Why a session was ended by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KickoutReason {
    /// 1002050: the same user logged in again.
    LoggedInElsewhere,
    /// 1002055: KickoutUser.
    Kicked,
    /// 1002055: CloseRoom.
    RoomClosed,
    /// 1002056: the token expired and the app asks for removal.
    TokenExpired,
    /// 1102001: the session was silent for too long.
    HeartbeatTimeout,
    /// The server is going down; the client should log in anew by itself.
    ServerClosing,
}

impl Notice {
    /// About how many bytes the notice takes on the wire, for the replay bound and for what an
    /// owner queues: fixed parts are rounded up, texts are counted.
    pub fn bytes_estimate(&self) -> usize {
        const FIXED: usize = 96;
        FIXED
            + match self {
                Self::UserUpdate { users, .. } => users.iter().map(UserEntry::bytes_estimate).sum(),
                Self::StreamUpdate { streams, .. } => {
                    streams.iter().map(StreamEntry::bytes_estimate).sum()
                }
                Self::PublisherState { stream, .. }
                | Self::PlayerState { stream, .. }
                | Self::LayersWanted { stream, .. } => stream.as_str().len(),
                Self::BroadcastMessage { from, text, .. }
                | Self::BarrageMessage { from, text, .. }
                | Self::CustomCommand { from, text } => from.bytes_estimate() + text.as_str().len(),
                Self::RoomExtraInfo(extra_info) => extra_info.bytes_estimate(),
                Self::StreamExtraInfo(entry) => entry.bytes_estimate(),
                Self::Kickout { custom_reason, .. } => custom_reason.len(),
                Self::UserCount { .. } | Self::TokenWillExpire { .. } => 0,
            }
    }

    /// Whether it has to reach a client that resumes whatever else it missed: it is not state, so
    /// that no snapshot can tell it.
    pub(crate) fn is_message(&self) -> bool {
        match self {
            Self::BroadcastMessage { .. } | Self::CustomCommand { .. } => true,
            Self::UserUpdate { .. }
            | Self::UserCount { .. }
            | Self::StreamUpdate { .. }
            | Self::PublisherState { .. }
            | Self::PlayerState { .. }
            | Self::LayersWanted { .. }
            | Self::BarrageMessage { .. }
            | Self::RoomExtraInfo(_)
            | Self::StreamExtraInfo(_)
            | Self::Kickout { .. }
            | Self::TokenWillExpire { .. } => false,
        }
    }
}
