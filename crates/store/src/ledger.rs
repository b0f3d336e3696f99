//! The ledger: which rooms, sessions and streams are open, as far as the recorded events say.

use std::collections::BTreeSet;
use std::sync::Arc;

use odeum_room::{Event, EventKind, StreamFacts, StreamNumberId, UserFacts};
use odeum_types::{
    AppId, IdError, RoomId, RoomSessionId, SessionId, StreamId, UnixMillis, UserId, UserName,
};
use rusqlite::{Connection, Row, Transaction, params};

use crate::error::StoreError;

/// A room that is open, with all that is open in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRoom {
    /// The app.
    pub app: AppId,
    /// The room.
    pub room: RoomId,
    /// This life of it.
    pub room_session: RoomSessionId,
    /// When it began.
    pub created_at: UnixMillis,
    /// When its last recorded event happened.
    pub last_at: UnixMillis,
    /// The user list counter of its last recorded event.
    pub user_sequence: u64,
    /// The stream list counter of its last recorded event.
    pub stream_sequence: u64,
    /// Its sessions, in the order of their ids, which is that of their logins.
    pub sessions: Vec<OpenSession>,
    /// Its published streams, in list order.
    pub streams: Vec<OpenStream>,
}

/// A session that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// The session.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// What the user is called.
    pub name: UserName,
    /// When it logged in.
    pub login_at: UnixMillis,
}

/// A published stream that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenStream {
    /// The stream.
    pub stream: StreamId,
    /// Its number in the room.
    pub number: StreamNumberId,
    /// Its publisher.
    pub user: UserId,
    /// What the publisher is called.
    pub user_name: UserName,
    /// Title.
    pub title: Arc<str>,
    /// Extra info.
    pub extra_info: Arc<str>,
    /// When it came into the list.
    pub created_at: UnixMillis,
}

/// Rooms that somebody left in this commit: over, unless somebody else is in them at its end.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeSet<u64>);

/// Moves the ledger on by one event.
pub(crate) fn follow(
    transaction: &Transaction<'_>,
    event: &Event,
    touched: &mut Touched,
) -> Result<(), StoreError> {
    let life = event.room_session.0;
    match &event.kind {
        EventKind::RoomCreate { .. } => {
            let mut statement = transaction.prepare_cached(
                "INSERT OR REPLACE INTO rooms
                     (room_session, app, room, created_ms, last_ms, user_sequence,
                      stream_sequence)
                 VALUES (?1, ?2, ?3, ?4, ?4, 0, 0)",
            )?;
            statement.execute(params![life, event.app.0, event.room.as_str(), event.at.0])?;
        }
        EventKind::RoomClose { .. } => {
            touched.0.insert(life);
        }
        EventKind::RoomLogin { user, .. } => {
            login(transaction, life, user)?;
            count_users(transaction, event, user)?;
        }
        EventKind::RoomLogout { user, .. } => {
            touched.0.insert(life);
            transaction
                .prepare_cached("DELETE FROM sessions WHERE session = ?")?
                .execute([user.session.0])?;
            count_users(transaction, event, user)?;
        }
        EventKind::StreamCreate { stream, .. } => {
            stream_created(transaction, life, event.app, stream)?;
            count_streams(transaction, event, stream)?;
        }
        EventKind::StreamClose { stream, .. } => {
            transaction
                .prepare_cached(
                    "UPDATE streams SET closed_ms = ? WHERE room_session = ? AND number = ?",
                )?
                .execute(params![event.at.0, life, stream.number.0])?;
            count_streams(transaction, event, stream)?;
        }
    }
    Ok(())
}

/// Takes out the rooms that nobody is in any more. A CloseRoom that asks for no callback makes no
/// room_close, so the last logout is what tells.
pub(crate) fn end_rooms(
    transaction: &Transaction<'_>,
    touched: &Touched,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM rooms WHERE room_session = ?1
         AND NOT EXISTS (SELECT 1 FROM sessions WHERE room_session = ?1)",
    )?;
    for life in &touched.0 {
        statement.execute([life])?;
    }
    Ok(())
}

/// Forgets streams that closed before `before`.
pub(crate) fn purge(
    transaction: &Transaction<'_>,
    before: UnixMillis,
    steps_max: u32,
) -> Result<u64, StoreError> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM streams WHERE (room_session, number) IN (
             SELECT room_session, number FROM streams
             WHERE closed_ms IS NOT NULL AND closed_ms < ? ORDER BY closed_ms LIMIT ?)",
    )?;
    Ok(statement.execute(params![before.0, steps_max])? as u64)
}

