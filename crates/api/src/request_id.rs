//! RequestId: the number under which a request stands in its reply and on every log line of it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use odeum_types::UnixMillis;

/// Bits of a request's number below its millisecond.
const COUNTER_BITS: u32 = 22;

/// A decimal number of 19 digits until the year 2039.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RequestId(u64);

/// Gives out request ids: the time in milliseconds, then a counter that starts at random, so that
/// ids of one process never meet (below four million requests a millisecond) and those of two
/// rarely.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// The next number; its low bits are used.
    counter: AtomicU64,
}

impl RequestIds {
    /// Starts counting at `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { counter: AtomicU64::new(seed) }
    }

    /// An id that was not given out before.
    pub(crate) fn next(&self, now: UnixMillis) -> RequestId {
        let count = self.counter.fetch_add(1, Ordering::Relaxed) & ((1 << COUNTER_BITS) - 1);
        RequestId(now.0 << COUNTER_BITS | count)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_of_one_millisecond_differ_and_have_19_digits() {
        let ids = RequestIds::new(u64::MAX - 5);
        let seen: HashSet<String> =
            (0..1000).map(|_| ids.next(UnixMillis(1_790_000_000_000)).to_string()).collect();
        assert_eq!(seen.len(), 1000);
        assert!(seen.iter().all(|id| id.len() == 19), "{seen:?}");
    }
}
