//! The relay of TURN (RFC 8656): clients come over UDP, TCP or TLS, and are led to this node's own
//! media ports (`odeum_turn`). Each client that has an allocation has a task and a socket of its
//! own here; who has none has neither.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use odeum_sfu::AddressPair;
use odeum_turn::{Action, Client, Gate, Limits as ClientLimits, Peers, frame_length};
use odeum_types::{Redacted, UnixMillis};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use self::socket::TurnSocket;
use crate::handle::NodeHandle;
use crate::identity::random_bytes;
use crate::limits::{
    TURN_DATAGRAM_BYTES_MAX, TURN_IDLE_MAX, TURN_QUEUE_PACKETS_MAX, TURN_WRITE_MAX,
};

mod socket;

/// How long to wait after a read that failed: mostly it told of an ICMP error of an earlier send.
const READ_PAUSE: Duration = Duration::from_millis(1);

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
    /// Allocations of one name at once; beyond it 508.
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
    peers: Peers,
    limits: ClientLimits,
    wall: WallClock,
    /// Where relay sockets are bound: where the media ports are reached from.
    bind: IpAddr,
    /// The address that clients are told of them; nobody but the media ports is ever heard there.
    shown: IpAddr,
    /// Allocations that may still be made.
    seats: Arc<Semaphore>,
    /// Allocations of each name. A lock, since each is taken and given back by another task.
    by_user: Mutex<HashMap<String, usize>>,
    allocations_per_user_max: usize,
}

/// A socket towards the media ports, and its place among the allocations.
struct Relay {
    socket: UdpSocket,
    shared: Arc<Shared>,
    username: String,
    _seat: OwnedSemaphorePermit,
}

impl Drop for Relay {
    fn drop(&mut self) {
        let mut by_user = self.shared.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_user.get_mut(&self.username) {
            *count -= 1;
            if *count == 0 {
                by_user.remove(&self.username);
            }
        }
    }
}

impl TurnRelay {
    /// A relay to the media ports of `node`.
    pub fn new(config: TurnConfig, node: &NodeHandle, wall: WallClock) -> Self {
        let ports = node.shared.media_ports.iter();
        let peers =
            Peers::new(ports.map(|(announced, local)| (*announced, reached(*local, *announced))));
        let (shown, bind) = peers.first().map_or(
            (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()),
            |(announced, local)| (announced.ip(), local.ip()),
        );
        let gate = Gate::new(config.realm, config.secret, random_bytes());
        let limits = ClientLimits { bytes_per_second: config.bits_per_second_max / 8 };
        Self(Arc::new(Shared {
            gate,
            peers,
            limits,
            wall,
            bind,
            shown,
            seats: Arc::new(Semaphore::new(config.allocations_max)),
            by_user: Mutex::default(),
            allocations_per_user_max: config.allocations_per_user_max,
        }))
    }

    /// Serves clients that come over UDP to `listen`, for as long as the runtime runs.
    ///
    /// # Errors
    /// What the kernel says: the port is taken.
    pub async fn listen_udp(&self, listen: SocketAddr) -> io::Result<SocketAddr> {
        let socket = Arc::new(TurnSocket::bind(listen).await?);
        let local = socket.bound();
        tokio::spawn(serve_udp(Arc::clone(&self.0), socket));
        Ok(local)
    }

    /// Serves one client that has come over TCP or TLS, until it goes.
    pub async fn serve_stream<S>(&self, source: SocketAddr, mut stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        // A stream that ends, whyever, takes its allocation with it.
        drop(serve_stream(&self.0, source, &mut stream).await);
    }
}

/// Where a media port is reached from this machine.
fn reached(local: SocketAddr, announced: SocketAddr) -> SocketAddr {
    let ip = match (local.ip(), announced.ip()) {
        (bound, IpAddr::V4(_)) if bound.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        (bound, IpAddr::V6(_)) if bound.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        (bound, _) => bound,
    };
    SocketAddr::new(ip, local.port())
}

impl Shared {
    fn handle<'a>(&self, client: &mut Client, bytes: &'a [u8]) -> Action<'a> {
        client.handle(Instant::now(), (self.wall)(), &self.gate, &self.peers, bytes)
    }

    /// A socket for `client`, whose request it was, and the reply.
    async fn open(
        self: &Arc<Self>,
        client: &mut Client,
        username: String,
    ) -> (Option<Relay>, Vec<u8>) {
        let relay = self.relay(username).await;
        let port = relay.as_ref().and_then(|relay| relay.socket.local_addr().ok());
        let shown = port.map(|local| SocketAddr::new(self.shown, local.port()));
        (relay, client.allocated(Instant::now(), shown))
    }

    async fn relay(self: &Arc<Self>, username: String) -> Option<Relay> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let socket = UdpSocket::bind(SocketAddr::new(self.bind, 0)).await.ok()?;
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_user.entry(username.clone()).or_insert(0);
        if *count >= self.allocations_per_user_max {
            return None;
        }
        *count += 1;
        drop(by_user);
        Some(Relay { socket, shared: Arc::clone(self), username, _seat: seat })
    }
}

