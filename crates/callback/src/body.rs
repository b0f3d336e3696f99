//! Bodies: where an event of a room becomes the contract's JSON, and where an attempt signs it.

use odeum_auth::{callback, webhook};
use odeum_proto::callback as wire;
use odeum_room::{
    AuthLevel, Event, EventKind, LeaveReason, Recreate, Relogin, RoomCloseReason,
    StreamCloseReason, StreamFacts, Terminal, UserFacts,
};
use odeum_store::{CallbackNumber, StoreIdentity};
use odeum_types::{AppId, Codec, RoomSessionId, UnixMillis};
use serde::Serialize;

use crate::event::CallbackEvent;

/// Everyone's role (ruling 21).
const AUDIENCE: &str = "2";

/// The body of an event, without what each attempt makes anew.
pub fn body(event: &Event) -> String {
    let name = CallbackEvent::from(&event.kind).as_str();
    let (app, room, life) = (event.app, event.room.as_str(), event.room_session);
    match &event.kind {
        EventKind::RoomCreate { creator } => json(&wire::RoomCreate {
            event: name,
            appid: app.0,
            room_id: room,
            room_session_id: life.0,
            room_create_time: text(event.at.0),
            id_name: creator.as_str(),
        }),
        EventKind::RoomClose { reason } => json(&wire::RoomClose {
            event: name,
            appid: app.0,
            room_id: room,
            room_session_id: life.0,
            close_reason: close_reason(*reason),
            room_close_time: text(event.at.0),
        }),
        EventKind::RoomLogin { user, auth_level, terminal, relogin } => json(&wire::RoomLogin {
            event: name,
            appid: text(app.0),
            room_id: room,
            room_name: room,
            room_seq: text(life.0),
            user_account: user.user.as_str(),
            user_nickname: user.name.as_str(),
            session_id: text(user.session.0),
            login_time: text(user.login_at.0),
            user_role: AUDIENCE,
            auth_level: text(level(*auth_level)),
            relogin: match relogin {
                Relogin::First => "0",
                Relogin::Again => "1",
            },
            user_update_seq: text(user.user_sequence),
            callback_data: "",
            term_type: text(terminal_type(*terminal)),
        }),
        EventKind::RoomLogout { user, reason } => json(&logout(name, event, user, *reason)),
        EventKind::StreamCreate { stream, video, recreate } => {
            json(&stream_create(name, app, room, life, stream, *video, *recreate))
        }
        EventKind::StreamClose { stream, reason } => {
            json(&stream_close(name, event, stream, *reason))
        }
    }
}

fn logout<'a>(
    name: &'static str,
    event: &'a Event,
    user: &'a UserFacts,
    reason: LeaveReason,
) -> wire::RoomLogout<'a> {
    wire::RoomLogout {
        event: name,
        appid: text(event.app.0),
        room_id: event.room.as_str(),
        room_seq: text(event.room_session.0),
        user_account: user.user.as_str(),
        user_nickname: user.name.as_str(),
        session_id: text(user.session.0),
        login_time: text(user.login_at.0),
        logout_time: text(event.at.0),
        reason: text(leave_reason(reason)),
        user_role: AUDIENCE,
        user_update_seq: text(user.user_sequence),
    }
}

fn stream_create<'a>(
    name: &'static str,
    app: AppId,
    room: &'a str,
    life: RoomSessionId,
    stream: &'a StreamFacts,
    video: Option<Codec>,
    recreate: Recreate,
) -> wire::StreamCreate<'a> {
    wire::StreamCreate {
        event: name,
        appid: text(app.0),
        room_id: room,
        room_session_id: text(life.0),
        user_id: stream.user.as_str(),
        user_name: stream.user_name.as_str(),
        channel_id: room,
        stream_id: stream.stream.as_str(),
        stream_sid: stream_sid(life, stream),
        title: &stream.title,
        stream_alias: stream.stream.as_str(),
        stream_attr: video.and_then(codec_number).map(|cid| format!("{{\"cid\":{cid}}}")),
        stream_seq: text(stream.stream_sequence),
        create_time: text(stream.created_at.seconds()),
        create_time_ms: text(stream.created_at.0),
        extra_info: &stream.extra_info,
        recreate: match recreate {
            Recreate::New => "0",
            Recreate::Again => "1",
        },
        publish_id: stream.user.as_str(),
        publish_name: stream.user_name.as_str(),
        rtmp_url: [],
        hls_url: [],
        hdl_url: [],
        pic_url: [],
    }
}

