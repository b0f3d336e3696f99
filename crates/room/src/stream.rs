//! The room's stream list: what a stream is, AddStream, DeleteStream (rulings 9 to 12 and 14).

use std::collections::BTreeSet;
use std::sync::Arc;

use odeum_types::{PeerId, SessionId, StreamId, UnixMillis, UserId, UserName};

use crate::app::App;
use crate::config::DeleteStreamMode;
use crate::cut::StreamCut;
use crate::event::{EventKind, StreamCloseReason, StreamFacts};
use crate::notice::{
    Notice, PlayEndReason, PlayState, PublishEndReason, PublishState, StreamDeleteReason,
    StreamListUpdate,
};
use crate::room::Room;
use crate::snapshot::StreamEntry;

/// A stream's number in its room: counts up from 1 through the room's life and orders the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamNumberId(pub u32);

/// A stream that is listed, published, or both.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Its publisher, or the user in whose name a backend added it.
    pub(crate) user: UserId,
    /// What that user is called.
    pub(crate) user_name: UserName,
    /// Title; empty unless a backend gave one.
    pub(crate) title: Arc<str>,
    /// Extra info.
    pub(crate) extra_info: Arc<str>,
    /// Its place in the list.
    pub(crate) listing: Listing,
    /// Who publishes it.
    pub(crate) publication: Option<Publication>,
    /// Who plays it.
    pub(crate) players: BTreeSet<SessionId>,
}

/// A stream's place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Not yet: its publication is connecting for the first time.
    NotYet,
    /// Added by the server; a publication, if there is one, is still connecting.
    Added(Place),
    /// Published: has had its stream_create.
    Published(Place),
    /// No more: DeleteStream took it out and its publication goes on (ruling 12).
    Deleted,
}

/// Where in the list, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The stream's number.
    pub(crate) number: StreamNumberId,
    /// When it came into the list.
    pub(crate) since: UnixMillis,
}

/// A session that publishes a stream.
#[derive(Debug)]
pub(crate) struct Publication {
    /// The publisher.
    pub(crate) session: SessionId,
    /// How its media comes.
    pub(crate) transport: PublisherTransport,
    /// What of it is cut.
    pub(crate) cut: Option<StreamCut>,
}

/// The transport of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublisherTransport {
    /// Under way.
    Connecting(PeerId),
    /// It carries media.
    Connected(PeerId),
    /// There is none: it ended, and another may take its place in the list until then.
    Interrupted {
        /// The end of the grace; [`Room`]'s `graces` has it too.
        until: UnixMillis,
    },
}

/// A stream that a backend puts into the list without media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddStream {
    /// The stream.
    pub stream: StreamId,
    /// In whose name; need not be in the room.
    pub user: UserId,
    /// What that user is called.
    pub user_name: UserName,
    /// Title; may be empty.
    pub title: Arc<str>,
    /// Extra info; may be empty.
    pub extra_info: Arc<str>,
}

/// Why a stream was not added; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddStreamError {
    /// Code 1012: somebody publishes it, another user has it, or it lies in another room.
    #[error("stream {0} is taken")]
    StreamTaken(StreamId),
    /// The room has as many added streams as it may.
    #[error("the room has its {added_streams_max} added streams")]
    TooManyStreams {
        /// The limit that was hit.
        added_streams_max: usize,
    },
    /// The room has ended or has not begun; code 104.
    #[error("the room has no users")]
    NoUsers,
}

/// Why a stream was not deleted; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeleteStreamError {
    /// Code 138: the list does not have it. A publication that is still connecting is not in the
    /// list.
    #[error("the room has no stream {0}")]
    NoStream(StreamId),
}

