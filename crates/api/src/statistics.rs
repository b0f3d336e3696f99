//! What the Server API counts, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests so far, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ApiStatistics {
    /// Requests that reached the gateway.
    pub requests: u64,
    /// Of these: answered with code 0 now.
    pub succeeded: u64,
    /// Not authentic: an unknown app, a wrong signature or a Timestamp outside the window.
    pub failed_authentications: u64,
    /// A nonce that another request had used.
    pub replays: u64,
    /// Retries that got a stored reply.
    pub retries: u64,
    /// Over a rate limit.
    pub rate_limited: u64,
    /// Ended by an internal failure, code 1.
    pub failures: u64,
}

/// The same, while counting.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed_authentications: AtomicU64,
    pub(crate) replays: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) rate_limited: AtomicU64,
    pub(crate) failures: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> ApiStatistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ApiStatistics {
            requests: read(&self.requests),
            succeeded: read(&self.succeeded),
            failed_authentications: read(&self.failed_authentications),
            replays: read(&self.replays),
            retries: read(&self.retries),
            rate_limited: read(&self.rate_limited),
            failures: read(&self.failures),
        }
    }
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
