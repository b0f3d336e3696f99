//! When sessions fall due: heartbeat, token warning, token expiry; and when the room itself does.
//!
//! A heap with one valid entry per session. A heartbeat only moves the session's deadline; the
//! entry is put right when it comes up, so a room of thousands pays one heap operation per session
//! and timeout, not one per heartbeat.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use odeum_types::{SessionId, UnixMillis};

use crate::event::LeaveReason;
use crate::leave::Audience;
use crate::notice::Notice;
use crate::room::Room;

/// The heap. Entries of ended sessions stay until they come up, at most a heartbeat timeout later.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Earliest first; valid only while it equals the session's own `timer`.
    heap: BinaryHeap<Reverse<(UnixMillis, SessionId)>>,
}

/// What a session is due for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    TokenWarning,
    End(LeaveReason),
}

impl Room {
    /// When [`Room::handle_timeout`] wants to be called next; maybe earlier than needed, never
    /// later.
    pub fn poll_timeout(&self) -> Option<UnixMillis> {
        if self.sessions.is_empty() {
            return None;
        }
        let session = self.timers.heap.peek().map(|Reverse((at, _))| *at);
        let room = [self.user_count_notice.due, self.graces.next(), self.cuts.next()];
        session.into_iter().chain(room.into_iter().flatten()).min()
    }

    /// Times out silent sessions, warns of tokens about to expire, tells the count of users when it
    /// is time, gives back what stream rules have cut until now and, if configured, removes users
    /// whose token expired. Publications that were
    /// interrupted for too long end last: what a session's end explains is no loss of media.
    pub fn handle_timeout(&mut self, now: UnixMillis) {
        while let Some(Reverse((at, id))) = self.timers.heap.peek().copied() {
            if at > now {
                break;
            }
            self.timers.heap.pop();
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            if session.timer != Some(at) {
                continue;
            }
            session.timer = None;
            match self.due(now, id) {
                Due::Nothing => {}
                Due::TokenWarning => self.warn_of_token(now, id),
                Due::End(reason) => {
                    self.leave(now, id, reason, "", Audience::Others);
                    continue;
                }
            }
            self.schedule(id);
        }
        self.end_graces(now);
        self.end_cuts(now);
        self.user_count_timeout(now);
    }

    /// Makes sure that `id` comes up at its deadline or before.
    pub(crate) fn schedule(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let deadline = session.deadline(&self.config);
        if session.timer.is_some_and(|timer| timer <= deadline) {
            return;
        }
        session.timer = Some(deadline);
        self.timers.heap.push(Reverse((deadline, id)));
    }

    fn due(&self, now: UnixMillis, id: SessionId) -> Due {
        let Some(session) = self.sessions.get(&id) else { return Due::Nothing };
        if now >= session.heard_at.after(self.config.heartbeat_timeout) {
            return Due::End(LeaveReason::HeartbeatTimeout);
        }
        let Some(token) = &session.token else { return Due::Nothing };
        if self.config.kick_on_token_expiry && now >= token.expires_at {
            return Due::End(LeaveReason::TokenExpired);
        }
        if !token.warned && now >= token.warning_at(&self.config) {
            return Due::TokenWarning;
        }
        Due::Nothing
    }

    fn warn_of_token(&mut self, now: UnixMillis, id: SessionId) {
        let session = self.sessions.get_mut(&id);
        let Some(token) = session.and_then(|session| session.token.as_mut()) else { return };
        token.warned = true;
        let remaining = token.expires_at.since(now);
        self.tell(id, Notice::TokenWillExpire { remaining });
    }
}
