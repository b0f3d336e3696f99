//! Key frame requests to one layer of a publisher: not more often than an interval allows, not
//! lost, and not for ever.

use std::time::{Duration, Instant};

use crate::config::KEY_FRAME_ATTEMPTS_MAX;

/// Who wants a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A viewer that has just joined; it sees nothing until then, so the interval is a fifth.
    ByJoining,
    /// A viewer that lost something.
    ByLoss,
}

/// When key frames were asked for, and when the next may be.
#[derive(Debug, Default)]
pub(crate) struct KeyFrameRequests {
    /// The last request.
    sent: Option<Instant>,
    /// From when on the next may go; `None` when nobody waits.
    due: Option<Instant>,
    /// Requests since somebody last began to want one; at most [`KEY_FRAME_ATTEMPTS_MAX`].
    attempts: u8,
}

impl KeyFrameRequests {
    /// Somebody wants one.
    pub(crate) fn want(&mut self, now: Instant, interval: Duration) {
        let earliest = self.sent.map_or(now, |sent| (sent + interval).max(now));
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
        self.attempts = 0;
    }

    /// A key frame came: whoever waited has it.
    pub(crate) fn satisfy(&mut self) {
        self.due = None;
    }

    /// Whether to ask now. The request or its answer may be lost, so it is due again after
    /// `interval` unless a key frame comes before.
    pub(crate) fn take_due(&mut self, now: Instant, interval: Duration) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.attempts += 1;
        self.due = (self.attempts < KEY_FRAME_ATTEMPTS_MAX).then(|| now + interval);
        self.sent = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frame_requests_keep_their_distance_and_none_is_lost() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let interval = Duration::from_millis(500);
        let mut requests = KeyFrameRequests::default();
        let is_due =
            |requests: &mut KeyFrameRequests, millis| requests.take_due(at(millis), interval);
        assert!(!is_due(&mut requests, 0));
        requests.want(at(0), interval);
        assert!(is_due(&mut requests, 0));
        requests.want(at(10), interval);
        requests.want(at(20), interval);
        assert!(!is_due(&mut requests, 499));
        assert!(is_due(&mut requests, 500));
        assert!(!is_due(&mut requests, 999));
        assert!(is_due(&mut requests, 1_000), "unanswered, so once more");
        requests.satisfy();
        assert!(!is_due(&mut requests, 3_000));
        requests.want(at(3_000), interval);
        let sent = (6..200).filter(|n| is_due(&mut requests, n * 500)).count();
        assert_eq!(sent, usize::from(KEY_FRAME_ATTEMPTS_MAX));
    }
}
