//! Why the node did not do what was asked: one small enum per operation.

use odeum_room::{LoginError, PlayError, PublishError, ResumeError};
use odeum_sfu::OfferError;
use odeum_types::{AppId, UserId};

/// Why a command did not reach its room, or its reply did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Nobody is in such a room.
    #[error("there is no such room")]
    NoRoom,
    /// A queue is full; nothing changed, try again.
    #[error("the server is overloaded")]
    Overloaded,
    /// The server takes no new work; nothing changed.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The reply did not come in time. A command that had not begun never will.
    #[error("the deadline passed")]
    DeadlinePassed,
    /// Events could not be made safe for too long; nothing changed (ruling 27).
    #[error("too many events wait to be stored")]
    EventsFull,
    /// The room broke down while the command ran, and is gone.
    #[error("the room broke down")]
    RoomFailed,
}

/// Why a login failed; the user is where it was before, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginFailed {
    /// The room refused.
    #[error(transparent)]
    Room(#[from] LoginError),
    /// The room was not reached.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The app is not served here.
    #[error("app {0} is not served here")]
    NoApp(AppId),
    /// A rule takes the right to log in from this user.
    #[error("user {0} may not log in here")]
    Forbidden(UserId),
    /// The app has all the rooms it may have.
    #[error("the app has its {rooms_per_app_max} rooms")]
    TooManyRooms {
        /// The limit that was hit.
        rooms_per_app_max: usize,
    },
    /// The app has all the users it may have.
    #[error("the app has its {users_per_app_max} users")]
    TooManyUsers {
        /// The limit that was hit.
        users_per_app_max: usize,
    },
    /// Another login of the same user came later and goes first; an older session may have been
    /// ended.
    #[error("user {0} is logging in elsewhere")]
    Overtaken(UserId),
}

/// Why a session did not resume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResumeFailed {
    /// The room refused.
    #[error(transparent)]
    Room(#[from] ResumeError),
    /// The room was not reached.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Why a publication did not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishFailed {
    /// The room refused.
    #[error(transparent)]
    Room(#[from] PublishError),
    /// The media plane takes no such offer.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The room or the media plane was not reached.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Why a play did not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlayFailed {
    /// The room refused.
    #[error(transparent)]
    Room(#[from] PlayError),
    /// The media plane takes no such offer.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The room or the media plane was not reached.
    #[error(transparent)]
    Command(#[from] CommandError),
}
