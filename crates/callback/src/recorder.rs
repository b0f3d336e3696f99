//! What is stored next, and what is said to whom when it was, or could not be: group commit, the
//! spill, refusals (ruling 27). Pure: the store is called by its owner.
//!
//! Entries wait in the order in which they came. A group of them is stored as one; when that fails
//! they stay where they are, which is the spill. Events are part of the past: whoever waits for
//! them is told that they are held, and the call succeeds. A rule is not in force before it is
//! stored: it is refused.
//!
//! The invariant: entries are stored in the order in which they came, each once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use odeum_node::{NotRecorded, Record};
use odeum_room::Event;
use odeum_store::{CallbackNumber, CallbackState, Change, NewCallback, PendingCallback, Round};
use odeum_types::UnixMillis;

use crate::body::body;
use crate::event::CallbackEvent;
use crate::settings::Settings;

/// Entries that are stored in one commit. More make a commit longer and fewer syncs; the callers of
/// the first ones wait for the last.
pub(crate) const GROUP_ENTRIES_MAX: usize = 1_000;

/// Progress of callbacks stored in one commit.
pub(crate) const GROUP_PROGRESS_MAX: usize = 5_000;

/// How long a store that failed is left alone, at first and at most; the wait doubles.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(100);
/// See [`RETRY_FIRST`].
pub(crate) const RETRY_LAST: Duration = Duration::from_secs(5);

/// Something to store that someone may wait for: the node's entries, or a simulation's.
pub trait Recordable {
    /// What is stored.
    fn record(&self) -> &Record;
    /// How it ended; later calls say nothing.
    fn acknowledge(&mut self, outcome: Result<(), NotRecorded>);
}

impl Recordable for odeum_node::Entry {
    fn record(&self) -> &Record {
        &self.record
    }

    fn acknowledge(&mut self, outcome: Result<(), NotRecorded>) {
        odeum_node::Entry::acknowledge(self, outcome);
    }
}

/// What is to be stored as one.
#[derive(Debug)]
pub struct Group {
    /// For the store.
    pub changes: Vec<Change>,
    /// Entries among them, from the front.
    entries: usize,
    /// Progress among them.
    progress: Vec<CallbackNumber>,
    /// The callbacks among them, in order: they get their numbers from the store.
    callbacks: Vec<NewCallback>,
}

/// A callback that is stored and is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// What waits.
    pub callback: PendingCallback,
    /// Its body, so that the first attempt need not read it.
    pub body: Arc<str>,
}

/// What waits to be stored.
#[derive(Debug)]
pub struct Recorder<E> {
    /// Entries, the oldest first. Bounded by whoever hands them in: the node counts each until it
    /// is dropped, and refuses calls beyond `odeum_node::Limits::journal_bytes_max`.
    entries: VecDeque<E>,
    /// The newest progress of each callback; no more than callbacks that wait.
    progress: BTreeMap<CallbackNumber, Change>,
    /// Set while the store fails.
    failing: Option<Failing>,
}

/// The store fails.
#[derive(Debug, Clone, Copy)]
struct Failing {
    /// When it is tried again.
    retry_at: UnixMillis,
    /// How long the wait after that one is.
    wait: Duration,
}

impl<E: Recordable> Default for Recorder<E> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), progress: BTreeMap::new(), failing: None }
    }
}

impl<E: Recordable> Recorder<E> {
    /// Takes an entry. While the store fails, whoever waits is told at once: an event is held, a
    /// rule is refused.
    pub fn handle_entry(&mut self, mut entry: E) {
        if self.failing.is_none() {
            self.entries.push_back(entry);
            return;
        }
        match entry.record() {
            Record::Events(_) => {
                entry.acknowledge(Ok(()));
                self.entries.push_back(entry);
            }
            Record::Rule { .. } => entry.acknowledge(Err(NotRecorded)),
        }
    }

