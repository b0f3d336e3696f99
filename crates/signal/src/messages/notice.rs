//! The room's notices on the wire: their shape, their client codes, and their text, which is made
//! once for all who are told the same.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ws::Utf8Bytes;
use odeum_auth::client_code;
use odeum_proto::signal as wire;
use odeum_room::{
    KickoutReason, ListUpdate, Notice, NumberedNotice, PlayEndReason, PlayState, PublishEndReason,
    PublishState, StreamDeleteReason, StreamEntry, StreamListUpdate,
};
use odeum_types::RoomId;

use super::snapshot::{wire_room_extra_info, wire_stream, wire_user};
use crate::code;
use crate::limits::RENDERED_NOTICES;

/// Word that says DeleteStream ended it (ruling 11).
const STREAM_DELETED: &str = "stream_deleted";

/// Why a publication or play ended: ForbidRTCStream.
const STREAM_FORBIDDEN: &str = "stream_forbidden";

/// The wire shape of `notice`. `None` is said by the close alone: the session is over, and not by
/// somebody's will.
fn wire_notice(notice: &Notice) -> Option<wire::Notice> {
    Some(match notice {
        Notice::UserUpdate { update, users } => wire::Notice::UserUpdate {
            update: match update {
                ListUpdate::Add => wire::Update::Add,
                ListUpdate::Delete => wire::Update::Delete,
            },
            users: users.iter().map(wire_user).collect(),
        },
        Notice::UserCount { count } => wire::Notice::UserCount { count: *count as u64 },
        Notice::StreamUpdate { update, streams, stream_sequence } => {
            stream_update(*update, streams, *stream_sequence)
        }
        Notice::PublisherState { stream, state } => {
            let (state, error_code, reason) = publisher_state(*state);
            wire::Notice::PublisherState {
                stream_id: stream.as_str().to_owned(),
                state,
                error_code,
                reason: reason.to_owned(),
            }
        }
        Notice::LayersWanted { stream, layers } => wire::Notice::LayersWanted {
            stream_id: stream.as_str().to_owned(),
            layers: layers.iter().collect(),
        },
        Notice::PlayerState { stream, state } => {
            let (state, error_code, reason) = player_state(*state);
            wire::Notice::PlayerState {
                stream_id: stream.as_str().to_owned(),
                state,
                error_code,
                reason: reason.to_owned(),
            }
        }
        Notice::BroadcastMessage { id, from, text, sent_at } => wire::Notice::BroadcastMessage {
            message_id: id.0,
            from_user: wire_user(from),
            message: text.as_str().to_owned(),
            send_time_ms: sent_at.0,
        },
        Notice::BarrageMessage { id, from, text } => wire::Notice::BarrageMessage {
            message_id: id.to_string(),
            from_user: wire_user(from),
            message: text.as_str().to_owned(),
            send_time_ms: id.sent_at.0,
        },
        Notice::CustomCommand { from, text } => wire::Notice::CustomCommand {
            from_user: wire_user(from),
            command: text.as_str().to_owned(),
        },
        Notice::RoomExtraInfo(extra_info) => {
            wire::Notice::RoomExtraInfoUpdate { room_extra_info: wire_room_extra_info(extra_info) }
        }
        Notice::StreamExtraInfo(entry) => {
            wire::Notice::StreamExtraInfoUpdate { stream: wire_stream(entry) }
        }
        Notice::Kickout { reason, custom_reason } => wire::Notice::Kickout {
            code: kickout_code(*reason)?,
            custom_reason: custom_reason.to_string(),
        },
        Notice::TokenWillExpire { remaining } => {
            wire::Notice::TokenWillExpire { remaining_s: remaining.as_secs() }
        }
    })
}

fn stream_update(
    update: StreamListUpdate,
    streams: &[StreamEntry],
    stream_sequence: u64,
) -> wire::Notice {
    let (update, reason) = match update {
        StreamListUpdate::Add => (wire::Update::Add, None),
        StreamListUpdate::Delete(reason) => (wire::Update::Delete, Some(reason)),
    };
    let reason_of = |entry: &StreamEntry| {
        let code = delete_reason_code(reason?);
        Some(wire::StreamDeleteReason { stream_id: entry.stream.as_str().to_owned(), code })
    };
    wire::Notice::StreamUpdate {
        update,
        reasons: streams.iter().filter_map(reason_of).collect(),
        streams: streams.iter().map(wire_stream).collect(),
        stream_sequence,
    }
}

/// `stream_delete_reason` of the contract.
fn delete_reason_code(reason: StreamDeleteReason) -> u32 {
    match reason {
        StreamDeleteReason::Stopped => 1,
        StreamDeleteReason::HeartbeatTimeout => 2,
        StreamDeleteReason::LoggedInElsewhere => 3,
        StreamDeleteReason::Kicked => 4,
        StreamDeleteReason::MediaLost => 5,
        StreamDeleteReason::Deleted => 6,
    }
}