fn stream_close<'a>(
    name: &'static str,
    event: &'a Event,
    stream: &'a StreamFacts,
    reason: StreamCloseReason,
) -> wire::StreamClose<'a> {
    wire::StreamClose {
        event: name,
        appid: text(event.app.0),
        room_id: event.room.as_str(),
        room_session_id: text(event.room_session.0),
        user_id: stream.user.as_str(),
        user_name: stream.user_name.as_str(),
        channel_id: event.room.as_str(),
        kind: text(close_type(reason)),
        stream_alias: stream.stream.as_str(),
        stream_id: stream.stream.as_str(),
        stream_sid: stream_sid(event.room_session, stream),
        stream_seq: text(stream.stream_sequence),
        third_define_data: "",
        create_time_ms: text(stream.created_at.0),
        destroy_timemillis: text(event.at.0),
    }
}

/// A body as one attempt sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The body, signed.
    pub body: String,
    /// The header `webhook-id`: the same for every attempt of a callback.
    pub id: String,
    /// The header `webhook-timestamp`, Unix seconds.
    pub timestamp: String,
    /// The header `webhook-signature`.
    pub signature: String,
}

/// The name of a callback, the same for every attempt and every replay.
pub fn webhook_id(store: &StoreIdentity, number: CallbackNumber) -> String {
    format!("msg_{}_{number}", store.of(number))
}

/// Signs a body for one attempt: time and nonce are the attempt's own (ruling 26).
pub fn seal(
    event: CallbackEvent,
    body: &str,
    id: String,
    secret: &str,
    now: UnixMillis,
    nonce: u64,
) -> Sealed {
    let (timestamp, nonce) = (now.seconds().to_string(), nonce.to_string());
    let signature = callback::make(secret.as_bytes(), &timestamp, &nonce);
    let quote = if event.has_json_numbers() { "" } else { "\"" };
    // A body is an object with at least the event's name in it.
    let rest = body.strip_prefix('{').unwrap_or(body);
    let body = format!(
        "{{\"timestamp\":{quote}{timestamp}{quote},\"nonce\":\"{nonce}\",\
         \"signature\":\"{signature}\",{rest}"
    );
    let signature = webhook::make(secret.as_bytes(), &id, &timestamp, body.as_bytes());
    Sealed { body, id, timestamp, signature }
}

fn json<T: Serialize>(body: &T) -> String {
    serde_json::to_string(body).expect("texts, numbers and lists of them become JSON")
}

fn text<T: ToString>(number: T) -> String {
    number.to_string()
}

fn stream_sid(life: RoomSessionId, stream: &StreamFacts) -> String {
    format!("s-{}-{}", life.0, stream.number.0)
}

/// The contract's number of a video codec, where it has one.
fn codec_number(codec: Codec) -> Option<u32> {
    match codec {
        Codec::H264 => Some(0),
        Codec::Vp8 => Some(2),
        Codec::H265 => Some(3),
        Codec::Opus | Codec::Vp9 | Codec::Av1 => None,
    }
}

fn level(level: AuthLevel) -> u32 {
    match level {
        AuthLevel::NoToken => 0,
        AuthLevel::Token03 => 3,
        AuthLevel::Token04 => 4,
    }
}

fn terminal_type(terminal: Terminal) -> u32 {
    match terminal {
        Terminal::Web => 6,
        Terminal::Unknown => 32,
    }
}

fn leave_reason(reason: LeaveReason) -> u32 {
    match reason {
        LeaveReason::LoggedOut => 0,
        LeaveReason::HeartbeatTimeout => 1,
        LeaveReason::ServerClosing => 2,
        LeaveReason::LoggedInElsewhere | LeaveReason::Kicked | LeaveReason::RoomClosed => 3,
        LeaveReason::TokenExpired => 4,
    }
}

fn close_reason(reason: RoomCloseReason) -> u32 {
    match reason {
        RoomCloseReason::LastLeft | RoomCloseReason::Closed => 0,
        RoomCloseReason::LastTimedOut => 1,
        RoomCloseReason::ServerClosing => 2,
        RoomCloseReason::LastKicked => 3,
    }
}

fn close_type(reason: StreamCloseReason) -> u32 {
    match reason {
        StreamCloseReason::Stopped => 0,
        StreamCloseReason::HeartbeatTimeout => 1,
        StreamCloseReason::LoggedInElsewhere => 2,
        StreamCloseReason::Kicked => 3,
        StreamCloseReason::MediaLost | StreamCloseReason::ServerClosing => 4,
        StreamCloseReason::RoomClosed => 5,
        StreamCloseReason::Deleted | StreamCloseReason::Forbidden => 100,
    }
}
