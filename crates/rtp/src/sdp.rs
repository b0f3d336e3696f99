//! SDP (RFC 8866) as WebRTC uses it (RFC 8829): one model that is read and written, an [`Offer`]
//! that is known to suit a bundling ICE-lite answerer, and the [`Answer`] that our own client
//! reads.
//!
//! The server: [`Offer::parse`], choose per m-line with [`crate::negotiate`], [`Offer::answer`],
//! and the [`Description`]'s `Display`. The client: [`Description::offer`], then [`Answer::parse`].

mod answer;
mod attribute;
mod description;
mod offer;
mod parse;
#[cfg(test)]
mod tests;
mod write;

pub use answer::{Answer, AnswerError};
pub use attribute::{
    Direction, Feedback, Fingerprint, IceCredentials, IceUfrag, MediaKind, Msid, NotAnIceUfrag,
    PacketTimes, PayloadFormat, Setup,
};
pub use description::{Description, IceMode, Media, MediaSection, MediaSender, Transport};
pub use offer::{Offer, OfferError};
pub use parse::SdpError;

/// The longest description that is read, in bytes; Chromium's with all codecs has 7 KiB.
pub const SIZE_MAX: usize = 64 * 1024;
/// The most lines that are read.
pub const LINES_MAX: usize = 4096;
/// The most m-lines; a peer of ours has two.
pub const MEDIA_MAX: usize = 16;
/// The most payload types of an m-line: all there are.
pub const FORMATS_MAX: usize = 128;
/// The most sources, source groups, rids or candidates of an m-line that are kept; more are an
/// error.
pub const ITEMS_MAX: usize = 64;
/// The longest rid: what a one-byte header extension holds (RFC 8285 §4.2).
pub const RID_BYTES_MAX: usize = 16;