impl Room {
    /// AddStream (ruling 14): puts a stream into the list that nobody publishes here. The same
    /// stream of the same user again replaces title and extra info; the others are told of another
    /// extra info, no more.
    ///
    /// # Errors
    /// [`AddStreamError`], each variant as it says.
    pub fn add_stream(
        &mut self,
        now: UnixMillis,
        app: &mut App,
        add: AddStream,
    ) -> Result<(), AddStreamError> {
        if self.sessions.is_empty() {
            return Err(AddStreamError::NoUsers);
        }
        if let Some(stream) = self.streams.get_mut(&add.stream) {
            if !matches!(stream.listing, Listing::Added(_)) || stream.user != add.user {
                return Err(AddStreamError::StreamTaken(add.stream));
            }
            stream.title = add.title;
            let is_new = stream.extra_info != add.extra_info;
            stream.extra_info = add.extra_info;
            if let Some(entry) = stream.entry(&add.stream).filter(|_| is_new) {
                let user = add.user;
                self.tell_all(Notice::StreamExtraInfo(entry), |session| session.user != user);
            }
            return Ok(());
        }
        let added_streams_max = self.config.added_streams_max;
        if self.added.len() >= added_streams_max {
            return Err(AddStreamError::TooManyStreams { added_streams_max });
        }
        app.reserve_stream(&add.stream, &self.id, self.room_session)
            .map_err(|taken| AddStreamError::StreamTaken(taken.0))?;
        let place = self.next_place(now);
        self.added.insert((add.user.clone(), place.number), add.stream.clone());
        let stream = Stream {
            user: add.user,
            user_name: add.user_name,
            title: add.title,
            extra_info: add.extra_info,
            listing: Listing::Added(place),
            publication: None,
            players: BTreeSet::new(),
        };
        self.streams.insert(add.stream.clone(), stream);
        self.list(&add.stream, place.number);
        Ok(())
    }

    /// DeleteStream (rulings 9 to 12): takes a stream out of the list; its publisher stays in the
    /// room. Everybody but the stream's user is told. In mode stop its media ends, publisher
    /// and players being told; in mode notify media goes on. A stream that the server added
    /// makes no event, and a publication that is still connecting to take it over goes on as an
    /// ordinary one.
    ///
    /// # Errors
    /// [`DeleteStreamError::NoStream`].
    pub fn delete_stream(
        &mut self,
        now: UnixMillis,
        id: &StreamId,
    ) -> Result<(), DeleteStreamError> {
        let listing = self.streams.get(id).map(|stream| stream.listing);
        let gone = match listing {
            None | Some(Listing::NotYet | Listing::Deleted) => None,
            Some(Listing::Added(_)) => self.remove_added(id),
            Some(Listing::Published(_)) => match self.config.delete_stream {
                DeleteStreamMode::Stop => self.delete_and_stop(now, id),
                DeleteStreamMode::Notify => self.unlist(now, id, StreamCloseReason::Deleted),
            },
        };
        let gone = gone.ok_or_else(|| DeleteStreamError::NoStream(id.clone()))?;
        self.tell_streams_deleted(vec![gone], StreamDeleteReason::Deleted);
        Ok(())
    }

    fn delete_and_stop(&mut self, now: UnixMillis, id: &StreamId) -> Option<StreamEntry> {
        let publisher = self.streams.get(id)?.publication.as_ref()?.session;
        let gone =
            self.end_publication(now, id, StreamCloseReason::Deleted, PlayEndReason::Deleted);
        let state = PublishState::Ended(PublishEndReason::Deleted);
        self.tell(publisher, Notice::PublisherState { stream: id.clone(), state });
        gone
    }

    /// Ends a publication with its media. Returns the stream's entry if it was in the list because
    /// of the publication; the caller tells the others.
    pub(crate) fn end_publication(
        &mut self,
        now: UnixMillis,
        id: &StreamId,
        close: StreamCloseReason,
        players: PlayEndReason,
    ) -> Option<StreamEntry> {
        let stream = self.streams.get_mut(id)?;
        let publication = stream.publication.take()?;
        let listing = stream.listing;
        self.graces.forget(publication.transport, id);
        self.cuts.replace(id, publication.cut, None);
        if let Some(peer) = publication.transport.peer() {
            self.close_peer(peer);
        }
        self.end_plays(id, players);
        if let Some(session) = self.sessions.get_mut(&publication.session) {
            session.publications.retain(|own| own != id);
        }
        let gone = match listing {
            Listing::Added(_) => return None,
            Listing::Published(_) => self.unlist(now, id, close),
            Listing::NotYet | Listing::Deleted => None,
        };
        self.streams.remove(id);
        self.release_stream(id.clone());
        gone
    }

