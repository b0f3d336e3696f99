//! The messages of a client: one file per family, where wire and domain meet. Each parses, asks the
//! node, and turns every error into a client code in one exhaustive match.

mod extra_info;
mod heartbeat;
mod hex;
mod ice_servers;
mod login;
mod logout;
mod notice;
mod play;
mod publish;
mod restart_ice;
mod resume;
mod say;
mod snapshot;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use odeum_auth::Token;
use odeum_node::{CommandError, Inbox, SessionRef};
use odeum_proto::signal::{self as wire, ClientMessage, Reply};
use odeum_room::Terminal;
use odeum_types::UserId;

use crate::SignalState;
use crate::code;
use crate::refusal::Refusal;

pub(crate) use login::terminal;
pub(crate) use notice::RenderedNotices;

/// Who sends a message.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The surface.
    pub(crate) state: SignalState,
    /// Where the WebSocket comes from.
    pub(crate) source: IpAddr,
    /// What kind of client it is.
    pub(crate) terminal: Terminal,
}

/// The session that a WebSocket carries.
#[derive(Clone)]
pub(crate) struct OpenSession {
    /// Whose.
    pub(crate) user: UserId,
    /// How the node knows it.
    pub(crate) reference: SessionRef,
    /// What it may do, and until when.
    pub(crate) token: Arc<Token>,
}

/// What a request led to.
pub(crate) enum Handled {
    /// A session is open on this WebSocket.
    Opened {
        /// `logged_in` or `resumed`.
        reply: Reply,
        /// The session.
        session: OpenSession,
        /// Its notices.
        inbox: Inbox,
    },
    /// The session has a new token.
    Renewed {
        /// `done`.
        reply: Reply,
        /// The token.
        token: Token,
    },
    /// Done, and the session goes on.
    Answered(Reply),
    /// The session is over, as the client wished.
    Ended(Reply),
}

impl OpenSession {
    /// A session that was just opened or resumed with `token`.
    pub(crate) fn new(user: UserId, reference: SessionRef, token: Token) -> Self {
        Self { user, reference, token: Arc::new(token) }
    }
}

/// Carries out `message` for `caller`, whose WebSocket has `session`.
pub(crate) async fn handle(
    caller: Caller,
    session: Option<OpenSession>,
    message: ClientMessage,
) -> Result<Handled, Refusal> {
    let message = match message {
        ClientMessage::Login(login) => {
            check_no_session(session.as_ref(), &login.room_id)?;
            return login::handle(caller, login).await;
        }
        ClientMessage::Resume(resume) => {
            check_no_session(session.as_ref(), &resume.room_id)?;
            return resume::handle(caller, resume).await;
        }
        other => other,
    };
    let session = check_session(session, room_id(&message))?;
    match message {
        ClientMessage::Login(_) | ClientMessage::Resume(_) => unreachable!("handled above"),
        ClientMessage::Logout(message) => logout::handle(caller, session, message).await,
        ClientMessage::RenewToken(message) => token::handle(caller, session, message).await,
        ClientMessage::Heartbeat(message) => heartbeat::handle(caller, session, message).await,
        ClientMessage::Publish(message) => publish::handle(caller, session, message).await,
        ClientMessage::Unpublish(message) => publish::stop(caller, session, message).await,
        ClientMessage::Play(message) => play::handle(caller, session, message).await,
        ClientMessage::Unplay(message) => play::stop(caller, session, message).await,
        ClientMessage::SetPlayVideo(message) => play::set_video(caller, session, message).await,
        ClientMessage::RestartIce(message) => restart_ice::handle(caller, session, message).await,
        ClientMessage::SendBroadcastMessage(message) => {
            say::broadcast(caller, session, message).await
        }
        ClientMessage::SendBarrageMessage(message) => say::barrage(caller, session, message).await,
        ClientMessage::SendCustomCommand(message) => say::command(caller, session, message).await,
        ClientMessage::SetRoomExtraInfo(message) => {
            extra_info::set_of_room(caller, session, message).await
        }
        ClientMessage::SetStreamExtraInfo(message) => {
            extra_info::set_of_stream(caller, session, message).await
        }
    }
}

