//! DescribeUserNum: how many users rooms have; 0 for a room that is not there (ruling 13).

use std::time::Duration;

use odeum_node::CommandError;
use odeum_proto::api::{UserCount, UserCounts};
use odeum_proto::return_code::{Group, gateway, room};
use odeum_types::RoomId;

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{Element, Kind, Parameter};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema};

/// At most 10 rooms.
const ROOMS: Kind = Kind::List { of: Element::Room, count_max: 10 };

/// How long all of them may take together (ruling 4); each alone has the node's own deadline.
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) const ACTION: Action = Action {
    name: "DescribeUserNum",
    group: Group::Room,
    limits: Limits::per_second(10, Some(1)),
    summary: "How many users rooms have.",
    parameters: &[Parameter::new("RoomId", ROOMS, "The rooms; one that is not there has 0 users.")],
    data: Some(schema::<UserCounts>),
    codes: &[],
    run: |call| Box::pin(answer(call)),
};

fn parse(parameters: Parameters<'_>) -> Result<Vec<RoomId>, Refusal> {
    parameters.rooms("RoomId")
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let rooms = parse(call.parameters()?)?;
    match tokio::time::timeout(DEADLINE, count(&call, rooms)).await {
        Ok(counted) => Ok(call.found(UserCounts { user_count_list: counted? })),
        Err(_) => Err(Refusal::new(gateway::OVERLOADED, "the rooms could not be asked in time")),
    }
}

async fn count(call: &Call, rooms: Vec<RoomId>) -> Result<Vec<UserCount>, Refusal> {
    let mut counts = Vec::with_capacity(rooms.len());
    for id in rooms {
        let user_count = match call.node().query(call.app, &id, |room| room.user_count()).await {
            Ok(count) => u32::try_from(count).unwrap_or(u32::MAX),
            Err(CommandError::NoRoom) => 0,
            Err(error) => {
                return Err(not_carried_out(error, Effect::Reads, &id, room::ROOM_UNKNOWN));
            }
        };
        counts.push(UserCount { room_id: id.to_string(), user_count, admin_user_count: 0 });
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    #[test]
    fn parameters() {
        for (query, code) in [
            ("RoomId[]=a&RoomId[]=b".to_owned(), 0),
            ("RoomId[]=a&".repeat(10), 0),
            ("RoomId[]=a&".repeat(11), 2),
            (String::new(), 2),
            ("RoomId[]=a%20".to_owned(), 2),
            (format!("RoomId[]={}", "r".repeat(128)), 3),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
