//! What a backend may ask of a room: its users, one user, its streams.

use std::ops::Bound;

use odeum_types::{SessionId, StreamId, UnixMillis, UserId, UserName};

use crate::room::Room;
use crate::snapshot::StreamEntry;
use crate::stream::{Listing, StreamNumberId};

/// A place in the list of users ordered by login time. It stays valid while users come and go, the
/// marked one included, and across lives of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserListMarker {
    /// When the marked user logged in.
    pub login_at: UnixMillis,
    /// Which of the room's logins that was; orders logins of one millisecond.
    pub number: u64,
}

/// Which end of the user list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserListOrder {
    /// Mode 0: the earliest login first.
    Ascending,
    /// Mode 1: the latest login first.
    Descending,
}

/// A part of the user list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// The users, in order.
    pub users: Vec<UserInRoom>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<UserListMarker>,
}

/// A user who is in the room. The role is 2 for everyone (ruling 21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInRoom {
    /// The user.
    pub user: UserId,
    /// What it is called.
    pub name: UserName,
    /// When its present session logged in.
    pub login_at: UnixMillis,
    /// Its present session.
    pub session: SessionId,
}

/// A stream of the room's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedStream {
    /// The stream.
    pub stream: StreamId,
    /// Its publisher, or the user in whose name it was added.
    pub user: UserId,
    /// What that user is called.
    pub user_name: UserName,
    /// When it came into the list.
    pub created_at: UnixMillis,
    /// Its number in the room.
    pub number: StreamNumberId,
}

impl Room {
    /// Since when a stream is in the list with media; `None` for one that a backend only added.
    pub fn published_since(&self, stream: &StreamId) -> Option<UnixMillis> {
        match self.streams.get(stream)?.listing {
            Listing::Published(place) => Some(place.since),
            Listing::NotYet | Listing::Added(_) | Listing::Deleted => None,
        }
    }

    /// Up to `limit` users (at least one) after `marker`, from the list's begin without one.
    pub fn users(
        &self,
        order: UserListOrder,
        limit: usize,
        marker: Option<UserListMarker>,
    ) -> UserPage {
        let limit = limit.max(1);
        let mut found: Vec<(UserListMarker, SessionId)> = match order {
            UserListOrder::Ascending => {
                let from = marker.map_or(Bound::Unbounded, Bound::Excluded);
                let range = self.login_order.range((from, Bound::Unbounded));
                range.take(limit + 1).map(|(at, id)| (*at, *id)).collect()
            }
            UserListOrder::Descending => {
                let to = marker.map_or(Bound::Unbounded, Bound::Excluded);
                let range = self.login_order.range((Bound::Unbounded, to));
                range.rev().take(limit + 1).map(|(at, id)| (*at, *id)).collect()
            }
        };
        let more = found.len() > limit;
        found.truncate(limit);
        UserPage {
            next: found.last().filter(|_| more).map(|(at, _)| *at),
            users: found.iter().filter_map(|(_, id)| self.user_in_room(*id)).collect(),
        }
    }

    /// The user, if it is in the room.
    pub fn user_status(&self, user: &UserId) -> Option<UserInRoom> {
        self.user_in_room(*self.users.get(user)?)
    }

    /// Users in the room.
    pub fn user_count(&self) -> usize {
        self.sessions.len()
    }

    /// The stream list, in the order in which streams came into it.
    pub fn streams(&self) -> Vec<ListedStream> {
        self.entries().map(ListedStream::from).collect()
    }

    fn user_in_room(&self, id: SessionId) -> Option<UserInRoom> {
        let session = self.sessions.get(&id)?;
        Some(UserInRoom {
            user: session.user.clone(),
            name: session.name.clone(),
            login_at: session.order.login_at,
            session: id,
        })
    }
}

impl From<StreamEntry> for ListedStream {
    fn from(entry: StreamEntry) -> Self {
        let StreamEntry { stream, user, user_name, number, created_at, .. } = entry;
        Self { stream, user, user_name, created_at, number }
    }
}
