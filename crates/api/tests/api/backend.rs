//! A backend with a node of its own: signs requests, logs users in, publishes without media.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{self, Body};
use axum::http::{Request, StatusCode};
use odeum_api::{ApiState, StreamHistory, router};
use odeum_auth::{AppCredentials, Apps, Environment, ServerSecret, server_api};
use odeum_node::{
    AppSettings, CommandError, JournalReceiver, LoggedIn, LoginFailed, LoginRequest, NodeConfig,
    NodeHandle, Outgoing, Record,
};
use odeum_room::{
    AuthLevel, DeleteStreamMode, Event, EventKind, MediaFacts, Notice, PublishError,
    StartPublishing, Terminal, UserUpdate,
};
use odeum_types::{AppId, Codec, PeerId, RoomId, StreamId, UnixMillis, UserId, UserName};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const APP: AppId = AppId(1_234_567_890);
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// When every backend's clock starts: 2026-11-23.
const START: u64 = 1_795_400_000_000;

pub(crate) struct Backend {
    pub(crate) router: Router,
    pub(crate) node: NodeHandle,
    pub(crate) state: ApiState,
    pub(crate) apps: Apps,
    clock: Arc<AtomicU64>,
    nonces: AtomicU64,
    events: Arc<Mutex<Vec<EventKind>>>,
    /// From when on events are neither read nor acknowledged.
    stuck: Arc<AtomicBool>,
}

impl Backend {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(set: impl FnOnce(&mut NodeConfig)) -> Self {
        Self::start_whole(set, StreamHistory::none()).await
    }

    pub(crate) async fn start_with_history(history: StreamHistory) -> Self {
        Self::start_whole(|_| {}, history).await
    }

