//! Clients that break the protocol or do not read: each is refused or cut, and nobody waits for it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use odeum_client::Event;
use odeum_proto::signal::{ClientMessage, Login, Notice, Update, VERSION, close_code};
use odeum_room::RoomConfig;
use tokio_tungstenite::tungstenite::Message;

use crate::server::{self, APP, ROOM, Server, code, next, token};

#[tokio::test]
async fn requests_before_a_login_are_refused_and_the_fifth_closes() {
    let server = Server::start(|_, _| {}).await;
    let (signalling, mut events) = server.connect().await;
    for _ in 0..5 {
        assert_eq!(code(signalling.play(ROOM, "s", "").await), 1_000_002);
    }
    assert_eq!(server::close_code(&mut events).await, Some(close_code::PROTOCOL_ERROR));
}

#[tokio::test]
async fn unreadable_messages_get_an_error_and_the_fifth_closes() {
    let server = Server::start(|_, _| {}).await;
    let (signalling, mut events) = server.connect().await;
    for text in ["dance", "{}", "[]", r#"{"type":"dance"}"#, r#"{"type":"login"}"#] {
        signalling.send_raw(Message::text(text)).await.expect("it is open");
        let Event::Error(error) = next(&mut events).await else { panic!("an error was due") };
        assert_eq!((error.code, error.request_id), (1_100_001, None), "{text}");
    }
    assert_eq!(server::close_code(&mut events).await, Some(close_code::PROTOCOL_ERROR));
}

#[tokio::test]
async fn binary_and_oversized_messages_close_at_once() {
    let server = Server::start(|_, _| {}).await;
    let oversized = Message::text("x".repeat(odeum_signal::MESSAGE_BYTES_MAX + 1));
    for message in [Message::binary(vec![1, 2, 3]), oversized] {
        let mut ada = server.login("ada").await;
        ada.signalling.send_raw(message).await.expect("it is open");
        assert_eq!(ada.closed().await, Some(close_code::PROTOCOL_ERROR));
    }
}

#[tokio::test]
async fn messages_that_come_too_often_are_refused_and_at_last_close() {
    let server = Server::start(|_, _| {}).await;
    let mut ada = server.login("ada").await;
    for id in 0..600 {
        let text = format!(
            r#"{{"type":"heartbeat","request_id":{},"room_id":"lobby","last_sequence":0}}"#,
            1_000_000 + id
        );
        if ada.signalling.send_raw(Message::text(text)).await.is_err() {
            break;
        }
    }
    let mut refused = 0;
    let closed = loop {
        match next(&mut ada.events).await {
            Event::Error(error) => {
                assert_eq!(error.code, 1_109_001);
                assert!(error.request_id.is_some_and(|id| id >= 1_000_000));
                refused += 1;
            }
            Event::Closed { code, .. } => break code,
            other => panic!("an error was due, not {other:?}"),
        }
    };
    assert_eq!((closed, refused), (Some(close_code::PROTOCOL_ERROR), odeum_signal::TOO_OFTEN_MAX));
}

#[tokio::test]
async fn a_socket_without_login_is_closed_in_time() {
    let server =
        Server::start(|_, limits| limits.login_deadline = Duration::from_millis(100)).await;
    let (_signalling, mut events) = server.connect().await;
    assert_eq!(server::close_code(&mut events).await, Some(close_code::SILENT));
}

#[tokio::test]
async fn a_silent_session_is_closed_after_the_heartbeat_time() {
    // Longer than a machine may stand still between two heartbeats of the other client.
    let heartbeat_timeout = Duration::from_secs(5);
    let server = Server::start(|node, _| {
        node.room = RoomConfig { heartbeat_timeout, ..RoomConfig::default() };
    })
    .await;
    let mut ada = server.login("ada").await;
    // A client with a heartbeat of its own would live on: this one stops all.
    let socket = silent_client(&server, "bob").await;
    assert!(matches!(ada.notice().await, Notice::UserUpdate { update: Update::Add, .. }));
    assert!(matches!(ada.notice().await, Notice::UserUpdate { update: Update::Delete, .. }));
    assert_eq!(raw_close_code(socket).await, Some(close_code::SILENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_and_nobody_waits_for_it() {
    let server = Server::start(|node, limits| {
        node.limits.client_queue_messages_max = 32;
        limits.close_timeout = Duration::from_millis(100);
    })
    .await;
    let mut ada = server.login("ada").await;
    let silent = silent_client(&server, "bob").await;
    assert!(matches!(ada.notice().await, Notice::UserUpdate { .. }));
    let extra_info = "x".repeat(1_000);
    let mut rounds = 0;
    while server.state.connections() > 1 {
        server.add_stream("s", &extra_info).await;
        server.delete_stream("s").await;
        assert!(matches!(ada.notice().await, Notice::StreamUpdate { update: Update::Add, .. }));
        assert!(matches!(ada.notice().await, Notice::StreamUpdate { update: Update::Delete, .. }));
        rounds += 1;
        assert!(rounds < 20_000, "the client is never cut");
    }
    let users = server.node.query(APP, &server::room(), |room| room.user_count()).await;
    assert_eq!(users, Ok(2), "a client that was cut may resume");
    drop(silent);
}

/// A WebSocket over which `user` is logged in, with a small receive buffer, and nobody reading.
async fn silent_client(
    server: &Server,
    user: &str,
) -> tokio_tungstenite::WebSocketStream<tokio::net::TcpStream> {
    let tcp = tokio::net::TcpSocket::new_v4().expect("a socket");
    tcp.set_recv_buffer_size(4_096).expect("a small buffer is always granted");
    let tcp = tcp.connect(server.address).await.expect("the server listens");
    let url = format!("ws://{}/signal", server.address);
    let (mut socket, _) = tokio_tungstenite::client_async(url, tcp).await.expect("it upgrades");
    let login = ClientMessage::Login(Login {
        request_id: 1,
        version: VERSION,
        app_id: APP.0,
        room_id: ROOM.to_owned(),
        user_id: user.to_owned(),
        user_name: String::new(),
        token: token(user),
        user_update: false,
        max_member_count: 0,
    });
    let text = serde_json::to_string(&login).expect("only JSON types");
    socket.send(Message::text(text)).await.expect("it is open");
    let reply = socket.next().await.expect("a reply").expect("the socket is whole");
    assert!(reply.to_text().expect("a text").contains("logged_in"));
    socket
}

async fn raw_close_code(
    mut socket: tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>,
) -> Option<u16> {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            return frame.map(|frame| frame.code.into());
        }
    }
    None
}
