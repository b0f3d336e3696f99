//! Starting a node: sockets first, for they may fail, then threads and tasks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use odeum_sfu::SfuConfig;
use tokio::sync::watch;

use crate::claims::AppRegistry;
use crate::clock::Clock;
use crate::config::{MediaConfig, NodeConfig};
use crate::handle::NodeHandle;
use crate::identity::{Identities, random_bytes};
use crate::journal::{JournalReceiver, journal};
use crate::limits::SOCKET_BUFFER_BYTES;
use crate::mailbox::mailbox;
use crate::media_address::{announced, announced_addresses};
use crate::media_handle::{MediaHandle, WorkerNumber};
use crate::media_worker::{self, MediaPorts};
use crate::room_worker;
use crate::shared::Shared;
use crate::statistics::ControlCounters;
use crate::tcp::TcpPort;
use crate::turn::PermittedPeers;
use crate::udp::UdpSocket;

impl NodeHandle {
    /// Starts a node on the current tokio runtime; what must be made durable comes out of the
    /// receiver. It runs until
    /// [`NodeHandle::shutdown`].
    ///
    /// # Errors
    /// A media address that cannot be bound, named in the message; or the machine is out of
    /// threads.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(config: NodeConfig) -> io::Result<(Self, JournalReceiver)> {
        let (media, media_ports) = start_media(&config.media, config.limits.media_commands_max)?;
        let (journal, receiver) = journal(config.limits.journal_bytes_max);
        let workers = config.room_workers.max(1);
        let (mailboxes, receivers): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| mailbox(config.limits.mailbox_commands_max)).unzip();
        let clock = Clock::start();
        let permitted_peers = PermittedPeers::new(media_ports.iter().copied(), []);
        let shared = Arc::new(Shared {
            ids: Identities::new(clock.now()),
            limits: config.limits,
            heartbeat_timeout: config.room.heartbeat_timeout,
            apps: AppRegistry::new(config.room, clock.now(), config.apps, config.rules),
            clock,
            rooms: mailboxes,
            sessions: (0..workers).map(|_| Arc::new(AtomicU64::new(0))).collect(),
            media,
            media_addresses: bound(&media_ports),
            permitted_peers: watch::Sender::new(Arc::new(permitted_peers)),
            media_ports,
            stun_server: config.media.stun_server,
            room_peers_per_worker: config.media.room_peers_per_worker,
            journal,
            counters: ControlCounters::default(),
            closing: AtomicBool::new(false),
        });
        for (receiver, sessions) in receivers.into_iter().zip(&shared.sessions) {
            tokio::spawn(room_worker::run(Arc::clone(&shared), Arc::clone(sessions), receiver));
        }
        Ok((Self { shared }, receiver))
    }
}

fn start_media(
    config: &MediaConfig,
    offers_max: usize,
) -> io::Result<(Arc<[MediaHandle]>, MediaPortNames)> {
    // Before any socket: what is configured wrongly is said first.
    announced_addresses(config).map_err(io::Error::other)?;
    let certificate = odeum_sfu::DtlsCertificate::generate().map_err(io::Error::other)?;
    // All sockets before the first thread, so that a taken port leaves nothing running.
    let ports = (0..config.workers.max(1))
        .map(|number| {
            let address = worker_address(config.listen, number)?;
            let udp = UdpSocket::bind(address, SOCKET_BUFFER_BYTES).map_err(|error| {
                io::Error::new(error.kind(), format!("media address udp {address}: {error}"))
            })?;
            let tcp = config.tcp_listen.map(|listen| bind_tcp(worker_address(listen, number)?));
            Ok(MediaPorts { udp, tcp: tcp.transpose()? })
        })
        .collect::<io::Result<Vec<_>>>()?;
    let (handles, queues): (Vec<_>, Vec<_>) = (0..ports.len())
        .map(|_| MediaHandle::new(offers_max))
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .unzip();
    let handles: Arc<[MediaHandle]> = handles.into();
    let mut media_ports = Vec::new();
    for (number, (ports, queue)) in ports.into_iter().zip(queues).enumerate() {
        let socket = &ports.udp;
        let local = socket.local();
        let candidates = announced(config, local).map_err(io::Error::other)?;
        let (receive_bytes, send_bytes) = socket.buffers();
        tracing::info!(
            worker = number, %local, announced = ?candidates, gso = ?socket.segmentation(),
            gro = socket.gro(), receive_bytes, send_bytes,
            "media worker listens",
        );
        media_ports.extend(candidates.iter().map(|announced| (*announced, local)));
        let mut sfu = SfuConfig::new(certificate.clone(), candidates, random_bytes());
        sfu.peers_max = config.peers_per_worker_max;
        if let Some(tcp) = &ports.tcp {
            let local = tcp.local()?;
            sfu.tcp_candidates = announced(config, local).map_err(io::Error::other)?;
            let announced = &sfu.tcp_candidates;
            tracing::info!(worker = number, %local, ?announced, "media worker listens on TCP");
        }
        media_worker::start(WorkerNumber(number), &handles, queue, ports, sfu)?;
    }
    Ok((handles, media_ports))
}

/// The UDP ports of media: as clients are told of them, and as they are bound.
pub(crate) type MediaPortNames = Vec<(SocketAddr, SocketAddr)>;

/// Where the workers are bound, each once and in their order.
fn bound(media_ports: &[(SocketAddr, SocketAddr)]) -> Vec<SocketAddr> {
    let mut addresses: Vec<_> = media_ports.iter().map(|(_, local)| *local).collect();
    addresses.dedup();
    addresses
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpPort> {
    TcpPort::bind(Instant::now(), address).map_err(|error| {
        io::Error::new(error.kind(), format!("media address tcp {address}: {error}"))
    })
}

fn worker_address(listen: SocketAddr, number: usize) -> io::Result<SocketAddr> {
    if listen.port() == 0 {
        return Ok(listen);
    }
    let offset = u16::try_from(number).ok();
    let port = offset.and_then(|offset| listen.port().checked_add(offset)).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the media ports go beyond 65535")
    })?;
    Ok(SocketAddr::new(listen.ip(), port))
}
