//! The header that a subscriber gets: the publisher's values behind its own numbers and ids.

use odeum_rtp::{ExtensionKind, ExtensionMap, HeaderWriter};

use crate::ring::ForwardedExtensions;

/// Room for a subscriber's header: the fixed part, the extension block's head, and four elements
/// of one, one, three and two bytes in the two-byte form, padded.
pub(crate) const HEADER_BYTES_MAX: usize = 12 + 4 + 16;

/// The ids of the extensions that a subscriber gets, from its SDP.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ExtensionIds {
    /// Of the audio level.
    audio_level: Option<u8>,
    /// Of the video orientation.
    video_orientation: Option<u8>,
    /// Of the playout delay.
    playout_delay: Option<u8>,
    /// Of the transport-wide sequence number.
    pub(crate) transport_sequence: Option<u8>,
}

impl ExtensionIds {
    pub(crate) fn of(map: &ExtensionMap) -> Self {
        Self {
            audio_level: map.id(ExtensionKind::AudioLevel),
            video_orientation: map.id(ExtensionKind::VideoOrientation),
            playout_delay: map.id(ExtensionKind::PlayoutDelay),
            transport_sequence: map.id(ExtensionKind::TransportSequenceNumber),
        }
    }
}

/// Writes it; gives its length.
pub(crate) fn write_header(
    header: &HeaderWriter<'_>,
    bytes: &mut [u8],
    values: &ForwardedExtensions,
    ids: &ExtensionIds,
    transport_number: Option<u16>,
) -> Option<usize> {
    let level = values.audio_level.map(|value| [value]);
    let orientation = values.video_orientation.map(|value| [value]);
    let delay = values.playout_delay;
    let number = transport_number.map(u16::to_be_bytes);
    let candidates: [(Option<u8>, Option<&[u8]>); 4] = [
        (ids.audio_level, level.as_ref().map(<[u8; 1]>::as_slice)),
        (ids.video_orientation, orientation.as_ref().map(<[u8; 1]>::as_slice)),
        (ids.playout_delay, delay.as_ref().map(<[u8; 3]>::as_slice)),
        (ids.transport_sequence, number.as_ref().map(<[u8; 2]>::as_slice)),
    ];
    let mut elements: [(u8, &[u8]); 4] = [(0, &[]); 4];
    let mut count = 0;
    for (id, value) in candidates {
        if let (Some(id), Some(value)) = (id, value) {
            elements[count] = (id, value);
            count += 1;
        }
    }
    // Fails only for want of room, and the room was asked for with the largest header in mind.
    header.write(bytes, &elements[..count]).ok()
}
