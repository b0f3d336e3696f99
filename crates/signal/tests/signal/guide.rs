//! The guide for writers of clients: its examples are real messages, and all messages have one.

use odeum_proto::signal::{ClientMessage, ServerMessage, close_code};

/// The guide.
const GUIDE: &str = include_str!("../../../../docs/guides/write-a-client.md");

/// Every `type` of the protocol.
const TYPES: [&str; 34] = [
    "login",
    "resume",
    "logout",
    "renew_token",
    "heartbeat",
    "publish",
    "unpublish",
    "play",
    "unplay",
    "restart_ice",
    "send_broadcast_message",
    "send_barrage_message",
    "send_custom_command",
    "set_room_extra_info",
    "set_stream_extra_info",
    "logged_in",
    "resumed",
    "answer",
    "ice_restarted",
    "command_sent",
    "done",
    "error",
    "user_update",
    "user_count",
    "stream_update",
    "publisher_state",
    "player_state",
    "broadcast_message",
    "barrage_message",
    "custom_command",
    "room_extra_info_update",
    "stream_extra_info_update",
    "kickout",
    "token_will_expire",
];

fn examples() -> impl Iterator<Item = &'static str> {
    GUIDE.lines().filter(|line| line.starts_with('{'))
}

#[test]
fn every_example_is_a_message_that_can_be_read() {
    for example in examples() {
        let from_client = serde_json::from_str::<ClientMessage>(example).is_ok();
        let from_server = serde_json::from_str::<ServerMessage>(example).is_ok();
        assert!(from_client ^ from_server, "{example}");
    }
}

#[test]
fn every_type_of_message_has_an_example() {
    for kind in TYPES {
        let text = format!(r#""type":"{kind}""#);
        assert!(examples().any(|example| example.contains(&text)), "{kind}");
    }
}

#[test]
fn every_close_code_says_what_to_do() {
    for code in [
        close_code::SESSION_OVER,
        close_code::REPLACED,
        close_code::TOO_SLOW,
        close_code::PROTOCOL_ERROR,
        close_code::SERVER_CLOSING,
        close_code::SILENT,
    ] {
        assert!(GUIDE.contains(&format!("\n| {code}")), "{code}");
    }
}
