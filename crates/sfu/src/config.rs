//! What a media worker is told at start, and every limit of it with what happens when it is hit.

use std::net::SocketAddr;
use std::time::Duration;

use odeum_bwe::EstimatorConfig;

use crate::DtlsCertificate;

/// Settings of one [`crate::Sfu`].
#[derive(Clone)]
pub struct SfuConfig {
    /// The certificate that every peer is met with; its fingerprint goes into the answers.
    pub certificate: DtlsCertificate,
    /// Addresses announced as host candidates, the preferred one first. At least one.
    pub candidates: Vec<SocketAddr>,
    /// Addresses announced as host candidates of passive TCP (RFC 6544), the preferred one first.
    /// Default none.
    pub tcp_candidates: Vec<SocketAddr>,
    /// How STUN servers have seen the media socket before, at most one address of each IP version;
    /// announced until they say otherwise. Default none.
    pub outer_addresses: Vec<SocketAddr>,
    /// Where the secrets of ICE come from: 256 bits from the system's generator.
    pub seed: [u8; 32],
    /// Peers of this worker. One more is refused with [`crate::OfferError::PeersMax`]. Default
    /// 4,000: a viewer holds about 12 KB (`tests/memory.rs`).
    pub peers_max: usize,
    /// Subscribers of one publisher. One more is refused with
    /// [`crate::OfferError::SubscribersMax`]. Default 4,000.
    pub subscribers_per_publisher_max: usize,
    /// Packets that a video track's ring keeps for retransmission, a power of two. Default 1,024:
    /// four seconds of 2.4 Mbit/s. An older packet is overwritten.
    pub video_ring_packets: usize,
    /// Bytes of the same. Default 1 MiB. Whichever limit comes first overwrites.
    pub video_ring_bytes: usize,
    /// Packets that an audio track's ring keeps, a power of two. Default 64: 1.3 seconds of Opus.
    pub audio_ring_packets: usize,
    /// Bytes of the same. Default 32 KiB.
    pub audio_ring_bytes: usize,
    /// From the answer to DTLS done; then the peer is closed. Default 15 s.
    pub connect_timeout: Duration,
    /// Without an authenticated packet for so long the peer is closed (consent, RFC 7675 §5.1).
    /// Default 30 s.
    pub silence_timeout: Duration,
    /// Least time between two key frame requests to one track. Default 500 ms: less costs the
    /// publisher's bandwidth, more makes late joiners wait.
    pub key_frame_interval: Duration,
    /// How the bandwidth to each viewer is estimated.
    pub bandwidth: EstimatorConfig,
    /// Packets that one subscriber may be sent again per second; NACKs beyond are ignored. Default
    /// 500, with a burst of a fifth.
    pub retransmissions_per_second_max: u32,
}

impl SfuConfig {
    /// The defaults, with what has none.
    pub fn new(certificate: DtlsCertificate, candidates: Vec<SocketAddr>, seed: [u8; 32]) -> Self {
        Self {
            certificate,
            candidates,
            tcp_candidates: Vec::new(),
            outer_addresses: Vec::new(),
            seed,
            peers_max: 4_000,
            subscribers_per_publisher_max: 4_000,
            video_ring_packets: 1_024,
            video_ring_bytes: 1 << 20,
            audio_ring_packets: 64,
            audio_ring_bytes: 32 << 10,
            connect_timeout: Duration::from_secs(15),
            silence_timeout: Duration::from_secs(30),
            key_frame_interval: Duration::from_millis(500),
            bandwidth: EstimatorConfig::default(),
            retransmissions_per_second_max: 500,
        }
    }
}

/// How often publishers and unfinished handshakes are looked at: NACKs, transport-cc feedback
/// (50 to 100 ms is what senders expect) and DTLS retransmissions.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_millis(50);

/// Sweeps after which every subscriber has been looked at: one slice of them per sweep, so that
/// thousands of them cost no burst.
pub(crate) const SUBSCRIBER_SLICES: usize = 20;

