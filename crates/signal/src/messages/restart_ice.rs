//! `restart_ice`: the transport of a stream goes on over another network.

use odeum_node::{IceRestartFailed, IceUfrag, TransportUse};
use odeum_proto::signal::{self as wire, Reply};
use odeum_room::{StopPlayingError, StopPublishingError};
use odeum_types::StreamId;

use super::{Caller, Handled, OpenSession, command_refusal};
use crate::code;
use crate::refusal::{Refusal, STREAM_ID};

/// Gives the client new credentials for a transport that it has.
pub(crate) async fn handle(
    caller: Caller,
    session: OpenSession,
    message: wire::RestartIce,
) -> Result<Handled, Refusal> {
    let stream = StreamId::parse(&message.stream_id).map_err(|error| STREAM_ID.refuse(error))?;
    let remote_ufrag = IceUfrag::parse(&message.ice_ufrag)
        .map_err(|error| Refusal::new(code::BAD_PARAMETER, error))?;
    let of = match message.transport {
        wire::TransportUse::Publish => TransportUse::Publish,
        wire::TransportUse::Play => TransportUse::Play,
    };
    let node = caller.state.node();
    let restarted = node.restart_ice(&session.reference, of, stream, remote_ufrag).await;
    let credentials = restarted.map_err(|failed| refuse(of, failed))?;
    Ok(Handled::Answered(Reply::IceRestarted(wire::IceRestarted {
        request_id: message.request_id,
        room_id: message.room_id,
        stream_id: message.stream_id,
        ice_ufrag: credentials.ufrag,
        ice_pwd: credentials.password.expose().clone(),
    })))
}

fn refuse(of: TransportUse, failed: IceRestartFailed) -> Refusal {
    let code = match (&failed, of) {
        (
            IceRestartFailed::NotPublishing(StopPublishingError::NoSession(_))
            | IceRestartFailed::NotPlaying(StopPlayingError::NoSession(_)),
            _,
        ) => code::NOT_LOGGED_IN,
        (IceRestartFailed::NotPublishing(StopPublishingError::NotPublishing(_)), _)
        | (IceRestartFailed::NoTransport(_), TransportUse::Publish) => code::NOT_PUBLISHING,
        (IceRestartFailed::NotPlaying(StopPlayingError::NotPlaying(_)), _)
        | (IceRestartFailed::NoTransport(_), TransportUse::Play) => code::NOT_PLAYING,
        (IceRestartFailed::Command(error), _) => return command_refusal(*error),
    };
    Refusal::new(code, failed)
}
