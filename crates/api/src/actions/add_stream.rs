//! AddStream: puts a stream without media into a room's list (ruling 14).

use odeum_proto::return_code::{Group, room};
use odeum_room::{AddStream, AddStreamError};
use odeum_types::RoomId;

use crate::Action;
use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{Kind, Parameter, ROOM_ID, STREAM_ID};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;

/// Whether moderation may pull the stream; there is none in this version, so it is only checked.
const CENSOR_FLAG: Kind =
    Kind::Choice { of: &[(0, "allowed"), (1, "not allowed")], default: Some(0) };

pub(crate) const ACTION: Action = Action {
    name: "AddStream",
    group: Group::Room,
    limits: Limits::per_second(10, Some(1)),
    summary: "Puts a stream without media into a room's list.",
    parameters: &[
        ROOM_ID,
        Parameter::new("UserId", Kind::User, "In whose name; need not be in the room."),
        Parameter::new("UserName", Kind::UserName, "That user's name.").optional(),
        STREAM_ID,
        Parameter::new("StreamTitle", Kind::Text { bytes_max: 127 }, "Its title.").optional(),
        // Ruling 24.
        Parameter::new("ExtraInfo", Kind::Text { bytes_max: 1_024 }, "Its extra info.").optional(),
        Parameter::new("CensorFlag", CENSOR_FLAG, "Whether moderation may pull it.").optional(),
    ],
    data: None,
    codes: &[
        room::ROOM_UNKNOWN,
        room::STREAM_NOT_SET,
        room::STREAM_NOT_DELETED,
        room::STREAM_OF_ANOTHER_USER,
        room::ROOM_IN_TRANSITION,
    ],
    run: |call| Box::pin(answer(call)),
};

fn parse(parameters: Parameters<'_>) -> Result<(RoomId, AddStream), Refusal> {
    let room = parameters.room()?;
    let add = AddStream {
        user: parameters.user()?,
        user_name: parameters.user_name()?,
        stream: parameters.stream()?,
        title: parameters.text("StreamTitle")?,
        extra_info: parameters.text("ExtraInfo")?,
    };
    parameters.choice("CensorFlag")?;
    Ok((room, add))
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let (id, add) = parse(call.parameters()?)?;
    let command = call.node().command(call.app, &id, move |now, room, claims| {
        room.add_stream(now, &mut claims.lock(), add)
    });
    let effect = Effect::Changes { not_durable: room::STREAM_NOT_DELETED };
    match command.await {
        Ok(Ok(())) => {
            tracing::info!("stream added");
            Ok(call.done())
        }
        Ok(Err(AddStreamError::StreamTaken(stream))) => {
            let message = format!("stream {stream} is another user's, or somebody publishes it");
            Err(Refusal::new(room::STREAM_OF_ANOTHER_USER, message))
        }
        Ok(Err(AddStreamError::TooManyStreams { added_streams_max })) => {
            let message = format!("room {id} has its {added_streams_max} added streams");
            Err(Refusal::new(room::STREAM_NOT_SET, message))
        }
        Ok(Err(AddStreamError::NoUsers)) => {
            Err(Refusal::new(room::ROOM_UNKNOWN, format!("there is no room {id}")))
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
        let with = |part: &str| format!("RoomId=r&UserId=u&StreamId=s&{part}");
        for (query, code) in [
            (with(""), 0),
            (with("StreamTitle=%E4%B8%AD&ExtraInfo=a%20b&CensorFlag=1&UserName=Ann"), 0),
            (with(&format!("StreamTitle={}", "t".repeat(127))), 0),
            (with(&format!("StreamTitle={}", "t".repeat(128))), 3),
            (with(&format!("StreamTitle={}", "%E4%B8%AD".repeat(43))), 3),
            (with(&format!("ExtraInfo={}", "e".repeat(1024))), 0),
            (with(&format!("ExtraInfo={}", "e".repeat(1025))), 3),
            (with("CensorFlag=2"), 2),
            (with("CensorFlag=x"), 2),
            ("UserId=u&StreamId=s".to_owned(), 2),
            ("RoomId=r&StreamId=s".to_owned(), 2),
            ("RoomId=r&UserId=u".to_owned(), 2),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
