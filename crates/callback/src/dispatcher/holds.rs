//! How long the first callback of a lane may hold the ones behind it before its first attempt, and
//! between attempts.

use std::time::Duration;

use odeum_store::{Attempted, CallbackNumber, CallbackState, Change};
use odeum_types::UnixMillis;

use super::Dispatcher;
use super::waiting::Place;

/// How often it is looked whether one that has held its lane for long enough can step aside.
const HOLD_LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

impl Dispatcher {
    /// Lets those step aside that hold their lane for too long because their receiver, which fails,
    /// has no place for them: the next ones may go to another one. A receiver that answers is only
    /// slow, and order is kept for it.
    pub(super) fn end_holds(&mut self, now: UnixMillis, changes: &mut Vec<Change>) {
        while let Some((at, number)) = self.holds.first().copied().filter(|(at, _)| *at <= now) {
            self.holds.remove(&(at, number));
            let Some(waiting) = self.waiting.get_mut(&number) else { continue };
            let is_stuck = match &waiting.place {
                Place::Ready(receiver) => self.receivers.is_failing(receiver),
                Place::InLane | Place::Timer(_) | Place::OnItsWay => false,
            };
            if !is_stuck {
                let at = now.after(HOLD_LOOKED_AT_EVERY);
                waiting.hold_ends = Some(at);
                self.holds.insert((at, number));
                continue;
            }
            waiting.hold_ends = None;
            waiting.is_late = true;
            self.late += 1;
            changes.push(Change::Attempted(Attempted {
                number,
                round: waiting.round,
                state: CallbackState::Late,
                attempts: waiting.attempts,
                first_attempt_at: waiting.first_attempt_at.unwrap_or(now),
                next_at: now,
                outcome: "its receiver fails and has no place for it".into(),
                at: now,
            }));
            let lane = waiting.lane_key();
            self.leave_lane(now, &lane, number, changes);
        }
    }

    /// A callback does not hold its lane any more.
    pub(super) fn end_hold(&mut self, number: CallbackNumber) {
        let waiting = self.waiting.get_mut(&number);
        if let Some(at) = waiting.and_then(|waiting| waiting.hold_ends.take()) {
            self.holds.remove(&(at, number));
        }
    }
}
