//! DeleteStream: takes a stream out of its room's list; its publisher stays (rulings 9 to 12).

use odeum_proto::return_code::room;
use odeum_room::DeleteStreamError;
use odeum_types::{RoomId, StreamId};

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameters::Parameters;
use crate::refusal::Refusal;

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

pub(crate) async fn answer(call: Call) -> Result<Answer, Refusal> {
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
            let parsed = Parameters::new(&fields).and_then(DeleteStream::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
