//! Behaviours as scripts: a step per line, the outputs of each step below it, one snapshot for the
//! whole.
//!
//! Names: a user is a word; its sessions are numbered, `ann.1`, `ann.2`; a user without a number
//! means its last session. `ann/1` is the first connection of that session. Everything happens in
//! room `r`, or in the room named by `@room` at the line's begin. Every output of a step is
//! printed, so that a behaviour is also what does not happen.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use expect_test::Expect;
use odeum_room::{
    AddStream, ConnectionId, MediaCloseReason, MediaCommand, MediaFacts, Output, ResumeSecret,
    Room, RoomCloseNotice, RoomConfig, UserListOrder,
};
use odeum_types::{Codec, PeerId, RoomId, SessionId, StreamId, UnixMillis, UserId, UserName};

use crate::node::Node;
use crate::text::{event_text, notice_text, snapshot_text};

mod client;
mod message;
mod rules;

/// Runs `script` with the default configuration and compares.
pub(crate) fn check(script: &str, expect: Expect) {
    check_with(RoomConfig::default(), script, expect);
}

/// Runs `script` and compares what it prints.
pub(crate) fn check_with(config: RoomConfig, script: &str, expect: Expect) {
    let mut player = Player::new(config);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        player.step(line);
    }
    expect.assert_eq(&player.out);
}

struct Player {
    node: Node,
    /// Everything printed.
    out: String,
    /// Sessions by label.
    sessions: BTreeMap<String, Handle>,
    /// Labels of sessions, and of what they publish and play.
    labels: BTreeMap<SessionId, String>,
    peers: BTreeMap<PeerId, String>,
    /// The last transport of a session and stream.
    transports: BTreeMap<(String, String), PeerId>,
    /// Logins so far of each user.
    logins: BTreeMap<String, u32>,
    connections: BTreeMap<ConnectionId, String>,
    begin: UnixMillis,
}

#[derive(Clone)]
struct Handle {
    room: RoomId,
    user: UserId,
    session: SessionId,
    connection: ConnectionId,
    connection_count: u32,
    secrets: Vec<ResumeSecret>,
}

impl Player {
    fn new(config: RoomConfig) -> Self {
        let node = Node::new(config);
        Self {
            begin: node.now,
            node,
            out: String::new(),
            sessions: BTreeMap::new(),
            labels: BTreeMap::new(),
            peers: BTreeMap::new(),
            transports: BTreeMap::new(),
            logins: BTreeMap::new(),
            connections: BTreeMap::new(),
        }
    }

    fn step(&mut self, line: &str) {
        self.print(&format!("> {line}"));
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let room = match words[0].strip_prefix('@') {
            Some(room) => {
                words.remove(0);
                room_id(room)
            }
            None => room_id("r"),
        };
        match words[..] {
            ["login", user, ref options @ ..] => self.login(&room, user, options),
            ["at", seconds] => {
                let seconds = Duration::from_secs(seconds.parse().expect("seconds"));
                self.node.advance_to(self.begin.after(seconds));
            }
            ["resume", who, "from", sequence, ref options @ ..] => {
                self.resume(who, sequence.parse().expect("a number"), options);
            }
            ["publish", who, stream, ref extra @ ..] => {
                self.publish(who, stream, &extra.join(" "));
            }
            ["play", who, stream] => self.play(who, stream),
            ["connected", who, stream] => {
                let (peer, now) = (self.transport(who, stream), self.node.now);
                let facts = MediaFacts { audio: Some(Codec::Opus), video: Some(Codec::Vp8) };
                self.in_room_of(who, |room| room.media_connected(now, peer, facts));
            }
            ["lost", who, stream] => {
                let (peer, now) = (self.transport(who, stream), self.node.now);
                self.in_room_of(who, |room| room.media_closed(now, peer, MediaCloseReason::Lost));
            }
            ["users", order, limit] => self.users(&room, order, limit.parse().expect("a number")),
            ["streams"] => {
                let streams = self.node.rooms.get(&room).map(Room::streams).unwrap_or_default();
                for listed in streams {
                    let at = self.seconds(listed.created_at);
                    self.say(&format!(
                        "{} {} of {} at {at}",
                        listed.number.0, listed.stream, listed.user
                    ));
                }
            }
            ["snapshot", who] => {
                let handle = self.handle(who);
                let room = self.node.rooms.get(&handle.room);
                let snapshot = room.and_then(|room| room.snapshot(handle.session));
                match snapshot {
                    Some(snapshot) => self.say(&snapshot_text(&snapshot)),
                    None => self.say("no session"),
                }
            }
            _ => self.command(&room, &words),
        }
        self.print_outputs();
    }

