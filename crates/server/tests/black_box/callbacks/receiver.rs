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
use serde_json::Value;

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

/// Whether a room's history is whole: it begins with create, ends with close, and in between
/// everybody who came has left.
///
/// # Errors
/// What is wrong with one that is not legal.
pub(super) fn is_whole(history: &[Value]) -> Result<bool, String> {
    let mut inside: Vec<&str> = Vec::new();
    let mut is_open = false;
    for event in history {
        let user = event["user_account"].as_str().unwrap_or_default();
        match event["event"].as_str().unwrap_or_default() {
            "room_create" if !is_open => is_open = true,
            "room_login" if is_open && !inside.contains(&user) => inside.push(user),
            "room_logout" if inside.contains(&user) => inside.retain(|other| *other != user),
            "room_close" if is_open && inside.is_empty() => is_open = false,
            other => return Err(format!("{other} of {user}, with {inside:?} inside")),
        }
    }
    Ok(!is_open)
}
