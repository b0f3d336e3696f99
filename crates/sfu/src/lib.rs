//! The media plane of one worker: the server's end of WebRTC, and nothing but forwarding. Sans-IO:
//! datagrams, time and seeds come in as arguments, datagrams and events come out by polling.
//!
//! - [`Sfu`]: all peers of a worker. A peer is one publisher (at most one audio and one video
//!   track) or one subscriber of one publisher.
//! - [`SfuConfig`]: certificate, addresses and every limit.
//! - [`Transmit`]: what to send, ready for GSO. [`SfuEvent`]: peers that connected or closed.
//!
//! A packet's way: [`Sfu::handle_datagram`] finds the peer by its source address (`lib.rs`), opens
//! it in place (`peer.rs`), parses it once and keeps its payload in the track's ring
//! (`publisher.rs`, `track.rs`, `ring.rs`). [`Sfu::poll_transmit`] hands it to the subscribers
//! (`fan_out.rs`): `forwarder.rs` decides, `subscriber.rs` writes it into the send arena
//! (`arena.rs`) and protects it there.
//!
//! A batch is whatever the caller hands in between two rounds of polling. Subscribers are the outer
//! loop and packets the inner one, so that one subscriber's packets lie side by side and leave as
//! one GSO send.
//!
//! The invariants: no byte of DTLS or SRTP is looked at unless it comes from an address that an
//! authentic STUN check came from; nothing is sent or forwarded before the certificate that the SDP
//! promised has been seen; a panic while one peer is handled ends that peer alone; nothing
//! allocates per packet once buffers have grown.
//!
//! ```
//! use std::time::Instant;
//! use odeum_sfu::{Sfu, SfuConfig};
//!
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//! let certificate = odeum_sfu::DtlsCertificate::generate().unwrap();
//! let candidates = vec![([127, 0, 0, 1], 7881).into()];
//! let mut sfu = Sfu::new(now, SfuConfig::new(certificate, candidates, [7; 32]));
//!
//! let stranger = std::net::SocketAddr::from(([127, 0, 0, 1], 4000));
//! sfu.handle_datagram(now, stranger, &mut b"not for anybody".to_vec());
//! assert!(sfu.poll_transmit().is_none());
//! assert_eq!(sfu.poll_timeout(), None);
//! ```

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use odeum_rtp::PacketKind;
use odeum_types::PeerId;
use rustc_hash::FxHashMap;
use slab::Slab;

mod admission;
mod answer;
mod arena;
mod config;
mod cut;
mod deal;
mod descriptors;
mod dtls;
mod entropy;
mod event;
mod fan_out;
mod forwarder;
mod frame_facts;
mod gate;
mod header;
mod ice;
mod key_frames;
mod layer_choice;
mod layer_watch;
mod layering;
mod layers;
mod line;
mod linger;
mod outer_address;
mod parameter_sets;
mod peer;
mod publisher;
mod rate;
mod relay;
mod repairs;
mod retransmission_budget;
mod ring;
mod section;
mod selection;
mod send_path;
mod source_clock;
mod source_terms;
mod subscriber;
mod sweep;
#[cfg(test)]
mod tests;
mod track;
mod transport;
mod transport_address;
mod view;
mod wish;

pub use answer::{Answer, OfferError};
pub use arena::{Transmit, Transmits};
pub use config::SfuConfig;
pub use cut::CutTracks;
pub use dtls::{DtlsCertificate, DtlsCertificateError};
pub use event::{CloseReason, MediaFacts, SfuEvent, Statistics};
pub use forwarder::LayerIndex;
pub use layer_choice::VideoWish;
pub use linger::LINGER_MAX;
pub use odeum_rtp::sdp::{IceCredentials, IceUfrag};
pub use relay::{MirrorError, MirrorTerms, Relayed, RelayedKind};
pub use transport::NoTransport;
pub use transport_address::{AddressPair, Protocol, TransportAddress};
pub use wish::{PlayTerms, PlayWish, Priority};

use arena::Arena;
use dtls::DtlsSettings;
use entropy::Entropy;
use fan_out::FanOut;
use line::Lines;
use outer_address::OuterAddresses;
use peer::{Peer, Role};
use relay::RelayQueue;

/// Where a peer lies in the worker's slab.
type PeerKey = usize;