fn publisher_state(state: PublishState) -> (wire::PublisherState, u32, &'static str) {
    let over = wire::PublisherState::NoPublish;
    match state {
        PublishState::Publishing => (wire::PublisherState::Publishing, 0, ""),
        PublishState::Ended(PublishEndReason::Deleted) => {
            (over, code::PUBLISH_STOPPED, STREAM_DELETED)
        }
        PublishState::Ended(PublishEndReason::Forbidden) => {
            (over, code::PUBLISH_STOPPED, STREAM_FORBIDDEN)
        }
        PublishState::Ended(PublishEndReason::MediaLost) => {
            (over, code::PUBLISH_CONNECTION, "media_lost")
        }
    }
}

fn player_state(state: PlayState) -> (wire::PlayerState, u32, &'static str) {
    let over = wire::PlayerState::NoPlay;
    match state {
        PlayState::Playing => (wire::PlayerState::Playing, 0, ""),
        PlayState::Ended(PlayEndReason::Deleted) => (over, code::PLAY_STOPPED, STREAM_DELETED),
        PlayState::Ended(PlayEndReason::Forbidden) => (over, code::PLAY_STOPPED, STREAM_FORBIDDEN),
        PlayState::Ended(PlayEndReason::PublisherGone) => {
            (over, code::STREAM_UNKNOWN, "publisher_gone")
        }
        PlayState::Ended(PlayEndReason::PublisherReplaced) => {
            (over, code::PLAY_INTERRUPTED, "publisher_replaced")
        }
        PlayState::Ended(PlayEndReason::MediaLost) => (over, code::PLAY_CONNECTION, "media_lost"),
    }
}

/// The code of a kickout; none for an end that is no kickout to a client.
fn kickout_code(reason: KickoutReason) -> Option<u32> {
    match reason {
        KickoutReason::LoggedInElsewhere => Some(code::LOGGED_IN_ELSEWHERE),
        KickoutReason::Kicked | KickoutReason::RoomClosed => Some(code::KICKED),
        KickoutReason::TokenExpired => Some(client_code::TOKEN_EXPIRY_KICKOUT),
        KickoutReason::HeartbeatTimeout | KickoutReason::ServerClosing => None,
    }
}

/// The texts of the latest notices, so that a notice to a whole room becomes JSON once.
///
/// A lock shared by all connections: each table entry has its own, held to compare two addresses
/// and copy a reference. Sending the text itself through the room would bring the wire into it.
pub(crate) struct RenderedNotices {
    /// A notice goes to the entry that its address chooses and takes the place of the one before.
    entries: Vec<Mutex<Option<Rendered>>>,
}

/// One notice's text.
struct Rendered {
    /// The notice; held, so that its address is not another's.
    notice: Arc<Notice>,
    /// Its room, which is in the text.
    room: RoomId,
    /// The text from after the sequence number on; empty when the notice has none.
    tail: Arc<str>,
}

impl RenderedNotices {
    /// No notice yet.
    pub(crate) fn new() -> Self {
        Self { entries: (0..RENDERED_NOTICES).map(|_| Mutex::default()).collect() }
    }

    /// The text of `notice`, as number `sequence` of a session in `room`. `None`: it has none.
    pub(crate) fn text(
        &self,
        sequence: u64,
        room: &RoomId,
        notice: &Arc<Notice>,
    ) -> Option<Utf8Bytes> {
        let tail = self.shared_tail(room, notice);
        (!tail.is_empty()).then(|| format!("{{\"sequence\":{sequence},{tail}").into())
    }

    fn shared_tail(&self, room: &RoomId, notice: &Arc<Notice>) -> Arc<str> {
        let address = Arc::as_ptr(notice).addr();
        // Allocations of this size lie 16 bytes or more apart.
        let entry = &self.entries[(address >> 4) % RENDERED_NOTICES];
        let mut entry = entry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rendered) = &*entry
            && Arc::ptr_eq(&rendered.notice, notice)
            && rendered.room == *room
        {
            return Arc::clone(&rendered.tail);
        }
        let tail = tail(room, notice);
        *entry = Some(Rendered {
            notice: Arc::clone(notice),
            room: room.clone(),
            tail: Arc::clone(&tail),
        });
        tail
    }
}

/// A notice with its number, for a list of several.
pub(crate) fn numbered(room: &RoomId, notice: &NumberedNotice) -> Option<wire::Numbered> {
    Some(wire::Numbered {
        sequence: notice.sequence,
        room_id: room.as_str().to_owned(),
        notice: wire_notice(&notice.notice)?,
    })
}

