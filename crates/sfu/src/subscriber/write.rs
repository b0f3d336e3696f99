//! One packet of one viewer: header, payload and what is changed in both, protected in place.

use odeum_bwe::Purpose;
use odeum_rtp::codec::PictureNumbers;
use odeum_rtp::{HeaderWriter, Marker, red};

use super::SubscriberTrack;
use super::payload_format::PayloadFormat;
use crate::descriptors::{DESCRIPTOR_BYTES_MAX, fewer_targets};
use crate::forwarder::Numbers;
use crate::header::{HEADER_BYTES_MAX, descriptor_room, write_header};
use crate::layering::Shape;
use crate::ring::{ForwardedExtensions, Stored};
use crate::send_path::SendPath;

/// The original sequence number in front of a retransmitted payload (RFC 4588 §4).
const RTX_PREFIX_BYTES: usize = 2;

/// How a packet is sent.
#[derive(Clone, Copy)]
pub(super) enum Sending {
    /// For the first time.
    First,
    /// Once more, unchanged.
    Again,
    /// Once more, on the retransmission stream.
    Rtx {
        /// Its sequence number of the first time.
        original: u16,
    },
    /// The same, though nobody misses it.
    Probe {
        /// Its sequence number of the first time.
        original: u16,
    },
}

impl SubscriberTrack {
    /// Writes and protects one packet; gives its size, or `None` when it could not be sent.
    pub(super) fn write(
        &self,
        path: &mut SendPath<'_>,
        stored: Stored<'_>,
        numbers: Numbers,
        sending: Sending,
    ) -> Option<usize> {
        let Stored { packet, descriptor, payload } = stored;
        let (descriptor, payload, marker) = match numbers.shape {
            Shape::Whole => (descriptor, payload, packet.marker),
            Shape::EndsPicture => (descriptor, payload, Marker::Set),
            Shape::Empty => (&[][..], &[][..], Marker::Clear),
        };
        let format = self.payload_format(packet, sending);
        let payload = format.strip(payload);
        let overhead = path.outbound.profile().rtp_overhead_bytes();
        let header_max = HEADER_BYTES_MAX + descriptor_room(descriptor);
        let room = header_max + RTX_PREFIX_BYTES + payload.len() + overhead;
        let Ok(bytes) = path.arena.room(room) else {
            path.statistics.dropped_queue_full += 1;
            return None;
        };
        let (ssrc, payload_type) = match (sending, self.terms.rtx) {
            (Sending::Rtx { .. } | Sending::Probe { .. }, Some(rtx)) => rtx,
            _ => (self.terms.ssrc, self.terms.payload_type),
        };
        let payload_type = format.payload_type(payload_type);
        let header = HeaderWriter {
            marker,
            payload_type,
            sequence_number: numbers.sequence as u16,
            timestamp: numbers.timestamp,
            ssrc,
            csrcs: &[],
        };
        let transport_number = self.terms.extensions.transport_sequence.and_then(|_| {
            let purpose = match sending {
                Sending::Probe { .. } => Purpose::Probe,
                Sending::First | Sending::Rtx { .. } | Sending::Again => Purpose::Media,
            };
            Some(path.flow.as_mut()?.sent(path.now, room, purpose))
        });
        let values = (&packet.extensions, descriptor);
        let mut end = self.write_header(&header, bytes, values, numbers, transport_number)?;
        if let Sending::Rtx { original } | Sending::Probe { original } = sending {
            bytes[end..end + RTX_PREFIX_BYTES].copy_from_slice(&original.to_be_bytes());
            end += RTX_PREFIX_BYTES;
        }
        let written = &mut bytes[end..end + payload.len()];
        written.copy_from_slice(payload);
        self.rewrite(written, numbers, format);
        let total = end + payload.len() + overhead;
        let protected = match sending {
            Sending::First | Sending::Rtx { .. } | Sending::Probe { .. } => {
                path.outbound.protect_rtp(&mut bytes[..total])
            }
            // The header is made from the ring and the mapping, which do not change: these are the
            // bytes of the first time. If there was none, because a queue was full, this is it.
            Sending::Again => {
                let first = path.outbound.protect_rtp(&mut bytes[..total]);
                first.or_else(|_| path.outbound.protect_rtp_again(&mut bytes[..total]))
            }
        };
        // Refused when it is a duplicate or has fallen out of the window: it is of no use then.
        protected.ok()?;
        path.arena.commit(path.destination, total);
        Some(total)
    }

    /// Puts this viewer's numbers into a payload.
    fn rewrite(&self, payload: &mut [u8], numbers: Numbers, format: PayloadFormat) {
        if numbers.picture_offset != PictureNumbers::default() {
            PictureNumbers::shift(self.terms.codec, payload, numbers.picture_offset);
        }
        if let PayloadFormat::Redundant(_) = format {
            red::set_payload_type(payload, self.terms.payload_type);
        }
    }

    fn write_header(
        &self,
        header: &HeaderWriter<'_>,
        bytes: &mut [u8],
        (values, descriptor): (&ForwardedExtensions, &[u8]),
        numbers: Numbers,
        transport_number: Option<u16>,
    ) -> Option<usize> {
        let ids = &self.terms.extensions;
        let Some(active) = numbers.active else {
            return write_header(header, bytes, (values, descriptor), ids, transport_number);
        };
        let own = &mut [0; DESCRIPTOR_BYTES_MAX];
        let descriptor = fewer_targets(descriptor, active, own);
        write_header(header, bytes, (values, descriptor), ids, transport_number)
    }
}
