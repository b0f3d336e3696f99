//! A client as the signalling protocol makes it: it knows what its snapshot and its notices say, no
//! more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use odeum_room::{
    CatchUp, ConnectionId, ListUpdate, Notice, PlayState, PublishState, ResumeSecret, Snapshot,
    StreamListUpdate, StreamNumberId, Superseded,
};
use odeum_types::{RoomId, SessionId, StreamId, UserId};

use crate::world::{barrage_of, number_of};

/// One device of a user.
pub(crate) struct Device {
    pub(crate) user: UserId,
    /// A login between its reservation and its commit.
    pub(crate) login: Option<PendingLogin>,
    /// The session that it believes to have.
    pub(crate) session: Option<ClientSession>,
}

pub(crate) struct PendingLogin {
    pub(crate) session: SessionId,
    pub(crate) room: RoomId,
    pub(crate) superseded: Option<Superseded>,
}

pub(crate) struct ClientSession {
    pub(crate) room: RoomId,
    pub(crate) session: SessionId,
    /// The WebSocket; `None` after it was lost.
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) secret: ResumeSecret,
    pub(crate) view: View,
    /// On its way over `connection`.
    pub(crate) inbox: VecDeque<Delivery>,
}

/// What arrives over a WebSocket.
#[derive(Clone)]
pub(crate) enum Delivery {
    Notice(u64, Arc<Notice>),
    /// A notice without a number.
    Unnumbered(Arc<Notice>),
    /// The good reply to a command.
    Done(Change),
    /// The server has closed it.
    Closed,
}

/// What a command that succeeded means to its client.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Publishing(StreamId),
    StoppedPublishing(StreamId),
    Playing(StreamId),
    StoppedPlaying(StreamId),
}

/// What a client has got of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// One, by its number in the world.
    Message(u64),
    /// The server says that it has lost some.
    Lost { least: u64, most: u64 },
}

/// What a delivery was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrived {
    News,
    /// A notice that the client had already.
    Repeated,
    Kickout,
    Closed,
}

/// What a client believes.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) sequence: u64,
    pub(crate) stream_sequence: u64,
    pub(crate) users: BTreeSet<UserId>,
    /// User, number and extra info of each stream.
    pub(crate) streams: BTreeMap<StreamId, (UserId, StreamNumberId, Arc<str>)>,
    pub(crate) user_count: usize,
    /// Key and value of the room's extra info.
    pub(crate) extra_info: Option<(String, String)>,
    /// Messages and commands, in order.
    pub(crate) received: Vec<Received>,
    /// The number of the last barrage message.
    pub(crate) last_barrage: u64,
    pub(crate) own: BTreeSet<StreamId>,
    pub(crate) playing: BTreeSet<StreamId>,
    /// Streams of commands whose reply was lost: whether they are published or played is not
    /// known.
    pub(crate) uncertain: BTreeSet<StreamId>,
}

impl ClientSession {
    /// The socket breaks: what was on its way is lost. Returns how much that was.
    pub(crate) fn lose_connection(&mut self) -> usize {
        self.connection = None;
        let lost = self.inbox.len();
        for delivery in self.inbox.drain(..) {
            match delivery {
                Delivery::Done(
                    Change::Publishing(stream)
                    | Change::StoppedPublishing(stream)
                    | Change::Playing(stream)
                    | Change::StoppedPlaying(stream),
                ) => {
                    self.view.uncertain.insert(stream);
                }
                Delivery::Notice(..) | Delivery::Unnumbered(_) | Delivery::Closed => {}
            }
        }
        lost
    }
}

