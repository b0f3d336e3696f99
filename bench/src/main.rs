//! Measures what of Odeum is not media alone: the load generators behind `make bench-api`,
//! `bench-users`, `bench-churn`, `bench-ways` and `soak`. Media is measured by `odeum bench`
//! (`crates/load`).
//!
//! Each subcommand starts the release server itself, pinned to one core, loads it from another, and
//! prints a table; `--json FILE` keeps the same as data, with machine and commit.

mod api;
mod callbacks;
mod churn;
mod crowd;
mod http_load;
mod light_socket;
mod notice;
mod receiver;
mod slope;
mod soak;
mod users;
mod ways;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Load generators and measurements of Odeum")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Signed Server API calls per second of one core.
    Api(api::ApiArgs),
    /// One DeleteStream told to many WebSocket clients.
    Notice(notice::NoticeArgs),
    /// As many logged-in users as fit: logins, memory, a broadcast to 5,000 of them.
    Users(users::UsersArgs),
    /// Users and rooms that come and go: does memory grow?
    Churn(churn::ChurnArgs),
    /// Peers that come, send, play and go in every way, for as long as one likes: does memory grow?
    Soak(soak::SoakArgs),
    /// What a packet costs over the relay and over TCP beside UDP.
    Ways(ways::WaysArgs),
    /// Calls with callbacks beside calls without.
    Callbacks(callbacks::CallbacksArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Api(args) => api::run(&args),
        Command::Notice(args) => notice::run(&args),
        Command::Users(args) => users::run(&args),
        Command::Churn(args) => churn::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Ways(args) => ways::run(&args),
        Command::Callbacks(args) => callbacks::run(&args),
    }
}
