//! What a POST has begun, at a URL of its own: kept alive here, because its client has no
//! signalling, and ended by DELETE, by its stream's end, or by the room.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{ConnectInfo, Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use odeum_node::{CommandError, Inbox, Outgoing, SessionRef};
use odeum_room::{Notice, PlayState, PublishState};
use odeum_types::{AppId, Redacted, RoomId, StreamId, UserId};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use tracing::{Instrument, debug};

use crate::headers::{SDP_FRAGMENT, bearer, is_type};
use crate::offer::{authenticate, place};
use crate::refusal::Refusal;
use crate::{Role, WhipState, source};

/// What has begun.
pub(crate) struct Opened {
    pub(crate) role: Role,
    pub(crate) app: AppId,
    pub(crate) user: UserId,
    pub(crate) room: RoomId,
    pub(crate) stream: StreamId,
    /// What it was begun with; whoever shows it again is the same client.
    pub(crate) token: Redacted<String>,
    /// The client's ICE user name fragment; another one asks for a restart.
    pub(crate) ufrag: String,
    pub(crate) reference: SessionRef,
}

/// All that are open, by the last part of their URLs: 128 random bits. As many as the rooms and the
/// media plane take. The lock is held for single operations of the map.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Entry>>);

/// One that is open.
struct Entry {
    opened: Opened,
    /// Ends it, and tells when it has ended.
    stop: oneshot::Sender<oneshot::Sender<()>>,
}

/// What may stand behind the `?`.
#[derive(Debug, Deserialize)]
pub(crate) struct Options {
    app_id: Option<u32>,
}

impl Sessions {
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WhipState {
    /// Takes charge of what has begun. Returns its URL's path and its entity tag, which stands for
    /// its one ICE session.
    pub(crate) fn open(&self, opened: Opened, inbox: Inbox) -> (String, String) {
        let id = format!("{:032x}", rand::random::<u128>());
        let Opened { role, room, stream, .. } = &opened;
        let location = format!("/{}/{room}/{stream}/{id}", role.path());
        let (role, reference) = (opened.role, opened.reference.clone());
        let (stop, stopped) = oneshot::channel();
        self.0.sessions.lock().insert(id.clone(), Entry { opened, stop });
        let tag = tag(&id);
        let state = self.clone();
        tokio::spawn(
            async move { state.hold(id, role, reference, inbox, stopped).await }.in_current_span(),
        );
        (location, tag)
    }

    /// Keeps a session alive for as long as its stream or play is, then ends it.
    async fn hold(
        self,
        id: String,
        role: Role,
        session: SessionRef,
        mut inbox: Inbox,
        mut stopped: oneshot::Receiver<oneshot::Sender<()>>,
    ) {
        let node = &self.0.node;
        let mut beat = tokio::time::interval(node.heartbeat_timeout() / 5);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_sequence = 0;
        let done = loop {
            tokio::select! {
                stop = &mut stopped => break stop.ok(),
                outgoing = inbox.recv() => match outgoing {
                    Some(Outgoing::Notice { sequence, notice }) => {
                        last_sequence = sequence;
                        if is_end(role, &notice) {
                            break None;
                        }
                    }
                    Some(Outgoing::Unnumbered { .. }) => {}
                    Some(Outgoing::Close { .. }) | None => break None,
                },
                _ = beat.tick() => match node.heartbeat(&session, last_sequence).await {
                    Ok(Ok(())) | Err(CommandError::Overloaded | CommandError::DeadlinePassed) => {}
                    Ok(Err(_)) | Err(_) => break None,
                },
            }
        };
        self.0.sessions.lock().remove(&id);
        // Whatever ended it may have ended the session as well.
        let left = node.logout(&session).await;
        debug!(?left, "a session without signalling has ended");
        if let Some(done) = done {
            done.send(()).unwrap_or_default();
        }
    }

    /// Ends one and waits until it has ended.
    async fn end(&self, id: &str) -> Result<(), Refusal> {
        let entry = self.0.sessions.lock().remove(id).ok_or_else(gone)?;
        let (done, ended) = oneshot::channel();
        // One that is ending by itself at this moment tells nobody, and drops the sender.
        entry.stop.send(done).unwrap_or_default();
        ended.await.unwrap_or_default();
        Ok(())
    }

    /// Whether this URL is one's own: it exists, and the client is the one that began it.
    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        let (room, _) = place(asked.room, asked.stream)?;
        let shown = bearer(asked.headers).unwrap_or_default();
        let user = {
            let sessions = self.0.sessions.lock();
            let opened = &sessions.get(asked.id).ok_or_else(gone)?.opened;
            let is_here = opened.role == asked.role
                && opened.room.as_str() == asked.room
                && opened.stream.as_str() == asked.stream;
            if !is_here {
                return Err(gone());
            }
            if bool::from(opened.token.expose().as_bytes().ct_eq(shown.as_bytes())) {
                return Ok(());
            }
            (opened.app, opened.user.clone())
        };
        // A newer token of the same user is as good.
        let app = asked.app.or(Some(user.0.0));
        let client = authenticate(self, asked.source, &room, app, asked.headers)?;
        match (client.app, client.user) == user {
            true => Ok(()),
            false => Err(Refusal::new(StatusCode::FORBIDDEN, "the token is another user's")),
        }
    }
}

