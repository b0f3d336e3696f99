//! ForbidRTCStreams: the same for up to 20 streams at once (ruling 22).

use odeum_proto::api::NoFields;
use odeum_proto::return_code::{Group, media_service};
use odeum_room::RuleChange;

use crate::call::{Answer, Call};
use crate::parameter::{MEDIA_STREAM_IDS, SEQUENCE};
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema, stream_control};

pub(crate) const ACTION: Action = Action {
    name: "ForbidRTCStreams",
    group: Group::MediaService,
    limits: Limits::per_second(20, Some(5)),
    summary: "Ends streams wherever they are, and keeps them from coming back until they are resumed.",
    parameters: &[MEDIA_STREAM_IDS, SEQUENCE],
    data: Some(schema::<NoFields>),
    codes: &[media_service::FORBID_ALL_FAILED],
    run: |call| Box::pin(answer(call)),
};

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let parameters = call.parameters()?;
    let (streams, sequence) = (parameters.streams()?, parameters.sequence()?);
    let change = RuleChange::ForbidStreams(streams);
    match call.node().change_rule(call.app, change, Some(sequence)).await {
        Ok(()) => Ok(call.found(NoFields {})),
        Err(failed) => Err(stream_control::refuse(failed, media_service::FORBID_ALL_FAILED)),
    }
}
