//! What clients say to each other, and that a lost WebSocket loses nothing of it but barrage.

use std::time::Duration;

use odeum_client::{Event, Events, ResumeOptions};
use odeum_proto::signal::Notice;
use odeum_room::{BackendSender, CommandTargets, MessageText};
use odeum_types::UserId;

use crate::server::{APP, Client, ROOM, Server, code, next, room, token};

/// Two users who know of each other.
async fn ada_and_bob(server: &Server) -> (Client, Client) {
    let mut ada = server.login("ada").await;
    let bob = server.login("bob").await;
    assert!(matches!(ada.notice().await, Notice::UserUpdate { .. }));
    (ada, bob)
}

#[tokio::test]
async fn each_kind_of_message_arrives_and_names_its_sender() {
    let server = Server::start(|_, _| {}).await;
    let (mut ada, bob) = ada_and_bob(&server).await;
    bob.signalling.broadcast(ROOM, "to all").await.expect("it is in the room");
    bob.signalling.barrage(ROOM, "past all").await.expect("it is in the room");
    let offline = bob.signalling.send_command(ROOM, "to ada", &["ada", "eve"]).await;
    assert_eq!(offline.expect("it is in the room"), ["eve"]);

    let broadcast = ada.notice().await;
    assert!(
        matches!(&broadcast, Notice::BroadcastMessage { message_id: 1, from_user, message, .. }
            if from_user.user_id == "bob" && message == "to all"),
        "{broadcast:?}"
    );
    let Event::Notice(barrage) = next(&mut ada.events).await else { panic!("a notice was due") };
    assert_eq!(barrage.sequence, 0, "barrage is not numbered");
    assert!(
        matches!(&barrage.notice, Notice::BarrageMessage { message_id, message, .. }
            if message_id.starts_with("2_") && message_id.ends_with("_2") && message == "past all"),
        "{barrage:?}"
    );
    let command = ada.notice().await;
    assert!(
        matches!(&command, Notice::CustomCommand { from_user, command }
            if from_user.user_id == "bob" && command == "to ada"),
        "{command:?}"
    );
}

#[tokio::test]
async fn what_may_not_be_sent_has_its_code() {
    let server = Server::start(|config, _| config.room.command_targets_max = 1).await;
    let ada = server.login("ada").await.signalling;
    let long = "x".repeat(1_025);
    assert_eq!(code(ada.broadcast(ROOM, "").await), 1_009_001);
    assert_eq!(code(ada.barrage(ROOM, &long).await), 1_009_002);
    assert_eq!(code(ada.send_command(ROOM, "", &[]).await), 1_009_001);
    assert_eq!(code(ada.send_command(ROOM, "x", &["a b"]).await), 1_002_006);
    assert_eq!(code(ada.send_command(ROOM, "x", &["a", "b"]).await), 1_100_001);
    assert_eq!(code(ada.broadcast("elsewhere", "x").await), 1_000_002);
    assert_eq!(code(ada.set_room_extra_info(ROOM, "", "x").await), 1_100_001);
    assert_eq!(code(ada.set_room_extra_info(ROOM, "elevenbytes", "x").await), 1_002_015);
    assert_eq!(code(ada.set_room_extra_info(ROOM, "k", &long[..129]).await), 1_002_016);
    ada.set_room_extra_info(ROOM, "k", &long[..128]).await.expect("it is not too long");
    assert_eq!(code(ada.set_room_extra_info(ROOM, "other", "x").await), 1_002_017);
    assert_eq!(code(ada.set_stream_extra_info(ROOM, "cam", &long).await), 1_003_051);
    assert_eq!(code(ada.set_stream_extra_info(ROOM, "cam", "x").await), 1_103_055);
}

#[tokio::test]
async fn what_comes_too_often_has_its_code() {
    let server = Server::start(|config, _| {
        config.room.barrages_per_second_max = 1;
        config.room.wide_commands_per_second_max = 1;
        config.room.room_extra_infos_per_second_max = 1;
        config.room.broadcasts_per_second_max = 3;
    })
    .await;
    let (ada, bob) = ada_and_bob(&server).await;
    let (ada, bob) = (ada.signalling, bob.signalling);
    ada.broadcast(ROOM, "1").await.expect("the first");
    ada.broadcast(ROOM, "2").await.expect("the second");
    assert_eq!(code(ada.broadcast(ROOM, "3").await), 1_009_015);
    bob.broadcast(ROOM, "1").await.expect("the room's third");
    assert_eq!(code(bob.broadcast(ROOM, "2").await), 1_109_001);
    ada.barrage(ROOM, "1").await.expect("the first");
    assert_eq!(code(bob.barrage(ROOM, "1").await), 1_109_001);
    ada.send_command(ROOM, "1", &[]).await.expect("the first to all");
    assert_eq!(code(bob.send_command(ROOM, "1", &[]).await), 1_109_001);
    bob.send_command(ROOM, "1", &["ada"]).await.expect("one target is counted apart");
    ada.set_room_extra_info(ROOM, "k", "1").await.expect("the first");
    assert_eq!(code(ada.set_room_extra_info(ROOM, "k", "2").await), 1_109_001);
}

