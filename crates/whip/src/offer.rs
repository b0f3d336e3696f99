//! The POST that begins: who is it, may they, then room, media plane and answer (RFC 9725, section
//! 4.2).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use odeum_auth::{Token, TokenForm, TurnHolder};
use odeum_node::{LoggedIn, LoginRequest, PlayWish, VideoWish};
use odeum_room::{AuthLevel, Terminal, UserUpdate};
use odeum_types::{AppId, Codec, Redacted, RoomId, StreamId, UserId, UserName};
use serde::Deserialize;

use crate::headers::{SDP, UNTAKEN_CODECS, bearer, is_type};
use crate::links;
use crate::refusal::{Refusal, may_not_publish};
use crate::session::{Opened, ufrag_of};
use crate::{Role, WhipState, source};

/// What may stand behind the `?`.
#[derive(Debug, Deserialize)]
pub(crate) struct Options {
    /// The app; may be left out where the server has one.
    pub(crate) app_id: Option<u32>,
    /// What the user is called; the user id when it is left out.
    user_name: Option<String>,
    /// Of WHEP: rows of pixels that the player shows, no more than the layer that has them.
    video_height: Option<u16>,
}

/// A client that has proved who it is.
pub(crate) struct Client {
    pub(crate) app: AppId,
    pub(crate) user: UserId,
    pub(crate) token: Token,
}

/// Answers an offer with 201 and the URL of what has begun.
pub(crate) async fn begin(
    State(state): State<WhipState>,
    Extension(role): Extension<Role>,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    Path((room, stream)): Path<(String, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    offer: String,
) -> Response {
    let place = match place(&room, &stream) {
        Ok(place) => place,
        Err(refusal) => return refusal.into_response(),
    };
    let begun = try_begin(&state, role, source(address), place, options, &headers, offer).await;
    match begun {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

/// The room and the stream that a path names.
pub(crate) fn place(room: &str, stream: &str) -> Result<(RoomId, StreamId), Refusal> {
    let bad = |what: &str, error: &dyn std::fmt::Display| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("{what}: {error}"))
    };
    let room = RoomId::parse(room).map_err(|error| bad("room", &error))?;
    let stream = StreamId::parse(stream).map_err(|error| bad("stream", &error))?;
    Ok((room, stream))
}

async fn try_begin(
    state: &WhipState,
    role: Role,
    source: IpAddr,
    (room, stream): (RoomId, StreamId),
    options: Options,
    headers: &HeaderMap,
    offer: String,
) -> Result<Response, Refusal> {
    if !is_type(headers, SDP) {
        let detail = format!("the body of a POST is of type {SDP}");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let client = authenticate(state, source, &room, options.app_id, headers)?;
    if role == Role::Publish && !client.token.rights.may_publish(&stream) {
        return Err(may_not_publish());
    }
    let name = options.user_name.as_deref().unwrap_or(client.user.as_str());
    let name = UserName::parse(name)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("user_name: {error}")))?;
    let logged_in = login(state, &room, &client, name, source).await?;
    let reference = logged_in.session.clone();
    let ufrag = ufrag_of(&offer).unwrap_or_default().to_owned();
    let node = &state.0.node;
    let answer: Result<(String, Vec<Codec>), Refusal> = match role {
        Role::Publish => {
            let extra_info = Arc::from("");
            let answer = node.publish(&reference, source, stream.clone(), offer, extra_info);
            answer.await.map(|sdp| (sdp, Vec::new())).map_err(Refusal::from)
        }
        Role::Play => {
            // What the player cannot take is inactive in its answer, and named beside it.
            let video = options.video_height.map_or(VideoWish::Best, VideoWish::Height);
            let wish = PlayWish { video, ..PlayWish::default() };
            let answer = node.play(&reference, stream.clone(), offer, wish).await;
            answer.map(|answer| (answer.sdp, answer.untaken)).map_err(Refusal::from)
        }
    };
    let (answer, untaken) = match answer {
        Ok(answer) => answer,
        Err(refusal) => {
            // The room may have ended it already.
            drop(node.logout(&reference).await);
            return Err(refusal);
        }
    };
    let token = Redacted::new(bearer(headers).unwrap_or_default().to_owned());
    let Client { app, user, .. } = client;
    let holder = TurnHolder { app, user: user.clone(), session: Some(reference.session) };
    let servers = state.0.ice_servers.grants(&holder, state.now());
    let opened = Opened { role, app, user, room, stream, token, ufrag, ice_restarts: 0, reference };
    let (location, tag) = state.open(opened, logged_in.inbox);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(SDP)),
        (header::LOCATION, text(&location)),
        (header::ETAG, text(&tag)),
        (
            header::HeaderName::from_static("accept-patch"),
            HeaderValue::from_static(crate::headers::SDP_FRAGMENT),
        ),
    ];
    let mut response = (StatusCode::CREATED, headers, answer).into_response();
    links::add(response.headers_mut(), &servers);
    for codec in &untaken {
        response.headers_mut().append(UNTAKEN_CODECS, text(&codec.to_string()));
    }
    Ok(response)
}

/// Who asks, by token. A failure counts against the address.
pub(crate) fn authenticate(
    state: &WhipState,
    source: IpAddr,
    room: &RoomId,
    app: Option<u32>,
    headers: &HeaderMap,
) -> Result<Client, Refusal> {
    let app = the_app(state, app)?;
    let text = bearer(headers).ok_or_else(|| {
        Refusal::new(StatusCode::UNAUTHORIZED, "no token: send Authorization: Bearer <token>")
    })?;
    let credentials = state.0.apps.get(app).ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, format!("there is no app {app} here"))
    })?;
    let (failed_logins, now) = (&state.0.failed_logins, Instant::now());
    if !failed_logins.may_try(now, source) {
        let detail = "too many failed logins from this address, try again in a second";
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    let token = credentials
        .open_bearer(text, app, room, state.now())
        .inspect_err(|_| failed_logins.failed(now, source))?;
    let user = UserId::parse(&token.user).map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the user id of the token: {error}"))
    })?;
    Ok(Client { app, user, token })
}

fn the_app(state: &WhipState, given: Option<u32>) -> Result<AppId, Refusal> {
    if let Some(app) = given {
        return Ok(AppId(app));
    }
    match state.0.apps.ids()[..] {
        [only] => Ok(only),
        _ => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "this server has several apps: say which one with ?app_id=…",
        )),
    }
}

async fn login(
    state: &WhipState,
    room: &RoomId,
    client: &Client,
    name: UserName,
    source: IpAddr,
) -> Result<LoggedIn, Refusal> {
    let request = LoginRequest {
        user: client.user.clone(),
        name,
        user_update: UserUpdate::Not,
        users_max: None,
        token_expires_at: Some(state.on_nodes_clock(client.token.expires_at)),
        auth_level: match client.token.form {
            TokenForm::Token03 => AuthLevel::Token03,
            TokenForm::Token04Cbc | TokenForm::Token04Gcm => AuthLevel::Token04,
        },
        terminal: Terminal::Unknown,
        source,
    };
    Ok(state.0.node.login(client.app, room, request).await?)
}

/// A header of characters that were chosen here.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}
