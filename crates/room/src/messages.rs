//! What users and backends say to a room: broadcast messages, barrage messages and custom
//! commands.
//!
//! Broadcasts and commands are notices like others: numbered, kept, sent again after a
//! reconnection. Barrage is neither numbered nor kept and may be thinned. Nothing is stored for
//! users who come later. Nobody gets what was sent in its own name.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use odeum_types::{SessionId, UnixMillis, UserId, UserName};

use crate::notice::Notice;
use crate::rate::RateWindow;
use crate::room::Room;
use crate::snapshot::UserEntry;

/// Longest text of a message or command, bytes (contract, messages).
const MESSAGE_BYTES_MAX: usize = 1_024;

/// The text of a message or command: 1 to 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageText(Arc<str>);

/// Why a text cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageTextError {
    /// Client code 1009001, return code 1008.
    #[error("the message is empty")]
    Empty,
    /// Client code 1009002, return code 50012.
    #[error("the message is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
}

/// A broadcast message's number: counts up from 1 in the room's life, far below 2^53, so that
/// JavaScript can hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// A barrage message's name, `category_milliseconds_number`, unique in the room's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BarrageId {
    /// What kind of message it is.
    pub category: MessageCategory,
    /// When it was sent.
    pub sent_at: UnixMillis,
    /// Counts with the numbers of broadcast messages.
    pub number: u64,
}

/// What kind a message is, as its sender says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageCategory {
    /// 1: of the system.
    System,
    /// 2: of a user.
    Chat,
}

/// In whose name a backend sends; the user need not be in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendSender {
    /// Who.
    pub user: UserId,
    /// What the user is called; without one, as in the room if it is there.
    pub name: Option<UserName>,
}

/// Who gets a custom command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandTargets {
    /// Everyone in the room.
    Everyone,
    /// These users, as far as they are in the room.
    Users(Vec<UserId>),
}

/// A custom command that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSent {
    /// Users who got it or will once their connection is back.
    pub reached: usize,
    /// Targets who are not in the room, in the order in which they were named.
    pub offline: Vec<UserId>,
}

/// Why a broadcast message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BroadcastError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// Client code 1009015: the user sends too many.
    #[error("one user may broadcast {per_second_max} messages a second")]
    UserTooOften {
        /// The limit that was hit.
        per_second_max: usize,
    },
    /// Client code 1109001: the room's clients send too many.
    #[error("a room's users may broadcast {per_second_max} messages a second")]
    RoomTooOften {
        /// The limit that was hit.
        per_second_max: usize,
    },
}

/// Why a barrage message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BarrageError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// Client code 1109001: the room's clients send too many.
    #[error("a room's users may send {per_second_max} barrage messages a second")]
    TooOften {
        /// The limit that was hit.
        per_second_max: usize,
    },
}

/// Why a custom command was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendCommandError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// Client code 1109001: the room's clients send too many.
    #[error("a room's users may send {per_second_max} such commands a second")]
    TooOften {
        /// The limit that was hit.
        per_second_max: usize,
    },
    /// It names more users than it may.
    #[error("a command may name {command_targets_max} users")]
    TooManyTargets {
        /// The limit that was hit.
        command_targets_max: usize,
    },
}

/// What a room counts of its messages.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// The last number given to a message.
    number: u64,
    /// Broadcasts of clients.
    broadcasts: RateWindow,
    /// Barrage of clients.
    barrages: RateWindow,
    /// Commands of clients to one user.
    commands: RateWindow,
    /// Commands of clients to several users or all.
    wide_commands: RateWindow,
}

impl MessageText {
    /// Checks the length; any characters will do.
    ///
    /// # Errors
    /// [`MessageTextError`], each variant as it says.
    pub fn parse(text: &str) -> Result<Self, MessageTextError> {
        if text.is_empty() {
            return Err(MessageTextError::Empty);
        }
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(MessageTextError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BarrageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let category = match self.category {
            MessageCategory::System => 1,
            MessageCategory::Chat => 2,
        };
        write!(f, "{category}_{}_{}", self.sent_at.0, self.number)
    }
}

impl CommandTargets {
    /// Whether at most one user is meant: such commands may come more often.
    fn is_narrow(&self) -> bool {
        match self {
            Self::Everyone => false,
            Self::Users(users) => users.len() <= 1,
        }
    }
}

impl Messages {
    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

impl Room {
    /// A user says something to all others, reliably.
    ///
    /// # Errors
    /// [`BroadcastError`], each variant as it says; a refused message counts towards no limit.
    pub fn broadcast(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        text: MessageText,
    ) -> Result<MessageId, BroadcastError> {
        let user_max = self.config.broadcasts_per_user_per_second_max;
        let room_max = self.config.broadcasts_per_second_max;
        let own = self.touch(now, session).ok_or(BroadcastError::NoSession(session))?;
        if !own.broadcasts.admits(now, user_max) {
            return Err(BroadcastError::UserTooOften { per_second_max: user_max });
        }
        let from = own.entry();
        if !self.messages.broadcasts.admits(now, room_max) {
            return Err(BroadcastError::RoomTooOften { per_second_max: room_max });
        }
        self.messages.broadcasts.take(now);
        if let Some(own) = self.sessions.get_mut(&session) {
            own.broadcasts.take(now);
        }
        Ok(self.tell_broadcast(now, from, text))
    }

