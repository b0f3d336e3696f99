//! SendCustomCommand: sends a command to some users of a room or to all, reliably (ruling 23).

use odeum_proto::api::{CommandSent, FailedUser};
use odeum_proto::return_code::{Group, room};
use odeum_room::{BackendSender, CommandTargets, MessageText};
use odeum_types::{RoomId, UserId};

use crate::call::{Answer, Call, Effect, not_carried_out};
use crate::parameter::{Element, Kind, MESSAGE_CONTENT, Parameter, ROOM_ID};
use crate::parameters::Parameters;
use crate::rate_limit::Limits;
use crate::refusal::Refusal;
use crate::{Action, schema};

/// At most 10 users.
const TARGETS: Kind = Kind::List { of: Element::User, count_max: 10 };

pub(crate) const ACTION: Action = Action {
    name: "SendCustomCommand",
    group: Group::Room,
    limits: Limits::per_second(100, Some(10)),
    summary: "Sends a command to some users of a room or to all; it arrives also over a lost \
              connection.",
    parameters: &[
        ROOM_ID,
        Parameter::new(
            "FromUserId",
            Kind::User,
            "In whose name; need not be in the room, and does not get the command.",
        ),
        Parameter::new("ToUserId", TARGETS, "To whom; everyone by default.")
            .optional()
            .too_many(room::TOO_MANY_USERS),
        MESSAGE_CONTENT,
    ],
    data: Some(schema::<CommandSent>),
    codes: &[
        room::FAILED,
        room::ROOM_UNKNOWN,
        room::MESSAGE_EMPTY,
        room::ROOM_IN_TRANSITION,
        room::USER_OFFLINE,
        room::TOO_MANY_USERS,
        room::MESSAGE_TOO_LONG,
    ],
    run: |call| Box::pin(answer(call)),
};

struct SendCustomCommand {
    room: RoomId,
    sender: BackendSender,
    /// None: everyone.
    targets: Vec<UserId>,
    text: MessageText,
}

impl SendCustomCommand {
    fn parse(parameters: Parameters<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            room: parameters.room()?,
            sender: BackendSender { user: parameters.user_of("FromUserId")?, name: None },
            targets: parameters.users("ToUserId")?,
            text: parameters.message()?,
        })
    }
}

async fn answer(call: Call) -> Result<Answer, Refusal> {
    let SendCustomCommand { room, sender, targets, text } =
        SendCustomCommand::parse(call.parameters()?)?;
    let named = targets.len();
    let targets = match targets.is_empty() {
        true => CommandTargets::Everyone,
        false => CommandTargets::Users(targets),
    };
    let sent = call.node().send_command_for_backend(call.app, &room, sender, targets, text).await;
    let effect = Effect::Changes { not_durable: room::FAILED };
    let sent = sent.map_err(|error| not_carried_out(error, effect, &room, room::ROOM_UNKNOWN))?;
    let offline = sent.offline.len();
    let fail_users = (sent.offline.iter())
        .map(|user| FailedUser { uid: user.to_string(), code: room::USER_OFFLINE.number })
        .collect();
    let data = CommandSent { fail_users };
    if named > 0 && offline == named {
        let message = format!("no user of ToUserId is in room {room}");
        return Ok(call.failed(room::USER_OFFLINE, &message, data));
    }
    Ok(call.found(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Fields;

    #[test]
    fn parameters() {
        let with = |part: &str| format!("RoomId=r&FromUserId=u&{part}");
        for (query, code) in [
            (with("MessageContent=m"), 0),
            (with("MessageContent=m&ToUserId[]=a&ToUserId[]=b"), 0),
            (with(&format!("MessageContent=m{}", "&ToUserId[]=a".repeat(10))), 0),
            (with(&format!("MessageContent=m{}", "&ToUserId[]=a".repeat(11))), 50011),
            (with("MessageContent=m&ToUserId[]="), 2),
            (with(&format!("MessageContent=m&ToUserId[]={}", "u".repeat(64))), 3),
            (with(&format!("MessageContent={}", "m".repeat(1_024))), 0),
            (with(&format!("MessageContent={}", "m".repeat(1_025))), 50012),
            (with("MessageContent="), 1008),
            (with(""), 2),
            ("FromUserId=u&MessageContent=m".to_owned(), 2),
            ("RoomId=r&MessageContent=m".to_owned(), 2),
        ] {
            let fields = Fields::parse(&query, None);
            let parsed = ACTION.parameters(&fields).and_then(SendCustomCommand::parse);
            assert_eq!(parsed.err().map_or(0, |refusal| refusal.code.number), code, "{query}");
        }
    }
}
