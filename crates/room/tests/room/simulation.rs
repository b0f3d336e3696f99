//! Seeded simulation: rooms, clients and a bad network, thousands of operations per seed,
//! everything checked after each one. A failure prints its seed; a seed that found a bug stays in
//! `SEEDS_OF_BUGS`.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use odeum_room::{DeleteStreamMode, RoomConfig};

use crate::faults::Faults;
use crate::operation::Operation;
use crate::random::Random;
use crate::world::World;

/// Seeds of one run of the tests; `make sim` asks for others and more, as `ODEUM_SEEDS=FROM..TO`.
const SEEDS: u64 = 40;
const OPERATIONS: usize = 1_500;

/// Seeds that failed once.
const SEEDS_OF_BUGS: [u64; 1] = [
    // The room's extra info was not told to who set it: a lost reply left an older value.
    110,
];

fn seeds() -> Range<u64> {
    let Some(asked) = option_env!("ODEUM_SEEDS") else { return 0..SEEDS };
    let (from, to) = asked.split_once("..").expect("ODEUM_SEEDS is FROM..TO");
    from.parse().expect("FROM is a number")..to.parse().expect("TO is a number")
}

/// Small limits, so that each of them is hit.
fn config(random: &mut Random) -> RoomConfig {
    let modes = [DeleteStreamMode::Stop, DeleteStreamMode::Notify];
    RoomConfig {
        users_max: [3, 100][random.below(2)],
        replay_messages_max: 1 + random.below(8),
        replay_bytes_max: [600, 100_000][random.below(2)],
        missed_messages_max: [2, 5, 4_096][random.below(3)],
        missed_message_bytes_max: [400, 100_000][random.below(2)],
        streams_per_user_max: 2,
        plays_per_user_max: 2,
        added_streams_max: 2,
        user_notices_max: [1, 2, 500][random.below(3)],
        delete_stream: modes[random.below(2)],
        kick_on_token_expiry: random.below(2) == 0,
        media_grace: Duration::from_secs([0, 5, 20][random.below(3)]),
        ..RoomConfig::default()
    }
}

fn simulate(seed: u64) -> Faults {
    let mut random = Random::new(seed);
    let mut world = World::new(config(&mut random));
    for _ in 0..OPERATIONS {
        world.run(Operation::from_numbers(random.numbers()));
    }
    world.run_out();
    world.faults
}

#[test]
fn rooms_hold_their_invariants_under_faults() {
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
    if are_enough_for_every_fault {
        total.assert_all_happened();
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(format!("{:?}", simulate(7)), format!("{:?}", simulate(7)));
}
