//! What the relay counts.

use std::sync::atomic::{AtomicU64, Ordering};

use odeum_turn::Refusal;

/// What the relay has counted since the start, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnStatistics {
    /// Allocations now.
    pub allocations: u64,
    /// Allocations made.
    pub allocations_made: u64,
    /// Of them, those that ended because their session did.
    pub ended_with_session: u64,
    /// From clients to media ports.
    pub to_media: Carried,
    /// From media ports to clients.
    pub to_clients: Carried,
    /// Packets lost because their allocation was over its rate.
    pub over_rate: u64,
    /// Requests refused, by a word for the reason; each reason once.
    pub refusals: Vec<(&'static str, u64)>,
}

/// What was carried one way, without TURN's own bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The live counters. Shared by the tasks of all clients: a relaxed addition each, where a message
/// would cost more than the packet.
#[derive(Debug, Default)]
pub(super) struct Counters {
    allocations_made: AtomicU64,
    ended_with_session: AtomicU64,
    to_media: Way,
    to_clients: Way,
    over_rate: AtomicU64,
    /// In the order of [`Refusal::ALL`].
    refusals: [AtomicU64; Refusal::ALL.len()],
}

/// One way.
#[derive(Debug, Default)]
struct Way {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Way {
    fn add(&self, bytes: usize) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn copy(&self) -> Carried {
        let (packets, bytes) = (&self.packets, &self.bytes);
        Carried { packets: packets.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) }
    }
}

impl Counters {
    pub(super) fn allocated(&self) {
        self.allocations_made.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended_with_session(&self) {
        self.ended_with_session.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn to_media(&self, bytes: usize) {
        self.to_media.add(bytes);
    }

    pub(super) fn to_client(&self, bytes: usize) {
        self.to_clients.add(bytes);
    }

    pub(super) fn over_rate(&self) {
        self.over_rate.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, why: Refusal) {
        self.refusals[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A copy, with how many allocations there are.
    pub(super) fn copy(&self, allocations: u64) -> TurnStatistics {
        let refusals = Refusal::ALL.iter().zip(&self.refusals);
        TurnStatistics {
            allocations,
            allocations_made: self.allocations_made.load(Ordering::Relaxed),
            ended_with_session: self.ended_with_session.load(Ordering::Relaxed),
            to_media: self.to_media.copy(),
            to_clients: self.to_clients.copy(),
            over_rate: self.over_rate.load(Ordering::Relaxed),
            refusals: refusals
                .map(|(why, count)| (why.word(), count.load(Ordering::Relaxed)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_counted_under_its_own_word() {
        for why in Refusal::ALL {
            let counters = Counters::default();
            counters.refused(why);
            let counted = counters.copy(0).refusals.into_iter().filter(|(_, count)| *count > 0);
            assert_eq!(counted.collect::<Vec<_>>(), [(why.word(), 1)]);
        }
    }
}
