//! Probes: packets that nobody misses, on the retransmission stream.

use odeum_bwe::{Burst, Purpose};
use odeum_rtp::{HeaderWriter, Marker};

use super::{Sending, SubscriberTrack};
use crate::header::{HEADER_BYTES_MAX, write_header};
use crate::ring::ForwardedExtensions;
use crate::send_path::SendPath;
use crate::track::Track;

/// Packets of one probe at most.
const PROBE_PACKETS_MAX: usize = 32;

/// Bytes of a packet of nothing but padding: as much as its last byte can say.
const PADDING_BYTES: usize = 255;

/// P of the first byte.
const PADDING_BIT: u8 = 0x20;

/// How far back a probe looks for packets to send again.
const PROBE_DEPTH: u16 = 16;

impl SubscriberTrack {
    /// Sends a burst to see how fast it arrives: packets again that the subscriber has had, and
    /// padding when no ring has them any more.
    pub(crate) fn probe(&mut self, path: &mut SendPath<'_>, layers: &[Track], burst: Burst) {
        if self.terms.rtx.is_none() {
            return;
        }
        let newest = self.forwarder.newest().unwrap_or_default();
        let mut left = burst.bytes;
        for back in (0..PROBE_DEPTH).cycle().take(PROBE_PACKETS_MAX) {
            let original = newest.wrapping_sub(back);
            let sent = match self.stored(layers, original) {
                Some((numbers, stored)) => {
                    let numbers = self.rtx_numbers(numbers);
                    self.write(path, stored, numbers, Sending::Probe { original })
                }
                None => self.write_padding(path),
            };
            path.statistics.probe_packets += u64::from(sent.is_some());
            left = left.saturating_sub(sent.unwrap_or(left));
            if left == 0 {
                return;
            }
        }
    }

    /// Writes a packet of nothing but padding on the retransmission stream (RFC 3550 §5.1).
    fn write_padding(&mut self, path: &mut SendPath<'_>) -> Option<usize> {
        let (ssrc, payload_type) = self.terms.rtx?;
        let overhead = path.outbound.profile().rtp_overhead_bytes();
        let room = HEADER_BYTES_MAX + PADDING_BYTES + overhead;
        let bytes = path.arena.room(room).ok()?;
        let header = HeaderWriter {
            marker: Marker::Clear,
            payload_type,
            sequence_number: self.rtx_sequence,
            timestamp: 0,
            ssrc,
            csrcs: &[],
        };
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        let number = path.flow.as_mut()?.sent(path.now, room, Purpose::Probe);
        let ids = &self.terms.extensions;
        let values = (&ForwardedExtensions::default(), &[][..]);
        let end = write_header(&header, bytes, values, ids, Some(number))?;
        bytes[0] |= PADDING_BIT;
        bytes[end..end + PADDING_BYTES].fill(0);
        bytes[end + PADDING_BYTES - 1] = PADDING_BYTES as u8;
        let total = end + PADDING_BYTES + overhead;
        path.outbound.protect_rtp(&mut bytes[..total]).ok()?;
        path.arena.commit(path.destination, total);
        Some(total)
    }
}
