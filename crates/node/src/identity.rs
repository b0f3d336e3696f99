//! Ids and secrets that the node gives out.

use std::sync::atomic::{AtomicU64, Ordering};

use odeum_room::{ConnectionId, ResumeSecret};
use odeum_types::{PeerId, SessionId, UnixMillis};
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Low bits of a session id that count inside the second of the start: two million logins a second
/// for as long as the process runs do not reach the ids of the next start, and 2^53, beyond which
/// JavaScript's numbers have gaps, is a hundred years off.
const SESSION_COUNTER_BITS: u32 = 21;

/// Counters of ids. Those of connections and peers are unique in the process and begin at 1; those
/// of sessions stand in callbacks and are unique across restarts, as long as the clock of a start
/// is not behind that of the one before.
#[derive(Debug)]
pub(crate) struct Identities {
    /// The last session id.
    sessions: AtomicU64,
    /// The last connection id.
    connections: AtomicU64,
    /// The last peer id.
    peers: AtomicU64,
}

impl Identities {
    /// The counters of a process that starts now.
    pub(crate) fn new(now: UnixMillis) -> Self {
        Self {
            sessions: AtomicU64::new(now.seconds() << SESSION_COUNTER_BITS),
            connections: AtomicU64::new(0),
            peers: AtomicU64::new(0),
        }
    }

    /// A new session id.
    pub(crate) fn session(&self) -> SessionId {
        SessionId(next(&self.sessions))
    }

    /// A new connection id.
    pub(crate) fn connection(&self) -> ConnectionId {
        ConnectionId(next(&self.connections))
    }

    /// A new peer id.
    pub(crate) fn peer(&self) -> PeerId {
        PeerId(next(&self.peers))
    }
}

fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

/// 128 bits from the operating system.
pub(crate) fn resume_secret() -> ResumeSecret {
    ResumeSecret::new(random_bytes())
}

/// Bytes from the operating system's generator.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).expect("getrandom(2) does not fail once the machine is up");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_go_on_after_a_restart_and_fit_javascript() {
        let before = Identities::new(UnixMillis(1_795_400_000_000));
        let last = std::iter::repeat_with(|| before.session()).take(1_000).last().unwrap();
        let after = Identities::new(UnixMillis(1_795_400_001_000)).session();
        assert!(last < after && after.0 < 1 << 53, "{last} {after}");
        assert_eq!((before.connection(), before.peer()), (ConnectionId(1), PeerId(1)));
    }
}
