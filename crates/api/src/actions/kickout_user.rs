//! KickoutUser: takes users out of a room (ruling 19).

use std::sync::Arc;

use odeum_proto::return_code::{Group, room};
use odeum_types::{RoomId, UserId};

use crate::Action;
use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{CUSTOM_REASON, Element, Kind, Parameter, ROOM_ID};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;

/// At most 5 users.
const USERS: Kind = Kind::List { of: Element::User, count_max: 5 };

pub(crate) const ACTION: Action = Action {
    name: "KickoutUser",
    group: Group::Room,
    limits: Limits::per_second(50, None),
    summary: "Takes users out of a room; they may come back.",
    parameters: &[
        ROOM_ID,
        Parameter::new("UserId", USERS, "Who; one who is not there is passed over.")
            .too_many(room::TOO_MANY_USERS),
        CUSTOM_REASON,
    ],
    data: None,
    codes: &[room::FAILED, room::ROOM_UNKNOWN, room::TOO_MANY_USERS, room::ROOM_IN_TRANSITION],
    run: |call| Box::pin(answer(call)),
};

struct KickoutUser {
    room: RoomId,
    users: Vec<UserId>,
    custom_reason: Arc<str>,
}

impl KickoutUser {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            room: parameters.room()?,
            users: parameters.users("UserId")?,
            custom_reason: parameters.text("CustomReason")?,
        })
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let KickoutUser { room: id, users, custom_reason } = KickoutUser::parse(call.parameters()?)?;
    tracing::Span::current().record("user", tracing::field::debug(&users));
    let command = call.node().command(call.app, &id, move |now, room, _| {
        room.kick_users(now, &users, &custom_reason);
    });
    let effect = Effect::Changes { not_durable: room::FAILED };
    match command.await {
        Ok(()) => {
            tracing::info!("users kicked out");
            Ok(call.done())
        }
        Err(error) => Err(not_carried_out(error, effect, &id, room::ROOM_UNKNOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    #[test]
    fn parameters() {
        for (query, code) in [
            ("RoomId=r&UserId[]=a".to_owned(), 0),
            ("RoomId=r&UserId%5B%5D=a&UserId%5B%5D=b&CustomReason=x".to_owned(), 0),
            (format!("RoomId=r{}", "&UserId[]=a".repeat(5)), 0),
            (format!("RoomId=r{}", "&UserId[]=a".repeat(6)), 50011),
            ("RoomId=r".to_owned(), 2),
            ("UserId[]=a".to_owned(), 2),
            ("RoomId=r&UserId[]=".to_owned(), 2),
            (format!("RoomId=r&UserId[]={}", "u".repeat(64)), 3),
            (format!("RoomId=r&UserId[]=a&CustomReason={}", "c".repeat(257)), 3),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(KickoutUser::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
