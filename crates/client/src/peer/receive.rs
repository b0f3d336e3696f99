//! The receiving end of one kind of media: what came, what is missing, what to ask for again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use odeum_rtp::RepairTime;
use odeum_rtp::rtcp::ReportBlock;

/// Missing packets remembered at once; the oldest are given up beyond it.
const MISSING_MAX: usize = 512;
/// A jump ahead by more packets than this is a new beginning, not a loss.
const JUMP_MAX: u64 = 3_000;
/// How long a packet may be late before it is asked for.
const NACK_DELAY: Duration = Duration::from_millis(10);
/// How often a packet is asked for.
const NACKS_MAX: u8 = 10;

/// What was received of one kind of media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiveStatistics {
    /// Distinct packets, retransmitted ones included.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets between the first and the newest that have not come.
    pub lost: u64,
    /// Packets that came once more.
    pub duplicates: u64,
    /// Packets that came by retransmission.
    pub recovered: u64,
    /// Packets asked for again, each time counted.
    pub nacked: u64,
    /// Times that the sequence began anew.
    pub restarts: u64,
}

/// One source being received.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The source.
    pub(super) ssrc: u32,
    /// Its statistics; `lost` is computed when asked for.
    statistics: ReceiveStatistics,
    /// The first packet's number, unwrapped.
    first: u64,
    /// The newest packet's number, unwrapped.
    newest: u64,
    /// Packets since `first`.
    received: u64,
    /// Packets lost before the sequence last began anew.
    lost_before: u64,
    /// What is missing and may still come.
    missing: BTreeMap<u64, Missing>,
    /// How long what was asked for takes to come.
    repair_time: RepairTime,
    /// `expected` and `received` of the report before.
    reported: (u64, u64),
    /// NTP middle bits of the last sender report, and when it came.
    sender_report: Option<(u32, Instant)>,
}

/// A packet that has not come.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// When it was missed, or last asked for.
    since: Instant,
    /// How often it was asked for.
    asked: u8,
}

impl Missing {
    fn due_at(&self, repair_time: RepairTime) -> Instant {
        match self.asked {
            0 => self.since + NACK_DELAY,
            asked => self.since + repair_time.wait(asked),
        }
    }
}

/// What a packet is to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It has not come before.
    New,
    /// It has.
    Duplicate,
}

impl Receiver {
    /// A receiver whose first packet is `sequence` of `ssrc`; it has still to be registered.
    pub(super) fn new(ssrc: u32, sequence: u16) -> Self {
        // Far from zero, so that an older packet has a number too.
        let first = (1 << 32) + u64::from(sequence);
        Self {
            ssrc,
            statistics: ReceiveStatistics::default(),
            first,
            newest: first - 1,
            received: 0,
            lost_before: 0,
            missing: BTreeMap::new(),
            repair_time: RepairTime::default(),
            reported: (0, 0),
            sender_report: None,
        }
    }

    /// Registers a packet of `payload_bytes`.
    pub(super) fn register(
        &mut self,
        now: Instant,
        sequence: u16,
        payload_bytes: usize,
        is_retransmission: bool,
    ) -> Novelty {
        let number = self.unwrap(sequence);
        if number > self.newest {
            if number - self.newest > JUMP_MAX {
                self.restart(number);
            }
            for missing in self.newest + 1..number {
                self.missing.insert(missing, Missing { since: now, asked: 0 });
            }
            while self.missing.len() > MISSING_MAX {
                self.missing.pop_first();
            }
            self.newest = number;
        } else {
            let Some(missing) = self.missing.remove(&number) else {
                self.statistics.duplicates += 1;
                return Novelty::Duplicate;
            };
            if is_retransmission {
                let age = now.saturating_duration_since(missing.since);
                self.repair_time.learn(age, missing.asked);
            }
        }
        self.received += 1;
        self.statistics.packets += 1;
        self.statistics.bytes += payload_bytes as u64;
        self.statistics.recovered += u64::from(is_retransmission);
        Novelty::New
    }

    /// Notes a sender report.
    pub(super) fn on_sender_report(&mut self, now: Instant, ntp: u64) {
        self.sender_report = Some(((ntp >> 16) as u32, now));
    }

