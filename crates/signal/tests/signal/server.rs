//! A whole server in the test's process: node and signalling on free ports of the loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use odeum_auth::token::{NewToken, Seal};
use odeum_auth::{AppCredentials, Apps, IceServers, ServerSecret};
use odeum_client::{ConnectOptions, Event, Events, LoginOptions, RequestError, Signalling};
use odeum_node::{AppSettings, NodeConfig, NodeHandle};
use odeum_proto::signal::{LoggedIn, Notice};
use odeum_room::{AddStream, DeleteStreamMode};
use odeum_signal::{Limits, SignalState, router};
use odeum_types::{AppId, RoomId, StreamId, UnixMillis, UserId, UserName};

/// The one app.
pub(crate) const APP: AppId = AppId(123_456_789);
/// The app's secret.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Where most tests meet.
pub(crate) const ROOM: &str = "lobby";

/// Longest wait for something that should come at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server.
pub(crate) struct Server {
    /// Its rooms.
    pub(crate) node: NodeHandle,
    /// Its signalling.
    pub(crate) state: SignalState,
    /// Where signalling listens.
    pub(crate) address: SocketAddr,
    /// Its apps.
    pub(crate) apps: Apps,
    /// How far its clock is ahead of the system's, seconds.
    ahead_seconds: Arc<AtomicU64>,
}

impl Server {
    /// Starts a server with the defaults but for what `change` does.
    pub(crate) async fn start(change: impl FnOnce(&mut NodeConfig, &mut Limits)) -> Self {
        let mut config = NodeConfig::default();
        config.media.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.apps = vec![AppSettings {
            app: APP,
            delete_stream: DeleteStreamMode::Stop,
            kick_on_token_expiry: false,
            linger: std::time::Duration::ZERO,
        }];
        let mut limits = Limits::default();
        change(&mut config, &mut limits);
        let (node, mut events) = NodeHandle::start(config).expect("the loopback has free ports");
        tokio::spawn(async move {
            while let Some(mut entry) = events.recv().await {
                entry.acknowledge(Ok(()));
            }
        });
        let ahead_seconds = Arc::new(AtomicU64::new(0));
        let ahead = Arc::clone(&ahead_seconds);
        let clock = Arc::new(move || UnixMillis(now().0 + ahead.load(Ordering::Relaxed) * 1_000));
        let apps = Apps::new([(APP, app(&[SECRET]))]);
        let state = SignalState::with_clock(
            node.clone(),
            apps.clone(),
            limits,
            IceServers::default(),
            clock,
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let service = router(state.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { node, state, address, apps, ahead_seconds }
    }

    /// Sets the clock of tokens forward.
    pub(crate) fn advance_seconds(&self, seconds: u64) {
        self.ahead_seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Opens a WebSocket.
    pub(crate) async fn connect(&self) -> (Signalling, Events) {
        let url = format!("ws://{}/signal", self.address);
        Signalling::connect(&ConnectOptions::new(url)).await.expect("the server listens")
    }

    /// Logs `user` in.
    pub(crate) async fn login(&self, user: &str) -> Client {
        let (signalling, mut events) = self.connect().await;
        let logged_in = signalling
            .login(LoginOptions::new(APP.0, ROOM, user, token(user)))
            .await
            .expect("the token is good");
        assert!(matches!(events.next().await, Some(Event::Snapshot(_))));
        Client { signalling, events, logged_in }
    }

    /// The backend adds a stream in the name of somebody who is not there.
    pub(crate) async fn add_stream(&self, stream: &str, extra_info: &str) {
        let add = AddStream {
            stream: StreamId::parse(stream).expect("a valid stream id"),
            user: UserId::parse("backend").expect("a valid user id"),
            user_name: UserName::parse("").expect("a valid name"),
            title: "".into(),
            extra_info: extra_info.into(),
        };
        self.node
            .command(APP, &room(), move |now, room, claims| {
                room.add_stream(now, &mut claims.lock(), add)
            })
            .await
            .expect("the room is there")
            .expect("the stream is free");
    }

    /// The backend deletes a stream.
    pub(crate) async fn delete_stream(&self, stream: &str) {
        let stream = StreamId::parse(stream).expect("a valid stream id");
        self.node
            .command(APP, &room(), move |now, room, _| room.delete_stream(now, &stream))
            .await
            .expect("the room is there")
            .expect("the room has the stream");
    }
}

/// A user who is logged in.
pub(crate) struct Client {
    /// To ask.
    pub(crate) signalling: Signalling,
    /// To hear.
    pub(crate) events: Events,
    /// The reply to its login.
    pub(crate) logged_in: LoggedIn,
}

impl Client {
    /// The next notice.
    pub(crate) async fn notice(&mut self) -> Notice {
        match next(&mut self.events).await {
            Event::Notice(numbered) => numbered.notice,
            other => panic!("a notice was due, not {other:?}"),
        }
    }

    /// The close code, after whatever comes before it.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        close_code(&mut self.events).await
    }
}

/// The next event.
pub(crate) async fn next(events: &mut Events) -> Event {
    let event = tokio::time::timeout(PATIENCE, events.next()).await;
    event.expect("an event was due").expect("the connection's events end with Closed")
}

/// The close code of a connection, after whatever comes before it.
pub(crate) async fn close_code(events: &mut Events) -> Option<u16> {
    loop {
        if let Event::Closed { code, .. } = next(events).await {
            return code;
        }
    }
}

/// An app with these secrets.
pub(crate) fn app(secrets: &[&str]) -> AppCredentials {
    let secrets = secrets.iter().map(|text| ServerSecret::parse(text).expect("32 characters"));
    AppCredentials::new(secrets.collect()).expect("one or two secrets")
}

/// A token of `user` for any room.
pub(crate) fn token(user: &str) -> String {
    token_with(user, SECRET, 3_600, "")
}

/// Any token.
pub(crate) fn token_with(user: &str, secret: &str, lifetime_seconds: i64, payload: &str) -> String {
    NewToken { app: APP, user, lifetime_seconds, payload }
        .seal(secret, now(), 7, Seal::Gcm { nonce: [7; 12] })
        .expect("a valid token")
}

/// The system's time.
fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    UnixMillis(now.as_millis() as u64)
}

/// The room's id.
pub(crate) fn room() -> RoomId {
    RoomId::parse(ROOM).expect("a valid room id")
}

/// The code of a refusal.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, RequestError>) -> u32 {
    match result {
        Err(RequestError::Refused { code, .. }) => code,
        other => panic!("a refusal was due, not {other:?}"),
    }
}
