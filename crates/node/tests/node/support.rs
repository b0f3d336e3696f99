//! A running node with one app, and what tests do with it again and again.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use odeum_node::{
    AppSettings, Inbox, JournalReceiver, LoggedIn, LoginFailed, LoginRequest, NodeConfig,
    NodeHandle, Outgoing, Record,
};
use odeum_room::{AuthLevel, DeleteStreamMode, Event, EventKind, Terminal, UserUpdate};
use odeum_types::{AppId, RoomId, StreamId, UserId, UserName};
use tokio::sync::mpsc;

/// The app of all tests.
pub(crate) const APP: AppId = AppId(7);

/// Where every client comes from.
pub(crate) const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Longest that a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A node, and the events that it has had acknowledged.
pub(crate) struct Node {
    /// The node.
    pub(crate) handle: NodeHandle,
    /// Its events, in order.
    events: mpsc::UnboundedReceiver<Event>,
}

/// A configuration with one app and a free port.
pub(crate) fn config() -> NodeConfig {
    let mut config = NodeConfig { room_workers: 2, ..NodeConfig::default() };
    config.media.listen = "127.0.0.1:0".parse().unwrap();
    config.apps = vec![AppSettings {
        app: APP,
        delete_stream: DeleteStreamMode::Stop,
        kick_on_token_expiry: false,
        linger: std::time::Duration::ZERO,
    }];
    config
}

/// Starts a node whose events are acknowledged at once.
pub(crate) fn start(config: NodeConfig) -> Node {
    let (handle, receiver) = NodeHandle::start(config).unwrap();
    let (sender, events) = mpsc::unbounded_channel();
    tokio::spawn(acknowledge_all(receiver, sender));
    Node { handle, events }
}

async fn acknowledge_all(mut receiver: JournalReceiver, sender: mpsc::UnboundedSender<Event>) {
    while let Some(mut entry) = receiver.recv().await {
        entry.acknowledge(Ok(()));
        let Record::Events(events) = entry.record else { continue };
        for event in events {
            sender.send(event).unwrap_or(());
        }
    }
}

impl Node {
    /// Logs a user in, without hearing of others.
    pub(crate) async fn login(&self, name: &str, user_id: &str) -> LoggedIn {
        self.try_login(name, user_id).await.unwrap()
    }

    /// As [`Node::login`], for logins that are refused.
    pub(crate) async fn try_login(&self, name: &str, id: &str) -> Result<LoggedIn, LoginFailed> {
        self.handle.login(APP, &room(name), request(id)).await
    }

    /// How many events have come that nobody has looked at.
    pub(crate) fn events_left(&self) -> usize {
        self.events.len()
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> EventKind {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        event.expect("an event comes").expect("the node runs").kind
    }

    /// Reads events until one that `wanted` accepts.
    pub(crate) async fn event_like(&mut self, wanted: impl Fn(&EventKind) -> bool) -> EventKind {
        loop {
            let event = self.event().await;
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Users of a room; none when there is no such room.
    pub(crate) async fn users(&self, name: &str) -> Option<usize> {
        self.handle.query(APP, &room(name), |room| room.user_count()).await.ok()
    }
}

/// A login of `id` that wants to hear of users.
pub(crate) fn request(id: &str) -> LoginRequest {
    LoginRequest {
        user: user(id),
        name: UserName::parse("").unwrap(),
        user_update: UserUpdate::Subscribed,
        users_max: None,
        token_expires_at: None,
        auth_level: AuthLevel::Token04,
        terminal: Terminal::Web,
        source: SOURCE,
    }
}

/// The next thing for a client.
pub(crate) async fn outgoing(inbox: &mut Inbox) -> Option<Outgoing> {
    tokio::time::timeout(PATIENCE, inbox.recv()).await.expect("something comes for the client")
}

pub(crate) fn room(text: &str) -> RoomId {
    RoomId::parse(text).unwrap()
}

pub(crate) fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

pub(crate) fn stream(text: &str) -> StreamId {
    StreamId::parse(text).unwrap()
}
