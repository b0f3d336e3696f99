//! Which packets of a source to ask for again, when, and how often.

use std::time::{Duration, Instant};

/// Limits of a [`NackGenerator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NackConfig {
    /// The most packets that are missed at a time, default 256; when more are, the oldest are
    /// given up. Higher repairs longer gaps, at 24 bytes each; lower asks for a key frame
    /// earlier.
    pub packets_max: usize,
    /// How often one packet is asked for, default 8. Higher spends more on a lossy path; lower
    /// gives up repairable frames.
    pub attempts_max: u8,
    /// How long a packet may be late before it is asked for, default 5 ms. Higher asks less for
    /// packets that were only overtaken; lower repairs faster.
    pub reordering: Duration,
    /// The least time between two requests for one packet, default 20 ms; a longer round trip
    /// takes its place. Higher wastes time, lower asks for what is on its way.
    pub interval_min: Duration,
}

impl Default for NackConfig {
    fn default() -> Self {
        Self {
            packets_max: 256,
            attempts_max: 8,
            reordering: Duration::from_millis(5),
            interval_min: Duration::from_millis(20),
        }
    }
}

/// A packet that has not come.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// Its number without wraps.
    sequence: u64,
    /// When to ask next.
    ask_at: Instant,
    /// How often it was asked for.
    attempts: u8,
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
    /// The highest number so far.
    highest: Option<u64>,
    /// How many packets were given up.
    given_up: u64,
}

impl NackGenerator {
    /// A generator that has seen nothing.
    pub fn new(config: NackConfig) -> Self {
        let missing = Vec::with_capacity(config.packets_max);
        Self { config, missing, highest: None, given_up: 0 }
    }

    /// Takes in the number of a received or recovered packet.
    pub fn receive(&mut self, now: Instant, sequence: u64) -> NackOutcome {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return NackOutcome::Newest;
        };
        if sequence <= highest {
            let found = self.missing.binary_search_by_key(&sequence, |missing| missing.sequence);
            return match found {
                Ok(index) => {
                    self.missing.remove(index);
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
        let ask_at = now + self.config.reordering;
        self.missing.extend((highest + 1..sequence).map(|sequence| Missing {
            sequence,
            ask_at,
            attempts: 0,
        }));
        NackOutcome::Newest
    }

    /// Fills `requests` with the 16-bit numbers to ask for now, ascending, and gives their count.
    /// They are asked for again after `round_trip`. Packets asked for too often are given up.
    /// When `requests` is full the rest stays due.
    pub fn poll_requests(
        &mut self,
        now: Instant,
        round_trip: Duration,
        requests: &mut [u16],
    ) -> usize {
        let attempts_max = self.config.attempts_max;
        let before = self.missing.len();
        self.missing.retain(|missing| missing.ask_at > now || missing.attempts < attempts_max);
        self.given_up += (before - self.missing.len()) as u64;
        let interval = round_trip.max(self.config.interval_min);
        let due = self.missing.iter_mut().filter(|missing| missing.ask_at <= now);
        let mut count = 0;
        for (missing, request) in due.zip(requests) {
            *request = missing.sequence as u16;
            missing.attempts += 1;
            missing.ask_at = now + interval;
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
        self.missing.iter().map(|missing| missing.ask_at).min()
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Any instant: the tests only add to it.
    #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made otherwise")]
    pub(crate) fn start() -> Instant {
        Instant::now()
    }

    const ROUND_TRIP: Duration = Duration::from_millis(50);

    fn requests(generator: &mut NackGenerator, now: Instant) -> Vec<u16> {
        let mut requests = [0; 64];
        let count = generator.poll_requests(now, ROUND_TRIP, &mut requests);
        requests[..count].to_vec()
    }

    #[test]
    fn a_gap_is_asked_for_after_the_reordering_time_and_again_after_a_round_trip() {
        let now = start();
        let config = NackConfig::default();
        let mut generator = NackGenerator::new(config);
        generator.receive(now, 65_535);
        assert_eq!(generator.receive(now, 65_538), NackOutcome::Newest);
        assert_eq!(requests(&mut generator, now), []);
        let due = now + config.reordering;
        assert_eq!(generator.poll_timeout(), Some(due));
        assert_eq!(requests(&mut generator, due), [0, 1]);
        assert_eq!(requests(&mut generator, due + ROUND_TRIP / 2), []);
        assert_eq!(generator.receive(due, 65_536), NackOutcome::Recovered);
        assert_eq!(generator.receive(due, 65_536), NackOutcome::Unexpected);
        assert_eq!(requests(&mut generator, due + ROUND_TRIP), [1]);
    }

    #[test]
    fn a_packet_that_was_only_overtaken_is_never_asked_for() {
        let now = start();
        let mut generator = NackGenerator::new(NackConfig::default());
        for sequence in [1, 3, 2, 4] {
            generator.receive(now, sequence);
        }
        assert_eq!(generator.poll_timeout(), None);
        assert_eq!(requests(&mut generator, now + ROUND_TRIP), []);
    }

    #[test]
    fn a_packet_asked_for_too_often_is_given_up() {
        let mut now = start();
        let config = NackConfig { attempts_max: 3, ..NackConfig::default() };
        let mut generator = NackGenerator::new(config);
        generator.receive(now, 1);
        generator.receive(now, 3);
        let mut asked = 0;
        for _ in 0..10 {
            now += ROUND_TRIP;
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
        generator.receive(now, 10);
        generator.receive(now, 14);
        assert_eq!(generator.receive(now, 17), NackOutcome::Newest);
        assert_eq!(requests(&mut generator, now + ROUND_TRIP), [12, 13, 15, 16]);
        assert_eq!(generator.receive(now, 22), NackOutcome::Newest);
        assert_eq!(generator.given_up(), 5);
        assert_eq!(generator.receive(now, 28), NackOutcome::GapTooLong);
        assert_eq!((generator.missing(), generator.given_up()), (0, 14));
    }

    #[test]
    fn what_does_not_fit_into_the_request_stays_due() {
        let now = start();
        let mut generator = NackGenerator::new(NackConfig::default());
        generator.receive(now, 0);
        generator.receive(now, 5);
        let due = now + ROUND_TRIP;
        let mut one = [0; 3];
        assert_eq!(generator.poll_requests(due, ROUND_TRIP, &mut one), 3);
        assert_eq!(one, [1, 2, 3]);
        assert_eq!(requests(&mut generator, due), [4]);
    }
}
