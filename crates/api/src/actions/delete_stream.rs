//! DeleteStream: takes a stream out of its room's list; its publisher stays (rulings 9 to 12).

use odeum_proto::return_code::{Group, room};
use odeum_room::DeleteStreamError;
use odeum_types::{RoomId, StreamId};

use crate::Action;
use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{Kind, Parameter, ROOM_ID, STREAM_ID};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;

pub(crate) const ACTION: Action = Action {
    name: "DeleteStream",
    group: Group::Room,
    limits: Limits::per_second(10, Some(1)),
    summary: "Takes a stream out of its room's list; its publisher stays in the room.",
    parameters: &[
        ROOM_ID,
        Parameter::new("UserId", Kind::User, "The operator; need not be in the room."),
        Parameter::new("UserName", Kind::UserName, "The operator's name.").optional(),
        STREAM_ID,
    ],
    data: None,
    codes: &[
        room::ROOM_UNKNOWN,
        room::STREAM_UNKNOWN,
        room::STREAM_NOT_DELETED,
        room::ROOM_IN_TRANSITION,
    ],
    run: |call| Box::pin(answer(call)),
};

struct DeleteStream {
    room: RoomId,
    stream: StreamId,
}

impl DeleteStream {
    /// `UserId` is the operator's and `UserName` goes with it: both are checked and neither is
    /// used.
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        let room = parameters.room()?;
        parameters.user()?;
        parameters.user_name()?;
        Ok(Self { room, stream: parameters.stream()? })
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let DeleteStream { room: id, stream } = DeleteStream::parse(call.parameters()?)?;
    let command =
        call.node().command(call.app, &id, move |now, room, _| room.delete_stream(now, &stream));
    let effect = Effect::Changes { not_durable: room::STREAM_NOT_DELETED };
    match command.await {
        Ok(Ok(())) => {
            tracing::info!("stream deleted");
            Ok(call.done())
        }
        Ok(Err(DeleteStreamError::NoStream(stream))) => {
            let message = format!("room {id} has no stream {stream}");
            Err(Refusal::new(room::STREAM_UNKNOWN, message))
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
        let long_user = format!("RoomId=r&StreamId=s&UserId={}", "u".repeat(64));
        let long_name = format!("RoomId=r&StreamId=s&UserId=u&UserName={}", "n".repeat(256));
        let long_stream = format!("RoomId=r&UserId=u&StreamId={}", "s".repeat(257));
        let long_room = format!("RoomId={}&UserId=u&StreamId=s", "r".repeat(128));
        for (query, code) in [
            ("RoomId=r&UserId=u&StreamId=s", 0),
            ("RoomId=r&UserId=u&StreamId=s&UserName=Ann&Unknown=1", 0),
            ("UserId=u&StreamId=s", 2),
            ("RoomId=r&StreamId=s", 2),
            ("RoomId=r&UserId=u", 2),
            ("RoomId=&UserId=u&StreamId=s", 2),
            ("RoomId=r&UserId=u&StreamId=s/", 2),
            ("RoomId=r&UserId=u%20v&StreamId=s", 2),
            ("RoomId=r&UserId=u&StreamId=s&UserName=%01", 2),
            (&long_user, 3),
            (&long_name, 3),
            (&long_stream, 3),
            (&long_room, 3),
        ] {
            let fields = Fields::parse(query, None);
            let parsed = ACTION.parameters(&fields).and_then(DeleteStream::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
