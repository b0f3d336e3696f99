//! What a media worker has to do with the others: streams of its own that it gives to them, and
//! streams of theirs that it mirrors for its viewers. Agreements go through the workers' queues,
//! which lose nothing; media goes through rings, which may.
//!
//! A viewer's offer that finds no mirror waits here until the publisher's worker has told the
//! terms. A mirror that nobody watches ends by itself, and its publisher's worker is told.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Instant;

use odeum_sfu::{LayerIndex, MirrorTerms, OfferError, Relayed, Sfu};
use odeum_types::PeerId;
use rustc_hash::FxHashMap;

use crate::media_handle::{MediaHandle, MediaRequest, QueuedOffer, WorkerNumber};
use crate::relay_ring::{RelayReceiver, RelaySender, relay_ring};
use crate::statistics::RelayStatistics;

/// What one worker asks of another or tells it about a publisher.
pub(crate) enum MirrorRequest {
    /// `from` wants to mirror it.
    Begin {
        /// Who asks.
        from: WorkerNumber,
    },
    /// The answer.
    Terms {
        /// What a mirror has to know; none when it does not publish here.
        terms: Option<MirrorTerms>,
        /// Where its packets come from, when there was no ring between the two yet.
        ring: Option<(WorkerNumber, RelayReceiver)>,
    },
    /// `from` has no mirror of it any more.
    End {
        /// Who has ended it.
        from: WorkerNumber,
    },
    /// It is gone.
    Gone,
    /// Viewers of a mirror need a key frame of this layer.
    KeyFrame(LayerIndex),
}

/// A stream of another worker.
enum Mirror {
    /// Its worker was asked for the terms; these viewers wait for them, bounded as all offers are.
    Asked(WorkerNumber, Vec<QueuedOffer>),
    /// It is in the sfu.
    Present(WorkerNumber),
}

/// A worker's side of all that.
pub(crate) struct Mirrors {
    /// Which worker this is.
    own: WorkerNumber,
    /// All workers, by number.
    workers: Arc<[MediaHandle]>,
    /// Who mirrors a publisher of this worker.
    given: FxHashMap<PeerId, Vec<WorkerNumber>>,
    /// Mirrors on this worker.
    taken: FxHashMap<PeerId, Mirror>,
    /// The rings to other workers, by number; made when first needed.
    senders: Vec<Option<RelaySender>>,
    /// The rings from other workers, by number.
    receivers: Vec<Option<RelayReceiver>>,
    /// Whose ring is looked at first, the next time.
    next_receiver: usize,
    /// Workers that have packets in their ring and were not woken yet.
    to_wake: Vec<WorkerNumber>,
    /// What was counted.
    statistics: RelayStatistics,
}

impl Mirrors {
    /// Nothing given, nothing taken.
    pub(crate) fn new(own: WorkerNumber, workers: Arc<[MediaHandle]>) -> Self {
        Self {
            own,
            given: FxHashMap::default(),
            taken: FxHashMap::default(),
            senders: workers.iter().map(|_| None).collect(),
            receivers: workers.iter().map(|_| None).collect(),
            next_receiver: 0,
            to_wake: Vec::new(),
            statistics: RelayStatistics::default(),
            workers,
        }
    }

    /// Gives the offer back when its publisher, or a mirror of it, is here; else keeps it until
    /// [`Mirrors::take_terms`].
    pub(crate) fn admit(
        &mut self,
        publisher: PeerId,
        home: WorkerNumber,
        offer: QueuedOffer,
    ) -> Option<QueuedOffer> {
        if home == self.own {
            return Some(offer);
        }
        match self.taken.entry(publisher) {
            Entry::Occupied(mut mirror) => match mirror.get_mut() {
                Mirror::Present(_) => Some(offer),
                Mirror::Asked(_, waiting) => {
                    waiting.push(offer);
                    None
                }
            },
            Entry::Vacant(vacant) => {
                vacant.insert(Mirror::Asked(home, vec![offer]));
                self.tell(home, publisher, MirrorRequest::Begin { from: self.own });
                None
            }
        }
    }

    /// Takes an offer that waits out again, if there is one for this transport.
    pub(crate) fn withdraw(&mut self, peer: PeerId) -> Option<QueuedOffer> {
        self.taken.values_mut().find_map(|mirror| match mirror {
            Mirror::Asked(_, waiting) => {
                let at = waiting.iter().position(|offer| offer.create.peer == peer)?;
                Some(waiting.swap_remove(at))
            }
            Mirror::Present(_) => None,
        })
    }

    /// Answers a worker that wants to mirror a publisher.
    pub(crate) fn begin(&mut self, sfu: &mut Sfu, publisher: PeerId, from: WorkerNumber) {
        let terms = sfu.begin_relay(publisher);
        let mut ring = None;
        if terms.is_some() {
            let given = self.given.entry(publisher).or_default();
            if !given.contains(&from) {
                given.push(from);
            }
            if self.senders[from.0].is_none() {
                let (sender, receiver) = relay_ring();
                self.senders[from.0] = Some(sender);
                ring = Some((self.own, receiver));
            }
        }
        self.tell(from, publisher, MirrorRequest::Terms { terms, ring });
    }

