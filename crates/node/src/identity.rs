//! Ids and secrets that the node gives out.

use std::sync::atomic::{AtomicU64, Ordering};

use odeum_room::{ConnectionId, ResumeSecret};
use odeum_types::{PeerId, SessionId};
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Counters of ids that are unique in the process. They begin at 1.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    /// The last session id.
    sessions: AtomicU64,
    /// The last connection id.
    connections: AtomicU64,
    /// The last peer id.
    peers: AtomicU64,
}

impl Identities {
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
