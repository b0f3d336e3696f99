//! The way of media from one worker to another: a bounded ring of bytes with one writer and one
//! reader, so that neither waits for the other. A packet that finds no room is lost, as in a
//! network.

use odeum_sfu::{Relayed, RelayedKind};
use odeum_types::PeerId;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::limits::{RELAY_RING_BYTES, RELAYED_PACKET_BYTES_MAX};

/// Bytes in front of each packet: whose it is, what it is, how long.
const HEAD_BYTES: usize = 8 + 1 + 2;

/// The writing end, at the worker that the publisher is connected to.
pub(crate) struct RelaySender {
    /// The ring.
    ring: Producer<u8>,
    /// Where head and packet are joined, so that the reader never sees one without the other.
    joined: Box<[u8; HEAD_BYTES + RELAYED_PACKET_BYTES_MAX]>,
}

/// The reading end, at the worker of the mirrors.
pub(crate) struct RelayReceiver {
    /// The ring.
    ring: Consumer<u8>,
    /// The packet that was read last.
    packet: Box<[u8; RELAYED_PACKET_BYTES_MAX]>,
}

/// The reader is behind, or the packet is larger than any that a network carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// Makes a ring. Its pages are not touched before they are used.
pub(crate) fn relay_ring() -> (RelaySender, RelayReceiver) {
    let (producer, consumer) = RingBuffer::new(RELAY_RING_BYTES);
    (
        RelaySender {
            ring: producer,
            joined: Box::new([0; HEAD_BYTES + RELAYED_PACKET_BYTES_MAX]),
        },
        RelayReceiver { ring: consumer, packet: Box::new([0; RELAYED_PACKET_BYTES_MAX]) },
    )
}

impl RelaySender {
    /// Puts a packet into the ring.
    pub(crate) fn send(&mut self, relayed: Relayed<'_>) -> Result<(), NoRoom> {
        let size = relayed.bytes.len();
        let length = u16::try_from(size).map_err(|_| NoRoom)?;
        if size > RELAYED_PACKET_BYTES_MAX {
            return Err(NoRoom);
        }
        let kind = match relayed.kind {
            RelayedKind::Rtp => 0,
            RelayedKind::Rtcp => 1,
        };
        self.joined[..8].copy_from_slice(&relayed.publisher.0.to_le_bytes());
        self.joined[8] = kind;
        self.joined[9..HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
        self.joined[HEAD_BYTES..HEAD_BYTES + size].copy_from_slice(relayed.bytes);
        self.ring.push_entire_slice(&self.joined[..HEAD_BYTES + size]).map_err(|_| NoRoom)
    }
}

impl RelayReceiver {
    /// The next packet, if there is one.
    pub(crate) fn receive(&mut self) -> Option<Relayed<'_>> {
        let mut head = [0; HEAD_BYTES];
        self.ring.pop_entire_slice(&mut head).ok()?;
        let [p0, p1, p2, p3, p4, p5, p6, p7, kind, l0, l1] = head;
        let packet = &mut self.packet[..usize::from(u16::from_le_bytes([l0, l1]))];
        self.ring.pop_entire_slice(packet).expect("head and packet were written together");
        Some(Relayed {
            publisher: PeerId(u64::from_le_bytes([p0, p1, p2, p3, p4, p5, p6, p7])),
            kind: if kind == 0 { RelayedKind::Rtp } else { RelayedKind::Rtcp },
            bytes: packet,
        })
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(publisher: u64, bytes: &[u8]) -> Relayed<'_> {
        Relayed { publisher: PeerId(publisher), kind: RelayedKind::Rtp, bytes }
    }

    #[test]
    fn packets_come_out_whole_in_order_around_the_end_of_the_ring() {
        let (mut sender, mut receiver) = relay_ring();
        // Sizes that share no divisor with the ring's, so that every way of wrapping occurs.
        for round in 0..20_000u64 {
            let bytes = vec![round as u8; 1 + round as usize % RELAYED_PACKET_BYTES_MAX];
            sender.send(packet(round, &bytes)).unwrap();
            let report = Relayed { kind: RelayedKind::Rtcp, ..packet(!round, &bytes) };
            sender.send(report).unwrap();
            assert_eq!(receiver.receive(), Some(packet(round, &bytes)));
            assert_eq!(receiver.receive(), Some(report));
            assert!(receiver.is_empty());
        }
        assert_eq!(receiver.receive(), None);
    }

    #[test]
    fn a_reader_that_is_behind_loses_packets_and_no_byte_of_the_others() {
        let (mut sender, mut receiver) = relay_ring();
        let bytes = [7; 1_000];
        let taken = (0..u64::MAX).take_while(|n| sender.send(packet(*n, &bytes)).is_ok()).count();
        assert!(taken >= RELAY_RING_BYTES / 1_100);
        for n in 0..taken as u64 {
            assert_eq!(receiver.receive(), Some(packet(n, &bytes)));
        }
        assert_eq!(receiver.receive(), None);
        assert_eq!(sender.send(packet(1, &[0; RELAYED_PACKET_BYTES_MAX + 1])), Err(NoRoom));
    }
}
