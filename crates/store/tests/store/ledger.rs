//! The ledger: what it says is open is what the recorded events add up to, in whatever commits they
//! came and however often the store was opened in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use odeum_room::{
    AuthLevel, EventKind, LeaveReason, Recreate, Relogin, RoomCloseReason, StreamCloseReason,
    StreamFacts, StreamNumberId, Terminal, UserFacts,
};
use odeum_store::{Change, OpenRoom, OpenSession, OpenStream, Purge, Store};
use odeum_types::{Codec, RoomSessionId, SessionId, UnixMillis, UserName};
use proptest::prelude::*;

use crate::scene::{APP, START, fresh, happened, later, room, stream, user};

/// One thing that a test lets happen; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// A user logs in to one of four rooms.
    Login { room: usize },
    /// Somebody leaves, with all streams; the last one closes the room, with or without saying so.
    Logout { chosen: usize, tells_close: bool },
    /// Somebody publishes.
    Publish { chosen: usize },
    /// Somebody's stream ends.
    Unpublish { chosen: usize },
    /// What happened since is committed.
    Commit,
    /// The store is closed and opened.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_usize).prop_map(|room| Step::Login { room }),
        3 => (any::<usize>(), any::<bool>())
            .prop_map(|(chosen, tells_close)| Step::Logout { chosen, tells_close }),
        3 => any::<usize>().prop_map(|chosen| Step::Publish { chosen }),
        2 => any::<usize>().prop_map(|chosen| Step::Unpublish { chosen }),
        3 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

/// The rooms as the test knows them, and the changes that are not committed yet.
#[derive(Default)]
struct Model {
    /// By name.
    rooms: BTreeMap<usize, OpenRoom>,
    /// Not committed.
    changes: Vec<Change>,
    /// Makes ids and times.
    count: u64,
}

impl Model {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn tell(&mut self, here: &mut OpenRoom, kind: EventKind) {
        here.last_at = later(self.count);
        self.changes.push(happened(here.room.as_str(), here.room_session.0, here.last_at, kind));
    }

    /// One of the sessions there are, as the room's name and its place in it.
    fn session(&self, chosen: usize) -> Option<(usize, usize)> {
        let all: Vec<_> = (self.rooms.iter())
            .flat_map(|(name, room)| (0..room.sessions.len()).map(|place| (*name, place)))
            .collect();
        (!all.is_empty()).then(|| all[chosen % all.len()])
    }

    fn login(&mut self, name: usize) {
        let id = self.next();
        let now = later(id);
        let who = user(&format!("u{id}"));
        let mut here = self.rooms.remove(&name).unwrap_or_else(|| {
            let mut here = OpenRoom {
                app: APP,
                room: room(&format!("r{name}")),
                room_session: RoomSessionId((1 << 62) + id),
                created_at: now,
                last_at: now,
                user_sequence: 0,
                stream_sequence: 0,
                sessions: Vec::new(),
                streams: Vec::new(),
            };
            self.tell(&mut here, EventKind::RoomCreate { creator: who.clone() });
            here
        });
        here.user_sequence += 1;
        let user_name = UserName::parse("somebody").unwrap();
        let session =
            OpenSession { session: SessionId(id), user: who, name: user_name, login_at: now };
        let user = facts(&session, here.user_sequence);
        let (auth_level, terminal) = (AuthLevel::Token04, Terminal::Web);
        let relogin = Relogin::First;
        self.tell(&mut here, EventKind::RoomLogin { user, auth_level, terminal, relogin });
        here.sessions.push(session);
        self.rooms.insert(name, here);
    }

    fn logout(&mut self, chosen: usize, tells_close: bool) {
        let Some((name, place)) = self.session(chosen) else { return };
        let mut here = self.rooms.remove(&name).unwrap();
        let session = here.sessions.remove(place);
        while let Some(at) = here.streams.iter().position(|each| each.user == session.user) {
            self.close(&mut here, at);
        }
        here.user_sequence += 1;
        let user = facts(&session, here.user_sequence);
        self.tell(&mut here, EventKind::RoomLogout { user, reason: LeaveReason::LoggedOut });
        if !here.sessions.is_empty() {
            self.rooms.insert(name, here);
        } else if tells_close {
            self.tell(&mut here, EventKind::RoomClose { reason: RoomCloseReason::LastLeft });
        }
    }

