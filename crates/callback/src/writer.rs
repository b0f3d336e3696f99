//! The thread that owns the store: everything that waits goes into one commit, and while the store
//! is away it waits in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use odeum_node::{Clock, Entry};
use odeum_store::{CallbackNumber, Change, PendingCallback, Purge, Store, StoreError};
use odeum_types::UnixMillis;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use crate::recorder::{GROUP_ENTRIES_MAX, Recorder};
use crate::recovery::{close_open_rooms, say_closed};
use crate::sender::ToSender;
use crate::settings::{CurrentSettings, Limits};
use crate::statistics::Counters;

/// How often the history is looked through for what is too old.
const PURGE_EVERY: Duration = Duration::from_secs(60);

/// Rows of each kind that one step of that forgets: a few milliseconds, in which nothing is stored.
const PURGE_STEP: u32 = 1_000;

/// How long a rule is kept after its end. None is in force any more; a clock that was set ahead by
/// mistake and back again takes none away.
const RULES_KEPT: Duration = Duration::from_secs(3_600);

/// Longest sleep when nothing is to be done.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// What an operator is told of callbacks that were given up by hand.
const DROPPED_BY_OPERATOR: &str = "dropped by the operator";

/// Work for the writer.
pub(crate) enum ToWriter {
    /// From the node.
    Entry(Entry),
    /// What became of callbacks.
    Progress(Vec<Change>),
    /// Callbacks to be sent again.
    Replay {
        /// Which; those that have ended are.
        numbers: Vec<CallbackNumber>,
        /// What waits again.
        reply: oneshot::Sender<Result<Vec<PendingCallback>, StoreError>>,
    },
    /// Callbacks to be given up.
    Drop {
        /// Which; those that wait are.
        numbers: Vec<CallbackNumber>,
        /// Those that were.
        reply: oneshot::Sender<Result<Vec<CallbackNumber>, StoreError>>,
    },
    /// Store what is there; answered once that was tried.
    Flush(oneshot::Sender<()>),
    /// The end: store what is there and close the store.
    Stop(oneshot::Sender<()>),
}

/// The writer's state.
pub(crate) struct Writer {
    /// The store.
    pub(crate) store: Store,
    /// What waits for it.
    pub(crate) recorder: Recorder<Entry>,
    /// Whether what the last start left open is still to be closed; it comes before all that
    /// waits.
    pub(crate) needs_closing: bool,
    /// Which events have callbacks.
    pub(crate) settings: CurrentSettings,
    /// Bounds of the history.
    pub(crate) limits: Limits,
    /// The time; never runs backwards.
    pub(crate) clock: Clock,
    /// To the sender.
    pub(crate) sender: mpsc::UnboundedSender<ToSender>,
    /// What is counted.
    pub(crate) counters: Arc<Counters>,
    /// When the history is looked through next.
    pub(crate) purge_at: UnixMillis,
}

/// Whether the thread goes on.
enum Turn {
    Goes,
    Ends(Option<oneshot::Sender<()>>),
}

impl Writer {
    /// Runs until it is stopped, or everybody who could give it work is gone.
    pub(crate) fn run(mut self, inbox: &Receiver<ToWriter>) {
        loop {
            let first = inbox.recv_timeout(self.sleep());
            let mut turn = match first {
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => Turn::Goes,
                Err(RecvTimeoutError::Disconnected) => Turn::Ends(None),
            };
            // What has come meanwhile goes into the same commit.
            let mut taken = 1;
            while taken < GROUP_ENTRIES_MAX
                && matches!(turn, Turn::Goes)
                && let Ok(message) = inbox.try_recv()
            {
                turn = self.handle(message);
                taken += 1;
            }
            self.store_waiting();
            self.purge_if_due();
            if let Turn::Ends(reply) = turn {
                return self.end(inbox, reply);
            }
        }
    }

    fn sleep(&self) -> Duration {
        let now = self.clock.now();
        let retry = self.recorder.poll_timeout();
        let next = retry.map_or(self.purge_at, |at| at.min(self.purge_at));
        next.since(now).min(SLEEP_MAX)
    }

