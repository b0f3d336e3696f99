//! A stream on more than one worker: what its publisher sends crosses to each other worker once, by
//! value, and there a mirror takes it as if it had come from the client.
//!
//! At home, [`Sfu::begin_relay`] gives what a mirror has to know, and from then on
//! [`Sfu::poll_relayed`] gives each plain packet of that publisher. Elsewhere,
//! [`Sfu::create_mirror`] makes a publisher without a transport under the same id, and
//! [`Sfu::handle_relayed`] feeds it. Viewers are served from its ring as from any other. Losses are
//! asked for at home alone; a mirror that needs a key frame says so by
//! [`SfuEvent::KeyFrameWanted`]. It ends with [`Sfu::close_peer`], or by itself once nobody
//! watches.

use std::time::{Duration, Instant};

use odeum_types::PeerId;

use crate::config::RELAY_BYTES_MAX;
use crate::cut::CutTracks;
use crate::event::{CloseReason, MediaFacts, SfuEvent};
use crate::forwarder::LayerIndex;
use crate::key_frames::Asked;
use crate::peer::{Peer, Role};
use crate::publisher::Publisher;
use crate::source_terms::SourceTerms;
use crate::track::{Track, TrackKind};
use crate::{PeerKey, Sfu};

/// What another worker has to know of a publisher to mirror it.
#[derive(Debug, Clone)]
pub struct MirrorTerms {
    /// The codecs.
    facts: MediaFacts,
    /// What was negotiated for each track.
    tracks: Vec<(TrackKind, SourceTerms)>,
    /// What does not go on.
    cut: CutTracks,
    /// How long the packets of a video frame may wait for the rest of it.
    linger: Duration,
}

/// What a relayed packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayedKind {
    /// One RTP packet.
    Rtp,
    /// One compound RTCP packet.
    Rtcp,
}

/// A plain packet for the mirrors of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relayed<'a> {
    /// Whose packet it is.
    pub publisher: PeerId,
    /// What it is.
    pub kind: RelayedKind,
    /// Its bytes, as the client sent them before it encrypted them.
    pub bytes: &'a [u8],
}

/// Why a publisher cannot be mirrored here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// The id is in use: the publisher or a mirror of it is here.
    #[error("peer {peer} exists already")]
    PeerExists {
        /// The id.
        peer: PeerId,
    },
    /// The worker has as many peers as it may.
    #[error("the worker has {peers_max} peers already")]
    PeersMax {
        /// The limit.
        peers_max: usize,
    },
}

/// Packets that wait for [`Sfu::poll_relayed`].
#[derive(Default)]
pub(crate) struct RelayQueue {
    /// Of all of them, one after another; at most [`RELAY_BYTES_MAX`].
    bytes: Vec<u8>,
    /// Whose they are, what, and how long.
    records: Vec<(PeerId, RelayedKind, usize)>,
    /// Records that were given out already.
    taken: usize,
    /// Bytes that were given out already.
    taken_bytes: usize,
}

impl RelayQueue {
    /// False when it is full: the packet is lost to the mirrors.
    fn push(&mut self, publisher: PeerId, kind: RelayedKind, bytes: &[u8]) -> bool {
        if self.bytes.len() + bytes.len() > RELAY_BYTES_MAX {
            return false;
        }
        self.bytes.extend_from_slice(bytes);
        self.records.push((publisher, kind, bytes.len()));
        true
    }

    fn poll(&mut self) -> Option<Relayed<'_>> {
        let Some(&(publisher, kind, length)) = self.records.get(self.taken) else {
            self.bytes.clear();
            self.records.clear();
            (self.taken, self.taken_bytes) = (0, 0);
            return None;
        };
        let begin = self.taken_bytes;
        self.taken += 1;
        self.taken_bytes += length;
        Some(Relayed { publisher, kind, bytes: &self.bytes[begin..begin + length] })
    }
}

impl Sfu {
    /// From now on the packets of `publisher` come out of [`Self::poll_relayed`]. None when it does
    /// not publish here.
    pub fn begin_relay(&mut self, publisher: PeerId) -> Option<MirrorTerms> {
        let peer = self.peers.get_mut(*self.by_id.get(&publisher)?)?;
        let is_mirror = peer.is_mirror();
        let Role::Publisher(source) = &mut peer.role else { return None };
        if is_mirror {
            return None;
        }
        source.is_relayed = true;
        let (tracks, cut, linger) = (source.terms(), source.cut(), source.linger);
        Some(MirrorTerms { facts: peer.facts, tracks, cut, linger })
    }

