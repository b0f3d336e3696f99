//! `set_room_extra_info` and `set_stream_extra_info`.

use odeum_proto::signal::{self as wire, Reply};
use odeum_room::{
    ExtraInfoKey, ExtraInfoTextError, ExtraInfoValue, SetRoomExtraInfoError,
    SetStreamExtraInfoError,
};
use odeum_types::StreamId;

use super::{Caller, Handled, OpenSession, command_refusal};
use crate::code;
use crate::refusal::{Refusal, STREAM_ID};

/// Longest extra info of a stream, bytes (ruling 24).
const STREAM_BYTES_MAX: usize = 1_024;

/// Sets the room's extra info.
pub(crate) async fn set_of_room(
    caller: Caller,
    session: OpenSession,
    message: wire::SetRoomExtraInfo,
) -> Result<Handled, Refusal> {
    let key = ExtraInfoKey::parse(&message.key).map_err(refuse_text)?;
    let value = ExtraInfoValue::parse(&message.value).map_err(refuse_text)?;
    let set = caller.state.node().set_room_extra_info(&session.reference, key, value).await;
    match set.map_err(command_refusal)? {
        Ok(()) => Ok(Handled::Answered(Reply::Done { request_id: message.request_id })),
        Err(error) => Err(refuse_room(error)),
    }
}

/// Sets the extra info of a stream that the client publishes.
pub(crate) async fn set_of_stream(
    caller: Caller,
    session: OpenSession,
    message: wire::SetStreamExtraInfo,
) -> Result<Handled, Refusal> {
    let stream = StreamId::parse(&message.stream_id).map_err(|error| STREAM_ID.refuse(error))?;
    check(&message.extra_info)?;
    let extra_info = message.extra_info.into();
    let node = caller.state.node();
    let set = node.set_stream_extra_info(&session.reference, stream, extra_info).await;
    match set.map_err(command_refusal)? {
        Ok(()) => Ok(Handled::Answered(Reply::Done { request_id: message.request_id })),
        Err(error) => Err(refuse_stream(error)),
    }
}

/// Checks the length of a stream's extra info.
pub(crate) fn check(extra_info: &str) -> Result<(), Refusal> {
    if extra_info.len() <= STREAM_BYTES_MAX {
        return Ok(());
    }
    let sentence = format!("extra_info is longer than {STREAM_BYTES_MAX} bytes");
    Err(Refusal::new(code::EXTRA_INFO_TOO_LONG, sentence))
}

fn refuse_text(error: ExtraInfoTextError) -> Refusal {
    let code = match error {
        ExtraInfoTextError::KeyEmpty => code::BAD_PARAMETER,
        ExtraInfoTextError::KeyTooLong => code::ROOM_EXTRA_INFO_KEY_TOO_LONG,
        ExtraInfoTextError::ValueTooLong => code::ROOM_EXTRA_INFO_VALUE_TOO_LONG,
    };
    Refusal::new(code, error)
}

fn refuse_room(error: SetRoomExtraInfoError) -> Refusal {
    let code = match error {
        SetRoomExtraInfoError::NoSession(_) => code::NOT_LOGGED_IN,
        SetRoomExtraInfoError::SecondKey => code::ROOM_EXTRA_INFO_SECOND_KEY,
        SetRoomExtraInfoError::TooOften { .. } => code::TOO_OFTEN,
    };
    Refusal::new(code, error)
}

fn refuse_stream(error: SetStreamExtraInfoError) -> Refusal {
    let code = match error {
        SetStreamExtraInfoError::NoSession(_) => code::NOT_LOGGED_IN,
        SetStreamExtraInfoError::NotPublishing(_) => code::NOT_PUBLISHING,
        SetStreamExtraInfoError::TooOften { .. } => code::TOO_OFTEN,
    };
    Refusal::new(code, error)
}
