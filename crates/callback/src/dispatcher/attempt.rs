//! What the dispatcher says and hears: attempts, their outcomes, how much waits.

use std::sync::Arc;

use odeum_store::{CallbackNumber, Round};
use odeum_types::AppId;

use super::receivers::Receiver;
use crate::event::CallbackEvent;

/// An attempt to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which callback.
    pub number: CallbackNumber,
    /// Which round of attempts; above the first it is a replay.
    pub round: Round,
    /// Whose.
    pub app: AppId,
    /// What happened.
    pub event: CallbackEvent,
    /// Whether it has stepped aside: newer ones of its room may have been sent before it.
    pub is_late: bool,
    /// Where to.
    pub url: Arc<str>,
    /// The receiver that it is counted for: a reload may have given the event another URL since it
    /// became due.
    pub(super) counted_for: Receiver,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered(Arc<str>),
    /// It did not, or not in time.
    Failed(Arc<str>),
}

/// How much waits, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Callbacks that wait.
    pub waiting: u64,
    /// Of them, those that have stepped aside.
    pub late: u64,
    /// Attempts under way.
    pub attempts: u64,
}
