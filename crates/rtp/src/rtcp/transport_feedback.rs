//! Transport-wide congestion control feedback
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1): which packets of a transport arrived,
//! and when.

use std::time::Duration;

use super::feedback::u16_or_zero;
use crate::bytes::{u16_at, u24_at, u32_at};

/// The unit of receive deltas.
pub(crate) const DELTA_UNIT: Duration = Duration::from_micros(250);
/// The unit of the reference time.
pub(crate) const REFERENCE_UNIT: Duration = Duration::from_millis(64);

/// The fate of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketStatus {
    /// It has not arrived.
    Lost,
    /// It arrived so many units of 250 us after the one before; the first, after the reference
    /// time.
    Received {
        /// Signed, since packets overtake each other.
        delta_250us: i16,
    },
}

/// One feedback message, its chunks and deltas checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportFeedback<'a> {
    /// Who reports.
    pub sender_ssrc: u32,
    /// A source of the transport, often 0.
    pub media_ssrc: u32,
    /// Sequence number of the first packet reported on.
    pub base_sequence: u16,
    /// How many packets are reported on.
    pub status_count: u16,
    /// In units of 64 ms from any instant, 24 bits signed.
    pub reference_time_64ms: i32,
    /// Counts messages, wraps; a gap is a lost feedback.
    pub feedback_count: u8,
    /// Chunks, then deltas, then padding.
    chunks: &'a [u8],
    /// Where the deltas begin in `chunks`.
    deltas_at: usize,
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut feedback = Self {
            sender_ssrc: u32_at(body, 0)?,
            media_ssrc: u32_at(body, 4)?,
            base_sequence: u16_at(body, 8)?,
            status_count: u16_at(body, 10)?,
            reference_time_64ms: (u24_at(body, 12)? << 8) as i32 >> 8,
            feedback_count: *body.get(15)?,
            chunks: body.get(16..)?,
            deltas_at: 0,
        };
        let (mut at, mut left, mut deltas) = (0, usize::from(feedback.status_count), 0);
        while left > 0 {
            let chunk = Chunk(u16_at(feedback.chunks, at)?);
            let count = chunk.count().min(left);
            deltas += (0..count).map(|index| chunk.symbol(index).delta_size()).sum::<usize>();
            at += 2;
            left -= count;
        }
        feedback.chunks.get(at..at + deltas)?;
        feedback.deltas_at = at;
        Some(feedback)
    }

    /// The packets in order, from [`TransportFeedback::base_sequence`] on.
    pub fn statuses(&self) -> StatusIter<'a> {
        StatusIter {
            chunks: self.chunks,
            chunk_at: 0,
            index: 0,
            delta_at: self.deltas_at,
            sequence: self.base_sequence,
            left: self.status_count,
        }
    }
}

/// Iterates `(sequence, status)`; made by [`TransportFeedback::statuses`].
#[derive(Debug, Clone)]
pub struct StatusIter<'a> {
    /// Chunks and deltas.
    chunks: &'a [u8],
    /// Where the current chunk is.
    chunk_at: usize,
    /// Which symbol of it is next.
    index: usize,
    /// Where the next delta is.
    delta_at: usize,
    /// The next packet.
    sequence: u16,
    /// How many packets are left.
    left: u16,
}

impl Iterator for StatusIter<'_> {
    type Item = (u16, PacketStatus);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut chunk = Chunk(u16_or_zero(self.chunks, self.chunk_at));
        // A run length of zero is allowed and says nothing.
        while self.index == chunk.count() {
            (self.chunk_at, self.index) = (self.chunk_at + 2, 0);
            chunk = Chunk(u16_at(self.chunks, self.chunk_at)?);
        }
        let symbol = chunk.symbol(self.index);
        self.index += 1;
        let status = match symbol {
            Symbol::NotReceived => PacketStatus::Lost,
            Symbol::SmallDelta => {
                let delta = i16::from(*self.chunks.get(self.delta_at)?);
                PacketStatus::Received { delta_250us: delta }
            }
            Symbol::LargeDelta => {
                let delta = u16_at(self.chunks, self.delta_at)? as i16;
                PacketStatus::Received { delta_250us: delta }
            }
        };
        self.delta_at += symbol.delta_size();
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Some((sequence, status))
    }
}

/// A packet's symbol in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    /// No delta follows.
    NotReceived,
    /// One unsigned byte of delta follows. The reserved symbol 3 is read as not received.
    SmallDelta,
    /// Two signed bytes of delta follow.
    LargeDelta,
}

impl Symbol {
    fn from_bits(bits: u16) -> Self {
        match bits {
            1 => Self::SmallDelta,
            2 => Self::LargeDelta,
            _ => Self::NotReceived,
        }
    }

    pub(super) fn bits(self) -> u16 {
        match self {
            Self::NotReceived => 0,
            Self::SmallDelta => 1,
            Self::LargeDelta => 2,
        }
    }

    pub(super) fn of(status: PacketStatus) -> Self {
        match status {
            PacketStatus::Lost => Self::NotReceived,
            PacketStatus::Received { delta_250us: 0..=255 } => Self::SmallDelta,
            PacketStatus::Received { .. } => Self::LargeDelta,
        }
    }

    fn delta_size(self) -> usize {
        usize::from(self.bits())
    }
}

/// A run length or status vector chunk.
#[derive(Debug, Clone, Copy)]
struct Chunk(u16);

impl Chunk {
    fn count(self) -> usize {
        match (self.0 & 0x8000, self.0 & 0x4000) {
            (0, _) => usize::from(self.0 & 0x1FFF),
            (_, 0) => 14,
            _ => 7,
        }
    }

    fn symbol(self, index: usize) -> Symbol {
        match (self.0 & 0x8000, self.0 & 0x4000) {
            (0, _) => Symbol::from_bits(self.0 >> 13 & 3),
            (_, 0) => Symbol::from_bits(self.0 >> (13 - index) & 1),
            _ => Symbol::from_bits(self.0 >> (12 - 2 * index) & 3),
        }
    }
}
