//! Rules that a backend sets over an app: who may not log in or publish, which stream is cut, which
//! is forbidden (ruling 22). What they are, apart from where they hold.

use std::net::IpAddr;

use odeum_types::{RoomId, StreamId, UnixMillis, UserId};

/// Whom a user rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserRuleKey {
    /// RuleType 1: everybody behind an address.
    Ip(IpAddr),
    /// RuleType 2: everybody in a room.
    Room(RoomId),
    /// RuleType 3: a user, in every room.
    User(UserId),
    /// RuleType 4: a user in one room.
    RoomUser(RoomId, UserId),
}

/// What a user rule takes away; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserPrivileges {
    /// 1: the next login is refused, and the next publication of who is in the room already.
    Login,
    /// 2: the next publication is refused.
    Publish,
    /// Both.
    Both,
}

/// A rule about users. It ends at `expires_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRule {
    /// Whom it is about.
    pub key: UserRuleKey,
    /// What it takes away.
    pub disabled: UserPrivileges,
    /// When it ends; whole seconds.
    pub expires_at: UnixMillis,
}

/// Which media of a stream a stream rule cuts; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CutMedia {
    /// Audio.
    Audio,
    /// Video.
    Video,
    /// Both.
    Both,
}

/// A rule about one stream of one room, whether it is published or not. It ends at `expires_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRule {
    /// The room.
    pub room: RoomId,
    /// The stream.
    pub stream: StreamId,
    /// What it cuts.
    pub cut: CutMedia,
    /// When it was set; whole seconds.
    pub created_at: UnixMillis,
    /// When it ends; whole seconds.
    pub expires_at: UnixMillis,
}

/// A change of an app's rules; the last one about a key wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange {
    /// SetForbidUserRule.
    SetUserRule(UserRule),
    /// DelForbidUserRule.
    DeleteUserRule(UserRuleKey),
    /// SetForbidStreamRule.
    SetStreamRule(StreamRule),
    /// DelForbidStreamRule.
    DeleteStreamRule {
        /// The room.
        room: RoomId,
        /// The stream.
        stream: StreamId,
    },
    /// ForbidRTCStream(s): in the whole app, until resumed.
    ForbidStreams(Vec<StreamId>),
    /// ResumeRTCStream(s).
    ResumeStreams(Vec<StreamId>),
}

impl UserPrivileges {
    /// Whether the next login is refused.
    pub fn login(self) -> bool {
        matches!(self, Self::Login | Self::Both)
    }

    /// Whether the right to publish is named. Any rule refuses the next publication.
    pub fn publish(self) -> bool {
        matches!(self, Self::Publish | Self::Both)
    }
}

impl CutMedia {
    /// Whether audio is cut.
    pub fn audio(self) -> bool {
        matches!(self, Self::Audio | Self::Both)
    }

    /// Whether video is cut.
    pub fn video(self) -> bool {
        matches!(self, Self::Video | Self::Both)
    }
}

impl RuleChange {
    /// About how many bytes it takes in memory; for bounds.
    pub fn bytes_estimate(&self) -> usize {
        const FIXED: usize = 128;
        FIXED
            + match self {
                Self::SetUserRule(UserRule { key, .. }) | Self::DeleteUserRule(key) => match key {
                    UserRuleKey::Ip(_) => 0,
                    UserRuleKey::Room(room) => room.as_str().len(),
                    UserRuleKey::User(user) => user.as_str().len(),
                    UserRuleKey::RoomUser(room, user) => room.as_str().len() + user.as_str().len(),
                },
                Self::SetStreamRule(StreamRule { room, stream, .. })
                | Self::DeleteStreamRule { room, stream } => {
                    room.as_str().len() + stream.as_str().len()
                }
                Self::ForbidStreams(streams) | Self::ResumeStreams(streams) => {
                    streams.iter().map(|stream| FIXED + stream.as_str().len()).sum()
                }
            }
    }
}
