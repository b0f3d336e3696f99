//! The operator's listener: metrics and health for everybody who reaches it, and the admin API
//! under `/admin` for whoever has the token.
//!
//! - `GET /admin/callbacks`, with `app_id`, `room_id`, `event`, `state`, `from_ms`, `to_ms`,
//!   `limit` and `before` as one likes: `{"callbacks":[…],"next":number or null}`, newest first.
//! - `GET /admin/callbacks/{number}`: one, with its body.
//! - `POST /admin/callbacks/replay` with `{"number":…}`, `{"room_id":…}` or `{"from_ms":…}`,
//!   narrowed by the other fields: `{"replayed":n,"more":bool}`. Where several apps are served,
//!   `room_id` needs `app_id`: each app may have a room of that name.
//! - `POST /admin/callbacks/drop`, the same body: `{"dropped":n,"more":bool}`.
//!
//! Errors are `{"error":"a sentence"}` with 400, 401, 404 or 503.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use odeum_api::ApiState;
use odeum_auth::Apps;
use odeum_callback::{CallbackEvent, Callbacks, ServiceError};
use odeum_node::{NodeHandle, TurnRelay};
use odeum_signal::SignalState;
use odeum_store::{CallbackNumber, CallbackRow, CallbackState, Selection, StoreError};
use odeum_types::{AppId, Redacted, RoomId, UnixMillis};
use odeum_whip::WhipState;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::metrics::Metrics;

/// Callbacks on one page, at most.
const PAGE_MAX: u32 = 1_000;

/// Callbacks on one page when none is asked for.
const PAGE_DEFAULT: u32 = 100;

/// What the operator's pages read and change.
#[derive(Clone)]
pub(crate) struct AdminState {
    /// Rooms and media.
    pub(crate) node: NodeHandle,
    /// The Server API's counters.
    pub(crate) api: ApiState,
    /// WebSockets.
    pub(crate) signal: SignalState,
    /// What came without signalling.
    pub(crate) whip: WhipState,
    /// The TURN relay, where there is one.
    pub(crate) turn: Option<TurnRelay>,
    /// Callbacks.
    pub(crate) callbacks: Callbacks,
    /// The apps in force.
    pub(crate) apps: Apps,
    /// Opens the admin API; none closes it.
    pub(crate) token: Option<Redacted<String>>,
}

/// Everything on the operator's listener.
pub(crate) fn router(state: AdminState) -> Router {
    let api = Router::new()
        .route("/admin/callbacks", get(list))
        .route("/admin/callbacks/{number}", get(show))
        .route("/admin/callbacks/replay", post(replay))
        .route("/admin/callbacks/drop", post(give_up))
        .route_layer(middleware::from_fn_with_state(state.clone(), token_only));
    api.route("/metrics", get(metrics)).route("/healthz", get(health)).with_state(state)
}

async fn metrics(State(state): State<AdminState>) -> impl IntoResponse {
    let node = state.node.statistics().await;
    let api = state.api.statistics();
    let callbacks = state.callbacks.statistics();
    let (websockets, whip_sessions) = (state.signal.connections(), state.whip.sessions());
    let turn = state.turn.as_ref().map(TurnRelay::statistics);
    let metrics = Metrics { node, api, callbacks, websockets, whip_sessions, turn };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.to_text())
}

async fn health(State(state): State<AdminState>) -> impl IntoResponse {
    if state.node.is_healthy() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "a media worker or the store is down, or the server is closing\n",
        )
    }
}

/// Lets requests with the admin token through.
async fn token_only(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    let Some(token) = &state.token else {
        return refused(StatusCode::UNAUTHORIZED, "the admin API is closed: set [admin] token");
    };
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match given {
        Some(given) if given.ct_eq(token.expose().as_bytes()).into() => next.run(request).await,
        Some(_) => refused(StatusCode::UNAUTHORIZED, "the Bearer token is not [admin] token"),
        None => refused(StatusCode::UNAUTHORIZED, "no Authorization: Bearer …"),
    }
}

/// Which callbacks, as a query or a body says it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    number: Option<u64>,
    app_id: Option<u32>,
    room_id: Option<String>,
    event: Option<String>,
    state: Option<String>,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
}

