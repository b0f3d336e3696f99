//! The room from outside: a table of behaviours, property tests, and a seeded simulation of several rooms.
//!
//! - `node`: the owner of rooms without IO, shared by everything here.
//! - `script`: one line per step, one snapshot per behaviour; `session`, `stream`, `backend`, `time` use it.

mod backend;
mod node;
mod script;
mod session;
mod stream;
mod time;
