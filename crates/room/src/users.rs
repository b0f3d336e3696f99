//! Who hears of users coming and going (ruling 24).
//!
//! Up to `user_notices_max` users the notices are complete. Beyond it they stop, and what clients
//! believe is frozen in `Room::announced`; once the room is small enough again, the difference is
//! told and they are complete once more.
//!
//! How many users there are is told to everyone, large room or small, subscribed or not, at most
//! once in `user_count_interval`.

use std::collections::BTreeMap;

use odeum_types::{SessionId, UnixMillis, UserId, UserName};

use crate::login::UserUpdate;
use crate::notice::{ListUpdate, Notice};
use crate::room::Room;
use crate::snapshot::UserEntry;

/// The pace of the notices that carry the count of users.
#[derive(Debug)]
pub(crate) struct UserCountNotice {
    /// When the last one went out, or the room began: its first users have the count in their
    /// snapshots.
    told_at: UnixMillis,
    /// When the next one has to; none while the count has not changed.
    pub(crate) due: Option<UnixMillis>,
}

impl UserCountNotice {
    /// The pace of a room that begins now.
    pub(crate) fn new(now: UnixMillis) -> Self {
        Self { told_at: now, due: None }
    }
}

impl Room {
    /// After `id` was inserted as a new user: tells the others, or freezes the list.
    pub(crate) fn announce_login(&mut self, now: UnixMillis, user: &UserId, id: SessionId) {
        if self.announced.is_none() && self.sessions.len() > self.config.user_notices_max {
            self.announced = Some(
                (self.sessions.values())
                    .filter(|session| session.id != id)
                    .map(|session| (session.user.clone(), session.name.clone()))
                    .collect(),
            );
        }
        if self.announced.is_none() {
            let name = self.sessions[&id].name.clone();
            self.tell_of_users(ListUpdate::Add, vec![UserEntry { user: user.clone(), name }]);
        }
        self.user_count_changed(now);
    }

    /// After a user was removed: tells the others, or thaws the list.
    pub(crate) fn announce_logout(&mut self, now: UnixMillis, user: UserId, name: UserName) {
        match self.announced.take() {
            None => self.tell_of_users(ListUpdate::Delete, vec![UserEntry { user, name }]),
            Some(announced) if self.sessions.len() > self.config.user_notices_max => {
                self.announced = Some(announced);
            }
            Some(announced) => self.tell_difference(announced),
        }
        self.user_count_changed(now);
    }

    /// Tells the count if its time has come: to everyone who does not know it from a snapshot.
    pub(crate) fn user_count_timeout(&mut self, now: UnixMillis) {
        if self.user_count_notice.due.is_none_or(|due| due > now) {
            return;
        }
        self.user_count_notice = UserCountNotice::new(now);
        let count = self.sessions.len();
        self.tell_all(Notice::UserCount { count }, |session| session.user_count_told != count);
        for session in self.sessions.values_mut() {
            session.user_count_told = count;
        }
    }

    /// Tells the count, or sees to it that it is told when the interval is over.
    fn user_count_changed(&mut self, now: UnixMillis) {
        let interval = self.config.user_count_interval;
        self.user_count_notice.due = Some(self.user_count_notice.told_at.after(interval));
        self.user_count_timeout(now);
    }

    /// The users that every subscribed client is to believe in, itself left out.
    pub(crate) fn user_entries_for(&self, user: &UserId) -> Vec<UserEntry> {
        match &self.announced {
            Some(announced) => (announced.iter())
                .filter(|(other, _)| *other != user)
                .map(|(user, name)| UserEntry { user: user.clone(), name: name.clone() })
                .collect(),
            None => (self.login_order.values().map(|id| &self.sessions[id]))
                .filter(|session| session.user != *user)
                .map(|session| UserEntry { user: session.user.clone(), name: session.name.clone() })
                .collect(),
        }
    }

    fn tell_difference(&mut self, announced: BTreeMap<UserId, UserName>) {
        let came: Vec<UserEntry> = (self.login_order.values().map(|id| &self.sessions[id]))
            .filter(|session| !announced.contains_key(&session.user))
            .map(|session| UserEntry { user: session.user.clone(), name: session.name.clone() })
            .collect();
        let left: Vec<UserEntry> = announced
            .into_iter()
            .filter(|(user, _)| !self.users.contains_key(user))
            .map(|(user, name)| UserEntry { user, name })
            .collect();
        self.tell_of_users(ListUpdate::Delete, left);
        self.tell_of_users(ListUpdate::Add, came);
    }

    /// Tells every subscribed session of the users other than itself. The notice is shared, but for
    /// those who are in it.
    fn tell_of_users(&mut self, update: ListUpdate, users: Vec<UserEntry>) {
        let named: Vec<SessionId> =
            users.iter().filter_map(|entry| self.users.get(&entry.user).copied()).collect();
        for id in &named {
            let own = &self.sessions[id].user;
            let users: Vec<UserEntry> =
                users.iter().filter(|entry| entry.user != *own).cloned().collect();
            if self.sessions[id].user_update == UserUpdate::Subscribed && !users.is_empty() {
                self.tell(*id, Notice::UserUpdate { update, users });
            }
        }
        if users.is_empty() {
            return;
        }
        self.tell_all(Notice::UserUpdate { update, users }, |session| {
            session.user_update == UserUpdate::Subscribed && !named.contains(&session.id)
        });
    }
}
