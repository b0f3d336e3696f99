//! The command line: what can be asked of the binary.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::callbacks_command::CallbacksArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Self-hosted real-time audio and video rooms.
#[derive(Debug, Parser)]
#[command(name = "odeum", version, about, propagate_version = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Make a client token (version 04, GCM) for a user.
    Token(TokenArgs),
    /// See, repeat or give up callbacks of a running server.
    Callbacks(CallbacksArgs),
}

/// How to run the server.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Configuration file; odeum.example.toml is its manual.
    #[arg(long, value_name = "FILE", required_unless_present = "dev", conflicts_with = "dev")]
    pub(crate) config: Option<PathBuf>,
    /// Try it: loopback only, one app with a throw-away secret that is printed, and the page /try.
    #[arg(long)]
    pub(crate) dev: bool,
    /// HTTP address in place of the configured one; port 0 takes a free port.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Media (UDP) address in place of the configured one; port 0 takes a free port.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) media_listen: Option<SocketAddr>,
    /// Operator's address in place of the configured one; port 0 takes a free port.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// How log lines look. Their level comes from ODEUM_LOG, for example `info` or
    /// `odeum_api=debug`.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What a token says.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The app.
    #[arg(long)]
    pub(crate) app_id: u32,
    /// The user who will log in.
    #[arg(long)]
    pub(crate) user_id: String,
    /// The app's server secret, 32 characters.
    #[arg(long, env = "ODEUM_SERVER_SECRET", hide_env_values = true)]
    pub(crate) server_secret: String,
    /// Seconds that the token is good for.
    #[arg(long, default_value_t = 3600)]
    pub(crate) lifetime_s: u32,
    /// Rights as the contract's JSON payload; empty is login and publish everywhere.
    #[arg(long, default_value = "")]
    pub(crate) payload: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_needs_a_file_or_dev_and_not_both() {
        assert!(Cli::try_parse_from(["odeum", "serve"]).is_err());
        assert!(Cli::try_parse_from(["odeum", "serve", "--dev"]).is_ok());
        assert!(Cli::try_parse_from(["odeum", "serve", "--config", "a"]).is_ok());
        assert!(Cli::try_parse_from(["odeum", "serve", "--dev", "--config", "a"]).is_err());
    }
}
