//! Callbacks: those that wait to be sent, and what became of the others.

use std::fmt;
use std::sync::Arc;

use odeum_types::{AppId, RoomId, UnixMillis};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, Row, Transaction, params, params_from_iter};

use crate::change::{Attempted, Finished, NewCallback};
use crate::error::StoreError;
use crate::selection::Selection;

/// Callbacks that one replay or drop changes at most; more remain for the next one.
pub const SELECTED_MAX: u32 = 10_000;

/// A callback's number: grows in the order of recording, never comes again, and is below 2^53 for
/// as long as anyone will look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallbackNumber(pub u64);

/// Which time it is that a callback is on its way: 0, and one more with each replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Round(pub u32);

/// Where a callback is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallbackState {
    /// It waits for its turn in its room, or for its next attempt.
    Pending,
    /// Its first attempts failed; it goes on alone, and the room's next ones do not wait for it.
    Late,
    /// Its receiver took it.
    Delivered,
    /// No receiver took it in the time that it is tried.
    Failed,
    /// It was given up: by an operator, because too many waited, or because it has no receiver any
    /// more.
    Dropped,
}

/// A callback that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCallback {
    /// Its number.
    pub number: CallbackNumber,
    /// Which round of attempts.
    pub round: Round,
    /// The app.
    pub app: AppId,
    /// The room.
    pub room: RoomId,
    /// The event's name.
    pub event: Arc<str>,
    /// When it happened.
    pub at: UnixMillis,
    /// [`CallbackState::Pending`] or [`CallbackState::Late`].
    pub state: CallbackState,
    /// Attempts of the round so far.
    pub attempts: u32,
    /// When the round's first one began.
    pub first_attempt_at: Option<UnixMillis>,
    /// When the next one is due; at once if there is none.
    pub next_at: Option<UnixMillis>,
}

/// A callback with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackRow {
    /// Its number.
    pub number: CallbackNumber,
    /// Which round of attempts; more than 0 when it was replayed.
    pub round: Round,
    /// The app.
    pub app: AppId,
    /// The room.
    pub room: RoomId,
    /// The event's name.
    pub event: Arc<str>,
    /// When it happened.
    pub at: UnixMillis,
    /// Where it is in its life.
    pub state: CallbackState,
    /// Attempts of the round.
    pub attempts: u32,
    /// When the next one is due.
    pub next_at: Option<UnixMillis>,
    /// When it was changed last.
    pub changed_at: UnixMillis,
    /// What came of the last attempt, in a few words.
    pub outcome: Option<String>,
    /// The body without what each attempt makes anew.
    pub body: Arc<str>,
}

/// Which half of a callback's life is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that wait.
    Waiting,
    /// Those that have ended.
    Ended,
}

/// Callbacks that were selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// In order, at most [`SELECTED_MAX`].
    pub numbers: Vec<CallbackNumber>,
    /// Whether more of the selection remain.
    pub more: bool,
}

impl fmt::Display for CallbackNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl CallbackNumber {
    pub(crate) fn to_sql(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl Round {
    /// The first one.
    pub const FIRST: Self = Self(0);
}

impl CallbackState {
    /// All of them, in the order of a callback's life.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Late, Self::Delivered, Self::Failed, Self::Dropped];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Late => "late",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether it is still to be sent.
    pub fn waits(self) -> bool {
        match self {
            Self::Pending | Self::Late => true,
            Self::Delivered | Self::Failed | Self::Dropped => false,
        }
    }

    /// Those that wait come before 2, those that were given up after it: the partial indexes say
    /// so.
    pub(crate) fn to_sql(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Late => 1,
            Self::Delivered => 2,
            Self::Failed => 3,
            Self::Dropped => 4,
        }
    }
}

impl FromSql for CallbackState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        let found = Self::ALL.into_iter().find(|state| state.to_sql() == number);
        found.ok_or(FromSqlError::OutOfRange(number))
    }
}

