//! `send_broadcast_message`, `send_barrage_message` and `send_custom_command`: what a client says
//! to others.

use odeum_proto::signal::{self as wire, Reply};
use odeum_room::{
    BarrageError, BroadcastError, CommandTargets, MessageText, MessageTextError, SendCommandError,
};
use odeum_types::{IdError, UserId};

use super::{Caller, Handled, OpenSession, command_refusal};
use crate::code;
use crate::refusal::{Refusal, USER_ID};

/// Says something to all others, reliably.
pub(crate) async fn broadcast(
    caller: Caller,
    session: OpenSession,
    message: wire::SendMessage,
) -> Result<Handled, Refusal> {
    let text = parse(&message.message)?;
    let sent = caller.state.node().broadcast(&session.reference, text).await;
    match sent.map_err(command_refusal)? {
        Ok(_) => Ok(Handled::Answered(Reply::Done { request_id: message.request_id })),
        Err(error) => Err(refuse_broadcast(error)),
    }
}

/// Says something to all others that may be lost.
pub(crate) async fn barrage(
    caller: Caller,
    session: OpenSession,
    message: wire::SendMessage,
) -> Result<Handled, Refusal> {
    let text = parse(&message.message)?;
    let sent = caller.state.node().barrage(&session.reference, text).await;
    match sent.map_err(command_refusal)? {
        Ok(_) => Ok(Handled::Answered(Reply::Done { request_id: message.request_id })),
        Err(error) => Err(refuse_barrage(error)),
    }
}

/// Sends a command to some others or all, and says who of them is not there.
pub(crate) async fn command(
    caller: Caller,
    session: OpenSession,
    message: wire::SendCustomCommand,
) -> Result<Handled, Refusal> {
    let text = parse(&message.command)?;
    let targets = targets(&message.to_user_ids).map_err(|error| USER_ID.refuse(error))?;
    let sent = caller.state.node().send_command(&session.reference, targets, text).await;
    match sent.map_err(command_refusal)? {
        Ok(sent) => Ok(Handled::Answered(Reply::CommandSent(wire::CommandSent {
            request_id: message.request_id,
            offline_user_ids: sent.offline.iter().map(|user| user.as_str().to_owned()).collect(),
        }))),
        Err(error) => Err(refuse_command(error)),
    }
}

fn parse(text: &str) -> Result<MessageText, Refusal> {
    MessageText::parse(text).map_err(|error| {
        let code = match error {
            MessageTextError::Empty => code::MESSAGE_EMPTY,
            MessageTextError::TooLong => code::MESSAGE_TOO_LONG,
        };
        Refusal::new(code, error)
    })
}

fn targets(user_ids: &[String]) -> Result<CommandTargets, IdError> {
    if user_ids.is_empty() {
        return Ok(CommandTargets::Everyone);
    }
    let users: Result<Vec<UserId>, IdError> =
        user_ids.iter().map(|user_id| UserId::parse(user_id)).collect();
    users.map(CommandTargets::Users)
}

fn refuse_broadcast(error: BroadcastError) -> Refusal {
    let code = match error {
        BroadcastError::NoSession(_) => code::NOT_LOGGED_IN,
        BroadcastError::UserTooOften { .. } => code::BROADCAST_TOO_OFTEN,
        BroadcastError::RoomTooOften { .. } => code::TOO_OFTEN,
    };
    Refusal::new(code, error)
}

fn refuse_barrage(error: BarrageError) -> Refusal {
    let code = match error {
        BarrageError::NoSession(_) => code::NOT_LOGGED_IN,
        BarrageError::TooOften { .. } => code::TOO_OFTEN,
    };
    Refusal::new(code, error)
}

fn refuse_command(error: SendCommandError) -> Refusal {
    let code = match error {
        SendCommandError::NoSession(_) => code::NOT_LOGGED_IN,
        SendCommandError::TooOften { .. } => code::TOO_OFTEN,
        SendCommandError::TooManyTargets { .. } => code::BAD_PARAMETER,
    };
    Refusal::new(code, error)
}
