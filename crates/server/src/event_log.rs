//! What rooms report, as log lines: one per life-cycle change, with app, room, user and stream, and
//! the RequestId of the call that caused it.

use odeum_callback::Callbacks;
use odeum_node::{Entry, JournalReceiver, Record};
use odeum_room::{Event, EventKind, RuleChange, StreamRule, UserRule, UserRuleKey};
use odeum_types::{AppId, Redacted};
use tracing::{info, info_span};

/// Writes what the node reports into the log and hands it on to be stored, until the node is gone.
pub(crate) async fn run(mut journal: JournalReceiver, callbacks: Callbacks) {
    while let Some(entry) = journal.recv().await {
        log(&entry);
        callbacks.record(entry);
    }
}

/// Writes the events of an entry.
fn log(entry: &Entry) {
    match &entry.record {
        Record::Events(events) => entry.span.in_scope(|| events.iter().for_each(write)),
        Record::Rule { app, change } => {
            entry.span.in_scope(|| write_rule(*app, change));
        }
    }
}

/// Writes a change of the rules; it is stored after this, and that may yet fail.
fn write_rule(app: AppId, change: &RuleChange) {
    let _in_app = info_span!("rule", %app).entered();
    match change {
        RuleChange::SetUserRule(UserRule { key, disabled, expires_at }) => {
            let about = about(key);
            info!(%about, ?disabled, until_ms = expires_at.0, "user rule asked for");
        }
        RuleChange::DeleteUserRule(key) => {
            info!(about = %about(key), "end of a user rule asked for");
        }
        RuleChange::SetStreamRule(StreamRule { room, stream, cut, expires_at, .. }) => {
            info!(%room, %stream, ?cut, until_ms = expires_at.0, "stream rule asked for");
        }
        RuleChange::DeleteStreamRule { room, stream } => {
            info!(%room, %stream, "end of a stream rule asked for");
        }
        RuleChange::ForbidStreams(streams) => info!(?streams, "forbidding of streams asked for"),
        RuleChange::ResumeStreams(streams) => info!(?streams, "resuming of streams asked for"),
    }
}

/// Whom a user rule is about, without the address.
fn about(key: &UserRuleKey) -> String {
    match key {
        UserRuleKey::Ip(address) => format!("address {}", Redacted::new(address)),
        UserRuleKey::Room(room) => format!("room {room}"),
        UserRuleKey::User(user) => format!("user {user}"),
        UserRuleKey::RoomUser(room, user) => format!("user {user} in room {room}"),
    }
}

fn write(event: &Event) {
    let Event { app, room, room_session, kind, .. } = event;
    let _in_room = info_span!("event", %app, %room, %room_session).entered();
    match kind {
        EventKind::RoomCreate { creator } => info!(user = %creator, "room created"),
        EventKind::RoomClose { reason } => info!(?reason, "room closed"),
        EventKind::RoomLogin { user, relogin, .. } => {
            info!(user = %user.user, session = %user.session, ?relogin, "user logged in");
        }
        EventKind::RoomLogout { user, reason } => {
            info!(user = %user.user, session = %user.session, ?reason, "user logged out");
        }
        EventKind::StreamCreate { stream, video, .. } => {
            info!(user = %stream.user, stream = %stream.stream, ?video, "stream created");
        }
        EventKind::StreamClose { stream, reason } => {
            info!(user = %stream.user, stream = %stream.stream, ?reason, "stream closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use odeum_room::UserPrivileges;
    use odeum_types::{RoomId, UnixMillis, UserId};

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(change: &RuleChange) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || write_rule(AppId(7), change));
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_rule_is_logged_as_asked_for_and_without_its_address() {
        for address in ["203.0.113.9", "2001:db8::9"] {
            let key = UserRuleKey::Ip(address.parse().unwrap());
            let disabled = UserPrivileges::Login;
            let rule = UserRule { key: key.clone(), disabled, expires_at: UnixMillis(60_000) };
            for change in [RuleChange::SetUserRule(rule), RuleChange::DeleteUserRule(key)] {
                let line = logged(&change);
                assert!(line.contains("asked for") && line.contains("app=7"), "{line}");
                assert!(line.contains("[redacted]") && !line.contains(address), "{line}");
            }
        }
        let (room, user) = (RoomId::parse("lobby").unwrap(), UserId::parse("ann").unwrap());
        let line = logged(&RuleChange::DeleteUserRule(UserRuleKey::RoomUser(room, user)));
        assert!(line.contains("user ann in room lobby"), "{line}");
    }
}
