//! SetForbidStreamRule: cuts audio, video or both of a stream for a while, also of one that runs
//! (ruling 22).

use odeum_proto::return_code::{Group, room};
use odeum_room::{CutMedia, RuleChange, StreamRule};
use odeum_types::{RoomId, StreamId, UnixMillis};

use crate::Action;
use crate::call::{Answer, Call};
use crate::parameter::{Kind, Parameter, ROOM_ID, STREAM_ID};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::user_rule;

/// Longer ones are clamped to a day.
const LIFETIME_S_MAX: u64 = 86_400;

const NO_OR_YES: Kind = Kind::Choice { of: &[(0, "no"), (1, "yes")], default: Some(0) };

const EFFECTIVE_TIME: Kind = Kind::Integer { min: 1, max: i64::MAX, default: Some(21_600) };

pub(crate) const ACTION: Action = Action {
    name: "SetForbidStreamRule",
    group: Group::Room,
    limits: Limits::per_second(10, None),
    summary: "Cuts audio, video or both of a stream for a while, also of one that runs.",
    parameters: &[
        ROOM_ID,
        STREAM_ID,
        Parameter::new("DisableAudio", NO_OR_YES, "Whether audio is cut.").optional(),
        Parameter::new("DisableVideo", NO_OR_YES, "Whether video is cut; one of the two must be.")
            .optional(),
        Parameter::new("EffectiveTime", EFFECTIVE_TIME, "For how many seconds, at most a day.")
            .optional(),
    ],
    data: None,
    codes: &[room::FAILED, room::STREAM_NOT_SET],
    run: |call| Box::pin(answer(call)),
};

struct SetForbidStreamRule {
    room: RoomId,
    stream: StreamId,
    cut: CutMedia,
    lifetime_s: u64,
}

impl SetForbidStreamRule {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        let (room, stream) = (parameters.room()?, parameters.stream()?);
        let audio = parameters.choice("DisableAudio")?;
        let cut = match (audio, parameters.choice("DisableVideo")?) {
            (0, 0) => return Err(Refusal::bad("neither DisableAudio nor DisableVideo is 1")),
            (_, 0) => CutMedia::Audio,
            (0, _) => CutMedia::Video,
            (_, _) => CutMedia::Both,
        };
        let lifetime_s: u64 = parameters.integer("EffectiveTime")?;
        Ok(Self { room, stream, cut, lifetime_s: lifetime_s.min(LIFETIME_S_MAX) })
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let SetForbidStreamRule { room, stream, cut, lifetime_s } =
        SetForbidStreamRule::parse(call.parameters()?)?;
    let now = call.node().now();
    let created_at = UnixMillis(now.seconds() * 1_000);
    let expires_at = user_rule::rule_end(now, lifetime_s);
    let rule = StreamRule { room, stream, cut, created_at, expires_at };
    match call.node().change_rule(call.app, RuleChange::SetStreamRule(rule), None).await {
        Ok(()) => Ok(call.done()),
        Err(failed) => Err(user_rule::refuse(failed, room::STREAM_NOT_SET)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    fn parse(query: &str) -> Result<SetForbidStreamRule, Refusal> {
        let fields = Fields::parse(query, None);
        ACTION.parameters(&fields).and_then(SetForbidStreamRule::parse)
    }

    #[test]
    fn parameters() {
        let with = |part: &str| format!("RoomId=r&StreamId=s&{part}");
        for (query, code) in [
            (with("DisableAudio=1"), 0),
            (with("DisableVideo=1&DisableAudio=0"), 0),
            (with(""), 2),
            (with("DisableAudio=0&DisableVideo=0"), 2),
            (with("DisableAudio=2"), 2),
            (with("DisableAudio=1&EffectiveTime=0"), 2),
            (with("DisableAudio=1&EffectiveTime=-1"), 2),
            ("RoomId=r&DisableAudio=1".to_owned(), 2),
            ("StreamId=s&DisableAudio=1".to_owned(), 2),
            (format!("RoomId=r&DisableAudio=1&StreamId={}", "s".repeat(257)), 3),
        ] {
            let code_of = parse(&query).err().map_or(0, |refusal| refusal.code.number);
            assert_eq!(code_of, code, "{query}");
        }
    }

    #[test]
    fn the_time_has_a_default_and_is_clamped() {
        let lifetime_s = |part: &str| {
            parse(&format!("RoomId=r&StreamId=s&DisableVideo=1{part}")).unwrap().lifetime_s
        };
        assert_eq!(lifetime_s(""), 21_600);
        assert_eq!(lifetime_s("&EffectiveTime=86400"), 86_400);
        assert_eq!(lifetime_s("&EffectiveTime=86401"), 86_400);
        assert_eq!(lifetime_s("&EffectiveTime=9223372036854775807"), 86_400);
        assert_eq!(lifetime_s("&EffectiveTime=9223372036854775808"), 86_400);
        assert_eq!(lifetime_s(&format!("&EffectiveTime={}", "9".repeat(60))), 86_400);
    }
}
