//! `odeum serve`: starts everything in the order in which it can fail, serves, listens to signals,
//! and ends in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use odeum_api::{ApiState, StreamHistory};
use odeum_auth::{Apps, IceServers};
use odeum_callback::Callbacks;
use odeum_node::{AppSettings, NodeConfig, NodeHandle, TurnRelay};
use odeum_room::DeleteStreamMode;
use odeum_signal::SignalState;
use odeum_store::Store;
use odeum_types::{AppId, Redacted};
use odeum_whip::WhipState;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info, warn};

use crate::admin::AdminState;
use crate::cli::ServeArgs;
use crate::config::{AppConfig, Config, DeleteStream};
use crate::listener::Listener;
use crate::source::Source;
use crate::tls::Certificate;
use crate::{
    admin, callback_settings, dev, event_log, logs, open_files, pages, reload, try_it, turn,
    wall_clock,
};

/// A stop is over by then, whatever still hangs (issue: within 5 s of SIGTERM).
const STOP_WITHIN: Duration = Duration::from_millis(4_500);

/// Of it, what the rooms may take to tell their users and hand over their last events.
const ROOMS_CLOSE_WITHIN: Duration = Duration::from_millis(3_000);

/// Of it, what callbacks on their way may take; what is left is sent after the next start.
const CALLBACKS_END_WITHIN: Duration = Duration::from_millis(1_000);

/// Connections of the operator at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Runs the server until a signal ends it.
///
/// # Errors
/// A configuration that cannot be used, or an address that cannot be bound.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    logs::start(args.log)?;
    let (config, mode) = configuration(args)?;
    open_files::raise(config.limits.connections_max);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async { Server::start(config, mode).await?.run().await });
    // Tasks that still hang belong to clients that were told; they are not waited for.
    runtime.shutdown_background();
    served
}

/// How the server was started.
enum Mode {
    /// From a file, which a reload reads again.
    File(std::path::PathBuf),
    /// `--dev`, with the secret of its one app.
    Dev(Redacted<String>),
}

fn configuration(args: &ServeArgs) -> anyhow::Result<(Config, Mode)> {
    let (mut config, mode) = match &args.config {
        Some(file) => (load(file)?, Mode::File(file.clone())),
        None => {
            let secret = dev::throw_away_secret();
            let app = AppConfig::new(dev::APP, secret.clone());
            (Config::with_app(app), Mode::Dev(Redacted::new(secret)))
        }
    };
    config.listen = args.listen.unwrap_or(config.listen);
    config.media.listen = args.media_listen.unwrap_or(config.media.listen);
    config.admin.listen = args.admin_listen.unwrap_or(config.admin.listen);
    config.check()?;
    if matches!(mode, Mode::Dev(_)) {
        config.apps[0].environment = odeum_auth::Environment::Any;
        for address in [config.listen, config.media.listen, config.admin.listen] {
            if !address.ip().is_loopback() {
                bail!("--dev serves loopback only, not {address}");
            }
        }
    }
    Ok((config, mode))
}

/// Reads a configuration file; the error names it.
pub(crate) fn load(file: &Path) -> anyhow::Result<Config> {
    Config::load(file).with_context(|| file.display().to_string())
}

/// What the node needs to know of the apps.
pub(crate) fn app_settings(config: &Config) -> Vec<AppSettings> {
    let settings = |app: &AppConfig| AppSettings {
        app: AppId(app.app_id),
        delete_stream: match app.delete_stream {
            DeleteStream::Stop => DeleteStreamMode::Stop,
            DeleteStream::Notify => DeleteStreamMode::Notify,
        },
        kick_on_token_expiry: app.kick_on_token_expiry,
        linger: Duration::from_millis(app.linger_ms.into()),
    };
    config.apps.iter().map(settings).collect()
}

pub(crate) fn node_config(config: &Config) -> NodeConfig {
    let mut node = NodeConfig { apps: app_settings(config), ..NodeConfig::default() };
    node.media.listen = config.media.listen;
    node.media.tcp_listen = config.media.tcp_listen;
    node.media.workers = usize::from(config.media.workers);
    node.media.room_peers_per_worker = config.media.room_peers_per_worker;
    node.media.external_addresses.clone_from(&config.media.external_addresses);
    node.media.interfaces.clone_from(&config.media.interfaces);
    node.media.stun_server.clone_from(&config.media.stun_server);
    node.media.peers_per_worker_max = config.limits.peers_per_worker_max;
    node.room.heartbeat_timeout = Duration::from_secs(config.rooms.heartbeat_timeout_s);
    node.room.media_grace = Duration::from_secs(config.rooms.media_grace_s);
    node.room.user_notices_max = config.rooms.user_notices_max;
    node.room.users_max = config.limits.users_per_room_max;
    node.limits.journal_bytes_max = config.callbacks.spill_bytes_max;
    node.limits.rooms_per_app_max = config.limits.rooms_per_app_max;
    node.limits.client_queue_bytes_max = config.limits.client_queue_bytes_max;
    node
}