    fn handle(&mut self, message: ToWriter) -> Turn {
        match message {
            ToWriter::Entry(entry) => self.recorder.handle_entry(entry),
            ToWriter::Progress(changes) => self.recorder.handle_progress(changes),
            ToWriter::Replay { numbers, reply } => {
                // What is known of callbacks and not stored yet decides which have ended.
                self.store_waiting();
                let replayed = self.store.replay(&numbers, self.clock.now());
                if let Ok(callbacks) = &replayed {
                    self.tell(ToSender::Replayed(callbacks.clone()));
                }
                // An operator who does not wait any more has still replayed.
                reply.send(replayed).unwrap_or_default();
            }
            ToWriter::Drop { numbers, reply } => {
                self.store_waiting();
                let now = self.clock.now();
                let dropped = self.store.drop_waiting(&numbers, DROPPED_BY_OPERATOR, now);
                if let Ok(numbers) = &dropped {
                    Counters::add(&self.counters.dropped, numbers.len() as u64);
                    self.tell(ToSender::Dropped(numbers.clone()));
                }
                reply.send(dropped).unwrap_or_default();
            }
            ToWriter::Flush(reply) => {
                self.store_waiting();
                reply.send(()).unwrap_or_default();
            }
            ToWriter::Stop(reply) => return Turn::Ends(Some(reply)),
        }
        Turn::Goes
    }

    /// Stores all that waits, one group after the other, until nothing does or the store fails.
    fn store_waiting(&mut self) {
        if !self.needs_closing || self.close_left_open() {
            self.store_groups();
        }
        self.counters.spilled.store(self.recorder.waiting() as u64, Ordering::Relaxed);
    }

    /// Closes what the last start left open; whether that is done.
    fn close_left_open(&mut self) -> bool {
        let now = self.clock.now();
        if self.recorder.poll_timeout().is_some_and(|retry| now < retry) {
            return false;
        }
        let mut recorded = Vec::new();
        let settings = self.settings.get();
        let closed = close_open_rooms(&mut self.store, &settings, now, &mut recorded);
        Counters::add(&self.counters.stored, recorded.len() as u64);
        self.tell(ToSender::Recorded(recorded));
        match closed {
            Ok(rooms) => {
                say_closed(rooms);
                self.needs_closing = false;
            }
            Err(error) => {
                Counters::add(&self.counters.commits_failed, 1);
                warn!(%error, "what the last start left open cannot be closed yet");
                self.recorder.not_stored(now);
            }
        }
        !self.needs_closing
    }

    fn store_groups(&mut self) {
        loop {
            let now = self.clock.now();
            let settings = self.settings.get();
            let Some(group) = self.recorder.poll_group(now, &settings) else { break };
            match self.store.commit(&group.changes) {
                Ok(numbers) => {
                    Counters::add(&self.counters.commits, 1);
                    Counters::add(&self.counters.stored, numbers.len() as u64);
                    let was_failing = self.recorder.is_failing();
                    let recorded = self.recorder.stored(group, numbers);
                    if was_failing {
                        info!("the store can be written again");
                    }
                    if !recorded.is_empty() {
                        self.tell(ToSender::Recorded(recorded));
                    }
                }
                Err(failed) => {
                    Counters::add(&self.counters.commits_failed, 1);
                    let entries = self.recorder.waiting();
                    if failed.is_transient() {
                        warn!(error = %failed, entries, "events wait in memory for the store");
                    } else {
                        error!(error = %failed, entries, "events wait in memory: mend the store");
                    }
                    self.recorder.not_stored(now);
                    break;
                }
            }
        }
    }

    fn purge_if_due(&mut self) {
        let now = self.clock.now();
        if now < self.purge_at {
            return;
        }
        let ago = |time: Duration| UnixMillis(now.0.saturating_sub(time.as_millis() as u64));
        let purged = self.store.purge(&Purge {
            ended_before: ago(self.limits.history),
            keep_max: self.limits.history_events_max,
            rules_before: ago(RULES_KEPT),
            steps_max: PURGE_STEP,
        });
        self.purge_at = match purged {
            // More to go: again as soon as what has come meanwhile is stored.
            Ok(gone) if gone >= u64::from(PURGE_STEP) => now,
            Ok(_) => now.after(PURGE_EVERY),
            Err(failed) => {
                warn!(error = %failed, "old callbacks could not be forgotten");
                now.after(PURGE_EVERY)
            }
        };
    }

    /// Takes what is still on its way here, stores it, and closes the store.
    fn end(mut self, inbox: &Receiver<ToWriter>, reply: Option<oneshot::Sender<()>>) {
        let mut replies: Vec<oneshot::Sender<()>> = reply.into_iter().collect();
        while let Ok(message) = inbox.try_recv() {
            if let Turn::Ends(Some(reply)) = self.handle(message) {
                replies.push(reply);
            }
        }
        self.store_waiting();
        let lost = self.recorder.waiting();
        if lost > 0 {
            error!(entries = lost, "the store is away: what waited in memory is lost");
        }
        drop(self.store);
        for reply in replies {
            reply.send(()).unwrap_or_default();
        }
    }

    fn tell(&self, message: ToSender) {
        // A sender that is gone has left it in the store, for the next start.
        self.sender.send(message).unwrap_or_default();
    }
}
