//! SetForbidUserRule: takes the right to log in or to publish from users for a while (ruling 22).

use odeum_proto::api::RuleExpiry;
use odeum_proto::return_code::{Group, room};
use odeum_room::{RuleChange, UserPrivileges, UserRule, UserRuleKey};

use crate::call::{Answer, Call};
use crate::parameter::{Element, Kind, Parameter};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::user_rule::{self, IP, RULE_ROOM_ID, RULE_TYPE, RULE_USER_ID};
use crate::{Action, schema};

/// 1 and 2, each once.
const PRIVILEGES: Kind =
    Kind::List { of: Element::Choice(&[(1, "log in"), (2, "publish")]), count_max: 2 };

/// 1 s to a day.
const EFFECTIVE_TIME: Kind = Kind::Integer { min: 1, max: 86_400, default: None };

pub(crate) const ACTION: Action = Action {
    name: "SetForbidUserRule",
    group: Group::Room,
    limits: Limits::per_second(10, None),
    summary: "Takes the right to log in or to publish from users for a while.",
    parameters: &[
        RULE_TYPE,
        IP,
        RULE_ROOM_ID,
        RULE_USER_ID,
        Parameter::new("DisabledPrivilege", PRIVILEGES, "What is taken away."),
        Parameter::new("EffectiveTime", EFFECTIVE_TIME, "For how many seconds."),
    ],
    data: Some(schema::<RuleExpiry>),
    codes: &[room::FAILED, room::TOO_MANY_RULES],
    run: |call| Box::pin(answer(call)),
};

struct SetForbidUserRule {
    key: UserRuleKey,
    disabled: UserPrivileges,
    lifetime_s: u64,
}

impl SetForbidUserRule {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        let key = user_rule::key(parameters)?;
        let disabled = match parameters.choices("DisabledPrivilege")?.as_slice() {
            [1] => UserPrivileges::Login,
            [2] => UserPrivileges::Publish,
            // Each of the two at most once, and at least one.
            _ => UserPrivileges::Both,
        };
        Ok(Self { key, disabled, lifetime_s: parameters.integer("EffectiveTime")? })
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let SetForbidUserRule { key, disabled, lifetime_s } =
        SetForbidUserRule::parse(call.parameters()?)?;
    let expires_at = user_rule::rule_end(call.node().now(), lifetime_s);
    let change = RuleChange::SetUserRule(UserRule { key, disabled, expires_at });
    match call.node().change_rule(call.app, change, None).await {
        Ok(()) => Ok(call.found(RuleExpiry { expire_time: expires_at.seconds() })),
        Err(failed) => Err(user_rule::refuse(failed, room::FAILED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    #[test]
    fn parameters() {
        let with = |part: &str| format!("DisabledPrivilege[]=1&EffectiveTime=60&{part}");
        for (query, code) in [
            (with("RuleType=1&IP=10.0.0.1"), 0),
            (with("RuleType=1&IP=::1"), 0),
            (with("RuleType=1&IP=host"), 2),
            (with("RuleType=1"), 2),
            (with("RuleType=2&RoomId=r"), 0),
            (with("RuleType=2&UserId=u"), 2),
            (with("RuleType=3&UserId=u"), 0),
            (with("RuleType=3&RoomId=r"), 2),
            (with("RuleType=4&RoomId=r&UserId=u"), 0),
            (with("RuleType=4&RoomId=r"), 2),
            (with("RuleType=5&RoomId=r"), 2),
            (with("UserId=u"), 2),
            (with("RuleType=3&UserId=u&DisabledPrivilege[]=2"), 0),
            (with("RuleType=3&UserId=u&DisabledPrivilege[]=3"), 2),
            ("RuleType=3&UserId=u&EffectiveTime=60".to_owned(), 2),
            ("RuleType=3&UserId=u&DisabledPrivilege[]=1".to_owned(), 2),
            ("RuleType=3&UserId=u&DisabledPrivilege[]=1&EffectiveTime=0".to_owned(), 2),
            ("RuleType=3&UserId=u&DisabledPrivilege[]=1&EffectiveTime=86401".to_owned(), 2),
            (with(&format!("RuleType=3&UserId={}", "u".repeat(64))), 3),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(SetForbidUserRule::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
