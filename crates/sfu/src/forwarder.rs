//! The forwarder decides, packet by packet, what a subscriber gets of a track. It writes nothing.
//!
//! [`decide`] knows no codec and no layer: a packet says whether a decoder can begin with it, and a
//! later choice of layers changes which track's packets come here and the mapping, not this.

/// Whether decoding can begin at a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameStart {
    /// It can: the first packet of a key frame, or any packet of audio.
    Decodable,
    /// It needs what came before.
    Other,
}

/// What a decision needs of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacketFacts {
    /// The publisher's sequence number, extended so that it does not wrap.
    pub(crate) sequence: u64,
    /// The publisher's timestamp, in units of the clock rate.
    pub(crate) timestamp: u32,
    /// Whether decoding can begin here.
    pub(crate) frame: FrameStart,
}

/// How the publisher's numbers become the subscriber's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The publisher's number of the first packet forwarded.
    source_first: u64,
    /// The subscriber's number of the same.
    target_first: u64,
    /// Added to timestamps, modulo 2^32.
    timestamp_offset: u32,
}

impl Mapping {
    /// The subscriber's timestamp for the publisher's.
    pub(crate) fn timestamp(&self, source: u32) -> u32 {
        source.wrapping_add(self.timestamp_offset)
    }

    /// The publisher's sequence number that the subscriber knows as `target`, in the neighbourhood
    /// of `newest`, the publisher's newest. `None` when it lies before the first one forwarded.
    pub(crate) fn source_sequence(&self, target: u16, newest: u64) -> Option<u64> {
        let newest_target = self.target_first + newest.checked_sub(self.source_first)?;
        let distance = i64::from(target.wrapping_sub(newest_target as u16) as i16);
        let source = newest.checked_add_signed(distance)?;
        (source >= self.source_first).then_some(source)
    }

    fn sequence(&self, source: u64) -> Option<u64> {
        Some(self.target_first + source.checked_sub(self.source_first)?)
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Not sent: nothing can be decoded before the next key frame.
    AwaitKeyFrame,
    /// Not sent: older than the first packet that was.
    BeforeStart,
    /// Sent, as the first one: `mapping` is the mapping from here on.
    Start {
        /// To be kept by the caller.
        mapping: Mapping,
    },
    /// Sent with these numbers.
    Forward {
        /// The subscriber's sequence number, extended.
        sequence: u64,
        /// The subscriber's timestamp.
        timestamp: u32,
    },
}

/// Where a subscriber's numbers begin: random, and low enough that the first packets do not roll
/// over while the other end may still lose them (RFC 3711 §3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// First sequence number, below 2^15.
    pub(crate) sequence: u16,
    /// First timestamp.
    pub(crate) timestamp: u32,
}

/// What becomes of the packet `facts` for a subscriber whose numbers are mapped by `mapping`, or,
/// before its first packet, will begin at `origin`.
pub(crate) fn decide(mapping: Option<&Mapping>, origin: Origin, facts: &PacketFacts) -> Decision {
    match mapping {
        None if facts.frame == FrameStart::Other => Decision::AwaitKeyFrame,
        None => Decision::Start {
            mapping: Mapping {
                source_first: facts.sequence,
                target_first: u64::from(origin.sequence),
                timestamp_offset: origin.timestamp.wrapping_sub(facts.timestamp),
            },
        },
        Some(mapping) => match mapping.sequence(facts.sequence) {
            None => Decision::BeforeStart,
            Some(sequence) => {
                Decision::Forward { sequence, timestamp: mapping.timestamp(facts.timestamp) }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin = Origin { sequence: 100, timestamp: 5_000 };

    fn facts(sequence: u64, timestamp: u32, frame: FrameStart) -> PacketFacts {
        PacketFacts { sequence, timestamp, frame }
    }

    fn started() -> Mapping {
        match decide(None, ORIGIN, &facts(70_000, u32::MAX, FrameStart::Decodable)) {
            Decision::Start { mapping } => mapping,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_sent_before_a_key_frame() {
        let decision = decide(None, ORIGIN, &facts(1, 1, FrameStart::Other));
        assert_eq!(decision, Decision::AwaitKeyFrame);
    }

    #[test]
    fn numbers_begin_at_the_origin_and_keep_their_distances() {
        let mapping = started();
        for (sequence, timestamp, expected) in [
            (70_000, u32::MAX, Decision::Forward { sequence: 100, timestamp: 5_000 }),
            (70_001, 2_999, Decision::Forward { sequence: 101, timestamp: 8_000 }),
            (70_005, 2_999, Decision::Forward { sequence: 105, timestamp: 8_000 }),
            (69_999, 0, Decision::BeforeStart),
        ] {
            let packet = facts(sequence, timestamp, FrameStart::Other);
            assert_eq!(decide(Some(&mapping), ORIGIN, &packet), expected);
        }
    }

    #[test]
    fn a_subscribers_number_leads_back_to_the_publishers() {
        let mapping = started();
        let newest = 70_000 + 70_000;
        for source in newest - 30_000..=newest {
            let target = (100 + source - 70_000) as u16;
            assert_eq!(mapping.source_sequence(target, newest), Some(source));
        }
        assert_eq!(mapping.source_sequence(99, 70_001), None);
    }
}
