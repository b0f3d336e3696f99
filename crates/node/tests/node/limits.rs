//! Every limit of the node refuses by its name, and nothing else is touched.

use std::time::Duration;

use odeum_node::{CloseReason, CommandError, LoginFailed, NodeHandle, Outgoing, Record};
use odeum_room::{BackendSender, MessageCategory, MessageText};
use odeum_types::AppId;

use crate::support::*;

#[tokio::test]
async fn rooms_and_users_of_an_app_are_limited_apart() {
    let mut config = config();
    config.limits.rooms_per_app_max = 2;
    config.limits.users_per_app_max = 3;
    let node = start(config);
    let first = node.login("a", "1").await;
    node.login("b", "2").await;
    assert_eq!(
        node.try_login("c", "3").await.err(),
        Some(LoginFailed::TooManyRooms { rooms_per_app_max: 2 })
    );
    node.login("b", "3").await;
    assert_eq!(
        node.try_login("b", "4").await.err(),
        Some(LoginFailed::TooManyUsers { users_per_app_max: 3 })
    );
    node.login("b", "3").await;
    assert_eq!(node.handle.logout(&first.session).await, Ok(Ok(())));
    node.login("c", "4").await;
    assert_eq!(
        node.handle.login(AppId(8), &room("a"), request("1")).await.err(),
        Some(LoginFailed::NoApp(AppId(8)))
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_the_others_are_not() {
    let mut config = config();
    config.limits.client_queue_messages_max = 3;
    let node = start(config);
    let mut slow = node.login("lobby", "slow").await;
    let mut quick = node.login("lobby", "quick").await;
    for number in 0..8 {
        node.login("lobby", &format!("user-{number}")).await;
        let got = outgoing(&mut quick.inbox).await;
        assert!(matches!(got, Some(Outgoing::Notice { .. })), "{got:?}");
    }
    assert_eq!(
        outgoing(&mut slow.inbox).await,
        Some(Outgoing::Close { reason: CloseReason::TooSlow })
    );
    assert_eq!(node.handle.statistics().await.control.clients_cut, 1);
    assert_eq!(node.users("lobby").await, Some(10), "its session is still there, to be resumed");
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_less_barrage_and_is_not_cut_for_it() {
    let mut config = config();
    config.limits.client_queue_messages_max = 8;
    let node = start(config);
    let mut slow = node.login("lobby", "slow").await;
    for number in 1..=20 {
        let sender = BackendSender { user: user("robot"), name: None };
        let text = MessageText::parse(&format!("{number}")).unwrap();
        let category = MessageCategory::Chat;
        let handle = &node.handle;
        handle.barrage_for_backend(APP, &room("lobby"), sender, category, text).await.unwrap();
    }
    let sender = BackendSender { user: user("robot"), name: None };
    let text = MessageText::parse("reliable").unwrap();
    node.handle.broadcast_for_backend(APP, &room("lobby"), sender, text).await.unwrap();
    for _ in 0..4 {
        let got = outgoing(&mut slow.inbox).await;
        assert!(matches!(got, Some(Outgoing::Unnumbered { .. })), "{got:?}");
    }
    let got = outgoing(&mut slow.inbox).await;
    assert!(matches!(got, Some(Outgoing::Notice { sequence: 1, .. })), "{got:?}");
    let control = node.handle.statistics().await.control;
    assert_eq!((control.barrages_thinned, control.clients_cut), (16, 0));
}

#[tokio::test]
async fn a_full_mailbox_refuses() {
    let mut config = config();
    config.room_workers = 1;
    config.limits.mailbox_commands_max = 1;
    let node = start(config);
    node.login("lobby", "ada").await;
    // On this single-threaded runtime the worker does not run between these three.
    let lobby = room("lobby");
    let (first, second, third) = tokio::join!(
        node.handle.query(APP, &lobby, |_| 1),
        node.handle.query(APP, &lobby, |_| 2),
        node.handle.query(APP, &lobby, |_| 3),
    );
    assert_eq!(
        (first, second, third),
        (Ok(1), Err(CommandError::Overloaded), Err(CommandError::Overloaded))
    );
    assert_eq!(node.handle.statistics().await.control.mailbox_refusals, 2);
}

#[tokio::test]
async fn a_reply_waits_for_its_events_and_the_room_does_not() {
    let mut config = config();
    config.limits.command_deadline = Duration::from_millis(300);
    config.limits.journal_bytes_max = 1;
    let (handle, mut events) = NodeHandle::start(config).unwrap();
    let login = tokio::spawn({
        let handle = handle.clone();
        async move { handle.login(APP, &room("lobby"), request("ada")).await }
    });
    let mut entry = events.recv().await.unwrap();
    assert!(matches!(&entry.record, Record::Events(events) if events.len() == 2));
    assert_eq!(handle.query(APP, &room("lobby"), |room| room.user_count()).await, Ok(1));
    assert!(!login.is_finished(), "nobody has acknowledged the login's events");
    entry.acknowledge(Ok(()));
    drop(entry);
    let ada = login.await.unwrap().unwrap().session;
    // Events that nobody takes: commands are refused before they change anything.
    let late = handle.login(APP, &room("lobby"), request("bob")).await;
    assert_eq!(late.err(), Some(LoginFailed::Command(CommandError::DeadlinePassed)));
    assert_eq!(handle.query(APP, &room("lobby"), |room| room.user_count()).await, Ok(1));
    let refused = handle.command(APP, &room("lobby"), |_, _, _| ()).await;
    assert_eq!(refused, Err(CommandError::EventsFull));
    // Who is in goes on and may leave.
    assert_eq!(handle.heartbeat(&ada, 0).await, Ok(Ok(())));
    assert_eq!(handle.renew_token(&ada, None).await, Ok(Ok(())));
    assert_eq!(handle.logout(&ada).await, Err(CommandError::DeadlinePassed), "its events wait too");
    let gone = handle.query(APP, &room("lobby"), |room| room.user_count()).await;
    assert_eq!(gone, Err(CommandError::NoRoom));
}

#[tokio::test]
async fn a_login_beyond_its_deadline_leaves_no_user_behind() {
    let mut config = config();
    config.limits.command_deadline = Duration::from_millis(50);
    let (handle, _events_that_nobody_acknowledges) = NodeHandle::start(config).unwrap();
    let late = handle.login(APP, &room("lobby"), request("ada")).await;
    assert_eq!(late.err(), Some(LoginFailed::Command(CommandError::DeadlinePassed)));
    let gone = handle.query(APP, &room("lobby"), |room| room.user_count()).await;
    assert_eq!(gone, Err(CommandError::NoRoom));
    let statistics = handle.statistics().await;
    assert_eq!((statistics.users, statistics.sessions, statistics.rooms), (0, 0, 0));
}
