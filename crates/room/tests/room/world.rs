//! Several rooms of one app, their clients, and a network that loses: carries operations out, and after each
//! one checks what must always hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use odeum_room::{
    AddStream, ConnectionId, LoginError, MediaCloseReason, MediaCommand, MediaFacts, Output,
    PublishError, Resume, ResumeError, ResumeSecret, Room, RoomCloseNotice, RoomConfig,
    StreamNumberId,
};
use odeum_types::{PeerId, RoomId, RoomSessionId, SessionId, StreamId, UserId, UserName};

use crate::client::{Arrived, Change, ClientSession, Delivery, Device, PendingLogin, View};
use crate::faults::Faults;
use crate::history::History;
use crate::node::{LoginFailed, LoginOptions, Node};
use crate::operation::{DEVICES, Fate, Operation};

pub(crate) const ROOMS: usize = 3;
pub(crate) const USERS: usize = 5;
pub(crate) const STREAMS: usize = 6;

pub(crate) struct World {
    node: Node,
    devices: Vec<Device>,
    /// Transports of the media plane, and where.
    live_peers: BTreeMap<PeerId, RoomId>,
    /// Transports that ended.
    stale_peers: Vec<(PeerId, RoomId)>,
    /// Broken sockets of which the server has not heard.
    unnoticed: Vec<(RoomId, SessionId, ConnectionId)>,
    /// Streams that AddStream put into a list.
    added: BTreeSet<(RoomSessionId, StreamNumberId)>,
    histories: BTreeMap<RoomSessionId, History>,
    /// The lists as they were before the operation.
    lists: BTreeMap<RoomId, (RoomSessionId, u64, BTreeSet<StreamNumberId>)>,
    pub(crate) faults: Faults,
}

impl World {
    pub(crate) fn new(config: RoomConfig) -> Self {
        let devices = (0..DEVICES).map(|device| Device {
            user: user_id(device % USERS),
            login: None,
            session: None,
        });
        Self {
            node: Node::new(config),
            devices: devices.collect(),
            live_peers: BTreeMap::new(),
            stale_peers: Vec::new(),
            unnoticed: Vec::new(),
            added: BTreeSet::new(),
            histories: BTreeMap::new(),
            lists: BTreeMap::new(),
            faults: Faults::default(),
        }
    }

    /// Carries out one operation and checks everything.
    pub(crate) fn run(&mut self, operation: Operation) {
        let now = self.node.now;
        match operation {
            Operation::Reserve { device, room } => self.reserve(device, room),
            Operation::Evict { device } => self.evict(device),
            Operation::Commit { device, token_seconds } => self.commit(device, token_seconds),
            Operation::Abandon { device } => self.abandon(device),
            Operation::Login { device, room } => {
                self.reserve(device, room);
                self.evict(device);
                self.commit(device, None);
            }
            Operation::Drop { device } => self.drop_connection(device),
            Operation::NoticeDrop { index } => self.notice_drop(index),
            Operation::Resume { device, behind, reply } => self.resume(device, behind, reply),
            Operation::Forge { device } => self.forge(device),
            Operation::Deliver { device, count } => self.deliver(device, count),
            Operation::MediaConnected { index } => {
                if let Some((peer, room)) = self.any_peer(index) {
                    let facts = MediaFacts::default();
                    self.node.with(&room, |room, _| room.media_connected(now, peer, facts));
                }
            }
            Operation::MediaClosed { index } => self.media_closed(index),
            Operation::AddStream { room, stream, user } => self.add_stream(room, stream, user),
            Operation::DeleteStream { room, stream } => {
                let stream = stream_id(stream);
                let result =
                    self.node.with(&room_id(room), |room, _| room.delete_stream(now, &stream));
                self.faults.deletions += u64::from(matches!(result, Some(Ok(()))));
            }
            Operation::Kick { room, user } => {
                let users = [user_id(user)];
                self.node.with(&room_id(room), |room, _| room.kick_users(now, &users, ""));
            }
            Operation::Close { room, callback } => {
                let notice = if callback { RoomCloseNotice::Send } else { RoomCloseNotice::Skip };
                self.node.with(&room_id(room), |room, _| room.close(now, "", notice));
            }
            Operation::Shutdown { room } => {
                self.node.with(&room_id(room), |room, _| room.server_closing(now));
            }
            Operation::Advance { seconds } => {
                let before = self.node.rooms.values().map(Room::user_count).sum::<usize>();
                self.node.advance_to(now.after(Duration::from_secs(seconds)));
                let after = self.node.rooms.values().map(Room::user_count).sum::<usize>();
                self.faults.timeouts += (before - after) as u64;
            }
            Operation::Logout { .. }
            | Operation::Heartbeat { .. }
            | Operation::Publish { .. }
            | Operation::StopPublishing { .. }
            | Operation::Play { .. }
            | Operation::StopPlaying { .. } => self.client_command(operation),
        }
        self.carry_out();
        self.check();
    }

