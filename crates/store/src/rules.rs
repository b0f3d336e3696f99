//! The rules of apps, as rows; where they hold is `odeum_room::App`'s.

use std::net::IpAddr;

use odeum_room::{CutMedia, RuleChange, StreamRule, UserPrivileges, UserRule, UserRuleKey};
use odeum_types::{AppId, RoomId, StreamId, UnixMillis, UserId};
use rusqlite::{Connection, Row, Transaction, params};

use crate::error::StoreError;
use crate::ledger::id;

/// Forbidden streams that one change names at most when they are read back.
const STREAMS_PER_CHANGE: usize = 1_000;

/// A user rule's key as columns.
struct Key<'a> {
    kind: i64,
    ip: String,
    room: &'a str,
    user: &'a str,
}

impl<'a> From<&'a UserRuleKey> for Key<'a> {
    fn from(key: &'a UserRuleKey) -> Self {
        let (kind, ip, room, user) = match key {
            UserRuleKey::Ip(ip) => (1, ip.to_string(), "", ""),
            UserRuleKey::Room(room) => (2, String::new(), room.as_str(), ""),
            UserRuleKey::User(user) => (3, String::new(), "", user.as_str()),
            UserRuleKey::RoomUser(room, user) => (4, String::new(), room.as_str(), user.as_str()),
        };
        Self { kind, ip, room, user }
    }
}

pub(crate) fn apply(
    transaction: &Transaction<'_>,
    app: AppId,
    change: &RuleChange,
) -> Result<(), StoreError> {
    match change {
        RuleChange::SetUserRule(rule) => set_user_rule(transaction, app, rule)?,
        RuleChange::DeleteUserRule(key) => {
            let Key { kind, ip, room, user } = key.into();
            transaction
                .prepare_cached(
                    "DELETE FROM user_rules
                     WHERE app = ? AND kind = ? AND ip = ? AND room = ? AND user = ?",
                )?
                .execute(params![app.0, kind, ip, room, user])?;
        }
        RuleChange::SetStreamRule(rule) => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO stream_rules VALUES (?, ?, ?, ?, ?, ?)")?
                .execute(params![
                    app.0,
                    rule.room.as_str(),
                    rule.stream.as_str(),
                    cut_to_sql(rule.cut),
                    rule.created_at.0,
                    rule.expires_at.0,
                ])?;
        }
        RuleChange::DeleteStreamRule { room, stream } => {
            transaction
                .prepare_cached(
                    "DELETE FROM stream_rules WHERE app = ? AND room = ? AND stream = ?",
                )?
                .execute(params![app.0, room.as_str(), stream.as_str()])?;
        }
        RuleChange::ForbidStreams(streams) => {
            let mut statement = transaction
                .prepare_cached("INSERT OR IGNORE INTO forbidden_streams VALUES (?, ?)")?;
            for stream in streams {
                statement.execute(params![app.0, stream.as_str()])?;
            }
        }
        RuleChange::ResumeStreams(streams) => {
            let mut statement = transaction
                .prepare_cached("DELETE FROM forbidden_streams WHERE app = ? AND stream = ?")?;
            for stream in streams {
                statement.execute(params![app.0, stream.as_str()])?;
            }
        }
    }
    Ok(())
}

/// Forgets at most `steps_max` rules of each kind that ended before `before`.
pub(crate) fn purge(
    transaction: &Transaction<'_>,
    before: UnixMillis,
    steps_max: u32,
) -> Result<u64, StoreError> {
    let mut gone = 0;
    for text in [
        "DELETE FROM user_rules WHERE (app, kind, ip, room, user) IN (
             SELECT app, kind, ip, room, user FROM user_rules WHERE expires_ms < ? LIMIT ?)",
        "DELETE FROM stream_rules WHERE (app, room, stream) IN (
             SELECT app, room, stream FROM stream_rules WHERE expires_ms < ? LIMIT ?)",
    ] {
        gone += transaction.prepare_cached(text)?.execute(params![before.0, steps_max])?;
    }
    Ok(gone as u64)
}

