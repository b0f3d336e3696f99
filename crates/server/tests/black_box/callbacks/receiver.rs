//! A backend that keeps every callback it gets, and holds rooms to their history.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use odeum_auth::webhook;
use serde_json::{Value, json};

use super::CALLBACK_SECRET;

/// A receiver; it runs as long as its runtime.
#[derive(Clone)]
pub(super) struct Receiver {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What came, in order.
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

/// A callback.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    /// Its `webhook-id`.
    pub(super) id: String,
    /// Its body.
    pub(super) body: Value,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let arrived = Arc::default();
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&arrived));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, arrived }
    }

    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn count(&self) -> usize {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

async fn take(
    State(arrived): State<Arc<Mutex<Vec<Arrived>>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap_or_default().to_owned();
    let (id, time, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    if !webhook::check(CALLBACK_SECRET.as_bytes(), &id, &time, &body, &signature) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(body) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST };
    arrived.lock().unwrap_or_else(PoisonError::into_inner).push(Arrived { id, body });
    StatusCode::OK
}

/// The first arrivals of each room's callbacks, in order. Panics when a repetition says something
/// else than the first time.
pub(super) fn histories(arrived: &[Arrived]) -> BTreeMap<String, Vec<Value>> {
    let mut first: BTreeMap<&str, Value> = BTreeMap::new();
    let mut rooms: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for one in arrived {
        let mut facts = one.body.clone();
        for of_the_attempt in ["timestamp", "nonce", "signature"] {
            facts.as_object_mut().expect("an object").remove(of_the_attempt);
        }
        if let Some(before) = first.get(one.id.as_str()) {
            assert_eq!(*before, facts, "a repetition of {}", one.id);
            continue;
        }
        first.insert(&one.id, facts.clone());
        let room = facts["room_id"].as_str().expect("each names its room").to_owned();
        rooms.entry(room).or_default().push(facts);
    }
    rooms
}

/// Whether a room's history is whole: it begins with create, ends with close, in between everybody
/// who came has left, and each stream has closed that was created, before its publisher left.
///
/// # Errors
/// What is wrong with one that is not legal.
pub(super) fn is_whole(history: &[Value]) -> Result<bool, String> {
    let mut inside: Vec<&str> = Vec::new();
    // Each stream's id, number and publisher.
    let mut streams: Vec<[&str; 3]> = Vec::new();
    let mut is_open = false;
    for event in history {
        let word = |key: &str| event[key].as_str().unwrap_or_default();
        let (user, publisher) = (word("user_account"), word("user_id"));
        let stream = [word("stream_id"), word("stream_sid"), publisher];
        let publishes = |user: &str| streams.iter().any(|[.., publisher]| *publisher == user);
        match word("event") {
            "room_create" if !is_open => is_open = true,
            "room_login" if is_open && !inside.contains(&user) => inside.push(user),
            "room_logout" if inside.contains(&user) && !publishes(user) => {
                inside.retain(|other| *other != user);
            }
            "room_close" if is_open && inside.is_empty() => is_open = false,
            "stream_create"
                if inside.contains(&publisher)
                    && streams.iter().all(|[id, ..]| *id != stream[0]) =>
            {
                streams.push(stream);
            }
            "stream_close" if streams.contains(&stream) => {
                streams.retain(|other| *other != stream);
            }
            other => {
                return Err(format!(
                    "{other} in {event}, with {inside:?} inside, {streams:?} open"
                ));
            }
        }
    }
    Ok(!is_open && !history.is_empty())
}

#[test]
fn a_history_with_a_stream_out_of_place_is_not_legal() {
    let room = |event: &str| json!({ "event": event, "user_account": "ann" });
    let stream = |event: &str, number: &str| {
        json!({
            "event": event, "user_id": "ann", "stream_id": "camera", "stream_sid": number,
        })
    };
    let (create, login) = (room("room_create"), room("room_login"));
    let (logout, close) = (room("room_logout"), room("room_close"));
    let (opens, ends) = (stream("stream_create", "s-1"), stream("stream_close", "s-1"));
    let whole = [&create, &login, &opens, &ends, &logout, &close].map(Clone::clone);
    assert_eq!(is_whole(&whole), Ok(true));
    assert_eq!(is_whole(&whole[..5]), Ok(false), "the room is still open");
    let other = stream("stream_close", "s-2");
    for (case, illegal) in [
        ("before the login", [&create, &opens, &login, &ends, &logout, &close]),
        ("open at the logout", [&create, &login, &opens, &logout, &ends, &close]),
        ("another number", [&create, &login, &opens, &other, &logout, &close]),
        ("twice", [&create, &login, &opens, &opens, &ends, &logout]),
        ("never created", [&create, &login, &ends, &opens, &logout, &close]),
    ] {
        assert!(is_whole(&illegal.map(Clone::clone)).is_err(), "{case}");
    }
}
