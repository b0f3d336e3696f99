//! DescribeRTCStreamState: whether a stream is live, was, or is unknown (contract, semantics 8).

use odeum_proto::api::StreamState;
use odeum_proto::return_code::{Group, gateway, media_service};
use odeum_types::UnixMillis;

use crate::call::{Answer, Call};
use crate::parameter::{MEDIA_STREAM_ID, SEQUENCE};
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema, stream_control};

pub(crate) const ACTION: Action = Action {
    name: "DescribeRTCStreamState",
    group: Group::MediaService,
    limits: Limits::per_second(40, Some(10)),
    summary: "Whether a stream is live, has closed, or is unknown.",
    parameters: &[MEDIA_STREAM_ID, SEQUENCE],
    data: Some(schema::<StreamState>),
    codes: &[media_service::STREAM_UNKNOWN, media_service::STREAM_CLOSED],
    run: |call| Box::pin(answer(call)),
};

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let parameters = call.parameters()?;
    let (stream, sequence) = (parameters.stream()?, parameters.sequence()?);
    call.node()
        .take_sequence(call.app, &stream, sequence)
        .map_err(|failed| stream_control::refuse(failed, media_service::INTERNAL_3001))?;
    match call.node().published_since(call.app, &stream).await {
        Ok(Some(created)) => return Ok(call.found(state(created, None))),
        Ok(None) => {}
        Err(error) => return Err(Refusal::new(gateway::OVERLOADED, error.to_string())),
    }
    match call.state.0.stream_history.times(call.app, stream.clone()).await {
        Some((created, closed)) => {
            let message = format!("stream {stream} has closed");
            let refusal = Refusal::new(media_service::STREAM_CLOSED, message);
            Ok(call.refused_with(&refusal, state(created, Some(closed))))
        }
        None => {
            let message = format!("there is no stream {stream}");
            Err(Refusal::new(media_service::STREAM_UNKNOWN, message))
        }
    }
}

fn state(created: UnixMillis, closed: Option<UnixMillis>) -> StreamState {
    StreamState {
        create_time: created.seconds().to_string(),
        close_time: closed.map(|at| at.seconds().to_string()).unwrap_or_default(),
    }
}
