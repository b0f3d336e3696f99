//! DelForbidUserRule: gives back what a user rule has taken (ruling 22).

use odeum_proto::return_code::{Group, room};
use odeum_room::RuleChange;

use crate::Action;
use crate::call::{Answer, Call};
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::user_rule::{self, IP, RULE_ROOM_ID, RULE_TYPE, RULE_USER_ID};

pub(crate) const ACTION: Action = Action {
    name: "DelForbidUserRule",
    group: Group::Room,
    limits: Limits::per_second(10, None),
    summary: "Gives back what a user rule has taken.",
    parameters: &[RULE_TYPE, IP, RULE_ROOM_ID, RULE_USER_ID],
    data: None,
    codes: &[room::FAILED, room::RULE_UNKNOWN],
    run: |call| Box::pin(answer(call)),
};

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let change = RuleChange::DeleteUserRule(user_rule::key(call.parameters()?)?);
    match call.node().change_rule(call.app, change, None).await {
        Ok(()) => Ok(call.done()),
        Err(failed) => Err(user_rule::refuse(failed, room::FAILED)),
    }
}
