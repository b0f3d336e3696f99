//! `resume`: carries a session on over a new WebSocket (ruling 17).

use std::time::Instant;

use odeum_auth::TokenUse;
use odeum_node::{ResumeFailed, ResumeRequest};
use odeum_proto::signal::{self as wire, Reply};
use odeum_room::{ResumeError, ResumeSecret};
use odeum_types::{AppId, RoomId, SessionId, UserId};

use super::notice::numbered;
use super::snapshot::wire_snapshot;
use super::{
    Caller, Handled, OpenSession, check_version, command_refusal, hex, ice_servers, token,
};
use crate::code;
use crate::refusal::{ROOM_ID, Refusal, USER_ID};

/// Gives `caller` the session that it proves to be its own.
pub(crate) async fn handle(caller: Caller, message: wire::Resume) -> Result<Handled, Refusal> {
    check_version(message.version)?;
    let app = AppId(message.app_id);
    let room = RoomId::parse(&message.room_id).map_err(|error| ROOM_ID.refuse(error))?;
    let user = UserId::parse(&message.user_id).map_err(|error| USER_ID.refuse(error))?;
    let secret = hex::parse(&message.resume_secret)
        .map(ResumeSecret::new)
        .ok_or_else(|| Refusal::new(code::BAD_PARAMETER, "resume_secret is 32 hex characters"))?;
    let token = token::check_counted(
        &caller,
        Instant::now(),
        token::Shown {
            app,
            room: &room,
            user: &user,
            text: &message.token,
            token_use: TokenUse::Login,
        },
    )?;
    let resumed = caller
        .state
        .node()
        .resume(
            app,
            &room,
            ResumeRequest {
                session: SessionId(message.session_id),
                user: user.clone(),
                secret,
                last_sequence: message.last_sequence,
                token_expires_at: Some(caller.state.on_nodes_clock(token.expires_at)),
            },
        )
        .await
        .map_err(|failed| {
            if let ResumeFailed::Room(ResumeError::WrongSecret(_)) = failed {
                // A guess at somebody's session: it counts as a failed login. A session that is
                // gone does not: after a long loss of a network all of its clients have none.
                caller.state.failed_logins().failed(Instant::now(), caller.source);
            }
            refuse(failed)
        })?;
    let mut reply = wire::Resumed {
        request_id: message.request_id,
        room_id: message.room_id,
        resume_secret: hex::write(resumed.resume_secret.expose()),
        ice_servers: ice_servers::for_session(&caller, &user, &resumed.session),
        snapshot: None,
        messages: Vec::new(),
        messages_lost: 0,
    };
    if let Some(catch_up) = &resumed.catch_up {
        reply.snapshot = Some(wire_snapshot(&catch_up.snapshot));
        reply.messages = catch_up.messages.iter().filter_map(|own| numbered(&room, own)).collect();
        reply.messages_lost = catch_up.messages_lost;
    }
    Ok(Handled::Opened {
        reply: Reply::Resumed(reply),
        session: OpenSession::new(user, resumed.session, token),
        inbox: resumed.inbox,
    })
}

/// All that is wrong with the session itself looks alike from outside.
fn refuse(failed: ResumeFailed) -> Refusal {
    let gone = || Refusal::new(code::SESSION_GONE, "the session cannot be resumed, log in anew");
    match failed {
        ResumeFailed::Room(
            ResumeError::NoSession(_)
            | ResumeError::WrongSecret(_)
            | ResumeError::SequenceNeverSent { .. },
        ) => gone(),
        ResumeFailed::Command(error) => command_refusal(error),
    }
}
