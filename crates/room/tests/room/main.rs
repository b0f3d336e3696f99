//! The room from outside: a table of behaviours, property tests, and a seeded simulation of several
//! rooms.
//!
//! - `world`: rooms, clients (`client`) and a network that loses; carries out each `operation`,
//!   counts `faults`, checks event histories (`history`) and invariants. `simulation` and
//!   `properties` drive it.
//! - `node`: the owner of rooms without IO, shared by everything here.
//! - `script`: one line per step, one snapshot per behaviour; `session`, `stream`, `grace`,
//!   `backend`, `time`, `messages`, `extra_info` use it.

mod backend;
mod client;
mod extra_info;
mod faults;
mod grace;
mod history;
mod messages;
mod node;
mod operation;
mod properties;
mod random;
mod rules;
mod script;
mod session;
mod simulation;
mod stream;
mod text;
mod time;
mod world;
