//! Why a request is not carried out, as the client hears it.

use odeum_proto::signal::{ErrorMessage, ErrorTag};
use odeum_types::IdError;

use crate::code;

/// A client error code and a sentence that names what is at fault, never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The client error code.
    pub(crate) code: u32,
    /// One plain sentence.
    pub(crate) message: String,
}

impl Refusal {
    /// A refusal with this code; `reason` becomes its sentence.
    pub(crate) fn new(code: u32, reason: impl ToString) -> Self {
        Self { code, message: reason.to_string() }
    }

    /// The message that refuses `request_id`.
    pub(crate) fn into_message(self, request_id: Option<u64>) -> ErrorMessage {
        ErrorMessage { kind: ErrorTag::Error, request_id, code: self.code, message: self.message }
    }
}

/// The three codes of one kind of identifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdCodes {
    /// It is empty.
    empty: u32,
    /// It has a character that is not allowed.
    characters: u32,
    /// It is too long.
    too_long: u32,
}

/// Codes of a user id.
pub(crate) const USER_ID: IdCodes = IdCodes {
    empty: code::USER_ID_EMPTY,
    characters: code::USER_ID_CHARACTERS,
    too_long: code::USER_ID_TOO_LONG,
};
/// Codes of a user name, which may be empty.
pub(crate) const USER_NAME: IdCodes = IdCodes {
    empty: code::USER_NAME_CHARACTERS,
    characters: code::USER_NAME_CHARACTERS,
    too_long: code::USER_NAME_TOO_LONG,
};
/// Codes of a room id.
pub(crate) const ROOM_ID: IdCodes = IdCodes {
    empty: code::ROOM_ID_EMPTY,
    characters: code::ROOM_ID_CHARACTERS,
    too_long: code::ROOM_ID_TOO_LONG,
};
/// Codes of a stream id.
pub(crate) const STREAM_ID: IdCodes = IdCodes {
    empty: code::STREAM_ID_EMPTY,
    characters: code::STREAM_ID_CHARACTERS,
    too_long: code::STREAM_ID_TOO_LONG,
};

impl IdCodes {
    /// The refusal of an identifier of this kind.
    pub(crate) fn refuse(self, error: IdError) -> Refusal {
        let code = match error {
            IdError::Empty { .. } => self.empty,
            IdError::TooLong { .. } => self.too_long,
            IdError::BadCharacter { .. } => self.characters,
        };
        Refusal::new(code, error)
    }
}

#[cfg(test)]
mod tests {
    use odeum_types::{RoomId, StreamId, UserId, UserName};

    use super::*;

    #[test]
    fn each_fault_of_each_identifier_has_its_own_code() {
        let user =
            |text: &str| UserId::parse(text).map_err(|e| USER_ID.refuse(e).code).unwrap_err();
        let room =
            |text: &str| RoomId::parse(text).map_err(|e| ROOM_ID.refuse(e).code).unwrap_err();
        let stream =
            |text: &str| StreamId::parse(text).map_err(|e| STREAM_ID.refuse(e).code).unwrap_err();
        let name =
            |text: &str| UserName::parse(text).map_err(|e| USER_NAME.refuse(e).code).unwrap_err();
        let long = "x".repeat(300);
        assert_eq!([user(""), user("a b"), user(&long)], [1_002_005, 1_002_006, 1_002_007]);
        assert_eq!([name("a\nb"), name(&long)], [1_002_009, 1_002_010]);
        assert_eq!([room(""), room("a b"), room(&long)], [1_002_011, 1_002_012, 1_002_013]);
        assert_eq!([stream(&long), stream(""), stream("a.b")], [1_000_014, 1_000_015, 1_000_016]);
    }
}