    fn publish(&mut self, chosen: usize) {
        let Some((name, place)) = self.session(chosen) else { return };
        let mut here = self.rooms.remove(&name).unwrap();
        let id = self.next();
        here.stream_sequence += 1;
        let session = &here.sessions[place];
        let open = OpenStream {
            stream: stream(&format!("s{id}")),
            number: StreamNumberId(u32::try_from(id).unwrap()),
            user: session.user.clone(),
            user_name: session.name.clone(),
            title: Arc::from("title"),
            extra_info: Arc::from("{\"a\":1}"),
            created_at: later(id),
        };
        let stream = stream_facts(&open, here.stream_sequence);
        let (video, recreate) = (Some(Codec::Vp8), Recreate::New);
        self.tell(&mut here, EventKind::StreamCreate { stream, video, recreate });
        here.streams.push(open);
        self.rooms.insert(name, here);
    }

    fn unpublish(&mut self, chosen: usize) {
        let with_streams: Vec<usize> = (self.rooms.iter())
            .filter(|(_, room)| !room.streams.is_empty())
            .map(|(name, _)| *name)
            .collect();
        if with_streams.is_empty() {
            return;
        }
        let name = with_streams[chosen % with_streams.len()];
        let mut here = self.rooms.remove(&name).unwrap();
        let at = chosen % here.streams.len();
        self.close(&mut here, at);
        self.rooms.insert(name, here);
    }

    fn close(&mut self, here: &mut OpenRoom, at: usize) {
        self.next();
        here.stream_sequence += 1;
        let stream = stream_facts(&here.streams.remove(at), here.stream_sequence);
        self.tell(here, EventKind::StreamClose { stream, reason: StreamCloseReason::Stopped });
    }

    /// As the store says it: rooms in the order in which they began.
    fn open(&self) -> Vec<OpenRoom> {
        let mut rooms: Vec<OpenRoom> = self.rooms.values().cloned().collect();
        rooms.sort_by_key(|room| room.created_at);
        rooms
    }
}

fn facts(session: &OpenSession, user_sequence: u64) -> UserFacts {
    UserFacts {
        user: session.user.clone(),
        name: session.name.clone(),
        session: session.session,
        login_at: session.login_at,
        user_sequence,
    }
}

fn stream_facts(open: &OpenStream, stream_sequence: u64) -> StreamFacts {
    StreamFacts {
        stream: open.stream.clone(),
        number: open.number,
        user: open.user.clone(),
        user_name: open.user_name.clone(),
        title: open.title.clone(),
        extra_info: open.extra_info.clone(),
        created_at: open.created_at,
        stream_sequence,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn it_is_what_the_events_add_up_to(steps in prop::collection::vec(step(), 1..80)) {
        let (folder, mut store) = fresh();
        let mut model = Model::default();
        let mut committed = Vec::new();
        for step in steps {
            match step {
                Step::Login { room } => model.login(room),
                Step::Logout { chosen, tells_close } => model.logout(chosen, tells_close),
                Step::Publish { chosen } => model.publish(chosen),
                Step::Unpublish { chosen } => model.unpublish(chosen),
                Step::Commit => {
                    store.commit(&model.changes).unwrap();
                    model.changes.clear();
                    committed = model.open();
                }
                Step::Reopen => {
                    drop(store);
                    store = Store::open(folder.path()).unwrap();
                }
            }
            if model.changes.is_empty() {
                prop_assert_eq!(store.reader().unwrap().open_rooms().unwrap(), committed.clone());
            }
        }
    }
}

#[test]
fn the_times_of_a_stream_are_those_of_its_newest_life_until_purged() {
    let (_folder, mut store) = fresh();
    let mut model = Model::default();
    model.login(0);
    model.publish(0);
    let name = model.open()[0].streams[0].stream.clone();
    let created_at = model.open()[0].streams[0].created_at;
    store.commit(&model.changes).unwrap();
    let times = |store: &Store| store.reader().unwrap().stream_times(APP, &name).unwrap();
    assert_eq!(times(&store), Some((created_at, None)));

    model.changes.clear();
    model.unpublish(0);
    store.commit(&model.changes).unwrap();
    let (_, closed_at) = times(&store).unwrap();
    assert_eq!(closed_at, Some(later(model.count)));
    let mut purge = |ended_before| {
        let purge = Purge { ended_before, keep_max: u64::MAX, rules_before: START, steps_max: 100 };
        store.purge(&purge).unwrap();
        times(&store)
    };
    assert!(purge(START).is_some(), "it closed after that");
    assert_eq!(purge(UnixMillis(u64::MAX >> 2)), None);
}
