//! Steps of a client that print more than their outputs.

use std::time::Duration;

use odeum_room::{ConnectionId, Resume, ResumeSecret, UserUpdate};
use odeum_types::{PeerId, RoomId};

use super::{Handle, Player, stream_id, user_id};
use crate::node::{LoggedIn, LoginFailed, LoginOptions};
use crate::text::{notice_text, snapshot_text};

impl Player {
    pub(super) fn login(&mut self, room: &RoomId, user: &str, options: &[&str]) {
        let mut login = LoginOptions::default();
        for option in options {
            match option.split_once('=') {
                None if *option == "quiet" => login.user_update = UserUpdate::Not,
                Some(("max", users)) => login.users_max = Some(users.parse().expect("a number")),
                Some(("token", seconds)) => {
                    let seconds = Duration::from_secs(seconds.parse().expect("seconds"));
                    login.token_expires_at = Some(self.begin.after(seconds));
                }
                _ => panic!("no such option: {option}"),
            }
        }
        let id = user_id(user);
        match self.node.login(&id, room, &login) {
            Ok(LoggedIn { session, connection, secret, snapshot }) => {
                let count = self.logins.entry(user.to_owned()).or_default();
                *count += 1;
                let label = format!("{user}.{count}");
                self.labels.insert(session, label.clone());
                self.connections.insert(connection, format!("{label}/1"));
                let handle = Handle {
                    room: room.clone(),
                    user: id,
                    session,
                    connection,
                    connection_count: 1,
                    secrets: vec![secret],
                };
                self.sessions.insert(label, handle);
                self.say(&snapshot_text(&snapshot));
            }
            Err(LoginFailed::Room(error)) => self.say(&format!("refused: {error}")),
            Err(LoginFailed::Claim(error)) => self.say(&format!("refused: {error}")),
        }
    }

    pub(super) fn resume(&mut self, who: &str, last_sequence: u64, options: &[&str]) {
        let (label, mut handle) = (self.label(who), self.handle(who));
        let mut secret = handle.secrets.last().expect("one from login").clone();
        let mut user = handle.user.clone();
        for option in options {
            match *option {
                "old-secret" => secret = handle.secrets[handle.secrets.len() - 2].clone(),
                "first-secret" => secret = handle.secrets[0].clone(),
                "wrong-secret" => secret = ResumeSecret::new([0; 16]),
                "wrong-user" => user = user_id("mallory"),
                other => panic!("no such option: {other}"),
            }
        }
        let new_secret = self.node.next_secret();
        let connection = ConnectionId(self.node.next_id());
        let resume = Resume {
            session: handle.session,
            user,
            token_expires_at: None,
            secret,
            new_secret: new_secret.clone(),
            connection,
            last_sequence,
        };
        let now = self.node.now;
        match self.node.with(&handle.room, |room, _| room.resume(now, resume)) {
            None => self.say("refused: no room"),
            Some(Err(error)) => {
                let error = self.relabel(&error.to_string());
                self.say(&format!("refused: {error}"));
            }
            Some(Ok(resumed)) => {
                handle.connection = connection;
                handle.connection_count += 1;
                handle.secrets.push(new_secret);
                self.connections.insert(connection, format!("{label}/{}", handle.connection_count));
                self.sessions.insert(label, handle);
                let Some(catch_up) = resumed.catch_up else {
                    self.say("resumed");
                    return;
                };
                self.say(&snapshot_text(&catch_up.snapshot));
                for message in &catch_up.messages {
                    let text = notice_text(&message.notice);
                    self.say(&format!("missed #{}: {text}", message.sequence));
                }
                if catch_up.messages_lost > 0 {
                    self.say(&format!("lost {}", catch_up.messages_lost));
                }
            }
        }
    }

    pub(super) fn publish(&mut self, who: &str, stream: &str, extra_info: &str) {
        let handle = self.handle(who);
        match self.node.publish(&handle.room, handle.session, &stream_id(stream), extra_info) {
            None => self.say("refused: no room"),
            Some(Err(error)) => self.say(&format!("refused: {error}")),
            Some(Ok((peer, cut))) => {
                if let Some(cut) = cut {
                    self.say(&format!("begins with {cut:?} cut"));
                }
                self.keep_peer(who, stream, peer);
            }
        }
    }

    pub(super) fn play(&mut self, who: &str, stream: &str) {
        let (handle, now) = (self.handle(who), self.node.now);
        let peer = PeerId(self.node.next_id());
        let id = stream_id(stream);
        let result = self.node.with(&handle.room, |room, app| {
            room.start_playing(now, app, handle.session, &id, peer)
        });
        match result {
            None => self.say("refused: no room"),
            Some(Err(error)) => self.say(&format!("refused: {error}")),
            Some(Ok(publisher)) => {
                let from = self.peers[&publisher].clone();
                self.say(&format!("from {from}"));
                self.keep_peer(who, stream, peer);
            }
        }
    }
}
