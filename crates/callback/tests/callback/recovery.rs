//! A crash, and the closings of what it left open.

use odeum_callback::{RetryPlan, Settings, callback_of, closing_events};
use odeum_room::{EventKind, LeaveReason, RoomCloseReason};
use odeum_store::{Change, Store};

use crate::scene::*;

#[test]
fn what_the_ledger_shows_as_open_is_closed_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let came = visit("a", 5, 9).into_iter().take(2).map(Change::Happened).collect::<Vec<_>>();
    store.commit(&came).unwrap();
    store.commit(&visit("b", 6, 10).into_iter().map(Change::Happened).collect::<Vec<_>>()).unwrap();
    drop(store);

    let mut store = Store::open(folder.path()).unwrap();
    let mut open = store.reader().unwrap().open_rooms().unwrap();
    assert_eq!(open.len(), 1, "room b was left in order");
    let events = closing_events(START, open.remove(0));
    let [logout, close] = &events[..] else { panic!("{events:?}") };
    assert!(matches!(&logout.kind, EventKind::RoomLogout { user, reason }
        if user.user_sequence == 2 && *reason == LeaveReason::ServerClosing));
    assert_eq!(close.kind, EventKind::RoomClose { reason: RoomCloseReason::ServerClosing });
    let settings = settings(&[(APP, "http://a/")], RetryPlan::Long);
    let body = callback_of(close, &settings).unwrap().body;
    assert!(
        body.contains("\"close_reason\":2") && body.contains("\"room_session_id\":5"),
        "{body}"
    );
    assert_eq!(callback_of(close, &Settings::default()), None);
    store.commit(&events.into_iter().map(Change::Happened).collect::<Vec<_>>()).unwrap();
    assert_eq!(store.reader().unwrap().open_rooms().unwrap(), []);
}
