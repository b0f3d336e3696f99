//! A room as a client knows it: a snapshot and the notices after it.

use std::collections::BTreeMap;

use odeum_proto::signal::{Notice, Numbered, RoomExtraInfo, Snapshot, Stream, Update, User};

/// The users and streams that a client has been told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomView {
    /// The other users by id; empty unless the session asked for user updates.
    users: BTreeMap<String, User>,
    /// The streams of others by id.
    streams: BTreeMap<String, Stream>,
    /// The version of the stream list.
    stream_sequence: u64,
    /// Users in the room, oneself included, as was told last.
    user_count: u64,
    /// The room's extra info.
    extra_info: Option<RoomExtraInfo>,
    /// The last notice seen.
    sequence: u64,
}

/// A notice is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("notice {found} came where {expected} was due")]
pub struct GapError {
    /// The number that was due.
    pub expected: u64,
    /// The number that came.
    pub found: u64,
}

impl RoomView {
    /// Takes `snapshot` in the place of all that was known.
    pub fn replace(&mut self, snapshot: &Snapshot) {
        self.users =
            snapshot.users.iter().map(|user| (user.user_id.clone(), user.clone())).collect();
        self.streams = (snapshot.streams.iter())
            .map(|stream| (stream.stream_id.clone(), stream.clone()))
            .collect();
        self.stream_sequence = snapshot.stream_sequence;
        self.user_count = snapshot.user_count;
        self.extra_info = snapshot.room_extra_info.clone();
        self.sequence = snapshot.sequence;
    }

    /// Takes the next notice in.
    ///
    /// # Errors
    /// [`GapError`] when its number is not the next; it is taken in all the same. One without a
    /// number is never missing.
    pub fn apply(&mut self, numbered: &Numbered) -> Result<(), GapError> {
        self.take_in(&numbered.notice);
        if numbered.sequence == 0 {
            return Ok(());
        }
        let gap = GapError { expected: self.sequence + 1, found: numbered.sequence };
        self.sequence = numbered.sequence;
        if gap.expected == gap.found { Ok(()) } else { Err(gap) }
    }

    fn take_in(&mut self, notice: &Notice) {
        match notice {
            Notice::UserUpdate { update, users } => {
                for user in users {
                    match update {
                        Update::Add => self.users.insert(user.user_id.clone(), user.clone()),
                        Update::Delete => self.users.remove(&user.user_id),
                    };
                }
            }
            Notice::StreamUpdate { update, streams, stream_sequence, .. } => {
                self.stream_sequence = *stream_sequence;
                for stream in streams {
                    match update {
                        Update::Add => {
                            self.streams.insert(stream.stream_id.clone(), stream.clone())
                        }
                        Update::Delete => self.streams.remove(&stream.stream_id),
                    };
                }
            }
            Notice::UserCount { count } => self.user_count = *count,
            Notice::RoomExtraInfoUpdate { room_extra_info } => {
                self.extra_info = Some(room_extra_info.clone());
            }
            Notice::StreamExtraInfoUpdate { stream } => {
                self.streams.insert(stream.stream_id.clone(), stream.clone());
            }
            Notice::PublisherState { .. }
            | Notice::PlayerState { .. }
            | Notice::LayersWanted { .. }
            | Notice::BroadcastMessage { .. }
            | Notice::BarrageMessage { .. }
            | Notice::CustomCommand { .. }
            | Notice::Kickout { .. }
            | Notice::TokenWillExpire { .. } => {}
        }
    }

    /// The other users, by id.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// The streams of others, by id.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.values()
    }

    /// The stream with this id.
    pub fn stream(&self, stream_id: &str) -> Option<&Stream> {
        self.streams.get(stream_id)
    }

    /// The version of the stream list.
    pub fn stream_sequence(&self) -> u64 {
        self.stream_sequence
    }

    /// Users in the room, oneself included, as was told last.
    pub fn user_count(&self) -> u64 {
        self.user_count
    }

    /// The room's extra info.
    pub fn extra_info(&self) -> Option<&RoomExtraInfo> {
        self.extra_info.as_ref()
    }

    /// The number of the last notice seen.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(id: &str) -> Stream {
        Stream {
            stream_id: id.into(),
            user: User { user_id: "u".into(), user_name: String::new() },
            extra_info: String::new(),
        }
    }

    fn update(sequence: u64, update: Update, id: &str) -> Numbered {
        Numbered {
            sequence,
            room_id: "r".into(),
            notice: Notice::StreamUpdate {
                update,
                streams: vec![stream(id)],
                stream_sequence: sequence,
                reasons: vec![],
            },
        }
    }

    #[test]
    fn notices_change_what_the_snapshot_said() {
        let mut view = RoomView::default();
        view.replace(&Snapshot {
            sequence: 4,
            users: vec![],
            user_count: 1,
            room_extra_info: None,
            streams: vec![stream("a")],
            stream_sequence: 1,
            publishing: vec![],
            playing: vec![],
        });
        view.apply(&update(5, Update::Add, "b")).expect("5 follows 4");
        view.apply(&update(6, Update::Delete, "a")).expect("6 follows 5");
        let ids: Vec<_> = view.streams().map(|stream| stream.stream_id.as_str()).collect();
        assert_eq!((ids, view.sequence()), (vec!["b"], 6));
    }

    #[test]
    fn a_notice_without_a_number_leaves_no_gap() {
        let mut view = RoomView::default();
        view.apply(&update(1, Update::Add, "a")).expect("1 is the first");
        view.apply(&update(0, Update::Delete, "a")).expect("it is not counted");
        view.apply(&update(2, Update::Add, "b")).expect("2 follows 1");
        assert_eq!((view.streams().count(), view.sequence()), (1, 2));
    }

    #[test]
    fn a_missing_notice_is_an_error() {
        let mut view = RoomView::default();
        assert_eq!(
            view.apply(&update(2, Update::Add, "b")),
            Err(GapError { expected: 1, found: 2 })
        );
    }
}
