//! `--dev` only: what the try-it page asks of its server, so that no secret reaches the browser.
//!
//! `GET /try/session?room=&user=` makes a token; `POST /try/call` signs a Server API call and sends
//! it through the same router that a backend uses. Every request must come from this machine: its
//! Host, and its Origin where there is one, must be loopback, which also stops a foreign page that
//! rebinds a name to 127.0.0.1.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use odeum_auth::server_api;
use odeum_types::Redacted;
use odeum_types::{AppId, RoomId, UnixMillis, UserId};
use serde::{Deserialize, Serialize};
use tower_service::Service;

use crate::commands::token::{self, AskedToken};
use crate::pages;

/// Tokens of the page are good for this long.
const TOKEN_LIFETIME_S: u32 = 24 * 3600;

/// The largest reply that is handed through, in bytes.
const REPLY_BYTES_MAX: usize = 1024 * 1024;

/// What the page's endpoints need.
#[derive(Clone)]
pub(crate) struct TryIt {
    /// The app of `--dev`.
    pub(crate) app: AppId,
    /// Its secret.
    pub(crate) server_secret: Redacted<String>,
    /// The Server API.
    pub(crate) api: Router,
    /// The time now.
    pub(crate) now: fn() -> UnixMillis,
}

/// The try-it page and its endpoints.
pub(crate) fn router(state: TryIt) -> Router {
    Router::new()
        .route("/try/session", get(session))
        .route("/try/call", post(call))
        .with_state(state)
        .merge(pages::try_router())
        // On these routes only: other paths stay a plain 404.
        .route_layer(middleware::from_fn(loopback_only))
}

#[derive(Deserialize)]
struct SessionQuery {
    room: String,
    user: String,
}

#[derive(Serialize)]
struct Session {
    app_id: u32,
    token: String,
    signal_path: &'static str,
}

async fn session(State(state): State<TryIt>, Query(query): Query<SessionQuery>) -> Response {
    let (room, user) = match (RoomId::parse(&query.room), UserId::parse(&query.user)) {
        (Ok(room), Ok(user)) => (room, user),
        (Err(error), _) | (_, Err(error)) => {
            return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
        }
    };
    let payload = serde_json::json!({
        "room_id": room.as_str(),
        "privilege": { "1": 1, "2": 1 },
        "stream_id_list": null,
    });
    let asked = AskedToken {
        app: state.app,
        user: user.as_str(),
        lifetime_s: TOKEN_LIFETIME_S,
        payload: &payload.to_string(),
    };
    match token::make(&asked, state.server_secret.expose(), (state.now)()) {
        Ok(token) => {
            Json(Session { app_id: state.app.0, token, signal_path: "/signal" }).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
struct Call {
    action: String,
    #[serde(default)]
    parameters: BTreeMap<String, OneOrMany>,
}

/// A parameter of the page: a text, or a list of them (`UserId[]`).
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

async fn call(State(mut state): State<TryIt>, Json(call): Json<Call>) -> Response {
    let timestamp_seconds = (state.now)().seconds() as i64;
    let nonce = format!("{:016x}", rand::random::<u64>());
    let secret = state.server_secret.expose().as_bytes();
    let signature = server_api::make(state.app, &nonce, secret, timestamp_seconds);
    let mut query = form_pairs(&[
        ("Action", &call.action),
        ("AppId", &state.app.to_string()),
        ("SignatureNonce", &nonce),
        ("Timestamp", &timestamp_seconds.to_string()),
        ("Signature", &signature),
        ("SignatureVersion", "2.0"),
    ]);
    for (key, value) in &call.parameters {
        match value {
            OneOrMany::One(value) => append(&mut query, key, value),
            OneOrMany::Many(values) => {
                for value in values {
                    append(&mut query, &format!("{key}[]"), value);
                }
            }
        }
    }
    let request = match Request::get(format!("/?{query}")).body(Body::empty()) {
        Ok(request) => request,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let reply = match state.api.call(request).await {
        Ok(response) => to_bytes(response.into_body(), REPLY_BYTES_MAX).await,
        Err(never) => match never {},
    };
    match reply {
        Ok(reply) => {
            let shown = query.replace(&signature, "…");
            let reply: serde_json::Value = serde_json::from_slice(&reply)
                .unwrap_or_else(|_| String::from_utf8_lossy(&reply).into());
            Json(serde_json::json!({ "request": format!("GET /?{shown}"), "reply": reply }))
                .into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn loopback_only(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).is_some_and(is_loopback);
    let origin = text(header::ORIGIN).map(|origin| {
        let rest = origin.split_once("://").map(|(_, rest)| rest);
        rest.is_some_and(is_loopback)
    });
    if host && origin.unwrap_or(true) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "the try-it page is for this machine only").into_response()
    }
}

/// Whether an authority (`host` or `host:port`) names this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or(authority),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn form_pairs(pairs: &[(&str, &str)]) -> String {
    let mut query = String::new();
    for (key, value) in pairs {
        append(&mut query, key, value);
    }
    query
}

/// Adds `key=value` to a query, percent-encoding all but the unreserved characters (RFC 3986 §2.3).
fn append(query: &mut String, key: &str, value: &str) {
    use std::fmt::Write as _;
    if !query.is_empty() {
        query.push('&');
    }
    for (index, text) in [key, value].into_iter().enumerate() {
        if index == 1 {
            query.push('=');
        }
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                query.push(char::from(byte));
            } else {
                write!(query, "%{byte:02X}").expect("writing to a String cannot fail");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["127.0.0.1", "127.0.0.1:7880", "localhost:1", "LOCALHOST", "[::1]:7880"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.org", "localhost.example.org", "10.0.0.1:7880", "[::2]", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn queries_are_percent_encoded() {
        assert_eq!(
            form_pairs(&[("UserId[]", "a b&c"), ("x", "é")]),
            "UserId%5B%5D=a%20b%26c&x=%C3%A9"
        );
    }
}
