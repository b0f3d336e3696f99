//! Group commit, the spill and refusals.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use odeum_callback::{Recordable, Recorder, RetryPlan, Settings};
use odeum_node::{NotRecorded, Record};
use odeum_room::RuleChange;
use odeum_store::{CallbackNumber, CallbackState, Change, Finished, Round};
use odeum_types::StreamId;

use crate::scene::*;

/// What was said to whom, in order.
type Said = Rc<RefCell<Vec<(u32, Result<(), NotRecorded>)>>>;

struct Item {
    name: u32,
    record: Record,
    said: Said,
}

impl Recordable for Item {
    fn record(&self) -> &Record {
        &self.record
    }

    fn acknowledge(&mut self, outcome: Result<(), NotRecorded>) {
        self.said.borrow_mut().push((self.name, outcome));
    }
}

fn events(name: u32, said: &Said) -> Item {
    Item { name, record: Record::Events(visit("a", 1, 1)), said: Rc::clone(said) }
}

fn rule(name: u32, said: &Said) -> Item {
    let change = RuleChange::ForbidStreams(vec![StreamId::parse("cam").unwrap()]);
    Item { name, record: Record::Rule { app: APP, change }, said: Rc::clone(said) }
}

fn wanted() -> Settings {
    settings(&[(APP, "http://a/")], RetryPlan::Long)
}

#[test]
fn what_waits_is_one_group_and_each_is_told_when_it_is_stored() {
    let said = Said::default();
    let mut recorder = Recorder::default();
    recorder.handle_entry(events(1, &said));
    recorder.handle_entry(rule(2, &said));
    let group = recorder.poll_group(START, &wanted()).unwrap();
    assert_eq!(group.changes.len(), 9, "four events, their callbacks, and a rule");
    assert!(said.borrow().is_empty(), "nobody is told before");
    let recorded = recorder.stored(group, (10..14).map(CallbackNumber).collect());
    assert_eq!(*said.borrow(), [(1, Ok(())), (2, Ok(()))]);
    let numbers: Vec<u64> = recorded.iter().map(|one| one.callback.number.0).collect();
    assert_eq!(numbers, [10, 11, 12, 13]);
    assert_eq!(&*recorded[0].callback.event, "room_create");
    assert!(recorder.poll_group(START, &wanted()).is_none());
}

#[test]
fn an_app_without_callbacks_still_has_its_ledger() {
    let said = Said::default();
    let mut recorder = Recorder::default();
    recorder.handle_entry(events(1, &said));
    let group = recorder.poll_group(START, &Settings::default()).unwrap();
    assert!(group.changes.iter().all(|change| matches!(change, Change::Happened(_))));
}

#[test]
fn while_the_store_is_away_events_are_held_and_rules_refused() {
    let said = Said::default();
    let mut recorder = Recorder::default();
    recorder.handle_entry(events(1, &said));
    recorder.handle_entry(rule(2, &said));
    assert!(recorder.poll_group(START, &wanted()).is_some());
    recorder.not_stored(START);
    assert_eq!(*said.borrow(), [(1, Ok(())), (2, Err(NotRecorded))]);
    recorder.handle_entry(events(3, &said));
    recorder.handle_entry(rule(4, &said));
    assert_eq!(said.borrow()[2..], [(3, Ok(())), (4, Err(NotRecorded))], "told at once");
    assert_eq!(recorder.waiting(), 2);
    // The waits double up to a bound.
    let mut now = START;
    let mut waits = Vec::new();
    for _ in 0..8 {
        let at = recorder.poll_timeout().unwrap();
        waits.push(at.since(now).as_millis());
        assert!(recorder.poll_group(now, &wanted()).is_none(), "the store is left alone");
        now = at;
        assert!(recorder.poll_group(now, &wanted()).is_some());
        recorder.not_stored(now);
    }
    assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    // Back again: the spill first, in order.
    now = now.after(Duration::from_secs(5));
    recorder.handle_entry(events(5, &said));
    let group = recorder.poll_group(now, &wanted()).unwrap();
    assert_eq!(recorder.stored(group, (1..13).map(CallbackNumber).collect()).len(), 12);
    assert_eq!((recorder.waiting(), recorder.poll_timeout()), (0, None));
}

#[test]
fn of_a_callbacks_progress_the_newest_is_stored() {
    let mut recorder: Recorder<Item> = Recorder::default();
    let finished = |attempts| {
        Change::Finished(Finished {
            number: CallbackNumber(1),
            round: Round::FIRST,
            state: CallbackState::Delivered,
            attempts,
            outcome: "200".into(),
            at: START,
        })
    };
    recorder.handle_progress(vec![finished(1)]);
    recorder.handle_progress(vec![finished(2)]);
    let group = recorder.poll_group(START, &wanted()).unwrap();
    assert_eq!(group.changes, [finished(2)]);
    recorder.not_stored(START);
    assert!(!recorder.is_empty(), "kept for the next time");
}
