//! After a crash: the events that close what the ledger shows as open (rulings 20 and 27). Clients
//! log in anew by themselves.

use odeum_room::{
    Event, EventKind, LeaveReason, RoomCloseReason, StreamCloseReason, StreamFacts, UserFacts,
};
use odeum_store::OpenRoom;
use odeum_types::UnixMillis;

/// The last events of a room that the server's end took away, in order: each stream, each user, the
/// room. The counters go on from the last event that was recorded.
pub fn closing_events(now: UnixMillis, room: OpenRoom) -> Vec<Event> {
    let OpenRoom { app, room: id, room_session, sessions, streams, .. } = room;
    let mut kinds = Vec::with_capacity(streams.len() + sessions.len() + 1);
    for (stream, stream_sequence) in streams.into_iter().zip(room.stream_sequence + 1..) {
        let stream = StreamFacts {
            stream: stream.stream,
            number: stream.number,
            user: stream.user,
            user_name: stream.user_name,
            title: stream.title,
            extra_info: stream.extra_info,
            created_at: stream.created_at,
            stream_sequence,
        };
        kinds.push(EventKind::StreamClose { stream, reason: StreamCloseReason::ServerClosing });
    }
    for (session, user_sequence) in sessions.into_iter().zip(room.user_sequence + 1..) {
        let user = UserFacts {
            user: session.user,
            name: session.name,
            session: session.session,
            login_at: session.login_at,
            user_sequence,
        };
        kinds.push(EventKind::RoomLogout { user, reason: LeaveReason::ServerClosing });
    }
    kinds.push(EventKind::RoomClose { reason: RoomCloseReason::ServerClosing });
    let event = |kind| Event { app, room: id.clone(), room_session, at: now, kind };
    kinds.into_iter().map(event).collect()
}