fn signal_limits(config: &Config) -> odeum_signal::Limits {
    let connections_max = config.limits.connections_max;
    odeum_signal::Limits { connections_max, ..odeum_signal::Limits::default() }
}

/// The signals that are listened to, from before the server says that it is ready: one that comes
/// right then is heard, and does not end the process as it would without a listener.
struct Signals {
    /// Reload.
    hang_up: Signal,
    /// Stop.
    terminate: Signal,
    /// Stop, from a terminal.
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let hang_up = signal(SignalKind::hangup())?;
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { hang_up, terminate, interrupt })
    }
}

/// A server that is ready.
struct Server {
    /// The configuration in force.
    config: Config,
    /// How it was started.
    mode: Mode,
    /// Rooms and media.
    node: NodeHandle,
    /// Who may call and log in.
    apps: Apps,
    /// Stores what happens and tells receivers.
    callbacks: Callbacks,
    /// Where `--dev` keeps what ends with it.
    _throw_away: Option<TempDir>,
    /// The certificate, when TLS is on.
    certificate: Option<Arc<Certificate>>,
    /// True once the server closes.
    closing: watch::Sender<bool>,
    /// The tasks of the two listeners.
    listeners: Vec<tokio::task::JoinHandle<()>>,
    /// What the operator says while it runs.
    signals: Signals,
}

impl Server {
    async fn start(config: Config, mode: Mode) -> anyhow::Result<Self> {
        let signals = Signals::listen()?;
        let certificate = config.tls.as_ref().map(Certificate::load).transpose().context("tls")?;
        let socket = bind("listen", config.listen).await?;
        let admin_socket = bind("admin.listen", config.admin.listen).await?;
        let (store, throw_away) = open_store(&config, &mode)?;
        let (node, callbacks) = start_rooms(&config, store)?;
        // Before anybody is let in: the first answers are to have these addresses as well.
        node.find_outer_addresses().await;
        tokio::spawn(node.clone().keep_outer_addresses());
        let credentials = config.apps.iter().map(AppConfig::credentials);
        let apps = Apps::new(credentials.collect::<Result<Vec<_>, _>>()?);
        let api = ApiState::new(
            node.clone(),
            apps.clone(),
            Arc::new(wall_clock),
            stream_history(callbacks.clone()),
        );
        let tls = certificate.as_ref().map(|files| TlsAcceptor::from(files.server_config()));
        let (turn, ice_servers) = ice_servers(&config, &node, tls.clone()).await?;
        let (signal, whip) = client_surfaces(&config, &node, &apps, ice_servers);
        let admin = admin::router(AdminState {
            node: node.clone(),
            api: api.clone(),
            signal: signal.clone(),
            whip: whip.clone(),
            callbacks: callbacks.clone(),
            apps: apps.clone(),
            turn,
            token: config.admin.token.clone(),
        });
        let api = odeum_api::router(api);
        let mut router = api
            .clone()
            .merge(odeum_signal::router(signal))
            .merge(odeum_whip::router(whip))
            .merge(pages::public_router(node.clone()));
        let (http, admin_address) = (socket.local_addr()?, admin_socket.local_addr()?);
        if let Mode::Dev(server_secret) = &mode {
            let server_secret = server_secret.clone();
            dev::announce(&server_secret, http);
            let state = try_it::TryIt { app: dev::APP, server_secret, api, now: wall_clock };
            router = router.merge(try_it::router(state));
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (closing, told) = watch::channel(false);
        let connections_max = config.limits.connections_max;
        let source = if config.behind_proxy { Source::Proxy } else { Source::Socket };
        let public = Listener { socket, tls, router, connections_max, source };
        let operator = operator_listener(admin_socket, admin);
        let listeners =
            vec![tokio::spawn(public.run(told.clone())), tokio::spawn(operator.run(told))];
        let media = node.media_addresses().iter().map(SocketAddr::to_string).collect::<Vec<_>>();
        // One line that a program can read: the real addresses, whatever port was asked for.
        println!("listening {scheme}={http} media={} admin={admin_address}", media.join(","));
        info!(%http, %admin_address, media = media.join(","), apps = config.apps.len(), "ready");
        Ok(Self {
            config,
            mode,
            node,
            apps,
            callbacks,
            _throw_away: throw_away,
            certificate,
            closing,
            listeners,
            signals,
        })
    }

    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                _ = self.signals.hang_up.recv() => self.reload(),
                _ = self.signals.terminate.recv() => break,
                _ = self.signals.interrupt.recv() => break,
            }
        }
        info!("closing: no new work is taken");
        self.stop().await;
        Ok(())
    }

    fn reload(&mut self) {
        let Mode::File(file) = &self.mode else {
            warn!("--dev has no file to reload");
            return;
        };
        match load(file) {
            Ok(new) => {
                reload::apply(&mut self.config, new, &self.apps, &self.node, &self.callbacks);
            }
            Err(error) => error!("the configuration stays as it was: {error:#}"),
        }
        let Some(certificate) = &self.certificate else { return };
        match certificate.reload() {
            Ok(()) => info!("the certificate was read again"),
            Err(error) => error!(%error, "the certificate stays as it was"),
        }
    }

    async fn stop(self) {
        let Self { node, callbacks, closing, listeners, .. } = self;
        let ended = async {
            // The rooms first: while they tell their users, a backend's call is answered with 5018
            // and not with a refused connection.
            node.shutdown(ROOMS_CLOSE_WITHIN).await;
            callbacks.shutdown(CALLBACKS_END_WITHIN).await;
            closing.send_replace(true);
            for listener in listeners {
                if let Err(error) = listener.await {
                    error!(%error, "a listener failed");
                }
            }
        };
        if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
            warn!("some connections did not end in time and are cut");
        }
        info!("closed");
    }
}

