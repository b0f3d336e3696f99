//! The binary `odeum`: reads arguments, files and signals, wires the crates together, and serves.

mod admin;
mod callback_settings;
mod callbacks_command;
mod cli;
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
mod token;
mod try_it;

use std::process::ExitCode;

use clap::Parser;
use odeum_types::{AppId, UnixMillis};

use crate::cli::{Cli, Command, TokenArgs};

/// Exit code for a command line, a configuration or a start that cannot be used.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Token(args) => print_token(&args),
        Command::Callbacks(args) => callbacks_command::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("odeum: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

fn print_token(args: &TokenArgs) -> anyhow::Result<()> {
    let asked = token::AskedToken {
        app: AppId(args.app_id),
        user: &args.user_id,
        lifetime_s: args.lifetime_s,
        payload: &args.payload,
    };
    println!("{}", token::make(&asked, &args.server_secret, wall_clock())?);
    Ok(())
}

/// The system's time of now; one before 1970 counts as 1970.
fn wall_clock() -> UnixMillis {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
