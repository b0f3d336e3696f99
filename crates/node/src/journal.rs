//! The way out for what must outlive the process: what rooms report and which rules change goes to
//! one receiver, which acknowledges each entry once it is safe. Room tasks never wait for it; an
//! API reply does (ruling 27).
//!
//! An entry counts against the journal's bound until its receiver drops it, so a receiver that
//! cannot store what it took keeps the entries themselves: they are the spill, and there is one
//! bound for all that is not stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use odeum_room::{Event, RuleChange};
use odeum_types::AppId;
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

/// What is to be made durable, as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The events of one command, at least one, in order. Those of one room come in the order in
    /// which they happened.
    Events(Vec<Event>),
    /// A rule of an app that is about to be set or taken away. It is in force only once it is safe.
    Rule {
        /// The app.
        app: AppId,
        /// What changes.
        change: RuleChange,
    },
}

/// The record could not be made durable, and what it stands for does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the change could not be stored")]
pub struct NotRecorded;

/// Something to make durable. Dropping it says that it is stored, or given up.
#[derive(Debug)]
pub struct Entry {
    /// What.
    pub record: Record,
    /// The span of the request that caused it, for the log lines about it; empty when no request
    /// did.
    pub span: Span,
    /// Whoever waits for it; none once it was told.
    waiting: Option<oneshot::Sender<Result<(), NotRecorded>>>,
    /// Its share of the bound.
    held: Held,
}

/// Where entries come out; there is one.
#[derive(Debug)]
pub struct JournalReceiver {
    /// Entries of all rooms and apps.
    receiver: mpsc::UnboundedReceiver<Entry>,
}

/// Resolves when the record is safe, or refused. A sender that is gone has neither stored nor
/// refused it.
pub(crate) type Acknowledged = oneshot::Receiver<Result<(), NotRecorded>>;

/// The node's end. It never waits: admission is refused beyond the bound, by
/// [`Journal::is_full`], before a command changes anything.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    /// To the receiver.
    sender: mpsc::UnboundedSender<Entry>,
    /// What is not stored yet.
    level: Arc<Level>,
    /// From how many bytes on commands are refused.
    bytes_max: usize,
}

/// How much is in the journal.
#[derive(Debug, Default)]
struct Level {
    /// Entries that were not dropped.
    entries: AtomicUsize,
    /// Their estimated bytes.
    bytes: AtomicUsize,
}

/// The share of one entry; gives it back when dropped.
#[derive(Debug)]
struct Held {
    level: Arc<Level>,
    bytes: usize,
}

/// A journal that refuses commands from `bytes_max` bytes that are not stored on.
pub(crate) fn journal(bytes_max: usize) -> (Journal, JournalReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Journal { sender, level: Arc::default(), bytes_max }, JournalReceiver { receiver })
}

impl Record {
    /// About how many bytes it takes in memory.
    fn bytes_estimate(&self) -> usize {
        match self {
            Self::Events(events) => events.iter().map(Event::bytes_estimate).sum(),
            Self::Rule { change, .. } => change.bytes_estimate(),
        }
    }
}

impl Entry {
    /// Tells whoever waits how it ended: stored, held in the spill (events only: they are part of
    /// the past and cannot be refused), or refused. Only the first call says anything.
    pub fn acknowledge(&mut self, outcome: Result<(), NotRecorded>) {
        if let Some(waiting) = self.waiting.take() {
            // Nobody waits any more: the caller passed its deadline. What is recorded stays.
            waiting.send(outcome).unwrap_or_default();
        }
    }

    /// About how many bytes it holds of the journal's bound.
    pub fn bytes(&self) -> usize {
        self.held.bytes
    }
}

impl JournalReceiver {
    /// The next entry; none when the node is gone. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Entry> {
        self.receiver.recv().await
    }

    /// The next entry from a thread of its own; none when the node is gone.
    pub fn blocking_recv(&mut self) -> Option<Entry> {
        self.receiver.blocking_recv()
    }

    /// The next entry, if one waits.
    pub fn try_recv(&mut self) -> Option<Entry> {
        self.receiver.try_recv().ok()
    }
}

impl Journal {
    /// Whether a command that may cause events has to be refused: too much waits, or nobody takes
    /// it any more.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() >= self.bytes_max || self.is_closed()
    }

    /// Whether nobody takes anything any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Entries that are not stored yet.
    pub(crate) fn entries(&self) -> usize {
        self.level.entries.load(Ordering::Relaxed)
    }

    /// Their estimated bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.level.bytes.load(Ordering::Relaxed)
    }

    /// Hands events over; none when there are none. A receiver that is gone wants none.
    pub(crate) fn events(&self, events: Vec<Event>) -> Option<Acknowledged> {
        if events.is_empty() { None } else { self.send(Record::Events(events)) }
    }

    /// Hands a record over; none when the receiver is gone.
    pub(crate) fn send(&self, record: Record) -> Option<Acknowledged> {
        let (waiting, acknowledged) = oneshot::channel();
        let held = Held::new(&self.level, record.bytes_estimate());
        let entry = Entry { record, span: Span::current(), waiting: Some(waiting), held };
        self.sender.send(entry).ok().map(|()| acknowledged)
    }
}

impl Held {
    fn new(level: &Arc<Level>, bytes: usize) -> Self {
        level.entries.fetch_add(1, Ordering::Relaxed);
        level.bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { level: Arc::clone(level), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.level.entries.fetch_sub(1, Ordering::Relaxed);
        self.level.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use odeum_types::{RoomId, StreamId};

    use super::*;

    fn change() -> RuleChange {
        let room = RoomId::parse("lobby").unwrap();
        RuleChange::DeleteStreamRule { room, stream: StreamId::parse("cam").unwrap() }
    }

    #[tokio::test]
    async fn an_entry_counts_until_it_is_dropped() {
        let (journal, mut receiver) = journal(1);
        assert!(!journal.is_full());
        let waits = journal.send(Record::Rule { app: AppId(1), change: change() }).unwrap();
        let mut entry = receiver.recv().await.unwrap();
        entry.acknowledge(Err(NotRecorded));
        entry.acknowledge(Ok(()));
        assert_eq!(waits.await, Ok(Err(NotRecorded)), "the first word counts");
        assert!(journal.is_full() && journal.entries() == 1 && journal.bytes() == entry.bytes());
        drop(entry);
        assert!(!journal.is_full() && journal.entries() == 0);
    }

    #[test]
    fn without_a_receiver_nothing_is_held() {
        let (journal, receiver) = journal(1);
        drop(receiver);
        assert!(journal.send(Record::Rule { app: AppId(1), change: change() }).is_none());
        assert_eq!((journal.entries(), journal.bytes()), (0, 0));
        assert!(journal.is_full(), "what would have to be stored is refused");
        assert!(journal.events(Vec::new()).is_none());
    }
}
