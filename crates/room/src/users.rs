//! Who hears of users coming and going (ruling 24).
//!
//! Up to `user_notices_max` users the notices are complete. Beyond it they stop, and what clients
//! believe is frozen in `Room::announced`; once the room is small enough again, the difference is
//! told and they are complete once more. The notice that carries only the count will be sent from
//! `announce_login` and `announce_logout` while the list is frozen.

use std::collections::BTreeMap;

use odeum_types::{SessionId, UserId, UserName};

use crate::login::UserUpdate;
use crate::notice::{ListUpdate, Notice};
use crate::room::Room;
use crate::snapshot::UserEntry;

impl Room {
    /// After `id` was inserted as a new user: tells the others, or freezes the list.
    pub(crate) fn announce_login(&mut self, user: &UserId, id: SessionId) {
        if self.announced.is_some() {
            return;
        }
        if self.sessions.len() > self.config.user_notices_max {
            self.announced = Some(
                (self.sessions.values())
                    .filter(|session| session.id != id)
                    .map(|session| (session.user.clone(), session.name.clone()))
                    .collect(),
            );
            return;
        }
        let name = self.sessions[&id].name.clone();
        self.tell_of_users(ListUpdate::Add, vec![UserEntry { user: user.clone(), name }]);
    }

    /// After a user was removed: tells the others, or thaws the list.
    pub(crate) fn announce_logout(&mut self, user: UserId, name: UserName) {
        match self.announced.take() {
            None => self.tell_of_users(ListUpdate::Delete, vec![UserEntry { user, name }]),
            Some(announced) if self.sessions.len() > self.config.user_notices_max => {
                self.announced = Some(announced);
            }
            Some(announced) => self.tell_difference(announced),
        }
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