/// The `request_id` of `message`.
pub(crate) fn request_id(message: &ClientMessage) -> u64 {
    match message {
        ClientMessage::Login(message) => message.request_id,
        ClientMessage::Resume(message) => message.request_id,
        ClientMessage::Logout(message) => message.request_id,
        ClientMessage::RenewToken(message) => message.request_id,
        ClientMessage::Heartbeat(message) => message.request_id,
        ClientMessage::Publish(message) => message.request_id,
        ClientMessage::Unpublish(message) | ClientMessage::Unplay(message) => message.request_id,
        ClientMessage::Play(message) => message.request_id,
        ClientMessage::SetPlayVideo(message) => message.request_id,
        ClientMessage::RestartIce(message) => message.request_id,
        ClientMessage::SendBroadcastMessage(message)
        | ClientMessage::SendBarrageMessage(message) => message.request_id,
        ClientMessage::SendCustomCommand(message) => message.request_id,
        ClientMessage::SetRoomExtraInfo(message) => message.request_id,
        ClientMessage::SetStreamExtraInfo(message) => message.request_id,
    }
}

fn room_id(message: &ClientMessage) -> &str {
    match message {
        ClientMessage::Login(message) => &message.room_id,
        ClientMessage::Resume(message) => &message.room_id,
        ClientMessage::Logout(message) => &message.room_id,
        ClientMessage::RenewToken(message) => &message.room_id,
        ClientMessage::Heartbeat(message) => &message.room_id,
        ClientMessage::Publish(message) => &message.room_id,
        ClientMessage::Unpublish(message) | ClientMessage::Unplay(message) => &message.room_id,
        ClientMessage::Play(message) => &message.room_id,
        ClientMessage::SetPlayVideo(message) => &message.room_id,
        ClientMessage::RestartIce(message) => &message.room_id,
        ClientMessage::SendBroadcastMessage(message)
        | ClientMessage::SendBarrageMessage(message) => &message.room_id,
        ClientMessage::SendCustomCommand(message) => &message.room_id,
        ClientMessage::SetRoomExtraInfo(message) => &message.room_id,
        ClientMessage::SetStreamExtraInfo(message) => &message.room_id,
    }
}

/// A WebSocket has one session in its life.
fn check_no_session(session: Option<&OpenSession>, room_id: &str) -> Result<(), Refusal> {
    match session {
        None => Ok(()),
        Some(session) if session.reference.room.as_str() == room_id => Err(Refusal::new(
            code::LOGGED_IN_TWICE,
            format!("this WebSocket is logged in to room {room_id} already"),
        )),
        Some(session) => Err(Refusal::new(
            code::TOO_MANY_ROOMS,
            format!("this WebSocket is logged in to room {}", session.reference.room),
        )),
    }
}

fn check_session(session: Option<OpenSession>, room_id: &str) -> Result<OpenSession, Refusal> {
    session.filter(|session| session.reference.room.as_str() == room_id).ok_or_else(|| {
        Refusal::new(code::NOT_LOGGED_IN, format!("this WebSocket is not in room {room_id}"))
    })
}

fn check_version(version: u32) -> Result<(), Refusal> {
    if version == wire::VERSION {
        return Ok(());
    }
    let sentence = format!("version {version} is not spoken here, only {}", wire::VERSION);
    Err(Refusal::new(code::BAD_PARAMETER, sentence))
}

/// What every command may fail with.
fn command_refusal(error: CommandError) -> Refusal {
    let code = match error {
        CommandError::NoRoom => code::NOT_LOGGED_IN,
        CommandError::Overloaded | CommandError::DeadlinePassed => code::TIMED_OUT,
        CommandError::ShuttingDown | CommandError::EventsFull | CommandError::RoomFailed => {
            code::INTERNAL
        }
    };
    Refusal::new(code, error)
}
