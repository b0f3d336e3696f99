//! How scripts print what rooms put out: short, and all that matters.

use odeum_room::{
    Event, EventKind, ListUpdate, Notice, RoomExtraInfo, Snapshot, StreamEntry, StreamListUpdate,
    UserEntry,
};
use odeum_types::UnixMillis;

/// An event's facts; `begin` is when the script began.
pub(crate) fn event_text(event: &Event, begin: UnixMillis) -> String {
    match &event.kind {
        EventKind::RoomCreate { creator } => format!("event room_create by {creator}"),
        EventKind::RoomClose { reason } => format!("event room_close {reason:?}"),
        EventKind::RoomLogin { user, relogin, .. } => {
            format!("event room_login {} {relogin:?} user_seq {}", user.user, user.user_sequence)
        }
        EventKind::RoomLogout { user, reason } => {
            format!("event room_logout {} {reason:?} user_seq {}", user.user, user.user_sequence)
        }
        EventKind::StreamCreate { stream, video, recreate } => format!(
            "event stream_create {} of {} {recreate:?} number {} stream_seq {} {video:?}",
            stream.stream, stream.user, stream.number.0, stream.stream_sequence
        ),
        EventKind::StreamClose { stream, reason } => format!(
            "event stream_close {} of {} {reason:?} number {} stream_seq {} since {}",
            stream.stream,
            stream.user,
            stream.number.0,
            stream.stream_sequence,
            stream.created_at.since(begin).as_secs()
        ),
    }
}

/// A notice's contents.
pub(crate) fn notice_text(notice: &Notice) -> String {
    match notice {
        Notice::UserUpdate { update, users } => {
            let update = match update {
                ListUpdate::Add => "ADD",
                ListUpdate::Delete => "DELETE",
            };
            let users: Vec<&str> = users.iter().map(|entry| entry.user.as_str()).collect();
            format!("users {update} {}", users.join(" "))
        }
        Notice::UserCount { count } => format!("users count {count}"),
        Notice::StreamUpdate { update, streams, stream_sequence } => {
            let update = match update {
                StreamListUpdate::Add => "ADD".to_owned(),
                StreamListUpdate::Delete(reason) => format!("DELETE {reason:?}"),
            };
            format!("streams {update} {} stream_seq {stream_sequence}", entries_text(streams))
        }
        Notice::PublisherState { stream, state } => format!("publisher {stream} {state:?}"),
        Notice::PlayerState { stream, state } => format!("player {stream} {state:?}"),
        Notice::BroadcastMessage { id, from, text, .. } => {
            format!("broadcast {} of {}: {}", id.0, user_text(from), text.as_str())
        }
        Notice::BarrageMessage { id, from, text } => {
            format!("barrage {id} of {}: {}", user_text(from), text.as_str())
        }
        Notice::CustomCommand { from, text } => {
            format!("command of {}: {}", user_text(from), text.as_str())
        }
        Notice::RoomExtraInfo(info) => format!("room extra info {}", extra_info_text(info)),
        Notice::StreamExtraInfo(entry) => {
            format!("stream extra info {}", entries_text(std::slice::from_ref(entry)))
        }
        Notice::Kickout { reason, custom_reason } => {
            format!("kickout {reason:?} {custom_reason:?}")
        }
        Notice::LayersWanted { stream, layers } => {
            format!("layers wanted of {stream}: {:?}", layers.iter().collect::<Vec<_>>())
        }
        Notice::TokenWillExpire { remaining } => {
            format!("token will expire in {}", remaining.as_secs())
        }
    }
}

fn user_text(entry: &UserEntry) -> String {
    format!("{}({})", entry.user, entry.name)
}

fn extra_info_text(info: &RoomExtraInfo) -> String {
    format!("{}={} by {}", info.key.as_str(), info.value.as_str(), info.updated_by.user)
}

fn entries_text(streams: &[StreamEntry]) -> String {
    let texts: Vec<String> = streams
        .iter()
        .map(|entry| {
            let extra = match (&*entry.title, &*entry.extra_info) {
                ("", "") => String::new(),
                (title, extra) => format!("[{title}{extra}]"),
            };
            format!("{}({}){extra}", entry.stream, entry.user)
        })
        .collect();
    texts.join(" ")
}

/// A snapshot on one line.
pub(crate) fn snapshot_text(snapshot: &Snapshot) -> String {
    let users = match &snapshot.users {
        Some(users) => users.iter().map(|entry| entry.user.as_str()).collect::<Vec<_>>().join(" "),
        None => "-".to_owned(),
    };
    let own: Vec<String> =
        snapshot.own_streams.iter().map(|own| format!("{} {:?}", own.stream, own.state)).collect();
    let playing: Vec<String> =
        snapshot.playing.iter().map(|play| format!("{} {:?}", play.stream, play.state)).collect();
    let info = snapshot.extra_info.as_ref();
    let info = info.map(|info| format!(" extra info {}", extra_info_text(info)));
    format!(
        "snapshot #{} of {} users [{users}] streams [{}] own [{}] playing [{}]{}",
        snapshot.sequence,
        snapshot.user_count,
        entries_text(&snapshot.streams),
        own.join(", "),
        playing.join(", "),
        info.unwrap_or_default()
    )
}