/// Every rule, as the changes that set it.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(AppId, RuleChange)>, StoreError> {
    let mut changes = Vec::new();
    let mut statement = connection.prepare(
        "SELECT app, kind, ip, room, user, privileges, expires_ms FROM user_rules
         ORDER BY app, kind, ip, room, user",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        changes.push((AppId(row.get(0)?), RuleChange::SetUserRule(user_rule(row)?)));
    }
    let mut statement = connection.prepare(
        "SELECT app, room, stream, cut, created_ms, expires_ms FROM stream_rules
         ORDER BY app, room, stream",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        changes.push((AppId(row.get(0)?), RuleChange::SetStreamRule(stream_rule(row)?)));
    }
    let mut statement =
        connection.prepare("SELECT app, stream FROM forbidden_streams ORDER BY app, stream")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (app, stream) = (AppId(row.get(0)?), id(row, 1, "stream id", StreamId::parse)?);
        match changes.last_mut() {
            Some((last, RuleChange::ForbidStreams(streams)))
                if *last == app && streams.len() < STREAMS_PER_CHANGE =>
            {
                streams.push(stream);
            }
            Some(_) | None => changes.push((app, RuleChange::ForbidStreams(vec![stream]))),
        }
    }
    Ok(changes)
}

fn set_user_rule(
    transaction: &Transaction<'_>,
    app: AppId,
    rule: &UserRule,
) -> Result<(), StoreError> {
    let Key { kind, ip, room, user } = (&rule.key).into();
    let privileges = match rule.disabled {
        UserPrivileges::Login => 1,
        UserPrivileges::Publish => 2,
        UserPrivileges::Both => 3,
    };
    transaction
        .prepare_cached("INSERT OR REPLACE INTO user_rules VALUES (?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![app.0, kind, ip, room, user, privileges, rule.expires_at.0])?;
    Ok(())
}

fn user_rule(row: &Row<'_>) -> Result<UserRule, StoreError> {
    let room = || id(row, 3, "room id", RoomId::parse);
    let user = || id(row, 4, "user id", UserId::parse);
    let key = match row.get(1)? {
        1_i64 => {
            let text: String = row.get(2)?;
            let ip: Result<IpAddr, _> = text.parse();
            UserRuleKey::Ip(ip.map_err(|_| StoreError::Unknown { what: "IP", value: text })?)
        }
        2 => UserRuleKey::Room(room()?),
        3 => UserRuleKey::User(user()?),
        4 => UserRuleKey::RoomUser(room()?, user()?),
        other => return Err(unknown("kind of rule", other)),
    };
    let disabled = match row.get(5)? {
        1_i64 => UserPrivileges::Login,
        2 => UserPrivileges::Publish,
        3 => UserPrivileges::Both,
        other => return Err(unknown("privilege", other)),
    };
    Ok(UserRule { key, disabled, expires_at: UnixMillis(row.get(6)?) })
}

fn stream_rule(row: &Row<'_>) -> Result<StreamRule, StoreError> {
    let cut = match row.get(3)? {
        1_i64 => CutMedia::Audio,
        2 => CutMedia::Video,
        3 => CutMedia::Both,
        other => return Err(unknown("kind of media", other)),
    };
    Ok(StreamRule {
        room: id(row, 1, "room id", RoomId::parse)?,
        stream: id(row, 2, "stream id", StreamId::parse)?,
        cut,
        created_at: UnixMillis(row.get(4)?),
        expires_at: UnixMillis(row.get(5)?),
    })
}

fn cut_to_sql(cut: CutMedia) -> i64 {
    match cut {
        CutMedia::Audio => 1,
        CutMedia::Video => 2,
        CutMedia::Both => 3,
    }
}

fn unknown(what: &'static str, value: i64) -> StoreError {
    StoreError::Unknown { what, value: value.to_string() }
}
