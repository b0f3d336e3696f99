//! The configuration file: its shape, its defaults and what is refused. `odeum.example.toml` at the
//! root of the repository is its manual, and a test holds it equal to the defaults.

mod app;
mod callbacks;
mod error;
mod ice_servers;
mod nearest;
mod turn;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use odeum_auth::IceServers;
use odeum_types::Redacted;
use serde::Deserialize;

pub(crate) use app::{AppConfig, DeleteStream, Secrets};
pub(crate) use callbacks::{CallbackRetry, CallbacksConfig};
pub(crate) use error::ConfigError;
pub(crate) use ice_servers::IceServerConfig;
pub(crate) use nearest::nearest;
pub(crate) use turn::TurnConfig;

use ice_servers::ICE_SERVERS_MAX;

/// Everything that can be configured. Unknown keys are refused with the nearest key's name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// HTTP(S) and WebSocket. Default 127.0.0.1:7880.
    #[serde(default = "default_listen")]
    pub(crate) listen: SocketAddr,
    /// Where the server keeps what must outlive it. Default `data`, beside the working folder.
    #[serde(default = "default_data_dir")]
    pub(crate) data_dir: PathBuf,
    /// Whether a proxy in front ends TLS: only then is plain HTTP served beyond loopback, and a
    /// client's address is the last of `X-Forwarded-For`. Default false.
    #[serde(default)]
    pub(crate) behind_proxy: bool,
    /// Certificate and key. Default: none, plain HTTP on loopback.
    pub(crate) tls: Option<TlsConfig>,
    /// The media plane.
    #[serde(default)]
    pub(crate) media: MediaConfig,
    /// The relay for clients that no other way gets through. Default: none.
    pub(crate) turn: Option<TurnConfig>,
    /// The operator's listener.
    #[serde(default)]
    pub(crate) admin: AdminConfig,
    /// Rules of every room.
    #[serde(default)]
    pub(crate) rooms: RoomsConfig,
    /// How callbacks are sent and kept.
    #[serde(default)]
    pub(crate) callbacks: CallbacksConfig,
    /// Bounds of what clients may take.
    #[serde(default)]
    pub(crate) limits: LimitsConfig,
    /// The apps; at least one.
    #[serde(default)]
    pub(crate) apps: Vec<AppConfig>,
}

/// Certificate and key, PEM files; read again on SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// The certificate chain, the server's own first.
    pub(crate) cert: PathBuf,
    /// The private key: PKCS#8, SEC1 or PKCS#1.
    pub(crate) key: PathBuf,
}

/// The media plane.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MediaConfig {
    /// UDP address of the first worker; the others follow on the next ports. Default
    /// 127.0.0.1:7881.
    pub(crate) listen: SocketAddr,
    /// TCP address of the first worker, for clients that no UDP gets through; the others follow on
    /// the next ports. Default: none, and media goes over UDP only.
    pub(crate) tcp_listen: Option<SocketAddr>,
    /// Media workers, one thread and one port each. Default 1.
    pub(crate) workers: u16,
    /// Transports of one room on its own worker before the next sessions go to other workers.
    /// Default 500. Lower spreads a room earlier, and what is published crosses to each worker that
    /// the room is on.
    pub(crate) room_peers_per_worker: usize,
    /// IP addresses announced to clients in place of the bound one, the preferred one first: set
    /// them behind NAT or in a container. Default: the bound address, or the machine's own when
    /// bound to all.
    pub(crate) external_addresses: Vec<IpAddr>,
    /// Interfaces whose addresses are announced, before the external ones. Default: none.
    pub(crate) interfaces: Vec<String>,
    /// `host:port` of a STUN server that is asked for this machine's address beyond a NAT, at start
    /// and every three minutes; it is announced last. Default: none.
    pub(crate) stun_server: Option<String>,
    /// STUN and TURN servers that clients are told of. Default: none.
    pub(crate) ice_servers: Vec<IceServerConfig>,
}

/// The operator's listener: metrics and the admin API. Never expose it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AdminConfig {
    /// Plain HTTP. Default 127.0.0.1:7882.
    pub(crate) listen: SocketAddr,
    /// Opens the admin API under `/admin`, as a Bearer token. Default: none, and the API is
    /// closed; metrics and health need none.
    pub(crate) token: Option<Redacted<String>>,
}

