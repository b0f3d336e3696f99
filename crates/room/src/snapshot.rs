//! What a client has to know to go on from notices alone.

use std::sync::Arc;

use odeum_types::{RoomSessionId, SessionId, StreamId, UnixMillis, UserId, UserName};

use crate::extra_info::RoomExtraInfo;
use crate::login::UserUpdate;
use crate::room::Room;
use crate::stream::{PublisherTransport, StreamNumberId};

/// The room as one session may see it, at one number of its notices. Given at login, and at a
/// resumption that missed more than was kept; it replaces all that the client knew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The room's life.
    pub room_session: RoomSessionId,
    /// The number of the last notice that is contained; the next one has the next number.
    pub sequence: u64,
    /// The stream list counter.
    pub stream_sequence: u64,
    /// Users in the room, oneself included.
    pub user_count: usize,
    /// The other users, if the session subscribed. Beyond `user_notices_max` those known at the
    /// bound.
    pub users: Option<Vec<UserEntry>>,
    /// The room's extra info, if somebody has set it.
    pub extra_info: Option<RoomExtraInfo>,
    /// Streams of others, in list order (ruling 15: none of one's own).
    pub streams: Vec<StreamEntry>,
    /// What the session publishes. A publication that is not named here has ended.
    pub own_streams: Vec<OwnStream>,
    /// What the session plays. A play that is not named here has ended.
    pub playing: Vec<PlayedStream>,
}

/// A user as clients are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEntry {
    /// The user.
    pub user: UserId,
    /// What it is called.
    pub name: UserName,
}

/// A stream as clients are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry {
    /// The stream.
    pub stream: StreamId,
    /// Its publisher, or the user in whose name a backend added it.
    pub user: UserId,
    /// What that user is called.
    pub user_name: UserName,
    /// Its number in the room.
    pub number: StreamNumberId,
    /// Title; empty unless a backend gave one.
    pub title: Arc<str>,
    /// Extra info; may be empty.
    pub extra_info: Arc<str>,
    /// When it came into the list.
    pub created_at: UnixMillis,
}

/// A publication of the session itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnStream {
    /// The stream.
    pub stream: StreamId,
    /// Whether media arrives.
    pub state: PublicationState,
}

/// Where a publication of the session itself is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublicationState {
    /// ICE and DTLS are under way.
    Connecting,
    /// Media arrives.
    Connected,
    /// The transport ended; the stream waits for another.
    Interrupted,
}

/// A play of the session itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayedStream {
    /// The stream.
    pub stream: StreamId,
    /// Whether media has arrived.
    pub state: TransportState,
}

/// How far the transport of a play has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportState {
    /// ICE and DTLS are under way.
    Connecting,
    /// It carries media.
    Connected,
}

impl From<PublisherTransport> for PublicationState {
    fn from(transport: PublisherTransport) -> Self {
        match transport {
            PublisherTransport::Connecting(_) => Self::Connecting,
            PublisherTransport::Connected(_) => Self::Connected,
            PublisherTransport::Interrupted { .. } => Self::Interrupted,
        }
    }
}

impl UserEntry {
    pub(crate) fn bytes_estimate(&self) -> usize {
        const KEYS: usize = 32;
        KEYS + self.user.as_str().len() + self.name.as_str().len()
    }
}

impl StreamEntry {
    pub(crate) fn bytes_estimate(&self) -> usize {
        const KEYS: usize = 128;
        KEYS + self.stream.as_str().len()
            + self.user.as_str().len()
            + self.user_name.as_str().len()
            + self.title.len()
            + self.extra_info.len()
    }
}

impl Room {
    /// What the session should know now; `None` when it is not in the room.
    pub fn snapshot(&self, session: SessionId) -> Option<Snapshot> {
        let session = self.sessions.get(&session)?;
        let users = match session.user_update {
            UserUpdate::Subscribed => Some(self.user_entries_for(&session.user)),
            UserUpdate::Not => None,
        };
        Some(Snapshot {
            room_session: self.room_session,
            sequence: session.outbox.last(),
            stream_sequence: self.stream_sequence,
            user_count: self.sessions.len(),
            users,
            extra_info: self.extra_info.clone(),
            streams: self.entries().filter(|entry| entry.user != session.user).collect(),
            own_streams: (session.publications.iter())
                .filter_map(|id| Some((id, self.streams.get(id)?.publication.as_ref()?)))
                .map(|(id, own)| OwnStream { stream: id.clone(), state: own.transport.into() })
                .collect(),
            playing: (session.plays.iter())
                .map(|(id, play)| PlayedStream { stream: id.clone(), state: play.state })
                .collect(),
        })
    }

    /// The stream list in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = StreamEntry> + '_ {
        (self.listed.values()).filter_map(|id| self.streams.get(id)?.entry(id))
    }
}
