//! The relay of TURN (RFC 8656): clients come over UDP, TCP or TLS, and are led to this node's own
//! media ports (`odeum_turn`). Each client that has an allocation has a task and a socket of its
//! own here; who has none has neither.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use odeum_turn::{Action, Client, Family, FromPeer, Gate, Limits as ClientLimits, Refusal};
use odeum_types::{Redacted, UnixMillis};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::counters::Counters;
use self::quotas::{Quotas, Taken};
use self::socket::TurnSocket;
use crate::handle::NodeHandle;
use crate::identity::random_bytes;
use crate::limits::TURN_SESSION_CHECK_INTERVAL;

mod counters;
mod datagrams;
mod permitted_peers;
mod quotas;
mod socket;
mod streams;

pub use counters::{Carried, TurnStatistics};
pub(crate) use permitted_peers::PermittedPeers;

/// The system's time.
type WallClock = fn() -> UnixMillis;

/// What the relay is started with.
#[derive(Debug, Clone)]
pub struct TurnConfig {
    /// Where passwords come from ([`odeum_turn::Gate`]).
    pub secret: Redacted<String>,
    /// What clients are told that the names are of.
    pub realm: String,
    /// Allocations at once; beyond it a client gets 508.
    pub allocations_max: usize,
    /// Allocations of one user of an app at once; beyond it 486.
    pub allocations_per_user_max: usize,
    /// Bits each second of one allocation, both directions together; what is more is lost.
    pub bits_per_second_max: u64,
}

/// The relay; clones are handles of the same.
#[derive(Clone)]
pub struct TurnRelay(Arc<Shared>);

/// See [`TurnRelay`].
struct Shared {
    gate: Gate,
    node: NodeHandle,
    limits: ClientLimits,
    wall: WallClock,
    counters: Counters,
    /// Allocations that may still be made.
    seats: Arc<Semaphore>,
    allocations_max: usize,
    /// Allocations of each user.
    quotas: Quotas,
}

/// A socket towards the media ports, and its place among the allocations.
struct Relay {
    socket: UdpSocket,
    shared: Arc<Shared>,
    _seat: OwnedSemaphorePermit,
    _of_user: Taken,
}

impl TurnRelay {
    /// A relay to the media ports of `node`. `is_here` says of the name of a client whether its
    /// session goes on; what it was given ends within [`TURN_SESSION_CHECK_INTERVAL`] otherwise.
    pub fn new(
        config: TurnConfig,
        node: &NodeHandle,
        wall: WallClock,
        is_here: impl Fn(UnixMillis, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let gate = Gate::new(config.realm, config.secret, random_bytes()).while_here(is_here);
        let limits = ClientLimits { bytes_per_second: config.bits_per_second_max / 8 };
        Self(Arc::new(Shared {
            gate,
            node: node.clone(),
            limits,
            wall,
            counters: Counters::default(),
            seats: Arc::new(Semaphore::new(config.allocations_max)),
            allocations_max: config.allocations_max,
            quotas: Quotas::new(config.allocations_per_user_max),
        }))
    }

    /// Serves clients that come over UDP to `listen`, for as long as the runtime runs.
    ///
    /// # Errors
    /// What the kernel says: the port is taken.
    pub async fn listen_udp(&self, listen: SocketAddr) -> io::Result<SocketAddr> {
        let socket = Arc::new(TurnSocket::bind(listen).await?);
        let local = socket.bound();
        tokio::spawn(datagrams::serve(Arc::clone(&self.0), socket));
        Ok(local)
    }

    /// Serves one client that has come over TCP or TLS, until it goes.
    pub async fn serve_stream<S>(&self, source: SocketAddr, mut stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        // A stream that ends, whyever, takes its allocation with it.
        drop(streams::serve(&self.0, source, &mut stream).await);
    }

    /// What it has counted.
    pub fn statistics(&self) -> TurnStatistics {
        let free = self.0.seats.available_permits();
        self.0.counters.copy(self.0.allocations_max.saturating_sub(free) as u64)
    }
}

impl Shared {
    fn handle<'a>(&self, client: &mut Client, bytes: &'a [u8]) -> Action<'a> {
        let permitted = self.node.shared.permitted_peers();
        let (now, wall) = (Instant::now(), (self.wall)());
        let action = client.handle(now, wall, &self.gate, permitted.peers(), bytes);
        match &action {
            Action::Refuse { why, .. } => self.counters.refused(*why),
            Action::ToPeer { bytes, .. } => self.counters.to_media(bytes.len()),
            Action::OverRate => self.counters.over_rate(),
            Action::Nothing | Action::Reply(_) | Action::Open { .. } | Action::Ended(_) => {}
        }
        action
    }

    /// Whether what came from a media port goes to the client; it stands in `out` then.
    fn handle_peer(
        &self,
        client: &mut Client,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        match client.handle_peer(Instant::now(), from, bytes, out) {
            FromPeer::Passed => {
                self.counters.to_client(bytes.len());
                true
            }
            FromPeer::OverRate => {
                self.counters.over_rate();
                false
            }
            FromPeer::Refused => false,
        }
    }

    /// A socket for `client`, whose request it was, and the reply.
    async fn open(
        self: &Arc<Self>,
        client: &mut Client,
        username: &str,
        family: Family,
    ) -> (Option<Relay>, Vec<u8>) {
        let opened = self.relay(username, family).await;
        let (relay, shown) = match opened {
            Ok((relay, shown)) => (Some(relay), Ok(shown)),
            Err(why) => {
                self.counters.refused(why);
                (None, Err(why))
            }
        };
        (relay, client.allocated(Instant::now(), shown))
    }

    async fn relay(
        self: &Arc<Self>,
        username: &str,
        family: Family,
    ) -> Result<(Relay, SocketAddr), Refusal> {
        let relayed_ip = self.node.shared.permitted_peers().relayed_ip(family);
        let (bind, shown) = relayed_ip.ok_or(Refusal::FamilyUnsupported)?;
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| Refusal::Capacity)?;
        let socket = UdpSocket::bind((bind, 0)).await.map_err(|_| Refusal::Capacity)?;
        let local = socket.local_addr().map_err(|_| Refusal::Capacity)?;
        let of_user = self.quotas.take(username)?;
        self.counters.allocated();
        let relay = Relay { socket, shared: Arc::clone(self), _seat: seat, _of_user: of_user };
        Ok((relay, SocketAddr::new(shown, local.port())))
    }

    /// When a client is to be looked at again although it says nothing: its allocation may have
    /// ended by then, or its session.
    fn next_look(ends: Option<Instant>) -> Instant {
        let look_at = Instant::now() + TURN_SESSION_CHECK_INTERVAL;
        ends.map_or(look_at, |ends| ends.min(look_at))
    }

    /// Whether what the client has goes on.
    fn goes_on(&self, client: &Client) -> bool {
        let is_over = client.ends().is_none_or(|ends| Instant::now() >= ends);
        if is_over {
            return false;
        }
        let is_here = client.username().is_some_and(|name| self.gate.is_here((self.wall)(), name));
        if !is_here {
            self.counters.ended_with_session();
        }
        is_here
    }
}
