//! DescribeSimpleStreamList: a room's stream list as it is now; empty for a room that is not there.

use std::time::Duration;

use odeum_node::CommandError;
use odeum_proto::api::{SimpleStream, SimpleStreamList};
use odeum_proto::return_code::{Group, room};
use odeum_room::ListedStream;

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::ROOM_ID;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema};

pub(crate) const ACTION: Action = Action {
    name: "DescribeSimpleStreamList",
    group: Group::Room,
    limits: Limits::per_second(50, None).and_per_room(1, Duration::from_secs(10)),
    summary: "A room's stream list as it is now.",
    parameters: &[ROOM_ID],
    data: Some(schema::<SimpleStreamList>),
    codes: &[],
    run: |call| Box::pin(answer(call)),
};

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let id = call.parameters()?.room()?;
    let streams = match call.node().query(call.app, &id, |room| room.streams()).await {
        Ok(streams) => streams,
        Err(CommandError::NoRoom) => Vec::new(),
        Err(error) => return Err(not_carried_out(error, Effect::Reads, &id, room::ROOM_UNKNOWN)),
    };
    Ok(call.found(SimpleStreamList { stream_list: streams.into_iter().map(shape).collect() }))
}

fn shape(stream: ListedStream) -> SimpleStream {
    SimpleStream {
        stream_id: stream.stream.to_string(),
        user_id: stream.user.to_string(),
        user_name: stream.user_name.to_string(),
        create_time: stream.created_at.0,
        stream_number_id: stream.number.0,
    }
}
