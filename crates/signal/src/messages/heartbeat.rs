//! `heartbeat`: a sign of life, and which notices need not be kept any longer.

use odeum_proto::signal::{self as wire, Reply};
use odeum_room::HeartbeatError;

use super::{Caller, Handled, OpenSession, command_refusal};
use crate::code;
use crate::refusal::Refusal;

/// Notes that the client is alive.
pub(crate) async fn handle(
    caller: Caller,
    session: OpenSession,
    message: wire::Heartbeat,
) -> Result<Handled, Refusal> {
    let heard = caller.state.node().heartbeat(&session.reference, message.last_sequence).await;
    match heard.map_err(command_refusal)? {
        Ok(()) => Ok(Handled::Answered(Reply::Done { request_id: message.request_id })),
        Err(error) => Err(refuse(error)),
    }
}

fn refuse(error: HeartbeatError) -> Refusal {
    let code = match error {
        HeartbeatError::NoSession(_) => code::NOT_LOGGED_IN,
        HeartbeatError::SequenceNeverSent { .. } => code::BAD_PARAMETER,
    };
    Refusal::new(code, error)
}
