//! What the tests make again and again: apps, events, callbacks.

use std::collections::BTreeMap;
use std::sync::Arc;

use odeum_callback::{AppCallbacks, RetryPlan, Settings};
use odeum_room::{
    AuthLevel, Event, EventKind, LeaveReason, Relogin, RoomCloseReason, Terminal, UserFacts,
};
use odeum_store::{CallbackNumber, CallbackState, PendingCallback, Round};
use odeum_types::{
    AppId, Redacted, RoomId, RoomSessionId, SessionId, UnixMillis, UserId, UserName,
};

pub(crate) const APP: AppId = AppId(7);
pub(crate) const SECRET: &str = "callback-secret";
pub(crate) const START: UnixMillis = UnixMillis(1_795_400_000_000);

pub(crate) fn room(text: &str) -> RoomId {
    RoomId::parse(text).unwrap()
}

/// Apps with these URLs, retried by `retry`.
pub(crate) fn settings(urls: &[(AppId, &str)], retry: RetryPlan) -> Settings {
    let app = |url: &str| AppCallbacks {
        secret: Redacted::new(SECRET.to_owned()),
        url: Some(url.into()),
        urls: BTreeMap::new(),
        retry,
    };
    Settings { apps: urls.iter().map(|(id, url)| (*id, app(url))).collect() }
}

/// A callback that waits for its first attempt.
pub(crate) fn pending(number: u64, app: AppId, room_id: &str) -> PendingCallback {
    PendingCallback {
        number: CallbackNumber(number),
        round: Round::FIRST,
        app,
        room: room(room_id),
        event: Arc::from("room_login"),
        at: START,
        state: CallbackState::Pending,
        attempts: 0,
        first_attempt_at: None,
        next_at: None,
    }
}

/// The events of a user who comes and goes, the first and last of the room: create, login, logout,
/// close.
pub(crate) fn visit(room_id: &str, life: u64, session: u64) -> Vec<Event> {
    let user = |user_sequence| UserFacts {
        user: UserId::parse("ann").unwrap(),
        name: UserName::parse("Ann").unwrap(),
        session: SessionId(session),
        login_at: START,
        user_sequence,
    };
    let kinds = [
        EventKind::RoomCreate { creator: UserId::parse("ann").unwrap() },
        EventKind::RoomLogin {
            user: user(1),
            auth_level: AuthLevel::Token04,
            terminal: Terminal::Web,
            relogin: Relogin::First,
        },
        EventKind::RoomLogout { user: user(2), reason: LeaveReason::LoggedOut },
        EventKind::RoomClose { reason: RoomCloseReason::LastLeft },
    ];
    let room_session = RoomSessionId(life);
    let event = |kind| Event { app: APP, room: room(room_id), room_session, at: START, kind };
    kinds.into_iter().map(event).collect()
}
