//! ForbidRTCStream: ends a stream wherever it is, and keeps it from coming back (ruling 22).

use odeum_proto::return_code::{Group, media_service};
use odeum_room::RuleChange;

use crate::call::{Answer, Call};
use crate::parameter::{MEDIA_STREAM_ID, SEQUENCE};
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, stream_control};

pub(crate) const ACTION: Action = Action {
    name: "ForbidRTCStream",
    group: Group::MediaService,
    limits: Limits::per_second(20, Some(5)),
    summary: "Ends a stream wherever it is, and keeps it from coming back until it is resumed.",
    parameters: &[MEDIA_STREAM_ID, SEQUENCE],
    data: None,
    codes: &[media_service::INTERNAL_5006],
    run: |call| Box::pin(answer(call)),
};

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let parameters = call.parameters()?;
    let (streams, sequence) = (vec![parameters.stream()?], parameters.sequence()?);
    let change = RuleChange::ForbidStreams(streams);
    match call.node().change_rule(call.app, change, Some(sequence)).await {
        Ok(()) => Ok(call.done()),
        Err(failed) => Err(stream_control::refuse(failed, media_service::INTERNAL_5006)),
    }
}