/// Everything that is open, rooms in the order in which they began.
pub(crate) fn open_rooms(connection: &Connection) -> Result<Vec<OpenRoom>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT app, room, room_session, created_ms, last_ms, user_sequence, stream_sequence
         FROM rooms ORDER BY created_ms, room_session",
    )?;
    let mut rows = statement.query([])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        let room_session: u64 = row.get(2)?;
        open.push(OpenRoom {
            app: AppId(row.get(0)?),
            room: id(row, 1, "room id", RoomId::parse)?,
            room_session: RoomSessionId(room_session),
            created_at: UnixMillis(row.get(3)?),
            last_at: UnixMillis(row.get(4)?),
            user_sequence: row.get(5)?,
            stream_sequence: row.get(6)?,
            sessions: sessions(connection, room_session)?,
            streams: streams(connection, room_session)?,
        });
    }
    Ok(open)
}

/// When the newest stream of this name came and, if it has closed, went.
pub(crate) fn stream_times(
    connection: &Connection,
    app: AppId,
    stream: &StreamId,
) -> Result<Option<(UnixMillis, Option<UnixMillis>)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT created_ms, closed_ms FROM streams WHERE app = ? AND stream = ?
         ORDER BY created_ms DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![app.0, stream.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let closed: Option<u64> = row.get(1)?;
    Ok(Some((UnixMillis(row.get(0)?), closed.map(UnixMillis))))
}

fn login(transaction: &Transaction<'_>, life: u64, user: &UserFacts) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO sessions (session, room_session, user, name, login_ms)
         VALUES (?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        user.session.0,
        life,
        user.user.as_str(),
        user.name.as_str(),
        user.login_at.0,
    ])?;
    Ok(())
}

fn stream_created(
    transaction: &Transaction<'_>,
    life: u64,
    app: AppId,
    stream: &StreamFacts,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO streams
             (room_session, number, app, stream, user, user_name, title, extra_info, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        life,
        stream.number.0,
        app.0,
        stream.stream.as_str(),
        stream.user.as_str(),
        stream.user_name.as_str(),
        &*stream.title,
        &*stream.extra_info,
        stream.created_at.0,
    ])?;
    Ok(())
}

fn count_users(
    transaction: &Transaction<'_>,
    event: &Event,
    user: &UserFacts,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE rooms SET user_sequence = ?, last_ms = ? WHERE room_session = ?")?
        .execute(params![user.user_sequence, event.at.0, event.room_session.0])?;
    Ok(())
}

fn count_streams(
    transaction: &Transaction<'_>,
    event: &Event,
    stream: &StreamFacts,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE rooms SET stream_sequence = ?, last_ms = ? WHERE room_session = ?")?
        .execute(params![stream.stream_sequence, event.at.0, event.room_session.0])?;
    Ok(())
}

fn sessions(connection: &Connection, life: u64) -> Result<Vec<OpenSession>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT session, user, name, login_ms FROM sessions WHERE room_session = ?
         ORDER BY session",
    )?;
    let mut rows = statement.query([life])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        sessions.push(OpenSession {
            session: SessionId(row.get(0)?),
            user: id(row, 1, "user id", UserId::parse)?,
            name: id(row, 2, "user name", UserName::parse)?,
            login_at: UnixMillis(row.get(3)?),
        });
    }
    Ok(sessions)
}

fn streams(connection: &Connection, life: u64) -> Result<Vec<OpenStream>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT stream, number, user, user_name, title, extra_info, created_ms FROM streams
         WHERE room_session = ? AND closed_ms IS NULL ORDER BY number",
    )?;
    let mut rows = statement.query([life])?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next()? {
        streams.push(OpenStream {
            stream: id(row, 0, "stream id", StreamId::parse)?,
            number: StreamNumberId(row.get(1)?),
            user: id(row, 2, "user id", UserId::parse)?,
            user_name: id(row, 3, "user name", UserName::parse)?,
            title: row.get(4)?,
            extra_info: row.get(5)?,
            created_at: UnixMillis(row.get(6)?),
        });
    }
    Ok(streams)
}

/// Reads an identifier of a column.
pub(crate) fn id<T>(
    row: &Row<'_>,
    column: usize,
    what: &'static str,
    parse: fn(&str) -> Result<T, IdError>,
) -> Result<T, StoreError> {
    let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    parse(text).map_err(|_| StoreError::Unknown { what, value: text.to_owned() })
}
