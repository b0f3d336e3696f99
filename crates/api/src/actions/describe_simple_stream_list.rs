//! DescribeSimpleStreamList: a room's stream list as it is now; empty for a room that is not there.

use odeum_node::CommandError;
use odeum_proto::api::{SimpleStream, SimpleStreamList};
use odeum_proto::return_code::room;
use odeum_room::ListedStream;

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::refusal::Refusal;

pub(crate) async fn answer(call: Call) -> Result<Answer, Refusal> {
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
