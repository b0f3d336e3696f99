//! Identifiers: what a client or backend may call a room, a user or a stream, and the numbers that
//! the server gives out itself.
//!
//! Limits are bytes of UTF-8 (contract, identifiers; ruling 24).

use std::fmt;
use std::sync::Arc;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("{kind} is empty")]
    Empty {
        /// Which identifier, in the contract's spelling.
        kind: &'static str,
    },
    /// The text is longer than the identifier's limit.
    #[error("{kind} is longer than {bytes_max} bytes")]
    TooLong {
        /// Which identifier, in the contract's spelling.
        kind: &'static str,
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// The text holds a character that the identifier does not allow.
    #[error("{kind} has a character that is not allowed at byte {at}")]
    BadCharacter {
        /// Which identifier, in the contract's spelling.
        kind: &'static str,
        /// Byte offset of the first offender.
        at: usize,
    },
}

/// Letters and digits and the marks that the contract's client rule lists for user ids.
fn is_user_id_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "~!@#$%^&*()_+=-`;',.".contains(character)
}

fn is_room_id_character(character: char) -> bool {
    is_user_id_character(character) || "<>/".contains(character)
}

fn is_stream_id_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '-'
}

fn is_name_character(character: char) -> bool {
    !character.is_control()
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $bytes:expr, $allowed:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and characters.
            ///
            /// # Errors
            /// [`IdError::Empty`], [`IdError::TooLong`] or [`IdError::BadCharacter`].
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let range: std::ops::RangeInclusive<usize> = $bytes;
                if text.len() < *range.start() {
                    return Err(IdError::Empty { kind: $kind });
                }
                if text.len() > *range.end() {
                    return Err(IdError::TooLong { kind: $kind, bytes_max: *range.end() });
                }
                match text.char_indices().find(|(_, character)| !$allowed(*character)) {
                    Some((at, _)) => Err(IdError::BadCharacter { kind: $kind, at }),
                    None => Ok(Self(text.into())),
                }
            }

            /// The text as it came.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id! {
    /// A room's name inside an app: 1 to 127 bytes.
    RoomId, "RoomId", 1..=127, is_room_id_character
}
text_id! {
    /// A user's name inside an app: 1 to 63 bytes.
    UserId, "UserId", 1..=63, is_user_id_character
}
text_id! {
    /// What a user is called on a screen: 0 to 255 bytes, any text without control characters.
    UserName, "UserName", 0..=255, is_name_character
}
text_id! {
    /// A published stream's name, unique in its app: 1 to 256 of `[0-9A-Za-z_-]`.
    StreamId, "StreamId", 1..=256, is_stream_id_character
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $number:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number_id! {
    /// An application: the namespace of rooms, users and streams, with a secret of its own.
    AppId, u32
}
number_id! {
    /// One connection of a user to a room; it outlives a dropped WebSocket and ends with the login.
    /// Unique in the process, below 2^53 so that JavaScript can hold it.
    SessionId, u64
}
number_id! {
    /// One WebRTC transport between a client and the media plane. Unique in the process.
    PeerId, u64
}
number_id! {
    /// One life of a room, from first login to its end: random, below 2^63, never reused
    /// (ruling 21).
    RoomSessionId, u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bytes_and_the_limit_itself_is_allowed() {
        assert!(RoomId::parse(&"r".repeat(127)).is_ok());
        assert_eq!(
            RoomId::parse(&"r".repeat(128)),
            Err(IdError::TooLong { kind: "RoomId", bytes_max: 127 })
        );
        assert!(UserId::parse(&"u".repeat(63)).is_ok());
        assert!(UserId::parse(&"u".repeat(64)).is_err());
        assert!(StreamId::parse(&"s".repeat(256)).is_ok());
        assert!(StreamId::parse(&"s".repeat(257)).is_err());
        assert!(UserName::parse(&"é".repeat(127)).is_ok());
        assert!(UserName::parse(&"é".repeat(128)).is_err());
    }

    #[test]
    fn only_a_user_name_may_be_empty() {
        assert!(UserName::parse("").is_ok());
        assert_eq!(UserId::parse(""), Err(IdError::Empty { kind: "UserId" }));
        assert_eq!(RoomId::parse(""), Err(IdError::Empty { kind: "RoomId" }));
        assert_eq!(StreamId::parse(""), Err(IdError::Empty { kind: "StreamId" }));
    }

    #[test]
    fn characters_follow_the_contract() {
        assert!(RoomId::parse("a/b<c>").is_ok());
        assert!(UserId::parse("a/b").is_err());
        assert!(UserId::parse("~!@#$%^&*()_+=-`;',.").is_ok());
        assert_eq!(StreamId::parse("a.b"), Err(IdError::BadCharacter { kind: "StreamId", at: 1 }));
        assert!(UserName::parse("中 文").is_ok());
        assert!(UserName::parse("a\nb").is_err());
    }
}
