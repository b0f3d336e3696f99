//! The header that a subscriber gets: the publisher's values behind its own numbers and ids.

use odeum_rtp::{ExtensionKind, ExtensionMap, HeaderWriter};

use crate::ring::ForwardedExtensions;

/// Room for a subscriber's header: the fixed part, the extension block's head, and four elements
/// of one, one, three and two bytes in the two-byte form, padded. Without a dependency descriptor.
pub(crate) const HEADER_BYTES_MAX: usize = 12 + 4 + 16;

/// Room for a dependency descriptor beside that: id, length and value, and padding.
pub(crate) fn descriptor_room(descriptor: &[u8]) -> usize {
    if descriptor.is_empty() { 0 } else { 2 + descriptor.len() + 3 }
}

/// The ids of the extensions that a subscriber gets, from its SDP.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ExtensionIds {
    /// Of the audio level.
    audio_level: Option<u8>,
    /// Of the video orientation.
    video_orientation: Option<u8>,
    /// Of the playout delay.
    playout_delay: Option<u8>,
    /// Of the dependency descriptor.
    dependency_descriptor: Option<u8>,
    /// Of the transport-wide sequence number.
    pub(crate) transport_sequence: Option<u8>,
}

impl ExtensionIds {
    pub(crate) fn of(map: &ExtensionMap) -> Self {
        Self {
            audio_level: map.id(ExtensionKind::AudioLevel),
            video_orientation: map.id(ExtensionKind::VideoOrientation),
            playout_delay: map.id(ExtensionKind::PlayoutDelay),
            dependency_descriptor: map.id(ExtensionKind::DependencyDescriptor),
            transport_sequence: map.id(ExtensionKind::TransportSequenceNumber),
        }
    }

    /// Whether the subscriber gets dependency descriptors.
    pub(crate) fn describes(&self) -> bool {
        self.dependency_descriptor.is_some()
    }
}

/// Writes it, with the values of its extensions and a dependency descriptor, which may be empty;
/// gives its length.
pub(crate) fn write_header(
    header: &HeaderWriter<'_>,
    bytes: &mut [u8],
    (values, descriptor): (&ForwardedExtensions, &[u8]),
    ids: &ExtensionIds,
    transport_number: Option<u16>,
) -> Option<usize> {
    let level = values.audio_level.map(|value| [value]);
    let orientation = values.video_orientation.map(|value| [value]);
    let delay = values.playout_delay;
    let number = transport_number.map(u16::to_be_bytes);
    let descriptor = Some(descriptor).filter(|descriptor| !descriptor.is_empty());
    let candidates: [(Option<u8>, Option<&[u8]>); 5] = [
        (ids.audio_level, level.as_ref().map(<[u8; 1]>::as_slice)),
        (ids.video_orientation, orientation.as_ref().map(<[u8; 1]>::as_slice)),
        (ids.playout_delay, delay.as_ref().map(<[u8; 3]>::as_slice)),
        (ids.dependency_descriptor, descriptor),
        (ids.transport_sequence, number.as_ref().map(<[u8; 2]>::as_slice)),
    ];
    let mut elements: [(u8, &[u8]); 5] = [(0, &[]); 5];
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
