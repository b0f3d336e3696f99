//! What clients do: log in step by step, lose their sockets, come back, ask for things.

use std::time::Duration;

use odeum_room::{
    CommitUserError, ConnectionId, LoginError, PlayError, PublishError, Resume, ResumeError,
    ResumeSecret,
};
use odeum_types::{PeerId, RoomId, SessionId, StreamId};

use super::{USERS, World, room_id, stream_id, user_id};
use crate::client::{Arrived, Change, ClientSession, Delivery, PendingLogin, View};
use crate::node::{LoginFailed, LoginOptions};
use crate::operation::{Fate, Operation};

impl World {
    pub(super) fn reserve(&mut self, device: usize, room: usize) {
        self.abandon(device);
        let (user, room) = (self.devices[device].user.clone(), room_id(room));
        let (session, superseded) = self.node.reserve(&user, &room);
        self.devices[device].login = Some(PendingLogin { session, room, superseded });
    }

    pub(super) fn evict(&mut self, device: usize) {
        let Some(login) = &self.devices[device].login else { return };
        let older = login.superseded.clone().filter(|older| older.room != login.room);
        if let Some(Some(Ok(()))) = older.map(|older| self.node.evict(&older)) {
            self.faults.evictions += 1;
        }
    }

    pub(super) fn commit(&mut self, device: usize, token_seconds: Option<u64>) {
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
            Err(LoginFailed::Claim(CommitUserError::Lost(_))) => {
                self.faults.commits_lost += 1;
            }
            Err(LoginFailed::Claim(CommitUserError::StillElsewhere { .. })) => {
                self.faults.commits_still_elsewhere += 1;
            }
            Err(LoginFailed::Room(LoginError::RoomFull { .. })) => self.faults.rooms_full += 1,
            Err(LoginFailed::Room(LoginError::RoomOver)) => panic!("the node drops such rooms"),
        }
    }

    pub(super) fn abandon(&mut self, device: usize) {
        let device = &mut self.devices[device];
        if let Some(login) = device.login.take() {
            self.node.app.release_user(&device.user, login.session);
        }
    }

    pub(super) fn drop_connection(&mut self, device: usize) {
        let Some(session) = &mut self.devices[device].session else { return };
        let Some(connection) = session.connection else { return };
        self.unnoticed.push((session.room.clone(), session.session, connection));
        self.faults.drops += 1;
        self.faults.deliveries_lost += session.lose_connection() as u64;
    }

    pub(super) fn notice_drop(&mut self, index: usize) {
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

    pub(super) fn resume(&mut self, device: usize, behind: u64, reply: Fate) {
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
                match resumed.catch_up {
                    Some(catch_up) => {
                        self.faults.snapshots += 1;
                        self.faults.messages_lost += catch_up.messages_lost;
                        self.faults.messages_caught_up += catch_up.messages.len() as u64;
                        let claimed = session.view.sequence.saturating_sub(behind);
                        session.view.catch_up(&catch_up, session.view.sequence - claimed);
                    }
                    None => self.faults.replays += 1,
                }
            }
        }
    }

    /// Resumptions that must fail and change nothing.
    pub(super) fn forge(&mut self, device: usize) {
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

    pub(super) fn deliver(&mut self, device: usize, count: usize) {
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

    /// What a client asks for; only over a socket that it believes to stand.
    pub(super) fn client_command(&mut self, operation: Operation) {
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

    pub(super) fn publish(
        &mut self,
        room: &RoomId,
        session: SessionId,
        stream: StreamId,
    ) -> Option<Change> {
        match self.node.publish(room, session, &stream, "")? {
            Ok((peer, cut)) => {
                self.live_peers.insert(peer, room.clone());
                self.publishes(peer, room, &stream, cut);
                Some(Change::Publishing(stream))
            }
            Err(PublishError::StreamTaken(_)) => {
                self.faults.streams_taken += 1;
                None
            }
            Err(PublishError::UserForbidden(_) | PublishError::StreamForbidden(_)) => {
                self.faults.publications_refused += 1;
                None
            }
            Err(PublishError::NoSession(_) | PublishError::TooManyStreams { .. }) => None,
        }
    }

    pub(super) fn play(
        &mut self,
        room: &RoomId,
        session: SessionId,
        stream: StreamId,
    ) -> Option<Change> {
        let (peer, now) = (PeerId(self.node.next_id()), self.node.now);
        let result = self
            .node
            .with(room, |room, app| room.start_playing(now, app, session, &stream, peer))?;
        let interrupted = matches!(result, Err(PlayError::PublisherInterrupted(_)));
        self.faults.plays_of_interrupted += u64::from(interrupted);
        let publisher = result.ok()?;
        assert!(self.live_peers.contains_key(&publisher), "a play of a dead transport");
        self.live_peers.insert(peer, room.clone());
        Some(Change::Playing(stream))
    }
}
