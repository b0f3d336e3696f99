//! Users, streams and the snapshot of a room on the wire.

use odeum_proto::signal as wire;
use odeum_room::{RoomExtraInfo, Snapshot, StreamEntry, UserEntry};

/// A user as others see it.
pub(crate) fn wire_user(entry: &UserEntry) -> wire::User {
    wire::User {
        user_id: entry.user.as_str().to_owned(),
        user_name: entry.name.as_str().to_owned(),
    }
}

/// A stream of the room's list.
pub(crate) fn wire_stream(entry: &StreamEntry) -> wire::Stream {
    wire::Stream {
        stream_id: entry.stream.as_str().to_owned(),
        user: wire::User {
            user_id: entry.user.as_str().to_owned(),
            user_name: entry.user_name.as_str().to_owned(),
        },
        extra_info: entry.extra_info.to_string(),
    }
}

/// A room's extra info.
pub(crate) fn wire_room_extra_info(extra_info: &RoomExtraInfo) -> wire::RoomExtraInfo {
    wire::RoomExtraInfo {
        key: extra_info.key.as_str().to_owned(),
        value: extra_info.value.as_str().to_owned(),
        update_user: wire_user(&extra_info.updated_by),
        update_time_ms: extra_info.updated_at.0,
    }
}

/// What a session may see of its room.
pub(crate) fn wire_snapshot(snapshot: &Snapshot) -> wire::Snapshot {
    wire::Snapshot {
        sequence: snapshot.sequence,
        users: snapshot.users.iter().flatten().map(wire_user).collect(),
        user_count: snapshot.user_count as u64,
        room_extra_info: snapshot.extra_info.as_ref().map(wire_room_extra_info),
        streams: snapshot.streams.iter().map(wire_stream).collect(),
        stream_sequence: snapshot.stream_sequence,
        publishing: snapshot.own_streams.iter().map(|own| own.stream.to_string()).collect(),
        playing: snapshot.playing.iter().map(|play| play.stream.to_string()).collect(),
    }
}