    /// Ends what [`Self::begin_relay`] began. Of a peer that is gone: nothing happens.
    pub fn end_relay(&mut self, publisher: PeerId) {
        let peer = self.by_id.get(&publisher).and_then(|key| self.peers.get_mut(*key));
        if let Some(Role::Publisher(source)) = peer.map(|peer| &mut peer.role) {
            source.is_relayed = false;
        }
    }

    /// The next packet for mirrors elsewhere. Poll until `None` after every batch.
    pub fn poll_relayed(&mut self) -> Option<Relayed<'_>> {
        self.relay_queue.poll()
    }

    /// Makes a mirror of a publisher of another worker, under its id.
    ///
    /// # Errors
    /// See [`MirrorError`].
    pub fn create_mirror(
        &mut self,
        now: Instant,
        publisher: PeerId,
        terms: &MirrorTerms,
    ) -> Result<(), MirrorError> {
        self.now = now;
        if self.by_id.contains_key(&publisher) {
            return Err(MirrorError::PeerExists { peer: publisher });
        }
        let peers_max = self.config.peers_max;
        if self.peers.len() >= peers_max {
            return Err(MirrorError::PeersMax { peers_max });
        }
        let mut mirror = Publisher::new(now, self.entropy.number());
        for (kind, source) in &terms.tracks {
            mirror.add_layer(*kind, Track::new(source.mirrored(), self.ring_size(*kind)));
        }
        mirror.set_cut(terms.cut);
        mirror.linger = terms.linger;
        let key = self.peers.insert(Box::new(Peer {
            id: publisher,
            facts: terms.facts,
            transport: None,
            heard: now,
            role: Role::Publisher(Box::new(mirror)),
            #[cfg(test)]
            panics_next: false,
        }));
        if self.peers.len() == 1 {
            self.next_sweep = now;
        }
        self.statistics.peers = self.peers.len() as u64;
        self.by_id.insert(publisher, key);
        self.publishers.push(key);
        Ok(())
    }

    /// Takes a packet that another worker relayed; call it for all that arrived together, then
    /// poll. One whose mirror is gone is ignored.
    pub fn handle_relayed(&mut self, now: Instant, relayed: Relayed<'_>) {
        self.now = now;
        let Some(&key) = self.by_id.get(&relayed.publisher) else { return };
        if !self.peers[key].is_mirror() {
            return;
        }
        self.contained(key, |sfu| {
            #[cfg(test)]
            assert!(!sfu.peers[key].panics_next, "injected");
            let Role::Publisher(mirror) = &mut sfu.peers[key].role else { return Ok(()) };
            match relayed.kind {
                RelayedKind::Rtp => {
                    sfu.statistics.rtp_mirrored += 1;
                    let arrival = mirror.handle_rtp(now, relayed.bytes, &mut sfu.statistics);
                    sfu.arrived(key, arrival);
                }
                RelayedKind::Rtcp => mirror.handle_rtcp(now, relayed.bytes),
            }
            Ok(())
        });
    }

    /// A mirror of `publisher` wants a key frame of a layer of its video.
    pub fn want_key_frame(&mut self, now: Instant, publisher: PeerId, layer: LayerIndex) {
        self.now = now;
        if let Some(&key) = self.by_id.get(&publisher) {
            self.contained(key, |sfu| {
                // The mirror has kept the distance that loss asks for.
                sfu.ask_for_key_frame(now, key, Some(layer), Asked::ByJoining);
                Ok(())
            });
        }
    }

    /// Puts a packet that a publisher sent into the queue for its mirrors.
    pub(crate) fn relay(&mut self, publisher: PeerId, kind: RelayedKind, bytes: &[u8]) {
        match self.relay_queue.push(publisher, kind, bytes) {
            true => self.statistics.relayed += 1,
            false => self.statistics.dropped_queue_full += 1,
        }
    }

    /// What a mirror needs from time to time: a key frame from home, or its end.
    pub(crate) fn sweep_mirror(&mut self, now: Instant, key: PeerKey) -> Result<(), CloseReason> {
        let Role::Publisher(mirror) = &self.peers[key].role else { return Ok(()) };
        if mirror.viewers().is_empty() {
            return Err(CloseReason::Unwatched);
        }
        self.ask_home_for_key_frames(now, key);
        Ok(())
    }

    /// Asks the worker where the client is, if key frames are wanted and the interval allows.
    pub(crate) fn ask_home_for_key_frames(&mut self, now: Instant, key: PeerKey) {
        let peer = &mut self.peers[key];
        let publisher = peer.id;
        let Role::Publisher(mirror) = &mut peer.role else { return };
        for layer in mirror.take_key_frame_requests(now, self.config.key_frame_interval) {
            self.events.push_back(SfuEvent::KeyFrameWanted { publisher, layer });
        }
    }
}
