//! Which packets of a source to ask for again, when, and how often.

use std::time::{Duration, Instant};

use crate::repair_time::RepairTime;

/// Limits of a [`NackGenerator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NackConfig {
    /// The most packets that are missed at a time, default 256; when more are, the oldest are
    /// given up. Higher repairs longer gaps, at 24 bytes each; lower asks for a key frame
    /// earlier.
    pub packets_max: usize,
    /// How often one packet is asked for, default 8: for half a second at the least, and longer on
    /// a long way. Higher spends more on a lossy path; lower gives up repairable frames, and costs
    /// a key frame where a short outage takes all requests along.
    pub attempts_max: u8,
    /// How long a packet may be late before it is asked for, default 5 ms. Higher asks less for
    /// packets that were only overtaken; lower repairs faster.
    pub reordering: Duration,
}

impl Default for NackConfig {
    fn default() -> Self {
        Self { packets_max: 256, attempts_max: 8, reordering: Duration::from_millis(5) }
    }
}

/// A packet that has not come.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// Its number without wraps.
    sequence: u64,
    /// When it was missed, or last asked for.
    since: Instant,
    /// How often it was asked for.
    attempts: u8,
}

/// How a packet came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// As it was first sent.
    First,
    /// Sent again, or nobody can tell.
    Again,
}

/// What a packet meant for the missing ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackOutcome {
    /// It follows the highest so far, perhaps with a gap that will be asked for.
    Newest,
    /// It was missing and has come.
    Recovered,
    /// It is older than the highest and was not missing: a duplicate, or one given up.
    Unexpected,
    /// The gap before it is longer than what is remembered: everything missing is given up, and
    /// only a key frame helps.
    GapTooLong,
}

/// Missing packets of one source. Numbers are those of [`crate::SequenceUnwrapper`].
#[derive(Debug, Clone)]
pub struct NackGenerator {
    /// The limits.
    config: NackConfig,
    /// In ascending order; never longer than `packets_max`, allocated once.
    missing: Vec<Missing>,
    /// How long answers take.
    repair_time: RepairTime,
    /// The highest number so far.
    highest: Option<u64>,
    /// How many packets were given up.
    given_up: u64,
}

impl NackGenerator {
    /// A generator that has seen nothing.
    pub fn new(config: NackConfig) -> Self {
        let missing = Vec::with_capacity(config.packets_max);
        let repair_time = RepairTime::default();
        Self { config, missing, repair_time, highest: None, given_up: 0 }
    }

    /// Takes in the number of a received or recovered packet.
    pub fn receive(&mut self, now: Instant, sequence: u64, came: Came) -> NackOutcome {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return NackOutcome::Newest;
        };
        if sequence <= highest {
            let found = self.missing.binary_search_by_key(&sequence, |missing| missing.sequence);
            return match found {
                Ok(index) => {
                    let missing = self.missing.remove(index);
                    if came == Came::Again {
                        let age = now.saturating_duration_since(missing.since);
                        self.repair_time.learn(age, missing.attempts);
                    }
                    NackOutcome::Recovered
                }
                Err(_) => NackOutcome::Unexpected,
            };
        }
        self.highest = Some(sequence);
        let gap = sequence - highest - 1;
        if gap > self.config.packets_max as u64 {
            self.give_up_all();
            self.given_up += gap;
            return NackOutcome::GapTooLong;
        }
        let excess = (self.missing.len() + gap as usize).saturating_sub(self.config.packets_max);
        self.missing.drain(..excess);
        self.given_up += excess as u64;
        self.missing.extend((highest + 1..sequence).map(|sequence| Missing {
            sequence,
            since: now,
            attempts: 0,
        }));
        NackOutcome::Newest
    }

    /// Fills `requests` with the 16-bit numbers to ask for now, ascending, and gives their count.
    /// They are asked for again when the answer should have come. Packets asked for too often are
    /// given up. When `requests` is full the rest stays due.
    pub fn poll_requests(&mut self, now: Instant, requests: &mut [u16]) -> usize {
        let attempts_max = self.config.attempts_max;
        let before = self.missing.len();
        let due = Due { reordering: self.config.reordering, repair_time: self.repair_time };
        self.missing.retain(|missing| due.at(missing) > now || missing.attempts < attempts_max);
        self.given_up += (before - self.missing.len()) as u64;
        let mut count = 0;
        let missing = self.missing.iter_mut().filter(|missing| due.at(missing) <= now);
        for (missing, request) in missing.zip(requests) {
            *request = missing.sequence as u16;
            missing.attempts += 1;
            missing.since = now;
            count += 1;
        }
        count
    }

    /// Forgets all that is missing: a key frame has come and nobody needs what was before it.
    pub fn give_up_all(&mut self) {
        self.given_up += self.missing.len() as u64;
        self.missing.clear();
    }

    /// When the next packet is to be asked for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = Due { reordering: self.config.reordering, repair_time: self.repair_time };
        self.missing.iter().map(|missing| due.at(missing)).min()
    }

    /// How many packets are missing.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// How many packets were given up since the begin.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }
}

/// When missing packets are asked for.
#[derive(Debug, Clone, Copy)]
struct Due {
    /// How long one may only be late.
    reordering: Duration,
    /// How long an answer takes.
    repair_time: RepairTime,
}

