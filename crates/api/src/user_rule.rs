//! What the three actions about user rules share: RuleType and the key that goes with it (ruling
//! 22).

use std::time::Duration;

use odeum_node::RuleFailed;
use odeum_proto::return_code::{ReturnCode, gateway, room};
use odeum_room::{RuleError, UserRuleKey, UserRuleKind};
use odeum_types::UnixMillis;

use crate::parameter::{Kind, Parameter, ROOM_ID};
use crate::parameters::Parameters;
use crate::refusal::Refusal;

/// `RuleType`.
pub(crate) const RULE_TYPE: Parameter = Parameter::new(
    "RuleType",
    Kind::Choice {
        of: &[(1, "by IP"), (2, "by room"), (3, "by user"), (4, "by room and user")],
        default: None,
    },
    "Whom the rule is about.",
);

/// `IP`.
pub(crate) const IP: Parameter =
    Parameter::new("IP", Kind::Ip, "The client's address.").required_if("RuleType", &[1]);

/// `RoomId` of a rule; the room need not be there.
pub(crate) const RULE_ROOM_ID: Parameter = ROOM_ID.required_if("RuleType", &[2, 4]);

/// `UserId` of a rule; the user need not be there.
pub(crate) const RULE_USER_ID: Parameter =
    Parameter::new("UserId", Kind::User, "The user.").required_if("RuleType", &[3, 4]);

/// The kind of a rule.
pub(crate) fn kind(parameters: Parameters<'_>) -> Result<UserRuleKind, Refusal> {
    Ok(match parameters.choice("RuleType")? {
        1 => UserRuleKind::Ip,
        2 => UserRuleKind::Room,
        3 => UserRuleKind::User,
        _ => UserRuleKind::RoomUser,
    })
}

/// Whom a rule is about. What the kind does not need is not looked at.
pub(crate) fn key(parameters: Parameters<'_>) -> Result<UserRuleKey, Refusal> {
    Ok(match kind(parameters)? {
        UserRuleKind::Ip => UserRuleKey::Ip(parameters.ip("IP")?.to_canonical()),
        UserRuleKind::Room => UserRuleKey::Room(parameters.room()?),
        UserRuleKind::User => UserRuleKey::User(parameters.user()?),
        UserRuleKind::RoomUser => UserRuleKey::RoomUser(parameters.room()?, parameters.user()?),
    })
}

/// When a rule ends that holds for so long from now on: a whole second, so that what is told is
/// what holds, and never early.
pub(crate) fn rule_end(now: UnixMillis, lifetime_s: u64) -> UnixMillis {
    UnixMillis(now.0.div_ceil(1_000) * 1_000).after(Duration::from_secs(lifetime_s))
}

/// Why a rule of a room group did not change. `not_recorded` is the code when the store is away: 1
/// for user rules, 123 for stream rules.
pub(crate) fn refuse(failed: RuleFailed, not_recorded: ReturnCode) -> Refusal {
    let message = failed.to_string();
    match failed {
        RuleFailed::Rule(RuleError::TooManyUserRules { .. }) => {
            Refusal::new(room::TOO_MANY_RULES, message)
        }
        RuleFailed::Rule(RuleError::NoUserRule) => Refusal::new(room::RULE_UNKNOWN, message),
        RuleFailed::Rule(
            RuleError::TooManyStreamRules { .. } | RuleError::TooManyForbiddenStreams { .. },
        )
        | RuleFailed::NotRecorded => Refusal::new(not_recorded, message),
        RuleFailed::OutOfSequence(_) => Refusal::bad(message),
        // The gateway knew the app; a reload took it away meanwhile.
        RuleFailed::NoApp(_) => Refusal::new(gateway::APP_UNKNOWN, message),
        RuleFailed::Command(_) => Refusal::new(gateway::OVERLOADED, message),
    }
}
