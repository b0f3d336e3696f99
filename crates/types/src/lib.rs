//! The domain's vocabulary: every id, unit and secret that crosses a function border is a type of
//! this crate, made valid where bytes enter and trusted everywhere else.
//!
//! - [`AppId`], [`RoomId`], [`UserId`], [`UserName`], [`StreamId`]: the contract's identifiers;
//!   their lengths and characters are checked once, by `parse`.
//! - [`SessionId`], [`PeerId`], [`RoomSessionId`]: numbers given out by the server.
//! - [`UnixMillis`]: the one time of the sans-IO crates, passed in as `now`.
//! - [`Redacted`]: a value that never prints.
//! - [`prefetch`]: no word of the domain, but what several crates do to the memory of their values.
//!
//! The invariant: a value of these types is valid; there is no way to make an invalid one.
//!
//! ```
//! use odeum_types::{IdError, StreamId};
//! assert_eq!(StreamId::parse("camera-1").unwrap().as_str(), "camera-1");
//! assert!(matches!(StreamId::parse("a b"), Err(IdError::BadCharacter { .. })));
//! ```

mod bitrate;
mod id;
mod layers;
mod prefetch;
mod redacted;
mod time;

pub use bitrate::Bitrate;
pub use id::{
    AppId, IdError, PeerId, RoomId, RoomSessionId, SessionId, StreamId, UserId, UserName,
};
pub use layers::LayerSet;
pub use prefetch::prefetch;
pub use redacted::Redacted;
pub use time::UnixMillis;

/// An audio or video codec that Odeum forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus audio (RFC 7587).
    Opus,
    /// VP8 video (RFC 7741).
    Vp8,
    /// VP9 video (RFC 9628).
    Vp9,
    /// H.264 video (RFC 6184).
    H264,
    /// H.265 video (RFC 7798).
    H265,
    /// AV1 video (RTP Payload Format For AV1, Alliance for Open Media).
    Av1,
}

impl std::fmt::Display for Codec {
    /// Its name in SDP and in the SDK.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opus => "opus",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Av1 => "AV1",
        })
    }
}
