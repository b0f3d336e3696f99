//! Every callback against the contract's facts (contract/callbacks.json): its fields, their types
//! and spellings, and that each number in them is one that the contract knows.

use std::collections::BTreeSet;

use odeum_callback::{CallbackEvent, body, seal};
use odeum_room::{
    AuthLevel, Event, EventKind, LeaveReason, Recreate, Relogin, RoomCloseReason,
    StreamCloseReason, StreamFacts, StreamNumberId, Terminal, UserFacts,
};
use odeum_types::{Codec, RoomSessionId, SessionId, StreamId, UserId, UserName};
use serde_json::Value;

use crate::scene::*;

const FACTS: &str = include_str!("../../contract/callbacks.json");

fn user() -> UserFacts {
    UserFacts {
        user: UserId::parse("ann").unwrap(),
        name: UserName::parse("Ann \"A\" \u{1f600}").unwrap(),
        session: SessionId(u64::MAX >> 1),
        login_at: START,
        user_sequence: u64::from(u32::MAX) + 1,
    }
}

fn stream() -> StreamFacts {
    StreamFacts {
        stream: StreamId::parse("camera").unwrap(),
        number: StreamNumberId(3),
        user: UserId::parse("ann").unwrap(),
        user_name: UserName::parse("Ann").unwrap(),
        title: "title".into(),
        extra_info: "{\"a\":1}".into(),
        created_at: START,
        stream_sequence: 9,
    }
}

/// Every event with every reason, codec, level and terminal that it may have.
fn every_kind() -> Vec<EventKind> {
    let mut kinds = vec![EventKind::RoomCreate { creator: UserId::parse("ann").unwrap() }];
    use RoomCloseReason::*;
    kinds.extend(
        [LastLeft, Closed, LastTimedOut, ServerClosing, LastKicked]
            .map(|reason| EventKind::RoomClose { reason }),
    );
    for auth_level in [AuthLevel::NoToken, AuthLevel::Token03, AuthLevel::Token04] {
        for terminal in [Terminal::Web, Terminal::Unknown] {
            for relogin in [Relogin::First, Relogin::Again] {
                kinds.push(EventKind::RoomLogin { user: user(), auth_level, terminal, relogin });
            }
        }
    }
    let leaves = [
        LeaveReason::LoggedOut,
        LeaveReason::HeartbeatTimeout,
        LeaveReason::ServerClosing,
        LeaveReason::LoggedInElsewhere,
        LeaveReason::Kicked,
        LeaveReason::RoomClosed,
        LeaveReason::TokenExpired,
    ];
    kinds.extend(leaves.map(|reason| EventKind::RoomLogout { user: user(), reason }));
    let codecs = [Codec::H264, Codec::Vp8, Codec::H265, Codec::Vp9, Codec::Av1].map(Some);
    for video in [None].into_iter().chain(codecs) {
        for recreate in [Recreate::New, Recreate::Again] {
            kinds.push(EventKind::StreamCreate { stream: stream(), video, recreate });
        }
    }
    let closes = [
        StreamCloseReason::Stopped,
        StreamCloseReason::HeartbeatTimeout,
        StreamCloseReason::LoggedInElsewhere,
        StreamCloseReason::Kicked,
        StreamCloseReason::MediaLost,
        StreamCloseReason::ServerClosing,
        StreamCloseReason::RoomClosed,
        StreamCloseReason::Deleted,
        StreamCloseReason::Forbidden,
    ];
    kinds.extend(closes.map(|reason| EventKind::StreamClose { stream: stream(), reason }));
    kinds
}

/// The body of one attempt, and its event's name.
fn sent(kind: EventKind) -> (CallbackEvent, Value) {
    let event = CallbackEvent::from(&kind);
    let room_session = RoomSessionId((1 << 62) + 1);
    let happened = Event { app: APP, room: room("lobby"), room_session, at: START, kind };
    let sealed = seal(event, &body(&happened), "msg_1".to_owned(), SECRET, START, 42);
    (event, serde_json::from_str(&sealed.body).expect("JSON"))
}

fn assert_type(name: &str, wanted: &str, value: &Value) {
    let is_right = match wanted {
        "string" => value.is_string(),
        "uint32" => value.as_u64().is_some_and(|number| number <= u64::from(u32::MAX)),
        "uint64" => value.is_u64(),
        "int64" => value.is_i64(),
        "array<string>" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        other => panic!("the facts have a type that the test does not know: {other}"),
    };
    assert!(is_right, "{name} is to be {wanted}: {value}");
}

/// The number in a field, whichever way the contract writes it.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[test]
fn every_body_has_the_contracts_fields_types_and_numbers() {
    let facts: Value = serde_json::from_str(FACTS).expect("JSON");
    let mut seen = BTreeSet::new();
    for kind in every_kind() {
        // Ruling 21: left out where the contract has no number for the codec.
        let without = [None, Some(Codec::Vp9), Some(Codec::Av1)];
        let has_codec =
            !matches!(kind, EventKind::StreamCreate { video, .. } if without.contains(&video));
        let (event, body) = sent(kind);
        seen.insert(event);
        let fields = facts["events"][event.as_str()].as_array().expect("the facts know the event");
        let body = body.as_object().expect("an object");
        let known: BTreeSet<&str> = (fields.iter().map(|field| field["name"].as_str().unwrap()))
            .filter(|name| has_codec || *name != "stream_attr")
            .collect();
        let told: BTreeSet<&str> = body.keys().map(String::as_str).collect();
        assert_eq!(told, known, "the fields of {}", event.as_str());
        for field in fields {
            let name = field["name"].as_str().unwrap();
            let Some(value) = body.get(name) else { continue };
            assert_type(name, field["type"].as_str().unwrap(), value);
            if let Some(wanted) = field.get("const") {
                assert_eq!(value, wanted, "{name}");
            }
            if let Some(allowed) = field["enum"].as_array() {
                let is_known = allowed.iter().any(|each| each.as_u64() == number(value));
                assert!(is_known, "{}: {name} {value} is not in {allowed:?}", event.as_str());
            }
            if let (Some(allowed), Some(text)) = (field["cid_enum"].as_array(), value.as_str())
                && !text.is_empty()
            {
                let attributes: Value = serde_json::from_str(text).expect("JSON in a text");
                assert!(allowed.contains(&attributes["cid"]), "{text}");
            }
        }
    }
    assert_eq!(seen.len(), facts["events"].as_object().unwrap().len(), "an event has no test");
}

#[test]
fn numbers_of_64_bits_are_written_exactly() {
    let (_, create) = sent(EventKind::RoomCreate { creator: UserId::parse("ann").unwrap() });
    assert_eq!(create["room_session_id"].as_u64(), Some((1 << 62) + 1));
    let (_, login) = sent(EventKind::RoomLogout { user: user(), reason: LeaveReason::Kicked });
    assert_eq!(login["session_id"], (u64::MAX >> 1).to_string());
    assert_eq!(login["user_update_seq"], "4294967296");
}