    /// Steps of a client that print nothing but an error and their outputs.
    fn command(&mut self, room: &RoomId, words: &[&str]) {
        let now = self.node.now;
        match *words {
            ["logout", who] => {
                let session = self.handle(who).session;
                self.try_in_room_of(who, |room| room.logout(now, session));
            }
            ["drop", who] => {
                let (who, connection) = match who.split_once('/') {
                    Some((who, number)) => {
                        (who, self.connection(&format!("{}/{number}", self.label(who))))
                    }
                    None => (who, self.handle(who).connection),
                };
                let session = self.handle(who).session;
                self.in_room_of(who, |room| room.disconnected(now, session, connection));
            }
            ["heartbeat", who, sequence] => {
                let (session, sequence) =
                    (self.handle(who).session, sequence.parse().expect("number"));
                self.try_in_room_of(who, |room| room.heartbeat(now, session, sequence));
            }
            ["renew", who, seconds] => {
                let session = self.handle(who).session;
                let at = self.begin.after(Duration::from_secs(seconds.parse().expect("seconds")));
                self.try_in_room_of(who, |room| room.renew_token(now, session, Some(at)));
            }
            ["stop", who, stream] => {
                let (session, stream) = (self.handle(who).session, stream_id(stream));
                self.try_in_room_of(who, |room| room.stop_publishing(now, session, &stream));
            }
            ["unplay", who, stream] => {
                let (session, stream) = (self.handle(who).session, stream_id(stream));
                self.try_in_room_of(who, |room| room.stop_playing(now, session, &stream));
            }
            _ => self.backend_command(room, words),
        }
    }

    /// Steps of a backend, and of the server itself.
    fn backend_command(&mut self, room: &RoomId, words: &[&str]) {
        let now = self.node.now;
        match *words {
            ["add", stream, "by", user, ref title @ ..] => {
                let add = AddStream {
                    stream: stream_id(stream),
                    user: user_id(user),
                    user_name: UserName::parse("").expect("may be empty"),
                    title: Arc::from(title.join(" ")),
                    extra_info: Arc::from(""),
                };
                let result = self.node.with(room, |room, app| room.add_stream(now, app, add));
                self.refusal(result.map(|result| result.map_err(|error| error.to_string())));
            }
            ["delete", stream] => {
                let stream = stream_id(stream);
                let result = self.node.with(room, |room, _| room.delete_stream(now, &stream));
                self.refusal(result.map(|result| result.map_err(|error| error.to_string())));
            }
            ["kick", users, ref reason @ ..] => {
                let users: Vec<UserId> = users.split(',').map(user_id).collect();
                let reason = reason.join(" ");
                self.node.with(room, |room, _| room.kick_users(now, &users, &reason));
            }
            ["close", callback, ref reason @ ..] => {
                let notice = match callback {
                    "with-callback" => RoomCloseNotice::Send,
                    "without-callback" => RoomCloseNotice::Skip,
                    other => panic!("close {other}"),
                };
                let reason = reason.join(" ");
                self.node.with(room, |room, _| room.close(now, &reason, notice));
            }
            ["shutdown"] => {
                self.node.with(room, |room, _| room.server_closing(now));
            }
            ["rule", ref rule @ ..] => self.rule(room, rule),
            _ => self.message(room, words),
        }
    }

    fn users(&mut self, room: &RoomId, order: &str, limit: usize) {
        let order = match order {
            "ascending" => UserListOrder::Ascending,
            "descending" => UserListOrder::Descending,
            other => panic!("order {other}"),
        };
        let mut marker = None;
        while let Some(room) = self.node.rooms.get(room) {
            let page = room.users(order, limit, marker);
            let names: Vec<&str> = page.users.iter().map(|user| user.user.as_str()).collect();
            let names = names.join(" ");
            self.say(&names);
            marker = page.next;
            if marker.is_none() {
                break;
            }
        }
    }

    fn keep_peer(&mut self, who: &str, stream: &str, peer: PeerId) {
        let key = (self.label(who), stream.to_owned());
        self.peers.insert(peer, format!("{}>{stream}", key.0));
        self.transports.insert(key, peer);
    }

