//! The relay's listeners: UDP is the node's own, TCP and TLS connections are accepted here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use odeum_auth::{IceServer, TurnHolder, TurnName};
use odeum_node::{NodeHandle, TurnRelay};
use odeum_types::{Redacted, UnixMillis};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use crate::config::TurnConfig;
use crate::listener::TLS_WITHIN;
use crate::wall_clock;

/// How long to wait when the system has no descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections at once for each allocation that there may be: one that has none yet, and one that
/// has.
const CONNECTIONS_PER_ALLOCATION: usize = 2;

/// Starts the relay to the media ports of `node`; it runs as long as the process. Gives it, and
/// what clients are told of it.
///
/// # Errors
/// An address that cannot be bound, by its key.
pub(crate) async fn start(
    config: &TurnConfig,
    node: &NodeHandle,
    tls: Option<TlsAcceptor>,
) -> anyhow::Result<(TurnRelay, IceServer)> {
    // Good for this run: whoever was told another logs in again after a restart anyway.
    let secret = Redacted::new(format!("{:032x}", rand::random::<u128>()));
    let relay = TurnRelay::new(
        odeum_node::TurnConfig {
            secret: secret.clone(),
            realm: config.host.clone(),
            allocations_max: config.allocations_max,
            allocations_per_user_max: config.allocations_per_login_max,
            bits_per_second_max: config.kbps_per_allocation_max * 1_000,
        },
        node,
        wall_clock,
        is_here(node.clone()),
    );
    let tcp = TcpListener::bind(config.listen).await;
    let tcp = tcp.with_context(|| format!("turn.listen = tcp {}", config.listen))?;
    let local = tcp.local_addr()?;
    let udp = relay.listen_udp(local).await;
    udp.with_context(|| format!("turn.listen = udp {local}"))?;
    let slots = Arc::new(Semaphore::new(config.allocations_max * CONNECTIONS_PER_ALLOCATION));
    tokio::spawn(accept(relay.clone(), tcp, None, Arc::clone(&slots)));
    let mut tls_port = None;
    if let Some(listen) = config.tls_listen {
        let socket = TcpListener::bind(listen).await;
        let socket = socket.with_context(|| format!("turn.tls_listen = {listen}"))?;
        tls_port = Some(socket.local_addr()?.port());
        tokio::spawn(accept(relay.clone(), socket, tls, slots));
    }
    info!(%local, tls_port, host = config.host, "TURN relays to the media ports");
    Ok((relay, config.server(local.port(), tls_port, secret)?))
}

/// Whether the holder of a name is here: its user has in its app the session that the name is of.
fn is_here(node: NodeHandle) -> impl Fn(UnixMillis, &str) -> bool + Send + Sync + 'static {
    move |now, name| {
        TurnName::parse(name).is_some_and(|name| {
            let TurnHolder { app, user, .. } = &name.holder;
            name.is_here(now, node.user_session(*app, user))
        })
    }
}

async fn accept(
    relay: TurnRelay,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    slots: Arc<Semaphore>,
) {
    loop {
        // Nobody closes the slots.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let (stream, source) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection to TURN could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (relay, tls) = (relay.clone(), tls.clone());
        tokio::spawn(async move {
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "no TCP_NODELAY");
            }
            serve(&relay, tls, stream, source).await;
            drop(slot);
        });
    }
}

async fn serve(
    relay: &TurnRelay,
    tls: Option<TlsAcceptor>,
    stream: tokio::net::TcpStream,
    source: SocketAddr,
) {
    let Some(tls) = tls else { return relay.serve_stream(source, stream).await };
    match tokio::time::timeout(TLS_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => relay.serve_stream(source, stream).await,
        Ok(Err(error)) => debug!(%error, "TLS handshake with TURN failed"),
        Err(_) => debug!("TLS handshake with TURN took too long"),
    }
}
