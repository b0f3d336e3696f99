//! Publishing: from a client's offer until it stops.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use odeum_types::{PeerId, SessionId, StreamId, UnixMillis, UserId};

use crate::app::App;
use crate::cut::StreamCut;
use crate::event::StreamCloseReason;
use crate::notice::{PlayEndReason, StreamDeleteReason};
use crate::room::{PeerRole, Room};
use crate::rule::CutMedia;
use crate::stream::{Listing, Publication, PublisherTransport, Stream};

/// A client that is about to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartPublishing {
    /// The publisher.
    pub session: SessionId,
    /// The stream.
    pub stream: StreamId,
    /// Its transport; a new id, unique in the process.
    pub peer: PeerId,
    /// Where the client's WebSocket comes from; rules may be about it.
    pub source: IpAddr,
    /// Extra info; may be empty. A stream that was added before keeps what the server gave it.
    pub extra_info: Arc<str>,
}

/// Why a client may not publish; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// Client code 1003028: somebody else publishes it, or it was added in another user's name.
    #[error("stream {0} is taken")]
    StreamTaken(StreamId),
    /// Client code 1003025: a rule takes the right to publish from this user.
    #[error("user {0} may not publish here")]
    UserForbidden(UserId),
    /// Client code 1003025: ForbidRTCStream.
    #[error("stream {0} is forbidden")]
    StreamForbidden(StreamId),
    /// The session publishes as many streams as it may.
    #[error("the user publishes its {streams_per_user_max} streams")]
    TooManyStreams {
        /// The limit that was hit.
        streams_per_user_max: usize,
    },
}

/// Why a publication was not stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopPublishingError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// The session does not publish it, or not any more.
    #[error("stream {0} is not published by this session")]
    NotPublishing(StreamId),
}

impl Room {
    /// Begins a publication. Nobody hears of it until [`Room::media_connected`]. What the session
    /// publishes already gets another transport, also while the stream waits for one: the stream
    /// keeps its number and its place in the list, its players have to play again, and the
    /// stream_create to come says recreate. Returns what of it a rule cuts: the transport must
    /// begin so. A
    /// stream that was added in the user's name is taken over once media is connected (ruling
    /// 14).
    ///
    /// # Errors
    /// [`PublishError`], each variant as it says.
    pub fn start_publishing(
        &mut self,
        now: UnixMillis,
        app: &mut App,
        start: StartPublishing,
    ) -> Result<Option<CutMedia>, PublishError> {
        let StartPublishing { session: id, stream: stream_id, peer, source, extra_info } = start;
        let streams_per_user_max = self.config.streams_per_user_max;
        let room_session = self.room_session;
        let room = self.id.clone();
        let session = self.touch(now, id).ok_or(PublishError::NoSession(id))?;
        if app.rules().refuses_publishing(now, source, &room, &session.user) {
            return Err(PublishError::UserForbidden(session.user.clone()));
        }
        if app.rules().is_forbidden(&stream_id) {
            return Err(PublishError::StreamForbidden(stream_id));
        }
        let rule = app.rules().stream_rule(now, &room, &stream_id);
        let cut = rule.map(|rule| StreamCut { media: rule.cut, until: rule.expires_at });
        if session.publications.contains(&stream_id) {
            self.replace_publisher(id, stream_id, peer, cut);
            return Ok(cut.map(|cut| cut.media));
        }
        if session.publications.len() >= streams_per_user_max {
            return Err(PublishError::TooManyStreams { streams_per_user_max });
        }
        let (user, user_name) = (session.user.clone(), session.name.clone());
        if let Some(stream) = self.streams.get(&stream_id)
            && (stream.publication.is_some() || stream.user != user)
        {
            return Err(PublishError::StreamTaken(stream_id));
        }
        app.reserve_stream(&stream_id, &room, room_session)
            .map_err(|taken| PublishError::StreamTaken(taken.0))?;
        let stream = self.streams.entry(stream_id.clone()).or_insert_with(|| Stream {
            user,
            user_name: user_name.clone(),
            title: Arc::from(""),
            extra_info,
            listing: Listing::NotYet,
            publication: None,
            players: BTreeSet::new(),
        });
        let transport = PublisherTransport::Connecting(peer);
        stream.publication = Some(Publication { session: id, transport, cut });
        self.cuts.replace(&stream_id, None, cut);
        self.peers.insert(peer, PeerRole::Publisher(stream_id.clone()));
        if let Some(session) = self.sessions.get_mut(&id) {
            session.publications.push(stream_id);
        }
        Ok(cut.map(|cut| cut.media))
    }

    /// The client stops publishing. The others are told, unless DeleteStream has told them already
    /// or media never came.
    ///
    /// # Errors
    /// [`StopPublishingError`], each variant as it says.
    pub fn stop_publishing(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        stream: &StreamId,
    ) -> Result<(), StopPublishingError> {
        let own = self.touch(now, session).ok_or(StopPublishingError::NoSession(session))?;
        if !own.publications.contains(stream) {
            return Err(StopPublishingError::NotPublishing(stream.clone()));
        }
        let (close, players) = (StreamCloseReason::Stopped, PlayEndReason::PublisherGone);
        let gone = self.end_publication(now, stream, close, players);
        self.tell_streams_deleted(gone.into_iter().collect(), StreamDeleteReason::Stopped);
        Ok(())
    }

    /// The transport over which a session publishes a stream.
    ///
    /// # Errors
    /// [`StopPublishingError`]: not here, or it does not publish it at this moment.
    pub fn publishing_peer(
        &self,
        session: SessionId,
        stream: &StreamId,
    ) -> Result<PeerId, StopPublishingError> {
        if !self.sessions.contains_key(&session) {
            return Err(StopPublishingError::NoSession(session));
        }
        let publication = self.streams.get(stream).and_then(|found| found.publication.as_ref());
        let own = publication.filter(|publication| publication.session == session);
        let peer = own.and_then(|publication| publication.transport.peer());
        peer.ok_or_else(|| StopPublishingError::NotPublishing(stream.clone()))
    }

    fn replace_publisher(
        &mut self,
        session: SessionId,
        id: StreamId,
        peer: PeerId,
        cut: Option<StreamCut>,
    ) {
        self.end_plays(&id, PlayEndReason::PublisherReplaced);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let transport = PublisherTransport::Connecting(peer);
        let old = stream.publication.replace(Publication { session, transport, cut });
        if let Some(old) = old {
            self.graces.forget(old.transport, &id);
            self.cuts.replace(&id, old.cut, cut);
            if let Some(peer) = old.transport.peer() {
                self.close_peer(peer);
            }
        }
        self.peers.insert(peer, PeerRole::Publisher(id));
    }
}
