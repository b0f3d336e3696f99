//! Small facts that users attach: to the room, one key with its value, and to their own streams.
//! They last as long as what they are attached to, and newcomers get them in their snapshot.

use std::sync::Arc;

use odeum_types::{SessionId, StreamId, UnixMillis};

use crate::notice::Notice;
use crate::room::Room;
use crate::snapshot::UserEntry;

/// Longest key, bytes (ruling 24).
const KEY_BYTES_MAX: usize = 10;

/// Longest value, bytes (ruling 24).
const VALUE_BYTES_MAX: usize = 128;

/// The key of a room's extra info: 1 to 10 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraInfoKey(Arc<str>);

/// The value of a room's extra info: 0 to 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraInfoValue(Arc<str>);

/// Why a text is no key or no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExtraInfoTextError {
    /// The key has no characters.
    #[error("the key is empty")]
    KeyEmpty,
    /// Client code 1002015.
    #[error("the key is longer than {KEY_BYTES_MAX} bytes")]
    KeyTooLong,
    /// Client code 1002016.
    #[error("the value is longer than {VALUE_BYTES_MAX} bytes")]
    ValueTooLong,
}

/// A room's extra info; it has one at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomExtraInfo {
    /// Its name.
    pub key: ExtraInfoKey,
    /// What it says.
    pub value: ExtraInfoValue,
    /// Who set it last.
    pub updated_by: UserEntry,
    /// When.
    pub updated_at: UnixMillis,
}

/// Why a room's extra info was not set; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetRoomExtraInfoError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// Client code 1002017: the room has another key.
    #[error("the room has its one key already")]
    SecondKey,
    /// Client code 1109001: the room's users set it too often.
    #[error("a room's extra info may be set {per_second_max} times a second")]
    TooOften {
        /// The limit that was hit.
        per_second_max: usize,
    },
}

/// Why a stream's extra info was not set; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetStreamExtraInfoError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// The session does not publish it, or not any more.
    #[error("stream {0} is not published by this session")]
    NotPublishing(StreamId),
    /// Client code 1109001: the user sets it too often.
    #[error("one user may set {per_second_max} extra infos of streams a second")]
    TooOften {
        /// The limit that was hit.
        per_second_max: usize,
    },
}

impl ExtraInfoKey {
    /// Checks the length.
    ///
    /// # Errors
    /// [`ExtraInfoTextError::KeyEmpty`] or [`ExtraInfoTextError::KeyTooLong`].
    pub fn parse(text: &str) -> Result<Self, ExtraInfoTextError> {
        if text.is_empty() {
            return Err(ExtraInfoTextError::KeyEmpty);
        }
        if text.len() > KEY_BYTES_MAX {
            return Err(ExtraInfoTextError::KeyTooLong);
        }
        Ok(Self(text.into()))
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ExtraInfoValue {
    /// Checks the length.
    ///
    /// # Errors
    /// [`ExtraInfoTextError::ValueTooLong`].
    pub fn parse(text: &str) -> Result<Self, ExtraInfoTextError> {
        if text.len() > VALUE_BYTES_MAX {
            return Err(ExtraInfoTextError::ValueTooLong);
        }
        Ok(Self(text.into()))
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoomExtraInfo {
    pub(crate) fn bytes_estimate(&self) -> usize {
        self.key.0.len() + self.value.0.len() + self.updated_by.bytes_estimate()
    }
}

impl Room {
    /// Sets the room's extra info and tells everyone: a client whose reply was lost would else not
    /// know whether its own value or one that came before is the last.
    ///
    /// # Errors
    /// [`SetRoomExtraInfoError`], each variant as it says.
    pub fn set_extra_info(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        key: ExtraInfoKey,
        value: ExtraInfoValue,
    ) -> Result<(), SetRoomExtraInfoError> {
        let per_second_max = self.config.room_extra_infos_per_second_max;
        let own = self.touch(now, session).ok_or(SetRoomExtraInfoError::NoSession(session))?;
        let updated_by = own.entry();
        if self.extra_info.as_ref().is_some_and(|extra_info| extra_info.key != key) {
            return Err(SetRoomExtraInfoError::SecondKey);
        }
        if !self.extra_info_rate.admits(now, per_second_max) {
            return Err(SetRoomExtraInfoError::TooOften { per_second_max });
        }
        self.extra_info_rate.take(now);
        let extra_info = RoomExtraInfo { key, value, updated_by, updated_at: now };
        self.extra_info = Some(extra_info.clone());
        self.tell_all(Notice::RoomExtraInfo(extra_info), |_| true);
        Ok(())
    }

    /// Sets the extra info of a stream that the session publishes. The others are told once the
    /// stream is in the list; `extra_info` has at most 1,024 bytes.
    ///
    /// # Errors
    /// [`SetStreamExtraInfoError`], each variant as it says.
    pub fn set_stream_extra_info(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        id: &StreamId,
        extra_info: Arc<str>,
    ) -> Result<(), SetStreamExtraInfoError> {
        let per_second_max = self.config.stream_extra_infos_per_user_per_second_max;
        let own = self.touch(now, session).ok_or(SetStreamExtraInfoError::NoSession(session))?;
        let not_publishing = || SetStreamExtraInfoError::NotPublishing(id.clone());
        if !own.publications.contains(id) {
            return Err(not_publishing());
        }
        if !own.stream_extra_infos.admits(now, per_second_max) {
            return Err(SetStreamExtraInfoError::TooOften { per_second_max });
        }
        own.stream_extra_infos.take(now);
        let stream = self.streams.get_mut(id).ok_or_else(not_publishing)?;
        stream.extra_info = extra_info;
        if let Some(entry) = stream.entry(id) {
            let user = entry.user.clone();
            self.tell_all(Notice::StreamExtraInfo(entry), |other| other.user != user);
        }
        Ok(())
    }

    /// The room's extra info, if somebody has set it.
    pub fn extra_info(&self) -> Option<&RoomExtraInfo> {
        self.extra_info.as_ref()
    }
}
