//! The transports of rooms: asked for when a publication or play begins, and what the media plane
//! reports of them.

use odeum_room::{MediaCloseReason, MediaFacts};
use odeum_sfu::CloseReason as PeerCloseReason;
use odeum_types::PeerId;

use crate::error::CommandError;
use crate::mailbox::RoomKey;
use crate::media_handle::CreatePeer;
use crate::peer_notice::{PeerChange, PeerNotice, PeerRole};
use crate::room_worker::RoomWorker;
use crate::statistics::count;

impl RoomWorker {
    /// Asks the media plane for the transport of a publication or play that the room has just
    /// begun. This worker alone asks for and ends the transports of its rooms, so that an end
    /// never overtakes its beginning.
    ///
    /// # Errors
    /// [`CommandError::Overloaded`]; the room has been told that nothing came of it.
    pub(crate) fn create_peer(
        &mut self,
        key: &RoomKey,
        create: CreatePeer,
    ) -> Result<(), CommandError> {
        let (owner, peer) = (create.owner.clone(), create.peer);
        if let Some(entry) = self.rooms.get_mut(key) {
            entry.peers.insert(peer);
        }
        if self.media(key).create(create).is_err() {
            count(&self.shared.counters.media_refusals);
            self.handle_peer_notice(PeerNotice { owner, peer, change: PeerChange::OfferRefused });
            return Err(CommandError::Overloaded);
        }
        Ok(())
    }

    /// Tells a room what became of one of its transports.
    pub(crate) fn handle_peer_notice(&mut self, notice: PeerNotice) {
        let PeerNotice { owner, peer, change } = notice;
        let key = (owner.app, owner.room);
        let is_ours = self.rooms.get(&key).is_some_and(|entry| entry.peers.contains(&peer));
        if !is_ours {
            // The room gave it up meanwhile.
            return;
        }
        match change {
            PeerChange::Connected(facts) => {
                let facts = MediaFacts { audio: facts.audio, video: facts.video };
                self.run_on(&key, |now, room, _| room.media_connected(now, peer, facts));
            }
            PeerChange::OfferRefused => {
                self.disown_peer(&key, peer);
                // Its client gets the refusal as the reply to its offer; to the room it just
                // stopped.
                self.run_on(&key, |now, room, _| match owner.role {
                    PeerRole::Publisher => {
                        drop(room.stop_publishing(now, owner.session, &owner.stream));
                    }
                    PeerRole::Player => {
                        drop(room.stop_playing(now, owner.session, &owner.stream));
                    }
                });
            }
            PeerChange::Closed(reason) => {
                self.disown_peer(&key, peer);
                tracing::info!(
                    app = %key.0, room = %key.1, stream = %owner.stream, %peer, ?reason,
                    "a media transport ended",
                );
                let reason = room_reason(reason);
                self.run_on(&key, |now, room, _| room.media_closed(now, peer, reason));
            }
            PeerChange::Lost => {
                self.disown_peer(&key, peer);
                self.run_on(&key, |now, room, _| {
                    room.media_closed(now, peer, MediaCloseReason::Lost);
                });
            }
        }
    }

    fn disown_peer(&mut self, key: &RoomKey, peer: PeerId) {
        if let Some(entry) = self.rooms.get_mut(key) {
            entry.peers.remove(&peer);
        }
    }
}

fn room_reason(reason: PeerCloseReason) -> MediaCloseReason {
    match reason {
        PeerCloseReason::PublisherGone => MediaCloseReason::PublisherGone,
        PeerCloseReason::Commanded
        | PeerCloseReason::ConnectTimeout
        | PeerCloseReason::Silence
        | PeerCloseReason::RemoteClosed
        | PeerCloseReason::FingerprintMismatch
        | PeerCloseReason::HandshakeFailed
        | PeerCloseReason::Panicked => MediaCloseReason::Lost,
    }
}
