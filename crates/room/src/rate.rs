//! How often something may happen: a sliding window over the last second. Pure: the time is an
//! argument.

use std::collections::VecDeque;
use std::time::Duration;

use odeum_types::UnixMillis;

/// The contract's limits on clients are per second.
const WINDOW: Duration = Duration::from_secs(1);

/// What was taken in the last second, at most as much as was ever admitted at once.
#[derive(Debug, Default)]
pub(crate) struct RateWindow {
    /// When each one was taken, oldest first.
    taken: VecDeque<UnixMillis>,
}

impl RateWindow {
    /// Whether one more fits under `per_second_max`. Takes nothing: a refusal is free.
    pub(crate) fn admits(&mut self, now: UnixMillis, per_second_max: usize) -> bool {
        while self.taken.front().is_some_and(|at| at.after(WINDOW) <= now) {
            self.taken.pop_front();
        }
        self.taken.len() < per_second_max
    }

    /// Takes the one that was admitted.
    pub(crate) fn take(&mut self, now: UnixMillis) {
        self.taken.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step: milliseconds, and whether one of two per second is admitted.
    fn check(steps: &[(u64, bool)]) {
        let mut window = RateWindow::default();
        for (at, admitted) in steps {
            let now = UnixMillis(*at);
            assert_eq!(window.admits(now, 2), *admitted, "at {at}");
            if *admitted {
                window.take(now);
            }
        }
    }

    #[test]
    fn a_whole_allowance_at_once_is_fine_and_comes_back_as_it_went() {
        check(&[(0, true), (0, true), (0, false), (999, false), (1_000, true), (1_000, true)]);
    }

    #[test]
    fn no_second_holds_more_wherever_it_begins() {
        check(&[(0, true), (900, true), (1_000, true), (1_899, false), (1_900, true)]);
    }

    #[test]
    fn what_was_refused_takes_nothing() {
        check(&[(0, true), (500, true), (700, false), (900, false), (1_000, true)]);
    }

    #[test]
    fn a_clock_that_steps_back_admits_nothing_more() {
        check(&[(2_000, true), (2_000, true), (1_000, false), (3_000, true)]);
    }
}