impl View {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        Self {
            sequence: snapshot.sequence,
            stream_sequence: snapshot.stream_sequence,
            users: snapshot.users.iter().flatten().map(|entry| entry.user.clone()).collect(),
            streams: (snapshot.streams.iter())
                .map(|entry| {
                    let extra_info = Arc::clone(&entry.extra_info);
                    (entry.stream.clone(), (entry.user.clone(), entry.number, extra_info))
                })
                .collect(),
            user_count: snapshot.user_count,
            extra_info: (snapshot.extra_info.as_ref())
                .map(|info| (info.key.as_str().to_owned(), info.value.as_str().to_owned())),
            received: Vec::new(),
            last_barrage: 0,
            own: snapshot.own_streams.iter().map(|own| own.stream.clone()).collect(),
            playing: snapshot.playing.iter().map(|play| play.stream.clone()).collect(),
            uncertain: BTreeSet::new(),
        }
    }

    /// Takes what a resumption gives in place of missed notices. `behind` is how many fewer the
    /// client claimed than it had.
    pub(crate) fn catch_up(&mut self, catch_up: &CatchUp, behind: u64) {
        let mut next = Self::new(&catch_up.snapshot);
        next.last_barrage = self.last_barrage;
        next.received = std::mem::take(&mut self.received);
        if catch_up.messages_lost > 0 {
            // What it had already may be among the lost.
            let least = u64::from(behind == 0);
            next.received.push(Received::Lost { least, most: catch_up.messages_lost });
        }
        let mut last = 0;
        for message in &catch_up.messages {
            assert!(message.sequence > last, "messages out of order: {catch_up:?}");
            assert!(message.sequence <= next.sequence, "a message of the future: {catch_up:?}");
            last = message.sequence;
            if message.sequence > self.sequence {
                let number = number_of(&message.notice).expect("only messages are caught up");
                next.received.push(Received::Message(number));
            }
        }
        *self = next;
    }

    /// Takes in what arrived; panics on what a correct server never sends.
    pub(crate) fn apply(&mut self, delivery: &Delivery) -> Arrived {
        match delivery {
            Delivery::Closed => Arrived::Closed,
            Delivery::Done(change) => {
                self.change(change);
                Arrived::News
            }
            Delivery::Unnumbered(notice) => {
                let number = barrage_of(notice).number;
                assert!(number > self.last_barrage, "barrage {number} came twice");
                self.last_barrage = number;
                Arrived::News
            }
            Delivery::Notice(sequence, _) if *sequence <= self.sequence => Arrived::Repeated,
            Delivery::Notice(sequence, notice) => {
                assert_eq!(*sequence, self.sequence + 1, "a gap before {notice:?}");
                self.sequence = *sequence;
                self.notice(notice)
            }
        }
    }

    /// Fails unless the view is what the room would tell now.
    pub(crate) fn assert_equals(&self, room: &Self, whose: &UserId) {
        assert_eq!(self.sequence, room.sequence, "sequence of {whose}");
        assert_eq!(self.users, room.users, "users as {whose} sees them");
        assert_eq!(self.streams, room.streams, "streams as {whose} sees them");
        assert_eq!(self.extra_info, room.extra_info, "extra info as {whose} sees it");
        assert!(self.stream_sequence <= room.stream_sequence, "stream sequence of {whose}");
        let certain = |streams: &BTreeSet<StreamId>| -> BTreeSet<StreamId> {
            streams.difference(&self.uncertain).cloned().collect()
        };
        assert_eq!(certain(&self.own), certain(&room.own), "own streams of {whose}");
        assert_eq!(certain(&self.playing), certain(&room.playing), "plays of {whose}");
    }

    fn change(&mut self, change: &Change) {
        match change.clone() {
            Change::Publishing(stream) => self.own.insert(stream),
            Change::StoppedPublishing(stream) => self.own.remove(&stream),
            Change::Playing(stream) => self.playing.insert(stream),
            Change::StoppedPlaying(stream) => self.playing.remove(&stream),
        };
    }

    fn notice(&mut self, notice: &Notice) -> Arrived {
        match notice {
            Notice::UserUpdate { update, users } => {
                for entry in users {
                    let changed = match update {
                        ListUpdate::Add => self.users.insert(entry.user.clone()),
                        ListUpdate::Delete => self.users.remove(&entry.user),
                    };
                    assert!(changed, "{update:?} of {} told twice", entry.user);
                }
            }
            Notice::StreamUpdate { update, streams, stream_sequence } => {
                let told = self.stream_sequence + streams.len() as u64;
                assert!(*stream_sequence >= told, "stream sequence {stream_sequence} < {told}");
                self.stream_sequence = *stream_sequence;
                for entry in streams {
                    let extra_info = Arc::clone(&entry.extra_info);
                    let place = (entry.user.clone(), entry.number, extra_info);
                    match update {
                        StreamListUpdate::Add => {
                            let old = self.streams.insert(entry.stream.clone(), place);
                            assert_eq!(old, None, "ADD of {} told twice", entry.stream);
                        }
                        StreamListUpdate::Delete(_) => {
                            let old = self.streams.remove(&entry.stream);
                            assert_eq!(old, Some(place), "DELETE of {}", entry.stream);
                        }
                    }
                }
            }
            Notice::PublisherState { stream, state: PublishState::Ended(_) } => {
                self.own.remove(stream);
            }
            Notice::PlayerState { stream, state: PlayState::Ended(_) } => {
                self.playing.remove(stream);
            }
            Notice::PublisherState { state: PublishState::Publishing, .. }
            | Notice::PlayerState { state: PlayState::Playing, .. }
            | Notice::LayersWanted { .. }
            | Notice::TokenWillExpire { .. } => {}
            Notice::UserCount { count } => {
                assert_ne!(*count, self.user_count, "a count told twice");
                self.user_count = *count;
            }
            Notice::BroadcastMessage { .. } | Notice::CustomCommand { .. } => {
                self.received.extend(number_of(notice).map(Received::Message));
            }
            Notice::BarrageMessage { .. } => panic!("barrage has no number: {notice:?}"),
            Notice::RoomExtraInfo(info) => {
                let pair = (info.key.as_str().to_owned(), info.value.as_str().to_owned());
                self.extra_info = Some(pair);
            }
            Notice::StreamExtraInfo(entry) => {
                let place = (entry.user.clone(), entry.number, Arc::clone(&entry.extra_info));
                let old = self.streams.insert(entry.stream.clone(), place);
                let same = old.map(|(user, number, _)| (user, number));
                assert_eq!(same, Some((entry.user.clone(), entry.number)), "{entry:?}");
            }
            Notice::Kickout { .. } => return Arrived::Kickout,
        }
        Arrived::News
    }
}
