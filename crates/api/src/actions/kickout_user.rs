//! KickoutUser: takes users out of a room (ruling 19).

use std::sync::Arc;

use odeum_proto::return_code::room;
use odeum_types::{RoomId, UserId};

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameters::Parameters;
use crate::refusal::Refusal;

/// Longest CustomReason, in bytes.
pub(crate) const CUSTOM_REASON_BYTES_MAX: usize = 256;

/// Users of one call.
const USERS_MAX: usize = 5;

struct KickoutUser {
    room: RoomId,
    users: Vec<UserId>,
    custom_reason: Arc<str>,
}

impl KickoutUser {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        let too_many = room::TOO_MANY_USERS;
        Ok(Self {
            room: parameters.room()?,
            users: parameters.list("UserId", USERS_MAX, too_many, UserId::parse)?,
            custom_reason: parameters.text("CustomReason", CUSTOM_REASON_BYTES_MAX)?,
        })
    }
}

pub(crate) async fn answer(call: Call) -> Result<Answer, Refusal> {
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
            let parsed = Parameters::new(&fields).and_then(KickoutUser::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
