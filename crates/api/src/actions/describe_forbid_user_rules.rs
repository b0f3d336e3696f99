//! DescribeForbidUserRules: the user rules of a kind (ruling 22).

use odeum_proto::api::{ForbidUserRule, ForbidUserRules};
use odeum_proto::return_code::{Group, room};
use odeum_room::{UserRule, UserRuleKey, UserRuleKind};

use crate::call::{Answer, Call};
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::user_rule::{self, RULE_TYPE};
use crate::{Action, schema};

pub(crate) const ACTION: Action = Action {
    name: "DescribeForbidUserRules",
    group: Group::Room,
    limits: Limits::per_second(10, None),
    summary: "The user rules of a kind; some that have ended may be among them.",
    parameters: &[RULE_TYPE],
    data: Some(schema::<ForbidUserRules>),
    codes: &[],
    run: |call| Box::pin(answer(call)),
};

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let kind = user_rule::kind(call.parameters()?)?;
    let rules = call.node().rules(call.app, |_, rules| rules.user_rules(kind).map(shape).collect());
    match rules {
        Ok(rule_list) => Ok(call.found(ForbidUserRules { rule_list })),
        Err(failed) => Err(user_rule::refuse(failed, room::FAILED)),
    }
}

fn shape(rule: &UserRule) -> ForbidUserRule {
    let (ip, room_id, user_id) = match &rule.key {
        UserRuleKey::Ip(ip) => (ip.to_string(), String::new(), String::new()),
        UserRuleKey::Room(room) => (String::new(), room.to_string(), String::new()),
        UserRuleKey::User(user) => (String::new(), String::new(), user.to_string()),
        UserRuleKey::RoomUser(room, user) => (String::new(), room.to_string(), user.to_string()),
    };
    let privileges = [(1, rule.disabled.login()), (2, rule.disabled.publish())];
    ForbidUserRule {
        rule_type: match rule.key.kind() {
            UserRuleKind::Ip => 1,
            UserRuleKind::Room => 2,
            UserRuleKind::User => 3,
            UserRuleKind::RoomUser => 4,
        },
        ip,
        room_id,
        user_id,
        disabled_privilege_list: privileges
            .into_iter()
            .filter_map(|(number, is_disabled)| is_disabled.then_some(number))
            .collect(),
        expire_time: rule.expires_at.seconds(),
    }
}
