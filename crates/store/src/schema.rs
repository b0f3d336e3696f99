//! The tables, as the list of steps that led to them. A step that was released is never edited:
//! what changes is a new step at the end.

use rusqlite::{Connection, TransactionBehavior};

use crate::error::StoreError;

/// Each brings the schema from its index to the next one.
const STEPS: &[&str] = &[FIRST, LAST_EVENT, EPOCHS];

/// Rules, outbox and ledger.
const FIRST: &str = "
CREATE TABLE identity (
    value TEXT NOT NULL
) STRICT;

-- Callbacks, those that wait and those that have ended. A number never comes again.
CREATE TABLE callbacks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    app INTEGER NOT NULL,
    room TEXT NOT NULL,
    event TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    state INTEGER NOT NULL,
    round INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    first_attempt_ms INTEGER,
    next_ms INTEGER,
    changed_ms INTEGER NOT NULL,
    outcome TEXT
) STRICT;
CREATE INDEX callbacks_waiting ON callbacks (number) WHERE state < 2;
CREATE INDEX callbacks_given_up ON callbacks (number) WHERE state > 2;
CREATE INDEX callbacks_ended ON callbacks (changed_ms) WHERE state >= 2;
CREATE INDEX callbacks_of_room ON callbacks (app, room, number);

-- The ledger.
CREATE TABLE rooms (
    room_session INTEGER PRIMARY KEY,
    app INTEGER NOT NULL,
    room TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    user_sequence INTEGER NOT NULL,
    stream_sequence INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
    session INTEGER PRIMARY KEY,
    room_session INTEGER NOT NULL,
    user TEXT NOT NULL,
    name TEXT NOT NULL,
    login_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_room ON sessions (room_session, session);
CREATE TABLE streams (
    room_session INTEGER NOT NULL,
    number INTEGER NOT NULL,
    app INTEGER NOT NULL,
    stream TEXT NOT NULL,
    user TEXT NOT NULL,
    user_name TEXT NOT NULL,
    title TEXT NOT NULL,
    extra_info TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    PRIMARY KEY (room_session, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX streams_by_name ON streams (app, stream, created_ms);
CREATE INDEX streams_closed ON streams (closed_ms) WHERE closed_ms IS NOT NULL;

-- Rules.
CREATE TABLE user_rules (
    app INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    ip TEXT NOT NULL,
    room TEXT NOT NULL,
    user TEXT NOT NULL,
    privileges INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (app, kind, ip, room, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE stream_rules (
    app INTEGER NOT NULL,
    room TEXT NOT NULL,
    stream TEXT NOT NULL,
    cut INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (app, room, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE forbidden_streams (
    app INTEGER NOT NULL,
    stream TEXT NOT NULL,
    PRIMARY KEY (app, stream)
) STRICT, WITHOUT ROWID;
";

/// When the last event of an open room happened.
const LAST_EVENT: &str = "
ALTER TABLE rooms ADD COLUMN last_ms INTEGER NOT NULL DEFAULT 0;
";

/// A name for the callbacks of each opening, and the ends of rules by time.
const EPOCHS: &str = "
CREATE TABLE epochs (
    first INTEGER PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO epochs SELECT 0, value FROM identity;
DROP TABLE identity;
CREATE INDEX user_rules_by_end ON user_rules (expires_ms);
CREATE INDEX stream_rules_by_end ON stream_rules (expires_ms);
";

/// The schema of a database that went through all steps.
pub(crate) fn latest() -> i64 {
    STEPS.len() as i64
}

/// The schema that the database has; 0 for an empty one.
pub(crate) fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Brings an empty or older database to the latest schema, one transaction for each step.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    for (step, to) in STEPS.iter().zip(1_i64..).skip(usize::try_from(found).unwrap_or(0)) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()?;
        tracing::info!(schema = to, "the store was brought to a new schema");
    }
    Ok(())
}