impl Due {
    fn at(&self, missing: &Missing) -> Instant {
        let wait = match missing.attempts {
            0 => self.reordering,
            attempts => self.repair_time.wait(attempts),
        };
        missing.since + wait
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Any instant: the tests only add to it.
    #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made otherwise")]
    pub(crate) fn start() -> Instant {
        Instant::now()
    }

    /// What is waited for the first answer at the most.
    const ROUND_TRIP: Duration = Duration::from_millis(100);

    fn requests(generator: &mut NackGenerator, now: Instant) -> Vec<u16> {
        let mut requests = [0; 64];
        let count = generator.poll_requests(now, &mut requests);
        requests[..count].to_vec()
    }

    #[test]
    fn a_gap_is_asked_for_after_the_reordering_time_and_again_after_a_round_trip() {
        let now = start();
        let config = NackConfig::default();
        let mut generator = NackGenerator::new(config);
        generator.receive(now, 65_535, Came::First);
        assert_eq!(generator.receive(now, 65_538, Came::First), NackOutcome::Newest);
        assert_eq!(requests(&mut generator, now), []);
        let due = now + config.reordering;
        assert_eq!(generator.poll_timeout(), Some(due));
        assert_eq!(requests(&mut generator, due), [0, 1]);
        assert_eq!(requests(&mut generator, due + ROUND_TRIP / 2), []);
        assert_eq!(generator.receive(due, 65_536, Came::First), NackOutcome::Recovered);
        assert_eq!(generator.receive(due, 65_536, Came::First), NackOutcome::Unexpected);
        assert_eq!(requests(&mut generator, due + ROUND_TRIP), [1]);
    }

    #[test]
    fn a_packet_that_was_only_overtaken_is_never_asked_for() {
        let now = start();
        let mut generator = NackGenerator::new(NackConfig::default());
        for sequence in [1, 3, 2, 4] {
            generator.receive(now, sequence, Came::First);
        }
        assert_eq!(generator.poll_timeout(), None);
        assert_eq!(requests(&mut generator, now + ROUND_TRIP), []);
    }

    #[test]
    fn a_packet_asked_for_too_often_is_given_up() {
        let mut now = start();
        let config = NackConfig { attempts_max: 3, ..NackConfig::default() };
        let mut generator = NackGenerator::new(config);
        generator.receive(now, 1, Came::First);
        generator.receive(now, 3, Came::First);
        let mut asked = 0;
        for _ in 0..10 {
            now += Duration::from_secs(1);
            asked += requests(&mut generator, now).len();
        }
        assert_eq!(asked, 3);
        assert_eq!((generator.missing(), generator.given_up()), (0, 1));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go_first() {
        let now = start();
        let config = NackConfig { packets_max: 4, ..NackConfig::default() };
        let mut generator = NackGenerator::new(config);
        generator.receive(now, 10, Came::First);
        generator.receive(now, 14, Came::First);
        assert_eq!(generator.receive(now, 17, Came::First), NackOutcome::Newest);
        assert_eq!(requests(&mut generator, now + ROUND_TRIP), [12, 13, 15, 16]);
        assert_eq!(generator.receive(now, 22, Came::First), NackOutcome::Newest);
        assert_eq!(generator.given_up(), 5);
        assert_eq!(generator.receive(now, 28, Came::First), NackOutcome::GapTooLong);
        assert_eq!((generator.missing(), generator.given_up()), (0, 14));
    }

    #[test]
    fn what_does_not_fit_into_the_request_stays_due() {
        let now = start();
        let mut generator = NackGenerator::new(NackConfig::default());
        generator.receive(now, 0, Came::First);
        generator.receive(now, 5, Came::First);
        let due = now + ROUND_TRIP;
        let mut one = [0; 3];
        assert_eq!(generator.poll_requests(due, &mut one), 3);
        assert_eq!(one, [1, 2, 3]);
        assert_eq!(requests(&mut generator, due), [4]);
    }

    /// How often packets are asked for of whom each second one is lost, when an answer takes so
    /// long: the first of them, and the last of forty.
    fn asked(round_trip: Duration) -> [usize; 2] {
        let mut generator = NackGenerator::new(NackConfig::default());
        let mut now = start();
        let counts: Vec<_> = (0..40)
            .map(|loss| {
                generator.receive(now, loss * 2, Came::First);
                generator.receive(now, loss * 2 + 2, Came::First);
                let mut count = 0;
                let mut answers_at = None;
                while answers_at.is_none_or(|at| now < at) {
                    now += Duration::from_millis(1);
                    let asks = requests(&mut generator, now).len();
                    count += asks;
                    answers_at = answers_at.or((asks > 0).then(|| now + round_trip));
                }
                let outcome = generator.receive(now, loss * 2 + 1, Came::Again);
                assert_eq!(outcome, NackOutcome::Recovered);
                count
            })
            .collect();
        [counts[0], counts[39]]
    }

    #[test]
    fn requests_follow_the_time_that_answers_take() {
        for (round_trip_ms, expected) in [(10, [1, 1]), (60, [1, 1]), (250, [2, 1]), (600, [3, 1])]
        {
            assert_eq!(asked(Duration::from_millis(round_trip_ms)), expected, "{round_trip_ms}");
        }
    }
}