/// A page of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    app_id: Option<u32>,
    room_id: Option<String>,
    event: Option<String>,
    state: Option<String>,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
    limit: Option<u32>,
    before: Option<u64>,
}

impl Which {
    fn selection(&self) -> Result<Selection, String> {
        let room = self.room_id.as_deref().map(RoomId::parse).transpose();
        if let Some(event) = self.event.as_deref().filter(|e| CallbackEvent::parse(e).is_none()) {
            let events = CallbackEvent::ALL.map(CallbackEvent::as_str).join(", ");
            return Err(format!("there is no event `{event}`: {events}"));
        }
        let state = self.state.as_deref().map(|word| {
            CallbackState::parse(word).ok_or_else(|| {
                let states = CallbackState::ALL.map(CallbackState::as_str).join(", ");
                format!("there is no state `{word}`: {states}")
            })
        });
        Ok(Selection {
            number: self.number.map(CallbackNumber),
            app: self.app_id.map(AppId),
            room: room.map_err(|error| error.to_string())?,
            event: self.event.clone(),
            state: state.transpose()?,
            from: self.from_ms.map(UnixMillis),
            until: self.to_ms.map(UnixMillis),
        })
    }

    /// For a change, where `apps` are served: all of them are never meant by leaving all out, nor
    /// are the rooms of one name in all apps.
    fn chosen(body: &[u8], apps: &Apps) -> Result<Selection, String> {
        // Serde takes an array for a struct as well.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err("the body is not a JSON object".to_owned());
        }
        let which: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if which.number.is_none() && which.room_id.is_none() && which.from_ms.is_none() {
            return Err("name number, room_id, or from_ms".to_owned());
        }
        let is_one = which.number.is_some() || which.app_id.is_some();
        if which.room_id.is_some() && !is_one && apps.ids().len() > 1 {
            return Err("several apps are served, and each may have a room of this name: \
                        name app_id beside room_id"
                .to_owned());
        }
        which.selection()
    }
}

