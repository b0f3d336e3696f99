//! What is unique in one AppId: a user has one session, a stream's id lies in one room (ruling 16).
//!
//! The owner locks an `App` for single calls only; it holds nothing but maps: who has what, and the
//! app's [`Rules`].
//!
//! **A login**, so that two rooms may race for one user:
//! 1. [`App::reserve_user`] with a new session id. It names the session that the user has now, if
//!    any.
//! 2. If that session is in another room: [`crate::Room::evict`] there; its
//!    [`crate::Output::ReleaseUser`] frees the claim. In the same room the login itself ends it.
//! 3. On the room's worker, in one step: [`App::commit_user`], then [`crate::Room::login`]. A
//!    commit is refused when somebody reserved later, or while the user is still elsewhere.
//! 4. A login that fails after step 1, wherever: [`App::release_user`] with the new session id.
//!
//! **A stream** is reserved and committed by the room inside `start_publishing` and `add_stream`,
//! and released by [`crate::Output::ReleaseStream`].

use odeum_types::{RoomId, RoomSessionId, SessionId, StreamId, UnixMillis, UserId};
use rustc_hash::FxHashMap;

use crate::rules::Rules;

/// The claims of one AppId. Memory grows with users logged in and streams known, both of which are
/// limited by the rooms.
#[derive(Debug, Default)]
pub struct App {
    /// One entry per user who is logged in or about to be.
    users: FxHashMap<UserId, UserClaim>,
    /// Where a stream id lies.
    streams: FxHashMap<StreamId, StreamHolder>,
    /// What is forbidden to whom.
    rules: Rules,
}

/// The one room in which a stream id lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHolder {
    /// The room.
    pub room: RoomId,
    /// This life of it.
    pub room_session: RoomSessionId,
}

/// Who a user is: the session that holds the name, and the one that is about to.
#[derive(Debug, Default)]
struct UserClaim {
    /// The one holder.
    committed: Option<Holder>,
    /// The last one who asked to become it.
    reserved: Option<Holder>,
}

/// A session and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    /// The session.
    session: SessionId,
    /// Its room.
    room: RoomId,
    /// When its login began.
    since: UnixMillis,
}

/// The session that a reservation will take the user from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superseded {
    /// The older session.
    pub session: SessionId,
    /// The room that it is in.
    pub room: RoomId,
}

/// Why a reserved user could not be committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitUserError {
    /// Another login of the same user came later, or the reservation was released.
    #[error("session {0} no longer has the reservation")]
    Lost(SessionId),
    /// The user's older session has not left its room yet.
    #[error("the user is still in room {room} with session {session}")]
    StillElsewhere {
        /// The older session.
        session: SessionId,
        /// The room that it must leave first.
        room: RoomId,
    },
}

/// The stream id lies in another room of the AppId.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stream {0} is taken")]
pub struct StreamTaken(pub StreamId);

impl App {
    /// An app without users and streams.
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces at `now` that `session` is about to log `user` in to `room`. A reservation that
    /// was there before is overtaken: its commit will fail. Returns the session that holds the user
    /// now, which has to leave before the commit if it is in another room.
    pub fn reserve_user(
        &mut self,
        user: &UserId,
        session: SessionId,
        room: &RoomId,
        now: UnixMillis,
    ) -> Option<Superseded> {
        let claim = self.users.entry(user.clone()).or_default();
        claim.reserved = Some(Holder { session, room: room.clone(), since: now });
        let holder = claim.committed.as_ref()?;
        Some(Superseded { session: holder.session, room: holder.room.clone() })
    }