/// Columns of [`PendingCallback`], in the order in which [`pending_of`] reads them.
pub(crate) const PENDING_COLUMNS: &str =
    "number, round, app, room, event, at_ms, state, attempts, first_attempt_ms, next_ms";

/// Reads [`PENDING_COLUMNS`].
pub(crate) fn pending_of(row: &Row<'_>) -> Result<PendingCallback, StoreError> {
    Ok(PendingCallback {
        number: CallbackNumber(row.get(0)?),
        round: Round(row.get(1)?),
        app: AppId(row.get(2)?),
        room: room_of(row.get_ref(3)?)?,
        event: row.get(4)?,
        at: UnixMillis(row.get(5)?),
        state: row.get(6)?,
        attempts: row.get(7)?,
        first_attempt_at: row.get::<_, Option<u64>>(8)?.map(UnixMillis),
        next_at: row.get::<_, Option<u64>>(9)?.map(UnixMillis),
    })
}

/// Columns of [`CallbackRow`], in the order in which [`row_of`] reads them.
pub(crate) const ROW_COLUMNS: &str =
    "number, round, app, room, event, at_ms, state, attempts, next_ms, changed_ms, outcome, body";

/// Reads [`ROW_COLUMNS`].
pub(crate) fn row_of(row: &Row<'_>) -> Result<CallbackRow, StoreError> {
    Ok(CallbackRow {
        number: CallbackNumber(row.get(0)?),
        round: Round(row.get(1)?),
        app: AppId(row.get(2)?),
        room: room_of(row.get_ref(3)?)?,
        event: row.get(4)?,
        at: UnixMillis(row.get(5)?),
        state: row.get(6)?,
        attempts: row.get(7)?,
        next_at: row.get::<_, Option<u64>>(8)?.map(UnixMillis),
        changed_at: UnixMillis(row.get(9)?),
        outcome: row.get(10)?,
        body: row.get(11)?,
    })
}

fn room_of(value: ValueRef<'_>) -> Result<RoomId, StoreError> {
    let text = value.as_str().map_err(rusqlite::Error::from)?;
    RoomId::parse(text).map_err(|_| StoreError::Unknown { what: "room id", value: text.to_owned() })
}

pub(crate) fn enqueue(
    transaction: &Transaction<'_>,
    callback: &NewCallback,
) -> Result<CallbackNumber, StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO callbacks
             (app, room, event, at_ms, body, state, round, attempts, changed_ms)
         VALUES (?, ?, ?, ?, ?, 0, 0, 0, ?)",
    )?;
    let number = statement.insert(params![
        callback.app.0,
        callback.room.as_str(),
        &*callback.event,
        callback.at.0,
        &*callback.body,
        callback.at.0,
    ])?;
    Ok(CallbackNumber(number.unsigned_abs()))
}

pub(crate) fn attempted(
    transaction: &Transaction<'_>,
    attempted: &Attempted,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "UPDATE callbacks
         SET state = ?, attempts = ?, first_attempt_ms = ?, next_ms = ?, outcome = ?, changed_ms = ?
         WHERE number = ? AND round = ? AND state < 2",
    )?;
    statement.execute(params![
        attempted.state.to_sql(),
        attempted.attempts,
        attempted.first_attempt_at.0,
        attempted.next_at.0,
        &*attempted.outcome,
        attempted.at.0,
        attempted.number.to_sql(),
        attempted.round.0,
    ])?;
    Ok(())
}

pub(crate) fn finished(
    transaction: &Transaction<'_>,
    finished: &Finished,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "UPDATE callbacks
         SET state = ?, attempts = ?, next_ms = NULL, outcome = ?, changed_ms = ?
         WHERE number = ? AND round = ? AND state < 2",
    )?;
    statement.execute(params![
        finished.state.to_sql(),
        finished.attempts,
        &*finished.outcome,
        finished.at.0,
        finished.number.to_sql(),
        finished.round.0,
    ])?;
    Ok(())
}

