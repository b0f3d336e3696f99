//! What a POST has begun, at a URL of its own: kept alive here, because its client has no
//! signalling, and ended by DELETE, by its stream's end, or by the room.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{ConnectInfo, Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use odeum_node::{
    CommandError, IceCredentials, IceUfrag, Inbox, Outgoing, SessionRef, TransportUse,
};
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
    /// ICE restarts so far; with the id it is the entity tag.
    pub(crate) ice_restarts: u64,
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
    /// its ICE session.
    pub(crate) fn open(&self, opened: Opened, inbox: Inbox) -> (String, String) {
        let id = format!("{:032x}", rand::random::<u128>());
        let Opened { role, room, stream, .. } = &opened;
        let location = format!("/{}/{room}/{stream}/{id}", role.path());
        let (role, reference) = (opened.role, opened.reference.clone());
        let (stop, stopped) = oneshot::channel();
        self.0.sessions.lock().insert(id.clone(), Entry { opened, stop });
        let tag = tag(&id, 0);
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

/// Takes the client's candidates, which an ICE-lite server has no need of, or restarts ICE (RFC
/// 9725, section 4.3).
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
    match try_patch(&state, &asked, &fragment).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn try_patch(
    state: &WhipState,
    asked: &Asked<'_>,
    fragment: &str,
) -> Result<Response, Refusal> {
    if !is_type(asked.headers, SDP_FRAGMENT) {
        let detail = format!("the body of a PATCH is of type {SDP_FRAGMENT}");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    state.check(asked)?;
    let (known, restarts, reference) = {
        let sessions = state.0.sessions.lock();
        let opened = &sessions.get(asked.id).ok_or_else(gone)?.opened;
        (opened.ufrag.clone(), opened.ice_restarts, opened.reference.clone())
    };
    let wanted = asked.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    match wanted {
        None => {
            let detail = "a PATCH names the ICE session in If-Match";
            return Err(Refusal::new(StatusCode::PRECONDITION_REQUIRED, detail));
        }
        Some(wanted) if wanted != "*" && wanted != tag(asked.id, restarts) => {
            let detail = "If-Match is not the entity tag of this ICE session";
            return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, detail));
        }
        Some(_) => {}
    }
    match ufrag_of(fragment) {
        Some(ufrag) if ufrag != known => restart_ice(state, asked, &reference, fragment).await,
        Some(_) | None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Restarts ICE for the user name fragment in `fragment`; answers with the server's new one.
async fn restart_ice(
    state: &WhipState,
    asked: &Asked<'_>,
    reference: &SessionRef,
    fragment: &str,
) -> Result<Response, Refusal> {
    let bad = |error: &dyn std::fmt::Display| Refusal::new(StatusCode::BAD_REQUEST, error);
    let (_, stream) = place(asked.room, asked.stream)?;
    let ufrag = ufrag_of(fragment).unwrap_or_default();
    let remote_ufrag = IceUfrag::parse(ufrag).map_err(|error| bad(&error))?;
    let of = match asked.role {
        Role::Publish => TransportUse::Publish,
        Role::Play => TransportUse::Play,
    };
    let restarted = state.0.node.restart_ice(reference, of, stream, remote_ufrag).await;
    let credentials = restarted?;
    let restarts = {
        let mut sessions = state.0.sessions.lock();
        let opened = &mut sessions.get_mut(asked.id).ok_or_else(gone)?.opened;
        ufrag.clone_into(&mut opened.ufrag);
        opened.ice_restarts += 1;
        opened.ice_restarts
    };
    let headers =
        [(header::CONTENT_TYPE, SDP_FRAGMENT.to_owned()), (header::ETAG, tag(asked.id, restarts))];
    Ok((StatusCode::OK, headers, answering_fragment(fragment, &credentials)).into_response())
}

/// The server's half of a restart (RFC 8840, section 9): its credentials, for the line that the
/// client's are for, where it names one.
fn answering_fragment(fragment: &str, credentials: &IceCredentials) -> String {
    let line = |prefix: &str| {
        let mut lines = fragment.lines().map(str::trim_end);
        lines.find(|line| line.starts_with(prefix)).map(|line| format!("{line}\r\n"))
    };
    let media = line("m=").zip(line("a=mid:")).map(|(media, mid)| media + &mid);
    format!(
        "a=ice-lite\r\n{}a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
        media.unwrap_or_default(),
        credentials.ufrag,
        credentials.password.expose(),
    )
}

fn gone() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such session, or not any more")
}

fn tag(id: &str, ice_restarts: u64) -> String {
    format!("\"{id}-{ice_restarts}\"")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_restart_is_for_the_line_that_was_named() {
        let credentials =
            IceCredentials { ufrag: "server".into(), password: Redacted::new("password".into()) };
        let ours = "a=ice-ufrag:server\r\na=ice-pwd:password\r\n";
        let plain = answering_fragment("a=ice-ufrag:client\r\n", &credentials);
        assert_eq!(plain, format!("a=ice-lite\r\n{ours}"));
        let named = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
                     a=ice-ufrag:client\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n";
        assert_eq!(
            answering_fragment(named, &credentials),
            format!("a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n{ours}"),
        );
    }
}