/// Sweeps between two choices of layers for all viewers of a publisher with several: half a second,
/// the time over which the layers' rates are measured.
pub(crate) const LAYER_CHOICE_SWEEPS: usize = 10;

/// Silence after which a publisher is taken to be gone that has said BYE for all its tracks: two
/// consent checks at their longest distance (RFC 7675 §5.1). One that is only paused sends them.
pub(crate) const GOODBYE_SILENCE: Duration = Duration::from_secs(10);

/// Silence after which an address may go to another peer, and after which a peer is followed to
/// another address of its own without a nomination: two consent checks too.
pub(crate) const ADDRESS_SILENCE: Duration = Duration::from_secs(10);

/// How often a key frame is asked for that does not come; then until the next one who wants it. At
/// the default interval these are five seconds: a publisher without pictures is left in peace.
pub(crate) const KEY_FRAME_ATTEMPTS_MAX: u8 = 10;

/// Time between two receiver reports to a publisher (RFC 3550 §6.2 allows less often).
pub(crate) const RECEIVER_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of the send arena before it must be polled empty. Larger is no cheaper and doubles the
/// delay's 99th percentile.
pub(crate) const ARENA_BYTES: usize = 256 << 10;

/// Room beyond [`ARENA_BYTES`] for one subscriber's share of a fan-out and for answers that come
/// while it is full; beyond it packets are dropped and counted, and the other end asks again.
pub(crate) const ARENA_RESERVE_BYTES: usize = 128 << 10;

/// Segments of one GSO send: the kernel's UDP_MAX_SEGMENTS.
pub(crate) const SEGMENTS_MAX: usize = 64;

/// Bytes of one GSO send: what a UDP datagram could hold, less room for any header.
pub(crate) const TRANSMIT_BYTES_MAX: usize = 64_000;

/// Bytes that wait for the mirrors of publishers between two rounds of polling; what is more is
/// lost to them, as in a network.
pub(crate) const RELAY_BYTES_MAX: usize = 1024 * 1024;

/// Packets of one track that wait for the fan-out. The node polls after each batch of far fewer;
/// beyond it a packet is left out of the fan-out (not of the ring) and counted.
pub(crate) const PENDING_PACKETS_MAX: usize = 1_024;

/// Addresses that ICE has validated for one peer; the oldest but the selected one makes way.
pub(crate) const ADDRESSES_PER_PEER_MAX: usize = 4;

/// Largest RTP packet taken from a publisher; a longer one is dropped. Leaves room for what a
/// subscriber's header may add below the common MTU of 1,500.
pub(crate) const PACKET_BYTES_MAX: usize = 1_500;

/// Hellos of one peer that are answered, each with a handshake of its own: a client has one, and
/// who can forge its address may add some. Others are dropped. Each holds 75 KB until one is done.
pub(crate) const HANDSHAKES_MAX: usize = 4;

/// Hellos of one peer that OpenSSL gets to see, those included that it refuses: each costs a
/// connection, and who can forge the peer's address may say some. Others are dropped.
pub(crate) const HELLOS_MAX: u32 = 32;

/// DTLS datagrams taken from one peer before its keys are there. A handshake has about ten; the
/// rest is for a flood of forged ones, which is not to end it. Others are dropped, so that the
/// peer ends in time.
pub(crate) const HANDSHAKE_DATAGRAMS_MAX: u32 = 10_000;

/// Signatures of one peer that are looked at before its handshake is done: more than those of a
/// client that has lost most of its packets. Then no more are, and the peer ends in time.
pub(crate) const HANDSHAKE_PROOFS_MAX: u32 = 64;

/// How long a handshake goes on after something that would end it if its client said it: a refusal,
/// a certificate that was not promised. Who has not said it goes on meanwhile, and OpenSSL's
/// clients send again after a second.
pub(crate) const HANDSHAKE_DOUBT: Duration = Duration::from_secs(3);

/// Packets of one track that the fan-out hands to every subscriber before it takes the next ones:
/// one subscriber's share of it fits into the arena's reserve, and into one GSO send.
pub(crate) const FAN_OUT_PACKETS_MAX: usize = 64;