async fn list(
    State(state): State<AdminState>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let page = match page {
        Ok(Query(page)) => page,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let limit = page.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        let message = format!("limit is not in 1 to {PAGE_MAX}");
        return refused(StatusCode::BAD_REQUEST, &message);
    }
    let Page { app_id, room_id, event, state: word, from_ms, to_ms, before, .. } = page;
    let which = Which { number: None, app_id, room_id, event, state: word, from_ms, to_ms };
    let selection = match which.selection() {
        Ok(selection) => selection,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    match state.callbacks.history(selection, before.map(CallbackNumber), limit).await {
        Ok(rows) => {
            let full = rows.len() == limit as usize;
            let next = rows.last().filter(|_| full).map(|row| row.number.0);
            let rows: Vec<Value> = rows.iter().map(|row| summary(&state, row)).collect();
            axum::Json(json!({ "callbacks": rows, "next": next })).into_response()
        }
        Err(error) => failed(&error),
    }
}

async fn show(State(state): State<AdminState>, Path(number): Path<String>) -> Response {
    let Ok(number) = number.parse() else {
        let message = format!("`{number}` is not the number of a callback");
        return refused(StatusCode::BAD_REQUEST, &message);
    };
    match state.callbacks.callback(CallbackNumber(number)).await {
        Ok(Some(row)) => {
            let mut whole = summary(&state, &row);
            // 64-bit numbers stay exact in a `Value`; what cannot be read is shown as it is.
            let body = serde_json::from_str(&row.body);
            whole["body"] = body.unwrap_or_else(|_| Value::from(&*row.body));
            axum::Json(whole).into_response()
        }
        Ok(None) => {
            let message = format!("there is no callback {number}: the history keeps some days");
            refused(StatusCode::NOT_FOUND, &message)
        }
        Err(error) => failed(&error),
    }
}

async fn replay(State(state): State<AdminState>, body: Bytes) -> Response {
    let selection = match Which::chosen(&body, &state.apps) {
        Ok(selection) => selection,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    match state.callbacks.replay(selection).await {
        Ok(replayed) => {
            let (count, more) = (replayed.callbacks.len(), replayed.more);
            tracing::info!(count, more, "callbacks are sent again by the operator");
            axum::Json(json!({ "replayed": count, "more": more })).into_response()
        }
        Err(error) => failed(&error),
    }
}

async fn give_up(State(state): State<AdminState>, body: Bytes) -> Response {
    let selection = match Which::chosen(&body, &state.apps) {
        Ok(selection) => selection,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    match state.callbacks.give_up(selection).await {
        Ok(dropped) => {
            let (count, more) = (dropped.numbers.len(), dropped.more);
            tracing::info!(count, more, "callbacks are given up by the operator");
            axum::Json(json!({ "dropped": count, "more": more })).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// A callback without its body.
fn summary(state: &AdminState, row: &CallbackRow) -> Value {
    json!({
        "number": row.number.0,
        "webhook_id": state.callbacks.webhook_id(row.number),
        "app_id": row.app.0,
        "room_id": row.room.as_str(),
        "event": &*row.event,
        "at_ms": row.at.0,
        "state": row.state.as_str(),
        "replays": row.round.0,
        "attempts": row.attempts,
        "next_attempt_ms": row.next_at.map(|at| at.0),
        "changed_ms": row.changed_at.0,
        "outcome": row.outcome,
    })
}

fn failed(error: &ServiceError) -> Response {
    match error {
        ServiceError::Store(StoreError::Corrupt(_) | StoreError::Unknown { .. }) => {
            refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
        ServiceError::Store(StoreError::Full | StoreError::Busy | StoreError::Io(_))
        | ServiceError::Closing => refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "error": message }))).into_response()
}

#[cfg(test)]
mod tests {
    use odeum_auth::{AppCredentials, ServerSecret};

    use super::*;

    fn apps(count: u32) -> Apps {
        let secret = || ServerSecret::parse("0123456789abcdef0123456789abcdef").unwrap();
        let app = |id| (AppId(id), AppCredentials::new(vec![secret()]).unwrap());
        Apps::new((1..=count).map(app))
    }

    #[test]
    fn a_change_names_what_it_means() {
        let apps = apps(1);
        let chosen = |text: &str| Which::chosen(text.as_bytes(), &apps);
        assert!(chosen("{}").unwrap_err().contains("room_id"));
        assert!(chosen(r#"{"app_id":1}"#).is_err());
        assert!(chosen(r#"{"number":1,"roomid":"a"}"#).unwrap_err().contains("roomid"));
        assert!(chosen(r#"{"room_id":"a b"}"#).unwrap_err().contains("RoomId"));
        assert!(chosen(r#"{"number":1,"state":"lost"}"#).unwrap_err().contains("delivered"));
        assert!(chosen(r#"{"number":1,"event":"room_open"}"#).unwrap_err().contains("room_create"));
        let one = Selection { number: Some(CallbackNumber(1)), ..Selection::default() };
        assert_eq!(chosen(r#"{"number":1}"#).unwrap(), one);
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        let whole = r#"[1,null,null,null,null,null,null]"#;
        for body in [whole, "[]", "null", "1", "\"number\"", "", "  "] {
            let refusal = Which::chosen(body.as_bytes(), &apps(1)).unwrap_err();
            assert_eq!(refusal, "the body is not a JSON object", "{body}");
        }
        assert!(Which::chosen(b"{\"number\":1", &apps(1)).unwrap_err().contains("EOF"));
        assert!(Which::chosen(b" \r\n{\"number\":1} ", &apps(1)).is_ok());
    }

    #[test]
    fn a_room_of_several_apps_needs_its_app() {
        let chosen = |text: &str, count| Which::chosen(text.as_bytes(), &apps(count));
        for body in [r#"{"room_id":"a"}"#, r#"{"room_id":"a","from_ms":1}"#] {
            assert!(chosen(body, 2).unwrap_err().contains("app_id beside room_id"), "{body}");
            assert!(chosen(body, 1).is_ok(), "{body}");
        }
        assert!(chosen(r#"{"room_id":"a","app_id":2}"#, 2).is_ok());
        assert!(chosen(r#"{"room_id":"a","number":1}"#, 2).is_ok(), "a number is one callback");
        assert!(chosen(r#"{"from_ms":1}"#, 2).is_ok());
    }
}
