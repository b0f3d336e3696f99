//! Leaving: the one way in which every session ends, whatever the reason, and what ends with it.

use std::sync::Arc;

use odeum_types::{SessionId, StreamId, UnixMillis};

use crate::event::{EventKind, LeaveReason, RoomCloseReason, StreamCloseReason, UserFacts};
use crate::notice::{KickoutReason, Notice, PlayEndReason, StreamDeleteReason};
use crate::output::{DisconnectReason, Output};
use crate::room::{Life, Room};
use crate::session::Session;
use crate::snapshot::StreamEntry;

/// Who is told of a departure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everyone who stays.
    Others,
    /// Nobody, for nobody stays.
    Nobody,
}

/// What becomes of the user whose session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UserAfter {
    /// It leaves the room, and streams added in its name with it.
    Leaves,
    /// Its next session is about to be inserted.
    Stays,
}

/// Why a session is taken out by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvictReason {
    /// The same user is logging in to another room (ruling 18).
    DuplicateLogin,
}

/// Why a session could not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaveError {
    /// It is not in the room, or not any more.
    #[error("session {0} is not in the room")]
    NoSession(SessionId),
}

impl Room {
    /// The client logs out; no kickout, and its connection stays with the owner.
    ///
    /// # Errors
    /// [`LeaveError::NoSession`].
    pub fn logout(&mut self, now: UnixMillis, session: SessionId) -> Result<(), LeaveError> {
        self.contains(session)?;
        self.leave(now, session, LeaveReason::LoggedOut, "", Audience::Others);
        Ok(())
    }

    /// Takes a session out because of something outside the room.
    ///
    /// # Errors
    /// [`LeaveError::NoSession`]: it left by itself meanwhile, which is as good.
    pub fn evict(
        &mut self,
        now: UnixMillis,
        session: SessionId,
        reason: EvictReason,
    ) -> Result<(), LeaveError> {
        self.contains(session)?;
        let reason = match reason {
            EvictReason::DuplicateLogin => LeaveReason::LoggedInElsewhere,
        };
        self.leave(now, session, reason, "", Audience::Others);
        Ok(())
    }

    /// Ends a session and its user's presence, and the room if nobody is left.
    pub(crate) fn leave(
        &mut self,
        now: UnixMillis,
        id: SessionId,
        reason: LeaveReason,
        custom_reason: &str,
        audience: Audience,
    ) {
        let Some(session) =
            self.end_session(now, id, reason, custom_reason, audience, UserAfter::Leaves)
        else {
            return;
        };
        if audience == Audience::Others {
            self.announce_logout(now, session.user, session.name);
            if self.sessions.is_empty() {
                self.end_life(now, Some(room_close_reason(reason)));
            }
        }
    }

    /// Ends the older session of a user who logs in again in this room.
    pub(crate) fn supersede(&mut self, now: UnixMillis, id: SessionId) {
        let reason = LeaveReason::LoggedInElsewhere;
        self.end_session(now, id, reason, "", Audience::Others, UserAfter::Stays);
    }

    /// Ends the room's life; server-added streams end with it, silently.
    pub(crate) fn end_life(&mut self, now: UnixMillis, reason: Option<RoomCloseReason>) {
        self.life = Life::Over;
        self.announced = None;
        self.user_count_notice.due = None;
        for (_, stream) in std::mem::take(&mut self.listed) {
            self.streams.remove(&stream);
            self.release_stream(stream);
        }
        self.added.clear();
        if let Some(reason) = reason {
            self.event(now, EventKind::RoomClose { reason });
        }
    }

    pub(crate) fn user_facts(&self, session: &Session) -> UserFacts {
        UserFacts {
            user: session.user.clone(),
            name: session.name.clone(),
            session: session.id,
            login_at: session.order.login_at,
            user_sequence: self.user_sequence,
        }
    }

    pub(crate) fn contains(&self, session: SessionId) -> Result<(), LeaveError> {
        if self.sessions.contains_key(&session) {
            return Ok(());
        }
        Err(LeaveError::NoSession(session))
    }

