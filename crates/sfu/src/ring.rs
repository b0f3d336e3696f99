//! A track's ring: each payload lies here once, for the fan-out and for every retransmission.
//!
//! A slot per sequence number, and payloads in a ring of bytes. What is overwritten is found out by
//! comparing positions, so that nothing has to be cleaned up.

use odeum_rtp::{ExtensionKind, ExtensionMap, RtpPacket};

use crate::forwarder::PacketFacts;

/// Header extension values that travel with a packet, behind a subscriber's own ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ForwardedExtensions {
    /// Audio level (RFC 6464 §3): V bit and level.
    pub(crate) audio_level: Option<u8>,
    /// Coordination of video orientation (3GPP TS 26.114 §7.4.5).
    pub(crate) video_orientation: Option<u8>,
    /// Playout delay, 12 bits each for minimum and maximum, in 10 ms.
    pub(crate) playout_delay: Option<[u8; 3]>,
}

impl ForwardedExtensions {
    /// What a packet has of them, under a publisher's ids.
    pub(crate) fn of(packet: &RtpPacket<'_>, ids: &ExtensionMap) -> Self {
        let mut forwarded = Self::default();
        for (id, value) in packet.extensions() {
            match (ids.kind(id), value) {
                (Some(ExtensionKind::AudioLevel), [level, ..]) => {
                    forwarded.audio_level = Some(*level);
                }
                (Some(ExtensionKind::VideoOrientation), [orientation, ..]) => {
                    forwarded.video_orientation = Some(*orientation);
                }
                (Some(ExtensionKind::PlayoutDelay), [a, b, c]) => {
                    forwarded.playout_delay = Some([*a, *b, *c]);
                }
                // Only those that a subscriber may have are kept.
                _ => {}
            }
        }
        forwarded
    }
}

/// What is known of a packet beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredPacket {
    /// What the forwarder decides by.
    pub(crate) facts: PacketFacts,
    /// The publisher's marker bit.
    pub(crate) marker: odeum_rtp::Marker,
    /// Bytes of its payload before the primary one (RFC 2198); none without redundancy.
    pub(crate) redundancy_bytes: Option<u16>,
    /// Values for the subscribers' header extensions.
    pub(crate) extensions: ForwardedExtensions,
}

/// A packet in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored<'r> {
    /// All but what follows.
    pub(crate) packet: &'r StoredPacket,
    /// The value of its dependency descriptor, as viewers get it; empty when they get none.
    pub(crate) descriptor: &'r [u8],
    /// Its payload.
    pub(crate) payload: &'r [u8],
}

/// Where a packet lies.
#[derive(Clone, Copy)]
struct Slot {
    /// All but its payload.
    packet: StoredPacket,
    /// Where it begins, counted since the ring's first byte.
    position: u64,
    /// How long it is, the descriptor in front of the payload included.
    length: u16,
    /// The descriptor's length.
    descriptor: u8,
}

/// Packets of one track by their extended sequence numbers.
pub(crate) struct Ring {
    /// By the low bits of the sequence number.
    slots: Box<[Option<Slot>]>,
    /// Payloads; none wraps around the end.
    bytes: Box<[u8]>,
    /// Bytes written since the first.
    written: u64,
}

impl Ring {
    /// A ring of `packets` slots (a power of two) and `bytes` bytes.
    pub(crate) fn new(packets: usize, bytes: usize) -> Self {
        debug_assert!(packets.is_power_of_two());
        Self {
            slots: vec![None; packets].into_boxed_slice(),
            bytes: vec![0; bytes].into_boxed_slice(),
            written: 0,
        }
    }

