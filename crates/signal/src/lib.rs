//! The signalling surface: one WebSocket per client at `/signal`, JSON both ways (docs/reference/
//! signalling.md, `odeum_proto::signal`).
//!
//! - [`router`] serves it; [`SignalState`] holds the node, the apps and what all connections share.
//! - `connection`: the life of one WebSocket, in one task: requests one after another, notices
//!   between.
//! - `wire`: the WebSocket with its queue; a client that does not read fills its session's inbox
//!   and is cut there, and nobody waits for it.
//! - `messages/`: one file per family: shape, parse, ask the node, error to client code.
//! - [`Limits`] and `limits`: everything that a client may not exceed.
//!
//! The invariant: every readable request gets exactly one reply, in the order of the requests;
//! every notice of the inbox is written once, in order; and a WebSocket that ends has told the
//! node.
//!
//! The server puts the client's address into the request's extensions as
//! `axum::extract::ConnectInfo<SocketAddr>`; without it all clients count as one source.
//!
//! ```no_run
//! # fn serve(node: odeum_node::NodeHandle) -> axum::Router {
//! use odeum_auth::{Apps, IceServers};
//! use odeum_signal::{Limits, SignalState, router};
//! router(SignalState::new(node, Apps::default(), Limits::default(), IceServers::default()))
//! # }
//! ```

mod code;
mod connection;
mod limits;
mod messages;
mod refusal;
mod wire;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use odeum_auth::{Apps, FailedLogins, IceServers};
use odeum_node::NodeHandle;
use odeum_types::UnixMillis;

use crate::connection::Connection;
use crate::messages::{Caller, RenderedNotices};

pub use limits::{FAULTS_MAX, Limits, MESSAGE_BYTES_MAX, TOO_OFTEN_MAX};

/// Tells the time: the system's in the server, a test's own in tests. Not the node's, which runs on
/// from the start: after a suspension, or a start before the network's time had come, it would be
/// off for good, and every token with it.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// What all connections share. Clones are handles of the same.
#[derive(Clone)]
pub struct SignalState {
    /// The one copy.
    shared: Arc<Shared>,
}

/// See [`SignalState`].
struct Shared {
    /// Where the rooms are.
    node: NodeHandle,
    /// The secrets that tokens are checked with.
    apps: Apps,
    /// The time that tokens are held against.
    clock: Clock,
    /// What clients may do.
    limits: Limits,
    /// What clients are told of.
    ice_servers: IceServers,
    /// Texts of the latest notices.
    notices: RenderedNotices,
    /// Who failed to log in.
    failed_logins: FailedLogins,
    /// WebSockets that are open.
    connections: AtomicUsize,
}

impl SignalState {
    /// The surface of `node` for the clients of `apps`, by the system's clock.
    pub fn new(node: NodeHandle, apps: Apps, limits: Limits, ice_servers: IceServers) -> Self {
        Self::with_clock(node, apps, limits, ice_servers, Arc::new(system_time))
    }

    /// As [`SignalState::new`], by another clock.
    pub fn with_clock(
        node: NodeHandle,
        apps: Apps,
        limits: Limits,
        ice_servers: IceServers,
        clock: Clock,
    ) -> Self {
        let failed_logins = FailedLogins::new(limits.failed_logins_per_second);
        let notices = RenderedNotices::new();
        let connections = AtomicUsize::new(0);
        Self {
            shared: Arc::new(Shared {
                node,
                apps,
                clock,
                limits,
                ice_servers,
                notices,
                failed_logins,
                connections,
            }),
        }
    }

    /// WebSockets that are open now.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn node(&self) -> &NodeHandle {
        &self.shared.node
    }

    pub(crate) fn apps(&self) -> &Apps {
        &self.shared.apps
    }

    /// The time that tokens are held against.
    pub(crate) fn now(&self) -> UnixMillis {
        (self.shared.clock)()
    }

    /// When the node's clock will say what the system's says at `at`, as far as can be told now.
    pub(crate) fn on_nodes_clock(&self, at: UnixMillis) -> UnixMillis {
        self.node().now().after(at.since(self.now()))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn ice_servers(&self) -> &IceServers {
        &self.shared.ice_servers
    }

    pub(crate) fn notices(&self) -> &RenderedNotices {
        &self.shared.notices
    }

    /// Who failed to log in, for other doors that take tokens.
    pub fn failed_logins(&self) -> &FailedLogins {
        &self.shared.failed_logins
    }

    pub(crate) fn heartbeat_timeout(&self) -> Duration {
        self.shared.node.heartbeat_timeout()
    }
}

/// The system's time; one before 1970 counts as 1970.
fn system_time() -> UnixMillis {
    UnixMillis(UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as u64))
}

/// Serves `/signal`. Any `Origin` may connect: a token proves who it is, no cookie does.
pub fn router(state: SignalState) -> Router {
    Router::new().route("/signal", get(upgrade)).with_state(state)
}

async fn upgrade(
    State(state): State<SignalState>,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(seat) = Seat::take(&state) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections\n").into_response();
    };
    let source = address
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(ConnectInfo(address))| address.ip());
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let terminal = messages::terminal(user_agent);
    upgrade
        .read_buffer_size(limits::READ_BUFFER_BYTES)
        .write_buffer_size(limits::WRITE_BUFFER_BYTES)
        .max_message_size(limits::MESSAGE_READ_BYTES_MAX)
        .max_frame_size(limits::MESSAGE_READ_BYTES_MAX)
        .on_upgrade(move |socket| async move {
            Connection::new(Caller { state, source, terminal }, socket).run().await;
            drop(seat);
        })
}

/// One of the connections that may be open at once; given back when dropped.
struct Seat(SignalState);

impl Seat {
    fn take(state: &SignalState) -> Option<Self> {
        let connections = &state.shared.connections;
        let one_more = |open| (open < state.shared.limits.connections_max).then_some(open + 1);
        connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self(state.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