    /// Ends everything by time alone, and checks that nothing is left.
    pub(crate) fn run_out(&mut self) {
        for device in 0..DEVICES {
            self.run(Operation::Abandon { device });
        }
        self.run(Operation::Advance { seconds: 1_000 });
        assert!(self.node.rooms.is_empty(), "rooms outlive their users");
        assert_eq!(self.node.app.user_count(), 0, "claims of users left");
        assert_eq!(self.node.app.stream_count(), 0, "claims of streams left");
        assert!(self.live_peers.is_empty(), "transports left: {:?}", self.live_peers);
        for history in self.histories.values() {
            history.assert_over();
        }
    }

    fn reserve(&mut self, device: usize, room: usize) {
        self.abandon(device);
        let (user, room) = (self.devices[device].user.clone(), room_id(room));
        let (session, superseded) = self.node.reserve(&user, &room);
        self.devices[device].login = Some(PendingLogin { session, room, superseded });
    }

    fn evict(&mut self, device: usize) {
        let Some(login) = &self.devices[device].login else { return };
        let older = login.superseded.clone().filter(|older| older.room != login.room);
        if let Some(Some(Ok(()))) = older.map(|older| self.node.evict(&older)) {
            self.faults.evictions += 1;
        }
    }

    fn commit(&mut self, device: usize, token_seconds: Option<u64>) {
        let Some(login) = self.devices[device].login.take() else { return };
        let options = LoginOptions {
            token_expires_at: token_seconds
                .map(|seconds| self.node.now.after(Duration::from_secs(seconds))),
            ..LoginOptions::default()
        };
        let user = self.devices[device].user.clone();
        match self.node.commit(&user, login.session, &login.room, &options) {
            Ok(begun) => {
                self.drop_connection(device);
                self.devices[device].session = Some(ClientSession {
                    room: login.room,
                    session: begun.session,
                    connection: Some(begun.connection),
                    secret: begun.secret,
                    view: View::new(&begun.snapshot),
                    inbox: Default::default(),
                });
            }
            Err(LoginFailed::Claim(odeum_room::CommitUserError::Lost(_))) => {
                self.faults.commits_lost += 1;
            }
            Err(LoginFailed::Claim(odeum_room::CommitUserError::StillElsewhere { .. })) => {
                self.faults.commits_still_elsewhere += 1;
            }
            Err(LoginFailed::Room(LoginError::RoomFull { .. })) => self.faults.rooms_full += 1,
            Err(LoginFailed::Room(LoginError::RoomOver)) => panic!("the node drops such rooms"),
        }
    }

    fn abandon(&mut self, device: usize) {
        let device = &mut self.devices[device];
        if let Some(login) = device.login.take() {
            self.node.app.release_user(&device.user, login.session);
        }
    }

    fn drop_connection(&mut self, device: usize) {
        let Some(session) = &mut self.devices[device].session else { return };
        let Some(connection) = session.connection else { return };
        self.unnoticed.push((session.room.clone(), session.session, connection));
        self.faults.drops += 1;
        self.faults.deliveries_lost += session.lose_connection() as u64;
    }

    fn notice_drop(&mut self, index: usize) {
        if self.unnoticed.is_empty() {
            return;
        }
        let (room, session, connection) = self.unnoticed.swap_remove(index % self.unnoticed.len());
        let resumed = self.devices.iter().filter_map(|device| device.session.as_ref()).any(|own| {
            own.session == session && own.connection.is_some_and(|own| own != connection)
        });
        self.faults.late_drop_notices += u64::from(resumed);
        let now = self.node.now;
        self.node.with(&room, |room, _| room.disconnected(now, session, connection));
    }

