//! Who hears of users coming and going (ruling 24).
//!
//! Up to `user_notices_max` users the notices are complete. Beyond it they stop, and what clients
//! believe is frozen in `Room::announced`; once the room is small enough again, the difference is
//! told and they are complete once more. While the list is frozen only the count goes out, at most
//! once in `user_count_interval`, and a last time when the list is whole again.

use std::collections::BTreeMap;

use odeum_types::{SessionId, UnixMillis, UserId, UserName};

use crate::login::UserUpdate;
use crate::notice::{ListUpdate, Notice};
use crate::room::Room;
use crate::snapshot::UserEntry;

/// The pace of the notices that carry the count of users.
#[derive(Debug, Default)]
pub(crate) struct UserCountNotice {
    /// When the last one went out.
    told_at: Option<UnixMillis>,
    /// When the next one has to; none while the count that was told is right.
    pub(crate) due: Option<UnixMillis>,
}

impl Room {
    /// After `id` was inserted as a new user: tells the others, or freezes the list.
    pub(crate) fn announce_login(&mut self, now: UnixMillis, user: &UserId, id: SessionId) {
        if self.announced.is_some() {
            self.user_count_changed(now, Some(id));
            return;
        }
        if self.sessions.len() > self.config.user_notices_max {
            self.announced = Some(
                (self.sessions.values())
                    .filter(|session| session.id != id)
                    .map(|session| (session.user.clone(), session.name.clone()))
                    .collect(),
            );
            self.user_count_changed(now, Some(id));
            return;
        }
        let name = self.sessions[&id].name.clone();
        self.tell_of_users(ListUpdate::Add, vec![UserEntry { user: user.clone(), name }]);
    }

    /// After a user was removed: tells the others, or thaws the list.
    pub(crate) fn announce_logout(&mut self, now: UnixMillis, user: UserId, name: UserName) {
        match self.announced.take() {
            None => self.tell_of_users(ListUpdate::Delete, vec![UserEntry { user, name }]),
            Some(announced) if self.sessions.len() > self.config.user_notices_max => {
                self.announced = Some(announced);
                self.user_count_changed(now, None);
            }
            Some(announced) => {
                self.tell_difference(announced);
                self.tell_user_count(now, None);
            }
        }
    }

    /// Tells the count if its time has come.
    pub(crate) fn user_count_timeout(&mut self, now: UnixMillis) {
        self.user_count_due(now, None);
    }

    /// Tells the count, or sees to it that it is told when the interval is over. `newcomer` has it
    /// in its snapshot.
    fn user_count_changed(&mut self, now: UnixMillis, newcomer: Option<SessionId>) {
        let told_at = self.user_count_notice.told_at;
        let due = told_at.map_or(now, |at| at.after(self.config.user_count_interval));
        self.user_count_notice.due = Some(due);
        self.user_count_due(now, newcomer);
    }

    fn user_count_due(&mut self, now: UnixMillis, newcomer: Option<SessionId>) {
        if self.user_count_notice.due.is_some_and(|due| due <= now) {
            self.tell_user_count(now, newcomer);
        }
    }

    fn tell_user_count(&mut self, now: UnixMillis, newcomer: Option<SessionId>) {
        self.user_count_notice = UserCountNotice { told_at: Some(now), due: None };
        let notice = Notice::UserCount { count: self.sessions.len() };
        self.tell_all(notice, |session| {
            session.user_update == UserUpdate::Subscribed && newcomer != Some(session.id)
        });
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