    async fn start_whole(set: impl FnOnce(&mut NodeConfig), history: StreamHistory) -> Self {
        let mut config = NodeConfig::default();
        config.media.listen = "127.0.0.1:0".parse().unwrap();
        config.apps = vec![AppSettings {
            app: APP,
            delete_stream: DeleteStreamMode::Stop,
            kick_on_token_expiry: false,
            linger: std::time::Duration::ZERO,
        }];
        set(&mut config);
        let (node, receiver) = NodeHandle::start(config).unwrap();
        let kept: Arc<Mutex<Vec<EventKind>>> = Arc::default();
        let stuck: Arc<AtomicBool> = Arc::default();
        tokio::spawn(acknowledge(receiver, Arc::clone(&kept), Arc::clone(&stuck)));
        let clock = Arc::new(AtomicU64::new(START));
        let now = Arc::clone(&clock);
        let apps = Apps::new([(APP, credentials(Environment::Any))]);
        let time = Arc::new(move || UnixMillis(now.load(Ordering::Relaxed)));
        let state = ApiState::new(node.clone(), apps.clone(), time, history);
        let router = router(state.clone());
        let nonces = AtomicU64::new(0);
        Self { router, node, state, apps, clock, nonces, events: kept, stuck }
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.clock.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    /// The common parameters of a new request, signed.
    pub(crate) fn signed(&self) -> String {
        let nonce = format!("{:016x}", self.nonces.fetch_add(1, Ordering::Relaxed));
        self.signed_with(&nonce)
    }

    pub(crate) fn signed_with(&self, nonce: &str) -> String {
        let timestamp = (self.clock.load(Ordering::Relaxed) / 1000) as i64;
        let signature = server_api::make(APP, nonce, SECRET.as_bytes(), timestamp);
        format!(
            "AppId={APP}&SignatureNonce={nonce}&Timestamp={timestamp}&Signature={signature}\
             &SignatureVersion=2.0"
        )
    }

    /// A new signed GET; returns the reply.
    pub(crate) async fn call(&self, parameters: &str) -> Value {
        self.get(&format!("{}&{parameters}", self.signed())).await
    }

    /// As [`Backend::call`], the code only.
    pub(crate) async fn code(&self, parameters: &str) -> u64 {
        self.call(parameters).await["Code"].as_u64().unwrap()
    }

    /// As [`Backend::code`], a second later, so that no rate limit is in the way.
    pub(crate) async fn code_later(&self, parameters: &str) -> u64 {
        self.advance(Duration::from_secs(10));
        self.code(parameters).await
    }

    pub(crate) async fn get(&self, query: &str) -> Value {
        let request = Request::get(format!("/?{query}")).body(Body::empty()).unwrap();
        let (status, text) = self.send(request).await;
        assert_eq!(status, StatusCode::OK, "{query}");
        serde_json::from_str(&text).unwrap()
    }

    /// What the node serves at `path`, which needs no signature.
    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let (status, text) = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn status(&self, path: &str) -> u16 {
        let (status, _) = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        status.as_u16()
    }

    pub(crate) async fn post(&self, query: &str, json: &str) -> Value {
        let request = Request::post(format!("/?{query}")).body(json.to_owned().into()).unwrap();
        let (status, text) = self.send(request).await;
        assert_eq!(status, StatusCode::OK, "{query} {json}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Neither reads nor acknowledges events from now on, but for the next batch, which is read.
    pub(crate) fn stop_events(&self) {
        self.stuck.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn login(&self, room: &str, user: &str) -> LoggedIn {
        self.try_login(room, user).await.unwrap()
    }

    /// As [`Backend::login`], for logins that are refused.
    pub(crate) async fn try_login(&self, room: &str, user: &str) -> Result<LoggedIn, LoginFailed> {
        let request = LoginRequest {
            user: UserId::parse(user).unwrap(),
            name: UserName::parse(&format!("{user} by name")).unwrap(),
            user_update: UserUpdate::Subscribed,
            users_max: None,
            token_expires_at: None,
            auth_level: AuthLevel::Token04,
            terminal: Terminal::Web,
            source: [127, 0, 0, 1].into(),
        };
        self.node.login(APP, &RoomId::parse(room).unwrap(), request).await
    }

    /// Publishes, with a transport that the media plane does not know.
    pub(crate) async fn publish(&self, publisher: &LoggedIn, stream: &str, peer: u64) {
        self.try_publish(publisher, stream, peer).await.unwrap();
    }

    /// As [`Backend::publish`], which may fail because nobody acknowledges its event.
    pub(crate) async fn try_publish(
        &self,
        publisher: &LoggedIn,
        stream: &str,
        peer: u64,
    ) -> Result<(), CommandError> {
        self.offer(publisher, stream, peer).await.map(|published| published.unwrap())
    }

    /// As [`Backend::publish`], which the room may refuse.
    pub(crate) async fn offer(
        &self,
        publisher: &LoggedIn,
        stream: &str,
        peer: u64,
    ) -> Result<Result<(), PublishError>, CommandError> {
        let start = StartPublishing {
            session: publisher.session.session,
            stream: StreamId::parse(stream).unwrap(),
            peer: PeerId(peer),
            source: [127, 0, 0, 1].into(),
            extra_info: "".into(),
        };
        let facts = MediaFacts { audio: Some(Codec::Opus), video: Some(Codec::Vp8) };
        let published =
            self.node.command(APP, &publisher.session.room, move |now, room, claims| {
                room.start_publishing(now, &mut claims.lock(), start)?;
                room.media_connected(now, PeerId(peer), facts);
                Ok::<(), PublishError>(())
            });
        published.await
    }

    /// The events since the last time.
    pub(crate) fn events(&self) -> Vec<EventKind> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

pub(crate) fn credentials(environment: Environment) -> AppCredentials {
    let mut app = AppCredentials::new(vec![ServerSecret::parse(SECRET).unwrap()]).unwrap();
    app.environment = environment;
    app
}

/// What a client has been told since the last time.
pub(crate) fn told(client: &mut LoggedIn) -> Vec<Arc<Notice>> {
    std::iter::from_fn(|| client.inbox.try_recv())
        .filter_map(|outgoing| match outgoing {
            Outgoing::Notice { notice, .. } | Outgoing::Unnumbered { notice } => Some(notice),
            Outgoing::Close { .. } => None,
        })
        .collect()
}

async fn acknowledge(
    mut receiver: JournalReceiver,
    kept: Arc<Mutex<Vec<EventKind>>>,
    stuck: Arc<AtomicBool>,
) {
    while let Some(mut entry) = receiver.recv().await {
        if stuck.load(Ordering::Relaxed) {
            // Holds the receiver and the entry for as long as the test runs.
            std::future::pending::<()>().await;
        }
        entry.acknowledge(Ok(()));
        let Record::Events(events) = entry.record else { continue };
        kept.lock().unwrap().extend(events.into_iter().map(|Event { kind, .. }| kind));
    }
}