/// Selected callbacks that wait, or that have ended, the oldest first.
pub(crate) fn select(
    connection: &Connection,
    selection: &Selection,
    which: Which,
) -> Result<Selected, StoreError> {
    let mut conditions = selection.conditions();
    conditions.require(match which {
        Which::Waiting => "state < 2",
        Which::Ended => "state >= 2",
    });
    let text = format!(
        "SELECT number FROM callbacks WHERE {} ORDER BY number LIMIT {}",
        conditions.text(),
        SELECTED_MAX + 1
    );
    let mut select = connection.prepare(&text)?;
    let numbers = select.query_map(params_from_iter(conditions.values()), |row| row.get(0))?;
    let mut numbers = numbers
        .map(|number| number.map(CallbackNumber))
        .collect::<Result<Vec<CallbackNumber>, rusqlite::Error>>()?;
    let more = numbers.len() > SELECTED_MAX as usize;
    numbers.truncate(SELECTED_MAX as usize);
    Ok(Selected { numbers, more })
}

pub(crate) fn replay(
    transaction: &Transaction<'_>,
    numbers: &[CallbackNumber],
    now: UnixMillis,
) -> Result<Vec<PendingCallback>, StoreError> {
    let mut select = transaction.prepare_cached(&format!(
        "SELECT {PENDING_COLUMNS} FROM callbacks WHERE number = ? AND state >= 2"
    ))?;
    let mut update = transaction.prepare_cached(
        "UPDATE callbacks
         SET state = 0, round = ?, attempts = 0, first_attempt_ms = NULL, next_ms = NULL,
             changed_ms = ?
         WHERE number = ?",
    )?;
    let mut callbacks = Vec::new();
    for number in numbers {
        let mut rows = select.query([number.to_sql()])?;
        let Some(row) = rows.next()? else { continue };
        let mut callback = pending_of(row)?;
        callback.round.0 += 1;
        callback.state = CallbackState::Pending;
        callback.attempts = 0;
        callback.first_attempt_at = None;
        callback.next_at = None;
        update.execute(params![callback.round.0, now.0, number.to_sql()])?;
        callbacks.push(callback);
    }
    Ok(callbacks)
}

pub(crate) fn drop_waiting(
    transaction: &Transaction<'_>,
    numbers: &[CallbackNumber],
    outcome: &str,
    now: UnixMillis,
) -> Result<Vec<CallbackNumber>, StoreError> {
    let mut update = transaction.prepare_cached(
        "UPDATE callbacks SET state = ?, next_ms = NULL, outcome = ?, changed_ms = ?
         WHERE number = ? AND state < 2",
    )?;
    let state = CallbackState::Dropped.to_sql();
    let mut dropped = Vec::new();
    for number in numbers {
        if update.execute(params![state, outcome, now.0, number.to_sql()])? > 0 {
            dropped.push(*number);
        }
    }
    Ok(dropped)
}

pub(crate) fn purge(
    transaction: &Transaction<'_>,
    before: UnixMillis,
    keep_max: u64,
    steps_max: u32,
) -> Result<u64, StoreError> {
    let old = transaction
        .prepare_cached(
            "DELETE FROM callbacks WHERE number IN (
                 SELECT number FROM callbacks WHERE state >= 2 AND changed_ms < ?
                 ORDER BY changed_ms LIMIT ?)",
        )?
        .execute(params![before.0, steps_max])?;
    // Numbers have no gaps but those of callbacks that went: the distance from the newest is at
    // least how many there are.
    let newest: Option<u64> =
        transaction.query_row("SELECT max(number) FROM callbacks", [], |row| row.get(0))?;
    let last_to_go = newest.unwrap_or(0).saturating_sub(keep_max);
    let beyond = transaction
        .prepare_cached(
            "DELETE FROM callbacks WHERE number IN (
                 SELECT number FROM callbacks WHERE number <= ? AND state >= 2
                 ORDER BY number LIMIT ?)",
        )?
        .execute(params![last_to_go, steps_max])?;
    Ok((old + beyond) as u64)
}