    fn resume(&mut self, device: usize, behind: u64, reply: Fate) {
        self.drop_connection(device);
        let user = self.devices[device].user.clone();
        let (connection, new_secret) = (ConnectionId(self.node.next_id()), self.node.next_secret());
        let now = self.node.now;
        let Some(session) = &mut self.devices[device].session else { return };
        let resume = Resume {
            session: session.session,
            user,
            token_expires_at: None,
            secret: session.secret.clone(),
            new_secret: new_secret.clone(),
            connection,
            last_sequence: session.view.sequence.saturating_sub(behind),
        };
        let result = self.node.with(&session.room, |room, _| room.resume(now, resume));
        match result {
            None | Some(Err(ResumeError::NoSession(_))) => {
                self.faults.resumptions_too_late += 1;
                self.devices[device].session = None;
            }
            Some(Err(error)) => panic!("an honest client is refused: {error}"),
            Some(Ok(_)) if reply == Fate::Lost => {
                self.faults.replies_lost += 1;
                self.unnoticed.push((session.room.clone(), session.session, connection));
            }
            Some(Ok(resumed)) => {
                session.connection = Some(connection);
                session.secret = new_secret;
                match resumed.snapshot {
                    Some(snapshot) => {
                        self.faults.snapshots += 1;
                        session.view = View::new(&snapshot);
                    }
                    None => self.faults.replays += 1,
                }
            }
        }
    }

    /// Resumptions that must fail and change nothing.
    fn forge(&mut self, device: usize) {
        let Some(session) = &self.devices[device].session else { return };
        let resume = Resume {
            session: session.session,
            user: self.devices[device].user.clone(),
            token_expires_at: None,
            secret: session.secret.clone(),
            new_secret: ResumeSecret::new([1; 16]),
            connection: ConnectionId(u64::MAX),
            last_sequence: session.view.sequence,
        };
        let ahead = Resume { last_sequence: u64::MAX, ..resume.clone() };
        let stranger = Resume { user: user_id(USERS), ..resume.clone() };
        let guess = Resume { secret: ResumeSecret::new([0; 16]), ..resume };
        let (room, now) = (session.room.clone(), self.node.now);
        for forged in [ahead, stranger, guess] {
            if let Some(result) = self.node.with(&room, |room, _| room.resume(now, forged)) {
                assert!(result.is_err(), "a forged resumption succeeds");
                self.faults.forgeries += 1;
            }
        }
    }

    fn deliver(&mut self, device: usize, count: usize) {
        for _ in 0..count {
            let Some(session) = &mut self.devices[device].session else { return };
            let Some(delivery) = session.inbox.pop_front() else { return };
            match session.view.apply(&delivery) {
                Arrived::News => {}
                Arrived::Repeated => self.faults.repeated_notices += 1,
                Arrived::Closed => session.connection = None,
                Arrived::Kickout => {
                    self.faults.kickouts += 1;
                    self.devices[device].session = None;
                }
            }
        }
    }

    fn media_closed(&mut self, index: usize) {
        let Some((peer, room)) = self.any_peer(index) else { return };
        match self.live_peers.remove(&peer) {
            Some(_) => {
                self.faults.media_lost += 1;
                self.stale_peers.push((peer, room.clone()));
            }
            None => self.faults.stale_media += 1,
        }
        let now = self.node.now;
        self.node.with(&room, |room, _| room.media_closed(now, peer, MediaCloseReason::Lost));
    }

    /// A transport that lives or, once in four times, one that ended.
    fn any_peer(&self, index: usize) -> Option<(PeerId, RoomId)> {
        if index % 4 == 3 && !self.stale_peers.is_empty() {
            return Some(self.stale_peers[index % self.stale_peers.len()].clone());
        }
        let at = index % self.live_peers.len().max(1);
        self.live_peers.iter().nth(at).map(|(peer, room)| (*peer, room.clone()))
    }

    fn add_stream(&mut self, room: usize, stream: usize, user: usize) {
        let (id, now, stream) = (room_id(room), self.node.now, stream_id(stream));
        let add = AddStream {
            stream: stream.clone(),
            user: user_id(user),
            user_name: UserName::parse("").expect("may be empty"),
            title: Arc::from(""),
            extra_info: Arc::from(""),
        };
        let result = self.node.with(&id, |room, app| room.add_stream(now, app, add));
        if let Some(Ok(())) = result {
            let room = &self.node.rooms[&id];
            let listed = room.streams().into_iter().find(|listed| listed.stream == stream);
            let number = listed.expect("it was added just now").number;
            self.added.insert((room.room_session(), number));
        }
    }

