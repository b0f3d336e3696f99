//! A backend's receiver on a free port, which answers as a test wishes and keeps what it got.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use odeum_auth::{callback, webhook};
use serde_json::Value;

use crate::scene::SECRET;

/// How a receiver answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// 200.
    Ok,
    /// 500.
    Error,
    /// A redirect to where it would be taken.
    Redirect,
    /// Nothing at all.
    Hang,
    /// 200 at once, and a body that never ends.
    EndlessBody,
}

/// A callback as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// Where.
    pub(crate) path: &'static str,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Value,
}

#[derive(Clone)]
struct Shared {
    answer: Arc<Mutex<Answer>>,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

/// A receiver that runs.
pub(crate) struct Receiver {
    /// Where callbacks go.
    pub(crate) url: String,
    shared: Shared,
}

impl Receiver {
    pub(crate) async fn start(answer: Answer) -> Self {
        let shared = Shared { answer: Arc::new(Mutex::new(answer)), arrived: Arc::default() };
        let router = Router::new()
            .route("/", post(|state, headers, body| take("/", state, headers, body)))
            .route("/moved", post(|state, headers, body| take("/moved", state, headers, body)))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many have arrived.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Arrived> {
        let arrive = async {
            while self.arrived().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), arrive).await;
        assert!(waited.is_ok(), "{} of {count} arrived", self.arrived().len());
        self.arrived()
    }
}

impl Arrived {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn event(&self) -> &str {
        self.body["event"].as_str().unwrap()
    }
}

async fn take(
    path: &'static str,
    State(shared): State<Shared>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    let signature = header("webhook-signature");
    assert!(webhook::check(SECRET.as_bytes(), id, time, &bytes, signature));
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    let timestamp = match &body["timestamp"] {
        Value::Number(number) => number.to_string(),
        other => other.as_str().unwrap().to_owned(),
    };
    let (nonce, signature) = (body["nonce"].as_str().unwrap(), body["signature"].as_str().unwrap());
    assert!(callback::check(SECRET.as_bytes(), &timestamp, nonce, signature));
    assert_eq!(timestamp, time);
    let arrived = Arrived { path, headers, body };
    shared.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
    let answer = *shared.answer.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Answer::Ok => StatusCode::OK.into_response(),
        Answer::Error => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Answer::Redirect => (StatusCode::FOUND, [("location", "/moved")]).into_response(),
        Answer::Hang => std::future::pending().await,
        Answer::EndlessBody => {
            let endless =
                futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(999)));
            axum::body::Body::from_stream(endless).into_response()
        }
    }
}
