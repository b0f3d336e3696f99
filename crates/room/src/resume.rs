//! A session's life between login and leaving: heartbeats, a lost socket, resumption (ruling 17), a
//! new token.

use std::fmt;

use odeum_types::{SessionId, UnixMillis, UserId};
use subtle::ConstantTimeEq;

use crate::notice::NumberedNotice;
use crate::output::{ConnectionId, DisconnectReason, Output};
use crate::room::Room;
use crate::session::Token;
use crate::snapshot::Snapshot;

/// 128 random bits that prove a resumption. Compared in constant time, never printed.
#[derive(Clone)]
pub struct ResumeSecret([u8; 16]);

/// A request to go on with a session over another connection.
#[derive(Debug, Clone)]
pub struct Resume {
    /// The session.
    pub session: SessionId,
    /// The user of the token that came along, checked anew.
    pub user: UserId,
    /// When that token expires, if it does.
    pub token_expires_at: Option<UnixMillis>,
    /// The secret given out last. The one before is good as well until the client is heard again,
    /// for the reply that carried the last one may have been lost.
    pub secret: ResumeSecret,
    /// The secret for the next time; 128 fresh random bits.
    pub new_secret: ResumeSecret,
    /// The new connection.
    pub connection: ConnectionId,
    /// The number of the last notice that the client has; 0 for none.
    pub last_sequence: u64,
}

/// A session that goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Resumed {
    /// Given when too much was missed to replay it; without it, what was missed follows as
    /// [`Output::Send`].
    pub catch_up: Option<CatchUp>,
}

/// What a client is given in place of the notices that it missed.
#[derive(Debug, Clone, PartialEq)]
pub struct CatchUp {
    /// The room as it is now.
    pub snapshot: Snapshot,
    /// The broadcasts and commands among what was missed, in order; numbered up to the snapshot's
    /// own number.
    pub messages: Vec<NumberedNotice>,
    /// How many older ones are lost, because more were missed than are kept
    /// ([`crate::RoomConfig::missed_messages_max`]): zero if none is, else at least one and at
    /// most this many, for the client may have had some before its connection was lost.
    pub messages_lost: u64,
}

/// Why a session does not resume; nothing changed. The client logs in anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// It ended, never was, or is another user's.
    #[error("the user has no session {0} in the room")]
    NoSession(SessionId),
    /// The secret is not the session's.
    #[error("session {0} has another secret")]
    WrongSecret(SessionId),
    /// The client claims a notice that it was never sent.
    #[error("session {session} has had {sent} notices, not {claimed}")]
    SequenceNeverSent {
        /// The session.
        session: SessionId,
        /// What the client claims.
        claimed: u64,
        /// The number of its newest notice.
        sent: u64,
    },
}

/// Why a heartbeat was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeartbeatError {
    /// The session ended; the client logs in anew.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
    /// The client acknowledges a notice that it was never sent; it was not heard.
    #[error("session {session} has had {sent} notices, not {claimed}")]
    SequenceNeverSent {
        /// The session.
        session: SessionId,
        /// What the client claims.
        claimed: u64,
        /// The number of its newest notice.
        sent: u64,
    },
}

/// Why a token was not renewed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenewTokenError {
    /// The session ended.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
}

impl ResumeSecret {
    /// A secret of these bits, which must be random.
    pub fn new(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// The bits, for the one reply that carries them.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for ResumeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Room {
    /// Goes on with a session over a new connection. The old connection, if the server still has
    /// it, is told to close; what was missed is sent again if it was kept, else the reply has a
    /// snapshot. The session's notices keep counting.
    ///
    /// # Errors
    /// [`ResumeError`], each variant as it says. Check the token before.
    pub fn resume(&mut self, now: UnixMillis, resume: Resume) -> Result<Resumed, ResumeError> {
        let id = resume.session;
        let session = self.sessions.get_mut(&id).filter(|session| session.user == resume.user);
        let session = session.ok_or(ResumeError::NoSession(id))?;
        let arrived = session.secret_unconfirmed.as_ref().filter(|own| own.matches(&resume.secret));
        if arrived.is_none() && !session.secret.matches(&resume.secret) {
            return Err(ResumeError::WrongSecret(id));
        }
        let sent = session.outbox.last();
        if resume.last_sequence > sent {
            let claimed = resume.last_sequence;
            return Err(ResumeError::SequenceNeverSent { session: id, claimed, sent });
        }
        if let Some(arrived) = arrived {
            session.secret = arrived.clone();
        }
        session.secret_unconfirmed = Some(resume.new_secret);
        session.heard_at = session.heard_at.max(now);
        session.token = resume.token_expires_at.map(Token::new);
        let connection = resume.connection;
        let old = session.connection.replace(connection).filter(|old| *old != connection);
        if let Some(connection) = old {
            let reason = DisconnectReason::Resumed;
            self.outputs.push_back(Output::Disconnect { session: id, connection, reason });
        }
        let missed = session.outbox.after(resume.last_sequence);
        self.schedule(id);
        let Some(missed) = missed else {
            return Ok(Resumed { catch_up: self.catch_up(id, resume.last_sequence) });
        };
        self.outputs.extend(missed.into_iter().map(|NumberedNotice { sequence, notice }| {
            Output::Send { session: id, connection, sequence, notice }
        }));
        Ok(Resumed { catch_up: None })
    }

    fn catch_up(&mut self, id: SessionId, last_sequence: u64) -> Option<CatchUp> {
        let snapshot = self.snapshot(id)?;
        let session = self.sessions.get_mut(&id)?;
        session.user_count_told = snapshot.user_count;
        let missed = session.outbox.messages_after(last_sequence);
        Some(CatchUp { snapshot, messages: missed.kept, messages_lost: missed.lost })
    }

    /// The WebSocket is gone. Nothing can be seen of that; notices are kept, and the heartbeat time
    /// runs. Of a connection that is not the session's any more: nothing happens.
    pub fn disconnected(&mut self, _now: UnixMillis, session: SessionId, connection: ConnectionId) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.connection.take_if(|own| *own == connection);
        }
    }

    /// The client lives and has every notice up to `last_sequence`. A lower number than before is a
    /// message that came late: the client was heard, no more.
    ///
    /// # Errors
    /// [`HeartbeatError`], each variant as it says.
    pub fn heartbeat(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        last_sequence: u64,
    ) -> Result<(), HeartbeatError> {
        let id = session;
        let session = self.sessions.get_mut(&id).ok_or(HeartbeatError::NoSession(id))?;
        let sent = session.outbox.last();
        if last_sequence > sent {
            let claimed = last_sequence;
            return Err(HeartbeatError::SequenceNeverSent { session: id, claimed, sent });
        }
        session.heard_at = session.heard_at.max(now);
        session.outbox.acknowledge(last_sequence);
        if let Some(arrived) = session.secret_unconfirmed.take() {
            session.secret = arrived;
        }
        Ok(())
    }

    /// The client has a new token, already checked; it will be warned anew.
    ///
    /// # Errors
    /// [`RenewTokenError::NoSession`].
    pub fn renew_token(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        expires_at: Option<UnixMillis>,
    ) -> Result<(), RenewTokenError> {
        let id = session;
        let session = self.touch(now, id).ok_or(RenewTokenError::NoSession(id))?;
        session.token = expires_at.map(Token::new);
        self.schedule(id);
        Ok(())
    }
}