    /// What a client asks for; only over a socket that it believes to stand.
    fn client_command(&mut self, operation: Operation) {
        let (Operation::Logout { device }
        | Operation::Heartbeat { device, .. }
        | Operation::Publish { device, .. }
        | Operation::StopPublishing { device, .. }
        | Operation::Play { device, .. }
        | Operation::StopPlaying { device, .. }) = operation
        else {
            return;
        };
        let Some(session) = &self.devices[device].session else { return };
        if session.connection.is_none() {
            return;
        }
        let (room, id, now) = (session.room.clone(), session.session, self.node.now);
        let sequence = session.view.sequence;
        let change = match operation {
            Operation::Logout { .. } => {
                self.node.with(&room, |room, _| room.logout(now, id).is_ok());
                self.devices[device].session = None;
                None
            }
            Operation::Heartbeat { behind, .. } => {
                let sequence = sequence.saturating_sub(behind);
                self.node.with(&room, |room, _| room.heartbeat(now, id, sequence).is_ok());
                None
            }
            Operation::Publish { stream, .. } => self.publish(&room, id, stream_id(stream)),
            Operation::StopPublishing { stream, .. } => {
                let stream = stream_id(stream);
                let stopped =
                    self.node.with(&room, |room, _| room.stop_publishing(now, id, &stream));
                matches!(stopped, Some(Ok(()))).then_some(Change::StoppedPublishing(stream))
            }
            Operation::Play { stream, .. } => self.play(&room, id, stream_id(stream)),
            Operation::StopPlaying { stream, .. } => {
                let stream = stream_id(stream);
                let stopped = self.node.with(&room, |room, _| room.stop_playing(now, id, &stream));
                matches!(stopped, Some(Ok(()))).then_some(Change::StoppedPlaying(stream))
            }
            _ => None,
        };
        self.carry_out();
        if let Some((session, change)) = self.devices[device].session.as_mut().zip(change) {
            session.inbox.push_back(Delivery::Done(change));
        }
    }

    fn publish(&mut self, room: &RoomId, session: SessionId, stream: StreamId) -> Option<Change> {
        match self.node.publish(room, session, &stream, "")? {
            Ok(peer) => {
                self.live_peers.insert(peer, room.clone());
                Some(Change::Publishing(stream))
            }
            Err(PublishError::StreamTaken(_)) => {
                self.faults.streams_taken += 1;
                None
            }
            Err(PublishError::NoSession(_) | PublishError::TooManyStreams { .. }) => None,
        }
    }

    fn play(&mut self, room: &RoomId, session: SessionId, stream: StreamId) -> Option<Change> {
        let (peer, now) = (PeerId(self.node.next_id()), self.node.now);
        let result =
            self.node.with(room, |room, _| room.start_playing(now, session, &stream, peer))?;
        let publisher = result.ok()?;
        assert!(self.live_peers.contains_key(&publisher), "a play of a dead transport");
        self.live_peers.insert(peer, room.clone());
        Some(Change::Playing(stream))
    }

    /// Hands out what the rooms have put out.
    fn carry_out(&mut self) {
        for (room, output) in self.node.take_outputs() {
            match output {
                Output::Send { session, connection, sequence, notice } => {
                    self.send(session, connection, Delivery::Notice(sequence, notice));
                }
                Output::Disconnect { session, connection, .. } => {
                    self.send(session, connection, Delivery::Closed);
                }
                Output::Media(MediaCommand::ClosePeer(peer)) => {
                    let known = self.live_peers.remove(&peer);
                    assert!(known.is_some(), "a dead transport is closed again");
                    self.stale_peers.push((peer, room));
                }
                Output::Event(event) => {
                    self.histories.entry(event.room_session).or_default().take(&event);
                }
                Output::ReleaseUser { .. } | Output::ReleaseStream { .. } => {}
            }
        }
    }

