//! What a start finds in the store: after a crash what the ledger shows as open, which is closed
//! (rulings 20 and 27; clients log in anew by themselves), and callbacks that wait.

use odeum_room::{
    Event, EventKind, LeaveReason, RoomCloseReason, StreamCloseReason, StreamFacts, UserFacts,
};
use odeum_store::{CallbackNumber, Change, OpenRoom, Reader, Store, StoreError};
use odeum_types::UnixMillis;
use tracing::{info, warn};

use crate::dispatcher::Dispatcher;
use crate::recorder::{Recorded, callback_of};
use crate::retry::gap_after;
use crate::settings::Settings;

/// Rooms whose closings are stored in one commit.
const ROOMS_PER_COMMIT: usize = 500;

/// Callbacks read at once.
const CALLBACKS_PER_PAGE: u32 = 10_000;

/// Stores the closings of what the ledger shows as open, adds their callbacks to `recorded`, and
/// returns of how many rooms. To be called before anything of this start is stored: what it closes
/// must not be what has just been opened.
///
/// # Errors
/// [`StoreError`]; what is closed by then stays closed, and the next call does the rest.
pub fn close_open_rooms(
    store: &mut Store,
    settings: &Settings,
    now: UnixMillis,
    recorded: &mut Vec<Recorded>,
) -> Result<usize, StoreError> {
    let open = store.reader()?.open_rooms()?;
    let rooms = open.len();
    let mut open = open.into_iter().peekable();
    while open.peek().is_some() {
        let (mut changes, mut callbacks) = (Vec::new(), Vec::new());
        for room in open.by_ref().take(ROOMS_PER_COMMIT) {
            for event in closing_events(now, room) {
                if let Some(callback) = callback_of(&event, settings) {
                    changes.push(Change::Enqueue(callback.clone()));
                    callbacks.push(callback);
                }
                changes.push(Change::Happened(event));
            }
        }
        let numbers = store.commit(&changes)?;
        let new = callbacks.into_iter().zip(numbers);
        recorded.extend(new.map(|(callback, number)| Recorded::new(callback, number)));
    }
    Ok(rooms)
}

/// Closes what the last start left open; false when the writer has to try that again.
pub(crate) fn close_left_open(
    store: &mut Store,
    settings: &Settings,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    // What is recorded is taken up with all that waits.
    match close_open_rooms(store, settings, now, &mut Vec::new()) {
        Ok(rooms) => {
            say_closed(rooms);
            Ok(true)
        }
        // A full disk, for example: rooms begin all the same.
        Err(error) if error.is_transient() => {
            warn!(%error, "what the last start left open is closed once the store can be written");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Tells the operator.
pub(crate) fn say_closed(rooms: usize) {
    if rooms > 0 {
        info!(rooms, "the server did not end in order: what was open is closed now");
    }
}

/// Hands the callbacks that wait in the store to a dispatcher. Returns what is to be stored about
/// them.
///
/// # Errors
/// [`StoreError`].
pub fn take_up(
    reader: &Reader,
    dispatcher: &mut Dispatcher,
    now: UnixMillis,
) -> Result<Vec<Change>, StoreError> {
    let mut progress = Vec::new();
    let mut after = CallbackNumber(0);
    loop {
        let page = reader.pending(after, CALLBACKS_PER_PAGE)?;
        let Some(last) = page.last() else { return Ok(progress) };
        after = last.number;
        for mut callback in page {
            // The clock may have been set back since: nothing waits for longer than its plan says.
            let latest = now.after(gap_after(callback.attempts));
            callback.next_at = callback.next_at.map(|at| at.min(latest));
            callback.first_attempt_at = callback.first_attempt_at.map(|at| at.min(now));
            progress.append(&mut dispatcher.enqueue(now, callback));
        }
    }
}

/// The last events of a room that the server's end took away, in order: each stream, each user, the
/// room. The counters go on from the last event that was recorded, and so does the time: a clock
/// that was set back meanwhile does not let a user leave before it came.
pub fn closing_events(now: UnixMillis, room: OpenRoom) -> Vec<Event> {
    let OpenRoom { app, room: id, room_session, last_at, sessions, streams, .. } = room;
    let at = now.max(last_at);
    let mut kinds = Vec::with_capacity(streams.len() + sessions.len() + 1);
    for (stream, stream_sequence) in streams.into_iter().zip(room.stream_sequence + 1..) {
        let stream = StreamFacts {
            stream: stream.stream,
            number: stream.number,
            user: stream.user,
            user_name: stream.user_name,
            title: stream.title,
            extra_info: stream.extra_info,
            created_at: stream.created_at,
            stream_sequence,
        };
        kinds.push(EventKind::StreamClose { stream, reason: StreamCloseReason::ServerClosing });
    }
    for (session, user_sequence) in sessions.into_iter().zip(room.user_sequence + 1..) {
        let user = UserFacts {
            user: session.user,
            name: session.name,
            session: session.session,
            login_at: session.login_at,
            user_sequence,
        };
        kinds.push(EventKind::RoomLogout { user, reason: LeaveReason::ServerClosing });
    }
    kinds.push(EventKind::RoomClose { reason: RoomCloseReason::ServerClosing });
    let event = |kind| Event { app, room: id.clone(), room_session, at, kind };
    kinds.into_iter().map(event).collect()
}
