//! The room itself: its state, its construction, and what its owner asks of it between commands.
//!
//! Commands live beside their subject: login.rs, resume.rs, leave.rs, publish.rs, play.rs,
//! stream.rs, media.rs, grace.rs, cut.rs, messages.rs, extra_info.rs, kick.rs, close.rs; queries in
//! list.rs and snapshot.rs.

use std::collections::{BTreeMap, VecDeque};

use odeum_types::{
    AppId, PeerId, RoomId, RoomSessionId, SessionId, StreamId, UnixMillis, UserId, UserName,
};
use rustc_hash::FxHashMap;

use crate::config::RoomConfig;
use crate::cut::Cuts;
use crate::event::{Event, EventKind};
use crate::extra_info::RoomExtraInfo;
use crate::grace::Graces;
use crate::list::UserListMarker;
use crate::messages::Messages;
use crate::output::{MediaCommand, Output};
use crate::rate::RateWindow;
use crate::session::Session;
use crate::stream::{Stream, StreamNumberId};
use crate::timer::Timers;
use crate::users::UserCountNotice;

/// One life of one room. See the crate's page for the owner's duties.
#[derive(Debug)]
pub struct Room {
    /// The app that the room belongs to.
    pub(crate) app: AppId,
    /// The room's name.
    pub(crate) id: RoomId,
    /// This life of it.
    pub(crate) room_session: RoomSessionId,
    /// Limits and choices.
    pub(crate) config: RoomConfig,
    /// When the room was made.
    pub(crate) created_at: UnixMillis,
    /// Where in its life the room is.
    pub(crate) life: Life,
    /// Users at once: the config's limit or the first login's, whichever is lower.
    pub(crate) users_max: usize,
    /// Everyone in the room. Ordered, because notices go out in this order.
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// The session of each user.
    pub(crate) users: FxHashMap<UserId, SessionId>,
    /// Sessions by login time, for the paged user list.
    pub(crate) login_order: BTreeMap<UserListMarker, SessionId>,
    /// Logins so far; makes login orders unique.
    pub(crate) login_count: u64,
    /// The user list counter of events: one more for each login and logout.
    pub(crate) user_sequence: u64,
    /// While the room is beyond `user_notices_max`: what clients believe the user list to be.
    pub(crate) announced: Option<BTreeMap<UserId, UserName>>,
    /// When the count of users was told last and is to be told next.
    pub(crate) user_count_notice: UserCountNotice,
    /// What is counted of messages.
    pub(crate) messages: Messages,
    /// The room's extra info.
    pub(crate) extra_info: Option<RoomExtraInfo>,
    /// How often it was set.
    pub(crate) extra_info_rate: RateWindow,
    /// Every stream that is listed or published.
    pub(crate) streams: FxHashMap<StreamId, Stream>,
    /// The room's stream list, in order.
    pub(crate) listed: BTreeMap<StreamNumberId, StreamId>,
    /// Streams added by the server and not published, by owner.
    pub(crate) added: BTreeMap<(UserId, StreamNumberId), StreamId>,
    /// The last number given to a stream.
    pub(crate) stream_number: StreamNumberId,
    /// The stream list counter: one more for each stream that comes into the list or leaves it.
    pub(crate) stream_sequence: u64,
    /// When which interrupted publication ends.
    pub(crate) graces: Graces,
    /// When which publication gets back what was cut.
    pub(crate) cuts: Cuts,
    /// What each transport is for.
    pub(crate) peers: FxHashMap<PeerId, PeerRole>,
    /// When which session has to be looked at.
    pub(crate) timers: Timers,
    /// What the owner has not fetched yet.
    pub(crate) outputs: VecDeque<Output>,
}

/// Where in its life a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nobody has logged in yet.
    Unborn,
    /// It has users.
    Open,
    /// It had users and has none; this life does not come back.
    Over,
}

/// What a transport is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PeerRole {
    /// It publishes this stream.
    Publisher(StreamId),
    /// It plays this stream to this session.
    Player(SessionId, StreamId),
}

impl Room {
    /// A room that begins with the login to come. `session` must be new, `now` is its creation
    /// time.
    pub fn new(
        now: UnixMillis,
        app: AppId,
        id: RoomId,
        session: RoomSessionId,
        config: RoomConfig,
    ) -> Self {
        Self {
            app,
            id,
            room_session: session,
            users_max: config.users_max,
            config,
            created_at: now,
            life: Life::Unborn,
            sessions: BTreeMap::new(),
            users: FxHashMap::default(),
            login_order: BTreeMap::new(),
            login_count: 0,
            user_sequence: 0,
            announced: None,
            user_count_notice: UserCountNotice::new(now),
            messages: Messages::default(),
            extra_info: None,
            extra_info_rate: RateWindow::default(),
            streams: FxHashMap::default(),
            listed: BTreeMap::new(),
            added: BTreeMap::new(),
            stream_number: StreamNumberId(0),
            stream_sequence: 0,
            graces: Graces::default(),
            cuts: Cuts::default(),
            peers: FxHashMap::default(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The next thing to carry out; fetch all of them after each command.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the room has no users: before its first login and after its end. The owner drops it
    /// then.
    pub fn is_over(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The app that the room belongs to.
    pub fn app(&self) -> AppId {
        self.app
    }

    /// The room's name.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// This life of the room.
    pub fn room_session(&self) -> RoomSessionId {
        self.room_session
    }

    /// When this life of the room began.
    pub fn created_at(&self) -> UnixMillis {
        self.created_at
    }

    /// The stream list counter.
    pub fn stream_sequence(&self) -> u64 {
        self.stream_sequence
    }

    /// The limits and choices it was made with.
    pub fn config(&self) -> &RoomConfig {
        &self.config
    }

    pub(crate) fn event(&mut self, now: UnixMillis, kind: EventKind) {
        self.outputs.push_back(Output::Event(Event {
            app: self.app,
            room: self.id.clone(),
            room_session: self.room_session,
            at: now,
            kind,
        }));
    }

    /// Ends a transport that the room still knows.
    pub(crate) fn close_peer(&mut self, peer: PeerId) {
        if self.peers.remove(&peer).is_some() {
            self.outputs.push_back(Output::Media(MediaCommand::ClosePeer(peer)));
        }
    }

    pub(crate) fn release_stream(&mut self, stream: StreamId) {
        let room_session = self.room_session;
        self.outputs.push_back(Output::ReleaseStream { stream, room_session });
    }
}
