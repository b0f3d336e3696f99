//! Probing: a burst of extra packets, sent at once. The way hands them on one after another as fast
//! as its narrowest part can, so that the distances at which they arrive tell how fast that is.

use std::time::Duration;

use odeum_types::Bitrate;

use crate::flow::FlowNumber;
use crate::history::Sent;

/// How long a burst keeps a way busy that is as fast as wanted. Longer measures better and holds up
/// what comes behind it for longer on a way that is slower.
const LENGTH: Duration = Duration::from_millis(80);

/// Bounds of a burst, in bytes.
const BYTES: std::ops::RangeInclusive<u64> = 4_000..=16_000;

/// Share of the burst that has to arrive for it to say anything, in per cent. What a way loses by
/// chance must not keep a picture away for good; what a full queue drops comes behind what it
/// handed on, and that arrived no faster than the way is.
const ARRIVED_PERCENT: u64 = 50;

/// Fewer packets say nothing.
const PACKETS_MIN: u32 = 4;

/// Share of what was measured that is believed, in per cent: cross traffic comes and goes.
const BELIEVED_PERCENT: u64 = 90;

/// Time after which what has not been told of is taken to be lost, in microseconds.
const PATIENCE_US: u64 = 1_000_000;

/// Time between two bursts, in microseconds: the shortest, doubled with each that found
/// nothing. The longest is what a viewer waits at most for a picture that there is room for
/// again; a burst each four seconds is 32 kbit/s at the most.
const INTERVAL_US: std::ops::RangeInclusive<u64> = 1_000_000..=4_000_000;

/// Extra packets to be sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// How much, in bytes, headers included.
    pub bytes: usize,
}

/// What was sent of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ProbeSent {
    /// Number of its last packet; zero while none was sent.
    last: u64,
    /// Bytes.
    bytes: u64,
}

impl ProbeSent {
    /// A packet of the burst was sent.
    pub(crate) fn add(&mut self, number: u64, size: usize) {
        self.last = number;
        self.bytes += size as u64;
    }
}

/// A burst on its way.
#[derive(Debug)]
struct Running {
    /// Whose packets it is of.
    flow: FlowNumber,
    /// What it has to show at least to be of use.
    needed: Bitrate,
    /// What it is to show.
    wanted: Bitrate,
    /// Packets that arrived, and their bytes.
    arrived: (u32, u64),
    /// The first arrival and the size of that packet; arrival in microseconds of the receiver.
    first: Option<(i64, u16)>,
    /// The last arrival.
    last_us: i64,
    /// When to wait no longer, in microseconds.
    until_us: u64,
}

/// When bursts are sent and what they have shown.
#[derive(Debug)]
pub(crate) struct Probing {
    /// The one on its way.
    running: Option<Running>,
    /// No other one before this, in microseconds.
    next_us: u64,
    /// The distance to the one after.
    interval_us: u64,
    /// The shortest distance, doubled while what bursts show does not hold.
    interval_min_us: u64,
}

impl Probing {
    pub(crate) fn new() -> Self {
        let start_us = *INTERVAL_US.start();
        let (next_us, interval_us, interval_min_us) = (start_us, start_us, start_us);
        Self { running: None, next_us, interval_us, interval_min_us }
    }

    /// Begins a burst over a flow that is to show whether as much as needed goes, and up to what is
    /// wanted, if it is time for one.
    pub(crate) fn begin(
        &mut self,
        now_us: u64,
        flow: FlowNumber,
        (needed, wanted): (Bitrate, Bitrate),
    ) -> Option<Burst> {
        if self.running.is_some() || now_us < self.next_us {
            return None;
        }
        self.next_us = now_us + self.interval_us;
        self.running = Some(Running {
            flow,
            needed,
            wanted,
            arrived: (0, 0),
            first: None,
            last_us: i64::MIN,
            until_us: now_us + PATIENCE_US,
        });
        let bytes = wanted.bytes_in(LENGTH).clamp(*BYTES.start(), *BYTES.end());
        Some(Burst { bytes: bytes as usize })
    }

    /// A packet of the burst arrived.
    pub(crate) fn arrived(&mut self, flow: FlowNumber, sent: &Sent, arrival_us: i64) {
        let Some(running) = self.running.as_mut().filter(|running| running.flow == flow) else {
            return;
        };
        running.arrived.0 += 1;
        running.arrived.1 += u64::from(sent.size);
        if running.first.is_none_or(|(first, _)| arrival_us < first) {
            running.first = Some((arrival_us, sent.size));
        }
        running.last_us = running.last_us.max(arrival_us);
    }

    /// What the burst over a flow has shown, once all of it was told of or it is too late.
    pub(crate) fn poll(
        &mut self,
        now_us: u64,
        flow: FlowNumber,
        sent: ProbeSent,
        told_of: u64,
    ) -> Option<Bitrate> {
        let running = self.running.as_ref().filter(|running| running.flow == flow)?;
        let is_told = sent.last > 0 && told_of >= sent.last;
        if !is_told && now_us < running.until_us {
            return None;
        }
        let shown = running.measured(sent.bytes);
        let is_enough = shown.is_some_and(|rate| rate >= running.needed);
        // Of a way that is dark it has shown nothing, not even that it is narrow.
        let is_dark = !is_told && running.arrived.0 == 0;
        // Twice as long after each one in vain; none at all is sent while nothing is wanted.
        self.interval_us = match is_enough || is_dark {
            true => self.interval_min_us,
            false => (self.interval_us * 2).min(*INTERVAL_US.end()),
        };
        self.next_us = now_us + self.interval_us;
        self.running = None;
        shown
    }

