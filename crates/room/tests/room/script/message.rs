//! Steps that say something: messages, commands, extra infos.

use std::sync::Arc;

use odeum_room::{
    BackendSender, CommandTargets, ExtraInfoKey, ExtraInfoValue, MessageCategory, MessageText,
};
use odeum_types::{RoomId, UserName};

use super::{Player, stream_id, user_id};

impl Player {
    /// Of clients by their name, of the backend with `api`.
    pub(super) fn message(&mut self, room: &RoomId, words: &[&str]) {
        let now = self.node.now;
        match *words {
            ["broadcast", who, ref said @ ..] => {
                let (session, text) = (self.handle(who).session, text(said));
                self.try_in_room_of(who, |room| room.broadcast(now, session, text).map(drop));
            }
            ["barrage", who, ref said @ ..] => {
                let (session, text) = (self.handle(who).session, text(said));
                self.try_in_room_of(who, |room| room.barrage(now, session, text).map(drop));
            }
            ["command", who, to, ref said @ ..] => {
                let (session, text) = (self.handle(who).session, text(said));
                let room = self.handle(who).room;
                let sent = self
                    .node
                    .with(&room, |room, _| room.send_command(now, session, targets(to), text));
                if let Some(Ok(sent)) = &sent {
                    self.say(&format!("reached {} offline {:?}", sent.reached, sent.offline));
                }
                self.refusal(sent.map(|sent| sent.map(drop).map_err(|error| error.to_string())));
            }
            ["room-info", who, key, ref value @ ..] => {
                let session = self.handle(who).session;
                let key = ExtraInfoKey::parse(key).expect("a key");
                let value = ExtraInfoValue::parse(&value.join(" ")).expect("a value");
                self.try_in_room_of(who, |room| room.set_extra_info(now, session, key, value));
            }
            ["stream-info", who, stream, ref info @ ..] => {
                let (session, stream) = (self.handle(who).session, stream_id(stream));
                let info = Arc::from(info.join(" "));
                self.try_in_room_of(who, |room| {
                    room.set_stream_extra_info(now, session, &stream, info)
                });
            }
            ["api", kind, from, ref said @ ..] => self.api(room, kind, from, said),
            _ => panic!("no such step: {words:?}"),
        }
    }

    fn api(&mut self, room: &RoomId, kind: &str, from: &str, said: &[&str]) {
        let now = self.node.now;
        let (user, name) = match from.split_once('=') {
            Some((user, name)) => (user, Some(UserName::parse(name).expect("a name"))),
            None => (from, None),
        };
        let sender = BackendSender { user: user_id(user), name };
        match kind {
            "broadcast" => {
                let text = text(said);
                self.node.with(room, |room, _| room.broadcast_for_backend(now, sender, text));
            }
            "barrage" => {
                let (text, category) = (text(said), MessageCategory::System);
                self.node
                    .with(room, |room, _| room.barrage_for_backend(now, sender, category, text));
            }
            "command" => {
                let (to, said) = said.split_first().expect("targets");
                let text = text(said);
                let sent = self
                    .node
                    .with(room, |room, _| room.send_command_for_backend(sender, targets(to), text));
                let sent = sent.expect("a room");
                self.say(&format!("reached {} offline {:?}", sent.reached, sent.offline));
            }
            other => panic!("api {other}"),
        }
    }
}

fn text(said: &[&str]) -> MessageText {
    MessageText::parse(&said.join(" ")).expect("a text")
}

fn targets(to: &str) -> CommandTargets {
    match to {
        "all" => CommandTargets::Everyone,
        users => CommandTargets::Users(users.split(',').map(user_id).collect()),
    }
}
