//! What may be sent again over a line. What is missing behind a narrow part was lost because too
//! much was sent; all of it again at once would keep the queue full that sound waits in. What is
//! lost without a queue is sent again as it is asked for.

use std::time::{Duration, Instant};

use odeum_bwe::Estimator;
use odeum_types::Bitrate;

/// Share of what reaches the session that video may be sent again with at the least after a queue
/// has lowered that, in per cent: less takes longer to mend the picture, more fills the queue anew.
const SHARE_PERCENT: u64 = 50;

/// The same while that queue stands, in per cent: it has to empty first.
const STANDING_PERCENT: u64 = 10;

/// What was left unused for so long may be sent at once. Longer mends longer bursts of losses in
/// one round trip, and holds up sound for longer.
const BURST: Duration = Duration::from_millis(150);

/// Time over which what is sent again is averaged, in seconds.
const AVERAGED_S: f64 = 0.5;

/// What holds back what is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing: what is missing was lost by chance.
    No,
    /// A queue has lowered the estimate a moment ago; it may fill anew.
    AfterFall,
    /// The same, and the queue is not empty yet.
    Draining,
}

impl Held {
    pub(crate) fn of(now: Instant, estimator: &Estimator) -> Self {
        match estimator.is_draining(now) {
            true => Self::Draining,
            false if estimator.has_fallen(now) => Self::AfterFall,
            false => Self::No,
        }
    }
}

/// What is sent again over a line.
#[derive(Debug)]
pub(crate) struct Repairs {
    /// Bytes that may be sent again now; without bounds where nothing holds it back, and less than
    /// none after sound, and after a packet larger than what was left.
    left: f64,
    /// What is sent again of late, in bytes per second, as it was at `updated`.
    rate: f64,
    /// When both were last brought up to date.
    updated: Instant,
}

impl Repairs {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: f64::INFINITY, rate: 0.0, updated: now }
    }

    /// What may be sent again grows with the time, of an estimate of which `dealt` is dealt out for
    /// what is sent the first time.
    pub(crate) fn refill(&mut self, now: Instant, held: Held, estimate: Bitrate, dealt: Bitrate) {
        let allowed = match held {
            Held::No => None,
            Held::AfterFall => Some(estimate.minus(dealt).max(estimate.percent(SHARE_PERCENT))),
            Held::Draining => Some(estimate.percent(STANDING_PERCENT)),
        };
        let elapsed = now.saturating_duration_since(self.updated);
        self.left = allowed.map_or(f64::INFINITY, |allowed| {
            let gained = allowed.bytes_in(elapsed) as f64;
            (self.left + gained).min(allowed.bytes_in(BURST) as f64)
        });
        self.rate *= kept(elapsed);
        self.updated = self.updated.max(now);
    }

    /// Whether video may be sent again.
    pub(crate) fn may_send(&self) -> bool {
        self.left > 0.0
    }

    /// So many bytes are sent again.
    pub(crate) fn note(&mut self, bytes: usize) {
        self.left -= bytes as f64;
        self.rate += bytes as f64 / AVERAGED_S;
    }

    /// What is sent again of late.
    pub(crate) fn rate(&self, now: Instant) -> Bitrate {
        let elapsed = now.saturating_duration_since(self.updated);
        Bitrate::from_bits_per_second((self.rate * kept(elapsed) * 8.0) as u64)
    }
}

/// What is left of an average after so long.
fn kept(elapsed: Duration) -> f64 {
    (-elapsed.as_secs_f64() / AVERAGED_S).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn kilobits(kilobits: u64) -> Bitrate {
        Bitrate::from_kilobits_per_second(kilobits)
    }

    /// What may be sent again at once, and in the second after that, in bytes, of 1,000 kbit/s of
    /// which so much is dealt out; 200,000 bytes are asked for each 10 ms.
    fn allowed(held: Held, dealt: u64) -> [usize; 2] {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
        let start = Instant::now();
        let mut repairs = Repairs::new(start);
        let mut send = |from_ms: u64, to_ms: u64| {
            let mut sent = 0;
            for at_ms in (from_ms..=to_ms).step_by(10) {
                let now = start + Duration::from_millis(at_ms);
                repairs.refill(now, held, kilobits(1_000), kilobits(dealt));
                for _ in 0..2_000 {
                    if repairs.may_send() {
                        repairs.note(100);
                        sent += 100;
                    }
                }
            }
            sent
        };
        [send(10_000, 10_000), send(10_010, 11_000)]
    }

    #[test]
    fn after_a_fall_what_is_not_dealt_out_may_be_sent_again_and_half_of_all_at_the_least() {
        // 1,000 kbit/s are 125,000 bytes a second.
        assert_eq!(allowed(Held::AfterFall, 200), [15_000, 100_000]);
        assert_eq!(allowed(Held::AfterFall, 1_000), [9_400, 62_500]);
        assert_eq!(allowed(Held::AfterFall, 5_000), [9_400, 62_500]);
        assert_eq!(allowed(Held::Draining, 200), [1_900, 12_500]);
    }

    #[test]
    fn without_a_queue_all_that_is_asked_for_may_be_sent_again() {
        assert_eq!(allowed(Held::No, 1_000), [200_000, 20_000_000]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_half_second_or_so() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
        let start = Instant::now();
        let mut repairs = Repairs::new(start);
        let at = |millis| start + Duration::from_millis(millis);
        for n in 0..300 {
            repairs.refill(at(n * 10), Held::No, kilobits(1_000), Bitrate::default());
            repairs.note(1_000);
        }
        let rate = |millis| repairs.rate(at(millis)).bits_per_second() / 1_000;
        assert!((780..=820).contains(&rate(2_995)), "{}", rate(2_995));
        assert!((280..=310).contains(&rate(3_490)), "{}", rate(3_490));
        assert!(rate(8_000) < 1, "{}", rate(8_000));
    }
}
