//! The control plane from one seed: the room's simulated world (rooms, users, a network that loses,
//! API calls, rules) with what makes it durable and tells a backend of it. The store is the real
//! one; receivers are virtual, and the store fails, the process crashes and the clock jumps when
//! the seed says so.
//!
//! What must hold, whatever happens: what the store has acknowledged is never lost; each room's
//! events form a legal history and are sent in order but for those that stepped aside; a rule that
//! was acknowledged is in force, also after a crash.
//!
//! - `rooms`: the parts of the room's simulation; they name each other by `crate::`.
//! - `plane`: the steps. `start`: crashes. `backend`: what receivers know, and what they must know.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rooms::{client, faults, history, node, operation, random, world};

#[macro_use]
#[path = "../../../room/tests/room"]
#[allow(dead_code, reason = "shared with the tests of the room, which use more of it")]
mod rooms {
    pub(crate) mod client;
    #[macro_use]
    pub(crate) mod faults;
    pub(crate) mod history;
    pub(crate) mod node;
    pub(crate) mod operation;
    pub(crate) mod random;
    pub(crate) mod world;
}

mod backend;
mod counts;
mod plane;
mod start;

use counts::Faults;
use plane::Plane;
use random::Random;

/// Seeds of one run of the tests; `make sim` asks for others and more, as `ODEUM_SEEDS=FROM..TO`.
const SEEDS: u64 = 12;
const STEPS: usize = 8_000;

/// Rooms that begin and end in that many seeds, at the least.
const ROOMS_MIN: u64 = 1_000;

fn seeds() -> Range<u64> {
    let Some(asked) = option_env!("ODEUM_SEEDS") else { return 0..SEEDS };
    let (from, to) = asked.split_once("..").expect("ODEUM_SEEDS is FROM..TO");
    from.parse().expect("FROM is a number")..to.parse().expect("TO is a number")
}

/// Seeds that failed once.
const SEEDS_OF_BUGS: [u64; 1] = [
    // A rule about a stream ended before it was durable, and cut the stream all the same.
    1061,
];

fn simulate(seed: u64) -> Faults {
    let mut random = Random::new(seed);
    let mut plane = Plane::new(&mut random);
    for _ in 0..STEPS {
        plane.step(&mut random);
    }
    plane.run_out()
}

#[test]
fn nothing_acknowledged_is_lost_and_every_history_is_legal() {
    let mut total = Faults::default();
    let seeds = seeds();
    let are_enough_for_every_fault = seeds.end - seeds.start >= SEEDS;
    for seed in SEEDS_OF_BUGS.into_iter().chain(seeds) {
        match catch_unwind(AssertUnwindSafe(|| simulate(seed))) {
            Ok(faults) => total.add(&faults),
            Err(panic) => {
                eprintln!("seed {seed} failed");
                resume_unwind(panic);
            }
        }
    }
    println!("{total:?}");
    if are_enough_for_every_fault {
        total.assert_all_happened();
        assert!(total.rooms >= ROOMS_MIN, "{total:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(simulate(7), simulate(7));
}