/// The two doors of clients, which share who failed to log in, and what they tell of STUN and TURN
/// servers.
fn client_surfaces(
    config: &Config,
    node: &NodeHandle,
    apps: &Apps,
    ice_servers: IceServers,
) -> (SignalState, WhipState) {
    let (node, apps) = (node.clone(), apps.clone());
    let limits = signal_limits(config);
    let signal = SignalState::new(node.clone(), apps.clone(), limits, ice_servers.clone());
    let failed_logins = signal.failed_logins().clone();
    let whip = WhipState::new(node, apps, failed_logins, Arc::new(wall_clock), ice_servers);
    (signal, whip)
}

/// The own relay, which is started, and what clients are told: the configured STUN and TURN
/// servers, then that one.
async fn ice_servers(
    config: &Config,
    node: &NodeHandle,
    tls: Option<TlsAcceptor>,
) -> anyhow::Result<(Option<TurnRelay>, IceServers)> {
    let servers = config.media.servers_of_clients()?;
    let Some(turn) = &config.turn else { return Ok((None, servers)) };
    let (relay, told) = turn::start(turn, node, tls).await?;
    Ok((Some(relay), servers.with(told)))
}

/// Starts the store's service, then the rooms whose journal it takes.
fn start_rooms(config: &Config, store: Store) -> anyhow::Result<(NodeHandle, Callbacks)> {
    let rules = store.reader()?.rules().context("data_dir")?;
    let settings = callback_settings::settings(config);
    let limits = callback_settings::limits(&config.callbacks);
    // Before rooms begin: it closes what the last process has left open.
    let callbacks = Callbacks::start(store, settings, limits, wall_clock).with_context(|| {
        let data_dir = config.data_dir.display();
        format!("{data_dir}: what the last start left open cannot be closed")
    })?;
    let node = NodeConfig { rules, ..node_config(config) };
    let (node, journal) = NodeHandle::start(node).context("media")?;
    tokio::spawn(event_log::run(journal, callbacks.clone()));
    Ok((node, callbacks))
}

fn operator_listener(socket: TcpListener, router: axum::Router) -> Listener {
    let connections_max = ADMIN_CONNECTIONS_MAX;
    Listener { socket, tls: None, router, connections_max, source: Source::Socket }
}

/// Streams that have closed, as the ledger knows them. A store that cannot be read knows none.
fn stream_history(callbacks: Callbacks) -> StreamHistory {
    StreamHistory::new(move |app, stream| {
        let callbacks = callbacks.clone();
        async move {
            match callbacks.stream_times(app, stream).await {
                Ok(times) => times.and_then(|(created, closed)| Some((created, closed?))),
                Err(error) => {
                    error!(%error, "the history of streams cannot be read");
                    None
                }
            }
        }
    })
}

/// The store in `data_dir`; in `--dev` one that ends with the process.
fn open_store(config: &Config, mode: &Mode) -> anyhow::Result<(Store, Option<TempDir>)> {
    let throw_away = match mode {
        Mode::File(_) => None,
        Mode::Dev(_) => Some(TempDir::with_prefix("odeum-dev-").context("a folder for --dev")?),
    };
    let folder = throw_away.as_ref().map_or(config.data_dir.as_path(), TempDir::path);
    Ok((Store::open(folder).context("data_dir")?, throw_away))
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    Listener::bind(address).await.with_context(|| format!("{key} = {address}"))
}