/// A request about a session.
struct Asked<'a> {
    role: Role,
    room: &'a str,
    stream: &'a str,
    id: &'a str,
    app: Option<u32>,
    source: std::net::IpAddr,
    headers: &'a HeaderMap,
}

/// Ends a session (RFC 9725, section 4.2).
pub(crate) async fn delete(
    State(state): State<WhipState>,
    Extension(role): Extension<Role>,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    Path((room, stream, id)): Path<(String, String, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Response {
    let source = source(address);
    let app = options.app_id;
    let asked =
        Asked { role, room: &room, stream: &stream, id: &id, app, source, headers: &headers };
    if let Err(refusal) = state.check(&asked) {
        return refusal.into_response();
    }
    match state.end(&id).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Takes the client's candidates, which an ICE-lite server has no need of, and refuses a restart
/// (RFC 9725, section 4.3).
pub(crate) async fn patch(
    State(state): State<WhipState>,
    Extension(role): Extension<Role>,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    Path((room, stream, id)): Path<(String, String, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    fragment: String,
) -> Response {
    let source = source(address);
    let app = options.app_id;
    let asked =
        Asked { role, room: &room, stream: &stream, id: &id, app, source, headers: &headers };
    match try_patch(&state, &asked, &fragment) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

fn try_patch(state: &WhipState, asked: &Asked<'_>, fragment: &str) -> Result<(), Refusal> {
    if !is_type(asked.headers, SDP_FRAGMENT) {
        let detail = format!("the body of a PATCH is of type {SDP_FRAGMENT}");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    state.check(asked)?;
    let wanted = asked.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    match wanted {
        None => {
            let detail = "a PATCH names the ICE session in If-Match";
            return Err(Refusal::new(StatusCode::PRECONDITION_REQUIRED, detail));
        }
        Some(wanted) if wanted != "*" && wanted != tag(asked.id) => {
            let detail = "If-Match is not the entity tag of this ICE session";
            return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, detail));
        }
        Some(_) => {}
    }
    let sessions = state.0.sessions.lock();
    let opened = &sessions.get(asked.id).ok_or_else(gone)?.opened;
    match ufrag_of(fragment).is_none_or(|ufrag| ufrag == opened.ufrag) {
        true => Ok(()),
        false => Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "an ICE restart is not taken: begin anew with a POST",
        )),
    }
}

fn gone() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such session, or not any more")
}

fn tag(id: &str) -> String {
    format!("\"{id}\"")
}

/// Whether there is nothing left to keep alive.
fn is_end(role: Role, notice: &Notice) -> bool {
    match notice {
        Notice::Kickout { .. } => true,
        Notice::PublisherState { state: PublishState::Ended(_), .. } => role == Role::Publish,
        Notice::PlayerState { state: PlayState::Ended(_), .. } => role == Role::Play,
        _ => false,
    }
}

/// The first ICE user name fragment in an SDP or a part of one.
pub(crate) fn ufrag_of(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).map(str::trim)
}
