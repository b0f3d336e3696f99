//! The writer: one connection, one transaction for each commit.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use odeum_types::UnixMillis;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::change::Change;
use crate::error::{OpenError, StoreError};
use crate::ledger::Touched;
use crate::open;
use crate::outbox::{CallbackNumber, Dropped, Replayed};
use crate::reader::Reader;
use crate::selection::Selection;
use crate::{ledger, outbox, rules};

/// The name of one database, made at random with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreIdentity(String);

/// The one writer of a server's durable state. See the crate's page.
pub struct Store {
    /// The database.
    connection: Connection,
    /// Where it is.
    path: PathBuf,
    /// Its name.
    identity: StoreIdentity,
    /// Held for as long as the store is open; the kernel frees it when the process ends.
    _lock: File,
}

impl StoreIdentity {
    /// 16 hexadecimal characters.
    pub fn as_str(&self) -> &str {
        &self.0
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
        let open::Opened { connection, path, lock } = open::open(data_dir)?;
        let identity = identity(&connection)
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

    /// Makes selected callbacks that have ended wait again, the oldest first, at most
    /// [`crate::SELECTED_MAX`] at once.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn replay(
        &mut self,
        selection: &Selection,
        now: UnixMillis,
    ) -> Result<Replayed, StoreError> {
        self.transact(|transaction| outbox::replay(transaction, selection, now))
    }

    /// Gives up selected callbacks that wait, the oldest first, at most [`crate::SELECTED_MAX`] at
    /// once.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn drop_waiting(
        &mut self,
        selection: &Selection,
        outcome: &str,
        now: UnixMillis,
    ) -> Result<Dropped, StoreError> {
        self.transact(|transaction| outbox::drop_waiting(transaction, selection, outcome, now))
    }

    /// Forgets at most `steps_max` rows of each kind: callbacks and streams that ended before
    /// `before`, callbacks that have ended beyond the newest `keep_max`, and rules that expired
    /// before `before`. What waits and what is open stays. Returns how many rows went: fewer than
    /// `steps_max` means that it is done.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn purge(
        &mut self,
        before: UnixMillis,
        keep_max: u64,
        steps_max: u32,
    ) -> Result<u64, StoreError> {
        self.transact(|transaction| {
            Ok(outbox::purge(transaction, before, keep_max, steps_max)?
                + ledger::purge(transaction, before, steps_max)?
                + rules::purge(transaction, before)?)
        })
    }

    /// A connection of its own for reading, for any thread.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// The name of this database.
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

/// The database's name; made the first time.
fn identity(connection: &Connection) -> Result<StoreIdentity, StoreError> {
    connection.execute(
        "INSERT INTO identity SELECT lower(hex(randomblob(8)))
         WHERE NOT EXISTS (SELECT 1 FROM identity)",
        [],
    )?;
    Ok(StoreIdentity(connection.query_row("SELECT value FROM identity", [], |row| row.get(0))?))
}
