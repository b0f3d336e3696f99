//! What can be made durable.

use std::sync::Arc;

use odeum_room::{Event, RuleChange};
use odeum_types::{AppId, RoomId, UnixMillis};

use crate::outbox::{CallbackNumber, CallbackState, Round};

/// One change. A commit makes a list of them durable, all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Something happened in a room: the ledger follows.
    Happened(Event),
    /// A callback that is to be sent.
    Enqueue(NewCallback),
    /// A callback was tried without success and waits for the next time.
    Attempted(Attempted),
    /// A callback has ended.
    Finished(Finished),
    /// A rule is set or taken away.
    Rule {
        /// The app.
        app: AppId,
        /// What changes.
        change: RuleChange,
    },
}

/// A callback that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCallback {
    /// The app.
    pub app: AppId,
    /// The room; the callbacks of one are sent in order.
    pub room: RoomId,
    /// The event's name, for example `room_login`.
    pub event: Arc<str>,
    /// When it happened.
    pub at: UnixMillis,
    /// The body without what each attempt makes anew.
    pub body: Arc<str>,
}

/// An attempt that failed, and when the next one is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// Which callback.
    pub number: CallbackNumber,
    /// Which round of attempts; a later round makes this change void.
    pub round: Round,
    /// [`CallbackState::Pending`] or [`CallbackState::Late`].
    pub state: CallbackState,
    /// Attempts of the round so far.
    pub attempts: u32,
    /// When the round's first one began.
    pub first_attempt_at: UnixMillis,
    /// When the next one is due.
    pub next_at: UnixMillis,
    /// What came of it, in a few words.
    pub outcome: Arc<str>,
    /// When.
    pub at: UnixMillis,
}

/// The end of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Which callback.
    pub number: CallbackNumber,
    /// Which round of attempts; a later round makes this change void.
    pub round: Round,
    /// [`CallbackState::Delivered`], [`CallbackState::Failed`] or [`CallbackState::Dropped`].
    pub state: CallbackState,
    /// Attempts of the round.
    pub attempts: u32,
    /// What came of the last one, in a few words.
    pub outcome: Arc<str>,
    /// When.
    pub at: UnixMillis,
}
