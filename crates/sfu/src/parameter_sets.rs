//! The parameter sets of an H.264 or H.265 stream. Some publishers say them in SDP alone, or send
//! them once; browsers want them in band, before each key frame that they begin with. Where a
//! publisher leaves them out they are put in, as packets of their own, for which the numbers of all
//! that follows are raised.
//!
//! That happens where the packets of a track are numbered, so that its ring, its viewers and their
//! retransmissions know nothing of it, and what is said to the publisher is about its own numbers.
//! A mirror on another worker does the same by itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use odeum_rtp::codec::{self, ParameterSet, SetKind, SetName};
use odeum_rtp::negotiate::{CodecFormat, Packetization};
use odeum_types::Codec;

use crate::ring::Ring;

/// Parameter sets of one stream; more are not kept. Encoders have one of each kind.
const SETS_MAX: usize = 8;

/// Bytes of all of them; one that would be too many is not kept. Those of encoders are below 200.
const SETS_BYTES_MAX: usize = 2_400;

/// Bytes of a payload: with headers and all it is as small as other packets. A longer set is not
/// kept, and several that are longer go in payloads of their own.
const PAYLOAD_BYTES_MAX: usize = 1_100;

/// Sets are put in at most so often, and once for a time of the stream: a publisher's tiny key
/// frames could have every viewer sent many times their bytes. Key frames in between have none.
const PUT_IN_INTERVAL: Duration = Duration::from_millis(100);

/// Packets before a key frame that are looked at for its sets.
const BEFORE_MAX: u64 = 16;

/// Changes of the numbers that are remembered for packets from before them: 32 key frames. Of a
/// stream of nothing else a packet that is later than that is left out.
const RAISES_MAX: usize = 32;

/// A set that is known.
#[derive(Debug)]
struct Known {
    name: SetName,
    /// The NAL unit.
    unit: Box<[u8]>,
    /// The number of the packet that brought it; none from SDP.
    sequence: Option<u64>,
}

/// From a packet on numbers are raised.
#[derive(Debug, Clone, Copy)]
struct Raise {
    /// The packet's number without.
    first: u64,
    /// By how much, all in all.
    by: u64,
}

/// Whether a key frame comes with its sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// They are in band just before it.
    Yes,
    /// They are not.
    No,
    /// A packet before it is missing, and may have them.
    Unknown,
}

/// What is known of a stream's sets, and what was put in of them.
pub(crate) struct ParameterSets {
    codec: Codec,
    /// Whether several sets may be in one packet.
    aggregates: bool,
    /// At most [`SETS_MAX`] and [`SETS_BYTES_MAX`].
    known: Vec<Known>,
    /// Payloads of all of them; none while one of a kind that decoders need is missing.
    payloads: Vec<Box<[u8]>>,
    /// The last key frame came with its sets.
    is_carrier: bool,
    /// When they were last put in, and at which timestamp.
    last_put_in: Option<(Instant, u32)>,
    /// Since when numbers are raised, the latest last; at most [`RAISES_MAX`].
    raises: VecDeque<Raise>,
    /// There were more of them.
    has_forgotten: bool,
}

impl ParameterSets {
    /// Those of a stream that SDP says `said` of; none of a codec without.
    pub(crate) fn new<'a>(
        format: CodecFormat,
        said: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Box<Self>> {
        let aggregates = match format {
            CodecFormat::H264(h264) => h264.packetization == Packetization::NonInterleaved,
            CodecFormat::H265(_) => true,
            CodecFormat::Opus | CodecFormat::Vp8 | CodecFormat::Vp9(_) | CodecFormat::Av1(_) => {
                return None;
            }
        };
        let mut sets = Self {
            codec: format.codec(),
            aggregates,
            known: Vec::new(),
            payloads: Vec::new(),
            is_carrier: false,
            last_put_in: None,
            raises: VecDeque::new(),
            has_forgotten: false,
        };
        for unit in said {
            sets.learn(None, unit);
        }
        Some(Box::new(sets))
    }

