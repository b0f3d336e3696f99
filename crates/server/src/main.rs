//! The binary `odeum`: reads arguments, files and signals, wires the crates together, and serves.

mod admin;
mod callback_settings;
mod cli;
mod commands;
mod config;
mod dev;
mod event_log;
mod listener;
mod logs;
mod metrics;
mod open_files;
mod pages;
mod reload;
mod serve;
mod source;
mod tls;
mod try_it;
mod turn;

use std::process::ExitCode;

use clap::Parser;
use odeum_types::UnixMillis;

use crate::cli::{Cli, Command};
use crate::commands::{Ending, UNUSABLE};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args).map(|()| Ending::Good),
        Command::Call(args) => commands::call::run(&args),
        Command::Token(args) => commands::token::run(&args),
        Command::Sign(args) => commands::sign::run(&args),
        Command::CheckUrl(args) => commands::check_url::run(&args),
        Command::VerifyCallback(args) => commands::verify_callback::run(&args),
        Command::Callbacks(args) => commands::callbacks::run(&args),
        Command::Bench(args) => odeum_load::run(&args).map(|()| Ending::Good),
        Command::CheckConfig(args) => commands::check_config::run(&args),
        Command::Completion(args) => Ok(commands::completion::run(&args)),
    };
    match done {
        Ok(ending) => ending.into(),
        Err(error) => {
            eprintln!("odeum: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

/// The system's time of now; one before 1970 counts as 1970.
fn wall_clock() -> UnixMillis {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
