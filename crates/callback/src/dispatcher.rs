//! Which callback is tried next: order in each room, fairness between receivers, retries. Pure: the
//! time is an argument, attempts are made elsewhere.
//!
//! Callbacks of one room form a lane, and only the first of a lane is on its way. One that fails
//! for too long steps aside: it leaves the lane and goes on alone. What is replayed has a lane of
//! its own in each room, so that the present does not wait for the past. Lanes lead to receivers
//! (an app's URL), and a receiver takes so many attempts at once and no more, so that one that
//! hangs holds up nobody else's.
//!
//! The invariant: a callback that waits is in exactly one place: behind the first of its lane,
//! in the timers, ready for its receiver, or on its way.

mod attempt;
mod holds;
mod receivers;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use odeum_store::{Attempted, CallbackNumber, CallbackState, Change, Finished, PendingCallback};
use odeum_types::{AppId, RoomId, UnixMillis};
use rustc_hash::FxHashMap;

use crate::event::CallbackEvent;
use crate::retry::{Next, Tried, next};
use crate::settings::{Limits, Settings};
pub use attempt::{Attempt, Backlog, Outcome};
use receivers::{Receiver, Receivers};
use waiting::{Place, Waiting};

/// The callbacks of one room that are sent one after the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LaneKey {
    app: AppId,
    room: RoomId,
    kind: LaneKind,
}

/// Whether a lane carries the present or the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum LaneKind {
    Present,
    Replay,
}

/// The state of all callbacks that wait. About 300 bytes each, 560 when each is of a room of its
/// own; bodies are elsewhere.
#[derive(Debug)]
pub struct Dispatcher {
    /// Bounds.
    limits: Limits,
    /// Where callbacks go; replaced by a reload.
    settings: Arc<Settings>,
    /// Everything that waits. At most `limits.backlog_events_max`.
    waiting: FxHashMap<CallbackNumber, Waiting>,
    /// The same by app, the oldest first.
    by_app: BTreeMap<AppId, BTreeSet<CallbackNumber>>,
    /// Those that go in order; a lane without one is forgotten.
    lanes: FxHashMap<Arc<LaneKey>, VecDeque<CallbackNumber>>,
    /// Those whose next attempt is due at a time.
    timers: BTreeSet<(UnixMillis, CallbackNumber)>,
    /// When the firsts of lanes have held them for long enough.
    holds: BTreeSet<(UnixMillis, CallbackNumber)>,
    /// Those that are due, and the attempts under way.
    receivers: Receivers,
    /// How many have stepped aside.
    late: u64,
}

impl Dispatcher {
    /// A dispatcher for which nothing waits.
    pub fn new(limits: Limits, settings: Arc<Settings>) -> Self {
        let receivers = Receivers::new(limits.attempts_per_receiver_max, limits.attempts_max);
        Self {
            limits,
            settings,
            waiting: FxHashMap::default(),
            by_app: BTreeMap::new(),
            lanes: FxHashMap::default(),
            timers: BTreeSet::new(),
            holds: BTreeSet::new(),
            receivers,
            late: 0,
        }
    }

    /// Takes a callback that waits, in the order of numbers but for replays. Returns what becomes
    /// of others: beyond the bound the oldest of the app that has most are given up.
    pub fn enqueue(&mut self, now: UnixMillis, callback: PendingCallback) -> Vec<Change> {
        let number = callback.number;
        if self.waiting.contains_key(&number) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        let Some(event) = CallbackEvent::parse(&callback.event) else {
            changes.push(finished(&callback, now, "an unknown event"));
            return changes;
        };
        self.by_app.entry(callback.app).or_default().insert(number);
        let mut waiting = Waiting::new(callback, event);
        // One key for all of a lane: a backlog of a million is mostly keys.
        if let Some((lane, _)) = self.lanes.get_key_value(&*waiting.lane_key()) {
            waiting.share_lane(lane);
        }
        let lane = waiting.lane_key();
        self.late += u64::from(waiting.is_late);
        let is_late = waiting.is_late;
        self.waiting.insert(number, waiting);
        if is_late {
            self.activate(now, number, &mut changes);
        } else {
            let lane = self.lanes.entry(lane).or_default();
            lane.push_back(number);
            if lane.len() == 1 {
                self.activate(now, number, &mut changes);
            }
        }
        while self.waiting.len() > self.limits.backlog_events_max {
            self.give_up_oldest(now, &mut changes);
        }
        changes
    }

