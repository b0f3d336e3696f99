//! The whole service against real receivers, with a real store and a real node's journal.

use std::time::{Duration, UNIX_EPOCH};

use odeum_callback::{Callbacks, Limits, RetryPlan};
use odeum_node::{AppSettings, LoginRequest, NodeConfig, NodeHandle};
use odeum_room::{AuthLevel, DeleteStreamMode, Terminal, UserUpdate};
use odeum_store::{CallbackNumber, CallbackState, Selection, Store};
use odeum_types::{UnixMillis, UserId, UserName};
use tempfile::TempDir;

use crate::receiver::{Answer, Receiver};
use crate::scene::*;

/// A node whose events go to `url`.
struct Server {
    node: NodeHandle,
    callbacks: Callbacks,
    folder: TempDir,
}

fn clock() -> UnixMillis {
    UnixMillis(UNIX_EPOCH.elapsed().unwrap().as_millis() as u64)
}

async fn start(url: &str, folder: TempDir) -> Server {
    let limits = Limits { receiver_timeout: Duration::from_millis(300), ..Limits::default() };
    start_with(url, folder, limits).await
}

async fn start_with(url: &str, folder: TempDir, limits: Limits) -> Server {
    let store = Store::open(folder.path()).unwrap();
    let settings = settings(&[(APP, url)], RetryPlan::Long);
    let callbacks = Callbacks::start(store, settings, limits, clock).unwrap();
    let mut config = NodeConfig::default();
    config.media.listen = "127.0.0.1:0".parse().unwrap();
    config.apps = vec![AppSettings {
        app: APP,
        delete_stream: DeleteStreamMode::Stop,
        kick_on_token_expiry: false,
        linger: std::time::Duration::ZERO,
    }];
    let (node, mut journal) = NodeHandle::start(config).unwrap();
    let recording = callbacks.clone();
    tokio::spawn(async move {
        while let Some(entry) = journal.recv().await {
            recording.record(entry).unwrap();
        }
    });
    Server { node, callbacks, folder }
}

impl Server {
    async fn login(&self, room_id: &str, user: &str) -> odeum_node::LoggedIn {
        let request = LoginRequest {
            user: UserId::parse(user).unwrap(),
            name: UserName::parse("").unwrap(),
            user_update: UserUpdate::Not,
            users_max: None,
            token_expires_at: None,
            auth_level: AuthLevel::Token04,
            terminal: Terminal::Web,
            source: [127, 0, 0, 1].into(),
        };
        self.node.login(APP, &room(room_id), request).await.unwrap()
    }

    /// A user comes to an empty room and leaves it: four events.
    async fn visit(&self, room_id: &str) {
        let session = self.login(room_id, &format!("user-of-{room_id}")).await.session;
        self.node.logout(&session).await.unwrap().unwrap();
    }

