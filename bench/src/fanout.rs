//! The fan-out: one publisher, N viewers, the server on one core. In the same run the floor: the
//! same datagrams to the same sockets by a process that only sends. Windows of both take turns, so
//! that what else the machine does meets both; medians are told.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use futures_util::future::try_join_all;
use odeum_client::{
    Certificate, ConnectOptions, Direction, Kind, LoginOptions, NackMode, PeerConfig, RequestError,
    Signalling, WebRtcPeer,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::load::{
    BURST_INTERVAL, BURST_PACKETS, Counts, DATAGRAM_BYTES, Load, Publishing, SAMPLED_EVERY, Sending,
};
use crate::machine::Machine;
use crate::percentiles::{Percentiles, median};
use crate::process::Measured;
use crate::server::{APP, CORE, Server, token};

/// The room of the measurement.
const ROOM: &str = "fanout";
/// The stream of the measurement.
const STREAM: &str = "camera";
/// Viewers that join at once.
const JOINING_MAX: usize = 25;
/// Published before memory is read: more than the track's ring keeps.
const RING_FILLS_IN: Duration = Duration::from_secs(5);
/// Published to new viewers before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct FanoutArgs {
    /// Numbers of viewers, growing.
    #[arg(long, value_delimiter = ',', default_value = "1,50,200,400")]
    viewers: Vec<usize>,
    /// Windows of the server, and as many of the floor, for each number of viewers.
    #[arg(long, default_value_t = 12)]
    windows: u32,
    /// Bursts of a window; 25 are a second.
    #[arg(long, default_value_t = 25)]
    window_bursts: u32,
    /// Media workers, all on the server's one core: what it costs that packets cross. Half of the
    /// first number of viewers is on the publisher's worker.
    #[arg(long, default_value_t = 1)]
    workers: u16,
    /// How the publisher's bursts leave.
    #[arg(long, value_enum, default_value_t = Sending::Together)]
    publisher: Sending,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What one number of viewers gave.
struct Row {
    /// The number.
    viewers: usize,
    /// The server's CPU time for each delivered packet, by window, microseconds.
    server_us: Vec<f64>,
    /// The floor's.
    floor_us: Vec<f64>,
    /// Packets that should have arrived.
    due: u64,
    /// Packets that did not.
    lost: u64,
    /// Of the floor's packets, how many did not arrive.
    floor_lost: u64,
    /// Share of the core that the server used.
    core_share: f64,
    /// Resident memory more than without viewers, for each viewer.
    viewer_bytes: f64,
    /// Of it, what the viewers' WebSockets and sessions took before they played.
    session_bytes: f64,
    /// Delays at the sampled viewers.
    delays: Percentiles,
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, a peer that closes, a payload that is not what was sent.
pub(crate) fn run(args: &FanoutArgs) -> anyhow::Result<()> {
    let machine = Machine::read()?;
    let room_peers = args.viewers.first().map_or(1, |viewers| viewers / 2 + 1);
    let server = match args.workers {
        1 => Server::start(&[])?,
        workers => Server::start_spread(workers, room_peers)?,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut stage = Stage {
        load: Load::new(args.publisher)?,
        certificate: Certificate::generate()?,
        sessions: Vec::new(),
        runtime,
        server,
    };
    stage.publish()?;
    stage.load.run(Instant::now() + RING_FILLS_IN, Publishing::On)?;
    let mut rows = Vec::new();
    // Memory without viewers, and what their sessions took so far.
    let empty_bytes = stage.server.measured.resident_bytes()?;
    let mut session_bytes = 0;
    for viewers in &args.viewers {
        session_bytes += stage.join(*viewers)?;
        stage.load.run(Instant::now() + WARM_UP, Publishing::On)?;
        let mut row = stage.measure(args)?;
        let resident = stage.server.measured.resident_bytes()?;
        row.viewer_bytes = resident.saturating_sub(empty_bytes) as f64 / *viewers as f64;
        row.session_bytes = session_bytes as f64 / *viewers as f64;
        row.print(rows.is_empty());
        rows.push(row);
    }
    let (missing, packets) = stage.load.sampled();
    println!(
        "publisher's bursts {:?}; workers {}; cipher {}; one viewer in {SAMPLED_EVERY} decrypts and checks: \
         {packets} packets, {missing} missing\n{}",
        args.publisher,
        args.workers,
        stage.load.profile(),
        machine.line()
    );
    if let Some(file) = &args.json {
        let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
        let sending = format!("{:?}", args.publisher).to_lowercase();
        let results = json!({ "publisher": sending, "workers": args.workers, "rows": rows });
        machine.save(file, "fanout", results)?;
    }
    Ok(())
}

/// The server and who is connected to it.
struct Stage {
    /// Publisher and viewers.
    load: Load,
    /// Shared by all peers.
    certificate: Certificate,
    /// Open WebSockets: the publisher's, then the viewers'.
    sessions: Vec<Signalling>,
    /// Runs the WebSockets.
    runtime: Runtime,
    /// What is measured.
    server: Server,
}

impl Stage {
    fn publish(&mut self) -> anyhow::Result<()> {
        let mut peer = self.peer(Direction::Send);
        let (url, offer) = (self.server.signal_url(), peer.offer());
        let (session, answer) = self.runtime.block_on(async {
            let session = log_in(&url, "publisher").await?;
            let answer = session.publish(ROOM, STREAM, "", &offer).await?;
            anyhow::Ok((session, answer))
        })?;
        peer.accept_answer(Instant::now(), &answer)?;
        self.sessions.push(session);
        self.load.add_publisher(peer)
    }

    /// Lets viewers join until there are `viewers`; how much memory their sessions took.
    fn join(&mut self, viewers: usize) -> anyhow::Result<u64> {
        let before = self.server.measured.resident_bytes()?;
        let url = self.server.signal_url();
        let first = self.load.viewers();
        let names: Vec<String> =
            (first..viewers).map(|number| format!("viewer-{number}")).collect();
        for names in names.chunks(JOINING_MAX) {
            let sessions = names.iter().map(|name| log_in(&url, name));
            self.sessions.extend(self.runtime.block_on(try_join_all(sessions))?);
        }
        let logged_in = self.server.measured.resident_bytes()?;
        while self.load.viewers() < viewers {
            let joined = self.load.viewers();
            let joining = joined..viewers.min(joined + JOINING_MAX);
            let mut peers: Vec<_> =
                joining.clone().map(|_| self.peer(Direction::Receive)).collect();
            // The publisher's session comes first.
            let sessions = &self.sessions[joining.start + 1..joining.end + 1];
            let answers = sessions.iter().zip(&peers).map(|(session, peer)| play(session, peer));
            let answers = self.runtime.block_on(try_join_all(answers))?;
            for (peer, answer) in peers.iter_mut().zip(&answers) {
                peer.accept_answer(Instant::now(), answer)?;
            }
            self.load.add_viewers(peers)?;
        }
        Ok(logged_in.saturating_sub(before))
    }

    fn measure(&mut self, args: &FanoutArgs) -> anyhow::Result<Row> {
        let viewers = self.load.viewers();
        let mut floor = Floor::start(&self.load.viewer_ports()?)?;
        let mut row = Row::new(viewers);
        let per_window = u64::from(args.window_bursts * BURST_PACKETS) * viewers as u64;
        let mut core_shares = Vec::new();
        self.load.delays.clear();
        for _ in 0..args.windows {
            self.load.resume();
            // One burst more, so that caches are those of a server that is at it.
            self.load.run_bursts(1)?;
            let (counts, cpu) = (self.load.counts(), self.server.measured.cpu_time()?);
            let begin = Instant::now();
            self.load.run_bursts(args.window_bursts)?;
            let due = Counts { received: counts.received + per_window, ..counts };
            self.load.settle(due)?;
            let cpu = self.server.measured.cpu_time()?.saturating_sub(cpu);
            core_shares.push(cpu.as_secs_f64() / begin.elapsed().as_secs_f64());
            let received = self.load.counts().received - counts.received;
            row.due += per_window;
            row.lost += per_window.saturating_sub(received);
            row.server_us.push(cpu.as_secs_f64() * 1e6 / received.max(1) as f64);

            let counts = self.load.counts();
            let cpu = floor.measured.cpu_time()?;
            let time = BURST_INTERVAL * args.window_bursts + Duration::from_millis(50);
            floor.send(args.window_bursts)?;
            self.load.run(Instant::now() + time, Publishing::Paused)?;
            floor.has_sent()?;
            let due = Counts { of_floor: counts.of_floor + per_window, ..counts };
            self.load.settle(due)?;
            let cpu = floor.measured.cpu_time()?.saturating_sub(cpu);
            let received = self.load.counts().of_floor - counts.of_floor;
            row.floor_lost += per_window.saturating_sub(received);
            row.floor_us.push(cpu.as_secs_f64() * 1e6 / received.max(1) as f64);
        }
        row.core_share = median(core_shares);
        std::mem::swap(&mut row.delays, &mut self.load.delays);
        self.load.resume();
        Ok(row)
    }

    fn peer(&self, direction: Direction) -> WebRtcPeer {
        let config = PeerConfig {
            media: vec![Kind::Video],
            // Loss shall be seen, not repaired.
            nack: NackMode::Count,
            ..PeerConfig::new(direction, self.certificate.clone(), rand::random())
        };
        WebRtcPeer::new(config)
    }
}

async fn log_in(url: &str, user: &str) -> anyhow::Result<Signalling> {
    // Nobody listens to the room here; the connection goes on without.
    let (session, _events) = Signalling::connect(&ConnectOptions::new(url)).await?;
    let mut options = LoginOptions::new(APP.0, ROOM, user, token(user)?);
    options.user_update = false;
    session.login(options).await?;
    Ok(session)
}

/// Plays the stream, which enters the room a moment after its publisher is connected.
async fn play(session: &Signalling, peer: &WebRtcPeer) -> anyhow::Result<String> {
    let offer = peer.offer();
    for _ in 0..100 {
        match session.play(ROOM, STREAM, &offer).await {
            Err(RequestError::Refused { .. }) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answer => return Ok(answer?),
        }
    }
    Ok(session.play(ROOM, STREAM, &offer).await?)
}

impl Row {
    fn new(viewers: usize) -> Self {
        Self {
            viewers,
            server_us: Vec::new(),
            floor_us: Vec::new(),
            due: 0,
            lost: 0,
            floor_lost: 0,
            core_share: 0.0,
            viewer_bytes: 0.0,
            session_bytes: 0.0,
            delays: Percentiles::new(),
        }
    }

    fn ratio(&self) -> f64 {
        self.server() / self.floor().max(f64::MIN_POSITIVE)
    }

    fn server(&self) -> f64 {
        median(self.server_us.iter().copied())
    }

    fn floor(&self) -> f64 {
        median(self.floor_us.iter().copied())
    }

    fn print(&self, is_first: bool) {
        if is_first {
            println!(
                "| viewers | server us/packet | floor us/packet | ratio | lost | of \
                 | delay p50 ms | p99 ms | KB/viewer | of it session | core |\n\
                 |---|---|---|---|---|---|---|---|---|---|---|"
            );
        }
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {} | {} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} % |",
            self.viewers,
            self.server(),
            self.floor(),
            self.ratio(),
            self.lost,
            self.due,
            self.delays.milliseconds(50.0),
            self.delays.milliseconds(99.0),
            self.viewer_bytes / 1024.0,
            self.session_bytes / 1024.0,
            self.core_share * 100.0,
        );
        if self.floor_lost > 0 {
            println!("(the floor lost {} at {} viewers)", self.floor_lost, self.viewers);
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "viewers": self.viewers,
            "server_us_per_packet": self.server(),
            "server_us_per_packet_by_window": self.server_us,
            "floor_us_per_packet": self.floor(),
            "floor_us_per_packet_by_window": self.floor_us,
            "ratio": self.ratio(),
            "packets_due": self.due,
            "packets_lost": self.lost,
            "floor_packets_lost": self.floor_lost,
            "delay": self.delays.to_json(),
            "bytes_per_viewer": self.viewer_bytes,
            "session_bytes_per_viewer": self.session_bytes,
            "core_share": self.core_share,
        })
    }
}

