//! The command line: what can be asked of the binary.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::call::CallArgs;
use crate::commands::callbacks::CallbacksArgs;
use crate::commands::check_config::CheckConfigArgs;
use crate::commands::check_url::CheckUrlArgs;
use crate::commands::completion::CompletionArgs;
use crate::commands::sign::SignArgs;
use crate::commands::token::TokenArgs;
use crate::commands::verify_callback::VerifyCallbackArgs;

/// Self-hosted real-time audio and video rooms.
#[derive(Debug, Parser)]
#[command(name = "odeum", version, about, propagate_version = true)]
#[command(
    after_help = "Begin with `odeum serve --dev`, which prints a page to try it on; then\ncopy \
                       odeum.example.toml and `odeum serve --config odeum.toml`.\nEach \
                       command's --help has examples."
)]
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
    /// Sign and send one call of the Server API, and print the reply.
    Call(CallArgs),
    /// Make a client token (version 04, GCM) for a user.
    Token(TokenArgs),
    /// Make the signature of a Server API request.
    Sign(SignArgs),
    /// Say what is wrong with a signed URL.
    CheckUrl(CheckUrlArgs),
    /// Check the signatures of a callback that arrived.
    VerifyCallback(VerifyCallbackArgs),
    /// See, repeat or give up callbacks of a running server.
    Callbacks(CallbacksArgs),
    /// Measure a server: what media costs it, and what arrives.
    Bench(odeum_load::BenchArgs),
    /// Check a configuration file without starting anything.
    CheckConfig(CheckConfigArgs),
    /// Print a shell's completion script.
    Completion(CompletionArgs),
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