    fn send(&mut self, session: SessionId, connection: ConnectionId, delivery: Delivery) {
        let mut sessions = self.devices.iter_mut().filter_map(|device| device.session.as_mut());
        let receiver =
            sessions.find(|own| own.session == session && own.connection == Some(connection));
        match receiver {
            Some(receiver) => receiver.inbox.push_back(delivery),
            None => self.faults.deliveries_lost += 1,
        }
    }

    fn check(&mut self) {
        self.check_views();
        self.check_claims();
        self.check_lists();
    }

    /// Every connected client's view, once all has arrived that is on its way, is what the room says.
    fn check_views(&self) {
        for device in &self.devices {
            let Some(session) = &device.session else { continue };
            if session.connection.is_none() {
                continue;
            }
            let mut view = session.view.clone();
            let arrived: Vec<Arrived> =
                session.inbox.iter().map(|delivery| view.apply(delivery)).collect();
            if arrived.contains(&Arrived::Kickout) {
                continue;
            }
            let room = &self.node.rooms[&session.room];
            let snapshot = room.snapshot(session.session).expect("not kicked out");
            let truth = View::new(&snapshot);
            view.assert_equals(&truth, &device.user);
            let listed: BTreeSet<StreamId> = (room.streams().into_iter())
                .filter(|listed| listed.user != device.user)
                .map(|listed| listed.stream)
                .collect();
            assert_eq!(truth.streams.into_keys().collect::<BTreeSet<_>>(), listed);
        }
    }

    /// A claim has one holder, and who is in a room or a list has the claim.
    fn check_claims(&self) {
        let mut users = BTreeSet::new();
        let mut streams = BTreeSet::new();
        let mut transports = 0;
        for room in self.node.rooms.values() {
            let everyone = room.users(odeum_room::UserListOrder::Ascending, usize::MAX - 1, None);
            assert_eq!(everyone.users.len(), room.user_count());
            let mut known: BTreeSet<StreamId> =
                room.streams().into_iter().map(|listed| listed.stream).collect();
            for user in everyone.users {
                assert_eq!(self.node.app.user_session(&user.user), Some(user.session));
                let snapshot = room.snapshot(user.session).expect("it is in the list");
                transports += snapshot.own_streams.len() + snapshot.playing.len();
                known.extend(snapshot.own_streams.into_iter().map(|own| own.stream));
                assert!(users.insert(user.user), "a user is in two rooms");
            }
            for stream in known {
                assert_eq!(self.node.app.stream_room(&stream), Some(room.room_session()));
                assert!(streams.insert(stream), "a stream is in two rooms");
            }
        }
        assert_eq!(self.node.app.stream_count(), streams.len(), "claims without a stream");
        assert_eq!(self.live_peers.len(), transports, "transports without a use");
    }

    /// A listed stream is published by its user or was added, and the list's counter has no gap.
    fn check_lists(&mut self) {
        let before = std::mem::take(&mut self.lists);
        for (id, room) in &self.node.rooms {
            let session = room.room_session();
            let created = &self.histories[&session].streams;
            let list = room.streams();
            for listed in &list {
                if created.get(&listed.stream) == Some(&(listed.user.clone(), listed.number)) {
                    let user = room.user_status(&listed.user).expect("the publisher is here");
                    let own = room.snapshot(user.session).expect("it is here").own_streams;
                    assert!(own.iter().any(|own| own.stream == listed.stream), "not published");
                } else {
                    let added = self.added.contains(&(session, listed.number));
                    assert!(added, "{} is listed for no reason", listed.stream);
                }
            }
            let numbers: BTreeSet<_> = list.iter().map(|listed| listed.number).collect();
            let (last, old) = match before.get(id) {
                Some((life, last, old)) if *life == session => (*last, old.clone()),
                Some(_) | None => (0, BTreeSet::new()),
            };
            let changes = numbers.symmetric_difference(&old).count() as u64;
            assert_eq!(room.stream_sequence(), last + changes, "stream sequence of {id}");
            self.lists.insert(id.clone(), (session, last + changes, numbers));
        }
    }
}

fn room_id(room: usize) -> RoomId {
    RoomId::parse(&format!("room-{room}")).expect("a room id")
}

fn user_id(user: usize) -> UserId {
    UserId::parse(&format!("user-{user}")).expect("a user id")
}

fn stream_id(stream: usize) -> StreamId {
    StreamId::parse(&format!("stream-{stream}")).expect("a stream id")
}