    /// Keeps a packet, over the oldest ones. What is larger than the ring is left out.
    pub(crate) fn push(&mut self, packet: StoredPacket, descriptor: &[u8], payload: &[u8]) {
        let capacity = self.bytes.len() as u64;
        let size = descriptor.len() + payload.len();
        let lengths = (u16::try_from(size), u8::try_from(descriptor.len()));
        let (Ok(length), Ok(descriptor_length)) = lengths else { return };
        if size > self.bytes.len() {
            return;
        }
        let mut offset = (self.written % capacity) as usize;
        if offset + size > self.bytes.len() {
            self.written += capacity - offset as u64;
            offset = 0;
        }
        let (before, after) = self.bytes[offset..offset + size].split_at_mut(descriptor.len());
        before.copy_from_slice(descriptor);
        after.copy_from_slice(payload);
        let slot = self.slot_of(packet.facts.sequence);
        let position = self.written;
        self.slots[slot] = Some(Slot { packet, position, length, descriptor: descriptor_length });
        self.written += size as u64;
    }

    /// The packet with this extended sequence number, if it is still here.
    pub(crate) fn get(&self, sequence: u64) -> Option<Stored<'_>> {
        let slot = self.slots[self.slot_of(sequence)].as_ref()?;
        let capacity = self.bytes.len() as u64;
        if slot.packet.facts.sequence != sequence || self.written - slot.position > capacity {
            return None;
        }
        let offset = (slot.position % capacity) as usize;
        let bytes = &self.bytes[offset..offset + usize::from(slot.length)];
        let (descriptor, payload) = bytes.split_at(slot.descriptor.into());
        Some(Stored { packet: &slot.packet, descriptor, payload })
    }

    /// Whether a packet with this sequence number was kept, even if its payload is overwritten by
    /// now. A number must not get a second payload: what a subscriber gets under one number is
    /// encrypted under one nonce. Holds for numbers that no newer one has pushed out of its slot.
    pub(crate) fn has_had(&self, sequence: u64) -> bool {
        let slot = self.slots[self.slot_of(sequence)].as_ref();
        slot.is_some_and(|slot| slot.packet.facts.sequence == sequence)
    }

    fn slot_of(&self, sequence: u64) -> usize {
        (sequence as usize) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarder::FrameStart;

    fn packet(sequence: u64) -> StoredPacket {
        StoredPacket {
            facts: PacketFacts { sequence, timestamp: 0, frame: FrameStart::Other, picture: None },
            marker: odeum_rtp::Marker::Clear,
            redundancy_bytes: None,
            extensions: ForwardedExtensions::default(),
        }
    }

    #[test]
    fn payloads_come_back_as_they_went_in_or_not_at_all() {
        let mut ring = Ring::new(16, 1_000);
        for sequence in 0..500u64 {
            let length = 50 + (sequence as usize * 37) % 100;
            let descriptor = vec![!sequence as u8; sequence as usize % 3];
            ring.push(packet(sequence), &descriptor, &vec![sequence as u8; length]);
            let mut found = 0;
            for back in 0..=sequence.min(20) {
                let asked = sequence - back;
                if let Some(Stored { descriptor, payload, .. }) = ring.get(asked) {
                    assert_eq!(payload, vec![asked as u8; 50 + (asked as usize * 37) % 100]);
                    assert_eq!(descriptor, vec![!asked as u8; asked as usize % 3]);
                    found += 1;
                }
            }
            assert!(found >= (sequence + 1).min(5), "{sequence}: {found}");
        }
    }

    #[test]
    fn the_limit_of_packets_holds_too() {
        let mut ring = Ring::new(4, 1_000);
        for sequence in 0..5 {
            ring.push(packet(sequence), &[], b"x");
        }
        assert!(ring.get(0).is_none());
        assert!(ring.get(1).is_some());
        assert!(ring.get(5).is_none());
    }

    #[test]
    fn a_number_stays_taken_when_its_payload_is_gone() {
        let mut ring = Ring::new(4, 100);
        for sequence in 0..3 {
            ring.push(packet(sequence), &[], &[0; 60]);
        }
        assert!(ring.get(0).is_none());
        assert!(ring.has_had(0) && !ring.has_had(3) && !ring.has_had(4));
    }

    #[test]
    fn a_payload_larger_than_the_ring_is_left_out() {
        let mut ring = Ring::new(4, 100);
        ring.push(packet(0), &[], &[0; 101]);
        assert!(ring.get(0).is_none());
    }
}
