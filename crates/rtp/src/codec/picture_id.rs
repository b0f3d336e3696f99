//! The picture id of VP8 and VP9: a number of 7 or 15 bits behind a bit M that says which
//! (RFC 7741 §4.2, RFC 9628 §4.2).

use crate::bytes::u16_at;

/// M: the id has 15 bits.
const IS_LONG: u8 = 0x80;

/// A picture id, where it is, and how wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureId {
    /// M is 0: seven bits in the byte at `at`.
    Short {
        /// Offset of the byte.
        at: usize,
        /// The id.
        value: u8,
    },
    /// M is 1: fifteen bits in the two bytes at `at`.
    Long {
        /// Offset of the first byte.
        at: usize,
        /// The id.
        value: u16,
    },
}

impl PictureId {
    /// Reads the id at `at`; None when the payload ends before it or inside it.
    pub(super) fn parse(payload: &[u8], at: usize) -> Option<Self> {
        let first = *payload.get(at)?;
        if first & IS_LONG == 0 {
            return Some(Self::Short { at, value: first });
        }
        Some(Self::Long { at, value: u16_at(payload, at)? & 0x7FFF })
    }

    /// Writes another id of the same width into the payload that this one was read from.
    pub fn rewrite(self, payload: &mut [u8], value: u16) {
        match self {
            Self::Short { at, .. } => payload[at] = value as u8 & 0x7F,
            Self::Long { at, .. } => {
                payload[at..at + 2].copy_from_slice(&(value | 0x8000).to_be_bytes());
            }
        }
    }

    /// The offset of what follows.
    pub(super) fn end(self) -> usize {
        match self {
            Self::Short { at, .. } => at + 1,
            Self::Long { at, .. } => at + 2,
        }
    }
}
