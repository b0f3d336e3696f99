//! The outbox: numbers, states, rounds, selections, and what purging leaves.

use std::sync::Arc;

use odeum_store::{
    Attempted, CallbackNumber, CallbackState, Change, Finished, Purge, Round, Selection, Store,
    Which,
};
use odeum_types::AppId;

use crate::scene::{APP, START, callback, enqueue, fresh, later, room, waiting};

fn finish(store: &mut Store, number: CallbackNumber, round: Round, state: CallbackState) {
    let outcome = Arc::from("200");
    let finished = Finished { number, round, state, attempts: 1, outcome, at: later(10) };
    store.commit(&[Change::Finished(finished)]).unwrap();
}

/// Forgets what ended before `ended_before_ms` after the beginning, and beyond the newest.
fn purge(store: &mut Store, ended_before_ms: u64, keep_max: u64, steps_max: u32) -> u64 {
    let ended_before = later(ended_before_ms);
    store.purge(&Purge { ended_before, keep_max, rules_before: START, steps_max }).unwrap()
}

/// The numbers that a selection finds.
fn select(store: &Store, selection: &Selection, which: Which) -> Vec<CallbackNumber> {
    let selected = store.reader().unwrap().select(selection, which).unwrap();
    assert!(!selected.more);
    selected.numbers
}

fn attempted(number: CallbackNumber, round: Round, state: CallbackState) -> Change {
    Change::Attempted(Attempted {
        number,
        round,
        state,
        attempts: 3,
        first_attempt_at: START,
        next_at: later(8_000),
        outcome: Arc::from("503"),
        at: later(20),
    })
}

#[test]
fn numbers_grow_and_never_come_again() {
    let (folder, mut store) = fresh();
    let first = store.commit(&[enqueue("a", "1"), enqueue("b", "2"), enqueue("a", "3")]).unwrap();
    assert!(first.is_sorted() && first.len() == 3);
    for number in &first {
        finish(&mut store, *number, Round::FIRST, CallbackState::Delivered);
    }
    assert_eq!(purge(&mut store, 1_000, 0, 100), 3);
    drop(store);
    let mut store = Store::open(folder.path()).unwrap();
    let second = store.commit(&[enqueue("a", "4")]).unwrap();
    assert!(second[0] > first[2], "{second:?} after {first:?}");
}

#[test]
fn what_waits_comes_in_pages_in_the_order_of_recording() {
    let (_folder, mut store) = fresh();
    let bodies: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    store.commit(&bodies.iter().map(|body| enqueue("r", body)).collect::<Vec<_>>()).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(waiting(&reader), bodies);
    let (mut after, mut found) = (CallbackNumber(0), Vec::new());
    loop {
        let page = reader.pending(after, 10).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 10);
        after = last.number;
        found.extend(page.iter().map(|each| reader.body(each.number).unwrap().unwrap()));
    }
    assert_eq!(found, bodies);
}

#[test]
fn an_attempt_is_remembered_until_the_end() {
    let (_folder, mut store) = fresh();
    let number = store.commit(&[enqueue("r", "body")]).unwrap()[0];
    store.commit(&[attempted(number, Round::FIRST, CallbackState::Late)]).unwrap();
    let reader = store.reader().unwrap();
    let waits = &reader.pending(CallbackNumber(0), 10).unwrap()[0];
    assert_eq!((waits.state, waits.attempts), (CallbackState::Late, 3));
    assert_eq!((waits.first_attempt_at, waits.next_at), (Some(START), Some(later(8_000))));
    finish(&mut store, number, Round::FIRST, CallbackState::Failed);
    assert_eq!(reader.pending(CallbackNumber(0), 10).unwrap(), []);
    let row = reader.callback(number).unwrap().unwrap();
    assert_eq!((row.state, row.next_at), (CallbackState::Failed, None));
    assert_eq!((row.outcome.as_deref(), row.changed_at), (Some("200"), later(10)));
    assert_eq!(&*row.body, "body");
    assert_eq!(reader.callback(CallbackNumber(number.0 + 1)).unwrap(), None);
}

#[test]
fn what_is_said_of_an_earlier_round_is_void() {
    let (_folder, mut store) = fresh();
    let number = store.commit(&[enqueue("r", "body")]).unwrap()[0];
    finish(&mut store, number, Round::FIRST, CallbackState::Failed);
    let ended = select(&store, &Selection::default(), Which::Ended);
    assert_eq!(ended, [number]);
    let replayed = store.replay(&ended, later(30)).unwrap();
    assert_eq!((replayed.len(), replayed[0].round), (1, Round(1)));
    let reader = store.reader().unwrap();
    store.commit(&[attempted(number, Round::FIRST, CallbackState::Late)]).unwrap();
    finish(&mut store, number, Round::FIRST, CallbackState::Dropped);
    assert_eq!(reader.pending(CallbackNumber(0), 10).unwrap(), replayed);
    finish(&mut store, number, Round(1), CallbackState::Delivered);
    assert_eq!(reader.callback(number).unwrap().unwrap().state, CallbackState::Delivered);
}

