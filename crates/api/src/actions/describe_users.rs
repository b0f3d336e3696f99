//! DescribeUsers: whether users are in a room (ruling 13).

use odeum_proto::api::{USER_ROLE, UserStatus, UserStatuses};
use odeum_proto::return_code::{Group, room};
use odeum_room::Room;
use odeum_types::{RoomId, UserId};

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{Element, Kind, Parameter, ROOM_ID};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema};

/// At most 10 users.
const USERS: Kind = Kind::List { of: Element::User, count_max: 10 };

pub(crate) const ACTION: Action = Action {
    name: "DescribeUsers",
    group: Group::Room,
    limits: Limits::per_second(10, None),
    summary: "Whether users are in a room.",
    parameters: &[ROOM_ID, Parameter::new("UserId", USERS, "The users.")],
    data: Some(schema::<UserStatuses>),
    codes: &[room::DESCRIBE_ROOM_UNKNOWN],
    run: |call| Box::pin(answer(call)),
};

fn parse(parameters: Parameters<'_>) -> Result<(RoomId, Vec<UserId>), Refusal> {
    let room = parameters.room()?;
    let users = parameters.users("UserId")?;
    Ok((room, users))
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let (id, users) = parse(call.parameters()?)?;
    let query = call
        .node()
        .query(call.app, &id, move |room| users.iter().map(|user| status(room, user)).collect());
    match query.await {
        Ok(user_status_list) => Ok(call.found(UserStatuses { user_status_list })),
        Err(error) => Err(not_carried_out(error, Effect::Reads, &id, room::DESCRIBE_ROOM_UNKNOWN)),
    }
}

fn status(room: &Room, user: &UserId) -> UserStatus {
    let found = room.user_status(user);
    UserStatus {
        user_id: user.to_string(),
        status: u32::from(found.is_some()),
        login_time: found.map_or(0, |user| user.login_at.0),
        user_role: USER_ROLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    #[test]
    fn parameters() {
        for (query, code) in [
            ("RoomId=r&UserId[]=a&UserId[]=b".to_owned(), 0),
            (format!("RoomId=r{}", "&UserId[]=a".repeat(10)), 0),
            (format!("RoomId=r{}", "&UserId[]=a".repeat(11)), 2),
            ("RoomId=r".to_owned(), 2),
            ("UserId[]=a".to_owned(), 2),
            ("RoomId=r&UserId[]=a%20".to_owned(), 2),
            (format!("RoomId=r&UserId[]={}", "u".repeat(64)), 3),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
