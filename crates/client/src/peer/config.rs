//! What a peer is made of.

use super::dtls::{Certificate, DtlsVersion};

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Opus.
    Audio,
    /// VP8.
    Video,
}

/// Which way media goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the server: publishing.
    Send,
    /// From the server: playing.
    Receive,
}

/// What a peer is made of.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// Publishing or playing.
    pub direction: Direction,
    /// The m-lines, in order. Default: audio, video.
    pub media: Vec<Kind>,
    /// Proves who it is; may be shared by all peers of a process.
    pub certificate: Certificate,
    /// Which DTLS to offer.
    pub dtls: DtlsVersion,
    /// Whether missing packets are asked for again.
    pub nack: NackMode,
    /// How lost sound is made good.
    pub sound: SoundRepair,
    /// Layers of video that it sends as streams of their own (simulcast); 1 sends one stream
    /// without a name.
    pub layers: usize,
    /// Where all its random numbers come from. Two peers must not have the same.
    pub seed: u64,
}

/// Whether a receiver asks for missing packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NackMode {
    /// It does.
    #[default]
    Ask,
    /// It only counts them.
    Count,
}

/// How lost sound is made good, besides by the codec. Default: not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SoundRepair {
    /// Each packet brings the one before along (RFC 2198).
    pub redundancy: bool,
    /// Lost packets are asked for and sent again (RFC 4588).
    pub retransmission: bool,
}

impl PeerConfig {
    /// Audio and video, everything else by default.
    pub fn new(direction: Direction, certificate: Certificate, seed: u64) -> Self {
        Self {
            direction,
            media: vec![Kind::Audio, Kind::Video],
            certificate,
            dtls: DtlsVersion::default(),
            nack: NackMode::default(),
            sound: SoundRepair::default(),
            layers: 1,
            seed,
        }
    }
}