    /// Order matters: the client is told first; then its streams leave the list, then the user.
    fn end_session(
        &mut self,
        now: UnixMillis,
        id: SessionId,
        reason: LeaveReason,
        custom_reason: &str,
        audience: Audience,
        user_after: UserAfter,
    ) -> Option<Session> {
        self.kick_out(id, reason, custom_reason);
        let mut session = self.sessions.remove(&id)?;
        self.users.remove(&session.user);
        self.login_order.remove(&session.order);
        for (stream, play) in std::mem::take(&mut session.plays) {
            self.close_peer(play.peer);
            if let Some(stream) = self.streams.get_mut(&stream) {
                stream.players.remove(&id);
            }
        }
        let gone = self.end_streams_of(now, &session, reason, user_after);
        if audience == Audience::Others {
            self.tell_streams_deleted(gone, stream_delete_reason(reason));
        }
        self.user_sequence += 1;
        let user = self.user_facts(&session);
        self.event(now, EventKind::RoomLogout { user, reason });
        self.outputs.push_back(Output::ReleaseUser { user: session.user.clone(), session: id });
        Some(session)
    }

    /// Tells the client that its session is over, unless it asked for that.
    pub(crate) fn kick_out(&mut self, id: SessionId, reason: LeaveReason, custom_reason: &str) {
        let Some(reason) = kickout_reason(reason) else { return };
        let Some(session) = self.sessions.get(&id) else { return };
        let Some(connection) = session.connection else { return };
        self.tell(id, Notice::Kickout { reason, custom_reason: Arc::from(custom_reason) });
        let reason = DisconnectReason::SessionEnded;
        self.outputs.push_back(Output::Disconnect { session: id, connection, reason });
        if let Some(session) = self.sessions.get_mut(&id) {
            session.connection = None;
        }
    }

    /// Ends what the session publishes and, if its user leaves, what was added in its name. Returns
    /// what left the list.
    fn end_streams_of(
        &mut self,
        now: UnixMillis,
        session: &Session,
        reason: LeaveReason,
        user_after: UserAfter,
    ) -> Vec<StreamEntry> {
        let close = stream_close_reason(reason);
        let published = session.publications.iter();
        let mut gone: Vec<StreamEntry> = published
            .filter_map(|id| self.end_publication(now, id, close, PlayEndReason::PublisherGone))
            .collect();
        if user_after == UserAfter::Leaves {
            let added: Vec<StreamId> = self.added_by(&session.user);
            gone.extend(added.iter().filter_map(|id| self.remove_added(id)));
        }
        gone
    }
}

fn kickout_reason(reason: LeaveReason) -> Option<KickoutReason> {
    match reason {
        LeaveReason::LoggedOut => None,
        LeaveReason::HeartbeatTimeout => Some(KickoutReason::HeartbeatTimeout),
        LeaveReason::ServerClosing => Some(KickoutReason::ServerClosing),
        LeaveReason::LoggedInElsewhere => Some(KickoutReason::LoggedInElsewhere),
        LeaveReason::Kicked => Some(KickoutReason::Kicked),
        LeaveReason::RoomClosed => Some(KickoutReason::RoomClosed),
        LeaveReason::TokenExpired => Some(KickoutReason::TokenExpired),
    }
}

fn stream_delete_reason(reason: LeaveReason) -> StreamDeleteReason {
    match reason {
        LeaveReason::LoggedOut => StreamDeleteReason::Stopped,
        LeaveReason::HeartbeatTimeout => StreamDeleteReason::HeartbeatTimeout,
        LeaveReason::ServerClosing => StreamDeleteReason::MediaLost,
        LeaveReason::LoggedInElsewhere => StreamDeleteReason::LoggedInElsewhere,
        LeaveReason::Kicked | LeaveReason::RoomClosed | LeaveReason::TokenExpired => {
            StreamDeleteReason::Kicked
        }
    }
}

fn stream_close_reason(reason: LeaveReason) -> StreamCloseReason {
    match reason {
        LeaveReason::LoggedOut => StreamCloseReason::Stopped,
        LeaveReason::HeartbeatTimeout => StreamCloseReason::HeartbeatTimeout,
        LeaveReason::ServerClosing => StreamCloseReason::ServerClosing,
        LeaveReason::LoggedInElsewhere => StreamCloseReason::LoggedInElsewhere,
        LeaveReason::Kicked | LeaveReason::TokenExpired => StreamCloseReason::Kicked,
        LeaveReason::RoomClosed => StreamCloseReason::RoomClosed,
    }
}

fn room_close_reason(reason: LeaveReason) -> RoomCloseReason {
    match reason {
        LeaveReason::LoggedOut | LeaveReason::LoggedInElsewhere => RoomCloseReason::LastLeft,
        LeaveReason::HeartbeatTimeout => RoomCloseReason::LastTimedOut,
        LeaveReason::ServerClosing => RoomCloseReason::ServerClosing,
        LeaveReason::Kicked | LeaveReason::TokenExpired => RoomCloseReason::LastKicked,
        LeaveReason::RoomClosed => RoomCloseReason::Closed,
    }
}
