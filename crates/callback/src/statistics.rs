//! What the service counts, for the metrics page.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use odeum_types::{AppId, UnixMillis};

use crate::dispatcher::Backlog;

/// Everything the service counts, at one moment. Counters start at zero with the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackStatistics {
    /// Callbacks that wait, those that have stepped aside, and attempts under way.
    pub backlog: Backlog,
    /// Callbacks that wait, by app.
    pub waiting_by_app: BTreeMap<AppId, u64>,
    /// When the event happened whose callback waits longest.
    pub oldest: Option<UnixMillis>,
    /// Attempts made.
    pub attempts: u64,
    /// Attempts that failed.
    pub attempts_failed: u64,
    /// Callbacks that a receiver took.
    pub delivered: u64,
    /// Callbacks that were tried for the last time without success.
    pub failed: u64,
    /// Callbacks that were given up.
    pub dropped: u64,
    /// Callbacks stored.
    pub stored: u64,
    /// Commits of the store.
    pub commits: u64,
    /// Commits that failed.
    pub commits_failed: u64,
    /// Entries of the node that wait for the store, in memory.
    pub spilled: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) attempts: AtomicU64,
    pub(crate) attempts_failed: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) stored: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) commits_failed: AtomicU64,
    /// Set, not counted.
    pub(crate) spilled: AtomicU64,
    /// What the sender saw last. The lock is held to copy it; the sender writes it once in a
    /// while.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    pub(crate) backlog: Backlog,
    pub(crate) by_app: BTreeMap<AppId, u64>,
    pub(crate) oldest: Option<UnixMillis>,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn set_waiting(&self, waiting: Waiting) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    pub(crate) fn copy(&self) -> CallbackStatistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        CallbackStatistics {
            backlog: waiting.backlog,
            waiting_by_app: waiting.by_app,
            oldest: waiting.oldest,
            attempts: read(&self.attempts),
            attempts_failed: read(&self.attempts_failed),
            delivered: read(&self.delivered),
            failed: read(&self.failed),
            dropped: read(&self.dropped),
            stored: read(&self.stored),
            commits: read(&self.commits),
            commits_failed: read(&self.commits_failed),
            spilled: read(&self.spilled),
        }
    }
}
