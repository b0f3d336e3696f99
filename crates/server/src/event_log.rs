//! What rooms report, as log lines: one per life-cycle change, with app, room, user and stream, and
//! the RequestId of the call that caused it.

use odeum_callback::Callbacks;
use odeum_node::{Entry, JournalReceiver, Record};
use odeum_room::{Event, EventKind};
use tracing::{error, info, info_span};

/// Writes what the node reports into the log and hands it on to be stored, until the node is gone.
pub(crate) async fn run(mut journal: JournalReceiver, callbacks: Callbacks) {
    while let Some(entry) = journal.recv().await {
        log(&entry);
        if callbacks.record(entry).is_err() {
            // Without a receiver the node refuses whatever would have to be stored, and says that
            // it is not healthy.
            error!(
                "the store's thread is gone: nothing can be stored any more, restart the server"
            );
            return;
        }
    }
}

/// Writes the events of an entry.
fn log(entry: &Entry) {
    match &entry.record {
        Record::Events(events) => entry.span.in_scope(|| events.iter().for_each(write)),
        Record::Rule { app, change } => {
            entry.span.in_scope(|| info!(%app, ?change, "a rule changes"));
        }
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