/// The media plane of one worker.
pub struct Sfu {
    /// Settings and limits.
    config: SfuConfig,
    /// Certificate and settings of every handshake.
    dtls: DtlsSettings,
    /// Source of ufrags, passwords, SSRCs and first sequence numbers.
    entropy: Entropy,
    /// The peers; at most `config.peers_max`.
    peers: Slab<Box<Peer>>,
    /// By name.
    by_id: FxHashMap<PeerId, PeerKey>,
    /// By validated address; at most a few per peer.
    by_address: FxHashMap<TransportAddress, PeerKey>,
    /// By our ufrag.
    by_ufrag: FxHashMap<Box<str>, PeerKey>,
    /// What reaches those that play.
    lines: Lines,
    /// Peers whose handshake is not done.
    connecting: Vec<PeerKey>,
    /// Peers that publish.
    publishers: Vec<PeerKey>,
    /// What is to be sent.
    arena: Arena,
    /// Packets that wait to be handed to subscribers.
    fan_out: FanOut,
    /// Packets for mirrors of publishers on other workers.
    relay_queue: RelayQueue,
    /// How STUN servers see the socket.
    outer: OuterAddresses,
    /// What the node is to be told; at most two per peer, and what mirrors ask for.
    events: VecDeque<SfuEvent>,
    /// Counters.
    statistics: Statistics,
    /// When [`Self::handle_timeout`] is next wanted, while there are peers.
    next_sweep: Instant,
    /// Sweeps so far; chooses the slice of subscribers.
    sweeps: usize,
    /// The latest time that was passed in.
    now: Instant,
    /// Makes the next offer panic, to test that it is contained.
    #[cfg(test)]
    panics_at_offer: bool,
}

impl Sfu {
    /// A media plane without peers.
    pub fn new(now: Instant, config: SfuConfig) -> Self {
        Self {
            dtls: DtlsSettings::new(&config.certificate),
            entropy: Entropy::new(&config.seed),
            peers: Slab::new(),
            by_id: FxHashMap::default(),
            by_address: FxHashMap::default(),
            by_ufrag: FxHashMap::default(),
            lines: Lines::default(),
            connecting: Vec::new(),
            publishers: Vec::new(),
            arena: Arena::new(),
            fan_out: FanOut::default(),
            relay_queue: RelayQueue::default(),
            outer: OuterAddresses::new(&config.outer_addresses),
            events: VecDeque::new(),
            statistics: Statistics::default(),
            next_sweep: now,
            sweeps: 0,
            now,
            #[cfg(test)]
            panics_at_offer: false,
            config,
        }
    }