    /// Takes note of the sets in a payload, of the packet `sequence` or of SDP.
    pub(crate) fn learn(&mut self, sequence: Option<u64>, payload: &[u8]) {
        let mut is_changed = false;
        for ParameterSet { name, unit } in ParameterSet::all(self.codec, payload) {
            if let Some(at) = self.known.iter().position(|known| known.name == name) {
                let known = &mut self.known[at];
                // It came late, and another has come meanwhile.
                if known.sequence > sequence {
                    continue;
                }
                if *known.unit == *unit {
                    known.sequence = sequence;
                    continue;
                }
                // It is out of date, whether there is room for the other or not.
                self.known.swap_remove(at);
                is_changed = true;
            }
            if self.has_room(unit) {
                self.known.push(Known { name, unit: unit.into(), sequence });
                is_changed = true;
            }
        }
        if is_changed {
            self.known.sort_by_key(|known| known.name);
            self.payloads = self.packed();
        }
    }

    /// Whether the picture that begins with `payload`, the packet `number`, has its sets with it.
    pub(crate) fn carried(&self, ring: &Ring, number: u64, payload: &[u8]) -> Carried {
        let needed = SetKind::needed(self.codec);
        let mut found = [false; 3];
        let mut find = |payload: &[u8]| {
            ParameterSet::all(self.codec, payload).for_each(|s| found[s.name.kind as usize] = true);
            needed.iter().all(|kind| found[*kind as usize])
        };
        if find(payload) {
            return Carried::Yes;
        }
        for back in 1..=BEFORE_MAX {
            let before = number.checked_sub(back).and_then(|before| ring.get(before));
            let Some(before) = before else { return Carried::Unknown };
            if codec::has_slice(self.codec, before.payload) {
                break;
            }
            if find(before.payload) {
                return Carried::Yes;
            }
        }
        Carried::No
    }

    /// What is to be put in before a key frame that is the newest packet; nothing when it is not
    /// needed or not known.
    pub(crate) fn missing(&mut self, carried: Carried) -> &[Box<[u8]>] {
        if carried != Carried::Unknown {
            self.is_carrier = carried == Carried::Yes;
        }
        if self.is_carrier { &[] } else { &self.payloads }
    }

    /// Whether sets may be put in now, at a timestamp.
    pub(crate) fn is_due(&self, now: Instant, timestamp: u32) -> bool {
        self.last_put_in.is_none_or(|(at, of)| {
            of != timestamp && now.saturating_duration_since(at) >= PUT_IN_INTERVAL
        })
    }

    /// Takes note that sets were put in.
    pub(crate) fn put_in(&mut self, now: Instant, timestamp: u32) {
        self.last_put_in = Some((now, timestamp));
    }

    /// Raises the numbers from `first` on, which is its number without, by `by` more.
    pub(crate) fn raise(&mut self, first: u64, by: u64) {
        if self.raises.len() == RAISES_MAX {
            self.raises.pop_front();
            self.has_forgotten = true;
        }
        let before = self.raises.back().map_or(0, |raise| raise.by);
        self.raises.push_back(Raise { first, by: before + by });
    }

    /// The number of a packet, where `sequence` is that without any that was put in; none of one
    /// from too long ago.
    pub(crate) fn number(&self, sequence: u64) -> Option<u64> {
        match self.raises.iter().rfind(|raise| raise.first <= sequence) {
            Some(raise) => Some(sequence + raise.by),
            None => (!self.has_forgotten).then_some(sequence),
        }
    }

    /// All that are known, each a NAL unit.
    pub(crate) fn units(&self) -> impl Iterator<Item = &[u8]> {
        self.known.iter().map(|known| &*known.unit)
    }

    fn has_room(&self, unit: &[u8]) -> bool {
        let bytes = self.units().map(<[u8]>::len).sum::<usize>() + unit.len();
        self.known.len() < SETS_MAX && unit.len() <= PAYLOAD_BYTES_MAX && bytes <= SETS_BYTES_MAX
    }

