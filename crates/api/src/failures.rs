//! Failed authentications: all counted, logged at most once a second per source (ruling 4).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use odeum_types::UnixMillis;

/// How long a source is silent in the log after a line.
const SILENCE: Duration = Duration::from_secs(1);

/// Sources remembered at once; the failures of further ones in the same second are counted only.
const SOURCES_MAX: usize = 10_000;

/// When each source was last logged.
///
/// Behind a lock because all connections share it; it is held for one map operation, and only by
/// requests that failed.
#[derive(Debug, Default)]
pub(crate) struct FailureLog {
    /// Time of the last line by source; `None` stands for an unknown source.
    logged: Mutex<HashMap<Option<IpAddr>, UnixMillis>>,
}

impl FailureLog {
    /// Whether a failure of `source` at `now` may write a line.
    pub(crate) fn may_log(&self, now: UnixMillis, source: Option<IpAddr>) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        // A line of a time to come was written before the clock was set back.
        let is_silent = |at: &UnixMillis| *at <= now && now < at.after(SILENCE);
        if logged.get(&source).is_some_and(is_silent) {
            return false;
        }
        if logged.len() >= SOURCES_MAX {
            logged.retain(|_, at| is_silent(at));
        }
        if logged.len() >= SOURCES_MAX {
            return false;
        }
        logged.insert(source, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_logged_once_a_second() {
        let log = FailureLog::default();
        let source = Some(IpAddr::from([192, 0, 2, 1]));
        assert!(log.may_log(UnixMillis(5_000), source));
        assert!(!log.may_log(UnixMillis(5_999), source));
        assert!(log.may_log(UnixMillis(5_999), None));
        assert!(log.may_log(UnixMillis(6_000), source));
        assert!(log.may_log(UnixMillis(1_000), source), "the clock was set back");
    }

    #[test]
    fn many_sources_do_not_grow_the_memory() {
        let log = FailureLog::default();
        let source = |n: u32| Some(IpAddr::from(n.to_be_bytes()));
        let logged = (0..30_000).filter(|n| log.may_log(UnixMillis(0), source(*n))).count();
        assert_eq!(logged, SOURCES_MAX);
        assert!(log.may_log(UnixMillis(1_000), source(1)));
        assert_eq!(log.logged.lock().unwrap().len(), 1);
    }
}
