//! Logging in and out, kicking, resuming, closing down.

use std::time::Duration;

use odeum_node::{
    CloseReason, CommandError, LoggedIn, LoginFailed, NodeHandle, Outgoing, ResumeFailed,
    ResumeRequest,
};
use odeum_room::{
    EventKind, KickoutReason, LeaveReason, Notice, Relogin, ResumeError, RoomCloseNotice,
    RoomCloseReason,
};
use tracing::{Instrument, Span};

use crate::support::*;

/// The client is kicked out for `reason`, and its WebSocket closed for `close`.
async fn check_kicked_out(client: &mut LoggedIn, reason: KickoutReason, close: CloseReason) {
    loop {
        match outgoing(&mut client.inbox).await {
            Some(Outgoing::Notice { notice, .. }) => {
                let Notice::Kickout { reason: told, .. } = &*notice else { continue };
                assert_eq!(*told, reason);
                break;
            }
            other => panic!("a kickout comes before {other:?}"),
        }
    }
    assert_eq!(outgoing(&mut client.inbox).await, Some(Outgoing::Close { reason: close }));
    assert_eq!(outgoing(&mut client.inbox).await, None);
}

#[tokio::test]
async fn a_login_begins_the_room_and_a_logout_of_the_last_ends_it() {
    let mut node = start(config());
    let ada = node.login("lobby", "ada").await;
    assert_eq!(ada.snapshot.users.as_deref(), Some(&[][..]));
    assert!(matches!(node.event().await, EventKind::RoomCreate { .. }));
    assert!(matches!(node.event().await, EventKind::RoomLogin { relogin: Relogin::First, .. }));
    assert_eq!(node.users("lobby").await, Some(1));
    assert_eq!(node.handle.logout(&ada.session).await, Ok(Ok(())));
    assert!(matches!(
        node.event().await,
        EventKind::RoomLogout { reason: LeaveReason::LoggedOut, .. }
    ));
    assert!(matches!(node.event().await, EventKind::RoomClose { .. }));
    assert_eq!(node.users("lobby").await, None);
    let statistics = node.handle.statistics().await;
    assert_eq!((statistics.rooms, statistics.users, statistics.sessions), (0, 0, 0));
}

#[tokio::test]
async fn others_hear_of_a_login_in_order() {
    let node = start(config());
    let mut ada = node.login("lobby", "ada").await;
    for id in ["bob", "cy"] {
        node.login("lobby", id).await;
    }
    for (number, id) in [(1, "bob"), (2, "cy")] {
        let Some(Outgoing::Notice { sequence, notice }) = outgoing(&mut ada.inbox).await else {
            panic!("a notice comes");
        };
        let Notice::UserUpdate { users, .. } = &*notice else { panic!("a user came: {notice:?}") };
        assert_eq!((sequence, users[0].user.as_str()), (number, id));
    }
}

#[tokio::test]
async fn a_kicked_user_is_told_and_closed_and_the_empty_room_is_gone() {
    let mut node = start(config());
    let mut ada = node.login("lobby", "ada").await;
    let kicked = node
        .handle
        .command(APP, &room("lobby"), |now, room, _| room.kick_users(now, &[user("ada")], "out"))
        .await;
    assert_eq!(kicked, Ok(()));
    check_kicked_out(&mut ada, KickoutReason::Kicked, CloseReason::SessionOver).await;
    node.event_like(|event| matches!(event, EventKind::RoomClose { .. })).await;
    assert_eq!(node.users("lobby").await, None);
}

#[tokio::test]
async fn a_login_in_another_room_ends_the_session_in_the_first() {
    let mut node = start(config());
    // Many rooms, so that both workers are crossed both ways.
    let mut older = node.login("room-0", "ada").await;
    for number in 1..12 {
        let newer = node.login(&format!("room-{number}"), "ada").await;
        check_kicked_out(&mut older, KickoutReason::LoggedInElsewhere, CloseReason::SessionOver)
            .await;
        assert_eq!(node.users(&format!("room-{}", number - 1)).await, None);
        assert_eq!(node.users(&format!("room-{number}")).await, Some(1));
        older = newer;
    }
    node.event_like(|event| {
        matches!(event, EventKind::RoomLogout { reason: LeaveReason::LoggedInElsewhere, .. })
    })
    .await;
    let statistics = node.handle.statistics().await;
    assert_eq!((statistics.rooms, statistics.users, statistics.sessions), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_of_one_user_that_race_leave_one_session() {
    let node = start(config());
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let handle = node.handle.clone();
            tokio::spawn(async move {
                handle.login(APP, &room(&format!("room-{}", number % 4)), request("ada")).await
            })
        })
        .collect();
    let mut entered = 0;
    for task in tasks {
        entered += usize::from(task.await.unwrap().is_ok());
    }
    assert!(entered > 0, "at least the last one enters");
    let statistics = node.handle.statistics().await;
    assert_eq!((statistics.users, statistics.sessions, statistics.rooms), (1, 1, 1));
}

#[tokio::test]
async fn the_same_room_again_takes_the_session_over() {
    let node = start(config());
    let mut older = node.login("lobby", "ada").await;
    let newer = node.login("lobby", "ada").await;
    check_kicked_out(&mut older, KickoutReason::LoggedInElsewhere, CloseReason::SessionOver).await;
    assert_eq!(node.users("lobby").await, Some(1));
    // The late end of the older WebSocket is nothing to the newer session.
    node.handle.disconnected(&older.session).await;
    assert_eq!(node.handle.heartbeat(&newer.session, 0).await, Ok(Ok(())));
}

