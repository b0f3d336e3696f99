//! RTCP (RFC 3550 §6) with the feedback of RFC 4585, RFC 5104, REMB and transport-cc: compound
//! packets iterated as views, and a writer that appends packet after packet. Reduced-size compounds
//! (RFC 5506) are accepted, since WebRTC negotiates them.

mod feedback;
mod report;
#[cfg(test)]
mod tests;
mod transport_feedback;
mod write;

pub use feedback::{FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate};
pub use report::{
    Goodbye, ReceiverReport, ReportBlock, SenderInfo, SenderReport, SourceDescription,
};
pub(crate) use transport_feedback::{DELTA_UNIT, REFERENCE_UNIT};
pub use transport_feedback::{PacketStatus, StatusIter, TransportFeedback};
pub use write::RtcpWriter;

use crate::bytes::u16_at;

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1).
mod packet_type {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const SOURCE_DESCRIPTION: u8 = 202;
    pub(super) const GOODBYE: u8 = 203;
    pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(super) const PAYLOAD_FEEDBACK: u8 = 206;
}

/// Feedback message types (RFC 4585 §6.2, §6.3; RFC 5104 §4.3.1;
/// draft-holmer-rmcat-transport-wide-cc).
mod format {
    pub(super) const NACK: u8 = 1;
    pub(super) const TRANSPORT_CC: u8 = 15;
    pub(super) const PICTURE_LOSS: u8 = 1;
    pub(super) const FULL_INTRA: u8 = 4;
    pub(super) const APPLICATION: u8 = 15;
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    /// SR.
    SenderReport(SenderReport<'a>),
    /// RR.
    ReceiverReport(ReceiverReport<'a>),
    /// SDES.
    SourceDescription(SourceDescription<'a>),
    /// BYE.
    Goodbye(Goodbye<'a>),
    /// Generic NACK.
    Nack(Nack<'a>),
    /// Transport-wide congestion control feedback.
    TransportFeedback(TransportFeedback<'a>),
    /// PLI.
    PictureLossIndication(PictureLossIndication),
    /// FIR.
    FullIntraRequest(FullIntraRequest<'a>),
    /// REMB.
    ReceiverEstimate(ReceiverEstimate<'a>),
    /// Well framed, but of a kind that nobody here reads.
    Other {
        /// The packet type.
        packet_type: u8,
        /// The five bits of count or format.
        format: u8,
    },
}

/// Why bytes are not RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// Fewer bytes than the header or its length field say.
    #[error("the packet is truncated")]
    Truncated,
    /// The version is not 2.
    #[error("RTCP version {version} is not 2")]
    Version {
        /// The version.
        version: u8,
    },
    /// Padding in a packet that is not the last, or an impossible count.
    #[error("the padding is impossible")]
    Padding,
    /// The body does not fit what packet type and count promise.
    #[error("the body of a packet of type {packet_type} is malformed")]
    Body {
        /// The packet type.
        packet_type: u8,
    },
}

/// The packets of a compound. After an error the iterator ends.
pub fn packets(compound: &[u8]) -> Packets<'_> {
    Packets { rest: compound }
}

/// Iterates the packets of a compound; made by [`packets`].
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    /// What is not read yet.
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<RtcpPacket<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let packet = self.split_first().and_then(|frame| frame.read());
        if packet.is_err() {
            self.rest = &[];
        }
        Some(packet)
    }
}

impl<'a> Packets<'a> {
    /// Takes one frame off `rest`.
    fn split_first(&mut self) -> Result<Frame<'a>, RtcpError> {
        let &[first, packet_type, ..] = self.rest else { return Err(RtcpError::Truncated) };
        if first >> 6 != 2 {
            return Err(RtcpError::Version { version: first >> 6 });
        }
        let words = u16_at(self.rest, 2).ok_or(RtcpError::Truncated)?;
        let size = 4 + 4 * usize::from(words);
        let (frame, rest) = self.rest.split_at_checked(size).ok_or(RtcpError::Truncated)?;
        let mut body = &frame[4..];
        if first & 0x20 != 0 {
            // Only the last packet may be padded. RFC 3550 §6.4.1 has it by whole words; but
            // transport-wide feedback ends at any byte, and browsers pad it with one to three.
            let padding = usize::from(body.last().copied().unwrap_or(0));
            if !rest.is_empty() || padding == 0 {
                return Err(RtcpError::Padding);
            }
            let kept = body.len().checked_sub(padding).ok_or(RtcpError::Padding)?;
            body = &body[..kept];
        }
        self.rest = rest;
        Ok(Frame { packet_type, format: first & 0x1F, body })
    }
}

/// One packet, framed but not read.
struct Frame<'a> {
    /// Which packet.
    packet_type: u8,
    /// Report count, source count or feedback format.
    format: u8,
    /// What follows the four-byte header, without padding.
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    fn read(&self) -> Result<RtcpPacket<'a>, RtcpError> {
        use {format as fmt, packet_type as pt};
        let (count, body) = (usize::from(self.format), self.body);
        let packet = match (self.packet_type, self.format) {
            (pt::SENDER_REPORT, _) => {
                SenderReport::parse(count, body).map(RtcpPacket::SenderReport)
            }
            (pt::RECEIVER_REPORT, _) => {
                ReceiverReport::parse(count, body).map(RtcpPacket::ReceiverReport)
            }
            (pt::SOURCE_DESCRIPTION, _) => {
                SourceDescription::parse(count, body).map(RtcpPacket::SourceDescription)
            }
            (pt::GOODBYE, _) => Goodbye::parse(count, body).map(RtcpPacket::Goodbye),
            (pt::TRANSPORT_FEEDBACK, fmt::NACK) => Nack::parse(body).map(RtcpPacket::Nack),
            (pt::TRANSPORT_FEEDBACK, fmt::TRANSPORT_CC) => {
                TransportFeedback::parse(body).map(RtcpPacket::TransportFeedback)
            }
            (pt::PAYLOAD_FEEDBACK, fmt::PICTURE_LOSS) => {
                PictureLossIndication::parse(body).map(RtcpPacket::PictureLossIndication)
            }
            (pt::PAYLOAD_FEEDBACK, fmt::FULL_INTRA) => {
                FullIntraRequest::parse(body).map(RtcpPacket::FullIntraRequest)
            }
            (pt::PAYLOAD_FEEDBACK, fmt::APPLICATION) if ReceiverEstimate::is(body) => {
                ReceiverEstimate::parse(body).map(RtcpPacket::ReceiverEstimate)
            }
            (packet_type, format) => Some(RtcpPacket::Other { packet_type, format }),
        };
        packet.ok_or(RtcpError::Body { packet_type: self.packet_type })
    }
}
