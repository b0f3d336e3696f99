//! Order, fairness, stepping aside, bounds: in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odeum_callback::{Attempt, CallbackEvent, Dispatcher, Limits, Outcome, RetryPlan};
use odeum_store::{CallbackNumber, CallbackState, Change, PendingCallback, Round};
use odeum_types::{AppId, UnixMillis};
use proptest::prelude::*;

use crate::scene::*;

const OTHER: AppId = AppId(8);

fn limits() -> Limits {
    Limits { attempts_per_receiver_max: 2, attempts_max: 3, ..Limits::default() }
}

fn dispatcher(limits: Limits, retry: RetryPlan) -> Dispatcher {
    let settings = settings(&[(APP, "http://a/"), (OTHER, "http://b/")], retry);
    Dispatcher::new(limits, Arc::new(settings))
}

/// Everything that may be tried now.
fn attempts(dispatcher: &mut Dispatcher, now: UnixMillis) -> Vec<Attempt> {
    let mut changes = Vec::new();
    let attempts = std::iter::from_fn(|| dispatcher.poll_attempt(now, &mut changes)).collect();
    assert_eq!(changes, []);
    attempts
}

fn numbers(attempts: &[Attempt]) -> Vec<u64> {
    attempts.iter().map(|attempt| attempt.number.0).collect()
}

fn ok() -> Outcome {
    Outcome::Delivered("200".into())
}

fn bad() -> Outcome {
    Outcome::Failed("500".into())
}

#[test]
fn callbacks_of_a_room_go_one_after_the_other_and_rooms_side_by_side() {
    let mut dispatcher = dispatcher(limits(), RetryPlan::Long);
    for (number, room) in [(1, "a"), (2, "a"), (3, "b")] {
        assert_eq!(dispatcher.enqueue(START, pending(number, APP, room)), []);
    }
    let first = attempts(&mut dispatcher, START);
    assert_eq!(numbers(&first), [1, 3]);
    let changes = dispatcher.handle_outcome(START, &first[0], ok());
    assert!(matches!(&changes[..], [Change::Finished(done)]
        if done.number == CallbackNumber(1) && done.state == CallbackState::Delivered));
    assert_eq!(numbers(&attempts(&mut dispatcher, START)), [2]);
}

#[test]
fn a_failed_one_holds_its_room_then_steps_aside_and_the_next_ones_go() {
    let mut dispatcher = dispatcher(limits(), RetryPlan::Long);
    dispatcher.enqueue(START, pending(1, APP, "a"));
    dispatcher.enqueue(START, pending(2, APP, "a"));
    let mut now = START;
    for attempt in 1..=6_u32 {
        let due = attempts(&mut dispatcher, now);
        assert_eq!(numbers(&due), [1], "attempt {attempt}");
        let changes = dispatcher.handle_outcome(now, &due[0], bad());
        let [Change::Attempted(tried)] = &changes[..] else { panic!("{changes:?}") };
        let state = if attempt < 6 { CallbackState::Pending } else { CallbackState::Late };
        assert_eq!((tried.attempts, tried.state), (attempt, state));
        if attempt < 6 {
            now = dispatcher.poll_timeout().unwrap();
        }
    }
    assert_eq!(now.since(START), Duration::from_secs(62));
    let next = attempts(&mut dispatcher, now);
    assert_eq!(numbers(&next), [2], "the room goes on");
    dispatcher.handle_outcome(now, &next[0], ok());
    let late = dispatcher.poll_timeout().unwrap();
    assert_eq!(late.since(now), Duration::from_secs(300));
    let due = attempts(&mut dispatcher, late);
    assert!(numbers(&due) == [1] && due[0].is_late);
    assert_eq!(dispatcher.backlog().late, 1);
    dispatcher.handle_outcome(late, &due[0], ok());
    assert_eq!(dispatcher.backlog().waiting, 0);
}

#[test]
fn a_receiver_that_hangs_takes_no_more_than_its_share() {
    let mut dispatcher = dispatcher(limits(), RetryPlan::Long);
    for number in 0..10 {
        dispatcher.enqueue(START, pending(number, APP, &format!("dead-{number}")));
    }
    assert_eq!(attempts(&mut dispatcher, START).len(), 2, "they hang");
    for number in 10..20 {
        dispatcher.enqueue(START, pending(number, OTHER, "live"));
    }
    for number in 10..20 {
        let due = attempts(&mut dispatcher, START);
        assert_eq!(numbers(&due), [number]);
        dispatcher.handle_outcome(START, &due[0], ok());
    }
}