/// Reads all clients of a UDP port and hands each its own.
async fn serve_udp(shared: Arc<Shared>, socket: Arc<TurnSocket>) {
    // One socket of a client's may ask at several of this machine's addresses (RFC 8656 §3).
    let mut clients: HashMap<AddressPair, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0; TURN_DATAGRAM_BYTES_MAX];
    let seats = shared.seats.available_permits();
    loop {
        let Ok((length, way)) = socket.receive(&mut buffer).await else {
            tokio::time::sleep(READ_PAUSE).await;
            continue;
        };
        let bytes = &buffer[..length];
        if let Some(client) = clients.get(&way) {
            match client.try_send(bytes.to_vec()) {
                // A full queue loses it, as a network would.
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => continue,
                Err(mpsc::error::TrySendError::Closed(_)) => drop(clients.remove(&way)),
            }
        }
        let mut client = Client::new(way.remote.socket, shared.limits);
        let (relay, reply) = match shared.handle(&mut client, bytes) {
            Action::Reply(reply) | Action::Ended(reply) => (None, reply),
            Action::Open { username } => shared.open(&mut client, username).await,
            Action::Nothing | Action::ToPeer { .. } => continue,
        };
        if let Some(relay) = relay {
            if clients.len() >= 2 * seats {
                clients.retain(|_, client| !client.is_closed());
            }
            let (queue, packets) = mpsc::channel(TURN_QUEUE_PACKETS_MAX);
            clients.insert(way, queue);
            tokio::spawn(serve_datagrams(client, relay, Arc::clone(&socket), way, packets));
        }
        // Lost as in a network when the kernel does not take it.
        drop(socket.send(way, &reply).await);
    }
}

/// Serves one client of a UDP port until its allocation ends.
async fn serve_datagrams(
    mut client: Client,
    relay: Relay,
    socket: Arc<TurnSocket>,
    way: AddressPair,
    mut packets: mpsc::Receiver<Vec<u8>>,
) {
    let shared = Arc::clone(&relay.shared);
    let (mut buffer, mut out) = (vec![0; TURN_DATAGRAM_BYTES_MAX], Vec::new());
    while let Some(ends) = client.ends() {
        tokio::select! {
            packet = packets.recv() => {
                let Some(packet) = packet else { return };
                match shared.handle(&mut client, &packet) {
                    Action::Reply(reply) | Action::Ended(reply) => {
                        drop(socket.send(way, &reply).await);
                    }
                    Action::ToPeer { to, bytes } => drop(relay.socket.send_to(bytes, to).await),
                    Action::Nothing | Action::Open { .. } => {}
                }
            }
            received = relay.socket.recv_from(&mut buffer) => {
                let Ok((length, from)) = received else { continue };
                let (now, bytes) = (Instant::now(), &buffer[..length]);
                if client.handle_peer(now, &shared.peers, from, bytes, &mut out) {
                    drop(socket.send(way, &out).await);
                }
            }
            () = tokio::time::sleep_until(ends.into()) => return,
        }
    }
}

/// What a stream's task was woken by.
enum Woken {
    /// The client has sent so many bytes.
    Client(usize),
    /// A peer has sent so many bytes.
    Peer(usize, SocketAddr),
    /// Nothing worth mentioning.
    Nothing,
}

async fn serve_stream<S>(shared: &Arc<Shared>, source: SocketAddr, stream: &mut S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = Client::new(source, shared.limits);
    let mut relay: Option<Relay> = None;
    let idle_until = Instant::now() + TURN_IDLE_MAX;
    let mut input = vec![0; 2 * TURN_DATAGRAM_BYTES_MAX];
    let (mut buffer, mut out) = (vec![0; TURN_DATAGRAM_BYTES_MAX], Vec::new());
    let mut filled = 0;
    loop {
        let until = client.ends().unwrap_or(idle_until);
        if Instant::now() >= until {
            return Ok(());
        }
        let woken = tokio::select! {
            read = stream.read(&mut input[filled..]) => Woken::Client(read?),
            received = receive(&relay, &mut buffer) => match received {
                Ok((length, from)) => Woken::Peer(length, from),
                Err(_) => Woken::Nothing,
            },
            () = tokio::time::sleep_until(until.into()) => return Ok(()),
        };
        match woken {
            Woken::Nothing => {}
            Woken::Client(0) => return Ok(()),
            Woken::Client(read) => {
                filled += read;
                let mut at = 0;
                while let Some(length) =
                    frame_length(&input[at..filled]).map_err(io::Error::other)?
                    && at + length <= filled
                {
                    let frame = &input[at..at + length];
                    at += length;
                    match shared.handle(&mut client, frame) {
                        Action::Nothing => {}
                        Action::Reply(reply) => write(stream, &reply).await?,
                        Action::Ended(reply) => return write(stream, &reply).await,
                        Action::Open { username } => {
                            let (opened, reply) = shared.open(&mut client, username).await;
                            relay = opened;
                            write(stream, &reply).await?;
                        }
                        Action::ToPeer { to, bytes } => {
                            if let Some(relay) = &relay {
                                drop(relay.socket.send_to(bytes, to).await);
                            }
                        }
                    }
                }
                input.copy_within(at..filled, 0);
                filled -= at;
            }
            Woken::Peer(length, from) => {
                let (now, bytes) = (Instant::now(), &buffer[..length]);
                if client.handle_peer(now, &shared.peers, from, bytes, &mut out) {
                    write(stream, &out).await?;
                }
            }
        }
    }
}

async fn receive(relay: &Option<Relay>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match relay {
        Some(relay) => relay.socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

/// Writes all of it; a client that does not read for so long is left. What comes meanwhile waits in
/// the relay's socket, and is lost there when it is too much.
async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    let all = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    match tokio::time::timeout(TURN_WRITE_MAX, all).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