#[test]
fn a_selection_finds_what_all_of_it_holds_for() {
    let (_folder, mut store) = fresh();
    let mut other = callback("r", "other app");
    other.app = AppId(8);
    let mut create = callback("r", "other event");
    create.event = Arc::from("room_create");
    let mut earlier = callback("r", "earlier");
    earlier.at = odeum_types::UnixMillis(START.0 - 1);
    let all = [callback("r", "plain"), other, create, earlier, callback("s", "other room")];
    let numbers = store.commit(&all.map(Change::Enqueue)).unwrap();
    finish(&mut store, numbers[0], Round::FIRST, CallbackState::Delivered);

    let any = Selection::default();
    let reader = store.reader().unwrap();
    let find = |selection: Selection| -> Vec<String> {
        let rows = reader.history(&selection, None, 100).unwrap();
        rows.iter().map(|row| row.body.to_string()).collect()
    };
    let newest_first = ["other room", "earlier", "other event", "other app", "plain"];
    assert_eq!(find(any.clone()), newest_first);
    assert_eq!(find(Selection { app: Some(AppId(8)), ..any.clone() }), ["other app"]);
    assert_eq!(find(Selection { room: Some(room("s")), ..any.clone() }), ["other room"]);
    let event = Some("room_create".to_owned());
    assert_eq!(find(Selection { event, ..any.clone() }), ["other event"]);
    let state = Some(CallbackState::Delivered);
    assert_eq!(find(Selection { state, ..any.clone() }), ["plain"]);
    assert_eq!(find(Selection { until: Some(START), ..any.clone() }), ["earlier"]);
    let number = Some(numbers[2]);
    assert_eq!(find(Selection { number, ..any.clone() }), ["other event"]);
    let both = Selection { app: Some(APP), from: Some(START), room: Some(room("r")), ..any };
    assert_eq!(find(both), ["other event", "plain"]);
}

#[test]
fn the_history_goes_on_where_a_page_ended() {
    let (_folder, mut store) = fresh();
    let changes: Vec<Change> = (0..7).map(|number| enqueue("r", &number.to_string())).collect();
    store.commit(&changes).unwrap();
    let reader = store.reader().unwrap();
    let page = reader.history(&Selection::default(), None, 4).unwrap();
    let rest = reader.history(&Selection::default(), Some(page[3].number), 4).unwrap();
    let bodies: Vec<&str> = page.iter().chain(&rest).map(|row| &*row.body).collect();
    assert_eq!(bodies, ["6", "5", "4", "3", "2", "1", "0"]);
}

#[test]
fn what_is_given_up_no_longer_waits_and_may_be_replayed() {
    let (_folder, mut store) = fresh();
    let numbers = store.commit(&[enqueue("a", "1"), enqueue("b", "2")]).unwrap();
    let of_a = Selection { room: Some(room("a")), ..Selection::default() };
    let waits = select(&store, &of_a, Which::Waiting);
    let dropped = store.drop_waiting(&waits, "by an operator", later(40)).unwrap();
    assert_eq!(dropped, [numbers[0]]);
    assert_eq!(store.drop_waiting(&waits, "once more", later(45)).unwrap(), []);
    let reader = store.reader().unwrap();
    assert_eq!(waiting(&reader), ["2"]);
    let row = reader.callback(numbers[0]).unwrap().unwrap();
    assert_eq!(
        (row.state, row.outcome.as_deref()),
        (CallbackState::Dropped, Some("by an operator"))
    );
    // What waits is not replayed: it would be sent twice.
    assert_eq!(select(&store, &Selection::default(), Which::Ended), [numbers[0]]);
    assert_eq!(store.replay(&numbers, later(50)).unwrap().len(), 1);
    assert_eq!(waiting(&reader), ["1", "2"]);
}

#[test]
fn purging_leaves_what_waits_and_the_newest() {
    let (_folder, mut store) = fresh();
    let changes: Vec<Change> = (0..10).map(|number| enqueue("r", &number.to_string())).collect();
    let numbers = store.commit(&changes).unwrap();
    for number in &numbers[1..] {
        finish(&mut store, *number, Round::FIRST, CallbackState::Delivered);
    }
    // All ended at 10: nothing is older than that; beyond the newest 4 five have ended.
    assert_eq!(purge(&mut store, 10, 4, 2), 2, "no more than its steps");
    assert_eq!(purge(&mut store, 10, 4, 100), 3);
    let reader = store.reader().unwrap();
    let left = reader.history(&Selection::default(), None, 100).unwrap();
    let left: Vec<&str> = left.iter().map(|row| &*row.body).collect();
    assert_eq!(left, ["9", "8", "7", "6", "0"]);
    assert_eq!(purge(&mut store, 11, 4, 100), 4);
    assert_eq!(waiting(&reader), ["0"]);
}