/// The JSON of a numbered notice after its number, or nothing.
fn tail(room: &RoomId, notice: &Arc<Notice>) -> Arc<str> {
    let notice = NumberedNotice { sequence: 0, notice: Arc::clone(notice) };
    let Some(numbered) = numbered(room, &notice) else { return "".into() };
    let text = serde_json::to_string(&numbered).expect("a notice has only JSON types");
    text.strip_prefix("{\"sequence\":0,").expect("sequence is the first field").into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use odeum_room::{BarrageId, MessageCategory, MessageText, UserEntry};
    use odeum_types::{LayerSet, StreamId, UnixMillis, UserId, UserName};

    use super::*;

    fn room() -> RoomId {
        RoomId::parse("lobby").expect("a valid room id")
    }

    fn text(sequence: u64, notice: Notice) -> Option<String> {
        let rendered = RenderedNotices::new();
        let text = rendered.text(sequence, &room(), &Arc::new(notice));
        text.map(|text| text.as_str().to_owned())
    }

    fn stream() -> StreamId {
        StreamId::parse("s").expect("a valid stream id")
    }

    #[test]
    fn a_deleted_stream_is_told_to_its_publisher_and_players_with_their_codes() {
        let publisher = Notice::PublisherState {
            stream: stream(),
            state: PublishState::Ended(PublishEndReason::Deleted),
        };
        assert_eq!(
            text(7, publisher).as_deref(),
            Some(
                r#"{"sequence":7,"room_id":"lobby","type":"publisher_state","stream_id":"s","state":"NO_PUBLISH","error_code":1003025,"reason":"stream_deleted"}"#
            )
        );
        let player = Notice::PlayerState {
            stream: stream(),
            state: PlayState::Ended(PlayEndReason::Deleted),
        };
        assert_eq!(
            text(8, player).as_deref(),
            Some(
                r#"{"sequence":8,"room_id":"lobby","type":"player_state","stream_id":"s","state":"NO_PLAY","error_code":1004025,"reason":"stream_deleted"}"#
            )
        );
    }

    #[test]
    fn a_barrage_message_has_number_zero_and_a_name_of_category_time_and_count() {
        let notice = Notice::BarrageMessage {
            id: BarrageId {
                category: MessageCategory::System,
                sent_at: UnixMillis(1_611_647_493_487),
                number: 29,
            },
            from: UserEntry {
                user: UserId::parse("ann").expect("a valid user id"),
                name: UserName::parse("Ann").expect("a valid user name"),
            },
            text: MessageText::parse("hi").expect("a valid text"),
        };
        assert_eq!(
            text(0, notice).as_deref(),
            Some(
                r#"{"sequence":0,"room_id":"lobby","type":"barrage_message","message_id":"1_1611647493487_29","from_user":{"user_id":"ann","user_name":"Ann"},"message":"hi","send_time_ms":1611647493487}"#
            )
        );
    }

    #[test]
    fn a_publisher_is_told_layer_by_layer_what_is_wanted() {
        let mut layers = LayerSet::none(3);
        layers.insert(1);
        assert_eq!(
            text(2, Notice::LayersWanted { stream: stream(), layers }).as_deref(),
            Some(
                r#"{"sequence":2,"room_id":"lobby","type":"layers_wanted","stream_id":"s","layers":[false,true,false]}"#
            )
        );
    }

    #[test]
    fn the_count_of_users_is_a_notice_of_its_own() {
        assert_eq!(
            text(2, Notice::UserCount { count: 501 }).as_deref(),
            Some(r#"{"sequence":2,"room_id":"lobby","type":"user_count","count":501}"#)
        );
    }

    #[test]
    fn an_expiring_token_says_how_long_it_has() {
        assert_eq!(
            text(1, Notice::TokenWillExpire { remaining: Duration::from_millis(30_999) })
                .as_deref(),
            Some(r#"{"sequence":1,"room_id":"lobby","type":"token_will_expire","remaining_s":30}"#)
        );
    }

    #[test]
    fn ends_that_nobody_decided_have_no_kickout() {
        for (reason, code) in [
            (KickoutReason::Kicked, Some("1002055")),
            (KickoutReason::RoomClosed, Some("1002055")),
            (KickoutReason::LoggedInElsewhere, Some("1002050")),
            (KickoutReason::TokenExpired, Some("1002056")),
            (KickoutReason::HeartbeatTimeout, None),
            (KickoutReason::ServerClosing, None),
        ] {
            let text = text(1, Notice::Kickout { reason, custom_reason: "bye".into() });
            assert_eq!(text.is_some(), code.is_some(), "{reason:?}");
            if let (Some(text), Some(code)) = (text, code) {
                assert!(text.contains(code) && text.contains("bye"), "{text}");
            }
        }
    }

    #[test]
    fn a_notice_to_many_is_rendered_once_and_numbered_for_each() {
        let rendered = RenderedNotices::new();
        let notice = Arc::new(Notice::PlayerState { stream: stream(), state: PlayState::Playing });
        let first = rendered.shared_tail(&room(), &notice);
        let second = rendered.shared_tail(&room(), &notice);
        assert!(Arc::ptr_eq(&first, &second));
        let one = rendered.text(1, &room(), &notice).expect("it has a text");
        let two = rendered.text(2, &room(), &notice).expect("it has a text");
        assert_eq!(one.as_str().replacen(":1,", ":2,", 1), two.as_str());
    }

    #[test]
    fn the_same_notice_in_another_room_names_that_room() {
        let rendered = RenderedNotices::new();
        let notice = Arc::new(Notice::PlayerState { stream: stream(), state: PlayState::Playing });
        let other = RoomId::parse("other").expect("a valid room id");
        rendered.shared_tail(&room(), &notice);
        assert!(rendered.shared_tail(&other, &notice).contains("other"));
    }
}
