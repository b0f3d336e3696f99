//! How busy a media worker's thread is: the CPU time that it used, by the time that passed.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::placement::Load;

/// Measures the thread that calls it.
pub(crate) struct LoadMeter {
    /// Time over which the load is measured.
    interval: Duration,
    /// When it was last measured.
    measured: Instant,
    /// The thread's CPU time then.
    used: Duration,
}

impl LoadMeter {
    /// Begins to measure, over `interval` each time.
    pub(crate) fn new(now: Instant, interval: Duration) -> Self {
        Self { interval, measured: now, used: Duration::ZERO }
    }

    /// The load, once an interval.
    pub(crate) fn measure(&mut self, now: Instant) -> Option<Load> {
        let passed = now.saturating_duration_since(self.measured);
        if passed < self.interval {
            return None;
        }
        let used = thread_cpu_time();
        let share = used.saturating_sub(self.used).as_secs_f64() / passed.as_secs_f64();
        (self.measured, self.used) = (now, used);
        Some(Load((share * 1_000.0).min(1_000.0) as u16))
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1);

    #[test]
    fn a_thread_that_works_is_busy_and_one_that_waits_is_not() {
        let start = Instant::now();
        let mut meter = LoadMeter::new(start, INTERVAL);
        assert_eq!(meter.measure(start), None);
        let mut at = start;
        while at.duration_since(start) < Duration::from_millis(200) {
            at = Instant::now();
        }
        // The clock is the caller's, so that 200 ms of work count as those of one second or ten.
        let busy = meter.measure(start + INTERVAL).unwrap();
        let idle = meter.measure(start + 11 * INTERVAL).unwrap();
        assert!(busy > idle && idle < Load(20), "{busy:?} {idle:?}");
    }
}