/// The shortest admin token that is taken, in characters: 96 bits when they are random hex.
const ADMIN_TOKEN_CHARACTERS_MIN: usize = 24;

/// Rules of every room.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RoomsConfig {
    /// A session silent for this many seconds is timed out. Default 100. Lower notices a dead
    /// client sooner and forgives a bad network less.
    pub(crate) heartbeat_timeout_s: u64,
    /// A listed stream whose media connection ended keeps its place in the list and waits for its
    /// publisher for this many seconds. Default 5. Longer hides slower reconnections, and leaves
    /// the others longer before a stream that does not come back; 0 takes it off the list at once.
    pub(crate) media_grace_s: u64,
    /// Users up to which join and leave notices are complete. Default 500.
    pub(crate) user_notices_max: usize,
}

/// Bounds of what clients may take; docs/limits.md lists all of them with their refusals.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsConfig {
    /// TCP connections at once; beyond it a new one waits in the kernel's queue. Default 200,000.
    pub(crate) connections_max: usize,
    /// Rooms of one app at once. Default 100,000.
    pub(crate) rooms_per_app_max: usize,
    /// Users of one room at once. Default 10,000.
    pub(crate) users_per_room_max: usize,
    /// Bytes queued for one client that reads too slowly, before it is cut. Default 1,048,576.
    pub(crate) client_queue_bytes_max: usize,
    /// WebRTC transports of one media worker at once. Default 4,000.
    pub(crate) peers_per_worker_max: usize,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 7880))
}

fn default_data_dir() -> PathBuf {
    PathBuf::from("data")
}

impl Default for MediaConfig {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 7881));
        Self {
            listen,
            tcp_listen: None,
            workers: 1,
            room_peers_per_worker: 500,
            external_addresses: Vec::new(),
            interfaces: Vec::new(),
            stun_server: None,
            ice_servers: Vec::new(),
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7882)), token: None }
    }
}

impl Default for RoomsConfig {
    fn default() -> Self {
        Self { heartbeat_timeout_s: 100, media_grace_s: 5, user_notices_max: 500 }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        // What the crates that enforce them take for themselves.
        let node = odeum_node::NodeConfig::default();
        Self {
            connections_max: odeum_signal::Limits::default().connections_max,
            rooms_per_app_max: node.limits.rooms_per_app_max,
            users_per_room_max: node.room.users_max,
            client_queue_bytes_max: node.limits.client_queue_bytes_max,
            peers_per_worker_max: node.media.peers_per_worker_max,
        }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], each with the file and the key at fault.
    pub(crate) fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError::Unreadable { file: file.to_owned(), error })?;
        Self::parse(&text)
    }

    /// Checks the text of a configuration file.
    ///
    /// # Errors
    /// As [`Config::load`], but for the file itself.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::from_toml(&error, text))?;
        config.check()?;
        Ok(config)
    }

    /// The defaults with this one app: what `--dev` runs with.
    pub(crate) fn with_app(app: AppConfig) -> Self {
        Self {
            listen: default_listen(),
            data_dir: default_data_dir(),
            behind_proxy: false,
            tls: None,
            media: MediaConfig::default(),
            turn: None,
            admin: AdminConfig::default(),
            rooms: RoomsConfig::default(),
            callbacks: CallbacksConfig::default(),
            limits: LimitsConfig::default(),
            apps: vec![app],
        }
    }

    /// Whether the settings fit together.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.apps.is_empty() {
            return Err(ConfigError::NoApps);
        }
        for (index, app) in self.apps.iter().enumerate() {
            app.check()?;
            if self.apps[..index].iter().any(|other| other.app_id == app.app_id) {
                return Err(ConfigError::AppTwice { app_id: app.app_id });
            }
        }
        if self.tls.is_none() && !self.behind_proxy && !self.listen.ip().is_loopback() {
            return Err(ConfigError::PlainBeyondLoopback { listen: self.listen });
        }
        if self.media.workers == 0 {
            return Err(ConfigError::OutOfRange { key: "media.workers", allowed: "1 to 65535" });
        }
        let tcp = self.media.tcp_listen.map(|listen| ("media.tcp_listen", listen));
        for (key, listen) in std::iter::once(("media.listen", self.media.listen)).chain(tcp) {
            let (first, workers) = (listen.port(), self.media.workers);
            if u32::from(first) + u32::from(workers) - 1 <= u32::from(u16::MAX) {
                continue;
            }
            return Err(ConfigError::PortsBeyondEnd { key, first, workers });
        }
        self.media.servers_of_clients()?;
        if let Some(turn) = &self.turn {
            turn.check(self.tls.is_some())?;
        }
        if let Some(server) = &self.media.stun_server
            && !is_host_and_port(server)
        {
            return Err(ConfigError::StunServer { server: server.clone() });
        }
        if !(1..=86_400).contains(&self.rooms.heartbeat_timeout_s) {
            let key = "rooms.heartbeat_timeout_s";
            return Err(ConfigError::OutOfRange { key, allowed: "1 to 86400" });
        }
        if self.rooms.media_grace_s > 3_600 {
            let key = "rooms.media_grace_s";
            return Err(ConfigError::OutOfRange { key, allowed: "0 to 3600" });
        }
        let token = self.admin.token.as_ref().map(|token| token.expose().chars().count());
        if token.is_some_and(|characters| characters < ADMIN_TOKEN_CHARACTERS_MIN) {
            let characters_min = ADMIN_TOKEN_CHARACTERS_MIN;
            return Err(ConfigError::AdminToken { characters_min });
        }
        self.callbacks.check()?;
        self.limits.check()
    }
}

