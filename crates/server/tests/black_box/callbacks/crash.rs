//! `kill -9` in the middle of thousands of events: nothing that anybody was told of is lost, each
//! room's events are in order, streams within their publishers' visits, repetitions are known by
//! their id.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use odeum_client::{Certificate, RequestError, Signalling};
use serde_json::Value;

use super::publisher::Publisher;
use super::receiver::{Receiver, histories, is_whole};
use super::{login, to};
use crate::process::Server;

/// Six events each: create, two logins, two logouts, close. Two more where a stream is published.
const ROOMS: usize = 1_700;

/// In one room of so many somebody publishes: the handshakes take time.
const PUBLISHED_EVERY: usize = 24;

/// Rooms with a stream that is published when the server is killed.
const HELD: usize = 8;

/// Rooms that are filled and emptied at the same time.
const AT_ONCE: usize = 24;

/// Rooms that have been begun when the server is killed: another number each time.
const KILLED_AFTER: Range<usize> = 400..1_200;

/// Longest wait for the last callback.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the server has told its clients: how many logins of each room it has confirmed.
type Confirmed = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Where rooms are visited, and what is known of them.
#[derive(Clone)]
struct Visits {
    url: String,
    /// The next room's number.
    next: Arc<AtomicUsize>,
    confirmed: Confirmed,
    /// Of all publishers.
    certificate: Certificate,
}

impl Visits {
    /// Fills and empties rooms until there are none left or the server is gone.
    async fn go_on(self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= ROOMS || self.visit(number).await.is_err() {
                return;
            }
        }
    }

    async fn visit(&self, number: usize) -> Result<(), RequestError> {
        let room = format!("room-{number}");
        let (ann, bob) = (format!("ann-{number}"), format!("bob-{number}"));
        if number.is_multiple_of(PUBLISHED_EVERY) {
            let first = self.publish(&room, &ann).await?;
            let second = self.login(&room, bob).await?;
            // Half of the streams end with their publishers' visits.
            if number.is_multiple_of(2 * PUBLISHED_EVERY) {
                first.session.unpublish(&room, &stream_of(&room)).await?;
            }
            first.session.logout(&room).await?;
            return second.logout(&room).await;
        }
        let first = self.login(&room, ann).await?;
        let second = self.login(&room, bob).await?;
        first.logout(&room).await?;
        second.logout(&room).await
    }

    async fn login(&self, room: &str, user: String) -> Result<Signalling, RequestError> {
        let session = login(&self.url, room, &user).await?;
        self.confirm(room, user);
        Ok(session)
    }

    async fn publish(&self, room: &str, user: &str) -> Result<Publisher, RequestError> {
        let (who, stream) = ((self.url.as_str(), room, user), stream_of(room));
        let confirmed = || self.confirm(room, user.to_owned());
        Publisher::start(who, &stream, &self.certificate, confirmed).await
    }

    fn confirm(&self, room: &str, user: String) {
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.entry(room.to_owned()).or_default().push(user);
    }
}

/// The stream that is published in a room: an id is taken once in the whole app.
fn stream_of(room: &str) -> String {
    format!("camera-of-{room}")
}

async fn run(visits: &Visits) {
    let workers: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(visits.clone().go_on())).collect();
    for worker in workers {
        worker.await.expect("a worker does not panic");
    }
}

/// Streams that are published until the server is killed, and that the receiver knows of.
async fn hold_streams(visits: &Visits, receiver: &Receiver) -> Vec<Publisher> {
    let mut held = Vec::new();
    for number in 0..HELD {
        let publisher = visits.publish(&format!("held-{number}"), &format!("eve-{number}")).await;
        held.push(publisher.expect("the server runs"));
    }
    let began = Instant::now();
    while count(&histories(&receiver.arrived()), "stream_create", |_| true) < HELD {
        assert!(began.elapsed() < PATIENCE, "the streams are not told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    held
}

/// Events of this name of which `holds` is true, in all rooms.
fn count(
    rooms: &BTreeMap<String, Vec<Value>>,
    name: &str,
    holds: impl Fn(&Value) -> bool,
) -> usize {
    rooms.values().flatten().filter(|event| event["event"] == name && holds(event)).count()
}

/// What arrived once the history of every room of which a login was confirmed is whole.
async fn whole_histories(
    receiver: &Receiver,
    confirmed: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<Value>> {
    let began = Instant::now();
    loop {
        let rooms = histories(&receiver.arrived());
        let open: Vec<&String> = (confirmed.keys())
            .filter(|room| {
                let history = rooms.get(*room).map(Vec::as_slice).unwrap_or_default();
                !is_whole(history).unwrap_or_else(|wrong| panic!("{room}: {wrong}"))
            })
            .collect();
        if open.is_empty() {
            return rooms;
        }
        assert!(began.elapsed() < PATIENCE, "the histories of {open:?} are not whole");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn kill_9_loses_no_event_and_each_room_keeps_its_order() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let receiver = runtime.block_on(Receiver::start());
    let mut server = Server::start_with("crash", &to(receiver.address));
    let visits = Visits {
        url: server.signal_url(),
        next: Arc::default(),
        confirmed: Confirmed::default(),
        certificate: Certificate::generate().expect("the machine has randomness"),
    };

    let held = runtime.block_on(hold_streams(&visits, &receiver));
    let before = runtime.spawn({
        let visits = visits.clone();
        async move { run(&visits).await }
    });
    let killed_after = rand::random_range(KILLED_AFTER);
    println!("killed after {killed_after} rooms");
    let began = Instant::now();
    while visits.next.load(Ordering::Relaxed) < killed_after {
        assert!(began.elapsed() < PATIENCE, "rooms do not go: {}", server.report());
    }
    server.kill();
    runtime.block_on(before).expect("the workers end");
    drop(held);
    assert!(visits.next.load(Ordering::Relaxed) < ROOMS, "it was killed in the middle");

    let server = Server::restart_with("crash", &to(receiver.address));
    let visits = Visits { url: server.signal_url(), ..visits };
    runtime.block_on(run(&visits));

    let confirmed = visits.confirmed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let rooms = runtime.block_on(whole_histories(&receiver, &confirmed));
    for (room, users) in &confirmed {
        for user in users {
            let came = |event: &&Value| {
                event["event"] == "room_login" && event["user_account"] == user.as_str()
            };
            assert_eq!(rooms[room].iter().filter(came).count(), 1, "{user} was told to be in");
        }
    }
    let cut_off = rooms.values().flatten().filter(|event| event["reason"] == "2").count();
    assert!(cut_off >= HELD, "the publishers were in when the server was killed: {cut_off}");
    for number in 0..HELD {
        let history = &rooms[&format!("held-{number}")];
        let ended = history.iter().find(|event| event["event"] == "stream_close");
        let ended = ended.unwrap_or_else(|| panic!("its stream has closed: {history:?}"));
        assert_eq!(ended["type"], "4", "it was open when the server was killed");
    }
    // Stopped by hand or by logging out.
    let stopped = count(&rooms, "stream_close", |event| event["type"] == "0");
    assert!(stopped > (ROOMS - AT_ONCE) / PUBLISHED_EVERY / 2, "{stopped} streams were stopped");
    let events: usize = rooms.values().map(Vec::len).sum();
    assert!(events > ROOMS * 5, "{events} events");
    assert!(receiver.count() >= events);
    server.assert_no_panic();
}
