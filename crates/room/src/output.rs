//! What leaves a room: each output has one owner who carries it out, in order.

use std::sync::Arc;

use odeum_types::{PeerId, RoomSessionId, SessionId, StreamId, UserId};

use crate::event::Event;
use crate::notice::Notice;
use crate::rule::CutMedia;

/// One WebSocket. Given out by the node, unique in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What follows from a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A notice for a session, over the connection that it has now.
    Send {
        /// The session.
        session: SessionId,
        /// The session's connection.
        connection: ConnectionId,
        /// The notice's number in the session, from 1, without a gap.
        sequence: u64,
        /// What is told; shared by everyone who is told the same.
        notice: Arc<Notice>,
    },
    /// A notice without a number: lost if the session has no connection or its client is behind
    /// with reading, and not sent again.
    SendUnnumbered {
        /// The session.
        session: SessionId,
        /// The session's connection.
        connection: ConnectionId,
        /// What is told; shared by everyone who is told the same.
        notice: Arc<Notice>,
    },
    /// The connection is no longer the session's: close it after what was sent.
    Disconnect {
        /// The session.
        session: SessionId,
        /// The connection that ends.
        connection: ConnectionId,
        /// Why.
        reason: DisconnectReason,
    },
    /// For the media plane.
    Media(MediaCommand),
    /// The session is over: give its user back to the [`crate::App`] and forget its routing. Comes
    /// once for each session, however it ended.
    ReleaseUser {
        /// Whose.
        user: UserId,
        /// The session that is over.
        session: SessionId,
    },
    /// Nobody in this room has the stream id any more: give it back to the [`crate::App`].
    ReleaseStream {
        /// The stream id.
        stream: StreamId,
        /// The room life that held it.
        room_session: RoomSessionId,
    },
    /// For the backend's callbacks.
    Event(Event),
}

/// Why a connection is taken from its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// The session resumed over another connection.
    Resumed,
    /// The session is over; the Kickout notice before says why.
    SessionEnded,
}

/// What the media plane is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaCommand {
    /// End this transport. Unknown to the media plane: already gone, nothing to do.
    ClosePeer(PeerId),
    /// Forward everything of this publishing transport but this, from now on. Unknown to the media
    /// plane: gone, nothing to do.
    Cut {
        /// The transport.
        peer: PeerId,
        /// What is cut; `None` gives everything back.
        media: Option<CutMedia>,
    },
}
