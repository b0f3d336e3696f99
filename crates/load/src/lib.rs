//! The load generator of `odeum bench`: publishers and viewers without a browser, hundreds to a
//! core, against Odeum or any server that speaks WHIP and WHEP; what they cost the server, and what
//! arrives.
//!
//! - [`BenchArgs`] and [`run`]: the command. `shape.rs` says who is in which room and plays what;
//!   `stage.rs` brings them in through a `target.rs`; `drive.rs` moves their packets; `measure.rs`
//!   takes windows of it; `report.rs` and `chart.rs` tell.
//! - `flood.rs`: the same beside packets that no client would send.
//! - [`Server`], [`Measured`], [`Machine`], [`Percentiles`], [`Epoll`]: the ground that the other
//!   measurements of `bench/` stand on too.
//!
//! The invariants: what is told as delivered has arrived at a viewer; what a server is charged with
//! is all its threads' time, and its core's softirq thread's; nothing waits in the load while a
//! window is measured.

mod args;
mod chart;
mod drive;
mod flood;
mod floor;
mod machine;
mod measure;
mod percentiles;
mod process;
mod report;
mod schedule;
mod server;
mod shape;
mod stage;
mod sys;
mod target;

pub use args::BenchArgs;
pub use machine::Machine;
pub use percentiles::{Percentiles, median};
pub use process::{Measured, descriptors_max};
pub use server::{APP, CORE, Reach, SECRET, Server, ServerOptions, token};
pub use sys::Epoll;

use args::Shape;

/// Runs the command.
///
/// # Errors
/// A server that cannot be started or reached, or that refuses; a peer that closes; with Odeum, a
/// payload that is not what was sent.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    match &args.shape {
        Shape::Fanout(args) => measure::run(args, &args.common),
        Shape::Rooms(args) => measure::run(args, &args.common),
        Shape::Audio(args) => measure::run(args, &args.common),
        Shape::Flood(args) => flood::run(args),
        Shape::Floor => floor::run(),
    }
}
