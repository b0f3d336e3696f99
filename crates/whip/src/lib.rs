//! WHIP (RFC 9725) and WHEP (draft-murillo-whep) over HTTP: a program that publishes or plays one
//! stream with one request, without signalling.
//!
//! - [`router`] serves `/whip/{room}/{stream}` and `/whep/{room}/{stream}`.
//! - `offer`: the POST that begins: token, login, offer, answer.
//! - `session`: what it began, at a URL of its own, until it is deleted, or ends by itself.
//! - `links`: STUN and TURN servers in the answers' `Link` headers.
//! - `refusal`: why a request is refused, as status, sentence and client code.
//!
//! Whoever publishes or plays so is a user of the room like any other: in lists, notices and
//! callbacks, and for every action of the Server API.
//!
//! The invariant: a session of a room that was opened here ends with its URL: after a DELETE, when
//! its stream or play ends, or when the room ends it; nothing is left behind.

mod headers;
mod links;
mod offer;
mod refusal;
mod session;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Extension};
use axum::routing::post;
use odeum_auth::{Apps, FailedLogins, IceServers};
use odeum_node::NodeHandle;
use odeum_types::UnixMillis;

use crate::session::Sessions;

/// Longest SDP, in bytes; a longer one is refused with 413. As signalling's longest message.
const SDP_BYTES_MAX: usize = 64 * 1024;

/// Tells the time that tokens are held against.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// What all requests share. Clones are handles of the same.
#[derive(Clone)]
pub struct WhipState(Arc<Shared>);

/// See [`WhipState`].
struct Shared {
    /// Where the rooms are.
    node: NodeHandle,
    /// The secrets that tokens are checked with.
    apps: Apps,
    /// Who failed to log in, here or by signalling.
    failed_logins: FailedLogins,
    /// The system's time.
    clock: Clock,
    /// What clients are told of.
    ice_servers: IceServers,
    /// What is published and played.
    sessions: Sessions,
}

/// What a request does with its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    /// WHIP.
    Publish,
    /// WHEP.
    Play,
}

impl WhipState {
    /// The surface of `node` for the clients of `apps`.
    pub fn new(
        node: NodeHandle,
        apps: Apps,
        failed_logins: FailedLogins,
        clock: Clock,
        ice_servers: IceServers,
    ) -> Self {
        let sessions = Sessions::default();
        Self(Arc::new(Shared { node, apps, failed_logins, clock, ice_servers, sessions }))
    }

    /// Sessions that are open now.
    pub fn sessions(&self) -> usize {
        self.0.sessions.count()
    }

    fn now(&self) -> UnixMillis {
        (self.0.clock)()
    }

    /// When the node's clock will say what the system's says at `at`.
    fn on_nodes_clock(&self, at: UnixMillis) -> UnixMillis {
        self.0.node.now().after(at.since(self.now()))
    }
}

impl Role {
    /// The first part of its paths.
    fn path(self) -> &'static str {
        match self {
            Self::Publish => "whip",
            Self::Play => "whep",
        }
    }
}

/// Serves both. Any `Origin` may ask: a token proves who it is, no cookie does.
pub fn router(state: WhipState) -> Router {
    let of = |role: Role| {
        Router::new()
            .route("/{room}/{stream}", post(offer::begin).options(links::preflight))
            .route(
                "/{room}/{stream}/{session}",
                axum::routing::patch(session::patch)
                    .delete(session::delete)
                    .options(headers::preflight),
            )
            .layer(Extension(role))
    };
    Router::new()
        .nest("/whip", of(Role::Publish))
        .nest("/whep", of(Role::Play))
        .layer(DefaultBodyLimit::max(SDP_BYTES_MAX))
        .layer(axum::middleware::map_response(headers::for_any_origin))
        .with_state(state)
}

/// The client's address as the server says it; without it all clients count as one source.
fn source(address: Option<Extension<ConnectInfo<SocketAddr>>>) -> IpAddr {
    address
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(ConnectInfo(address))| address.ip())
}
