//! The writer: one connection, one transaction for each commit.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use odeum_types::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::change::Change;
use crate::error::{OpenError, StoreError};
use crate::ledger::Touched;
use crate::open;
use crate::outbox::{CallbackNumber, PendingCallback};
use crate::reader::Reader;
use crate::{ledger, outbox, rules};

/// Names for callbacks that no other database gives, and no other past of this one: a number may
/// come again after a backup was restored, its name does not.
///
/// Each opening of the store begins an epoch with a random name, for the numbers that it will give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The first number of each epoch and its name, in order; at least one.
    epochs: Arc<[(u64, Box<str>)]>,
}

/// What may be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// Callbacks and streams that ended before this.
    pub ended_before: UnixMillis,
    /// Callbacks that have ended beyond the newest so many.
    pub keep_max: u64,
    /// Rules that ended before this.
    pub rules_before: UnixMillis,
    /// Rows of each kind at once, at most.
    pub steps_max: u32,
}

/// The one writer of a server's durable state. See the crate's page.
pub struct Store {
    /// The database.
    connection: Connection,
    /// Where it is.
    path: PathBuf,
    /// The names of its callbacks.
    identity: StoreIdentity,
    /// Held for as long as the store is open; the kernel frees it when the process ends.
    _lock: File,
}

impl StoreIdentity {
    /// The name of the epoch in which a callback was made: 16 hexadecimal characters.
    pub fn of(&self, number: CallbackNumber) -> &str {
        let later = self.epochs.partition_point(|(first, _)| *first <= number.0);
        &self.epochs[later.saturating_sub(1)].1
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database in `data_dir`, makes both if they are missing, and brings an older schema
    /// up to date. One process at a time has a folder.
    ///
    /// # Errors
    /// [`OpenError`], each variant as it says; all name the path.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let open::Opened { mut connection, path, lock } = open::open(data_dir)?;
        let identity = identity(&mut connection)
            .map_err(|error| OpenError::Database { path: path.clone(), error })?;
        Ok(Self { connection, path, identity, _lock: lock })
    }

    /// Makes `changes` durable, all or none, and returns the numbers of the callbacks among them in
    /// order. The events of one command belong into one commit.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed then, and the next call may succeed.
    pub fn commit(&mut self, changes: &[Change]) -> Result<Vec<CallbackNumber>, StoreError> {
        self.transact(|transaction| {
            let mut numbers = Vec::new();
            let mut touched = Touched::default();
            for change in changes {
                match change {
                    Change::Happened(event) => ledger::follow(transaction, event, &mut touched)?,
                    Change::Enqueue(callback) => {
                        numbers.push(outbox::enqueue(transaction, callback)?);
                    }
                    Change::Attempted(attempted) => outbox::attempted(transaction, attempted)?,
                    Change::Finished(finished) => outbox::finished(transaction, finished)?,
                    Change::Rule { app, change } => rules::apply(transaction, *app, change)?,
                }
            }
            ledger::end_rooms(transaction, &touched)?;
            Ok(numbers)
        })
    }

    /// Makes those of these callbacks that have ended wait again, in a new round, and returns them
    /// in this order.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn replay(
        &mut self,
        numbers: &[CallbackNumber],
        now: UnixMillis,
    ) -> Result<Vec<PendingCallback>, StoreError> {
        self.transact(|transaction| outbox::replay(transaction, numbers, now))
    }

    /// Gives up those of these callbacks that wait, and returns them in this order.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn drop_waiting(
        &mut self,
        numbers: &[CallbackNumber],
        outcome: &str,
        now: UnixMillis,
    ) -> Result<Vec<CallbackNumber>, StoreError> {
        self.transact(|transaction| outbox::drop_waiting(transaction, numbers, outcome, now))
    }

    /// Forgets what `limits` says. What waits, what is open and what is in force stays. Returns how
    /// many rows went: fewer than `limits.steps_max` means that it is done.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn purge(&mut self, limits: &Purge) -> Result<u64, StoreError> {
        let Purge { ended_before, keep_max, rules_before, steps_max } = *limits;
        self.transact(|transaction| {
            Ok(outbox::purge(transaction, ended_before, keep_max, steps_max)?
                + ledger::purge(transaction, ended_before, steps_max)?
                + rules::purge(transaction, rules_before, steps_max)?)
        })
    }

    /// A connection of its own for reading, for any thread.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// The names of its callbacks.
    pub fn identity(&self) -> &StoreIdentity {
        &self.identity
    }

    fn transact<R>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        if !self.connection.is_autocommit() {
            // A rollback that failed, on a full disk for example: a new connection has none open.
            self.connection = open::connect(&self.path)?;
        }
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }
}

/// Begins an epoch, and reads those of which there are callbacks. A disk that is full now begins
/// none: what is there is better than no start.
fn identity(connection: &mut Connection) -> Result<StoreIdentity, StoreError> {
    match begin_epoch(connection) {
        Ok(()) => {}
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "the callbacks of this start have the names of the last one");
        }
        Err(error) => return Err(error),
    }
    let mut statement = connection.prepare("SELECT first, value FROM epochs ORDER BY first")?;
    let epochs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let epochs = epochs.collect::<Result<Arc<[(u64, Box<str>)]>, _>>()?;
    match epochs.is_empty() {
        false => Ok(StoreIdentity { epochs }),
        // Only if the very first one could not be begun.
        true => Err(StoreError::Full),
    }
}

fn begin_epoch(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last: Option<u64> = transaction
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'callbacks'", [], |row| row.get(0))
        .optional()?;
    transaction.execute(
        "INSERT OR REPLACE INTO epochs VALUES (?, lower(hex(randomblob(8))))",
        [last.unwrap_or(0) + 1],
    )?;
    transaction.execute(
        "DELETE FROM epochs WHERE first < (
             SELECT max(first) FROM epochs WHERE first <= (
                 SELECT coalesce(min(number), 9223372036854775807) FROM callbacks))",
        [],
    )?;
    Ok(transaction.commit()?)
}
