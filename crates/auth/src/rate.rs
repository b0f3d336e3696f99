//! A token bucket: so many per second for long, so many at once. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// What a unit of the bucket is made of, so that slow rates fill it without rounding to nothing.
const PARTS: u64 = 1_000_000;

/// Allows `per_second` for long and `burst` at once.
#[derive(Debug, Clone)]
pub struct RateBucket {
    /// How many may be taken now, in millionths.
    level: u64,
    /// When `level` was right.
    at: Instant,
    /// How fast it fills.
    per_second: u32,
    /// How much it holds.
    burst: u32,
}

impl RateBucket {
    /// A full bucket.
    pub fn new(now: Instant, per_second: u32, burst: u32) -> Self {
        Self { level: u64::from(burst) * PARTS, at: now, per_second, burst }
    }

    /// Takes one, if there is one.
    pub fn try_take(&mut self, now: Instant) -> bool {
        self.fill(now);
        match self.level.checked_sub(PARTS) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }

    /// Whether one could be taken.
    pub fn has_one(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level >= PARTS
    }

    /// Whether it is full: as good as a new one.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level == u64::from(self.burst) * PARTS
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        // Longer than it takes to fill from empty is as good as forever, and cannot overflow.
        let micros = elapsed.min(Duration::from_secs(3_600)).as_micros() as u64;
        let gained = micros * u64::from(self.per_second) * PARTS / 1_000_000;
        self.level = (self.level + gained).min(u64::from(self.burst) * PARTS);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step: milliseconds since the start, and whether one is given.
    fn check(per_second: u32, burst: u32, steps: &[(u64, bool)]) {
        let start = Instant::now();
        let mut bucket = RateBucket::new(start, per_second, burst);
        for (index, (at_ms, given)) in steps.iter().enumerate() {
            let now = start + Duration::from_millis(*at_ms);
            assert_eq!(bucket.has_one(now), *given, "step {index}");
            assert_eq!(bucket.try_take(now), *given, "step {index}");
        }
    }

    #[test]
    fn a_burst_is_given_at_once_and_no_more() {
        check(1, 3, &[(0, true), (0, true), (0, true), (0, false)]);
    }

    #[test]
    fn after_a_burst_it_fills_at_the_rate() {
        check(10, 1, &[(0, true), (99, false), (100, true), (150, false), (200, true)]);
    }

    #[test]
    fn a_long_quiet_time_fills_it_to_the_burst_only() {
        let day = 86_400_000;
        check(50, 2, &[(0, true), (day, true), (day, true), (day, false)]);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        check(10, 1, &[(1_000, true), (0, false), (1_000, false), (1_100, true)]);
    }
}
