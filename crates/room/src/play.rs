//! Playing a stream.

use odeum_types::{PeerId, SessionId, StreamId, UnixMillis};

use crate::app::App;
use crate::room::{PeerRole, Room};
use crate::session::Play;
use crate::snapshot::TransportState;
use crate::stream::Listing;

/// Why a client may not play; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// Client code 1004002: nobody publishes it here, or its media has not come yet.
    #[error("nobody publishes stream {0} in this room")]
    NoStream(StreamId),
    /// Client code 1004020: the publisher's media connection ended and the stream waits for it
    /// ([`crate::RoomConfig::media_grace`]); try again soon.
    #[error("the publisher of stream {0} is interrupted")]
    PublisherInterrupted(StreamId),
    /// Client code 1004025: ForbidRTCStream.
    #[error("stream {0} is forbidden")]
    StreamForbidden(StreamId),
    /// The session plays as many streams as it may.
    #[error("the user plays its {plays_per_user_max} streams")]
    TooManyPlays {
        /// The limit that was hit.
        plays_per_user_max: usize,
    },
}

/// Why a play was not stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopPlayingError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// The session does not play it, or not any more.
    #[error("stream {0} is not played by this session")]
    NotPlaying(StreamId),
}

impl Room {
    /// Begins a play over `peer`, a new id, and returns the transport that publishes. What the
    /// session plays already gets another transport. A stream deleted in mode notify can still
    /// be played (ruling 12).
    ///
    /// # Errors
    /// [`PlayError`], each variant as it says.
    pub fn start_playing(
        &mut self,
        now: UnixMillis,
        app: &App,
        session: SessionId,
        stream: &StreamId,
        peer: PeerId,
    ) -> Result<PeerId, PlayError> {
        let plays_per_user_max = self.config.plays_per_user_max;
        let own = self.touch(now, session).ok_or(PlayError::NoSession(session))?;
        if !own.plays.contains_key(stream) && own.plays.len() >= plays_per_user_max {
            return Err(PlayError::TooManyPlays { plays_per_user_max });
        }
        if app.rules().is_forbidden(stream) {
            return Err(PlayError::StreamForbidden(stream.clone()));
        }
        let found = self.streams.get_mut(stream);
        let found = found.ok_or_else(|| PlayError::NoStream(stream.clone()))?;
        let transport = match (found.listing, &found.publication) {
            (Listing::Published(_) | Listing::Deleted, Some(publication)) => publication.transport,
            (Listing::NotYet | Listing::Added(_), _) | (_, None) => {
                return Err(PlayError::NoStream(stream.clone()));
            }
        };
        let publisher = transport.peer();
        let publisher = publisher.ok_or_else(|| PlayError::PublisherInterrupted(stream.clone()))?;
        found.players.insert(session);
        let play = Play { peer, state: TransportState::Connecting };
        let own = self.sessions.get_mut(&session).ok_or(PlayError::NoSession(session))?;
        let old = own.plays.insert(stream.clone(), play);
        if let Some(old) = old {
            self.close_peer(old.peer);
        }
        self.peers.insert(peer, PeerRole::Player(session, stream.clone()));
        Ok(publisher)
    }

    /// The client stops playing.
    ///
    /// # Errors
    /// [`StopPlayingError`], each variant as it says.
    pub fn stop_playing(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        stream: &StreamId,
    ) -> Result<(), StopPlayingError> {
        let own = self.touch(now, session).ok_or(StopPlayingError::NoSession(session))?;
        let play = own.plays.remove(stream);
        let play = play.ok_or_else(|| StopPlayingError::NotPlaying(stream.clone()))?;
        self.close_peer(play.peer);
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.players.remove(&session);
        }
        Ok(())
    }

    /// The transport over which a session plays a stream.
    ///
    /// # Errors
    /// [`StopPlayingError`], each variant as it says.
    pub fn playing_peer(
        &self,
        session: SessionId,
        stream: &StreamId,
    ) -> Result<PeerId, StopPlayingError> {
        let own = self.sessions.get(&session).ok_or(StopPlayingError::NoSession(session))?;
        let play = own.plays.get(stream);
        play.map(|play| play.peer).ok_or_else(|| StopPlayingError::NotPlaying(stream.clone()))
    }
}
