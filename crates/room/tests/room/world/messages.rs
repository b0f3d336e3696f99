//! Messages, commands and extra infos of clients and of the backend, and what must come of them.

use std::sync::Arc;

use odeum_room::{
    BackendSender, BarrageId, CommandTargets, ExtraInfoKey, ExtraInfoValue, MessageCategory,
    MessageText, Notice, Room, SetRoomExtraInfoError, UserListOrder,
};
use odeum_types::{RoomId, SessionId, UserId};

use super::{USERS, World, room_id, stream_id, user_id};
use crate::client::Received;
use crate::operation::{Kind, Operation};

impl World {
    /// What a client sends; only over a socket that it believes to stand.
    pub(super) fn client_sends(&mut self, operation: Operation) {
        let (Operation::Send { device, .. }
        | Operation::SetRoomExtraInfo { device, .. }
        | Operation::SetStreamExtraInfo { device, .. }) = operation
        else {
            return;
        };
        let Some(own) = &self.devices[device].session else { return };
        if own.connection.is_none() {
            return;
        }
        let (room, id, now) = (own.room.clone(), own.session, self.node.now);
        match operation {
            Operation::Send { kind, .. } => self.send_message(&room, id, device, kind),
            Operation::SetRoomExtraInfo { key, value, .. } => {
                let key = ExtraInfoKey::parse(&format!("k{key}")).expect("a key");
                let value = ExtraInfoValue::parse(&format!("{value}")).expect("a value");
                let set = self.node.with(&room, |room, _| room.set_extra_info(now, id, key, value));
                let second = matches!(set, Some(Err(SetRoomExtraInfoError::SecondKey)));
                self.faults.second_keys += u64::from(second);
            }
            Operation::SetStreamExtraInfo { stream, value, .. } => {
                let (stream, info) = (stream_id(stream), Arc::from(format!("{value}")));
                let set = self
                    .node
                    .with(&room, |room, _| room.set_stream_extra_info(now, id, &stream, info));
                self.faults.stream_extra_infos += u64::from(matches!(set, Some(Ok(()))));
            }
            _ => {}
        }
    }

    /// The backend sends in the name of a user who may be anywhere.
    pub(super) fn backend_sends(&mut self, room: usize, user: usize, kind: Kind) {
        let (room, user) = (room_id(room), user_id(user));
        let (number, text) = self.next_text();
        let sender = BackendSender { user: user.clone(), name: None };
        let others = self.others(&room, &user);
        let now = self.node.now;
        match kind {
            Kind::Broadcast => {
                self.node.with(&room, |room, _| room.broadcast_for_backend(now, sender, text));
                self.expect(others, number);
            }
            Kind::Barrage => {
                let category = MessageCategory::System;
                self.node
                    .with(&room, |room, _| room.barrage_for_backend(now, sender, category, text));
            }
            Kind::Command { targets } => {
                let targets = self.targets(targets);
                let sent = self.node.with(&room, |room, _| {
                    room.send_command_for_backend(sender, targets.clone(), text)
                });
                if let Some(sent) = sent {
                    self.command_sent(others, &targets, number, sent.reached, &sent.offline);
                }
            }
        }
    }

    fn send_message(&mut self, room: &RoomId, id: SessionId, device: usize, kind: Kind) {
        let now = self.node.now;
        let (number, text) = self.next_text();
        let user = self.devices[device].user.clone();
        let others = self.others(room, &user);
        let refused = match kind {
            Kind::Broadcast => {
                let sent = self.node.with(room, |room, _| room.broadcast(now, id, text));
                if matches!(sent, Some(Ok(_))) {
                    self.expect(others, number);
                }
                matches!(sent, Some(Err(_)))
            }
            Kind::Barrage => {
                let sent = self.node.with(room, |room, _| room.barrage(now, id, text));
                matches!(sent, Some(Err(_)))
            }
            Kind::Command { targets } => {
                let targets = self.targets(targets);
                let sent = self
                    .node
                    .with(room, |room, _| room.send_command(now, id, targets.clone(), text));
                if let Some(Ok(sent)) = &sent {
                    self.command_sent(others, &targets, number, sent.reached, &sent.offline);
                }
                matches!(sent, Some(Err(_)))
            }
        };
        self.faults.messages_refused += u64::from(refused);
    }

