//! The one clock of the process: Unix time read once at start, carried on by the monotonic clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use odeum_types::UnixMillis;

/// Wall time that never runs backwards: what an administrator or NTP does to the system clock after
/// the start does not reach rooms, tokens or timers.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Unix time at the anchor.
    unix: UnixMillis,
    /// The monotonic clock at the anchor.
    instant: Instant,
}

impl Clock {
    /// Anchors the clock to the system's time of now. A system clock before 1970 counts as 1970.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { unix: UnixMillis(since_epoch.as_millis() as u64), instant: Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> UnixMillis {
        self.unix.after(self.instant.elapsed())
    }

    /// When `at` comes on the monotonic clock; a time before the start is the start.
    pub fn instant_of(&self, at: UnixMillis) -> Instant {
        self.instant + at.since(self.unix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_its_instant_are_the_same_distance_from_the_anchor() {
        let clock = Clock::start();
        let later = clock.unix.after(Duration::from_millis(1500));
        assert_eq!(clock.instant_of(later), clock.instant + Duration::from_millis(1500));
        assert_eq!(clock.instant_of(UnixMillis(0)), clock.instant);
        assert!(clock.now() >= clock.unix);
    }
}
