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
    /// Starts one on `127.0.0.1` with one app.
    pub(crate) fn start(name: &str) -> Self {
        let free = "listen = \"127.0.0.1:0\"\n";
        let app = format!("[[apps]]\napp_id = {APP}\nserver_secret = \"{SECRET}\"\n");
        let text = format!("{free}[media]\n{free}[admin]\n{free}{app}environment = \"any\"\n");
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
        std::fs::write(&file, text).expect("the folder can be written");
        let mut process = Command::new(env!("CARGO_BIN_EXE_odeum"))
            .args(["serve", "--config", &file.to_string_lossy()])
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

    /// Where clients open their WebSocket.
    pub(crate) fn signal_url(&self) -> String {
        format!("ws://{}/signal", self.http)
    }

    /// Asks it to end, and gives how it ended.
    #[expect(clippy::disallowed_methods, reason = "another process is waited for, to a deadline")]
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(told.expect("kill is there").success());
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("it is our child") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
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
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers and closes");
    reply
}
