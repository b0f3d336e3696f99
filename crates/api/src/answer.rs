//! The way of a request from its fields to its reply: the gateway's checks, the nonce, the rate
//! limit, the action (ruling 4).

use std::net::IpAddr;
use std::sync::Arc;

use odeum_auth::AppCredentials;
use odeum_proto::return_code::{gateway, room};
use odeum_types::{AppId, Redacted, RoomId, UnixMillis};
use serde_json::Value;
use tokio::sync::watch;
use tracing::{Instrument, Span};

use crate::call::{Answer, Call, internal, refused};
use crate::query::{Fields, Given, Once};
use crate::rate_limit::{Caller, Exceeded};
use crate::refusal::Refusal;
use crate::replay::{Claim, Ticket};
use crate::request_id::RequestId;
use crate::statistics::count;
use crate::{ApiState, gateway as checks};

/// An authentic request of which nothing else is known yet.
struct Incoming {
    /// What the API works with.
    state: ApiState,
    /// Whose request.
    app: AppId,
    /// Its number.
    request_id: RequestId,
    /// What it says.
    fields: Arc<Fields>,
}

/// Answers a request. Its reply is made even when the caller goes away meanwhile, so that a retry
/// finds it and does not act twice.
pub(crate) async fn answer(state: &ApiState, fields: Fields, source: Option<IpAddr>) -> Answer {
    let now = (state.0.clock)();
    let counters = &state.0.counters;
    let request_id = state.0.request_ids.next(now);
    count(&counters.requests);
    let authentic = match checks::authenticate(&fields, &state.0.apps, now) {
        Ok(authentic) => authentic,
        Err(refusal) => {
            if checks::is_failed_authentication(&refusal) {
                count(&counters.failed_authentications);
                log_failure(state, now, source, request_id, &refusal);
            }
            return refused(request_id, &refusal);
        }
    };
    let (app, digest) = (authentic.app, fields.digest());
    match state.0.nonces.claim(now, app, authentic.nonce, digest, authentic.ends_at) {
        Claim::Stored(reply) => {
            count(&counters.retries);
            Answer(reply)
        }
        Claim::Running(receiver) => {
            count(&counters.retries);
            wait(receiver).await.unwrap_or_else(|| refused(request_id, &internal()))
        }
        Claim::Replayed => {
            count(&counters.replays);
            let message = "SignatureNonce was used by another request";
            let refusal = Refusal::new(gateway::SIGNATURE_WRONG, message);
            log_failure(state, now, source, request_id, &refusal);
            refused(request_id, &refusal)
        }
        Claim::New(ticket) => {
            let credentials = Arc::clone(&authentic.credentials);
            let fields = Arc::new(fields);
            let incoming = Incoming { state: state.clone(), app, request_id, fields };
            complete(incoming, credentials, now, ticket).await
        }
    }
}

async fn wait(mut receiver: watch::Receiver<Option<Arc<str>>>) -> Option<Answer> {
    let reply = receiver.wait_for(Option::is_some).await.ok()?;
    reply.clone().map(Answer)
}

/// Answers a new request in a task of its own and stores the reply.
async fn complete(
    incoming: Incoming,
    credentials: Arc<AppCredentials>,
    now: UnixMillis,
    ticket: Ticket,
) -> Answer {
    let request_id = incoming.request_id;
    let state = incoming.state.clone();
    let span = span(&incoming);
    let task = async move {
        let state = incoming.state.clone();
        let answer = match run(incoming, &credentials, now).await {
            Ok(answer) => {
                count(&state.0.counters.succeeded);
                tracing::debug!("answered");
                answer
            }
            Err(refusal) => {
                log_refusal(&state, &refusal);
                refused(request_id, &refusal)
            }
        };
        ticket.complete(Arc::clone(&answer.0));
        answer
    };
    match tokio::spawn(task.instrument(span)).await {
        Ok(answer) => answer,
        Err(error) => {
            count(&state.0.counters.failures);
            tracing::error!(%request_id, %error, "a request's task failed");
            refused(request_id, &internal())
        }
    }
}

async fn run(
    incoming: Incoming,
    credentials: &AppCredentials,
    now: UnixMillis,
) -> Result<Answer, Refusal> {
    let Incoming { state, app, request_id, fields } = incoming;
    let action = checks::action(&fields)?;
    let column = checks::environment(&fields, credentials.environment, action.group)?;
    checks::service(credentials, action)?;
    let call = Call { state, app, request_id, fields, action, column };
    take_allowance(&call, credentials, now)?;
    (action.run)(call).await
}

/// Counts the call, or refuses it (ruling 7). A room id that is malformed has no window; the
/// action's own check refuses it next.
fn take_allowance(
    call: &Call,
    credentials: &AppCredentials,
    now: UnixMillis,
) -> Result<(), Refusal> {
    let (action, column) = (call.action, call.column);
    let own = credentials.calls_per_second.get(action.name).copied();
    let per_second = own.unwrap_or_else(|| action.limits.of(column));
    let room = match action.limits.per_room {
        Some(limit) => room_of(call).map(|room| (room, limit)),
        None => None,
    };
    let caller = Caller { app: call.app, action: action.name, column };
    let room = room.as_ref().map(|(room, limit)| (room, *limit));
    let taken = call.state.0.limiter.take(now, caller, per_second, room);
    let (code, whose) = match taken {
        Ok(()) => return Ok(()),
        Err(Exceeded::App) => (checks::rate_limit_code(action.group), "the AppId"),
        Err(Exceeded::Room) => (room::ROOM_RATE_LIMIT, "the room"),
    };
    count(&call.state.0.counters.rate_limited);
    Err(Refusal::new(code, format!("too many calls of {} for {whose}", action.name)))
}

fn room_of(call: &Call) -> Option<RoomId> {
    match call.fields.given("RoomId")? {
        Given::Query([text]) => RoomId::parse(text).ok(),
        Given::Body(Value::String(text)) => RoomId::parse(text).ok(),
        Given::Query(_) | Given::Body(_) => None,
    }
}

/// The span of a request: every log line inside has its number and, once they are read, its ids.
fn span(call: &Incoming) -> Span {
    use tracing::field::Empty;
    let action = match call.fields.common("Action") {
        Once::Text(name) => name.get(..64).unwrap_or(name),
        Once::Missing | Once::Many => "",
    };
    // Of the highest level, so that it is there for whatever lines a filter lets through.
    tracing::error_span!(
        "request",
        request_id = %call.request_id,
        app = %call.app,
        action = ?action,
        room = Empty,
        user = Empty,
        stream = Empty,
    )
}

fn log_refusal(state: &ApiState, refusal: &Refusal) {
    let (code, message) = (refusal.code.number, &refusal.message);
    if refusal.code == room::FAILED {
        count(&state.0.counters.failures);
        tracing::error!(code, message, "failed");
    } else {
        tracing::debug!(code, message, "refused");
    }
}

fn log_failure(
    state: &ApiState,
    now: UnixMillis,
    source: Option<IpAddr>,
    request_id: RequestId,
    refusal: &Refusal,
) {
    if state.0.failures.may_log(now, source) {
        let source = Redacted::new(source);
        let (code, message) = (refusal.code.number, &refusal.message);
        tracing::warn!(%request_id, %source, code, message, "a request is not authentic");
    }
}
