//! With or without its redundancy (RFC 2198): how one viewer takes a packet of sound.

use super::SubscriberTrack;
use super::write::Sending;
use crate::ring::StoredPacket;

/// In which form a viewer gets a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it came: it has no redundancy.
    Plain,
    /// As it came, with redundancy, under this payload type.
    Redundant(u8),
    /// Without so many bytes of redundancy.
    Primary(usize),
}

impl Form {
    /// Its payload type, where it would be `plain` without redundancy.
    pub(super) fn payload_type(self, plain: u8) -> u8 {
        match self {
            Self::Redundant(red) => red,
            Self::Plain | Self::Primary(_) => plain,
        }
    }

    /// What the viewer gets of `payload`.
    pub(super) fn taken(self, payload: &[u8]) -> &[u8] {
        match self {
            Self::Plain | Self::Redundant(_) => payload,
            Self::Primary(front) => payload.get(front..).unwrap_or_default(),
        }
    }
}

impl SubscriberTrack {
    /// How this viewer gets a packet. A retransmission stream carries the codec itself (its `apt`),
    /// so the packet comes without redundancy there; sent once more, it is as it was.
    pub(super) fn form(&self, packet: &StoredPacket, sending: Sending) -> Form {
        let Some(front) = packet.redundancy_bytes else { return Form::Plain };
        match (self.terms.red_payload_type, sending) {
            (Some(red), Sending::First | Sending::Again) => Form::Redundant(red),
            (Some(_), Sending::Rtx { .. } | Sending::Probe { .. }) | (None, _) => {
                Form::Primary(front.into())
            }
        }
    }
}
