//! The server under test: the release binary beside this one, on free ports, pinned to one core.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use anyhow::{Context, bail, ensure};
use odeum_auth::token::{NewToken, Seal};
use odeum_client::{ConnectOptions, Tls};
use odeum_types::{AppId, UnixMillis};

use crate::process::Measured;

/// The app of every benchmark.
pub const APP: AppId = AppId(1_234_567_890);
/// Its secret.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Signs callbacks.
const CALLBACK_SECRET: &str = "fedcba9876543210fedcba9876543210";
/// Transports that it takes on one worker.
const PEERS_MAX: usize = 20_000;
/// Files of the certificate and its key.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// The core that what is measured runs on; the load runs on the others.
pub const CORE: usize = 0;

/// A running server; ends when dropped.
pub struct Server {
    /// The process.
    child: Child,
    /// Its folder, removed in the end.
    folder: PathBuf,
    /// Where HTTP and signalling are.
    pub http: SocketAddr,
    /// Where the metrics are.
    admin: SocketAddr,
    /// How its cost is read.
    pub measured: Measured,
    /// How clients reach it.
    reach: Reach,
}

/// How a server is started.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions<'a> {
    /// How often a second its app may call some actions; the contract's figures for the others.
    pub calls_per_second: &'a [(&'a str, u32)],
    /// Who is told of everything in callbacks.
    pub receiver: Option<SocketAddr>,
    /// How long a session may be silent.
    pub heartbeat_timeout_s: u64,
    /// Media workers, which share the one core.
    pub workers: u16,
    /// Transports of a room on its first worker, before others are used.
    pub room_peers_per_worker: usize,
    /// How long packets of a video frame may wait for the rest of it.
    pub linger_ms: u8,
    /// How clients reach it.
    pub reach: Reach,
}

/// How clients reach a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By UDP.
    Udp,
    /// Also by ICE-TCP, and through a TURN relay of its own, itself over UDP, TCP or TLS. HTTP and
    /// signalling are over TLS.
    AllWays,
}

impl Default for ServerOptions<'_> {
    fn default() -> Self {
        Self {
            calls_per_second: &[],
            receiver: None,
            heartbeat_timeout_s: 100,
            workers: 1,
            room_peers_per_worker: 500,
            linger_ms: 0,
            reach: Reach::Udp,
        }
    }
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// It is not built, or it does not start.
    pub fn start(options: &ServerOptions<'_>) -> anyhow::Result<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let binary = env::current_exe()?.with_file_name("odeum");
        if !binary.exists() {
            bail!("no {}: run `make build`", binary.display());
        }
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("odeum-bench-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        if options.reach == Reach::AllWays {
            write_certificate(&folder)?;
        }
        let config = folder.join("odeum.toml");
        fs::write(&config, configuration(&folder, options))?;
        let mut child = Command::new("taskset")
            .args(["-c", &CORE.to_string()])
            .arg(binary)
            .args(["serve", "--config"])
            .arg(&config)
            // What it logs by default is part of what it costs.
            .stderr(fs::File::create(folder.join("server.log"))?)
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset (util-linux)")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = |name: &str| -> anyhow::Result<SocketAddr> {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            Ok(found.with_context(|| format!("the server did not start: {line}"))?.parse()?)
        };
        let http = address("https=").or_else(|_| address("http="))?;
        let admin = address("admin=")?;
        let measured = Measured::new(child.id(), Some(CORE));
        Ok(Self { child, folder, http, admin, measured, reach: options.reach })
    }

    /// A figure of the metrics page that has no labels.
    ///
    /// # Errors
    /// There is no such figure.
    pub fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let page = self.metrics()?;
        let figure = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(figure.with_context(|| format!("no {name} on the metrics page"))?.parse()?)
    }

    /// The sum of a figure over all its labels.
    ///
    /// # Errors
    /// There is no such figure.
    pub fn metric_sum(&self, name: &str) -> anyhow::Result<u64> {
        let page = self.metrics()?;
        let of_it =
            |line: &&str| line.strip_prefix(name).is_some_and(|r| r.starts_with([' ', '{']));
        let mut figures = page.lines().filter(of_it).peekable();
        ensure!(figures.peek().is_some(), "no {name} on the metrics page");
        figures.try_fold(0, |sum, line| {
            let figure = line.rsplit(' ').next().unwrap_or_default();
            Ok(sum + figure.parse::<u64>()?)
        })
    }

    fn metrics(&self) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: odeum\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page)
    }

    /// Bytes of the files in which it keeps what must outlive it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn stored_bytes(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for file in fs::read_dir(self.folder.join("data"))? {
            sum += file?.metadata()?.len();
        }
        Ok(sum)
    }

    /// The address for signalling.
    pub fn signal_url(&self) -> String {
        let scheme = if self.tls().is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}/signal", self.http)
    }

    /// Whom clients have to trust, if HTTP, signalling and a part of the relay are over TLS: nobody
    /// but this server has its address.
    pub fn tls(&self) -> Option<Tls> {
        (self.reach == Reach::AllWays).then_some(Tls::AcceptAny)
    }

    /// How signalling is connected to.
    pub fn connect_options(&self) -> ConnectOptions {
        let options = ConnectOptions::new(self.signal_url());
        ConnectOptions { tls: self.tls().unwrap_or(options.tls), ..options }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        let _leftover = fs::remove_dir_all(&self.folder);
    }
}

