//! SR, RR, SDES and BYE (RFC 3550 §6.4 to §6.6).

use crate::BufferTooSmall;
use crate::bytes::{Cursor, u24_at, u32_at, u64_at};

/// Bytes of one report block.
const REPORT_BLOCK_SIZE: usize = 24;
/// The SDES item type of a canonical name.
const CNAME: u8 = 1;

/// What a receiver says about one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The source that is reported on.
    pub ssrc: u32,
    /// Loss since the report before, in 1/256.
    pub fraction_lost: u8,
    /// All loss since the begin, 24 bits signed; duplicates make it negative.
    pub cumulative_lost: i32,
    /// Highest sequence number, with its wraps in the upper half.
    pub extended_highest_sequence: u32,
    /// Interarrival jitter in units of the media clock.
    pub jitter: u32,
    /// Middle 32 bits of the last SR's NTP time; 0 when there was none.
    pub last_sender_report: u32,
    /// Time since that SR arrived, in 1/65536 s.
    pub delay_since_last_sender_report: u32,
}

impl ReportBlock {
    fn parse(bytes: &[u8]) -> Option<Self> {
        // Sign extension of 24 bits.
        let lost = (u24_at(bytes, 5)? << 8) as i32 >> 8;
        Some(Self {
            ssrc: u32_at(bytes, 0)?,
            fraction_lost: bytes[4],
            cumulative_lost: lost,
            extended_highest_sequence: u32_at(bytes, 8)?,
            jitter: u32_at(bytes, 12)?,
            last_sender_report: u32_at(bytes, 16)?,
            delay_since_last_sender_report: u32_at(bytes, 20)?,
        })
    }

    pub(super) fn write(&self, cursor: &mut Cursor<'_>) -> Result<(), BufferTooSmall> {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0xFF_FFFF;
        cursor.put_u32(self.ssrc)?;
        cursor.put_u32(u32::from(self.fraction_lost) << 24 | lost)?;
        cursor.put_u32(self.extended_highest_sequence)?;
        cursor.put_u32(self.jitter)?;
        cursor.put_u32(self.last_sender_report)?;
        cursor.put_u32(self.delay_since_last_sender_report)
    }
}

/// What a sender says about itself in SR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// The sender's source.
    pub ssrc: u32,
    /// Wallclock in NTP format, 32.32 fixed point seconds.
    pub ntp: u64,
    /// The same instant in units of the media clock.
    pub rtp_timestamp: u32,
    /// Packets sent since the begin, wraps.
    pub packet_count: u32,
    /// Payload bytes sent since the begin, wraps.
    pub octet_count: u32,
}

/// Blocks of an SR or RR whose size was checked.
fn report_blocks(blocks: &[u8]) -> impl Iterator<Item = ReportBlock> + '_ {
    blocks.chunks_exact(REPORT_BLOCK_SIZE).filter_map(ReportBlock::parse)
}

/// SR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport<'a> {
    /// The sender's half.
    pub info: SenderInfo,
    /// The report blocks' bytes.
    blocks: &'a [u8],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: usize, body: &'a [u8]) -> Option<Self> {
        let info = SenderInfo {
            ssrc: u32_at(body, 0)?,
            ntp: u64_at(body, 4)?,
            rtp_timestamp: u32_at(body, 12)?,
            packet_count: u32_at(body, 16)?,
            octet_count: u32_at(body, 20)?,
        };
        // What follows the blocks is a profile-specific extension.
        Some(Self { info, blocks: body.get(24..24 + count * REPORT_BLOCK_SIZE)? })
    }

    /// What the sender has received.
    pub fn reports(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        report_blocks(self.blocks)
    }
}

/// RR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    /// The report blocks' bytes.
    blocks: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: usize, body: &'a [u8]) -> Option<Self> {
        let ssrc = u32_at(body, 0)?;
        Some(Self { ssrc, blocks: body.get(4..4 + count * REPORT_BLOCK_SIZE)? })
    }

    /// What was received.
    pub fn reports(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        report_blocks(self.blocks)
    }
}

/// SDES.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceDescription<'a> {
    /// How many chunks.
    count: usize,
    /// The chunks' bytes.
    chunks: &'a [u8],
}

impl<'a> SourceDescription<'a> {
    pub(super) fn parse(count: usize, body: &'a [u8]) -> Option<Self> {
        let mut rest = body;
        for _ in 0..count {
            rest = split_chunk(rest)?.2;
        }
        Some(Self { count, chunks: body })
    }

    /// `(ssrc, canonical name)` of every chunk that has one; the name's bytes should be UTF-8.
    pub fn cnames(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let (mut left, mut rest) = (self.count, self.chunks);
        std::iter::from_fn(move || {
            while left > 0 {
                let (ssrc, cname, after) = split_chunk(rest)?;
                (left, rest) = (left - 1, after);
                if let Some(cname) = cname {
                    return Some((ssrc, cname));
                }
            }
            None
        })
    }
}

/// One chunk's source, its canonical name, and the bytes behind it.
type Chunk<'a> = (u32, Option<&'a [u8]>, &'a [u8]);

fn split_chunk(bytes: &[u8]) -> Option<Chunk<'_>> {
    let ssrc = u32_at(bytes, 0)?;
    let (mut at, mut cname) = (4, None);
    loop {
        let kind = *bytes.get(at)?;
        if kind == 0 {
            // The list ends with zeros up to the next word.
            let end = (at + 1).next_multiple_of(4);
            return Some((ssrc, cname, bytes.get(end..)?));
        }
        let size = usize::from(*bytes.get(at + 1)?);
        let value = bytes.get(at + 2..at + 2 + size)?;
        if kind == CNAME {
            cname = Some(value);
        }
        at += 2 + size;
    }
}

/// BYE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goodbye<'a> {
    /// The sources' bytes.
    sources: &'a [u8],
}

impl<'a> Goodbye<'a> {
    pub(super) fn parse(count: usize, body: &'a [u8]) -> Option<Self> {
        Some(Self { sources: body.get(..4 * count)? })
    }

    /// The sources that leave.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        let sources = self.sources;
        (0..sources.len() / 4).filter_map(move |index| u32_at(sources, 4 * index))
    }
}
