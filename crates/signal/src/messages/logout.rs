//! `logout`: ends the session; the WebSocket is closed after the reply.

use odeum_proto::signal::{self as wire, Reply};
use odeum_room::LeaveError;

use super::{Caller, Handled, OpenSession, command_refusal};
use crate::refusal::Refusal;

/// Ends the session.
pub(crate) async fn handle(
    caller: Caller,
    session: OpenSession,
    message: wire::RoomRequest,
) -> Result<Handled, Refusal> {
    let left = caller.state.node().logout(&session.reference).await.map_err(command_refusal)?;
    match left {
        // A session that ended meanwhile is as logged out as one that ends now.
        Ok(()) | Err(LeaveError::NoSession(_)) => {
            Ok(Handled::Ended(Reply::Done { request_id: message.request_id }))
        }
    }
}