fn configuration(folder: &Path, options: &ServerOptions<'_>) -> String {
    let ServerOptions { workers, room_peers_per_worker, linger_ms, .. } = options;
    let calls: Vec<String> = (options.calls_per_second.iter())
        .map(|(action, calls)| format!("{action} = {calls}"))
        .collect();
    let callbacks = options.receiver.map_or(String::new(), |receiver| {
        format!(
            "callback_secret = \"{CALLBACK_SECRET}\"\n\
             callback_url = \"http://{receiver}/callbacks\"\n"
        )
    });
    let (tcp, others) = match options.reach {
        Reach::Udp => ("", String::new()),
        Reach::AllWays => (
            "tcp_listen = \"127.0.0.1:0\"\n",
            format!(
                "[turn]\nhost = \"127.0.0.1\"\nlisten = \"127.0.0.1:0\"\n\
                 tls_listen = \"127.0.0.1:0\"\n\
                 [tls]\ncert = {:?}\nkey = {:?}\n",
                folder.join(CERTIFICATE),
                folder.join(KEY),
            ),
        ),
    };
    format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n\
         [media]\nlisten = \"127.0.0.1:0\"\nworkers = {workers}\n\
         room_peers_per_worker = {room_peers_per_worker}\n{tcp}{others}\
         [limits]\npeers_per_worker_max = {PEERS_MAX}\n\
         [rooms]\nheartbeat_timeout_s = {}\n\
         [[apps]]\napp_id = {}\nserver_secret = \"{SECRET}\"\nlinger_ms = {linger_ms}\n\
         {callbacks}calls_per_second = {{ {} }}\n",
        folder.join("data"),
        options.heartbeat_timeout_s,
        APP.0,
        calls.join(", "),
    )
}

/// Writes a certificate for 127.0.0.1 and its key.
fn write_certificate(folder: &Path) -> anyhow::Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    fs::write(folder.join(CERTIFICATE), made.cert.pem())?;
    fs::write(folder.join(KEY), made.signing_key.serialize_pem())?;
    Ok(())
}

/// A client token for `user` of the benchmarks' app, good for a day.
///
/// # Errors
/// A user id that the contract does not allow.
pub fn token(user: &str) -> anyhow::Result<String> {
    token_of(APP, SECRET, user)
}

/// A client token for `user`, good for a day.
pub(crate) fn token_of(app: AppId, secret: &str, user: &str) -> anyhow::Result<String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now = UnixMillis(u64::try_from(since.as_millis())?);
    let token = NewToken { app, user, lifetime_seconds: 86_400, payload: "" };
    Ok(token.seal(secret, now, rand::random(), Seal::Gcm { nonce: rand::random() })?)
}
