//! What the tests make again and again: identifiers, callbacks, events.

use std::sync::Arc;

use odeum_room::{Event, EventKind};
use odeum_store::{CallbackNumber, Change, NewCallback, Reader, Store};
use odeum_types::{AppId, RoomId, RoomSessionId, StreamId, UnixMillis, UserId};
use tempfile::TempDir;

pub(crate) const APP: AppId = AppId(7);
pub(crate) const START: UnixMillis = UnixMillis(1_795_400_000_000);

/// An empty store in a folder that goes with the test.
pub(crate) fn fresh() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

pub(crate) fn room(text: &str) -> RoomId {
    RoomId::parse(text).unwrap()
}

pub(crate) fn stream(text: &str) -> StreamId {
    StreamId::parse(text).unwrap()
}

pub(crate) fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

/// `milliseconds` after the tests' beginning.
pub(crate) fn later(milliseconds: u64) -> UnixMillis {
    UnixMillis(START.0 + milliseconds)
}

/// A callback of `room_id` with a body.
pub(crate) fn callback(room_id: &str, body: &str) -> NewCallback {
    NewCallback {
        app: APP,
        room: room(room_id),
        event: Arc::from("room_login"),
        at: START,
        body: Arc::from(body),
    }
}

/// The change that enqueues it.
pub(crate) fn enqueue(room_id: &str, body: &str) -> Change {
    Change::Enqueue(callback(room_id, body))
}

/// Something that happened in the life `life` of `room_id`.
pub(crate) fn happened(room_id: &str, life: u64, at: UnixMillis, kind: EventKind) -> Change {
    let room_session = RoomSessionId(life);
    Change::Happened(Event { app: APP, room: room(room_id), room_session, at, kind })
}

/// The bodies that wait, in order.
pub(crate) fn waiting(reader: &Reader) -> Vec<String> {
    let pending = reader.pending(CallbackNumber(0), u32::MAX).unwrap();
    pending.iter().map(|each| reader.body(each.number).unwrap().unwrap()).collect()
}
