//! The transports of rooms: asked for when a publication or play begins, and what the media plane
//! reports of them.

use std::time::Duration;

use odeum_room::{MediaCloseReason, MediaFacts};
use odeum_sfu::CloseReason as PeerCloseReason;
use odeum_types::{PeerId, SessionId};

use crate::error::CommandError;
use crate::mailbox::RoomKey;
use crate::media_handle::{CreatePeer, WorkerNumber};
use crate::peer_notice::{PeerChange, PeerNotice, PeerRole};
use crate::placement::{Candidate, choose};
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
        let worker = self.place(key, owner.session);
        if let Some(entry) = self.rooms.get_mut(key) {
            entry.peers.insert(peer, worker);
        }
        if self.shared.media(worker).create(create).is_err() {
            count(&self.shared.counters.media_refusals);
            self.handle_peer_notice(PeerNotice { owner, peer, change: PeerChange::OfferRefused });
            return Err(CommandError::Overloaded);
        }
        Ok(())
    }

    /// How long the video packets of a stream that begins in the room now may wait for more.
    pub(crate) fn linger(&self, key: &RoomKey) -> Duration {
        self.rooms.get(key).map_or(Duration::ZERO, |entry| entry.app.linger())
    }

    /// The worker that a transport of the room is on; its own one for a transport that is gone.
    pub(crate) fn worker_of(&self, key: &RoomKey, peer: PeerId) -> WorkerNumber {
        let worker = self.rooms.get(key).and_then(|entry| entry.peers.worker_of(peer));
        worker.unwrap_or_else(|| self.shared.home_of(key))
    }

    /// Chooses the worker of a session's transports, once.
    fn place(&mut self, key: &RoomKey, session: SessionId) -> WorkerNumber {
        let shared = &self.shared;
        let home = shared.home_of(key);
        let Some(entry) = self.rooms.get_mut(key) else { return home };
        let Some(route) = entry.sessions.get_mut(&session) else { return home };
        if let Some(worker) = route.media.filter(|worker| shared.media(*worker).is_alive()) {
            return worker;
        }
        let candidate = |worker: WorkerNumber| Candidate {
            worker,
            load: shared.media(worker).load(),
            transports: entry.peers.count_on(worker),
            is_alive: shared.media(worker).is_alive(),
        };
        let others = (0..shared.media.len()).map(WorkerNumber).filter(|worker| *worker != home);
        let worker = choose(candidate(home), others.map(candidate), shared.room_peers_per_worker);
        route.media = Some(worker);
        worker
    }

    /// Tells a room what became of one of its transports.
    pub(crate) fn handle_peer_notice(&mut self, notice: PeerNotice) {
        let PeerNotice { owner, peer, change } = notice;
        let key = (owner.app, owner.room);
        let is_ours =
            self.rooms.get(&key).is_some_and(|entry| entry.peers.worker_of(peer).is_some());
        if !is_ours {
            // The room gave it up meanwhile.
            return;
        }
        match change {
            PeerChange::Connected(facts) => {
                let facts = MediaFacts { audio: facts.audio, video: facts.video };
                self.run_on(&key, |now, room, _| room.media_connected(now, peer, facts));
            }
            PeerChange::LayersWanted(layers) => {
                self.run_on(&key, |_, room, _| room.layers_wanted(peer, layers));
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
            entry.peers.remove(peer);
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
        | PeerCloseReason::Panicked
        // Of a mirror, which no room knows.
        | PeerCloseReason::Unwatched => MediaCloseReason::Lost,
    }
}