    /// Ends every play of a stream, telling its players.
    pub(crate) fn end_plays(&mut self, id: &StreamId, reason: PlayEndReason) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        for player in std::mem::take(&mut stream.players) {
            let Some(session) = self.sessions.get_mut(&player) else { continue };
            let Some(play) = session.plays.remove(id) else { continue };
            self.close_peer(play.peer);
            let state = PlayState::Ended(reason);
            self.tell(player, Notice::PlayerState { stream: id.clone(), state });
        }
    }

    /// Takes a published stream out of the list, with its event. The publication itself stays.
    fn unlist(
        &mut self,
        now: UnixMillis,
        id: &StreamId,
        reason: StreamCloseReason,
    ) -> Option<StreamEntry> {
        let stream = self.streams.get_mut(id)?;
        let entry = stream.entry(id)?;
        stream.listing = Listing::Deleted;
        self.listed.remove(&entry.number);
        self.stream_sequence += 1;
        let stream = self.stream_facts(&entry);
        self.event(now, EventKind::StreamClose { stream, reason });
        Some(entry)
    }

    /// Takes a stream that the server added out of the list.
    pub(crate) fn remove_added(&mut self, id: &StreamId) -> Option<StreamEntry> {
        let stream = self.streams.get_mut(id)?;
        let entry = stream.entry(id)?;
        self.added.remove(&(entry.user.clone(), entry.number));
        self.listed.remove(&entry.number);
        self.stream_sequence += 1;
        if stream.publication.is_some() {
            stream.listing = Listing::NotYet;
        } else {
            self.streams.remove(id);
            self.release_stream(id.clone());
        }
        Some(entry)
    }

    /// The streams that the server added in a user's name, in list order.
    pub(crate) fn added_by(&self, user: &UserId) -> Vec<StreamId> {
        let first = (user.clone(), StreamNumberId(0));
        let last = (user.clone(), StreamNumberId(u32::MAX));
        self.added.range(first..=last).map(|(_, id)| id.clone()).collect()
    }

    /// Puts a stream whose `listing` has a place into the list, and tells the others.
    pub(crate) fn list(&mut self, id: &StreamId, number: StreamNumberId) {
        self.listed.insert(number, id.clone());
        self.stream_sequence += 1;
        let Some(entry) = self.streams.get(id).and_then(|stream| stream.entry(id)) else { return };
        let user = entry.user.clone();
        let notice = Notice::StreamUpdate {
            update: StreamListUpdate::Add,
            streams: vec![entry],
            stream_sequence: self.stream_sequence,
        };
        self.tell_all(notice, |session| session.user != user);
    }

    /// Tells everyone but their user that these streams, all of one user, are gone.
    pub(crate) fn tell_streams_deleted(
        &mut self,
        streams: Vec<StreamEntry>,
        reason: StreamDeleteReason,
    ) {
        let Some(user) = streams.first().map(|entry| entry.user.clone()) else { return };
        let notice = Notice::StreamUpdate {
            update: StreamListUpdate::Delete(reason),
            streams,
            stream_sequence: self.stream_sequence,
        };
        self.tell_all(notice, |session| session.user != user);
    }

    pub(crate) fn next_place(&mut self, now: UnixMillis) -> Place {
        self.stream_number.0 += 1;
        Place { number: self.stream_number, since: now }
    }

    pub(crate) fn stream_facts(&self, entry: &StreamEntry) -> StreamFacts {
        StreamFacts {
            stream: entry.stream.clone(),
            number: entry.number,
            user: entry.user.clone(),
            user_name: entry.user_name.clone(),
            title: Arc::clone(&entry.title),
            extra_info: Arc::clone(&entry.extra_info),
            created_at: entry.created_at,
            stream_sequence: self.stream_sequence,
        }
    }
}

impl PublisherTransport {
    /// The transport itself, while there is one.
    pub(crate) fn peer(self) -> Option<PeerId> {
        match self {
            Self::Connecting(peer) | Self::Connected(peer) => Some(peer),
            Self::Interrupted { .. } => None,
        }
    }
}

impl Stream {
    /// Its line in the list, if it is in the list.
    pub(crate) fn entry(&self, id: &StreamId) -> Option<StreamEntry> {
        let (Listing::Added(place) | Listing::Published(place)) = self.listing else { return None };
        Some(StreamEntry {
            stream: id.clone(),
            user: self.user.clone(),
            user_name: self.user_name.clone(),
            number: place.number,
            title: Arc::clone(&self.title),
            extra_info: Arc::clone(&self.extra_info),
            created_at: place.since,
        })
    }
}
