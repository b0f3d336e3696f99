//! The server under test: the release binary beside this one, on free ports, pinned to one core.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use anyhow::{Context, bail};
use odeum_auth::token::{NewToken, Seal};
use odeum_types::{AppId, UnixMillis};

use crate::process::Measured;

/// The app of every benchmark.
pub(crate) const APP: AppId = AppId(1_234_567_890);
/// Its secret.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The core that what is measured runs on; the load runs on the others.
pub(crate) const CORE: usize = 0;

/// A running server; ends when dropped.
pub(crate) struct Server {
    /// The process.
    child: Child,
    /// Its folder, removed in the end.
    folder: PathBuf,
    /// Where HTTP and signalling are.
    pub(crate) http: SocketAddr,
    /// How its cost is read.
    pub(crate) measured: Measured,
}

impl Server {
    /// Starts one whose app may make `calls_per_second` of each of some actions.
    ///
    /// # Errors
    /// It is not built, or it does not start.
    pub(crate) fn start(calls_per_second: &[(&str, u32)]) -> anyhow::Result<Self> {
        let binary = env::current_exe()?.with_file_name("odeum");
        if !binary.exists() {
            bail!("no {}: run `make build`", binary.display());
        }
        let folder = env::temp_dir().join(format!("odeum-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let config = folder.join("odeum.toml");
        fs::write(&config, configuration(&folder, calls_per_second))?;
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
        let http = line.split_whitespace().find_map(|word| word.strip_prefix("http="));
        let http = http.with_context(|| format!("the server did not start: {line}"))?.parse()?;
        let measured = Measured::new(child.id(), CORE);
        Ok(Self { child, folder, http, measured })
    }

    /// The address for signalling.
    pub(crate) fn signal_url(&self) -> String {
        format!("ws://{}/signal", self.http)
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

fn configuration(folder: &std::path::Path, calls_per_second: &[(&str, u32)]) -> String {
    let calls: Vec<String> =
        calls_per_second.iter().map(|(action, calls)| format!("{action} = {calls}")).collect();
    format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n\
         [media]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[apps]]\napp_id = {}\nserver_secret = \"{SECRET}\"\n\
         calls_per_second = {{ {} }}\n",
        folder.join("data"),
        APP.0,
        calls.join(", "),
    )
}

/// A client token for `user`, good for an hour.
pub(crate) fn token(user: &str) -> anyhow::Result<String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now = UnixMillis(u64::try_from(since.as_millis())?);
    let token = NewToken { app: APP, user, lifetime_seconds: 3_600, payload: "" };
    Ok(token.seal(SECRET, now, rand::random(), Seal::Gcm { nonce: rand::random() })?)
}
