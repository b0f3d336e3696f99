//! What the media plane reports of its transports.

use odeum_types::{Codec, LayerSet, PeerId, SessionId, StreamId, UnixMillis};

use crate::event::{EventKind, Recreate};
use crate::notice::{Notice, PlayEndReason, PlayState, PublishState};
use crate::room::{PeerRole, Room};
use crate::snapshot::TransportState;
use crate::stream::{Listing, PublisherTransport};

/// What a publisher's transport carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaFacts {
    /// The audio codec, if there is audio.
    pub audio: Option<Codec>,
    /// The video codec, if there is video.
    pub video: Option<Codec>,
}

/// Why a transport ended without the room asking for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaCloseReason {
    /// It failed to connect, or was lost.
    Lost,
    /// A player's transport, because the publisher's ended. The room has mostly told the player by
    /// then.
    PublisherGone,
}

impl Room {
    /// A transport carries media. A publication comes into the list now, with its event; publisher
    /// or player is told. Of a transport that the room has given up: nothing happens.
    pub fn media_connected(&mut self, now: UnixMillis, peer: PeerId, facts: MediaFacts) {
        match self.peers.get(&peer).cloned() {
            None => {}
            Some(PeerRole::Publisher(stream)) => self.publisher_connected(now, stream, facts),
            Some(PeerRole::Player(session, stream)) => self.player_connected(session, stream),
        }
    }

    /// A transport is gone. A play ends with it, and the player is told. A publication whose stream
    /// is in the list waits for another transport, [`crate::RoomConfig::media_grace`] long, before
    /// it ends (stream_close 4) and the publisher is told; another one ends now. Of a transport
    /// that the room has given up: nothing happens.
    pub fn media_closed(&mut self, now: UnixMillis, peer: PeerId, reason: MediaCloseReason) {
        match self.peers.remove(&peer) {
            None => {}
            Some(PeerRole::Publisher(stream)) => self.publisher_lost(now, &stream),
            Some(PeerRole::Player(session, stream)) => self.player_lost(session, stream, reason),
        }
    }

    /// The media plane needs no other layers of a publisher's video than these: it is told. Of a
    /// transport that the room has given up: nothing happens.
    pub fn layers_wanted(&mut self, peer: PeerId, layers: LayerSet) {
        let Some(PeerRole::Publisher(stream)) = self.peers.get(&peer).cloned() else { return };
        let publication = self.streams.get(&stream).and_then(|own| own.publication.as_ref());
        let Some(publisher) = publication.map(|publication| publication.session) else { return };
        self.tell(publisher, Notice::LayersWanted { stream, layers });
    }

    fn publisher_connected(&mut self, now: UnixMillis, id: StreamId, facts: MediaFacts) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(publication) = &mut stream.publication else { return };
        let PublisherTransport::Connecting(peer) = publication.transport else { return };
        publication.transport = PublisherTransport::Connected(peer);
        let publisher = publication.session;
        let recreate = match stream.listing {
            Listing::NotYet => {
                let place = self.next_place(now);
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.listing = Listing::Published(place);
                }
                self.list(&id, place.number);
                Some(Recreate::New)
            }
            Listing::Added(place) => {
                stream.listing = Listing::Published(place);
                self.added.remove(&(stream.user.clone(), place.number));
                Some(Recreate::New)
            }
            Listing::Published(_) => Some(Recreate::Again),
            Listing::Deleted => None,
        };
        if let Some(recreate) = recreate {
            self.stream_created(now, &id, facts.video, recreate);
        }
        let state = PublishState::Publishing;
        self.tell(publisher, Notice::PublisherState { stream: id, state });
    }

    fn stream_created(
        &mut self,
        now: UnixMillis,
        id: &StreamId,
        video: Option<Codec>,
        recreate: Recreate,
    ) {
        let Some(entry) = self.streams.get(id).and_then(|stream| stream.entry(id)) else { return };
        let stream = self.stream_facts(&entry);
        self.event(now, EventKind::StreamCreate { stream, video, recreate });
    }

    fn player_connected(&mut self, session: SessionId, stream: StreamId) {
        let plays = self.sessions.get_mut(&session).map(|session| &mut session.plays);
        let Some(play) = plays.and_then(|plays| plays.get_mut(&stream)) else { return };
        if play.state == TransportState::Connected {
            return;
        }
        play.state = TransportState::Connected;
        self.tell(session, Notice::PlayerState { stream, state: PlayState::Playing });
    }

    fn player_lost(&mut self, session: SessionId, stream: StreamId, reason: MediaCloseReason) {
        let Some(own) = self.sessions.get_mut(&session) else { return };
        if own.plays.remove(&stream).is_none() {
            return;
        }
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.players.remove(&session);
        }
        let reason = match reason {
            MediaCloseReason::Lost => PlayEndReason::MediaLost,
            MediaCloseReason::PublisherGone => PlayEndReason::PublisherGone,
        };
        let state = PlayState::Ended(reason);
        self.tell(session, Notice::PlayerState { stream, state });
    }
}