/// The process that only sends.
struct Floor {
    /// The process; ended when dropped.
    child: Child,
    /// Takes commands.
    commands: ChildStdin,
    /// Gives results.
    results: BufReader<ChildStdout>,
    /// How its cost is read.
    measured: Measured,
}

impl Floor {
    fn start(ports: &[u16]) -> anyhow::Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", &CORE.to_string()])
            .arg(std::env::current_exe()?)
            .args(["floor", "--packet-bytes", &DATAGRAM_BYTES.to_string()])
            .args(["--burst-packets", &BURST_PACKETS.to_string()])
            .args(["--interval-us", &BURST_INTERVAL.as_micros().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset (util-linux)")?;
        let mut commands = child.stdin.take().context("stdin is piped")?;
        let results = BufReader::new(child.stdout.take().context("stdout is piped")?);
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        writeln!(commands, "to {}", ports.join(" "))?;
        let measured = Measured::new(child.id(), CORE);
        Ok(Self { child, commands, results, measured })
    }

    fn send(&mut self, bursts: u32) -> anyhow::Result<()> {
        writeln!(self.commands, "send {bursts}")?;
        Ok(())
    }

    fn has_sent(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        self.results.read_line(&mut line)?;
        ensure!(line.starts_with("sent") && line.contains("refused 0"), "the floor says: {line}");
        Ok(())
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
