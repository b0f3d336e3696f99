//! A crash, and the closings of what it left open.

use std::sync::Arc;
use std::time::Duration;

use odeum_callback::{
    Dispatcher, Limits, RetryPlan, Settings, callback_of, closing_events, take_up,
};
use odeum_room::{EventKind, LeaveReason, RoomCloseReason};
use odeum_store::{Attempted, CallbackState, Change, Round, Store};
use odeum_types::UnixMillis;

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
    let mut set_back = open.clone();
    let events = closing_events(UnixMillis(START.0 - 5_000), set_back.remove(0));
    assert!(events.iter().all(|event| event.at == START), "nobody leaves before it came");
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

#[test]
fn a_clock_that_was_set_back_holds_up_no_callback() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let settings = settings(&[(APP, "http://a/")], RetryPlan::Long);
    let event = visit("a", 5, 9).remove(0);
    let callback = callback_of(&event, &settings).unwrap();
    let number = store.commit(&[Change::Enqueue(callback)]).unwrap()[0];
    let attempted = Attempted {
        number,
        round: Round::FIRST,
        state: CallbackState::Pending,
        attempts: 2,
        first_attempt_at: START,
        next_at: START.after(Duration::from_secs(4)),
        outcome: Arc::from("503"),
        at: START,
    };
    store.commit(&[Change::Attempted(attempted)]).unwrap();

    let an_hour_ago = UnixMillis(START.0 - 3_600_000);
    let mut dispatcher = Dispatcher::new(Limits::default(), Arc::new(settings));
    take_up(&store.reader().unwrap(), &mut dispatcher, an_hour_ago).unwrap();
    let after_its_gap = an_hour_ago.after(Duration::from_secs(4));
    assert_eq!(dispatcher.poll_timeout(), Some(after_its_gap));
}
