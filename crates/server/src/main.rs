//! The binary `odeum`: reads arguments, files and signals, wires the crates together, and serves.

mod cli;
mod config;
mod listener;
mod tls;

use clap::Parser;

fn main() {
    cli::Cli::parse();
}