    /// A flow has ended, and a burst over it shows nothing any more.
    pub(crate) fn abandon(&mut self, flow: FlowNumber) {
        self.running = self.running.take().filter(|running| running.flow != flow);
    }

    /// What a burst has shown has held for long enough.
    pub(crate) fn proven(&mut self) {
        self.interval_min_us = *INTERVAL_US.start();
    }

    /// What a burst has shown did not hold: wait longer before the next one.
    pub(crate) fn disproved(&mut self, now_us: u64) {
        self.interval_min_us = (self.interval_min_us * 2).min(*INTERVAL_US.end());
        self.interval_us = self.interval_us.max(self.interval_min_us);
        self.next_us = now_us + self.interval_us;
    }
}

impl Running {
    /// How fast it arrived, of so many bytes sent, and no faster than it was to show with a margin.
    fn measured(&self, sent_bytes: u64) -> Option<Bitrate> {
        let (first_us, first_size) = self.first?;
        let (packets, bytes) = self.arrived;
        if packets < PACKETS_MIN || bytes * 100 < sent_bytes * ARRIVED_PERCENT {
            return None;
        }
        let time_us = u64::try_from(self.last_us - first_us).ok()?;
        let measured = Bitrate::of(bytes - u64::from(first_size), Duration::from_micros(time_us));
        Some(measured.percent(BELIEVED_PERCENT).min(self.wanted.percent(125)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Purpose;

    const WANTED: Bitrate = Bitrate::from_kilobits_per_second(600);
    const TARGET: (Bitrate, Bitrate) = (WANTED, WANTED);
    const FLOW: FlowNumber = FlowNumber(1);
    /// Six packets of 1,000 bytes.
    const SENT: ProbeSent = ProbeSent { last: 6, bytes: 6_000 };

    /// A burst of which the first `arrives` packets arrive so far apart; gives what it shows.
    fn probe(probing: &mut Probing, now_us: u64, arrives: u64, apart_us: i64) -> Option<Bitrate> {
        let burst = probing.begin(now_us, FLOW, TARGET).expect("it is time");
        assert_eq!(burst.bytes, 6_000);
        for number in 1..=arrives {
            let sent = Sent { number, at_us: now_us, size: 1_000, purpose: Purpose::Probe };
            probing.arrived(FLOW, &sent, number as i64 * apart_us);
        }
        assert_eq!(probing.begin(now_us, FLOW, TARGET), None, "one at a time");
        assert_eq!(probing.poll(now_us, FLOW, SENT, 5), None, "not told of all");
        probing.poll(now_us, FLOW, SENT, 6)
    }

    #[test]
    fn a_burst_shows_how_fast_the_narrowest_part_is_and_no_more_than_was_tried() {
        let shown = |arrives, apart_us| probe(&mut Probing::new(), 2_000_000, arrives, apart_us);
        // 1,000 bytes every 20 ms are 400 kbit/s.
        assert_eq!(shown(6, 20_000), Some(Bitrate::from_kilobits_per_second(360)));
        assert_eq!(shown(6, 0), Some(WANTED.percent(125)));
        assert_eq!(shown(5, 20_000), Some(Bitrate::from_kilobits_per_second(360)));
        assert_eq!(shown(4, 20_000), Some(Bitrate::from_kilobits_per_second(360)));
        assert_eq!(shown(2, 20_000), None, "too much was lost");
        assert_eq!(shown(0, 0), None);
    }

    #[test]
    fn bursts_in_vain_come_less_and_less_often() {
        let mut probing = Probing::new();
        assert_eq!(probing.begin(999_999, FLOW, TARGET), None, "first the media");
        let mut now_us = 1_000_000;
        for wait_us in [2_000_000, 4_000_000, 4_000_000] {
            probe(&mut probing, now_us, 6, 20_000);
            assert_eq!(probing.begin(now_us + wait_us - 1, FLOW, TARGET), None);
            now_us += wait_us;
        }
        probe(&mut probing, now_us, 6, 1_000);
        probe(&mut probing, now_us + 1_000_000, 6, 1_000);
        probing.disproved(now_us + 1_000_000);
        assert_eq!(probing.begin(now_us + 2_000_000, FLOW, TARGET), None);
    }

    #[test]
    fn bursts_into_the_dark_do_not_make_the_next_ones_rarer() {
        let mut probing = Probing::new();
        let mut now_us = 1_000_000;
        for _ in 0..9 {
            probing.begin(now_us, FLOW, TARGET).expect("it is time");
            assert_eq!(probing.poll(now_us + PATIENCE_US, FLOW, SENT, 0), None);
            now_us += PATIENCE_US + INTERVAL_US.start();
        }
    }

    #[test]
    fn a_burst_is_of_one_flow_and_ends_with_it() {
        let mut probing = Probing::new();
        let other = FlowNumber(2);
        probing.begin(1_000_000, FLOW, TARGET).expect("it is time");
        assert_eq!(probing.begin(9_000_000, other, TARGET), None, "one at a time");
        let sent = Sent { number: 6, at_us: 1_000_000, size: 1_000, purpose: Purpose::Probe };
        (0..6).for_each(|at| probing.arrived(other, &sent, at));
        assert_eq!(probing.poll(1_000_000, other, SENT, 6), None);
        assert_eq!(probing.poll(1_000_000, FLOW, SENT, 6), None, "nothing of it arrived");
        probing.begin(9_000_000, FLOW, TARGET).expect("it is time");
        probing.abandon(other);
        assert_eq!(probing.begin(19_000_000, other, TARGET), None);
        probing.abandon(FLOW);
        assert!(probing.begin(19_000_000, other, TARGET).is_some());
    }
}