#[tokio::test]
async fn a_lost_connection_resumes_with_what_it_missed() {
    let node = start(config());
    let ada = node.login("lobby", "ada").await;
    let secret = ada.resume_secret.clone();
    let id = ada.session.session;
    node.handle.disconnected(&ada.session).await;
    drop(ada.inbox);
    node.login("lobby", "bob").await;
    let resume = |secret| ResumeRequest {
        session: id,
        user: user("ada"),
        secret,
        last_sequence: 0,
        token_expires_at: None,
    };
    let wrong = resume(odeum_room::ResumeSecret::new([0; 16]));
    assert_eq!(
        node.handle.resume(APP, &room("lobby"), wrong).await.err(),
        Some(ResumeFailed::Room(ResumeError::WrongSecret(id)))
    );
    let mut resumed = node.handle.resume(APP, &room("lobby"), resume(secret)).await.unwrap();
    assert_eq!(resumed.catch_up, None);
    let Some(Outgoing::Notice { sequence: 1, notice }) = outgoing(&mut resumed.inbox).await else {
        panic!("the missed notice comes");
    };
    assert!(matches!(&*notice, Notice::UserUpdate { users, .. } if users[0].user == user("bob")));
}

#[tokio::test]
async fn a_resumption_closes_the_connection_that_it_replaces() {
    let node = start(config());
    let mut ada = node.login("lobby", "ada").await;
    let request = ResumeRequest {
        session: ada.session.session,
        user: user("ada"),
        secret: ada.resume_secret.clone(),
        last_sequence: 0,
        token_expires_at: None,
    };
    let resumed = node.handle.resume(APP, &room("lobby"), request).await.unwrap();
    assert_eq!(
        outgoing(&mut ada.inbox).await,
        Some(Outgoing::Close { reason: CloseReason::Replaced })
    );
    // The replaced WebSocket's end must not take the new one's place.
    node.handle.disconnected(&ada.session).await;
    let mut inbox = resumed.inbox;
    node.login("lobby", "bob").await;
    assert!(matches!(outgoing(&mut inbox).await, Some(Outgoing::Notice { .. })));
}

#[tokio::test]
async fn a_silent_session_is_timed_out() {
    let mut config = config();
    config.room.heartbeat_timeout = Duration::from_millis(50);
    let mut node = start(config);
    node.login("lobby", "ada").await;
    node.event_like(|event| {
        matches!(event, EventKind::RoomLogout { reason: LeaveReason::HeartbeatTimeout, .. })
    })
    .await;
    assert!(matches!(
        node.event().await,
        EventKind::RoomClose { reason: RoomCloseReason::LastTimedOut }
    ));
    assert_eq!(node.users("lobby").await, None);
}

#[tokio::test]
async fn a_shutdown_tells_every_client_and_takes_no_more_work() {
    let mut node = start(config());
    let mut clients = Vec::new();
    for number in 0..8 {
        clients.push(node.login(&format!("room-{number}"), &format!("user-{number}")).await);
    }
    node.handle.shutdown(PATIENCE).await;
    for client in &mut clients {
        check_kicked_out(client, KickoutReason::ServerClosing, CloseReason::ServerClosing).await;
    }
    for _ in 0..8 {
        let closed = node.event_like(|event| matches!(event, EventKind::RoomClose { .. })).await;
        assert_eq!(closed, EventKind::RoomClose { reason: RoomCloseReason::ServerClosing });
    }
    let refused = node.handle.command(APP, &room("room-0"), |_, _, _| ()).await;
    assert_eq!(refused, Err(CommandError::ShuttingDown));
    assert!(node.try_login("lobby", "late").await.is_err());
    assert!(!node.handle.is_healthy());
}

#[tokio::test]
async fn a_login_that_races_with_the_shutdown_leaves_no_room_behind() {
    let node = start(config());
    let handle = node.handle.clone();
    // On this single-threaded runtime the login is admitted, then the rooms are closed, then it
    // comes.
    let (login, ()) = tokio::join!(node.try_login("lobby", "ada"), handle.shutdown(PATIENCE));
    assert_eq!(login.err(), Some(LoginFailed::Command(CommandError::ShuttingDown)));
    let statistics = node.handle.statistics().await;
    assert_eq!((statistics.rooms, statistics.users, statistics.sessions), (0, 0, 0));
    assert_eq!(node.events_left(), 0);
}

#[tokio::test]
async fn a_command_and_its_events_are_in_the_span_of_the_request() {
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry());
    let (handle, mut events) = NodeHandle::start(config()).unwrap();
    let span = tracing::info_span!("request");
    assert!(span.id().is_some());
    let requests = async move {
        handle.login(APP, &room("lobby"), request("ada")).await.unwrap();
        let lobby = room("lobby");
        let command = handle.command(APP, &lobby, |now, room, _| {
            room.close(now, "", RoomCloseNotice::Send);
            Span::current().id()
        });
        command.await
    };
    let requests = tokio::spawn(requests.instrument(span.clone()));
    for _login_and_close in 0..2 {
        let mut batch = events.recv().await.unwrap();
        assert_eq!(batch.span.id(), span.id());
        batch.acknowledge(Ok(()));
    }
    assert_eq!(requests.await.unwrap(), Ok(span.id()));
}
