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

impl PeerConfig {
    /// Audio and video, everything else by default.
    pub fn new(direction: Direction, certificate: Certificate, seed: u64) -> Self {
        Self {
            direction,
            media: vec![Kind::Audio, Kind::Video],
            certificate,
            dtls: DtlsVersion::default(),
            nack: NackMode::default(),
            seed,
        }
    }
}