    /// Makes the reservation of `session` the user's one claim. Call it directly before the room's
    /// login.
    ///
    /// # Errors
    /// [`CommitUserError::Lost`] or [`CommitUserError::StillElsewhere`]; nothing changes then.
    pub fn commit_user(
        &mut self,
        user: &UserId,
        session: SessionId,
    ) -> Result<(), CommitUserError> {
        let claim = self.users.get_mut(user).ok_or(CommitUserError::Lost(session))?;
        let reserved = match claim.reserved.take() {
            Some(reserved) if reserved.session == session => reserved,
            other => {
                claim.reserved = other;
                return Err(CommitUserError::Lost(session));
            }
        };
        match &claim.committed {
            Some(holder) if holder.room != reserved.room => {
                let error = CommitUserError::StillElsewhere {
                    session: holder.session,
                    room: holder.room.clone(),
                };
                claim.reserved = Some(reserved);
                Err(error)
            }
            Some(_) | None => {
                claim.committed = Some(reserved);
                Ok(())
            }
        }
    }

    /// Gives up whatever `session` holds of `user`, claim or reservation. Another session's is left
    /// alone, so a late release does no harm.
    pub fn release_user(&mut self, user: &UserId, session: SessionId) {
        let Some(claim) = self.users.get_mut(user) else { return };
        claim.committed.take_if(|holder| holder.session == session);
        claim.reserved.take_if(|holder| holder.session == session);
        if claim.committed.is_none() && claim.reserved.is_none() {
            self.users.remove(user);
        }
    }

    /// The session that holds `user`, if any.
    pub fn user_session(&self, user: &UserId) -> Option<SessionId> {
        Some(self.users.get(user)?.committed.as_ref()?.session)
    }

    /// When the login of the session that holds `user` began.
    pub fn user_session_since(&self, user: &UserId) -> Option<UnixMillis> {
        Some(self.users.get(user)?.committed.as_ref()?.since)
    }

    /// Claims `stream` for a room's life. Asking again for what that room holds succeeds: inside a
    /// room the room decides. The caller holds the room as well, so the reservation needs no
    /// second step.
    ///
    /// # Errors
    /// [`StreamTaken`] when another room has it.
    pub fn reserve_stream(
        &mut self,
        stream: &StreamId,
        room: &RoomId,
        room_session: RoomSessionId,
    ) -> Result<(), StreamTaken> {
        match self.streams.get(stream) {
            Some(holder) if holder.room_session != room_session => Err(StreamTaken(stream.clone())),
            Some(_) => Ok(()),
            None => {
                let holder = StreamHolder { room: room.clone(), room_session };
                self.streams.insert(stream.clone(), holder);
                Ok(())
            }
        }
    }

    /// Gives `stream` back if `room` holds it.
    pub fn release_stream(&mut self, stream: &StreamId, room: RoomSessionId) {
        if self.streams.get(stream).is_some_and(|holder| holder.room_session == room) {
            self.streams.remove(stream);
        }
    }

    /// Gives every stream back that `room` holds: for a room that broke down and can no longer say
    /// which. Looks at all claims of the app.
    pub fn release_room_streams(&mut self, room: RoomSessionId) {
        self.streams.retain(|_, holder| holder.room_session != room);
    }

    /// Where `stream` lies, if anywhere.
    pub fn stream_holder(&self, stream: &StreamId) -> Option<&StreamHolder> {
        self.streams.get(stream)
    }

    /// The room life that holds `stream`, if any.
    pub fn stream_room(&self, stream: &StreamId) -> Option<RoomSessionId> {
        Some(self.streams.get(stream)?.room_session)
    }

    /// What is forbidden to whom.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// For whoever changes the rules, one change at a time.
    pub fn rules_mut(&mut self) -> &mut Rules {
        &mut self.rules
    }

    /// Users with a claim or a reservation.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// Streams claimed.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: SessionId = SessionId(1);
    const SECOND: SessionId = SessionId(2);
    const THIRD: SessionId = SessionId(3);
    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn user() -> UserId {
        UserId::parse("ann").unwrap()
    }

    fn room(text: &str) -> RoomId {
        RoomId::parse(text).unwrap()
    }

    fn logged_in() -> App {
        let mut app = App::new();
        assert_eq!(app.reserve_user(&user(), FIRST, &room("a"), NOW), None);
        app.commit_user(&user(), FIRST).unwrap();
        app
    }