    /// Takes one datagram; its bytes are decrypted in place. Call it for all that arrived together,
    /// then poll.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        source: impl Into<AddressPair>,
        bytes: &mut [u8],
    ) {
        let source = source.into();
        self.now = now;
        self.statistics.datagrams_received += 1;
        let kind = PacketKind::of(bytes);
        match kind {
            PacketKind::Stun => return self.handle_stun(now, source, bytes),
            PacketKind::Unknown => return,
            PacketKind::Dtls | PacketKind::Rtp | PacketKind::Rtcp => {}
        }
        let Some(&key) = self.by_address.get(&source.remote) else {
            self.statistics.unknown_source += 1;
            return;
        };
        self.contained(key, |sfu| match kind {
            PacketKind::Rtp => sfu.handle_rtp(now, key, bytes),
            PacketKind::Rtcp => sfu.handle_rtcp(now, key, bytes),
            PacketKind::Dtls => sfu.handle_dtls(now, key, source, bytes),
            PacketKind::Stun | PacketKind::Unknown => Ok(()),
        });
    }

    /// Whether an authentic check has let this address in, and its peer is still here.
    pub fn knows(&self, address: TransportAddress) -> bool {
        self.by_address.contains_key(&address)
    }

    /// Ends a peer. A publisher's subscribers end with it.
    pub fn close_peer(&mut self, now: Instant, peer: PeerId) {
        self.now = now;
        if let Some(&key) = self.by_id.get(&peer) {
            self.drop_peer(key, CloseReason::Commanded);
        }
    }

    /// The next thing to send. Poll until `None` after every batch and every timeout; only then are
    /// all subscribers served.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        if self.arena.is_empty() {
            self.fan_out();
        }
        self.arena.poll()
    }

    /// Everything that is ready to be sent; for those who can send it in one call. As with
    /// [`Self::poll_transmit`], all subscribers are served once there is nothing.
    pub fn poll_transmits(&mut self) -> Transmits<'_> {
        if self.arena.is_empty() {
            self.fan_out();
        }
        self.arena.drain()
    }

    /// The next event. Poll until `None`.
    pub fn poll_event(&mut self) -> Option<SfuEvent> {
        self.events.pop_front()
    }

    /// The counters.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Runs `handle` for one peer. Whatever it breaks by panicking ends with that peer.
    fn contained<F>(&mut self, key: PeerKey, handle: F)
    where
        F: FnOnce(&mut Self) -> Result<(), CloseReason>,
    {
        let mark = self.arena.mark();
        match catch_unwind(AssertUnwindSafe(|| handle(self))) {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => self.drop_peer(key, reason),
            Err(_) => {
                self.arena.rewind(mark);
                self.statistics.panics += 1;
                self.drop_peer(key, CloseReason::Panicked);
            }
        }
    }

    fn handle_rtp(
        &mut self,
        now: Instant,
        key: PeerKey,
        bytes: &mut [u8],
    ) -> Result<(), CloseReason> {
        let peer = &mut self.peers[key];
        let Some(plain) = peer.open_rtp(now, bytes, &mut self.statistics) else { return Ok(()) };
        let Role::Publisher(publisher) = &mut peer.role else { return Ok(()) };
        let arrival = publisher.handle_rtp(now, plain, &mut self.statistics);
        if publisher.is_relayed {
            let id = peer.id;
            self.relay(id, RelayedKind::Rtp, plain);
        }
        self.arrived(key, arrival);
        Ok(())
    }

    fn handle_rtcp(
        &mut self,
        now: Instant,
        key: PeerKey,
        bytes: &mut [u8],
    ) -> Result<(), CloseReason> {
        let peer = &mut self.peers[key];
        let Some(plain) = peer.open_rtcp(now, bytes, &mut self.statistics) else { return Ok(()) };
        match &mut peer.role {
            Role::Publisher(publisher) => {
                publisher.handle_rtcp(now, plain);
                if publisher.is_relayed {
                    let id = peer.id;
                    self.relay(id, RelayedKind::Rtcp, plain);
                }
                Ok(())
            }
            Role::Subscriber(subscriber) => {
                let publisher = subscriber.publisher;
                self.handle_viewer_rtcp(now, key, publisher, plain);
                Ok(())
            }
        }
    }

    /// Ends a peer and everything that hangs on it.
    fn drop_peer(&mut self, key: PeerKey, reason: CloseReason) {
        let Some(mut peer) = self.peers.try_remove(key) else { return };
        self.by_id.remove(&peer.id);
        self.close_transport(key, &mut peer, reason);
        self.events.push_back(SfuEvent::Closed { peer: peer.id, reason });
        self.statistics.peers = self.peers.len() as u64;
        match &peer.role {
            Role::Publisher(publisher) => {
                self.publishers.retain(|other| *other != key);
                self.fan_out.remove(key);
                for viewer in publisher.viewers() {
                    self.drop_peer(*viewer, CloseReason::PublisherGone);
                }
            }
            Role::Subscriber(subscriber) => {
                let flow = peer.transport.as_ref().and_then(|transport| transport.flow.as_ref());
                if let (Some(line), Some(flow)) = (subscriber.line, flow) {
                    self.lines.leave(line, key, flow);
                }
                if let Some(other) = self.peers.get_mut(subscriber.publisher)
                    && let Role::Publisher(publisher) = &mut other.role
                    && let Some(at) = publisher.remove_viewer(key)
                {
                    self.fan_out.viewer_removed(subscriber.publisher, at);
                }
            }
        }
    }
}

/// Writes whole datagrams to `destination` into the arena; counts what finds no room.
fn sender<'a>(
    arena: &'a mut Arena,
    statistics: &'a mut Statistics,
    destination: AddressPair,
) -> impl FnMut(&[u8]) + 'a {
    move |datagram| match arena.room(datagram.len()) {
        Ok(room) => {
            room.copy_from_slice(datagram);
            arena.commit(destination, datagram.len());
        }
        Err(_) => statistics.dropped_queue_full += 1,
    }
}
