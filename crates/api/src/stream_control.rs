//! What the actions of stream control share: how a change of the media service's rules is refused.

use odeum_node::RuleFailed;
use odeum_proto::return_code::{ReturnCode, gateway, media_service};
use odeum_room::RuleError;

use crate::refusal::Refusal;

/// Why streams were not forbidden or resumed. `not_done` is the action's own code for a store that
/// is away or a list that is full.
pub(crate) fn refuse(failed: RuleFailed, not_done: ReturnCode) -> Refusal {
    let message = failed.to_string();
    match failed {
        RuleFailed::OutOfSequence(_) => Refusal::new(media_service::PARAMETER_BAD, message),
        RuleFailed::NotRecorded
        | RuleFailed::Rule(
            RuleError::TooManyForbiddenStreams { .. }
            | RuleError::TooManyStreamRules { .. }
            | RuleError::TooManyUserRules { .. }
            | RuleError::NoUserRule,
        ) => Refusal::new(not_done, message),
        RuleFailed::NoApp(_) => Refusal::new(gateway::APP_UNKNOWN, message),
        RuleFailed::Command(_) => Refusal::new(gateway::OVERLOADED, message),
    }
}
