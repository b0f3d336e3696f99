//! Resumption: what a lost WebSocket gets back, and who gets nothing.

use std::time::Duration;

use odeum_client::{Event, ResumeOptions};
use odeum_proto::signal::close_code;

use crate::server::{APP, Client, ROOM, Server, close_code as closed, code, next, token};

fn resume(client: &Client, user: &str, last_sequence: u64) -> ResumeOptions {
    ResumeOptions {
        app_id: APP.0,
        room_id: ROOM.to_owned(),
        user_id: user.to_owned(),
        session_id: client.logged_in.session_id,
        resume_secret: client.logged_in.resume_secret.clone(),
        last_sequence,
        token: token(user),
        heartbeat_interval: Duration::from_millis(client.logged_in.heartbeat_interval_ms),
    }
}

#[tokio::test]
async fn a_lost_socket_resumes_and_misses_nothing() {
    let server = Server::start(|_, _| {}).await;
    let _ada = server.login("ada").await;
    let bob = server.login("bob").await;
    server.add_stream("one", "").await;
    let Client { signalling, mut events, logged_in } = bob;
    assert!(matches!(next(&mut events).await, Event::Notice(_)));
    let view = events.view().clone();
    drop(signalling);
    server.add_stream("two", "").await;
    server.delete_stream("one").await;

    let bob = Client { signalling: server.connect().await.0, events, logged_in };
    let options = resume(&bob, "bob", view.sequence());
    let (signalling, mut events) = server.connect().await;
    events.continue_from(view);
    let resumed = signalling.resume(options.clone()).await.expect("the secret is right");
    assert_eq!(resumed.snapshot, None);
    for _ in 0..2 {
        assert!(matches!(next(&mut events).await, Event::Notice(_)));
    }
    let ids: Vec<_> = events.view().streams().map(|stream| stream.stream_id.clone()).collect();
    assert_eq!(ids, ["two"]);

    // Heard again, so the first secret is spent.
    signalling.heartbeat(ROOM, events.view().sequence()).await.expect("it is in the room");
    let (thief, _events) = server.connect().await;
    assert_eq!(code(thief.resume(options.clone()).await), 1_002_002);
    // The one from the resumption is good, and takes the session from its socket.
    let next_secret = ResumeOptions {
        resume_secret: resumed.resume_secret,
        last_sequence: events.view().sequence(),
        ..options
    };
    thief.resume(next_secret).await.expect("the secret is right");
    assert_eq!(closed(&mut events).await, Some(close_code::REPLACED));
}

#[tokio::test]
async fn sessions_that_are_gone_do_not_shut_their_network_out() {
    let server = Server::start(|_, limits| limits.failed_logins_per_second = 1).await;
    let ada = server.login("ada").await;
    let (signalling, _events) = server.connect().await;
    let good = resume(&ada, "ada", 0);
    let gone = ResumeOptions { session_id: 9_999, ..good.clone() };
    for _ in 0..3 {
        assert_eq!(code(signalling.resume(gone.clone()).await), 1_002_002);
    }
    let guess = ResumeOptions { resume_secret: "0".repeat(32), ..good.clone() };
    assert_eq!(code(signalling.resume(guess).await), 1_002_002);
    assert_eq!(code(signalling.resume(good).await), 1_109_001, "a guess counts");
}

#[tokio::test]
async fn a_wrong_secret_another_user_or_no_session_do_not_resume() {
    let server = Server::start(|_, _| {}).await;
    let ada = server.login("ada").await;
    let _bob = server.login("bob").await;
    let good = resume(&ada, "ada", 0);
    let (signalling, _events) = server.connect().await;
    let wrong_secret = ResumeOptions { resume_secret: "0".repeat(32), ..good.clone() };
    assert_eq!(code(signalling.resume(wrong_secret).await), 1_002_002);
    let no_session = ResumeOptions { session_id: 9_999, ..good.clone() };
    assert_eq!(code(signalling.resume(no_session).await), 1_002_002);
    let never_sent = ResumeOptions { last_sequence: 9_999, ..good.clone() };
    assert_eq!(code(signalling.resume(never_sent).await), 1_002_002);
    let no_hex = ResumeOptions { resume_secret: "?".to_owned(), ..good.clone() };
    assert_eq!(code(signalling.resume(no_hex).await), 1_100_001);
    let other_user = ResumeOptions { user_id: "bob".into(), token: token("bob"), ..good.clone() };
    assert_eq!(code(signalling.resume(other_user).await), 1_002_002);
    let bad_token = ResumeOptions { token: token("bob"), ..good };
    assert_eq!(code(signalling.resume(bad_token).await), 1_102_020);
}
