//! How often and for how long a callback is tried: a pure function (ruling 26).

use std::time::Duration;

use odeum_types::UnixMillis;

/// How long a callback is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RetryPlan {
    /// The contract's five retries, then on for three days with the steps of Standard Webhooks.
    #[default]
    Long,
    /// The contract's five retries.
    Vendor,
}

/// The contract's gaps between attempts. While they last, the callbacks behind in the room wait.
pub const FIRST_RETRIES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(32),
];

/// The gaps after them (Standard Webhooks, retry schedule).
pub const LATE_RETRIES: [Duration; 8] = [
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(5 * 3_600),
    Duration::from_secs(10 * 3_600),
    Duration::from_secs(14 * 3_600),
    Duration::from_secs(20 * 3_600),
    Duration::from_secs(24 * 3_600),
];

/// The last attempt is made no later than this after the first one.
pub const TRIED_FOR: Duration = Duration::from_secs(3 * 86_400);

/// What a callback has behind it when an attempt has just failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Attempts so far, at least one.
    pub attempts: u32,
    /// When the first one began.
    pub first_attempt_at: UnixMillis,
    /// Whether it has stepped aside.
    pub is_late: bool,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is tried again then; the ones behind it wait.
    Hold(UnixMillis),
    /// It is tried again then, alone; the ones behind it go on.
    StepAside(UnixMillis),
    /// It is not tried again.
    GiveUp,
}

/// The longest wait after so many attempts.
pub(crate) fn gap_after(attempts: u32) -> Duration {
    let mut gaps = FIRST_RETRIES.iter().chain(&LATE_RETRIES);
    *gaps.nth(attempts.saturating_sub(1) as usize).unwrap_or(&LATE_RETRIES[LATE_RETRIES.len() - 1])
}

/// What happens to a callback whose last attempt failed at `now`.
pub fn next(plan: RetryPlan, hold: Duration, tried: Tried, now: UnixMillis) -> Next {
    let retries = tried.attempts.saturating_sub(1) as usize;
    if let Some(gap) = FIRST_RETRIES.get(retries) {
        let at = now.after(*gap);
        let holds = !tried.is_late && at <= tried.first_attempt_at.after(hold);
        return if holds { Next::Hold(at) } else { Next::StepAside(at) };
    }
    let last_at = tried.first_attempt_at.after(TRIED_FOR);
    match (plan, LATE_RETRIES.get(retries - FIRST_RETRIES.len())) {
        (RetryPlan::Long, Some(gap)) if now < last_at => {
            Next::StepAside(now.after(*gap).min(last_at))
        }
        (RetryPlan::Long, Some(_) | None) | (RetryPlan::Vendor, _) => Next::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(95);
    const START: UnixMillis = UnixMillis(1_795_400_000_000);

    /// Every attempt fails after `each`: when each begins, in seconds after the first, and from
    /// which one on it is late.
    fn course(plan: RetryPlan, hold: Duration, each: Duration) -> (Vec<u64>, Option<usize>) {
        let (mut begins, mut late_from) = (vec![0], None);
        let mut at = START;
        loop {
            let tried = Tried {
                attempts: begins.len() as u32,
                first_attempt_at: START,
                is_late: late_from.is_some(),
            };
            at = match next(plan, hold, tried, at.after(each)) {
                Next::Hold(at) => at,
                Next::StepAside(at) => {
                    late_from = late_from.or(Some(begins.len()));
                    at
                }
                Next::GiveUp => return (begins, late_from),
            };
            begins.push(at.since(START).as_secs());
        }
    }

    #[test]
    fn the_vendors_five_retries() {
        let (begins, late_from) = course(RetryPlan::Vendor, HOLD, Duration::ZERO);
        assert_eq!(begins, [0, 2, 6, 14, 30, 62]);
        assert_eq!(late_from, None, "it holds its room until it is given up");
    }

    #[test]
    fn the_long_plan_goes_on_alone_and_ends_after_three_days() {
        let (begins, late_from) = course(RetryPlan::Long, HOLD, Duration::ZERO);
        assert_eq!(begins[..6], [0, 2, 6, 14, 30, 62]);
        assert_eq!(late_from, Some(6));
        let (minute, hour) = (60, 3_600);
        let mut expected = vec![62];
        for gap in [5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour] {
            expected.push(expected.last().unwrap() + gap);
        }
        expected.push(3 * 24 * hour);
        assert_eq!(begins[5..], expected);
    }

    #[test]
    fn with_a_receiver_that_hangs_the_five_retries_end_inside_the_hold() {
        let (begins, late_from) = course(RetryPlan::Long, HOLD, Duration::from_secs(5));
        assert_eq!(begins[..6], [0, 7, 16, 29, 50, 87]);
        assert_eq!(late_from, Some(6), "five retries were made while the room waited");
        assert!(begins[5] + 5 <= HOLD.as_secs());
    }

    #[test]
    fn a_shorter_hold_lets_it_step_aside_earlier_and_changes_no_time() {
        let (with_hold, _) = course(RetryPlan::Long, HOLD, Duration::ZERO);
        let (begins, late_from) = course(RetryPlan::Long, Duration::from_secs(10), Duration::ZERO);
        assert_eq!(begins, with_hold);
        assert_eq!(late_from, Some(3), "the retry at 14 s would be later than 10 s");
    }
}