    async fn stop(self) -> TempDir {
        self.node.shutdown(Duration::from_secs(5)).await;
        self.callbacks.shutdown(Duration::from_secs(5)).await;
        self.folder
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_rooms_life_arrives_signed_and_in_order() {
    let receiver = Receiver::start(Answer::Ok).await;
    let server = start(&receiver.url, folder()).await;
    server.visit("a").await;
    let arrived = receiver.wait_for(4).await;
    let events: Vec<&str> = arrived.iter().map(|one| one.event()).collect();
    assert_eq!(events, ["room_create", "room_login", "room_logout", "room_close"]);
    assert_eq!(arrived[0].header("content-type"), Some("application/json"));
    assert_eq!(
        arrived[0].body["room_session_id"].to_string(),
        arrived[1].body["room_seq"].as_str().unwrap()
    );
    let mut ids: Vec<_> = arrived.iter().map(|one| one.header("webhook-id").unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    server.stop().await;
    assert_eq!(receiver.arrived().len(), 4, "each once");
}

#[tokio::test]
async fn failures_of_every_kind_are_tried_again_under_the_same_id() {
    for answer in [Answer::Error, Answer::Redirect, Answer::Hang] {
        let receiver = Receiver::start(answer).await;
        let server = start(&receiver.url, folder()).await;
        server.visit("a").await;
        receiver.wait_for(1).await;
        receiver.answer(Answer::Ok);
        let arrived = receiver.wait_for(5).await;
        let events: Vec<&str> = arrived.iter().map(|one| one.event()).collect();
        let order = ["room_create", "room_create", "room_login", "room_logout", "room_close"];
        assert_eq!(events, order, "{answer:?}: the next ones wait for the first");
        assert_eq!(arrived[0].header("webhook-id"), arrived[1].header("webhook-id"));
        assert_ne!(arrived[0].body["nonce"], arrived[1].body["nonce"]);
        assert!(arrived.iter().all(|one| one.path == "/"), "redirects are not followed");
        server.stop().await;
    }
}

#[tokio::test]
async fn an_answer_whose_body_never_ends_is_an_answer() {
    let receiver = Receiver::start(Answer::EndlessBody).await;
    let server = start(&receiver.url, folder()).await;
    server.visit("a").await;
    receiver.wait_for(4).await;
    server.stop().await;
    assert_eq!(receiver.arrived().len(), 4);
}

#[tokio::test]
async fn what_nobody_took_is_sent_after_the_next_start_and_what_was_open_is_closed() {
    let receiver = Receiver::start(Answer::Error).await;
    let server = start(&receiver.url, folder()).await;
    server.visit("a").await;
    let _ann = server.login("b", "ann").await;
    receiver.wait_for(2).await;
    // The process ends without a word: nothing of the node is closed.
    let Server { node, callbacks, folder } = server;
    callbacks.shutdown(Duration::from_secs(5)).await;
    drop(node);
    receiver.answer(Answer::Ok);
    let before = receiver.arrived().len();
    let server = start(&receiver.url, folder).await;
    let arrived = receiver.wait_for(before + 8).await;
    let of_room = |name: &str| -> Vec<String> {
        let fresh = arrived[before..].iter().filter(|one| one.body["room_id"] == name);
        fresh.map(|one| one.event().to_owned()).collect()
    };
    let life = ["room_create", "room_login", "room_logout", "room_close"];
    assert_eq!(of_room("a"), life);
    assert_eq!(of_room("b"), life, "closed by the start");
    server.stop().await;
}

#[tokio::test]
async fn history_tells_what_became_of_each_and_replays() {
    let receiver = Receiver::start(Answer::Ok).await;
    let server = start(&receiver.url, folder()).await;
    server.visit("a").await;
    server.visit("b").await;
    receiver.wait_for(8).await;
    let of_a = Selection { room: Some(room("a")), ..Selection::default() };
    let delivered = Selection { state: Some(CallbackState::Delivered), ..of_a.clone() };
    let mut rows = Vec::new();
    while rows.len() < 4 {
        rows = server.callbacks.history(delivered.clone(), None, 10).await.unwrap();
    }
    let numbers: Vec<u64> = rows.iter().map(|row| row.number.0).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert_eq!((rows[0].attempts, rows[0].outcome.as_deref()), (1, Some("200")));
    let page = server.callbacks.history(of_a.clone(), Some(CallbackNumber(3)), 1).await.unwrap();
    assert_eq!(page[0].number, CallbackNumber(2));

    let replayed = server.callbacks.replay(of_a).await.unwrap();
    assert_eq!((replayed.callbacks.len(), replayed.more), (4, false));
    let arrived = receiver.wait_for(12).await;
    let again: Vec<&str> = arrived[8..].iter().map(|one| one.event()).collect();
    assert_eq!(again, ["room_create", "room_login", "room_logout", "room_close"]);
    for one in &arrived[8..] {
        assert_eq!(one.header("odeum-replay"), Some("1"));
    }
    let first_id = server.callbacks.webhook_id(CallbackNumber(1));
    assert_eq!(arrived[8].header("webhook-id"), Some(&*first_id));
    server.stop().await;
}

#[tokio::test]
async fn what_is_given_up_is_not_sent() {
    let receiver = Receiver::start(Answer::Error).await;
    let server = start(&receiver.url, folder()).await;
    server.visit("a").await;
    receiver.wait_for(1).await;
    let all = Selection { app: Some(APP), ..Selection::default() };
    assert_eq!(server.callbacks.give_up(all.clone()).await.unwrap().numbers.len(), 4);
    receiver.answer(Answer::Ok);
    server.visit("b").await;
    let arrived = receiver.wait_for(5).await;
    assert!(arrived[1..].iter().all(|one| one.body["room_id"] == "b"));
    let row = server.callbacks.callback(CallbackNumber(1)).await.unwrap().unwrap();
    assert_eq!(row.state, CallbackState::Dropped);
    server.stop().await;
}

#[tokio::test]
async fn without_a_url_nothing_is_stored_to_be_sent() {
    let receiver = Receiver::start(Answer::Ok).await;
    let server = start(&receiver.url, folder()).await;
    server.callbacks.update_settings(settings(&[], RetryPlan::Long));
    server.visit("a").await;
    server.callbacks.update_settings(settings(&[(APP, &receiver.url)], RetryPlan::Long));
    server.visit("b").await;
    let arrived = receiver.wait_for(4).await;
    assert!(arrived.iter().all(|one| one.body["room_id"] == "b"));
    server.stop().await;
}
