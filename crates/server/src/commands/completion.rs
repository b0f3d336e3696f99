//! `odeum completion`: a shell's completion script, made from the commands themselves.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::commands::Ending;

/// Print a shell's completion script.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  odeum completion bash > /etc/bash_completion.d/odeum
  odeum completion zsh > ~/.zfunc/_odeum
  odeum completion fish > ~/.config/fish/completions/odeum.fish")]
pub(crate) struct CompletionArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: &CompletionArgs) -> Ending {
    clap_complete::generate(args.shell, &mut Cli::command(), "odeum", &mut std::io::stdout());
    Ending::Good
}
