//! `play` and `unplay`: a stream of somebody else.

use odeum_auth::client_code;
use odeum_node::{PlayFailed, PlayWish, Priority, VideoWish};
use odeum_proto::signal::{self as wire, Reply};
use odeum_room::{PlayError, StopPlayingError};
use odeum_types::StreamId;

use super::{Caller, Handled, OpenSession, command_refusal};
use crate::code;
use crate::refusal::{Refusal, STREAM_ID};

/// Prepares a transport over which the client gets a stream.
pub(crate) async fn handle(
    caller: Caller,
    session: OpenSession,
    message: wire::Play,
) -> Result<Handled, Refusal> {
    let stream = StreamId::parse(&message.stream_id).map_err(|error| STREAM_ID.refuse(error))?;
    if session.token.expires_at <= caller.state.now() {
        return Err(Refusal::new(client_code::PLAY_REFUSED, "the token has expired"));
    }
    let video = video_wish(message.video_layer, message.video_height);
    let wish = PlayWish { video, priority: priority(message.priority) };
    let played = caller.state.node().play(&session.reference, stream, message.sdp, wish).await;
    let played = played.map_err(refuse)?;
    Ok(Handled::Answered(Reply::Answer(wire::Answer {
        request_id: message.request_id,
        room_id: message.room_id,
        stream_id: message.stream_id,
        sdp: played.sdp,
        untaken_codecs: played.untaken.iter().map(ToString::to_string).collect(),
    })))
}

/// Stops playing a stream.
pub(crate) async fn stop(
    caller: Caller,
    session: OpenSession,
    message: wire::StreamRequest,
) -> Result<Handled, Refusal> {
    let stream = StreamId::parse(&message.stream_id).map_err(|error| STREAM_ID.refuse(error))?;
    let stopped = caller.state.node().unplay(&session.reference, stream).await;
    match stopped.map_err(command_refusal)? {
        Ok(()) => Ok(Handled::Answered(Reply::Done { request_id: message.request_id })),
        Err(error) => Err(refuse_stop(error)),
    }
}

/// Takes what the client wants to see from now on.
pub(crate) async fn set_video(
    caller: Caller,
    session: OpenSession,
    message: wire::SetPlayVideo,
) -> Result<Handled, Refusal> {
    let stream = StreamId::parse(&message.stream_id).map_err(|error| STREAM_ID.refuse(error))?;
    let video = video_wish(message.video_layer, message.video_height);
    let wish = PlayWish { video, priority: priority(message.priority) };
    let set = caller.state.node().set_play_wish(&session.reference, stream, wish).await;
    match set.map_err(command_refusal)? {
        Ok(()) => Ok(Handled::Answered(Reply::Done { request_id: message.request_id })),
        Err(error) => Err(refuse_stop(error)),
    }
}

fn video_wish(layer: wire::VideoLayer, height: u16) -> VideoWish {
    match layer {
        wire::VideoLayer::Best if height > 0 => VideoWish::Height(height),
        wire::VideoLayer::Best => VideoWish::Best,
        wire::VideoLayer::Largest => VideoWish::Largest,
        wire::VideoLayer::Smallest => VideoWish::Smallest,
    }
}

fn priority(priority: wire::PlayPriority) -> Priority {
    match priority {
        wire::PlayPriority::VeryLow => Priority::VeryLow,
        wire::PlayPriority::Low => Priority::Low,
        wire::PlayPriority::Medium => Priority::Medium,
        wire::PlayPriority::High => Priority::High,
    }
}

fn refuse(failed: PlayFailed) -> Refusal {
    match failed {
        PlayFailed::Room(error @ PlayError::NoSession(_)) => {
            Refusal::new(code::NOT_LOGGED_IN, error)
        }
        PlayFailed::Room(error @ PlayError::NoStream(_)) => {
            Refusal::new(code::STREAM_UNKNOWN, error)
        }
        PlayFailed::Room(error @ PlayError::PublisherInterrupted(_)) => {
            Refusal::new(code::PLAY_INTERRUPTED, error)
        }
        PlayFailed::Room(error @ PlayError::StreamForbidden(_)) => {
            Refusal::new(code::PLAY_STOPPED, error)
        }
        PlayFailed::Room(error @ PlayError::TooManyPlays { .. }) => {
            Refusal::new(code::PLAY_TOO_MANY, error)
        }
        PlayFailed::Offer(error) => Refusal::new(code::PLAY_OFFER, error),
        PlayFailed::Command(error) => command_refusal(error),
    }
}

fn refuse_stop(error: StopPlayingError) -> Refusal {
    let code = match error {
        StopPlayingError::NoSession(_) => code::NOT_LOGGED_IN,
        StopPlayingError::NotPlaying(_) => code::NOT_PLAYING,
    };
    Refusal::new(code, error)
}