/// A room's events may go to different receivers. One that hangs has no place for all rooms' first
/// events; the events behind them, for a receiver that lives, wait for the hold and no longer.
#[test]
fn a_hanging_receiver_holds_other_receivers_events_no_longer_than_the_hold() {
    let mut settings = settings(&[(APP, "http://live/")], RetryPlan::Long);
    let app = settings.apps.get_mut(&APP).unwrap();
    app.urls.insert(CallbackEvent::RoomCreate, Some("http://hangs/".into()));
    let mut dispatcher = Dispatcher::new(limits(), Arc::new(settings));
    let rooms = 40;
    for number in 0..rooms {
        let create = PendingCallback {
            event: Arc::from("room_create"),
            ..pending(2 * number, APP, &format!("r{number}"))
        };
        dispatcher.enqueue(START, create);
        dispatcher.enqueue(START, pending(2 * number + 1, APP, &format!("r{number}")));
    }
    let (mut now, mut heard, mut stepped_aside) = (START, 0, 0);
    let mut hanging: Vec<(UnixMillis, Attempt)> = Vec::new();
    while heard < rooms {
        let mut changes = Vec::new();
        while let Some(attempt) = dispatcher.poll_attempt(now, &mut changes) {
            match &*attempt.url {
                "http://live/" => {
                    heard += 1;
                    dispatcher.handle_outcome(now, &attempt, ok());
                }
                _ => hanging.push((now.after(Duration::from_secs(5)), attempt)),
            }
        }
        stepped_aside += changes.len();
        now = now.after(Duration::from_secs(1));
        for (_, attempt) in hanging.extract_if(.., |(ends, _)| *ends <= now) {
            dispatcher.handle_outcome(now, &attempt, bad());
        }
        assert!(now.since(START) < Duration::from_secs(110), "only {heard} of {rooms} were heard");
    }
    assert!(stepped_aside > 0 && now.since(START) >= Duration::from_secs(95), "at once: {now:?}");
}

#[test]
fn a_slow_receiver_keeps_its_order_however_long_its_queue_is() {
    let mut dispatcher = dispatcher(limits(), RetryPlan::Long);
    for number in 0..200 {
        dispatcher.enqueue(START, pending(number, APP, &format!("r{}", number % 100)));
    }
    let mut now = START;
    for _ in 0..200 {
        let due = attempts(&mut dispatcher, now);
        now = now.after(Duration::from_secs(5));
        for attempt in due {
            assert!(!attempt.is_late, "{attempt:?}");
            dispatcher.handle_outcome(now, &attempt, ok());
        }
    }
    assert_eq!(dispatcher.backlog().waiting, 0);
}

