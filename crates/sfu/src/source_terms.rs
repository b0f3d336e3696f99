//! What was negotiated for a track with its publisher.

use odeum_rtp::negotiate::{CodecFormat, SenderParameters};
use odeum_rtp::{ExtensionKind, ExtensionMap, RtpPacket, red};

/// What was negotiated for a track with its publisher.
#[derive(Debug, Clone)]
pub(crate) struct SourceTerms {
    /// Codec and what makes it decodable.
    pub(crate) format: CodecFormat,
    /// What the publisher says of it, for its viewers.
    pub(crate) parameters: SenderParameters,
    /// Payload type of the media.
    pub(crate) payload_type: u8,
    /// Payload type of retransmissions (RFC 4588), if there are any.
    pub(crate) rtx_payload_type: Option<u8>,
    /// Payload type of the same with redundancy (RFC 2198), if it may come so.
    pub(crate) red_payload_type: Option<u8>,
    /// Ticks of the RTP clock per second.
    pub(crate) clock_rate: u32,
    /// Whether lost packets can be asked for.
    pub(crate) repair: LossRepair,
    /// Ids of the header extensions.
    pub(crate) extensions: ExtensionMap,
    /// The SSRC, when the SDP names it; else the first one seen is it.
    pub(crate) ssrc: Option<u32>,
    /// The SSRC of retransmissions, when it is known.
    pub(crate) rtx_ssrc: Option<u32>,
    /// Which layer of several it is (RFC 8851); none without simulcast.
    pub(crate) rid: Option<Box<str>>,
}

impl SourceTerms {
    /// The same for a mirror: who asks for losses and tells of arrivals is the worker that the
    /// client is connected to.
    pub(crate) fn mirrored(&self) -> Self {
        let extensions =
            self.extensions.only(|kind| kind != ExtensionKind::TransportSequenceNumber);
        Self { repair: LossRepair::None, extensions, ..self.clone() }
    }

    /// Bytes before a packet's primary payload, if it comes with redundancy (RFC 2198); the outer
    /// none when it is malformed. Padding alone has neither.
    pub(crate) fn redundancy_bytes(&self, packet: &RtpPacket<'_>) -> Option<Option<u16>> {
        let is_red = self.red_payload_type == Some(packet.header().payload_type);
        if !is_red || packet.payload().is_empty() {
            return Some(None);
        }
        let bytes = red::redundancy_bytes(packet.payload(), self.payload_type)?;
        u16::try_from(bytes).ok().map(Some)
    }
}

/// Whether a publisher answers NACKs for a track, as its SDP says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossRepair {
    /// It does (RFC 4585 §4.2).
    Nack,
    /// It does not: usual for audio.
    None,
}
