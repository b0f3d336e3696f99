//! Reading beside the writer: what waits, what was, what is open.

use std::path::Path;

use odeum_room::RuleChange;
use odeum_types::{AppId, StreamId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::error::StoreError;
use crate::ledger::{self, OpenRoom};
use crate::outbox::{
    CallbackNumber, CallbackRow, PENDING_COLUMNS, PendingCallback, ROW_COLUMNS, Selected, Which,
    pending_of, row_of,
};
use crate::selection::Selection;
use crate::{open, outbox, rules};

/// Looks into the database. Each call sees what was committed when it began.
#[derive(Debug)]
pub struct Reader {
    /// A connection that cannot write.
    connection: Connection,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: open::connect_reader(path)? })
    }

    /// Every rule, as the changes that set it. Those that expired may be among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rules(&self) -> Result<Vec<(AppId, RuleChange)>, StoreError> {
        rules::all(&self.connection)
    }

    /// What is open, rooms in the order in which they began.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_rooms(&self) -> Result<Vec<OpenRoom>, StoreError> {
        ledger::open_rooms(&self.connection)
    }

    /// When the newest stream of this name came and, if it has closed, went. Forgotten with the
    /// history.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stream_times(
        &self,
        app: AppId,
        stream: &StreamId,
    ) -> Result<Option<(UnixMillis, Option<UnixMillis>)>, StoreError> {
        ledger::stream_times(&self.connection, app, stream)
    }

    /// Callbacks that wait, in the order of their numbers, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn pending(
        &self,
        after: CallbackNumber,
        limit: u32,
    ) -> Result<Vec<PendingCallback>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {PENDING_COLUMNS} FROM callbacks WHERE state < 2 AND number > ?
             ORDER BY number LIMIT ?"
        ))?;
        let mut rows = statement.query(params![after.to_sql(), limit])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            pending.push(pending_of(row)?);
        }
        Ok(pending)
    }

    /// Selected callbacks that wait, or that have ended, the oldest first, at most
    /// [`crate::SELECTED_MAX`]: for [`crate::Store::replay`] and [`crate::Store::drop_waiting`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn select(&self, selection: &Selection, which: Which) -> Result<Selected, StoreError> {
        outbox::select(&self.connection, selection, which)
    }

    /// One callback.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn callback(&self, number: CallbackNumber) -> Result<Option<CallbackRow>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("SELECT {ROW_COLUMNS} FROM callbacks WHERE number = ?"))?;
        let mut rows = statement.query([number.to_sql()])?;
        rows.next()?.map(row_of).transpose()
    }

    /// The body of one callback.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn body(&self, number: CallbackNumber) -> Result<Option<String>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT body FROM callbacks WHERE number = ?")?;
        Ok(statement.query_row([number.to_sql()], |row| row.get(0)).optional()?)
    }

    /// Selected callbacks, the newest first, those before `before`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn history(
        &self,
        selection: &Selection,
        before: Option<CallbackNumber>,
        limit: u32,
    ) -> Result<Vec<CallbackRow>, StoreError> {
        let mut conditions = selection.conditions();
        if let Some(before) = before {
            conditions.add("number < ?", before.to_sql());
        }
        let text = format!(
            "SELECT {ROW_COLUMNS} FROM callbacks WHERE {} ORDER BY number DESC LIMIT {limit}",
            conditions.text()
        );
        let mut statement = self.connection.prepare(&text)?;
        let mut rows = statement.query(params_from_iter(conditions.values()))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(row_of(row)?);
        }
        Ok(found)
    }
}
