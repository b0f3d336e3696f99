//! SendBroadcastMessage: says something to everyone in a room, reliably.

use odeum_proto::api::BroadcastSent;
use odeum_proto::return_code::{Group, room};
use odeum_room::{BackendSender, MessageText};
use odeum_types::RoomId;

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{MESSAGE_CATEGORY, MESSAGE_CONTENT, ROOM_ID, SENDER, SENDER_NAME};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema};

pub(crate) const ACTION: Action = Action {
    name: "SendBroadcastMessage",
    group: Group::Room,
    limits: Limits::per_second(100, Some(10)),
    summary: "Says something to everyone in a room; it arrives also over a lost connection.",
    parameters: &[ROOM_ID, SENDER, SENDER_NAME, MESSAGE_CATEGORY, MESSAGE_CONTENT],
    data: Some(schema::<BroadcastSent>),
    codes: &[
        room::FAILED,
        room::ROOM_UNKNOWN,
        room::MESSAGE_EMPTY,
        room::ROOM_IN_TRANSITION,
        room::MESSAGE_TOO_LONG,
    ],
    run: |call| Box::pin(answer(call)),
};

struct SendBroadcastMessage {
    room: RoomId,
    sender: BackendSender,
    text: MessageText,
}

impl SendBroadcastMessage {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        let request = Self {
            room: parameters.room()?,
            sender: parameters.sender()?,
            text: parameters.message()?,
        };
        // The web client's event has no place for it.
        parameters.message_category()?;
        Ok(request)
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let SendBroadcastMessage { room, sender, text } =
        SendBroadcastMessage::parse(call.parameters()?)?;
    match call.node().broadcast_for_backend(call.app, &room, sender, text).await {
        Ok(id) => Ok(call.found(BroadcastSent { message_id: id.0 })),
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
            (with("MessageCategory=2&UserName=Ann&MessageContent=%E4%B8%AD"), 0),
            (with(&format!("MessageCategory=2&MessageContent={}", "%E4%B8%AD".repeat(342))), 50012),
            (with("MessageCategory=1"), 2),
            (with("MessageContent=m"), 2),
            (with("MessageCategory=3&MessageContent=m"), 2),
            (format!("UserId=u&{}", text(1)), 2),
            (format!("RoomId=r&{}", text(1)), 2),
            (with(&format!("{}&UserName={}", text(1), "n".repeat(256))), 3),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(SendBroadcastMessage::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
