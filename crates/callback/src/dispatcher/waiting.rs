//! One callback that waits.

use std::sync::Arc;

use odeum_store::{CallbackState, PendingCallback, Round};
use odeum_types::{AppId, UnixMillis};

use super::receivers::Receiver;
use super::{LaneKey, LaneKind};
use crate::event::CallbackEvent;

/// A callback that waits, and where.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Which round of attempts.
    pub(super) round: Round,
    /// The room that it is of; shared by all of the lane.
    lane: Arc<LaneKey>,
    /// What happened.
    pub(super) event: CallbackEvent,
    /// When it happened.
    pub(super) at: UnixMillis,
    /// Attempts of the round so far.
    pub(super) attempts: u32,
    /// When the round's first one began.
    pub(super) first_attempt_at: Option<UnixMillis>,
    /// When the next one is due; at once if there is none.
    pub(super) next_at: Option<UnixMillis>,
    /// Since when it has been the first of its lane.
    pub(super) holds_since: Option<UnixMillis>,
    /// Its place in `Dispatcher::holds`.
    pub(super) hold_ends: Option<UnixMillis>,
    /// Whether it has left its lane.
    pub(super) is_late: bool,
    /// Where it is.
    pub(super) place: Place,
}

/// Where a callback that waits is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind the first of its lane.
    InLane,
    /// In the timers, under this time.
    Timer(UnixMillis),
    /// Due, and its receiver is busy.
    Ready(Receiver),
    /// An attempt is under way.
    OnItsWay,
}

impl Waiting {
    pub(super) fn new(callback: PendingCallback, event: CallbackEvent) -> Self {
        let kind = if callback.round > Round::FIRST { LaneKind::Replay } else { LaneKind::Present };
        Self {
            round: callback.round,
            lane: Arc::new(LaneKey { app: callback.app, room: callback.room, kind }),
            event,
            at: callback.at,
            attempts: callback.attempts,
            first_attempt_at: callback.first_attempt_at,
            next_at: callback.next_at,
            holds_since: None,
            hold_ends: None,
            is_late: callback.state == CallbackState::Late,
            place: Place::InLane,
        }
    }

    pub(super) fn app(&self) -> AppId {
        self.lane.app
    }

    /// Takes the key that the others of its lane have.
    pub(super) fn share_lane(&mut self, lane: &Arc<LaneKey>) {
        self.lane = Arc::clone(lane);
    }

    pub(super) fn lane_key(&self) -> Arc<LaneKey> {
        Arc::clone(&self.lane)
    }
}
