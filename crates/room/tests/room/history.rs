//! The events of one room's life, checked as they come.

use std::collections::BTreeMap;

use odeum_room::{Event, EventKind, LeaveReason, Recreate, Relogin, StreamNumberId};
use odeum_types::{SessionId, StreamId, UnixMillis, UserId};

/// What a backend knows that has heard every event.
#[derive(Default)]
pub(crate) struct History {
    /// Users logged in.
    users: BTreeMap<UserId, SessionId>,
    /// Streams created and not closed.
    pub(crate) streams: BTreeMap<StreamId, (UserId, StreamNumberId)>,
    begun: bool,
    closed: bool,
    user_sequence: u64,
    stream_sequence: u64,
    at: UnixMillis,
    /// Who was superseded by the event before.
    superseded: Option<UserId>,
}

impl History {
    /// Takes an event in; panics when it cannot follow.
    pub(crate) fn take(&mut self, event: &Event) {
        assert!(!self.closed, "after room_close: {event:?}");
        assert!(event.at >= self.at, "time runs backwards: {event:?}");
        self.at = event.at;
        let superseded = self.superseded.take();
        match &event.kind {
            EventKind::RoomCreate { .. } => {
                assert!(!self.begun, "created twice");
                self.begun = true;
            }
            EventKind::RoomClose { .. } => {
                self.assert_over();
                self.closed = true;
            }
            EventKind::RoomLogin { user, relogin, .. } => {
                let superseded = superseded.as_ref() == Some(&user.user);
                assert!(superseded || *relogin == Relogin::First, "{event:?}");
                let old = self.users.insert(user.user.clone(), user.session);
                assert_eq!(old, None, "logged in twice: {event:?}");
                self.count_user(user.user_sequence);
            }
            EventKind::RoomLogout { user, reason } => {
                let session = self.users.remove(&user.user);
                assert_eq!(session, Some(user.session), "{event:?}");
                let open = self.streams.values().any(|(owner, _)| *owner == user.user);
                assert!(!open, "a stream outlives its publisher's login: {event:?}");
                self.count_user(user.user_sequence);
                self.superseded =
                    (*reason == LeaveReason::LoggedInElsewhere).then(|| user.user.clone());
            }
            EventKind::StreamCreate { stream, recreate, .. } => {
                assert!(self.users.contains_key(&stream.user), "nobody publishes: {event:?}");
                let place = (stream.user.clone(), stream.number);
                let old = self.streams.insert(stream.stream.clone(), place.clone());
                assert_eq!(old, (*recreate == Recreate::Again).then_some(place), "{event:?}");
                self.count_stream(stream.stream_sequence);
            }
            EventKind::StreamClose { stream, .. } => {
                let old = self.streams.remove(&stream.stream);
                assert_eq!(old, Some((stream.user.clone(), stream.number)), "{event:?}");
                self.count_stream(stream.stream_sequence);
            }
        }
        assert!(self.begun, "before room_create: {event:?}");
    }

    /// Fails unless everybody has left.
    pub(crate) fn assert_over(&self) {
        assert!(self.users.is_empty(), "users left: {:?}", self.users);
        assert!(self.streams.is_empty(), "streams left: {:?}", self.streams);
    }

    fn count_user(&mut self, sequence: u64) {
        assert_eq!(sequence, self.user_sequence + 1, "user sequence");
        self.user_sequence = sequence;
    }

    fn count_stream(&mut self, sequence: u64) {
        assert!(sequence >= self.stream_sequence, "stream sequence");
        self.stream_sequence = sequence;
    }
}
