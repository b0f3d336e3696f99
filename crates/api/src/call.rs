//! One call on its way through an action, and the text that answers it.

use std::sync::Arc;

use odeum_node::{CommandError, NodeHandle};
use odeum_proto::api::{NoData, Reply, SUCCESS};
use odeum_proto::return_code::{ReturnCode, gateway, room};
use odeum_types::{AppId, RoomId};
use serde::Serialize;

use crate::parameters::Parameters;
use crate::query::Fields;
use crate::rate_limit::Column;
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::{Action, ApiState};

/// An authentic call that may be answered now.
pub(crate) struct Call {
    /// What the API works with.
    pub(crate) state: ApiState,
    /// Whose call.
    pub(crate) app: AppId,
    /// Its number.
    pub(crate) request_id: RequestId,
    /// What it says.
    pub(crate) fields: Arc<Fields>,
    /// What is called.
    pub(crate) action: &'static Action,
    /// In which environment.
    pub(crate) column: Column,
}

/// The body of a reply.
#[derive(Debug, Clone)]
pub(crate) struct Answer(pub(crate) Arc<str>);

impl Call {
    /// The call's parameters.
    pub(crate) fn parameters(&self) -> Result<Parameters<'_>, Refusal> {
        Parameters::new(&self.fields, self.action.parameters, self.app, self.column)
    }

    /// The rooms.
    pub(crate) fn node(&self) -> &NodeHandle {
        &self.state.0.node
    }

    /// Success, of an action without payload.
    pub(crate) fn done(&self) -> Answer {
        body::<NoData>(self.request_id, gateway::OK, SUCCESS, None)
    }

    /// A code that is not 0, with the action's payload all the same.
    pub(crate) fn refused_with<D: Serialize>(&self, refusal: &Refusal, data: D) -> Answer {
        body(self.request_id, refusal.code, &refusal.message, Some(data))
    }

    /// Success, with the action's payload.
    pub(crate) fn found<D: Serialize>(&self, data: D) -> Answer {
        body(self.request_id, gateway::OK, SUCCESS, Some(data))
    }

    /// A failure whose payload says what of it failed.
    pub(crate) fn failed<D: Serialize>(&self, code: ReturnCode, message: &str, data: D) -> Answer {
        body(self.request_id, code, message, Some(data))
    }
}

/// The body of a refusal.
pub(crate) fn refused(request_id: RequestId, refusal: &Refusal) -> Answer {
    body::<NoData>(request_id, refusal.code, &refusal.message, None)
}

fn body<D: Serialize>(
    request_id: RequestId,
    code: ReturnCode,
    message: &str,
    data: Option<D>,
) -> Answer {
    let reply = Reply {
        code: code.number,
        message: message.to_owned(),
        request_id: request_id.to_string(),
        data,
    };
    let text = serde_json::to_string(&reply).expect("texts, numbers and lists of them become JSON");
    Answer(text.into())
}

/// What a call does to its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it reads.
    Reads,
    /// It changes the room, and ends with `not_durable` when what it causes cannot be kept (ruling
    /// 27).
    Changes {
        /// 124 for streams, 1 else.
        not_durable: ReturnCode,
    },
}

/// The refusal of a command or query that the node did not carry out. What a missing room means is
/// the action's own: `no_room` (ruling 13).
pub(crate) fn not_carried_out(
    error: CommandError,
    effect: Effect,
    id: &RoomId,
    no_room: ReturnCode,
) -> Refusal {
    match (error, effect) {
        (CommandError::NoRoom, _) => Refusal::new(no_room, format!("there is no room {id}")),
        (CommandError::Overloaded | CommandError::DeadlinePassed, _)
        | (CommandError::ShuttingDown, Effect::Reads) => {
            Refusal::new(gateway::OVERLOADED, "the server could not answer in time: try again")
        }
        (CommandError::ShuttingDown, Effect::Changes { .. }) => {
            let message = format!("room {id} cannot be changed while the server ends: try again");
            Refusal::new(room::ROOM_IN_TRANSITION, message)
        }
        (CommandError::EventsFull, Effect::Changes { not_durable }) => {
            let message = format!("room {id} was not changed: its events could not be kept");
            Refusal::new(not_durable, message)
        }
        (CommandError::RoomFailed, _) | (CommandError::EventsFull, Effect::Reads) => internal(),
    }
}

/// Code 1: the log says why under the RequestId.
pub(crate) fn internal() -> Refusal {
    Refusal::new(room::FAILED, "internal failure; the log has it under the RequestId")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_node_refuses_has_a_code_for_each_effect() {
        let id = RoomId::parse("r").unwrap();
        let deletes = Effect::Changes { not_durable: room::STREAM_NOT_DELETED };
        for (error, effect, code) in [
            (CommandError::NoRoom, deletes, 104),
            (CommandError::NoRoom, Effect::Reads, 104),
            (CommandError::Overloaded, deletes, 100000015),
            (CommandError::DeadlinePassed, Effect::Reads, 100000015),
            (CommandError::ShuttingDown, deletes, 5018),
            (CommandError::ShuttingDown, Effect::Reads, 100000015),
            (CommandError::EventsFull, deletes, 124),
            (CommandError::RoomFailed, deletes, 1),
        ] {
            let refusal = not_carried_out(error, effect, &id, room::ROOM_UNKNOWN);
            assert_eq!(refusal.code.number, code);
        }
    }
}