#[test]
fn beyond_the_bound_the_oldest_of_the_largest_backlog_are_given_up() {
    let limits = Limits { backlog_events_max: 5, attempts_per_receiver_max: 1, ..limits() };
    let mut dispatcher = dispatcher(limits, RetryPlan::Long);
    for number in 0..4 {
        assert_eq!(dispatcher.enqueue(START, pending(number, APP, "a")), []);
    }
    assert_eq!(dispatcher.enqueue(START, pending(4, OTHER, "b")), []);
    let hanging = attempts(&mut dispatcher, START);
    assert_eq!(numbers(&hanging), [0, 4]);
    let changes = dispatcher.enqueue(START, pending(5, OTHER, "b"));
    let [Change::Finished(gone)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((gone.number.0, gone.state), (0, CallbackState::Dropped));
    assert_eq!(dispatcher.handle_outcome(START, &hanging[0], ok()), [], "too late to matter");
    assert_eq!(numbers(&attempts(&mut dispatcher, START)), [1]);
}

#[test]
fn what_is_replayed_does_not_hold_up_the_present_and_keeps_its_order() {
    let mut dispatcher = dispatcher(Limits::default(), RetryPlan::Long);
    for number in [3, 4] {
        let mut replayed = pending(number, APP, "a");
        replayed.round = Round(1);
        dispatcher.enqueue(START, replayed);
    }
    dispatcher.enqueue(START, pending(9, APP, "a"));
    let due = attempts(&mut dispatcher, START);
    assert_eq!(numbers(&due), [3, 9]);
    dispatcher.handle_outcome(START, &due[0], ok());
    assert_eq!(numbers(&attempts(&mut dispatcher, START)), [4]);
}

#[test]
fn a_callback_whose_url_is_gone_is_given_up_and_a_new_url_is_taken() {
    let mut dispatcher = dispatcher(Limits::default(), RetryPlan::Long);
    dispatcher.enqueue(START, pending(1, APP, "a"));
    dispatcher.enqueue(START, pending(2, OTHER, "b"));
    let moved = settings(&[(APP, "http://moved/")], RetryPlan::Long);
    dispatcher.update_settings(Arc::new(moved));
    let mut changes = Vec::new();
    let attempt = dispatcher.poll_attempt(START, &mut changes).unwrap();
    assert_eq!(&*attempt.url, "http://moved/");
    assert_eq!(dispatcher.poll_attempt(START, &mut changes), None);
    assert!(matches!(&changes[..], [Change::Finished(gone)]
        if gone.number.0 == 2 && gone.state == CallbackState::Dropped));
    dispatcher.handle_outcome(START, &attempt, ok());
    assert_eq!(dispatcher.backlog(), Default::default());
}

#[test]
fn one_that_was_dropped_in_the_store_is_forgotten_wherever_it_is() {
    let mut dispatcher = dispatcher(limits(), RetryPlan::Long);
    for (number, room) in [(1, "a"), (2, "a"), (3, "b"), (4, "c")] {
        dispatcher.enqueue(START, pending(number, APP, room));
    }
    let due = attempts(&mut dispatcher, START);
    assert_eq!(numbers(&due), [1, 3], "4 waits for the receiver, 2 behind 1");
    let all = [1, 2, 3, 4].map(CallbackNumber);
    assert_eq!(dispatcher.drop_callbacks(START, &all), []);
    assert_eq!(attempts(&mut dispatcher, START), []);
    for attempt in &due {
        assert_eq!(dispatcher.handle_outcome(START, attempt, bad()), []);
    }
    assert_eq!(dispatcher.backlog(), Default::default());
    assert_eq!(dispatcher.poll_timeout(), None);
}

proptest! {
    /// Whatever receivers answer: the first deliveries of a room come in order but for those that
    /// stepped aside, everything ends, and no room waits longer than the hold for one callback.
    #[test]
    fn order_holds_and_everything_ends(
        rooms in prop::collection::vec(0..3_u8, 1..40),
        answers in prop::collection::vec(0..4_u8, 1..200),
        plan in prop::sample::select(vec![RetryPlan::Long, RetryPlan::Vendor]),
    ) {
        let mut dispatcher = dispatcher(limits(), plan);
        for (number, room) in (0..).zip(&rooms) {
            let app = if *room == 0 { APP } else { OTHER };
            dispatcher.enqueue(START, pending(number, app, &format!("room-{room}")));
        }
        let mut now = START;
        let mut answers = answers.into_iter();
        let mut delivered: BTreeMap<u8, Vec<u64>> = BTreeMap::new();
        let mut became_first: BTreeMap<u64, UnixMillis> = BTreeMap::new();
        for _ in 0..5_000 {
            let due = attempts(&mut dispatcher, now);
            prop_assert!(due.len() <= 3);
            let mut busy: Vec<u8> = Vec::new();
            for attempt in &due {
                let room = rooms[attempt.number.0 as usize];
                if !attempt.is_late {
                    prop_assert!(!busy.contains(&room), "two of one room at once");
                    busy.push(room);
                    let first = *became_first.entry(attempt.number.0).or_insert(now);
                    prop_assert!(now.since(first) <= Limits::default().hold);
                }
                // Answers that run out are good ones, so that everything ends.
                let is_good = answers.next().is_none_or(|answer| answer == 0);
                if is_good && !attempt.is_late {
                    delivered.entry(room).or_default().push(attempt.number.0);
                }
                let outcome = if is_good { ok() } else { bad() };
                dispatcher.handle_outcome(now, attempt, outcome);
            }
            match dispatcher.poll_timeout() {
                _ if !due.is_empty() => {}
                Some(at) => now = at,
                None => break,
            }
        }
        prop_assert_eq!(dispatcher.backlog(), Default::default());
        for (room, order) in delivered {
            prop_assert!(order.is_sorted(), "room {}: {:?}", room, order);
        }
    }
}
