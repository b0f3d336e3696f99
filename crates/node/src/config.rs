//! What the node is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use odeum_room::{RoomConfig, RuleChange};
use odeum_types::AppId;

use crate::claims::AppSettings;
use crate::limits::Limits;

/// Everything that the node is started with.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The media plane.
    pub media: MediaConfig,
    /// Room workers; a room stays on one. Default: one per core. More than cores gains nothing.
    pub room_workers: usize,
    /// How rooms are configured, but for what each app chooses in [`AppSettings`].
    pub room: RoomConfig,
    /// Limits of the node itself.
    pub limits: Limits,
    /// The apps served; replaced by [`crate::NodeHandle::update_apps`].
    pub apps: Vec<AppSettings>,
    /// Rules of apps that were made durable before; a change comes out of the journal.
    pub rules: Vec<(AppId, RuleChange)>,
}

/// The media plane.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// Where the first worker's UDP socket is bound; the next workers have the next ports. With
    /// port 0 each has a free one. Default 127.0.0.1:7881.
    pub listen: SocketAddr,
    /// Where the first worker's TCP port is bound, for clients that no UDP gets through; the next
    /// workers have the next ports. With port 0 each has a free one. Default none: UDP only.
    pub tcp_listen: Option<SocketAddr>,
    /// Worker threads. Default 1. More spread rooms over cores, and a room that is larger than one.
    pub workers: usize,
    /// Transports of one room on its own worker before the next sessions go to other workers; they
    /// go earlier when that worker is busy. Default 500. Lower spreads earlier, and each
    /// publisher's packets cross to each worker that the room is on.
    pub room_peers_per_worker: usize,
    /// Announced to clients in place of the bound address, the preferred one first. Default none:
    /// the bound address, or those of the interfaces when bound to all.
    pub external_addresses: Vec<IpAddr>,
    /// Interfaces whose addresses are announced, before the external ones. Default none.
    pub interfaces: Vec<String>,
    /// Asked how it sees the media sockets, `host:port`; that is announced as well. Default none.
    pub stun_server: Option<String>,
    /// Transports per worker; beyond it a publish or play is refused. Default 4,000, about 120 MB.
    pub peers_per_worker_max: usize,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            media: MediaConfig::default(),
            room_workers: std::thread::available_parallelism().map_or(1, usize::from),
            room: RoomConfig::default(),
            limits: Limits::default(),
            apps: Vec::new(),
            rules: Vec::new(),
        }
    }
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7881)),
            tcp_listen: None,
            workers: 1,
            room_peers_per_worker: 500,
            external_addresses: Vec::new(),
            interfaces: Vec::new(),
            stun_server: None,
            peers_per_worker_max: 4_000,
        }
    }
}
