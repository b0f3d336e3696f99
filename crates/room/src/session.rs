//! One login of a user: its connection, its numbered notices kept for resumption, its publications
//! and plays.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use odeum_types::{PeerId, SessionId, StreamId, UnixMillis, UserId, UserName};

use crate::config::RoomConfig;
use crate::list::UserListMarker;
use crate::login::UserUpdate;
use crate::notice::Notice;
use crate::output::{ConnectionId, Output};
use crate::resume::ResumeSecret;
use crate::room::Room;
use crate::snapshot::TransportState;

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

/// Numbered notices, kept until acknowledged or until the bound drops the oldest.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The number of the newest notice; 0 before the first.
    last: u64,
    /// The newest notices in order, the back one having number `last`.
    kept: VecDeque<Kept>,
    /// Sum of their estimates.
    bytes: usize,
}

/// A notice that may have to be sent again.
#[derive(Debug)]
struct Kept {
    notice: Arc<Notice>,
    bytes: usize,
}

impl Token {
    pub(crate) fn new(expires_at: UnixMillis) -> Self {
        Self { expires_at, warned: false }
    }

    pub(crate) fn warning_at(&self, config: &RoomConfig) -> UnixMillis {
        UnixMillis(self.expires_at.0.saturating_sub(config.token_warning.as_millis() as u64))
    }
}

impl Outbox {
    /// The number of the newest notice; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Numbers `notice` and keeps it, dropping the oldest ones beyond the bound.
    pub(crate) fn push(&mut self, notice: Arc<Notice>, bytes: usize, config: &RoomConfig) -> u64 {
        self.last += 1;
        self.kept.push_back(Kept { notice, bytes });
        self.bytes += bytes;
        while self.kept.len() > 1
            && (self.kept.len() > config.replay_messages_max
                || self.bytes > config.replay_bytes_max)
        {
            self.drop_oldest();
        }
        self.last
    }

    /// Forgets what the client has.
    pub(crate) fn acknowledge(&mut self, sequence: u64) {
        while !self.kept.is_empty() && self.first_kept() <= sequence {
            self.drop_oldest();
        }
    }

    /// The notices after `sequence`, numbered; `None` when the bound has dropped some of them.
    pub(crate) fn after(&self, sequence: u64) -> Option<Vec<(u64, Arc<Notice>)>> {
        let first = self.first_kept();
        if sequence + 1 < first {
            return None;
        }
        let numbered = self.kept.iter().zip(first..);
        Some(
            numbered
                .filter(|(_, number)| *number > sequence)
                .map(|(kept, number)| (number, Arc::clone(&kept.notice)))
                .collect(),
        )
    }

    /// The number of the oldest notice kept, or of the next one when none is.
    fn first_kept(&self) -> u64 {
        self.last + 1 - self.kept.len() as u64
    }

    fn drop_oldest(&mut self) {
        if let Some(kept) = self.kept.pop_front() {
            self.bytes -= kept.bytes;
        }
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

    /// Tells every session that `who` picks; the notice is made once.
    pub(crate) fn tell_all(&mut self, notice: Notice, who: impl Fn(&Session) -> bool) {
        let bytes = notice.bytes_estimate();
        let notice = Arc::new(notice);
        for session in self.sessions.values_mut().filter(|session| who(session)) {
            session.send(&notice, bytes, &self.config, &mut self.outputs);
        }
    }

    /// The client was heard: its silence begins anew.
    pub(crate) fn touch(&mut self, now: UnixMillis, id: SessionId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(&id)?;
        session.heard_at = session.heard_at.max(now);
        Some(session)
    }
}