    /// The packets to be asked for now.
    pub(super) fn due_nacks(&mut self, now: Instant) -> Vec<u16> {
        let mut due = Vec::new();
        let repair_time = self.repair_time;
        self.missing.retain(|number, missing| {
            if missing.due_at(repair_time) > now {
                return true;
            }
            missing.asked += 1;
            missing.since = now;
            due.push(*number as u16);
            missing.asked < NACKS_MAX
        });
        self.statistics.nacked += due.len() as u64;
        due
    }

    /// When a packet is to be asked for.
    pub(super) fn nack_at(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.due_at(self.repair_time)).min()
    }

    /// The block of a receiver report.
    pub(super) fn report(&mut self, now: Instant) -> ReportBlock {
        let (expected, received) = (self.newest + 1 - self.first, self.received);
        let (expected_before, received_before) = self.reported;
        self.reported = (expected, received);
        let due = expected.saturating_sub(expected_before);
        let came = received.saturating_sub(received_before);
        let lost = due.saturating_sub(came);
        let (last, delay) = match self.sender_report {
            Some((ntp, at)) => (ntp, (now - at).as_micros() * 65_536 / 1_000_000),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: (lost * 256).checked_div(due).unwrap_or(0).min(255) as u8,
            cumulative_lost: (expected - received.min(expected)) as i32,
            extended_highest_sequence: (self.newest - (1 << 32)) as u32,
            jitter: 0,
            last_sender_report: last,
            delay_since_last_sender_report: delay as u32,
        }
    }

    /// What was received.
    pub(super) fn statistics(&self) -> ReceiveStatistics {
        let expected = self.newest + 1 - self.first;
        let lost = self.lost_before + expected.saturating_sub(self.received);
        ReceiveStatistics { lost, ..self.statistics }
    }

    fn restart(&mut self, number: u64) {
        self.lost_before = self.statistics().lost;
        self.statistics.restarts += 1;
        self.missing.clear();
        self.first = number;
        self.newest = number - 1;
        self.received = 0;
        self.reported = (0, 0);
    }

    /// The number nearest to the newest one whose low 16 bits are `sequence`.
    fn unwrap(&self, sequence: u16) -> u64 {
        let ahead = sequence.wrapping_sub(self.newest as u16) as i16;
        self.newest.saturating_add_signed(i64::from(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(receiver: &mut Receiver, now: Instant, sequences: &[u16]) {
        for sequence in sequences {
            receiver.register(now, *sequence, 10, false);
        }
    }

    #[test]
    fn losses_duplicates_and_late_packets_are_told_apart_over_a_wrap() {
        let now = Instant::now();
        let mut receiver = Receiver::new(1, 65_533);
        feed(&mut receiver, now, &[65_533, 65_534, 1, 1, 0, 3]);
        let statistics = receiver.statistics();
        assert_eq!((statistics.packets, statistics.duplicates, statistics.lost), (5, 1, 2));
        assert_eq!(receiver.due_nacks(now + NACK_DELAY), [65_535, 2]);
        assert_eq!(receiver.register(now, 65_535, 10, true), Novelty::New);
        assert_eq!((receiver.statistics().lost, receiver.statistics().recovered), (1, 1));
    }

    #[test]
    fn a_missing_packet_is_asked_for_ten_times_and_then_given_up() {
        let mut now = Instant::now();
        let mut receiver = Receiver::new(1, 0);
        feed(&mut receiver, now, &[0, 2]);
        let mut asked = 0;
        while let Some(at) = receiver.nack_at() {
            now = at;
            asked += receiver.due_nacks(now).len();
        }
        assert_eq!((asked, receiver.statistics().lost), (usize::from(NACKS_MAX), 1));
    }

    #[test]
    fn a_far_jump_is_a_new_beginning_and_no_loss() {
        let now = Instant::now();
        let mut receiver = Receiver::new(1, 0);
        feed(&mut receiver, now, &[0, 1, 20_000, 20_001]);
        let statistics = receiver.statistics();
        assert_eq!((statistics.packets, statistics.lost, statistics.restarts), (4, 0, 1));
    }

    #[test]
    fn a_report_says_what_was_lost_since_the_one_before() {
        let now = Instant::now();
        let mut receiver = Receiver::new(9, 0);
        feed(&mut receiver, now, &[0, 1, 3]);
        let first = receiver.report(now);
        assert_eq!((first.fraction_lost, first.cumulative_lost), (64, 1));
        feed(&mut receiver, now, &[4, 5]);
        let second = receiver.report(now);
        assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 1));
        assert_eq!(second.extended_highest_sequence, 5);
    }
}
