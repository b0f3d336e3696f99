//! What the binary does beside serving: one file per command.
//!
//! Exit codes: 0 it is so, or it was done; 1 it is not so, or the server refused; 2 the command
//! line or a file cannot be used; 3 the server was not reached or gave no reply of its kind.

pub(crate) mod call;
pub(crate) mod callbacks;
pub(crate) mod check_config;
pub(crate) mod check_url;
pub(crate) mod completion;
pub(crate) mod identity;
pub(crate) mod sign;
pub(crate) mod token;
pub(crate) mod verify_callback;

use std::process::ExitCode;

/// How a command ended that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is so, or it was done.
    Good,
    /// It is not so, or the server refused.
    Refused,
    /// The server was not reached, or gave no reply of its kind.
    NotReached,
}

/// Exit code for a command line, a configuration or a start that cannot be used.
pub(crate) const UNUSABLE: u8 = 2;

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Good => Self::SUCCESS,
            Ending::Refused => Self::from(1),
            Ending::NotReached => Self::from(3),
        }
    }
}