    /// Takes what became of callbacks. Nobody waits for it; what is lost in a crash is sent again.
    pub fn handle_progress(&mut self, changes: Vec<Change>) {
        for change in changes {
            match &change {
                Change::Attempted(attempted) => {
                    self.progress.insert(attempted.number, change);
                }
                Change::Finished(finished) => {
                    self.progress.insert(finished.number, change);
                }
                Change::Happened(_) | Change::Enqueue(_) | Change::Rule { .. } => {}
            }
        }
    }

    /// What is to be stored now; none when nothing waits or the store is left alone.
    pub fn poll_group(&mut self, now: UnixMillis, settings: &Settings) -> Option<Group> {
        if self.failing.is_some_and(|failing| now < failing.retry_at) || self.is_empty() {
            return None;
        }
        let mut group =
            Group { changes: Vec::new(), entries: 0, progress: Vec::new(), callbacks: Vec::new() };
        for entry in self.entries.iter().take(GROUP_ENTRIES_MAX) {
            group.entries += 1;
            match entry.record() {
                Record::Events(events) => {
                    events.iter().for_each(|event| group.add(event, settings));
                }
                Record::Rule { app, change } => {
                    group.changes.push(Change::Rule { app: *app, change: change.clone() });
                }
            }
        }
        for (number, change) in self.progress.iter().take(GROUP_PROGRESS_MAX) {
            group.progress.push(*number);
            group.changes.push(change.clone());
        }
        Some(group)
    }

    /// The group is stored, and its callbacks have these numbers. Returns them in order.
    pub fn stored(&mut self, group: Group, numbers: Vec<CallbackNumber>) -> Vec<Recorded> {
        self.failing = None;
        for mut entry in self.entries.drain(..group.entries) {
            entry.acknowledge(Ok(()));
        }
        for number in &group.progress {
            self.progress.remove(number);
        }
        let callbacks = group.callbacks.into_iter().zip(numbers);
        callbacks.map(|(callback, number)| Recorded::new(callback, number)).collect()
    }

    /// The group could not be stored: its events are held, its rules refused, and the store is left
    /// alone for a while.
    pub fn not_stored(&mut self, now: UnixMillis) {
        let wait = self.failing.map_or(RETRY_FIRST, |failing| failing.wait);
        self.failing =
            Some(Failing { retry_at: now.after(wait), wait: (wait * 2).min(RETRY_LAST) });
        self.entries.retain_mut(|entry| match entry.record() {
            Record::Events(_) => {
                entry.acknowledge(Ok(()));
                true
            }
            Record::Rule { .. } => {
                entry.acknowledge(Err(NotRecorded));
                false
            }
        });
    }

    /// When the store is to be tried again; none while it does not fail.
    pub fn poll_timeout(&self) -> Option<UnixMillis> {
        self.failing.filter(|_| !self.is_empty()).map(|failing| failing.retry_at)
    }

    /// Whether the store failed the last time.
    pub fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.progress.is_empty()
    }

    /// Entries that wait.
    pub fn waiting(&self) -> usize {
        self.entries.len()
    }
}

impl Group {
    fn add(&mut self, event: &Event, settings: &Settings) {
        self.changes.push(Change::Happened(event.clone()));
        if let Some(callback) = callback_of(event, settings) {
            self.changes.push(Change::Enqueue(callback.clone()));
            self.callbacks.push(callback);
        }
    }
}

/// The callback of an event, if its app wants one.
pub fn callback_of(event: &Event, settings: &Settings) -> Option<NewCallback> {
    let name = CallbackEvent::from(&event.kind);
    settings.receiver(event.app, name)?;
    Some(NewCallback {
        app: event.app,
        room: event.room.clone(),
        event: name.as_str().into(),
        at: event.at,
        body: body(event).into(),
    })
}

impl Recorded {
    pub(crate) fn new(callback: NewCallback, number: CallbackNumber) -> Self {
        let NewCallback { app, room, event, at, body } = callback;
        let callback = PendingCallback {
            number,
            round: Round::FIRST,
            app,
            room,
            event,
            at,
            state: CallbackState::Pending,
            attempts: 0,
            first_attempt_at: None,
            next_at: None,
        };
        Self { callback, body }
    }
}
