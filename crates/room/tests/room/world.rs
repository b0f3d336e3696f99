//! Several rooms of one app, their clients, and a network that loses: carries operations out, and
//! after each one checks what must always hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use odeum_room::{
    AddStream, ConnectionId, Event, MediaCloseReason, MediaCommand, MediaFacts, Output,
    PublicationState, Room, RoomCloseNotice, RoomConfig, RuleChange, Rules, StreamNumberId,
    UserListOrder,
};
use odeum_types::{
    PeerId, RoomId, RoomSessionId, SessionId, StreamId, UnixMillis, UserId, UserName,
};

use crate::client::{Delivery, Device};
use crate::faults::Faults;
use crate::history::History;
use crate::node::Node;
use crate::operation::{DEVICES, Operation};

mod clients;
mod invariants;
mod messages;
mod rules;

pub(crate) use messages::{barrage_of, number_of};

use rules::Publishing;
pub(crate) use rules::Rule;

pub(crate) const ROOMS: usize = 3;
pub(crate) const USERS: usize = 5;
pub(crate) const STREAMS: usize = 6;

pub(crate) struct World {
    pub(crate) node: Node,
    devices: Vec<Device>,
    /// Transports of the media plane, and where.
    live_peers: BTreeMap<PeerId, RoomId>,
    /// Of these, the ones that publish.
    publishing: BTreeMap<PeerId, Publishing>,
    /// Transports that ended.
    stale_peers: Vec<(PeerId, RoomId)>,
    /// Broken sockets of which the server has not heard.
    unnoticed: Vec<(RoomId, SessionId, ConnectionId)>,
    /// Streams that AddStream put into a list.
    added: BTreeSet<(RoomSessionId, StreamNumberId)>,
    histories: BTreeMap<RoomSessionId, History>,
    /// What happened in the last operation.
    pub(crate) events: Vec<Event>,
    /// The lists as they were before the operation.
    lists: BTreeMap<RoomId, (RoomSessionId, u64, BTreeSet<StreamNumberId>)>,
    /// Messages that anybody tried to send.
    message_count: u64,
    /// The messages that each session must get, in order.
    expected: BTreeMap<SessionId, Vec<u64>>,
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
            publishing: BTreeMap::new(),
            stale_peers: Vec::new(),
            unnoticed: Vec::new(),
            added: BTreeSet::new(),
            histories: BTreeMap::new(),
            events: Vec::new(),
            lists: BTreeMap::new(),
            message_count: 0,
            expected: BTreeMap::new(),
            faults: Faults::default(),
        }
    }

    /// Carries out one operation and checks everything.
    pub(crate) fn run(&mut self, operation: Operation) {
        self.events.clear();
        let now = self.node.now;
        let interrupted = self.interrupted();
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
            Operation::DeleteStream { room, stream } => self.delete_stream(room, stream),
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
            Operation::ChangeRule { room, stream, user, seconds, rule } => {
                if let Some(change) = self.rule_change(room, stream, user, seconds, rule) {
                    self.enforce(change);
                }
                return;
            }
            Operation::Crash => {
                let rules = std::mem::take(self.node.app.rules_mut());
                self.crash(now, rules);
            }
            Operation::BackendSends { room, user, kind } => self.backend_sends(room, user, kind),
            Operation::Send { .. }
            | Operation::SetRoomExtraInfo { .. }
            | Operation::SetStreamExtraInfo { .. } => self.client_sends(operation),
            Operation::Logout { .. }
            | Operation::Heartbeat { .. }
            | Operation::Publish { .. }
            | Operation::StopPublishing { .. }
            | Operation::Play { .. }
            | Operation::StopPlaying { .. } => self.client_command(operation),
        }
        self.carry_out();
        self.count_interruptions(operation, interrupted);
        self.check();
    }

    /// Carries out a change of the rules that was made durable, and checks everything.
    pub(crate) fn enforce(&mut self, change: RuleChange) {
        self.events.clear();
        self.put_in_force(change);
        self.carry_out();
        self.check();
    }

    /// The server is gone without a word, and another one begins at `now` with the app's rules and
    /// nothing else. Clients keep what they know and no connection.
    pub(crate) fn crash(&mut self, now: UnixMillis, rules: Rules) {
        self.faults.crashes += 1;
        self.node.restart(now, rules);
        for device in &mut self.devices {
            device.login = None;
            if let Some(session) = &mut device.session {
                self.faults.deliveries_lost += session.lose_connection() as u64;
            }
        }
        self.live_peers.clear();
        self.stale_peers.clear();
        self.publishing.clear();
        self.unnoticed.clear();
        self.added.clear();
        self.lists.clear();
        self.histories.clear();
        self.expected.clear();
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

    fn delete_stream(&mut self, room: usize, stream: usize) {
        let (now, stream) = (self.node.now, stream_id(stream));
        let result = self.node.with(&room_id(room), |room, _| room.delete_stream(now, &stream));
        self.faults.deletions += u64::from(matches!(result, Some(Ok(()))));
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

    /// How many streams wait for their publisher.
    fn interrupted(&self) -> usize {
        let everyone = self.node.rooms.values().flat_map(|room| {
            let users = room.users(UserListOrder::Ascending, room.user_count(), None).users;
            users.into_iter().filter_map(|user| room.snapshot(user.session))
        });
        (everyone.flat_map(|snapshot| snapshot.own_streams))
            .filter(|own| own.state == PublicationState::Interrupted)
            .count()
    }

    fn count_interruptions(&mut self, operation: Operation, before: usize) {
        let after = self.interrupted();
        let (more, fewer) = (after.saturating_sub(before), before.saturating_sub(after));
        self.faults.interruptions += more as u64;
        match operation {
            Operation::Publish { .. } => self.faults.interruptions_mended += fewer as u64,
            Operation::Advance { .. } => self.faults.interruptions_ended += fewer as u64,
            _ => {}
        }
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

    /// Hands out what the rooms have put out.
    fn carry_out(&mut self) {
        for (room, output) in self.node.take_outputs() {
            match output {
                Output::Send { session, connection, sequence, notice } => {
                    if !self.send(session, connection, Delivery::Notice(sequence, notice)) {
                        self.faults.deliveries_lost += 1;
                    }
                }
                Output::SendUnnumbered { session, connection, notice } => {
                    if !self.send(session, connection, Delivery::Unnumbered(notice)) {
                        self.faults.barrages_lost += 1;
                    }
                }
                Output::Disconnect { session, connection, .. } => {
                    if !self.send(session, connection, Delivery::Closed) {
                        self.faults.deliveries_lost += 1;
                    }
                }
                Output::Media(MediaCommand::Cut { peer, media }) => self.cut(peer, media),
                Output::Media(MediaCommand::ClosePeer(peer)) => {
                    let known = self.live_peers.remove(&peer);
                    assert!(known.is_some(), "a dead transport is closed again");
                    self.stale_peers.push((peer, room));
                }
                Output::Event(event) => {
                    self.histories.entry(event.room_session).or_default().take(&event);
                    self.events.push(event);
                }
                Output::ReleaseUser { .. } | Output::ReleaseStream { .. } => {}
            }
        }
    }

    /// Puts a delivery on its way; false when its connection is gone.
    fn send(&mut self, session: SessionId, connection: ConnectionId, delivery: Delivery) -> bool {
        let mut sessions = self.devices.iter_mut().filter_map(|device| device.session.as_mut());
        let receiver =
            sessions.find(|own| own.session == session && own.connection == Some(connection));
        match receiver {
            Some(receiver) => {
                receiver.inbox.push_back(delivery);
                true
            }
            None => false,
        }
    }

    fn check(&mut self) {
        self.check_views();
        self.check_claims();
        self.check_lists();
        self.check_rules();
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
