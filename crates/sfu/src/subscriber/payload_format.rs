//! The payload format in which one viewer gets a packet of sound: the codec's own, or with
//! redundancy (RED, RFC 2198).

use super::SubscriberTrack;
use super::write::Sending;
use crate::ring::StoredPacket;

/// In which format a viewer gets a packet's payload, made from the one in which it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadFormat {
    /// As it came: it has no redundancy.
    Plain,
    /// As it came, with redundancy, under this payload type.
    Redundant(u8),
    /// Without so many bytes of redundancy.
    Primary(usize),
}

impl PayloadFormat {
    /// Its payload type, where it would be `plain` without redundancy.
    pub(super) fn payload_type(self, plain: u8) -> u8 {
        match self {
            Self::Redundant(red) => red,
            Self::Plain | Self::Primary(_) => plain,
        }
    }

    /// What the viewer gets of a payload that `came`.
    pub(super) fn strip(self, came: &[u8]) -> &[u8] {
        match self {
            Self::Plain | Self::Redundant(_) => came,
            Self::Primary(front) => came.get(front..).unwrap_or_default(),
        }
    }
}

impl SubscriberTrack {
    /// That of a packet for this viewer. A retransmission stream carries the codec itself (its
    /// `apt`), so the packet comes without redundancy there; sent once more, it is as it was.
    pub(super) fn payload_format(&self, packet: &StoredPacket, sending: Sending) -> PayloadFormat {
        let Some(front) = packet.redundancy_bytes else { return PayloadFormat::Plain };
        match (self.terms.red_payload_type, sending) {
            (Some(red), Sending::First | Sending::Again) => PayloadFormat::Redundant(red),
            (Some(_), Sending::Rtx { .. } | Sending::Probe { .. }) | (None, _) => {
                PayloadFormat::Primary(front.into())
            }
        }
    }
}
