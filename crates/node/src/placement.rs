//! Which media worker a session's transports go to: the room's own until that is busy or holds
//! enough of the room, then the one with the most to spare.

use odeum_types::PeerId;
use rustc_hash::FxHashMap;

use crate::media_handle::WorkerNumber;

/// Load in which a worker counts as busy: new viewers go elsewhere while there is time to spread
/// them, because those that are there stay.
const BUSY: Load = Load(600);

/// Loads closer to each other than this are alike: the measure is a second old.
const LOAD_STEP: u16 = 100;

/// Share of its core that a worker uses, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Load(pub(crate) u16);

/// A media worker, to a room that looks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Which.
    pub(crate) worker: WorkerNumber,
    /// How busy it is with everything.
    pub(crate) load: Load,
    /// Transports of this room on it.
    pub(crate) transports: usize,
    /// Whether it serves.
    pub(crate) is_alive: bool,
}

/// The transports of a room and where each is.
#[derive(Debug, Default)]
pub(crate) struct RoomPeers {
    /// The worker of each.
    workers: FxHashMap<PeerId, WorkerNumber>,
    /// How many each worker has, by number; grows with the workers used.
    counts: Vec<usize>,
}

impl RoomPeers {
    pub(crate) fn insert(&mut self, peer: PeerId, worker: WorkerNumber) {
        self.remove(peer);
        self.workers.insert(peer, worker);
        if self.counts.len() <= worker.0 {
            self.counts.resize(worker.0 + 1, 0);
        }
        self.counts[worker.0] += 1;
    }

    pub(crate) fn remove(&mut self, peer: PeerId) -> Option<WorkerNumber> {
        let worker = self.workers.remove(&peer)?;
        self.counts[worker.0] -= 1;
        Some(worker)
    }

    pub(crate) fn worker_of(&self, peer: PeerId) -> Option<WorkerNumber> {
        self.workers.get(&peer).copied()
    }

    pub(crate) fn count_on(&self, worker: WorkerNumber) -> usize {
        self.counts.get(worker.0).copied().unwrap_or(0)
    }

    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerId, WorkerNumber)> {
        self.workers.iter().map(|(peer, worker)| (*peer, *worker))
    }
}

/// Chooses a worker for a session that has no transport yet. Packets of a publisher cross to a
/// worker once however many watch there, so that what counts is how many workers a room is on, and
/// that none is overloaded.
pub(crate) fn choose(
    home: Candidate,
    others: impl Iterator<Item = Candidate>,
    transports_max: usize,
) -> WorkerNumber {
    let is_full = home.transports >= transports_max;
    if home.is_alive && home.load < BUSY && !is_full {
        return home.worker;
    }
    let others = others.filter(|other| other.is_alive);
    let best = others.min_by_key(|other| (other.load.0 / LOAD_STEP, other.transports));
    let Some(best) = best else { return home.worker };
    let is_lighter = best.load.0 / LOAD_STEP < home.load.0 / LOAD_STEP;
    let is_emptier = is_full
        && best.load.0 / LOAD_STEP <= home.load.0 / LOAD_STEP
        && best.transports < home.transports;
    if !home.is_alive || is_lighter || is_emptier { best.worker } else { home.worker }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(worker: usize, load: u16, transports: usize) -> Candidate {
        let worker = WorkerNumber(worker);
        Candidate { worker, load: Load(load), transports, is_alive: true }
    }

    #[test]
    fn a_room_leaves_its_worker_only_for_a_better_one() {
        let choose = |home: Candidate, others: &[Candidate]| {
            super::choose(home, others.iter().copied(), 100).0
        };
        let free = candidate(1, 0, 0);
        assert_eq!(choose(candidate(0, 590, 99), &[free]), 0, "there is room at home");
        assert_eq!(choose(candidate(0, 600, 99), &[free]), 1, "home is busy");
        assert_eq!(choose(candidate(0, 0, 100), &[free]), 1, "home is full");
        assert_eq!(choose(candidate(0, 0, 100), &[candidate(1, 0, 100)]), 0, "so is the other");
        assert_eq!(choose(candidate(0, 900, 0), &[candidate(1, 990, 0)]), 0, "all are busy");
        assert_eq!(choose(candidate(0, 0, 100), &[candidate(1, 700, 0)]), 0, "it is busy");
        assert_eq!(choose(candidate(0, 900, 0), &[]), 0, "there is no other");
        let others = [candidate(1, 210, 0), candidate(2, 120, 50), candidate(3, 190, 40)];
        assert_eq!(choose(candidate(0, 700, 99), &others), 3, "alike in load, fewer of the room");
    }

    #[test]
    fn transports_are_counted_where_they_are() {
        let mut peers = RoomPeers::default();
        peers.insert(PeerId(1), WorkerNumber(2));
        peers.insert(PeerId(2), WorkerNumber(2));
        peers.insert(PeerId(2), WorkerNumber(0));
        let counts = |peers: &RoomPeers| [0, 1, 2, 3].map(|n| peers.count_on(WorkerNumber(n)));
        assert_eq!(counts(&peers), [1, 0, 1, 0]);
        assert_eq!(peers.remove(PeerId(1)), Some(WorkerNumber(2)));
        assert_eq!(peers.remove(PeerId(1)), None);
        assert_eq!((counts(&peers), peers.len()), ([1, 0, 0, 0], 1));
    }

    #[test]
    fn a_worker_that_is_down_gets_nothing() {
        let down = |candidate: Candidate| Candidate { is_alive: false, ..candidate };
        let free = candidate(1, 0, 0);
        let choose = |home, other| choose(home, [other].into_iter(), 100).0;
        assert_eq!(choose(down(candidate(0, 0, 0)), free), 1);
        assert_eq!(choose(candidate(0, 990, 200), down(free)), 0);
    }

    #[test]
    fn a_storm_of_joins_is_spread_evenly_once_home_is_full() {
        let mut transports = [0; 3];
        for _ in 0..1_000 {
            let [home, one, two] =
                [0, 1, 2].map(|worker| candidate(worker, 300, transports[worker]));
            transports[choose(home, [one, two].into_iter(), 100).0] += 1;
        }
        assert_eq!(transports.iter().sum::<usize>(), 1_000);
        assert!(transports.iter().all(|count| (330..=340).contains(count)), "{transports:?}");
    }
}