    fn command_sent(
        &mut self,
        others: Vec<(UserId, SessionId)>,
        targets: &CommandTargets,
        number: u64,
        reached: usize,
        offline: &[UserId],
    ) {
        let (named, absent) = match targets {
            CommandTargets::Everyone => (others, 0),
            CommandTargets::Users(users) => {
                let named: Vec<_> =
                    others.into_iter().filter(|(user, _)| users.contains(user)).collect();
                // Whoever is named and neither reached nor the sender is offline.
                let absent = users.len() - named.len();
                (named, absent)
            }
        };
        assert_eq!(reached, named.len(), "sessions that a command reached");
        assert!(offline.len() == absent || offline.len() + 1 == absent, "{offline:?} {targets:?}");
        self.faults.targets_offline += offline.len() as u64;
        self.expect(named, number);
    }

    /// Everyone in the room but `user`.
    fn others(&self, room: &RoomId, user: &UserId) -> Vec<(UserId, SessionId)> {
        let everyone =
            self.node.rooms.get(room).map(|room: &Room| {
                room.users(UserListOrder::Ascending, room.user_count(), None).users
            });
        let others = everyone.unwrap_or_default().into_iter().filter(|other| other.user != *user);
        others.map(|other| (other.user, other.session)).collect()
    }

    fn expect(&mut self, receivers: Vec<(UserId, SessionId)>, number: u64) {
        for (_, session) in receivers {
            self.expected.entry(session).or_default().push(number);
        }
    }

    fn targets(&self, targets: u8) -> CommandTargets {
        if targets == 0 {
            return CommandTargets::Everyone;
        }
        let named = (0..=USERS).filter(|user| targets >> user & 1 == 1);
        CommandTargets::Users(named.map(user_id).collect())
    }

    fn next_text(&mut self) -> (u64, MessageText) {
        self.message_count += 1;
        let number = self.message_count;
        (number, MessageText::parse(&format!("{number}")).expect("a text"))
    }

    /// Every connected client has, once all has arrived that is on its way, each message that was
    /// sent to it, once and in order; what is missing it was told of.
    pub(super) fn check_messages(&self, session: SessionId, received: &[Received]) {
        let nothing = Vec::new();
        let mut expected = self.expected.get(&session).unwrap_or(&nothing).iter();
        let mut may_lack = 0;
        let mut must_lack = 0;
        for each in received {
            match each {
                Received::Lost { least, most } => {
                    may_lack += *most;
                    must_lack += *least;
                }
                Received::Message(number) => {
                    let lacks = expected.by_ref().take_while(|due| *due != number).count() as u64;
                    assert!(lacks <= may_lack, "{lacks} before {number}, {may_lack} told");
                    assert!(lacks >= must_lack, "{must_lack} told before {number}, {lacks} lack");
                    (may_lack, must_lack) = (0, 0);
                }
            }
        }
        assert_eq!(expected.next(), None, "the last messages lack");
    }
}

/// The number that a message carries as its text.
pub(crate) fn number_of(notice: &Notice) -> Option<u64> {
    match notice {
        Notice::BroadcastMessage { text, .. } | Notice::CustomCommand { text, .. } => {
            Some(text.as_str().parse().expect("a number"))
        }
        _ => None,
    }
}

/// The place of a barrage message among all of its room.
pub(crate) fn barrage_of(notice: &Notice) -> &BarrageId {
    match notice {
        Notice::BarrageMessage { id, .. } => id,
        other => panic!("not numbered: {other:?}"),
    }
}