    #[test]
    fn a_reservation_alone_holds_nothing() {
        let mut app = App::new();
        assert_eq!(app.reserve_user(&user(), FIRST, &room("a"), NOW), None);
        assert_eq!(app.user_session(&user()), None);
        app.release_user(&user(), FIRST);
        assert_eq!(app.user_count(), 0);
    }

    #[test]
    fn of_two_logins_that_race_the_later_reservation_wins() {
        let mut app = App::new();
        app.reserve_user(&user(), FIRST, &room("a"), NOW);
        assert_eq!(app.reserve_user(&user(), SECOND, &room("b"), NOW), None);
        assert_eq!(app.commit_user(&user(), FIRST), Err(CommitUserError::Lost(FIRST)));
        app.release_user(&user(), FIRST);
        assert_eq!(app.commit_user(&user(), SECOND), Ok(()));
        assert_eq!(app.user_session(&user()), Some(SECOND));
    }

    #[test]
    fn a_user_in_another_room_has_to_leave_it_first() {
        let mut app = logged_in();
        let superseded = Superseded { session: FIRST, room: room("a") };
        assert_eq!(app.reserve_user(&user(), SECOND, &room("b"), NOW), Some(superseded));
        let elsewhere = CommitUserError::StillElsewhere { session: FIRST, room: room("a") };
        assert_eq!(app.commit_user(&user(), SECOND), Err(elsewhere));
        app.release_user(&user(), FIRST);
        assert_eq!(app.commit_user(&user(), SECOND), Ok(()));
    }

    #[test]
    fn in_the_same_room_the_claim_passes_over_and_the_late_release_does_no_harm() {
        let mut app = logged_in();
        app.reserve_user(&user(), SECOND, &room("a"), NOW);
        assert_eq!(app.commit_user(&user(), SECOND), Ok(()));
        app.release_user(&user(), FIRST);
        assert_eq!(app.user_session(&user()), Some(SECOND));
    }

    #[test]
    fn a_session_is_since_its_login_began_and_not_the_one_before() {
        let mut app = logged_in();
        assert_eq!(app.user_session_since(&user()), Some(NOW));
        app.reserve_user(&user(), SECOND, &room("a"), UnixMillis(NOW.0 + 5));
        assert_eq!(app.user_session_since(&user()), Some(NOW));
        app.commit_user(&user(), SECOND).unwrap();
        assert_eq!(app.user_session_since(&user()), Some(UnixMillis(NOW.0 + 5)));
    }

    #[test]
    fn a_login_that_fails_leaves_the_older_claim() {
        let mut app = logged_in();
        app.reserve_user(&user(), SECOND, &room("b"), NOW);
        app.release_user(&user(), SECOND);
        assert_eq!(app.commit_user(&user(), SECOND), Err(CommitUserError::Lost(SECOND)));
        let superseded = Superseded { session: FIRST, room: room("a") };
        assert_eq!(app.reserve_user(&user(), THIRD, &room("b"), NOW), Some(superseded));
    }

    #[test]
    fn a_stream_lies_in_one_room() {
        let stream = StreamId::parse("cam").unwrap();
        let (one, other) = (RoomSessionId(1), RoomSessionId(2));
        let mut app = App::new();
        assert_eq!(app.reserve_stream(&stream, &room("a"), one), Ok(()));
        assert_eq!(app.reserve_stream(&stream, &room("a"), one), Ok(()));
        assert_eq!(
            app.reserve_stream(&stream, &room("b"), other),
            Err(StreamTaken(stream.clone()))
        );
        app.release_stream(&stream, other);
        assert_eq!(app.stream_room(&stream), Some(one));
        app.release_stream(&stream, one);
        assert_eq!(app.reserve_stream(&stream, &room("b"), other), Ok(()));
        assert_eq!(app.stream_count(), 1);
    }
}
