//! `login`: opens a session. Checks what can be checked without the room, then asks the node.

use std::time::Instant;

use odeum_auth::{Token, TokenForm, TokenUse};
use odeum_node::{LoginFailed, LoginRequest};
use odeum_proto::signal::{self as wire, Reply};
use odeum_room::{AuthLevel, LoginError, Terminal, UserUpdate};
use odeum_types::{AppId, RoomId, UserId, UserName};

use super::snapshot::wire_snapshot;
use super::{
    Caller, Handled, OpenSession, check_version, command_refusal, hex, ice_servers, token,
};
use crate::code;
use crate::refusal::{ROOM_ID, Refusal, USER_ID, USER_NAME};

/// A login whose shape is right.
struct Request {
    /// The app.
    app: AppId,
    /// The room.
    room: RoomId,
    /// Who.
    user: UserId,
    /// What the user is called.
    name: UserName,
}

/// Opens a session for `caller`.
pub(crate) async fn handle(caller: Caller, message: wire::Login) -> Result<Handled, Refusal> {
    let request = parse(&message)?;
    let token = check_token(&caller, &request, &message.token)?;
    let (app, room, user) = (request.app, request.room, request.user);
    let logged_in = caller
        .state
        .node()
        .login(
            app,
            &room,
            LoginRequest {
                user: user.clone(),
                name: request.name,
                user_update: if message.user_update {
                    UserUpdate::Subscribed
                } else {
                    UserUpdate::Not
                },
                users_max: Some(message.max_member_count).filter(|users_max| *users_max > 0),
                token_expires_at: Some(caller.state.on_nodes_clock(token.expires_at)),
                auth_level: auth_level(token.form),
                terminal: caller.terminal,
                source: caller.source,
            },
        )
        .await
        .map_err(refuse)?;
    let heartbeat_timeout = caller.state.heartbeat_timeout();
    let reply = Reply::LoggedIn(wire::LoggedIn {
        request_id: message.request_id,
        room_id: message.room_id,
        session_id: logged_in.session.session.0,
        resume_secret: hex::write(logged_in.resume_secret.expose()),
        heartbeat_interval_ms: (heartbeat_timeout / 5).as_millis() as u64,
        heartbeat_timeout_ms: heartbeat_timeout.as_millis() as u64,
        ice_servers: ice_servers::for_session(&caller, &user, &logged_in.session),
        snapshot: wire_snapshot(&logged_in.snapshot),
    });
    Ok(Handled::Opened {
        reply,
        session: OpenSession::new(user, logged_in.session, token),
        inbox: logged_in.inbox,
    })
}

fn parse(message: &wire::Login) -> Result<Request, Refusal> {
    check_version(message.version)?;
    Ok(Request {
        app: AppId(message.app_id),
        room: RoomId::parse(&message.room_id).map_err(|error| ROOM_ID.refuse(error))?,
        user: UserId::parse(&message.user_id).map_err(|error| USER_ID.refuse(error))?,
        name: UserName::parse(&message.user_name).map_err(|error| USER_NAME.refuse(error))?,
    })
}

fn check_token(caller: &Caller, request: &Request, text: &str) -> Result<Token, Refusal> {
    token::check_counted(
        caller,
        Instant::now(),
        token::Shown {
            app: request.app,
            room: &request.room,
            user: &request.user,
            text,
            token_use: TokenUse::Login,
        },
    )
}

fn auth_level(form: TokenForm) -> AuthLevel {
    match form {
        TokenForm::Token03 => AuthLevel::Token03,
        TokenForm::Token04Cbc | TokenForm::Token04Gcm => AuthLevel::Token04,
    }
}

fn refuse(failed: LoginFailed) -> Refusal {
    match failed {
        LoginFailed::Room(error @ LoginError::RoomFull { .. }) => {
            Refusal::new(code::ROOM_FULL, error)
        }
        LoginFailed::Room(error @ LoginError::RoomOver) => Refusal::new(code::TIMED_OUT, error),
        LoginFailed::Command(error) => command_refusal(error),
        LoginFailed::Forbidden(_) => Refusal::new(code::LOGIN_FORBIDDEN, failed),
        LoginFailed::NoApp(_) => Refusal::new(code::APP_REFUSED, failed),
        LoginFailed::TooManyRooms { .. } | LoginFailed::TooManyUsers { .. } => {
            Refusal::new(code::INTERNAL, failed)
        }
        LoginFailed::Overtaken(_) => Refusal::new(code::LOGGED_IN_ELSEWHERE, failed),
    }
}

/// What kind of client a `User-Agent` names; only for the login event.
pub(crate) fn terminal(user_agent: Option<&str>) -> Terminal {
    match user_agent {
        Some(text) if text.starts_with("Mozilla/") => Terminal::Web,
        Some(_) | None => Terminal::Unknown,
    }
}
