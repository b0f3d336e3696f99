//! A busy worker looks at its socket less often, so that more packets come with each look.
//!
//! To wake up, to read and to find a peer's memory again cost the same for one packet as for
//! twenty. A worker with little to do answers each packet at once; the more of its core is in use,
//! the longer it lets packets gather between two looks (as network cards do, which moderate their
//! interrupts).

use std::time::{Duration, Instant};

use crate::load_meter::LoadMeter;
use crate::placement::Load;

/// From one look to the next when the whole core is in use, in microseconds. Longer saves little
/// more and would be felt beside the time that a burst takes.
const GATHERING_MAX_US: u64 = 1_000;

/// Time over which the load is measured: some frames of video.
const LOAD_INTERVAL: Duration = Duration::from_millis(100);

/// When a worker looks again.
pub(crate) struct Gathering {
    /// How busy it is.
    load: LoadMeter,
    /// From one look to the next.
    interval: Duration,
    /// The last look.
    looked: Instant,
    /// There is something to look at already.
    skips_next: bool,
}

impl Gathering {
    /// That of a worker without load.
    pub(crate) fn new(now: Instant) -> Self {
        let load = LoadMeter::new(now, LOAD_INTERVAL);
        Self { load, interval: Duration::ZERO, looked: now, skips_next: false }
    }

    /// Sleeps until it is time for the next look, but not past `due`. Gives the time.
    pub(crate) fn pause(&mut self, due: Option<Instant>) -> Instant {
        let now = Instant::now();
        if let Some(load) = self.load.measure(now) {
            self.adapt(load);
        }
        let rest = self.rest(now, due);
        if !rest.is_zero() {
            sleep(rest);
        }
        self.looked = if rest.is_zero() { now } else { Instant::now() };
        self.looked
    }

    /// Something waits: the next pause is none.
    pub(crate) fn skip_next(&mut self) {
        self.skips_next = true;
    }

    /// Whether the next pause is none, which is forgotten.
    #[cfg(test)]
    pub(crate) fn take_skip(&mut self) -> bool {
        std::mem::take(&mut self.skips_next)
    }

    fn adapt(&mut self, load: Load) {
        // By the root: feedback of many viewers wakes a worker up long before it is busy.
        let squared = GATHERING_MAX_US * GATHERING_MAX_US * u64::from(load.0) / 1_000;
        self.interval = Duration::from_micros(squared.isqrt());
    }

    fn rest(&mut self, now: Instant, due: Option<Instant>) -> Duration {
        if std::mem::take(&mut self.skips_next) {
            return Duration::ZERO;
        }
        let next = self.looked + self.interval;
        due.map_or(next, |due| due.min(next)).saturating_duration_since(now)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the thread of a media worker has nobody to give way"
)]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathering(load: u16) -> (Instant, Gathering) {
        let now = Instant::now();
        let mut gathering = Gathering::new(now);
        gathering.adapt(Load(load));
        (now, gathering)
    }

    #[test]
    fn an_idle_worker_does_not_wait_and_a_busy_one_the_longer_the_busier_it_is() {
        for (load, micros) in [(0, 0), (10, 100), (250, 500), (810, 900), (1_000, 1_000)] {
            let (now, mut gathering) = gathering(load);
            assert_eq!(gathering.rest(now, None), Duration::from_micros(micros), "{load}");
        }
    }

    #[test]
    fn the_time_that_the_work_took_counts() {
        let (looked, mut gathering) = gathering(360);
        let us = Duration::from_micros;
        assert_eq!(gathering.rest(looked + us(400), None), us(200));
        assert_eq!(gathering.rest(looked + us(900), None), Duration::ZERO);
    }

    #[test]
    fn what_is_due_is_not_kept_waiting() {
        let (looked, mut gathering) = gathering(1_000);
        let us = Duration::from_micros;
        assert_eq!(gathering.rest(looked, Some(looked + us(300))), us(300));
        assert_eq!(gathering.rest(looked + us(400), Some(looked + us(300))), Duration::ZERO);
    }

    #[test]
    fn what_waits_already_is_not_kept_waiting() {
        let (looked, mut gathering) = gathering(1_000);
        gathering.skip_next();
        assert_eq!(gathering.rest(looked, None), Duration::ZERO);
        assert_eq!(gathering.rest(looked, None), Duration::from_millis(1), "once");
    }
}
