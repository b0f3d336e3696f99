//! The owner of rooms, without IO: does with outputs what the node does, and keeps what others look
//! at.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use odeum_room::{
    App, AuthLevel, CommitUserError, ConnectionId, CutMedia, EvictReason, LeaveError, Login,
    LoginError, Output, PublishError, ResumeSecret, Room, RoomConfig, Rules, Snapshot,
    StartPublishing, Superseded, Terminal, UserUpdate,
};
use odeum_types::{
    AppId, PeerId, RoomId, RoomSessionId, SessionId, StreamId, UnixMillis, UserId, UserName,
};

/// Where every client comes from.
pub(crate) const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// One app with its rooms.
pub(crate) struct Node {
    /// The present time; only the test moves it.
    pub(crate) now: UnixMillis,
    /// The claims.
    pub(crate) app: App,
    /// Rooms that have users.
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    /// What rooms have put out since the last `take_outputs`.
    outputs: Vec<(RoomId, Output)>,
    config: RoomConfig,
    ids: u64,
}

/// What a login needs beside who and where.
#[derive(Clone)]
pub(crate) struct LoginOptions {
    pub(crate) user_update: UserUpdate,
    pub(crate) users_max: Option<u32>,
    pub(crate) token_expires_at: Option<UnixMillis>,
}

/// A session that has begun.
pub(crate) struct LoggedIn {
    pub(crate) session: SessionId,
    pub(crate) connection: ConnectionId,
    pub(crate) secret: ResumeSecret,
    pub(crate) snapshot: Snapshot,
}

/// Why a login failed.
#[derive(Debug)]
pub(crate) enum LoginFailed {
    Claim(CommitUserError),
    Room(LoginError),
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self { user_update: UserUpdate::Subscribed, users_max: None, token_expires_at: None }
    }
}

impl Node {
    pub(crate) fn new(config: RoomConfig) -> Self {
        Self {
            now: UnixMillis(1_000_000),
            app: App::new(),
            rooms: BTreeMap::new(),
            outputs: Vec::new(),
            config,
            ids: 0,
        }
    }

    /// Begins again at `now` with these rules: rooms and claims are gone, ids go on.
    pub(crate) fn restart(&mut self, now: UnixMillis, rules: Rules) {
        self.now = now;
        self.app = App::new();
        *self.app.rules_mut() = rules;
        self.rooms.clear();
        self.outputs.clear();
    }

    /// A number never used before.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(crate) fn next_secret(&mut self) -> ResumeSecret {
        let id = self.next_id();
        ResumeSecret::new((0x5ec2e7_u128 << 64 | u128::from(id)).to_be_bytes())
    }

    /// First step of a login.
    pub(crate) fn reserve(
        &mut self,
        user: &UserId,
        room: &RoomId,
    ) -> (SessionId, Option<Superseded>) {
        let session = SessionId(self.next_id());
        (session, self.app.reserve_user(user, session, room, self.now))
    }

    /// Second step, if the user is in another room.
    pub(crate) fn evict(&mut self, superseded: &Superseded) -> Option<Result<(), LeaveError>> {
        let (now, session) = (self.now, superseded.session);
        self.with(&superseded.room.clone(), |room, _| {
            room.evict(now, session, EvictReason::DuplicateLogin)
        })
    }

    /// Last step.
    pub(crate) fn commit(
        &mut self,
        user: &UserId,
        session: SessionId,
        id: &RoomId,
        options: &LoginOptions,
    ) -> Result<LoggedIn, LoginFailed> {
        if let Err(error) = self.app.commit_user(user, session) {
            self.app.release_user(user, session);
            return Err(LoginFailed::Claim(error));
        }
        let connection = ConnectionId(self.next_id());
        let room_session = RoomSessionId(self.next_id());
        let secret = self.next_secret();
        let (now, config) = (self.now, self.config.clone());
        self.rooms
            .entry(id.clone())
            .or_insert_with(|| Room::new(now, AppId(1), id.clone(), room_session, config));
        let login = Login {
            session,
            connection,
            user: user.clone(),
            name: UserName::parse(&user.as_str().to_uppercase()).expect("a user id is a good name"),
            user_update: options.user_update,
            users_max: options.users_max,
            resume_secret: secret.clone(),
            token_expires_at: options.token_expires_at,
            auth_level: AuthLevel::Token04,
            terminal: Terminal::Web,
        };
        let result = self.with(id, |room, _| room.login(now, login)).expect("made above");
        match result {
            Ok(snapshot) => Ok(LoggedIn { session, connection, secret, snapshot }),
            Err(error) => {
                self.app.release_user(user, session);
                Err(LoginFailed::Room(error))
            }
        }
    }

    /// All steps of a login at once.
    pub(crate) fn login(
        &mut self,
        user: &UserId,
        room: &RoomId,
        options: &LoginOptions,
    ) -> Result<LoggedIn, LoginFailed> {
        let (session, superseded) = self.reserve(user, room);
        if let Some(superseded) = superseded.filter(|older| older.room != *room) {
            self.evict(&superseded).expect("who holds a claim is in a room").expect("and so is it");
        }
        self.commit(user, session, room, options)
    }

    /// A publication by a new transport, which is returned.
    pub(crate) fn publish(
        &mut self,
        room: &RoomId,
        session: SessionId,
        stream: &StreamId,
        extra_info: &str,
    ) -> Option<Result<(PeerId, Option<CutMedia>), PublishError>> {
        let peer = PeerId(self.next_id());
        let now = self.now;
        let extra_info = Arc::from(extra_info);
        let start =
            StartPublishing { session, stream: stream.clone(), peer, source: SOURCE, extra_info };
        let result = self.with(room, |room, app| room.start_publishing(now, app, start))?;
        Some(result.map(|cut| (peer, cut)))
    }

    /// Runs one command in a room, carries out its outputs, and drops the room once it is over.
    pub(crate) fn with<R>(
        &mut self,
        id: &RoomId,
        command: impl FnOnce(&mut Room, &mut App) -> R,
    ) -> Option<R> {
        let room = self.rooms.get_mut(id)?;
        let result = command(room, &mut self.app);
        while let Some(output) = room.poll_output() {
            match &output {
                Output::ReleaseUser { user, session } => self.app.release_user(user, *session),
                Output::ReleaseStream { stream, room_session } => {
                    self.app.release_stream(stream, *room_session);
                }
                Output::Send { .. }
                | Output::SendUnnumbered { .. }
                | Output::Disconnect { .. }
                | Output::Media(_)
                | Output::Event(_) => {}
            }
            self.outputs.push((id.clone(), output));
        }
        if room.is_over() {
            self.rooms.remove(id);
        }
        Some(result)
    }

    /// Moves time on, waking each room when it asked for it.
    pub(crate) fn advance_to(&mut self, until: UnixMillis) {
        loop {
            let next = self.rooms.iter().filter_map(|(id, room)| Some((room.poll_timeout()?, id)));
            let Some((at, id)) = next.min().map(|(at, id)| (at, id.clone())) else { break };
            if at > until {
                break;
            }
            self.now = self.now.max(at);
            let now = self.now;
            self.with(&id, |room, _| room.handle_timeout(now));
        }
        self.now = self.now.max(until);
    }

    pub(crate) fn take_outputs(&mut self) -> Vec<(RoomId, Output)> {
        std::mem::take(&mut self.outputs)
    }
}
