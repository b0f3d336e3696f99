//! DescribeUserList: a room's users by login time, page by page; empty for a room that is not there
//! (rulings 13 and 23).

use std::time::Duration;

use odeum_node::CommandError;
use odeum_proto::api::{ListedUser, USER_ROLE, UserList};
use odeum_proto::return_code::{Group, room};
use odeum_room::{UserInRoom, UserListMarker, UserListOrder, UserPage};
use odeum_types::{RoomId, UnixMillis};

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{Kind, Parameter, ROOM_ID};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema};

/// Users of one reply at most, and when `Limit` is 0 or absent.
const USERS_MAX: u16 = 200;

const MODE: Kind = Kind::Choice { of: &[(0, "ascending"), (1, "descending")], default: Some(0) };

const LIMIT: Kind = Kind::Integer { min: 0, max: USERS_MAX as i64, default: Some(0) };

pub(crate) const ACTION: Action = Action {
    name: "DescribeUserList",
    group: Group::Room,
    limits: Limits::per_second(200, None).and_per_room(1, Duration::from_secs(1)),
    summary: "A room's users by login time, page by page.",
    parameters: &[
        ROOM_ID,
        Parameter::new("Mode", MODE, "The order of login times.").optional(),
        Parameter::new("Limit", LIMIT, "Users of one reply; 0 is 200.").optional(),
        Parameter::new("Marker", Kind::Text { bytes_max: 32 }, "The Marker of the reply before.")
            .optional(),
    ],
    data: Some(schema::<UserList>),
    codes: &[],
    run: |call| Box::pin(answer(call)),
};

struct DescribeUserList {
    room: RoomId,
    order: UserListOrder,
    limit: usize,
    marker: Option<UserListMarker>,
}

impl DescribeUserList {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        let room = parameters.room()?;
        let order = match parameters.choice("Mode")? {
            0 => UserListOrder::Ascending,
            _ => UserListOrder::Descending,
        };
        let limit = match parameters.integer("Limit")? {
            0 => usize::from(USERS_MAX),
            limit => limit,
        };
        let marker = match parameters.marker("Marker")?.unwrap_or_default().as_str() {
            "" => None,
            text => Some(
                parse_marker(text)
                    .ok_or_else(|| Refusal::bad("Marker is not one that an earlier reply gave"))?,
            ),
        };
        Ok(Self { room, order, limit, marker })
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let DescribeUserList { room: id, order, limit, marker } =
        DescribeUserList::parse(call.parameters()?)?;
    let query = call.node().query(call.app, &id, move |room| room.users(order, limit, marker));
    let page = match query.await {
        Ok(page) => page,
        Err(CommandError::NoRoom) => UserPage { users: Vec::new(), next: None },
        Err(error) => return Err(not_carried_out(error, Effect::Reads, &id, room::ROOM_UNKNOWN)),
    };
    Ok(call.found(UserList {
        marker: page.next.map(write_marker).unwrap_or_default(),
        user_list: page.users.into_iter().map(shape).collect(),
    }))
}

fn shape(user: UserInRoom) -> ListedUser {
    ListedUser {
        user_id: user.user.to_string(),
        user_name: user.name.to_string(),
        user_role: USER_ROLE,
    }
}

/// A marker's text: two numbers of 16 hexadecimal digits. Callers must not look inside.
fn write_marker(marker: UserListMarker) -> String {
    format!("{:016x}{:016x}", marker.login_at.0, marker.number)
}

fn parse_marker(text: &str) -> Option<UserListMarker> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (login_at, number) = text.split_at(16);
    Some(UserListMarker {
        login_at: UnixMillis(u64::from_str_radix(login_at, 16).ok()?),
        number: u64::from_str_radix(number, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    fn parse(query: &str) -> Result<DescribeUserList, u32> {
        let fields = Fields::parse(query, None);
        let parsed = ACTION.parameters(&fields).and_then(DescribeUserList::parse);
        parsed.map_err(|refusal| refusal.code.number)
    }

    #[test]
    fn parameters() {
        for query in [
            "",
            "RoomId=r&Mode=2",
            "RoomId=r&Mode=x",
            "RoomId=r&Limit=201",
            "RoomId=r&Limit=-1",
            "RoomId=r&Marker=x",
            "RoomId=r&Marker=+0000000000000000000000000000001",
            "RoomId=r&Marker=%E4%B8%AD00000000000000000000000000000",
        ] {
            assert_eq!(parse(query).err(), Some(2), "{query}");
        }
        assert_eq!(parse(&format!("RoomId={}", "r".repeat(128))).err(), Some(3));
    }

    #[test]
    fn a_limit_of_0_or_none_is_200() {
        for (query, limit) in
            [("RoomId=r", 200), ("RoomId=r&Limit=0", 200), ("RoomId=r&Limit=1", 1)]
        {
            assert_eq!(parse(query).unwrap().limit, limit);
        }
    }

    #[test]
    fn a_marker_comes_back_as_it_went() {
        let marker = UserListMarker { login_at: UnixMillis(1_700_000_000_123), number: u64::MAX };
        let query = format!("RoomId=r&Mode=1&Marker={}", write_marker(marker));
        let parsed = parse(&query).unwrap();
        assert_eq!((parsed.marker, parsed.order), (Some(marker), UserListOrder::Descending));
        assert_eq!(parse("RoomId=r&Marker=").unwrap().marker, None);
    }
}
