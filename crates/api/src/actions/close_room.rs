//! CloseRoom: every user is taken out and the room is gone (ruling 19).

use std::sync::Arc;

use odeum_proto::return_code::{Group, room};
use odeum_room::RoomCloseNotice;
use odeum_types::RoomId;

use crate::Action;
use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{CUSTOM_REASON, Kind, Parameter, ROOM_ID};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;

pub(crate) const ACTION: Action = Action {
    name: "CloseRoom",
    group: Group::Room,
    limits: Limits::per_second(1, Some(1)),
    summary: "Takes every user out of a room; the room is gone.",
    parameters: &[
        ROOM_ID,
        CUSTOM_REASON,
        Parameter::new("RoomCloseCallback", Kind::Flag, "Whether room_close is sent as well.")
            .optional(),
    ],
    data: None,
    codes: &[room::FAILED, room::CLOSE_ROOM_UNKNOWN, room::ROOM_IN_TRANSITION],
    run: |call| Box::pin(answer(call)),
};

struct CloseRoom {
    room: RoomId,
    custom_reason: Arc<str>,
    notice: RoomCloseNotice,
}

impl CloseRoom {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        let (send, skip) = (RoomCloseNotice::Send, RoomCloseNotice::Skip);
        Ok(Self {
            room: parameters.room()?,
            custom_reason: parameters.text("CustomReason")?,
            notice: parameters.flag("RoomCloseCallback", send, skip)?,
        })
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let CloseRoom { room: id, custom_reason, notice } = CloseRoom::parse(call.parameters()?)?;
    let command = call.node().command(call.app, &id, move |now, room, _| {
        room.close(now, &custom_reason, notice);
    });
    let effect = Effect::Changes { not_durable: room::FAILED };
    match command.await {
        Ok(()) => {
            tracing::info!("room closed");
            Ok(call.done())
        }
        Err(error) => Err(not_carried_out(error, effect, &id, room::CLOSE_ROOM_UNKNOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    #[test]
    fn parameters() {
        let with = |part: &str| format!("RoomId=r&{part}");
        for (query, code) in [
            (with(""), 0),
            (with("RoomCloseCallback=True&CustomReason=over"), 0),
            (with(&format!("CustomReason={}", "c".repeat(256))), 0),
            (with(&format!("CustomReason={}", "c".repeat(257))), 3),
            (with("RoomCloseCallback=1"), 2),
            ("RoomCloseCallback=true".to_owned(), 2),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(CloseRoom::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }

    #[test]
    fn the_callback_comes_only_when_asked_for() {
        for (query, notice) in [
            ("RoomId=r", RoomCloseNotice::Skip),
            ("RoomId=r&RoomCloseCallback=false", RoomCloseNotice::Skip),
            ("RoomId=r&RoomCloseCallback=true", RoomCloseNotice::Send),
        ] {
            let fields = Fields::parse(query, None);
            let parsed = ACTION.parameters(&fields).and_then(CloseRoom::parse).unwrap();
            assert_eq!(parsed.notice, notice, "{query}");
        }
    }
}