    fn transport(&self, who: &str, stream: &str) -> PeerId {
        self.transports[&(self.label(who), stream.to_owned())]
    }

    fn connection(&self, label: &str) -> ConnectionId {
        let mut connections = self.connections.iter();
        *connections
            .find(|(_, own)| *own == label)
            .expect("a connection of a login or resumption")
            .0
    }

    fn label(&self, who: &str) -> String {
        if who.contains('.') { who.to_owned() } else { format!("{who}.{}", self.logins[who]) }
    }

    fn handle(&self, who: &str) -> Handle {
        self.sessions[&self.label(who)].clone()
    }

    fn in_room_of(&mut self, who: &str, command: impl FnOnce(&mut Room)) {
        let room = self.handle(who).room;
        if self.node.with(&room, |room, _| command(room)).is_none() {
            self.say("no room");
        }
    }

    fn try_in_room_of<E: std::error::Error>(
        &mut self,
        who: &str,
        command: impl FnOnce(&mut Room) -> Result<(), E>,
    ) {
        let room = self.handle(who).room;
        let result = self.node.with(&room, |room, _| command(room));
        self.refusal(result.map(|result| result.map_err(|error| error.to_string())));
    }

    fn refusal(&mut self, result: Option<Result<(), String>>) {
        match result {
            None => self.say("refused: no room"),
            Some(Err(error)) => {
                let error = self.relabel(&error);
                self.say(&format!("refused: {error}"));
            }
            Some(Ok(())) => {}
        }
    }

    /// Replaces session numbers in an error by labels, so that snapshots do not depend on
    /// numbering.
    fn relabel(&self, error: &str) -> String {
        let mut words: Vec<String> = error.split(' ').map(str::to_owned).collect();
        for at in 1..words.len() {
            if words[at - 1] == "session"
                && let Ok(id) = words[at].parse()
                && let Some(label) = self.labels.get(&SessionId(id))
            {
                words[at].clone_from(label);
            }
        }
        words.join(" ")
    }

    fn print_outputs(&mut self) {
        for (room, output) in self.node.take_outputs() {
            let room = if room.as_str() == "r" { String::new() } else { format!("@{room} ") };
            let text = match &output {
                Output::Send { session, sequence, notice, connection } => {
                    self.assert_connection(*session, *connection);
                    let label = &self.labels.get(session).cloned().unwrap_or_default();
                    format!("{label} #{sequence}: {}", notice_text(notice))
                }
                Output::SendUnnumbered { session, connection, notice } => {
                    self.assert_connection(*session, *connection);
                    let label = &self.labels.get(session).cloned().unwrap_or_default();
                    format!("{label} unnumbered: {}", notice_text(notice))
                }
                Output::Disconnect { connection, reason, .. } => {
                    format!("disconnect {} {reason:?}", self.connections[connection])
                }
                Output::Media(MediaCommand::ClosePeer(peer)) => {
                    format!("close peer {}", self.peers[peer])
                }
                Output::Media(MediaCommand::Cut { peer, media }) => {
                    format!("cut {media:?} of {}", self.peers[peer])
                }
                Output::ReleaseUser { session, .. } => format!("release {}", self.labels[session]),
                Output::ReleaseStream { stream, .. } => format!("release stream {stream}"),
                Output::Event(event) => event_text(event, self.begin),
            };
            self.say(&format!("{room}{text}"));
        }
    }

    /// A notice goes to a connection of its session and to no other.
    fn assert_connection(&self, session: SessionId, connection: ConnectionId) {
        let (session, connection) = (self.labels.get(&session), self.connections.get(&connection));
        if let (Some(session), Some(connection)) = (session, connection) {
            assert!(connection.starts_with(&format!("{session}/")), "{connection} for {session}");
        }
    }

    fn seconds(&self, at: UnixMillis) -> u64 {
        at.since(self.begin).as_secs()
    }

    fn say(&mut self, text: &str) {
        self.print(&format!("    {text}"));
    }

    fn print(&mut self, text: &str) {
        writeln!(self.out, "{text}").expect("a String takes everything");
    }
}

fn room_id(text: &str) -> RoomId {
    RoomId::parse(text).expect("a room id")
}

fn user_id(text: &str) -> UserId {
    UserId::parse(text).expect("a user id")
}

fn stream_id(text: &str) -> StreamId {
    StreamId::parse(text).expect("a stream id")
}
