//! Writing compounds: each call appends one whole packet, or nothing when the buffer is full.

use super::feedback::{REMB, nack_pairs};
use super::transport_feedback::{PacketStatus, Symbol};
use super::{ReportBlock, SenderInfo, format, packet_type};
use crate::bytes::{BufferTooSmall, Cursor};

/// The most that a five-bit count says.
const COUNT_MAX: usize = 31;
/// The longest run of a run length chunk.
const RUN_MAX: usize = 0x1FFF;

/// Appends RTCP packets to a buffer.
#[derive(Debug)]
pub struct RtcpWriter<'a> {
    /// The caller's buffer.
    cursor: Cursor<'a>,
}

impl<'a> RtcpWriter<'a> {
    /// Begins an empty compound in `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { cursor: Cursor::new(buffer) }
    }

    /// Appends SR with at most 31 report blocks; more are left out.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn sender_report(
        &mut self,
        info: &SenderInfo,
        reports: &[ReportBlock],
    ) -> Result<(), BufferTooSmall> {
        let reports = &reports[..reports.len().min(COUNT_MAX)];
        self.packet(packet_type::SENDER_REPORT, reports.len() as u8, |cursor| {
            cursor.put_u32(info.ssrc)?;
            cursor.put_u64(info.ntp)?;
            cursor.put_u32(info.rtp_timestamp)?;
            cursor.put_u32(info.packet_count)?;
            cursor.put_u32(info.octet_count)?;
            reports.iter().try_for_each(|report| report.write(cursor))
        })
    }

    /// Appends RR with at most 31 report blocks; more are left out.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn receiver_report(
        &mut self,
        ssrc: u32,
        reports: &[ReportBlock],
    ) -> Result<(), BufferTooSmall> {
        let reports = &reports[..reports.len().min(COUNT_MAX)];
        self.packet(packet_type::RECEIVER_REPORT, reports.len() as u8, |cursor| {
            cursor.put_u32(ssrc)?;
            reports.iter().try_for_each(|report| report.write(cursor))
        })
    }

    /// Appends SDES with one chunk: the canonical name of `ssrc`, cut at 255 bytes.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn source_description(&mut self, ssrc: u32, cname: &str) -> Result<(), BufferTooSmall> {
        let cname = &cname.as_bytes()[..cname.len().min(255)];
        self.packet(packet_type::SOURCE_DESCRIPTION, 1, |cursor| {
            cursor.put_u32(ssrc)?;
            cursor.put(&[1, cname.len() as u8])?;
            cursor.put(cname)?;
            cursor.put_u8(0)
        })
    }

    /// Appends BYE for at most 31 sources; more are left out.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn goodbye(&mut self, ssrcs: &[u32]) -> Result<(), BufferTooSmall> {
        let ssrcs = &ssrcs[..ssrcs.len().min(COUNT_MAX)];
        self.packet(packet_type::GOODBYE, ssrcs.len() as u8, |cursor| {
            ssrcs.iter().try_for_each(|ssrc| cursor.put_u32(*ssrc))
        })
    }

    /// Appends NACK for `sequence_numbers`, which should ascend (modulo 2^16) so that the bitmasks
    /// fill; nothing when there are none.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn nack(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        sequence_numbers: impl IntoIterator<Item = u16>,
    ) -> Result<(), BufferTooSmall> {
        let mut pairs = nack_pairs(sequence_numbers.into_iter()).peekable();
        if pairs.peek().is_none() {
            return Ok(());
        }
        self.packet(packet_type::TRANSPORT_FEEDBACK, format::NACK, |cursor| {
            cursor.put_u32(sender_ssrc)?;
            cursor.put_u32(media_ssrc)?;
            pairs.try_for_each(|(first, mask)| {
                cursor.put_u16(first)?;
                cursor.put_u16(mask)
            })
        })
    }

    /// Appends PLI.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn picture_loss_indication(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
    ) -> Result<(), BufferTooSmall> {
        self.packet(packet_type::PAYLOAD_FEEDBACK, format::PICTURE_LOSS, |cursor| {
            cursor.put_u32(sender_ssrc)?;
            cursor.put_u32(media_ssrc)
        })
    }

    /// Appends FIR with one request; `number` is counted up for each new one.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn full_intra_request(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        number: u8,
    ) -> Result<(), BufferTooSmall> {
        self.packet(packet_type::PAYLOAD_FEEDBACK, format::FULL_INTRA, |cursor| {
            cursor.put_u32(sender_ssrc)?;
            cursor.put_u32(0)?;
            cursor.put_u32(media_ssrc)?;
            cursor.put(&[number, 0, 0, 0])
        })
    }

    /// Appends REMB about at most 255 sources. The bitrate keeps its 18 upper bits.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn receiver_estimate(
        &mut self,
        sender_ssrc: u32,
        bits_per_second: u64,
        ssrcs: &[u32],
    ) -> Result<(), BufferTooSmall> {
        let ssrcs = &ssrcs[..ssrcs.len().min(255)];
        let exponent = (64 - bits_per_second.leading_zeros()).saturating_sub(18);
        let mantissa = (bits_per_second >> exponent) as u32;
        self.packet(packet_type::PAYLOAD_FEEDBACK, format::APPLICATION, |cursor| {
            cursor.put_u32(sender_ssrc)?;
            cursor.put_u32(0)?;
            cursor.put(REMB)?;
            cursor.put_u32((ssrcs.len() as u32) << 24 | exponent << 18 | mantissa)?;
            ssrcs.iter().try_for_each(|ssrc| cursor.put_u32(*ssrc))
        })
    }

    /// Appends transport-cc feedback about `statuses`, the packets from `base_sequence` on.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn transport_feedback(
        &mut self,
        (sender_ssrc, media_ssrc): (u32, u32),
        base_sequence: u16,
        reference_time_64ms: i32,
        feedback_count: u8,
        statuses: &[PacketStatus],
    ) -> Result<(), BufferTooSmall> {
        let count = u16::try_from(statuses.len()).map_err(|_| BufferTooSmall)?;
        self.packet(packet_type::TRANSPORT_FEEDBACK, format::TRANSPORT_CC, |cursor| {
            cursor.put_u32(sender_ssrc)?;
            cursor.put_u32(media_ssrc)?;
            cursor.put_u16(base_sequence)?;
            cursor.put_u16(count)?;
            let reference = reference_time_64ms as u32 & 0xFF_FFFF;
            cursor.put_u32(reference << 8 | u32::from(feedback_count))?;
            put_chunks(cursor, statuses)?;
            statuses.iter().try_for_each(|status| match (*status, Symbol::of(*status)) {
                (PacketStatus::Received { delta_250us }, Symbol::SmallDelta) => {
                    cursor.put_u8(delta_250us as u8)
                }
                (PacketStatus::Received { delta_250us }, _) => cursor.put_u16(delta_250us as u16),
                (PacketStatus::Lost, _) => Ok(()),
            })
        })
    }

    /// How many bytes are written so far.
    pub fn size(&self) -> usize {
        self.cursor.length()
    }

    /// Frames one packet around `body`; a body that does not fit leaves no trace.
    fn packet(
        &mut self,
        packet_type: u8,
        count: u8,
        body: impl FnOnce(&mut Cursor<'a>) -> Result<(), BufferTooSmall>,
    ) -> Result<(), BufferTooSmall> {
        let start = self.cursor.length();
        let written = (|| {
            self.cursor.put(&[0x80 | count, packet_type, 0, 0])?;
            body(&mut self.cursor)?;
            self.cursor.pad_to_word()?;
            let words = (self.cursor.length() - start) / 4 - 1;
            self.cursor.set_u16(start + 2, u16::try_from(words).map_err(|_| BufferTooSmall)?);
            Ok(())
        })();
        if written.is_err() {
            self.cursor.truncate(start);
        }
        written
    }
}

/// Runs where they are longer than a vector; else vectors of two-bit symbols, or of one-bit ones
/// when no large delta is near.
fn put_chunks(cursor: &mut Cursor<'_>, statuses: &[PacketStatus]) -> Result<(), BufferTooSmall> {
    let mut rest = statuses;
    while let Some(first) = rest.first() {
        let symbol = Symbol::of(*first);
        let run =
            rest.iter().take(RUN_MAX).take_while(|status| Symbol::of(**status) == symbol).count();
        let near = &rest[..rest.len().min(14)];
        let one_bit = near.iter().all(|status| Symbol::of(*status) != Symbol::LargeDelta);
        let vector = if one_bit { 14 } else { 7 };
        let taken = if run >= vector || run == rest.len() {
            cursor.put_u16(symbol.bits() << 13 | run as u16)?;
            run
        } else {
            let taken = rest.len().min(vector);
            let (base, width) = if one_bit { (0x8000, 1) } else { (0xC000, 2) };
            let bits = rest[..taken].iter().enumerate().fold(base, |bits, (index, status)| {
                bits | Symbol::of(*status).bits() << (14 - width * (index + 1))
            });
            cursor.put_u16(bits)?;
            taken
        };
        rest = &rest[taken..];
    }
    Ok(())
}
