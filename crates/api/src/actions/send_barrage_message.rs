//! SendBarrageMessage: says something to everyone in a room that may be lost.

use odeum_proto::api::BarrageSent;
use odeum_proto::return_code::{Group, room};
use odeum_room::{BackendSender, MessageCategory, MessageText};
use odeum_types::RoomId;

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{MESSAGE_CATEGORY, MESSAGE_CONTENT, ROOM_ID, SENDER, SENDER_NAME};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema};

pub(crate) const ACTION: Action = Action {
    name: "SendBarrageMessage",
    group: Group::Room,
    limits: Limits::per_second(100, Some(10)),
    summary: "Says something to everyone in a room; clients that read slowly may not get it.",
    parameters: &[ROOM_ID, SENDER, SENDER_NAME, MESSAGE_CATEGORY, MESSAGE_CONTENT],
    data: Some(schema::<BarrageSent>),
    codes: &[
        room::FAILED,
        room::ROOM_UNKNOWN,
        room::MESSAGE_EMPTY,
        room::ROOM_IN_TRANSITION,
        room::MESSAGE_TOO_LONG,
    ],
    run: |call| Box::pin(answer(call)),
};

struct SendBarrageMessage {
    room: RoomId,
    sender: BackendSender,
    category: MessageCategory,
    text: MessageText,
}

impl SendBarrageMessage {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            room: parameters.room()?,
            sender: parameters.sender()?,
            category: parameters.message_category()?,
            text: parameters.message()?,
        })
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let SendBarrageMessage { room, sender, category, text } =
        SendBarrageMessage::parse(call.parameters()?)?;
    match call.node().barrage_for_backend(call.app, &room, sender, category, text).await {
        Ok(id) => Ok(call.found(BarrageSent { message_id: id.to_string() })),
        Err(error) => {
            let effect = Effect::Changes { not_durable: room::FAILED };
            Err(not_carried_out(error, effect, &room, room::ROOM_UNKNOWN))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    #[test]
    fn parameters() {
        let with = |part: &str| format!("RoomId=r&UserId=u&{part}");
        let text = |bytes: usize| format!("MessageCategory=1&MessageContent={}", "m".repeat(bytes));
        for (query, code) in [
            (with(&text(1)), 0),
            (with(&text(1_024)), 0),
            (with(&text(1_025)), 50012),
            (with(&text(0)), 1008),
            (with("MessageCategory=1"), 2),
            (with("MessageContent=m"), 2),
            (with("MessageCategory=0&MessageContent=m"), 2),
            (format!("UserId=u&{}", text(1)), 2),
            (format!("RoomId=r&{}", text(1)), 2),
            (with(&format!("{}&UserName=a%0Ab", text(1))), 2),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(SendBarrageMessage::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