    /// SendBroadcastMessage: as [`Room::broadcast`], in somebody's name and without its limits.
    pub fn broadcast_for_backend(
        &mut self,
        now: UnixMillis,
        sender: BackendSender,
        text: MessageText,
    ) -> MessageId {
        let from = self.sender_entry(sender);
        self.tell_broadcast(now, from, text)
    }

    /// A user says something to all others that need not reach each of them.
    ///
    /// # Errors
    /// [`BarrageError`], each variant as it says.
    pub fn barrage(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        text: MessageText,
    ) -> Result<BarrageId, BarrageError> {
        let per_second_max = self.config.barrages_per_second_max;
        let own = self.touch(now, session).ok_or(BarrageError::NoSession(session))?;
        let from = own.entry();
        if !self.messages.barrages.admits(now, per_second_max) {
            return Err(BarrageError::TooOften { per_second_max });
        }
        self.messages.barrages.take(now);
        Ok(self.tell_barrage(now, from, MessageCategory::Chat, text))
    }

    /// SendBarrageMessage: as [`Room::barrage`], in somebody's name and without its limit.
    pub fn barrage_for_backend(
        &mut self,
        now: UnixMillis,
        sender: BackendSender,
        category: MessageCategory,
        text: MessageText,
    ) -> BarrageId {
        let from = self.sender_entry(sender);
        self.tell_barrage(now, from, category, text)
    }

    /// A user sends a command to some others or all, reliably.
    ///
    /// # Errors
    /// [`SendCommandError`], each variant as it says. Targets who are not in the room are no
    /// error.
    pub fn send_command(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        targets: CommandTargets,
        text: MessageText,
    ) -> Result<CommandSent, SendCommandError> {
        let command_targets_max = self.config.command_targets_max;
        let is_narrow = targets.is_narrow();
        let per_second_max = match is_narrow {
            true => self.config.commands_per_second_max,
            false => self.config.wide_commands_per_second_max,
        };
        let own = self.touch(now, session).ok_or(SendCommandError::NoSession(session))?;
        let from = own.entry();
        if matches!(&targets, CommandTargets::Users(users) if users.len() > command_targets_max) {
            return Err(SendCommandError::TooManyTargets { command_targets_max });
        }
        let window = match is_narrow {
            true => &mut self.messages.commands,
            false => &mut self.messages.wide_commands,
        };
        if !window.admits(now, per_second_max) {
            return Err(SendCommandError::TooOften { per_second_max });
        }
        window.take(now);
        Ok(self.tell_command(from, targets, text))
    }

    /// SendCustomCommand: as [`Room::send_command`], in somebody's name and without its limits.
    pub fn send_command_for_backend(
        &mut self,
        sender: BackendSender,
        targets: CommandTargets,
        text: MessageText,
    ) -> CommandSent {
        let from = self.sender_entry(sender);
        self.tell_command(from, targets, text)
    }

    fn sender_entry(&self, sender: BackendSender) -> UserEntry {
        let BackendSender { user, name } = sender;
        let in_room = self.users.get(&user).and_then(|id| self.sessions.get(id));
        let name = name.or_else(|| in_room.map(|session| session.name.clone()));
        let nameless = || UserName::parse("").expect("a name may be empty");
        UserEntry { user, name: name.unwrap_or_else(nameless) }
    }

    fn tell_broadcast(&mut self, now: UnixMillis, from: UserEntry, text: MessageText) -> MessageId {
        let id = MessageId(self.messages.next_number());
        let sender = from.user.clone();
        let notice = Notice::BroadcastMessage { id, from, text, sent_at: now };
        self.tell_all(notice, |session| session.user != sender);
        id
    }

    fn tell_barrage(
        &mut self,
        now: UnixMillis,
        from: UserEntry,
        category: MessageCategory,
        text: MessageText,
    ) -> BarrageId {
        let number = self.messages.next_number();
        let id = BarrageId { category, sent_at: now, number };
        let sender = from.user.clone();
        let notice = Notice::BarrageMessage { id, from, text };
        self.tell_all_unnumbered(notice, |session| session.user != sender);
        id
    }

    fn tell_command(
        &mut self,
        from: UserEntry,
        targets: CommandTargets,
        text: MessageText,
    ) -> CommandSent {
        let sender = from.user.clone();
        let notice = Notice::CustomCommand { from, text };
        match targets {
            CommandTargets::Everyone => {
                let reached = self.tell_all(notice, |session| session.user != sender);
                CommandSent { reached, offline: Vec::new() }
            }
            CommandTargets::Users(users) => {
                let mut seen = BTreeSet::new();
                let users = users.into_iter().filter(|user| seen.insert(user.clone()));
                let (here, offline): (Vec<UserId>, Vec<UserId>) =
                    users.partition(|user| self.users.contains_key(user));
                let here = here.iter().filter(|user| **user != sender);
                let sessions: BTreeSet<SessionId> =
                    here.filter_map(|user| self.users.get(user).copied()).collect();
                let reached = self.tell_these(notice, &sessions);
                CommandSent { reached, offline }
            }
        }
    }
}
