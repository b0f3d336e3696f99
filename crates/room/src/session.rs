//! One login of a user: its connection, its publications and plays, and how it is told something.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use odeum_types::{PeerId, SessionId, StreamId, UnixMillis, UserId, UserName};

use crate::config::RoomConfig;
use crate::list::UserListMarker;
use crate::login::UserUpdate;
use crate::notice::Notice;
use crate::outbox::Outbox;
use crate::output::{ConnectionId, Output};
use crate::rate::RateWindow;
use crate::resume::ResumeSecret;
use crate::room::Room;
use crate::snapshot::{TransportState, UserEntry};

/// A user's presence in the room.
#[derive(Debug)]
pub(crate) struct Session {
    /// Who this is.
    pub(crate) id: SessionId,
    /// Whose.
    pub(crate) user: UserId,
    /// What the user is called.
    pub(crate) name: UserName,
    /// Whether it wants to hear of users.
    pub(crate) user_update: UserUpdate,
    /// Login time and place in the user list.
    pub(crate) order: UserListMarker,
    /// The WebSocket, while there is one.
    pub(crate) connection: Option<ConnectionId>,
    /// Resumes the session.
    pub(crate) secret: ResumeSecret,
    /// Given out at the last resumption and not yet seen to have arrived: the reply may have been
    /// lost, so both work until the client is heard.
    pub(crate) secret_unconfirmed: Option<ResumeSecret>,
    /// When the client was last heard.
    pub(crate) heard_at: UnixMillis,
    /// The token's life, if it ends.
    pub(crate) token: Option<Token>,
    /// The session's one valid entry in the room's timers.
    pub(crate) timer: Option<UnixMillis>,
    /// Notices that the client may not have.
    pub(crate) outbox: Outbox,
    /// How many users the client believes the room to have.
    pub(crate) user_count_told: usize,
    /// Messages that it broadcast.
    pub(crate) broadcasts: RateWindow,
    /// Extra infos of streams that it set.
    pub(crate) stream_extra_infos: RateWindow,
    /// Streams that it publishes, in the order in which it began.
    pub(crate) publications: Vec<StreamId>,
    /// Streams that it plays.
    pub(crate) plays: BTreeMap<StreamId, Play>,
}

/// How long a token is good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    /// When it expires.
    pub(crate) expires_at: UnixMillis,
    /// Whether the client was told that this is near.
    pub(crate) warned: bool,
}

/// A stream on its way to one session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Play {
    /// The transport to the player.
    pub(crate) peer: PeerId,
    /// Whether it carries media.
    pub(crate) state: TransportState,
}

impl Token {
    pub(crate) fn new(expires_at: UnixMillis) -> Self {
        Self { expires_at, warned: false }
    }

    pub(crate) fn warning_at(&self, config: &RoomConfig) -> UnixMillis {
        UnixMillis(self.expires_at.0.saturating_sub(config.token_warning.as_millis() as u64))
    }
}

impl Session {
    /// When the session has to be looked at next.
    pub(crate) fn deadline(&self, config: &RoomConfig) -> UnixMillis {
        let silence = self.heard_at.after(config.heartbeat_timeout);
        let token = self.token.as_ref().and_then(|token| {
            if !token.warned {
                Some(token.warning_at(config))
            } else if config.kick_on_token_expiry {
                Some(token.expires_at)
            } else {
                None
            }
        });
        token.map_or(silence, |token| token.min(silence))
    }

    /// The user as others are told of it.
    pub(crate) fn entry(&self) -> UserEntry {
        UserEntry { user: self.user.clone(), name: self.name.clone() }
    }

    /// Numbers a notice and, if the client is connected, sends it.
    pub(crate) fn send(
        &mut self,
        notice: &Arc<Notice>,
        bytes: usize,
        config: &RoomConfig,
        outputs: &mut VecDeque<Output>,
    ) {
        let sequence = self.outbox.push(Arc::clone(notice), bytes, config);
        if let Some(connection) = self.connection {
            let notice = Arc::clone(notice);
            outputs.push_back(Output::Send { session: self.id, connection, sequence, notice });
        }
    }
}

impl Room {
    /// Tells one session.
    pub(crate) fn tell(&mut self, id: SessionId, notice: Notice) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let bytes = notice.bytes_estimate();
        session.send(&Arc::new(notice), bytes, &self.config, &mut self.outputs);
    }

    /// Tells every session that `who` picks; the notice is made once. Returns how many that are.
    pub(crate) fn tell_all(&mut self, notice: Notice, who: impl Fn(&Session) -> bool) -> usize {
        let bytes = notice.bytes_estimate();
        let notice = Arc::new(notice);
        let mut told = 0;
        for session in self.sessions.values_mut().filter(|session| who(session)) {
            session.send(&notice, bytes, &self.config, &mut self.outputs);
            told += 1;
        }
        told
    }

    /// Tells these sessions, in the order of all notices. Returns how many of them there are.
    pub(crate) fn tell_these(&mut self, notice: Notice, ids: &BTreeSet<SessionId>) -> usize {
        let bytes = notice.bytes_estimate();
        let notice = Arc::new(notice);
        let mut told = 0;
        for id in ids {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            session.send(&notice, bytes, &self.config, &mut self.outputs);
            told += 1;
        }
        told
    }

    /// Tells every connected session that `who` picks, without a number: it may be lost.
    pub(crate) fn tell_all_unnumbered(&mut self, notice: Notice, who: impl Fn(&Session) -> bool) {
        let notice = Arc::new(notice);
        for session in self.sessions.values().filter(|session| who(session)) {
            let Some(connection) = session.connection else { continue };
            let notice = Arc::clone(&notice);
            self.outputs.push_back(Output::SendUnnumbered {
                session: session.id,
                connection,
                notice,
            });
        }
    }

    /// The client was heard: its silence begins anew.
    pub(crate) fn touch(&mut self, now: UnixMillis, id: SessionId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(&id)?;
        session.heard_at = session.heard_at.max(now);
        Some(session)
    }
}
