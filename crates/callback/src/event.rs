//! The events that callbacks are sent for, by the contract's names.

use odeum_room::EventKind;

/// An event's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallbackEvent {
    /// `room_create`.
    RoomCreate,
    /// `room_close`.
    RoomClose,
    /// `room_login`.
    RoomLogin,
    /// `room_logout`.
    RoomLogout,
    /// `stream_create`.
    StreamCreate,
    /// `stream_close`.
    StreamClose,
}

impl CallbackEvent {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::RoomCreate,
        Self::RoomClose,
        Self::RoomLogin,
        Self::RoomLogout,
        Self::StreamCreate,
        Self::StreamClose,
    ];

    /// The contract's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoomCreate => "room_create",
            Self::RoomClose => "room_close",
            Self::RoomLogin => "room_login",
            Self::RoomLogout => "room_logout",
            Self::StreamCreate => "stream_create",
            Self::StreamClose => "stream_close",
        }
    }

    /// The event of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }

    /// Whether the contract writes the body's numbers as JSON numbers; else they are texts.
    pub(crate) fn has_json_numbers(self) -> bool {
        match self {
            Self::RoomCreate | Self::RoomClose => true,
            Self::RoomLogin | Self::RoomLogout | Self::StreamCreate | Self::StreamClose => false,
        }
    }
}

impl From<&EventKind> for CallbackEvent {
    fn from(kind: &EventKind) -> Self {
        match kind {
            EventKind::RoomCreate { .. } => Self::RoomCreate,
            EventKind::RoomClose { .. } => Self::RoomClose,
            EventKind::RoomLogin { .. } => Self::RoomLogin,
            EventKind::RoomLogout { .. } => Self::RoomLogout,
            EventKind::StreamCreate { .. } => Self::StreamCreate,
            EventKind::StreamClose { .. } => Self::StreamClose,
        }
    }
}
