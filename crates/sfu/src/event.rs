//! What the media plane tells the node: peers that connect and close, and counters.

use std::net::SocketAddr;

use odeum_types::{Codec, LayerSet, PeerId};

use crate::forwarder::LayerIndex;

/// Something the node has to act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SfuEvent {
    /// ICE and DTLS are done: media flows.
    Connected {
        /// Who.
        peer: PeerId,
        /// What it sends or receives.
        facts: MediaFacts,
    },
    /// The peer is gone; its id may be forgotten. Also told for [`crate::Sfu::close_peer`].
    Closed {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// The layers of a publisher's video that anybody watches have changed: it need not send the
    /// others. At most twice a second for each publisher.
    LayersWanted {
        /// Whose.
        publisher: PeerId,
        /// What it is to send.
        layers: LayerSet,
    },
    /// A mirror's viewers need a key frame: for [`crate::Sfu::want_key_frame`] of the worker where
    /// the publisher is. At most one per layer and key frame interval.
    KeyFrameWanted {
        /// Whose.
        publisher: PeerId,
        /// Of which layer of its video.
        layer: LayerIndex,
    },
    /// A question to a STUN server ([`crate::Sfu::ask_stun`]) is over.
    StunEnded {
        /// Who was asked.
        server: SocketAddr,
        /// How it sees the media socket; none when no answer came, or a useless one.
        found: Option<SocketAddr>,
    },
}

/// The codecs that were negotiated with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaFacts {
    /// Of its audio track, if it has one.
    pub audio: Option<Codec>,
    /// Of its video track, if it has one.
    pub video: Option<Codec>,
}

/// Why a peer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// [`crate::Sfu::close_peer`].
    Commanded,
    /// The publisher that it played is gone.
    PublisherGone,
    /// It was a mirror that nobody watched any more.
    Unwatched,
    /// ICE or DTLS was not done in time.
    ConnectTimeout,
    /// Nothing authentic came for the silence timeout.
    Silence,
    /// The other end said goodbye: DTLS close_notify, or RTCP BYE for all its tracks and then
    /// nothing, not even consent checks.
    RemoteClosed,
    /// The DTLS certificate is not the one that the SDP promised.
    FingerprintMismatch,
    /// The DTLS handshake failed.
    HandshakeFailed,
    /// Handling this peer panicked; it alone was dropped.
    Panicked,
}

/// Counters of one worker since its start, in packets unless the name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Peers now.
    pub peers: u64,
    /// Datagrams handed in.
    pub datagrams_received: u64,
    /// Of them from addresses that no peer has validated.
    pub unknown_source: u64,
    /// Binding requests answered.
    pub stun_answered: u64,
    /// STUN messages that were malformed, for nobody, or not authentic.
    pub stun_refused: u64,
    /// SRTP or SRTCP that was forged or malformed.
    pub srtp_refused: u64,
    /// SRTP or SRTCP that was replayed or too old.
    pub srtp_replayed: u64,
    /// RTP taken from publishers.
    pub rtp_received: u64,
    /// Of these, what a mirror took from another worker.
    pub rtp_mirrored: u64,
    /// Packets handed out for mirrors on other workers.
    pub relayed: u64,
    /// Of RTP taken, what did not go on because its track is cut.
    pub rtp_cut: u64,
    /// RTP whose payload type or SSRC fits no track, or that is not RTP inside.
    pub rtp_unknown: u64,
    /// RTP sent to subscribers, retransmissions not counted.
    pub rtp_forwarded: u64,
    /// Bytes of the same, SRTP included.
    pub rtp_forwarded_bytes: u64,
    /// Packets held back from a subscriber that waits for a key frame.
    pub rtp_held_for_key_frame: u64,
    /// Packets sent again.
    pub retransmitted: u64,
    /// Packets sent again only to see how fast they arrive.
    pub probe_packets: u64,
    /// Times that a viewer was given another layer of video, or none, or one again.
    pub layer_changes: u64,
    /// Times that what reaches a session was dealt out among what it plays.
    pub bandwidth_deals: u64,
    /// Packets asked for again that were not in the ring any more.
    pub retransmission_missed: u64,
    /// Packets asked for again beyond the budget.
    pub retransmission_refused: u64,
    /// NACKs sent to publishers, in packets asked for.
    pub nacks_sent: u64,
    /// Key frame requests sent to publishers.
    pub key_frame_requests_sent: u64,
    /// Key frame requests that subscribers made.
    pub key_frame_requests_received: u64,
    /// Packets not sent because the arena or a queue was full.
    pub dropped_queue_full: u64,
    /// Peers dropped because handling them panicked.
    pub panics: u64,
}
