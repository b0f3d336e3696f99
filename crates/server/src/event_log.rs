//! What rooms report, as log lines: one per life-cycle change, with app, room, user and stream, and
//! the RequestId of the call that caused it.

use odeum_node::{EventBatch, EventReceiver};
use odeum_room::{Event, EventKind};
use tracing::{debug, info, info_span};

/// Writes and acknowledges events until the node is gone.
pub(crate) async fn run(mut events: EventReceiver) {
    while let Some(EventBatch { events, span, acknowledge }) = events.recv().await {
        span.in_scope(|| events.iter().for_each(write));
        if acknowledge.send(()).is_err() {
            debug!("nobody waited for these events");
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
