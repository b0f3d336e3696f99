//! Feedback messages: NACK (RFC 4585 §6.2.1), PLI (§6.3.1), FIR (RFC 5104 §4.3.1), and REMB
//! (draft-alvestrand-rmcat-remb-03).

use crate::bytes::{u16_at, u24_at, u32_at};

/// The four letters that make an application-layer message a REMB.
pub(super) const REMB: &[u8; 4] = b"REMB";

/// Generic NACK: packets that did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    /// The source whose packets are missing.
    pub media_ssrc: u32,
    /// Pairs of packet id and bitmask.
    pairs: &'a [u8],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let pairs = body.get(8..).filter(|pairs| !pairs.is_empty())?;
        Some(Self { sender_ssrc: u32_at(body, 0)?, media_ssrc: u32_at(body, 4)?, pairs })
    }

    /// The missing sequence numbers: each packet id, then those of its bitmask.
    pub fn sequence_numbers(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.pairs.chunks_exact(4).flat_map(|pair| {
            let first = u16::from_be_bytes([pair[0], pair[1]]);
            let mask = u16::from_be_bytes([pair[2], pair[3]]);
            let masked = (0..16u16)
                .filter(move |bit| mask >> bit & 1 != 0)
                .map(move |bit| first.wrapping_add(bit + 1));
            std::iter::once(first).chain(masked)
        })
    }
}

/// PLI: the decoder has lost the picture and wants a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLossIndication {
    /// Who asks.
    pub sender_ssrc: u32,
    /// Whose picture is lost.
    pub media_ssrc: u32,
}

impl PictureLossIndication {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        Some(Self { sender_ssrc: u32_at(body, 0)?, media_ssrc: u32_at(body, 4)? })
    }
}

/// FIR: key frames wanted, each request counted so that a repetition is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullIntraRequest<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    /// Source, sequence number and reserved bytes of each request.
    entries: &'a [u8],
}

impl<'a> FullIntraRequest<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let entries = body.get(8..).filter(|e| !e.is_empty() && e.len().is_multiple_of(8))?;
        Some(Self { sender_ssrc: u32_at(body, 0)?, entries })
    }

    /// `(source, request number)` of each request.
    pub fn requests(&self) -> impl Iterator<Item = (u32, u8)> + use<'a> {
        self.entries.chunks_exact(8).filter_map(|entry| Some((u32_at(entry, 0)?, entry[4])))
    }
}

/// REMB: the bitrate that a receiver believes it can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverEstimate<'a> {
    /// Who estimates.
    pub sender_ssrc: u32,
    /// Bits per second, for all sources together.
    pub bits_per_second: u64,
    /// The sources' bytes.
    sources: &'a [u8],
}

impl<'a> ReceiverEstimate<'a> {
    /// Whether an application-layer message is a REMB.
    pub(super) fn is(body: &[u8]) -> bool {
        body.get(8..12) == Some(REMB)
    }

    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let count = usize::from(*body.get(12)?);
        let exponent = body.get(13)? >> 2;
        let mantissa = u64::from(u24_at(body, 13)? & 0x3_FFFF);
        // 18 bits shifted by up to 63: more than 64 bits means "without bound".
        let bits_per_second = match mantissa.leading_zeros() < u32::from(exponent) && mantissa != 0
        {
            true => u64::MAX,
            false => mantissa << exponent,
        };
        let sources = body.get(16..16 + 4 * count)?;
        Some(Self { sender_ssrc: u32_at(body, 0)?, bits_per_second, sources })
    }

    /// The sources that the estimate is about.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        let sources = self.sources;
        (0..sources.len() / 4).filter_map(move |index| u32_at(sources, 4 * index))
    }
}

/// Joins missing sequence numbers to pairs of packet id and bitmask, as NACK has them.
pub(super) fn nack_pairs(numbers: impl Iterator<Item = u16>) -> impl Iterator<Item = (u16, u16)> {
    let mut numbers = numbers.peekable();
    std::iter::from_fn(move || {
        let first = numbers.next()?;
        let mut mask = 0;
        while let Some(next) = numbers.next_if(|next| (1..=16).contains(&next.wrapping_sub(first)))
        {
            mask |= 1 << (next.wrapping_sub(first) - 1);
        }
        Some((first, mask))
    })
}

/// Reads a 16-bit number that the caller has checked to be there; 0 when it is not.
pub(super) fn u16_or_zero(bytes: &[u8], at: usize) -> u16 {
    u16_at(bytes, at).unwrap_or(0)
}
