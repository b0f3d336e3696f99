//! DelForbidStreamRule: gives back what a stream rule has cut (ruling 22).

use odeum_proto::return_code::{Group, room};
use odeum_room::RuleChange;

use crate::Action;
use crate::call::{Answer, Call};
use crate::parameter::{ROOM_ID, STREAM_ID};
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::user_rule;

pub(crate) const ACTION: Action = Action {
    name: "DelForbidStreamRule",
    group: Group::Room,
    limits: Limits::per_second(10, None),
    summary: "Gives back what a stream rule has cut; no rule is no error.",
    parameters: &[ROOM_ID, STREAM_ID],
    data: None,
    codes: &[room::FAILED, room::STREAM_NOT_SET],
    run: |call| Box::pin(answer(call)),
};

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let parameters = call.parameters()?;
    let (room, stream) = (parameters.room()?, parameters.stream()?);
    let change = RuleChange::DeleteStreamRule { room, stream };
    match call.node().change_rule(call.app, change, None).await {
        Ok(()) => Ok(call.done()),
        Err(failed) => Err(user_rule::refuse(failed, room::STREAM_NOT_SET)),
    }
}
