//! DescribeForbidStreamRules: the rules about some streams of a room (ruling 22).

use odeum_proto::api::{ForbidStreamRule, ForbidStreamRules};
use odeum_proto::return_code::{Group, room};

use crate::call::{Answer, Call};
use crate::parameter::{Element, Kind, Parameter, ROOM_ID};
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema, user_rule};

/// At most 10 streams.
const STREAMS: Kind = Kind::List { of: Element::Stream, count_max: 10 };

pub(crate) const ACTION: Action = Action {
    name: "DescribeForbidStreamRules",
    group: Group::Room,
    limits: Limits::per_second(10, None),
    summary: "The rules about some streams of a room; zeros for a stream without one.",
    parameters: &[ROOM_ID, Parameter::new("StreamId", STREAMS, "The streams.")],
    data: Some(schema::<ForbidStreamRules>),
    codes: &[],
    run: |call| Box::pin(answer(call)),
};

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let parameters = call.parameters()?;
    let (id, streams) = (parameters.room()?, parameters.streams()?);
    let rules = call.node().rules(call.app, |now, rules| {
        let shape = |stream| match rules.stream_rule(now, &id, stream) {
            Some(rule) => ForbidStreamRule {
                stream_id: stream.to_string(),
                disable_audio: u32::from(rule.cut.audio()),
                disable_video: u32::from(rule.cut.video()),
                create_time: rule.created_at.seconds(),
                effective_time: rule.expires_at.seconds(),
            },
            None => ForbidStreamRule::none(stream.to_string()),
        };
        streams.iter().map(shape).collect()
    });
    match rules {
        Ok(forbid_stream_rule_list) => {
            Ok(call.found(ForbidStreamRules { room_id: id.to_string(), forbid_stream_rule_list }))
        }
        Err(failed) => Err(user_rule::refuse(failed, room::FAILED)),
    }
}
