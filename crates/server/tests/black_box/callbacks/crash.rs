//! `kill -9` in the middle of thousands of events: nothing that anybody was told of is lost, each
//! room's events are in order, repetitions are known by their id.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::receiver::{Receiver, histories, is_whole};
use super::{login, to};
use crate::process::Server;

/// Six events each: create, two logins, two logouts, close.
const ROOMS: usize = 1_700;

/// Rooms that are filled and emptied at the same time.
const AT_ONCE: usize = 24;

/// Rooms that have been begun when the server is killed: another number each time.
const KILLED_AFTER: Range<usize> = 400..1_200;

/// Longest wait for the last callback.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the server has told its clients: how many logins of each room it has confirmed.
type Confirmed = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Fills and empties rooms until there are none left or the server is gone.
async fn visit_rooms(url: String, next: Arc<AtomicUsize>, end: usize, confirmed: Confirmed) {
    let confirm = |room: &str, what: String| {
        let mut confirmed = confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.entry(room.to_owned()).or_default().push(what);
    };
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return;
        }
        let room = format!("room-{number}");
        let (ann, bob) = (format!("ann-{number}"), format!("bob-{number}"));
        let Ok(first) = login(&url, &room, &ann).await else { return };
        confirm(&room, ann);
        let Ok(second) = login(&url, &room, &bob).await else { return };
        confirm(&room, bob);
        for session in [first, second] {
            if session.logout(&room).await.is_err() {
                return;
            }
        }
    }
}

async fn run(url: &str, next: &Arc<AtomicUsize>, end: usize, confirmed: &Confirmed) {
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (next, confirmed) = (Arc::clone(next), Arc::clone(confirmed));
            tokio::spawn(visit_rooms(url.to_owned(), next, end, confirmed))
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker does not panic");
    }
}

#[test]
fn kill_9_loses_no_event_and_each_room_keeps_its_order() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let receiver = runtime.block_on(Receiver::start());
    let mut server = Server::start_with("crash", &to(receiver.address));
    let (next, confirmed) = (Arc::new(AtomicUsize::new(0)), Confirmed::default());

    let before = runtime.spawn({
        let (url, next, confirmed) = (server.signal_url(), Arc::clone(&next), confirmed.clone());
        async move { run(&url, &next, ROOMS, &confirmed).await }
    });
    let killed_after = rand::random_range(KILLED_AFTER);
    println!("killed after {killed_after} rooms");
    let began = Instant::now();
    while next.load(Ordering::Relaxed) < killed_after {
        assert!(began.elapsed() < PATIENCE, "rooms do not go: {}", server.report());
    }
    server.kill();
    runtime.block_on(before).expect("the workers end");
    assert!(next.load(Ordering::Relaxed) < ROOMS, "it was killed in the middle");

    let server = Server::restart_with("crash", &to(receiver.address));
    runtime.block_on(run(&server.signal_url(), &next, ROOMS, &confirmed));

    let confirmed = confirmed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let began = Instant::now();
    let rooms = loop {
        let rooms = histories(&receiver.arrived());
        let all = confirmed.keys().all(|room| {
            let history = rooms.get(room).map(Vec::as_slice).unwrap_or_default();
            !history.is_empty()
                && is_whole(history).unwrap_or_else(|wrong| panic!("{room}: {wrong}"))
        });
        if all {
            break rooms;
        }
        assert!(began.elapsed() < PATIENCE, "not every room's history is whole");
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
    };
    for (room, users) in &confirmed {
        for user in users {
            let came = |event: &&serde_json::Value| {
                event["event"] == "room_login" && event["user_account"] == user.as_str()
            };
            assert_eq!(rooms[room].iter().filter(came).count(), 1, "{user} was told to be in");
        }
    }
    let cut_off = rooms.values().flatten().filter(|event| event["reason"] == "2").count();
    assert!(cut_off > 0, "somebody was in when the server was killed");
    let events: usize = rooms.values().map(Vec::len).sum();
    assert!(events > ROOMS * 5, "{events} events");
    assert!(receiver.count() >= events);
    server.assert_no_panic();
}