impl MediaConfig {
    /// What clients are told of.
    ///
    /// # Errors
    /// [`ConfigError::IceServer`] and [`ConfigError::IceServersMax`].
    pub(crate) fn servers_of_clients(&self) -> Result<IceServers, ConfigError> {
        if self.ice_servers.len() > ICE_SERVERS_MAX {
            return Err(ConfigError::IceServersMax { servers_max: ICE_SERVERS_MAX });
        }
        let servers = self.ice_servers.iter().enumerate();
        let servers = servers.map(|(index, server)| server.server(index + 1));
        Ok(IceServers::new(servers.collect::<Result<_, _>>()?))
    }
}

/// Whether it is `host:port`, an IPv6 address in brackets.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_address = text.parse::<SocketAddr>().is_ok();
    let is_name = !host.is_empty()
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    (is_address || is_name) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

impl LimitsConfig {
    fn check(&self) -> Result<(), ConfigError> {
        // The listener's semaphore takes 32 bits of them at once when it closes, and panics beyond
        // 61.
        if u32::try_from(self.connections_max).is_err() {
            let key = "limits.connections_max";
            return Err(ConfigError::OutOfRange { key, allowed: "1 to 4294967295" });
        }
        let limits = [
            ("limits.connections_max", self.connections_max),
            ("limits.rooms_per_app_max", self.rooms_per_app_max),
            ("limits.users_per_room_max", self.users_per_room_max),
            ("limits.client_queue_bytes_max", self.client_queue_bytes_max),
            ("limits.peers_per_worker_max", self.peers_per_worker_max),
        ];
        match limits.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(ConfigError::OutOfRange { key, allowed: "1 or more" }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use odeum_auth::{TokenForm, TokenForms};

    use super::*;

    const APP: &str =
        "[[apps]]\napp_id = 1\nserver_secret = \"0123456789abcdef0123456789abcdef\"\n";

    fn refusal(text: &str) -> String {
        Config::parse(text).expect_err("this configuration is refused").to_string()
    }

    #[test]
    fn the_example_file_is_the_defaults() {
        let example = include_str!("../../../odeum.example.toml");
        assert!(refusal(example).contains("still the example's"), "its secret is everyone's");
        let own_secret = "0123456789abcdef0123456789abcdef";
        let example = Config::parse(&example.replace(app::PLACEHOLDER_SECRET, own_secret))
            .expect("only the secret has to be changed");
        let app = AppConfig::new(odeum_types::AppId(1_234_567_890), own_secret.to_owned());
        assert_eq!(example, Config::with_app(app));
    }

    #[test]
    fn two_keys_of_one_app_are_enough() {
        let config = Config::parse(APP).expect("everything else has a default");
        assert_eq!(config, Config::with_app(config.apps[0].clone()));
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        let text = refusal(&format!("behind_proxi = true\n{APP}"));
        assert!(text.contains("`behind_proxi`") && text.contains("`behind_proxy`"), "{text}");
        let text = refusal(&format!("{APP}servr_secret = \"x\"\n"));
        assert!(text.contains("`server_secret`"), "{text}");
        let text = refusal(&format!("{APP}[media]\nworker = 2\n"));
        assert!(text.contains("`workers`"), "{text}");
    }

    #[test]
    fn secrets_are_required_and_have_32_characters() {
        assert!(refusal("[[apps]]\napp_id = 1\n").contains("server_secret"));
        let text = refusal("[[apps]]\napp_id = 7\nserver_secret = \"too short\"\n");
        assert!(text.contains("app 7") && text.contains("32") && !text.contains("too short"));
        let three = "[[apps]]\napp_id = 7\nserver_secret = [\"a\", \"b\", \"c\"]\n";
        assert!(refusal(three).contains("1 to 2"));
        assert!(refusal("").contains("[[apps]]"));
        assert!(refusal(&format!("{APP}{APP}")).contains("app 1 stands twice"));
    }

    #[test]
    fn an_app_may_narrow_the_kinds_of_token() {
        let forms = |line: &str| {
            let config = Config::parse(&format!("{APP}{line}\n")).expect("a good configuration");
            config.apps[0].credentials().expect("a good app").1.token_forms
        };
        assert_eq!(forms("token_forms = [\"04-gcm\"]"), TokenForms::only(&[TokenForm::Token04Gcm]));
        for form in [TokenForm::Token04Gcm, TokenForm::Token04Cbc, TokenForm::Token03] {
            assert!(forms("").contains(form), "{form:?} is accepted by default");
        }
        assert!(refusal(&format!("{APP}token_forms = []\n")).contains("token_forms"));
        assert!(refusal(&format!("{APP}token_forms = [\"05\"]\n")).contains("05"));
    }

    #[test]
    fn a_rate_for_an_action_that_does_not_exist_names_the_nearest_one() {
        let rates = |rates: &str| format!("{APP}calls_per_second = {{ {rates} }}\n");
        let text = refusal(&rates("DeletStream = 50"));
        assert!(text.contains("`DeletStream`") && text.contains("`DeleteStream`"), "{text}");
        assert!(Config::parse(&rates("DeleteStream = 50")).is_ok());
        assert!(refusal(&rates("DeleteStream = 0")).contains("calls_per_second"));
    }

    #[test]
    fn plain_http_beyond_loopback_needs_a_proxy_or_tls() {
        let open = format!("listen = \"0.0.0.0:80\"\n{APP}");
        assert!(refusal(&open).contains("behind_proxy"));
        assert!(Config::parse(&format!("behind_proxy = true\n{open}")).is_ok());
        assert!(Config::parse(&format!("{open}[tls]\ncert = \"c\"\nkey = \"k\"\n")).is_ok());
    }

    #[test]
    fn ports_and_ranges_are_checked() {
        let tcp = format!("{APP}[media]\ntcp_listen = \"127.0.0.1:65535\"\nworkers = 2\n");
        assert!(refusal(&tcp).contains("media.tcp_listen"));
        for (server, is_good) in [
            ("stun.example:3478", true),
            ("[2001:db8::1]:3478", true),
            ("stun:stun.example:3478", false),
            ("stun.example", false),
            ("2001:db8::1:3478", false),
            (":3478", false),
            ("stun.example:0", false),
        ] {
            let parsed = Config::parse(&format!("{APP}[media]\nstun_server = \"{server}\"\n"));
            assert_eq!(parsed.is_ok(), is_good, "{server}");
        }
        let ports = format!("{APP}[media]\nlisten = \"127.0.0.1:65535\"\nworkers = 2\n");
        assert!(refusal(&ports).contains("65535"));
        assert!(refusal(&format!("{APP}[media]\nworkers = 0\n")).contains("media.workers"));
        assert!(refusal(&format!("{APP}[rooms]\nheartbeat_timeout_s = 0\n")).contains("heartbeat"));
        let grace = |seconds: u64| format!("{APP}[rooms]\nmedia_grace_s = {seconds}\n");
        assert!(refusal(&grace(3_601)).contains("rooms.media_grace_s"));
        assert_eq!(Config::parse(&grace(0)).expect("no grace").rooms.media_grace_s, 0);
        assert!(refusal(&format!("{APP}[limits]\nrooms_per_app_max = 0\n")).contains("rooms_per"));
        let connections = format!("{APP}[limits]\nconnections_max = {}\n", i64::MAX);
        assert!(refusal(&connections).contains("connections_max"));
        assert!(refusal("listen = \"nowhere\"\n").contains("listen"));
    }
}