    fn packed(&self) -> Vec<Box<[u8]>> {
        let has = |kind: &SetKind| self.known.iter().any(|known| known.name.kind == *kind);
        if !SetKind::needed(self.codec).iter().all(has) {
            return Vec::new();
        }
        let units: Vec<_> = self.units().collect();
        let aggregate = codec::aggregate(self.codec, &units).filter(|_| self.aggregates);
        match aggregate.filter(|payload| payload.len() <= PAYLOAD_BYTES_MAX) {
            Some(payload) => vec![payload.into()],
            None => units.into_iter().map(Box::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use odeum_rtp::negotiate::ProfileNumber;

    use super::*;

    const VPS: [u8; 4] = [64, 1, 0x0C, 1];
    const SPS: [u8; 16] = [66, 1, 1, 1, 0x60, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0xA0];
    const PPS: [u8; 4] = [68, 1, 0xC1, 0x72];

    fn sets(said: &[&[u8]]) -> Box<ParameterSets> {
        ParameterSets::new(CodecFormat::H265(ProfileNumber(1)), said.iter().copied()).unwrap()
    }

    #[test]
    fn packets_from_before_a_key_frame_keep_their_numbers() {
        let mut sets = sets(&[&VPS, &SPS, &PPS]);
        for key in 0..100u64 {
            let first = 1_000 + 10 * key;
            sets.raise(first, 2);
            let number = |back: u64| sets.number(first - back);
            let since = |keys: u64| 2 * (key + 1).saturating_sub(keys);
            assert_eq!(number(0), Some(first + since(0)));
            assert_eq!(number(1), Some(first - 1 + since(1)));
            // Raises before those that are remembered are not known any more.
            let far = 10 * RAISES_MAX as u64;
            let expected =
                (key < RAISES_MAX as u64).then_some(first - far + since(RAISES_MAX as u64));
            assert_eq!(number(far), expected, "{key}");
        }
    }

    #[test]
    fn nothing_is_put_in_while_a_kind_is_missing_and_what_is_too_large_goes_in_packets_apart() {
        let payloads = |said: &[&[u8]]| sets(said).missing(Carried::No).len();
        assert_eq!(payloads(&[]), 0);
        assert_eq!(payloads(&[&PPS, &SPS]), 0);
        assert_eq!(payloads(&[&PPS, &SPS, &VPS]), 1);
        let long = [&PPS[..], &[0xFF; PAYLOAD_BYTES_MAX - PPS.len()]].concat();
        let mut sets = sets(&[&long, &SPS, &VPS]);
        assert_eq!(sets.missing(Carried::No), [&VPS[..], &SPS, &long].map(Box::from));
        assert_eq!(sets.missing(Carried::Yes).len(), 0);
        assert_eq!(sets.missing(Carried::Unknown).len(), 0, "as the last time");
    }

    #[test]
    fn of_many_sets_the_first_are_kept() {
        let many: Vec<_> = (0..20u8).map(|id| [64, 1, id << 4 | 0x0C, id]).collect();
        let mut sets = sets(&[&SPS, &PPS]);
        many.iter().for_each(|unit| sets.learn(None, unit));
        assert_eq!(sets.units().count(), SETS_MAX);
        let [first] = sets.missing(Carried::No) else { panic!("one packet") };
        let first = first.clone();
        // A set that is older than what is known changes nothing.
        sets.learn(Some(7), &[64, 1, 0x0C, 77]);
        sets.learn(Some(6), &[64, 1, 0x0C, 78]);
        let [now] = sets.missing(Carried::No) else { panic!("one packet") };
        assert!(now.contains(&77) && !now.contains(&78) && now.len() == first.len());
    }

    #[test]
    fn what_is_too_long_is_not_kept_and_what_it_takes_the_place_of_neither() {
        let long = |bytes: usize| [&PPS[..], &vec![0xFF; bytes - PPS.len()]].concat();
        let mut sets = sets(&[&VPS, &SPS, &PPS]);
        sets.learn(Some(1), &long(PAYLOAD_BYTES_MAX + 1));
        assert_eq!(sets.units().collect::<Vec<_>>(), [&VPS[..], &SPS]);
        assert_eq!(sets.missing(Carried::No).len(), 0);
        sets.learn(Some(2), &long(PAYLOAD_BYTES_MAX));
        assert_eq!(sets.units().count(), 3);
        // The others of a kind, ids 1 to 7, all as long as one may be.
        for id in 1..8u8 {
            let mut unit = [64, 1, id << 4 | 0x0C].to_vec();
            unit.resize(PAYLOAD_BYTES_MAX, 0xFF);
            sets.learn(Some(3), &unit);
        }
        let bytes: usize = sets.units().map(<[u8]>::len).sum();
        assert!((2 * PAYLOAD_BYTES_MAX..=SETS_BYTES_MAX).contains(&bytes), "{bytes}");
    }
}
