//! A queue that stands: how much longer packets take than they once did. Where it is full its
//! length does not change, and differences of delays say nothing of it.

/// A delay in the past counts for so long at the least, and twice that at the most, in
/// microseconds: clocks drift, and ways change.
const WINDOW_US: u64 = 15_000_000;

/// What waits longer waits in a queue, in microseconds: radio links hold packets for tens of
/// milliseconds.
const STANDING_US: i64 = 120_000;

/// How long packets take, by two clocks that nobody compares: only differences count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The shortest of this window and of the one before, in microseconds.
    shortest_us: [i64; 2],
    /// When this window began, in microseconds.
    began_us: u64,
    /// When there was feedback last, in microseconds, and the shortest of it.
    latest: Option<(u64, i64)>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { shortest_us: [i64::MAX; 2], began_us: 0, latest: None }
    }
}

impl Standing {
    /// The shortest time that a packet of a feedback took.
    pub(crate) fn add(&mut self, now_us: u64, shortest_us: i64) {
        let is_old = |(at_us, _)| now_us.saturating_sub(at_us) >= WINDOW_US;
        if self.latest.is_some_and(is_old) {
            *self = Self::default();
        }
        if now_us.saturating_sub(self.began_us) >= WINDOW_US {
            self.shortest_us = [i64::MAX, self.shortest_us[0]];
            self.began_us = now_us;
        }
        self.shortest_us[0] = self.shortest_us[0].min(shortest_us);
        self.latest = Some((now_us, shortest_us));
    }

    /// Whether there is one.
    pub(crate) fn is_long(&self) -> bool {
        self.length_us() >= STANDING_US
    }

    /// How long packets wait at the least, in microseconds, as far as is known.
    pub(crate) fn length_us(&self) -> i64 {
        let [one, other] = self.shortest_us;
        self.latest.map_or(0, |(_, latest)| latest.saturating_sub(one.min(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_told_by_the_shortest_delay_of_the_last_half_minute() {
        let mut standing = Standing::default();
        assert!(!standing.is_long());
        // Whatever the clocks show.
        for (now_s, delay_ms, is_long) in [
            (0, -5_000, false),
            (1, -4_890, false),
            (2, -4_870, true),
            (3, -5_000, false),
            (4, -4_700, true),
        ] {
            standing.add(now_s * 1_000_000, delay_ms * 1_000);
            assert_eq!(standing.is_long(), is_long, "{now_s} s");
        }
        (5..60).for_each(|now_s| standing.add(now_s * 1_000_000, -4_700_000));
        assert!(!standing.is_long(), "it is the way that has become longer");
    }

    #[test]
    fn what_was_before_a_long_silence_counts_for_nothing() {
        let is_long_after = |silence_s: u64| {
            let mut standing = Standing::default();
            (0..20).for_each(|now_s| standing.add(now_s * 1_000_000, 0));
            standing.add((19 + silence_s) * 1_000_000, 200_000);
            standing.is_long()
        };
        assert!(is_long_after(14));
        assert!(!is_long_after(15));
    }
}
