//! A call that is refused: its return code and a sentence.

use odeum_proto::return_code::{ReturnCode, room};
use odeum_types::IdError;

/// Why a call is not answered with code 0. The message names what is at fault and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code.
    pub(crate) code: ReturnCode,
    /// One plain sentence.
    pub(crate) message: String,
}

impl Refusal {
    /// A refusal with `code`.
    pub(crate) fn new(code: ReturnCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A parameter is bad: code 2.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(room::PARAMETER_BAD, message)
    }
}

impl From<IdError> for Refusal {
    fn from(error: IdError) -> Self {
        let code = match error {
            IdError::Empty { .. } | IdError::BadCharacter { .. } => room::PARAMETER_BAD,
            IdError::TooLong { .. } => room::PARAMETER_TOO_LONG,
        };
        Self::new(code, error.to_string())
    }
}