    /// Takes the answer; gives the offers that waited for it, and why they are refused if they are.
    pub(crate) fn take_terms(
        &mut self,
        sfu: &mut Sfu,
        now: Instant,
        publisher: PeerId,
        terms: Option<MirrorTerms>,
        ring: Option<(WorkerNumber, RelayReceiver)>,
    ) -> (Vec<QueuedOffer>, Result<(), OfferError>) {
        if let Some((home, receiver)) = ring {
            self.receivers[home.0] = Some(receiver);
        }
        // Without anybody waiting this worker has begun anew meanwhile, and has said so.
        let Some(Mirror::Asked(home, waiting)) = self.taken.remove(&publisher) else {
            return (Vec::new(), Ok(()));
        };
        let no_publisher = OfferError::NoPublisher { publisher };
        let Some(terms) = terms else { return (waiting, Err(no_publisher)) };
        match sfu.create_mirror(now, publisher, &terms) {
            Ok(()) => {
                self.taken.insert(publisher, Mirror::Present(home));
                (waiting, Ok(()))
            }
            Err(error) => {
                self.tell(home, publisher, MirrorRequest::End { from: self.own });
                tracing::warn!(%publisher, %error, "a stream of another worker cannot be mirrored");
                (waiting, Err(no_publisher))
            }
        }
    }

    /// `from` mirrors it no more.
    pub(crate) fn end(&mut self, sfu: &mut Sfu, publisher: PeerId, from: WorkerNumber) {
        let Entry::Occupied(mut given) = self.given.entry(publisher) else { return };
        given.get_mut().retain(|other| *other != from);
        if given.get().is_empty() {
            given.remove();
            sfu.end_relay(publisher);
        }
    }

    /// A peer of this worker has ended: tells whom it concerns elsewhere.
    pub(crate) fn peer_closed(&mut self, peer: PeerId) {
        for worker in self.given.remove(&peer).unwrap_or_default() {
            self.tell(worker, peer, MirrorRequest::Gone);
        }
        if let Some(Mirror::Present(home)) = self.taken.get(&peer) {
            let home = *home;
            self.taken.remove(&peer);
            self.tell(home, peer, MirrorRequest::End { from: self.own });
        }
    }

    /// The worker has lost all its peers. Offers that wait go with them: their rooms are told.
    pub(crate) fn all_lost(&mut self) {
        for (publisher, workers) in std::mem::take(&mut self.given) {
            for worker in workers {
                self.tell(worker, publisher, MirrorRequest::Gone);
            }
        }
        for (publisher, mirror) in std::mem::take(&mut self.taken) {
            let (Mirror::Asked(home, _) | Mirror::Present(home)) = mirror;
            self.tell(home, publisher, MirrorRequest::End { from: self.own });
        }
    }

    /// Passes a mirror's wish on.
    pub(crate) fn ask_for_key_frame(&self, publisher: PeerId, layer: LayerIndex) {
        if let Some(Mirror::Present(home)) = self.taken.get(&publisher) {
            self.tell(*home, publisher, MirrorRequest::KeyFrame(layer));
        }
    }

    /// Puts what the sfu has for others into their rings.
    pub(crate) fn send(&mut self, sfu: &mut Sfu) {
        while let Some(relayed) = sfu.poll_relayed() {
            self.put(relayed);
        }
        for worker in self.to_wake.drain(..) {
            self.workers[worker.0].waker.wake();
        }
    }

    /// Puts one packet into the ring to everybody who mirrors its publisher. A worker that is
    /// behind loses it, and nobody waits for that one.
    fn put(&mut self, relayed: Relayed<'_>) {
        for worker in self.given.get(&relayed.publisher).into_iter().flatten() {
            let Some(sender) = &mut self.senders[worker.0] else { continue };
            match sender.send(relayed) {
                Ok(()) => self.statistics.packets_sent += 1,
                Err(_) => self.statistics.dropped_ring_full += 1,
            }
            if !self.to_wake.contains(worker) {
                self.to_wake.push(*worker);
            }
        }
    }

    /// The next ring with something in it: each in turn, so that a worker that sends much does not
    /// hold up the others.
    pub(crate) fn receiver(&mut self) -> Option<&mut RelayReceiver> {
        let workers = self.receivers.len();
        let has_packets =
            |at: &usize| self.receivers[*at].as_ref().is_some_and(|ring| !ring.is_empty());
        let at =
            (0..workers).map(|step| (self.next_receiver + step) % workers).find(has_packets)?;
        self.next_receiver = (at + 1) % workers;
        self.receivers[at].as_mut()
    }

    /// What was counted.
    pub(crate) fn statistics(&self) -> RelayStatistics {
        self.statistics
    }

    fn tell(&self, worker: WorkerNumber, publisher: PeerId, request: MirrorRequest) {
        // A worker that is gone has no transports, and nobody waits for it: its rooms know.
        self.workers[worker.0].send(MediaRequest::Mirror(publisher, request)).unwrap_or(());
    }
}

/// Carries packets of one ring to the sfu, at most `packets_max`; gives how many.
pub(crate) fn receive(
    receiver: &mut RelayReceiver,
    packets_max: usize,
    mut handle: impl FnMut(Relayed<'_>),
) -> usize {
    for count in 0..packets_max {
        let Some(relayed) = receiver.receive() else { return count };
        handle(relayed);
    }
    packets_max
}

#[cfg(test)]
mod tests;
