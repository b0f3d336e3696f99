//! Arbitrary text as a client's message: what is read can be written and read again, and its words
//! become domain types or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_proto::signal::{ClientMessage, ServerMessage};
use odeum_room::MessageText;
use odeum_rtp::sdp::Offer;
use odeum_types::{IdError, RoomId, StreamId, UserId, UserName};

fuzz_target!(|text: &str| {
    if let Ok(message) = serde_json::from_str::<ServerMessage>(text) {
        let written = serde_json::to_string(&message).expect("a message has only JSON types");
        assert_eq!(serde_json::from_str::<ServerMessage>(&written).ok(), Some(message));
    }
    let Ok(message) = serde_json::from_str::<ClientMessage>(text) else { return };
    let written = serde_json::to_string(&message).expect("a message has only JSON types");
    assert_eq!(serde_json::from_str::<ClientMessage>(&written).ok().as_ref(), Some(&message));
    match &message {
        ClientMessage::Login(login) => {
            check(&login.room_id, RoomId::parse(&login.room_id).map(|id| id.to_string()));
            check(&login.user_id, UserId::parse(&login.user_id).map(|id| id.to_string()));
            check(&login.user_name, UserName::parse(&login.user_name).map(|id| id.to_string()));
        }
        ClientMessage::Resume(resume) => {
            check(&resume.user_id, UserId::parse(&resume.user_id).map(|id| id.to_string()));
        }
        ClientMessage::Publish(publish) => {
            check(&publish.stream_id, StreamId::parse(&publish.stream_id).map(|id| id.to_string()));
            drop(Offer::parse(&publish.sdp));
        }
        ClientMessage::Play(play) => {
            check(&play.stream_id, StreamId::parse(&play.stream_id).map(|id| id.to_string()));
            drop(Offer::parse(&play.sdp));
        }
        ClientMessage::Unpublish(request) | ClientMessage::Unplay(request) => {
            check(&request.stream_id, StreamId::parse(&request.stream_id).map(|id| id.to_string()));
        }
        ClientMessage::SetStreamExtraInfo(set) => {
            check(&set.stream_id, StreamId::parse(&set.stream_id).map(|id| id.to_string()));
        }
        ClientMessage::SendCustomCommand(send) => {
            drop(MessageText::parse(&send.command));
            for user in &send.to_user_ids {
                check(user, UserId::parse(user).map(|id| id.to_string()));
            }
        }
        ClientMessage::SendBroadcastMessage(send) | ClientMessage::SendBarrageMessage(send) => {
            if let Ok(text) = MessageText::parse(&send.message) {
                assert_eq!(text.as_str(), send.message);
                assert!((1..=1_024).contains(&send.message.len()), "contract, limits of messages");
            }
        }
        ClientMessage::Logout(_)
        | ClientMessage::RenewToken(_)
        | ClientMessage::Heartbeat(_)
        | ClientMessage::SetPlayVideo(_)
        | ClientMessage::RestartIce(_)
        | ClientMessage::SetRoomExtraInfo(_) => {}
    }
});

/// An accepted id is the text itself, and of a bounded length.
fn check(text: &str, parsed: Result<String, IdError>) {
    if let Ok(id) = parsed {
        assert_eq!(id, text);
        assert!(text.len() <= 256, "no id is longer");
    }
}