#[tokio::test]
async fn the_rooms_extra_info_reaches_who_is_there_and_who_comes_later() {
    let server = Server::start(|_, _| {}).await;
    let (mut ada, bob) = ada_and_bob(&server).await;
    bob.signalling.set_room_extra_info(ROOM, "topic", "cats").await.expect("it is in the room");
    assert!(matches!(ada.notice().await, Notice::RoomExtraInfoUpdate { .. }));
    let eve = server.login("eve").await;
    for view in [ada.events.view(), eve.events.view()] {
        let extra_info = view.extra_info().expect("it was told");
        assert_eq!((extra_info.key.as_str(), extra_info.value.as_str()), ("topic", "cats"));
        assert_eq!(extra_info.update_user.user_id, "bob");
    }
}

/// Ada's socket is lost, `count` broadcasts and a command of the backend come, ada is back.
async fn miss(server: &Server, count: u64) -> (Events, Option<u64>) {
    let ada = server.login("ada").await;
    let _bob = server.login("bob").await;
    let Client { signalling, mut events, logged_in } = ada;
    assert!(matches!(next(&mut events).await, Event::Notice(_)));
    let view = events.view().clone();
    drop(signalling);
    let text = |text: &str| MessageText::parse(text).expect("a valid text");
    let sender = || BackendSender { user: UserId::parse("api").expect("valid"), name: None };
    for number in 1..=count {
        let text = text(&number.to_string());
        let sent = server.node.broadcast_for_backend(APP, &room(), sender(), text).await;
        assert_eq!(sent.expect("the room is there").0, number);
    }
    let to = CommandTargets::Users(vec![UserId::parse("ada").expect("a valid user id")]);
    let (node, room) = (&server.node, room());
    let sent = node.send_command_for_backend(APP, &room, sender(), to, text("look")).await;
    assert_eq!(sent.expect("the room is there").reached, 1);

    let (signalling, mut events) = server.connect().await;
    events.continue_from(view.clone());
    let options = ResumeOptions {
        app_id: APP.0,
        room_id: ROOM.to_owned(),
        user_id: "ada".to_owned(),
        session_id: logged_in.session_id,
        resume_secret: logged_in.resume_secret,
        last_sequence: view.sequence(),
        token: token("ada"),
        heartbeat_interval: Duration::from_secs(20),
    };
    let resumed = signalling.resume(options).await.expect("the session is there");
    (events, resumed.snapshot.is_some().then_some(resumed.messages_lost))
}

fn text_of(notice: &Notice) -> &str {
    match notice {
        Notice::BroadcastMessage { message, .. } => message,
        Notice::CustomCommand { command, .. } => command,
        other => panic!("a message was due, not {other:?}"),
    }
}

#[tokio::test]
async fn messages_of_a_short_loss_are_replayed() {
    let server = Server::start(|_, _| {}).await;
    let (mut events, lost) = miss(&server, 2).await;
    assert_eq!(lost, None, "nothing but notices");
    for due in ["1", "2", "look"] {
        let Event::Notice(numbered) = next(&mut events).await else { panic!("{due} was due") };
        assert_eq!(text_of(&numbered.notice), due);
    }
}

#[tokio::test]
async fn messages_of_a_long_loss_come_beside_the_snapshot() {
    let server = Server::start(|config, _| config.room.replay_messages_max = 3).await;
    let (mut events, lost) = miss(&server, 20).await;
    assert_eq!(lost, Some(0));
    assert!(matches!(next(&mut events).await, Event::Snapshot(_)));
    for due in (1..=20).map(|number| number.to_string()).chain(["look".to_owned()]) {
        let Event::Missed(numbered) = next(&mut events).await else { panic!("{due} was due") };
        assert_eq!(text_of(&numbered.notice), due);
    }
}

#[tokio::test]
async fn messages_lost_for_good_are_counted() {
    let server = Server::start(|config, _| {
        config.room.replay_messages_max = 1;
        config.room.missed_messages_max = 2;
    })
    .await;
    let (mut events, lost) = miss(&server, 5).await;
    assert_eq!(lost, Some(3));
    assert!(matches!(next(&mut events).await, Event::Snapshot(_)));
    assert_eq!(next(&mut events).await, Event::MessagesLost(3));
    for due in ["4", "5", "look"] {
        let Event::Missed(numbered) = next(&mut events).await else { panic!("{due} was due") };
        assert_eq!(text_of(&numbered.notice), due);
    }
}
