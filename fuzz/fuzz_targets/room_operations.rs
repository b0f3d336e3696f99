//! Rooms of one app under any order of operations: the world of the room's own simulation, driven
//! by the fuzzer instead of a seed. After each operation every client's view, every claim and every
//! list is checked; at the end time alone must empty everything.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use odeum_room::{DeleteStreamMode, RoomConfig};

use shared::{client, faults, history, node, operation, world};

/// The simulation's parts; they name each other by `crate::`.
#[path = "../../crates/room/tests/room"]
#[allow(dead_code, reason = "shared with the tests of the room, which use more of it")]
mod shared {
    pub(crate) mod client;
    pub(crate) mod faults;
    pub(crate) mod history;
    pub(crate) mod node;
    pub(crate) mod operation;
    pub(crate) mod world;
}

/// Operations of one run; the checks after each are what costs time.
const OPERATIONS_MAX: usize = 400;

fuzz_target!(|data: &[u8]| {
    let Some(([limits, replay], rest)) = data.split_first_chunk() else { return };
    let either = |bit: u8| limits >> bit & 1 == 1;
    let config = RoomConfig {
        users_max: if either(0) { 3 } else { 100 },
        replay_messages_max: 1 + usize::from(replay % 8),
        replay_bytes_max: if either(1) { 600 } else { 100_000 },
        missed_messages_max: if either(6) { 3 } else { 4_096 },
        streams_per_user_max: 2,
        plays_per_user_max: 2,
        user_notices_max: if either(2) { 2 } else { 500 },
        delete_stream: match either(3) {
            true => DeleteStreamMode::Notify,
            false => DeleteStreamMode::Stop,
        },
        kick_on_token_expiry: either(4),
        heartbeat_timeout: Duration::from_secs(if either(5) { 100 } else { 30 }),
        ..RoomConfig::default()
    };
    let mut world = world::World::new(config);
    for numbers in rest.as_chunks().0.iter().take(OPERATIONS_MAX) {
        world.run(operation::Operation::from_numbers(*numbers));
    }
    world.run_out();
});
