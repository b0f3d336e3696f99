//! `publish` and `unpublish`: a stream of the session's own.

use odeum_auth::client_code;
use odeum_node::PublishFailed;
use odeum_proto::signal::{self as wire, Reply};
use odeum_room::{PublishError, StopPublishingError};
use odeum_types::StreamId;

use super::{Caller, Handled, OpenSession, command_refusal, extra_info};
use crate::code;
use crate::refusal::{Refusal, STREAM_ID};

/// Prepares a transport for a stream that the client offers to send. The stream comes into the
/// room's list when the transport is connected.
pub(crate) async fn handle(
    caller: Caller,
    session: OpenSession,
    message: wire::Publish,
) -> Result<Handled, Refusal> {
    let stream = StreamId::parse(&message.stream_id).map_err(|error| STREAM_ID.refuse(error))?;
    extra_info::check(&message.extra_info)?;
    let token = &session.token;
    if token.expires_at <= caller.state.now() || !token.rights.may_publish(&stream) {
        return Err(Refusal::new(
            client_code::PUBLISH_REFUSED,
            format!("the token does not allow to publish {stream}, or it has expired"),
        ));
    }
    let node = caller.state.node();
    let published = node
        .publish(&session.reference, caller.source, stream, message.sdp, message.extra_info.into())
        .await;
    Ok(Handled::Answered(Reply::Answer(wire::Answer {
        request_id: message.request_id,
        room_id: message.room_id,
        stream_id: message.stream_id,
        sdp: published.map_err(refuse)?,
        untaken_codecs: Vec::new(),
    })))
}

/// Stops a stream of the client.
pub(crate) async fn stop(
    caller: Caller,
    session: OpenSession,
    message: wire::StreamRequest,
) -> Result<Handled, Refusal> {
    let stream = StreamId::parse(&message.stream_id).map_err(|error| STREAM_ID.refuse(error))?;
    let stopped = caller.state.node().unpublish(&session.reference, stream).await;
    match stopped.map_err(command_refusal)? {
        Ok(()) => Ok(Handled::Answered(Reply::Done { request_id: message.request_id })),
        Err(error) => Err(refuse_stop(error)),
    }
}

fn refuse(failed: PublishFailed) -> Refusal {
    match failed {
        PublishFailed::Room(error @ PublishError::NoSession(_)) => {
            Refusal::new(code::NOT_LOGGED_IN, error)
        }
        PublishFailed::Room(error @ PublishError::StreamTaken(_)) => {
            Refusal::new(code::STREAM_EXISTS, error)
        }
        PublishFailed::Room(
            error @ (PublishError::UserForbidden(_) | PublishError::StreamForbidden(_)),
        ) => Refusal::new(code::PUBLISH_STOPPED, error),
        PublishFailed::Room(error @ PublishError::TooManyStreams { .. }) => {
            Refusal::new(code::PUBLISH_TOO_MANY, error)
        }
        PublishFailed::Offer(error) => Refusal::new(code::PUBLISH_OFFER, error),
        PublishFailed::Command(error) => command_refusal(error),
    }
}

fn refuse_stop(error: StopPublishingError) -> Refusal {
    let code = match error {
        StopPublishingError::NoSession(_) => code::NOT_LOGGED_IN,
        StopPublishingError::NotPublishing(_) => code::NOT_PUBLISHING,
    };
    Refusal::new(code, error)
}