    /// The next attempt to make, if one may be made now. Poll until `None`. The changes are those
    /// of callbacks that have nowhere to go any more.
    pub fn poll_attempt(&mut self, now: UnixMillis, changes: &mut Vec<Change>) -> Option<Attempt> {
        while let Some((at, number)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, number));
            self.make_ready(now, number, changes);
        }
        self.end_holds(now, changes);
        while let Some((receiver, number)) = self.receivers.take() {
            let Some(waiting) = self.waiting.get_mut(&number) else {
                self.receivers.skipped(&receiver);
                continue;
            };
            let settings = Arc::clone(&self.settings);
            let Some((_, url)) = settings.receiver(waiting.app(), waiting.event) else {
                self.receivers.skipped(&receiver);
                self.finish(now, number, CallbackState::Dropped, NO_RECEIVER, changes);
                continue;
            };
            waiting.place = Place::OnItsWay;
            waiting.first_attempt_at.get_or_insert(now);
            waiting.attempts += 1;
            return Some(Attempt {
                number,
                round: waiting.round,
                app: waiting.app(),
                event: waiting.event,
                is_late: waiting.is_late,
                url: Arc::clone(url),
                counted_for: receiver,
            });
        }
        None
    }

    /// When [`Dispatcher::poll_attempt`] has something new to say at the earliest, if only the time
    /// passes.
    pub fn poll_timeout(&self) -> Option<UnixMillis> {
        let firsts = [self.timers.first(), self.holds.first()];
        firsts.into_iter().flatten().map(|(at, _)| *at).min()
    }

    /// An attempt has ended. Returns what is to be stored about it. Of a callback that was given up
    /// or replayed meanwhile: only its receiver is free again.
    pub fn handle_outcome(
        &mut self,
        now: UnixMillis,
        attempt: &Attempt,
        outcome: Outcome,
    ) -> Vec<Change> {
        let number = attempt.number;
        self.receivers.finished(&attempt.counted_for, matches!(outcome, Outcome::Delivered(_)));
        let mut changes = Vec::new();
        let waiting = self.waiting.get(&number);
        if waiting.is_none_or(|waiting| waiting.round != attempt.round) {
            return changes;
        }
        match outcome {
            Outcome::Delivered(text) => {
                self.finish(now, number, CallbackState::Delivered, &text, &mut changes);
            }
            Outcome::Failed(text) => self.failed(now, number, text, &mut changes),
        }
        changes
    }

    /// Forgets callbacks that were given up in the store.
    pub fn drop_callbacks(&mut self, now: UnixMillis, numbers: &[CallbackNumber]) -> Vec<Change> {
        let mut changes = Vec::new();
        for number in numbers {
            self.forget(now, *number, &mut changes);
        }
        changes
    }

    /// Takes a reload's settings. Attempts under way go on as they began.
    pub fn update_settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// How much waits.
    pub fn backlog(&self) -> Backlog {
        Backlog {
            waiting: self.waiting.len() as u64,
            late: self.late,
            attempts: self.receivers.under_way() as u64,
        }
    }

    /// How much waits of each app.
    pub fn waiting_by_app(&self) -> impl Iterator<Item = (AppId, u64)> + '_ {
        self.by_app.iter().map(|(app, numbers)| (*app, numbers.len() as u64))
    }

    /// When the event happened whose callback waits longest.
    pub fn oldest(&self) -> Option<UnixMillis> {
        let firsts = self.by_app.values().filter_map(|numbers| numbers.first());
        firsts.filter_map(|number| Some(self.waiting.get(number)?.at)).min()
    }

    /// A callback has become the first of its lane, or goes alone.
    fn activate(&mut self, now: UnixMillis, number: CallbackNumber, changes: &mut Vec<Change>) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        if !waiting.is_late {
            let at = now.after(self.limits.hold);
            waiting.holds_since = Some(now);
            waiting.hold_ends = Some(at);
            self.holds.insert((at, number));
        }
        match waiting.next_at.filter(|at| *at > now) {
            Some(at) => {
                waiting.place = Place::Timer(at);
                self.timers.insert((at, number));
            }
            None => self.make_ready(now, number, changes),
        }
    }

    fn make_ready(&mut self, now: UnixMillis, number: CallbackNumber, changes: &mut Vec<Change>) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        match self.settings.receiver(waiting.app(), waiting.event) {
            Some((_, url)) => {
                let receiver = Receiver { app: waiting.app(), url: Arc::clone(url) };
                waiting.place = Place::Ready(receiver.clone());
                self.receivers.ready(receiver, number);
            }
            None => self.finish(now, number, CallbackState::Dropped, NO_RECEIVER, changes),
        }
    }

    fn failed(
        &mut self,
        now: UnixMillis,
        number: CallbackNumber,
        outcome: Arc<str>,
        changes: &mut Vec<Change>,
    ) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        let plan = self.settings.apps.get(&waiting.app()).map(|app| app.retry).unwrap_or_default();
        let first_attempt_at = waiting.first_attempt_at.unwrap_or(now);
        let (attempts, is_late) = (waiting.attempts, waiting.is_late);
        let tried = Tried { attempts, first_attempt_at, is_late };
        // What it held its lane for before its first attempt counts as well.
        let waited = first_attempt_at.since(waiting.holds_since.unwrap_or(first_attempt_at));
        let hold = self.limits.hold.saturating_sub(waited);
        let (at, steps_aside) = match next(plan, hold, tried, now) {
            Next::Hold(at) => (at, false),
            Next::StepAside(at) => (at, !is_late),
            Next::GiveUp => {
                return self.finish(now, number, CallbackState::Failed, &outcome, changes);
            }
        };
        waiting.next_at = Some(at);
        waiting.place = Place::Timer(at);
        waiting.is_late |= steps_aside;
        let state = if waiting.is_late { CallbackState::Late } else { CallbackState::Pending };
        changes.push(Change::Attempted(Attempted {
            number,
            round: waiting.round,
            state,
            attempts,
            first_attempt_at,
            next_at: at,
            outcome,
            at: now,
        }));
        self.timers.insert((at, number));
        if steps_aside {
            self.late += 1;
            self.end_hold(number);
            let lane = self.waiting[&number].lane_key();
            self.leave_lane(now, &lane, number, changes);
        }
    }

    fn finish(
        &mut self,
        now: UnixMillis,
        number: CallbackNumber,
        state: CallbackState,
        outcome: &str,
        changes: &mut Vec<Change>,
    ) {
        let Some(waiting) = self.waiting.get(&number) else { return };
        changes.push(Change::Finished(Finished {
            number,
            round: waiting.round,
            state,
            attempts: waiting.attempts,
            outcome: outcome.into(),
            at: now,
        }));
        self.forget(now, number, changes);
    }

    /// Takes a callback out of wherever it is. An attempt under way is counted until it ends.
    fn forget(&mut self, now: UnixMillis, number: CallbackNumber, changes: &mut Vec<Change>) {
        self.end_hold(number);
        let Some(waiting) = self.waiting.remove(&number) else { return };
        self.late -= u64::from(waiting.is_late);
        if let Some(numbers) = self.by_app.get_mut(&waiting.app()) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_app.remove(&waiting.app());
            }
        }
        match &waiting.place {
            Place::Timer(at) => {
                self.timers.remove(&(*at, number));
            }
            Place::Ready(receiver) => self.receivers.not_ready(receiver, number),
            Place::InLane | Place::OnItsWay => {}
        }
        if !waiting.is_late {
            self.leave_lane(now, &waiting.lane_key(), number, changes);
        }
    }

    /// Takes a callback out of its lane; the next one goes when it was the first.
    fn leave_lane(
        &mut self,
        now: UnixMillis,
        key: &LaneKey,
        number: CallbackNumber,
        changes: &mut Vec<Change>,
    ) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if lane.front() != Some(&number) {
            lane.retain(|other| *other != number);
            return;
        }
        lane.pop_front();
        match lane.front().copied() {
            Some(first) => self.activate(now, first, changes),
            None => {
                self.lanes.remove(key);
            }
        }
    }

    fn give_up_oldest(&mut self, now: UnixMillis, changes: &mut Vec<Change>) {
        let largest = self.by_app.iter().max_by_key(|(_, numbers)| numbers.len());
        let Some(oldest) = largest.and_then(|(_, numbers)| numbers.first().copied()) else {
            return;
        };
        self.finish(now, oldest, CallbackState::Dropped, "too many callbacks waited", changes);
    }
}

/// Why a callback without a URL is not sent.
const NO_RECEIVER: &str = "no callback_url for it any more";

fn finished(callback: &PendingCallback, now: UnixMillis, outcome: &str) -> Change {
    Change::Finished(Finished {
        number: callback.number,
        round: callback.round,
        state: CallbackState::Dropped,
        attempts: callback.attempts,
        outcome: outcome.into(),
        at: now,
    })
}
