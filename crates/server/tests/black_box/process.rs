//! The built server in a folder of its own on free ports, and what the system tells of its process.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use odeum_auth::token::{NewToken, Seal};
use odeum_types::{AppId, UnixMillis};

/// Longest that a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The app of the tests.
pub(crate) const APP: AppId = AppId(1_234_567_890);

/// Its secret.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Lines of the log that are kept for a failure's report.
const LOG_LINES_KEPT: usize = 40;

/// A running server; killed when the test ends.
pub(crate) struct Server {
    process: Child,
    /// Server API and signalling.
    pub(crate) http: SocketAddr,
    /// The media port.
    pub(crate) media: SocketAddr,
    /// Metrics.
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<Log>>,
}

/// What the server wrote.
#[derive(Default)]
struct Log {
    lines: u64,
    panics: Vec<String>,
    last: std::collections::VecDeque<String>,
}

impl Server {
    /// Starts one on `127.0.0.1` with one app and an empty data folder.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, "")
    }

    /// As [`Server::start`], with more lines for the app and tables behind it.
    pub(crate) fn start_with(name: &str, more: &str) -> Self {
        let data = data_folder(name);
        if data.exists() {
            std::fs::remove_dir_all(&data).expect("the folder can be written");
        }
        Self::restart_with(name, more)
    }

    /// As [`Server::start_with`], with the data that an earlier one of the same name left.
    pub(crate) fn restart_with(name: &str, more: &str) -> Self {
        let app = format!("[[apps]]\napp_id = {APP}\nserver_secret = \"{SECRET}\"\n");
        let text = format!("{}{app}environment = \"any\"\n{more}", head(name));
        let file = write_file(&format!("{name}.toml"), &text);
        Self::run(&["serve", "--config", &file.to_string_lossy()])
    }

    /// As [`Server::start_with`], with an admin token.
    pub(crate) fn start_with_admin(name: &str, token: &str, more: &str) -> Self {
        drop(std::fs::remove_dir_all(data_folder(name)));
        let app = format!("[[apps]]\napp_id = {APP}\nserver_secret = \"{SECRET}\"\n");
        // [admin] is the head's last table.
        let text = format!("{}token = \"{token}\"\n{app}{more}", head(name));
        let file = write_file(&format!("{name}.toml"), &text);
        Self::run(&["serve", "--config", &file.to_string_lossy()])
    }

    /// Starts one as somebody who tries it does.
    pub(crate) fn dev() -> Self {
        let free = "127.0.0.1:0";
        let ports = ["--listen", free, "--media-listen", free, "--admin-listen", free];
        Self::run(&[&["serve", "--dev"][..], &ports[..]].concat())
    }

    /// Runs the binary with these arguments until it listens.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_odeum"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it is built");
        let log = Arc::new(Mutex::new(Log::default()));
        let stderr = BufReader::new(process.stderr.take().expect("it is piped"));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).take(line);
            }
        });
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let line = (output.lines().map_while(Result::ok))
            .find(|line| line.starts_with("listening "))
            .expect("it says where it listens");
        let address = |name: &str| {
            let word = line.split(' ').find_map(|word| word.strip_prefix(name));
            word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{name} in {line}"))
        };
        let (http, media, admin) = (address("http="), address("media="), address("admin="));
        Self { http, media, admin, process, log }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal, such as `-HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits until it has ended, and gives how.
    #[expect(clippy::disallowed_methods, reason = "another process is waited for, to a deadline")]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("it is our child") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to end, and gives how it ended.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    /// Ends it as a crash does, without a word.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL");
        self.wait();
    }

    /// Where clients open their WebSocket.
    pub(crate) fn signal_url(&self) -> String {
        format!("ws://{}/signal", self.http)
    }

    /// Memory that it has in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kilobytes * 1024
    }

    /// File descriptors that it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        open.expect("it runs").count()
    }

    /// A figure of its metrics, summed over the media workers.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = get(self.admin, "/metrics");
        let of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values: Vec<u64> = (page.lines().filter(of_name))
            .map(|line| line.rsplit(' ').next().and_then(|value| value.parse().ok()))
            .collect::<Option<_>>()
            .expect("figures are whole numbers");
        assert!(!values.is_empty(), "no figure {name}");
        values.iter().sum()
    }

    /// Lines of its log.
    pub(crate) fn log_lines(&self) -> u64 {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).lines
    }

    /// Fails when it panicked anywhere.
    pub(crate) fn assert_no_panic(&self) {
        for counter in [
            "odeum_peer_panics_total",
            "odeum_room_panics_total",
            "odeum_room_worker_panics_total",
            "odeum_media_restarts_total",
        ] {
            assert_eq!(self.metric(counter), 0, "{counter}; {}", self.report());
        }
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(log.panics.is_empty(), "{:#?}", log.panics);
    }

    /// The end of its log, for a failure's message.
    pub(crate) fn report(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = format!("{} lines of log, panics {:#?}", log.lines, log.panics);
        for line in &log.last {
            write!(report, "\n{line}").expect("writing to a String cannot fail");
        }
        report
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Log {
    fn take(&mut self, line: String) {
        self.lines += 1;
        if line.contains("panicked") {
            self.panics.push(line.clone());
        }
        self.last.push_back(line);
        if self.last.len() > LOG_LINES_KEPT {
            self.last.pop_front();
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()
}

/// A token for a login, good for an hour.
pub(crate) fn token(user: &str) -> String {
    let token = NewToken { app: APP, user, lifetime_seconds: 3_600, payload: "" };
    let seal = Seal::Gcm { nonce: rand::random() };
    token.seal(SECRET, UnixMillis(now_s() * 1_000), 1, seal).expect("a secret of 32 characters")
}

/// A GET without TLS; the whole reply as text.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    get_of_host(address, path, "localhost")
}

/// As [`get`], under this name of the server.
pub(crate) fn get_of_host(address: SocketAddr, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers and closes");
    reply
}

/// The lines of a configuration before its apps: free ports and a data folder of its own.
pub(crate) fn head(name: &str) -> String {
    let free = "listen = \"127.0.0.1:0\"\n";
    format!("{free}data_dir = {:?}\n[media]\n{free}[admin]\n{free}", data_folder(name))
}

/// Where the server of this name keeps its data.
pub(crate) fn data_folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-data"))
}

/// A file of these tests, with `text`.
pub(crate) fn write_file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    path
}
