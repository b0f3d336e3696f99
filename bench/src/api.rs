//! Signed Server API calls on one core: how many, and how long each takes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use odeum_client::{ConnectOptions, LoginOptions, Signalling};
use serde_json::{Value, json};

use crate::http_load::{HttpLoad, Signer};
use odeum_load::{APP, Machine, Percentiles, Server, ServerOptions, token};

/// Rooms that calls are spread over: one may hold 1,000 added streams.
const ROOMS: u64 = 16;
/// Streams added, then deleted, in one turn.
const STREAMS_PER_TURN: u64 = 8_000;
/// Calls per second that the app may make: more than a core can.
const CALLS_PER_SECOND: u32 = 10_000_000;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// Connections, each with one call under way.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What one action gave.
struct Row {
    /// The action.
    action: &'static str,
    /// Connections.
    connections: usize,
    /// Calls answered.
    calls: u64,
    /// Time that they took together.
    elapsed: Duration,
    /// The server's CPU time for them.
    cpu: Duration,
    /// From the request's first byte to the reply's last.
    delays: Percentiles,
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, a call that is refused.
pub(crate) fn run(args: &ApiArgs) -> anyhow::Result<()> {
    let machine = Machine::read()?;
    let actions = ["DescribeUserNum", "AddStream", "DeleteStream"];
    let server = Server::start(&ServerOptions {
        calls_per_second: &actions.map(|action| (action, CALLS_PER_SECOND)),
        ..Default::default()
    })?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // A room is there while somebody is in it.
    let _sessions = (0..ROOMS)
        .map(|room| runtime.block_on(log_in(&server.signal_url(), &format!("room-{room}"))))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut signer = Signer::new();
    let time = Duration::from_secs(args.seconds);
    let mut rows = Vec::new();
    for connections in [1, args.connections] {
        rows.push(describe(&server, connections, &mut signer, time)?);
    }
    for connections in [1, args.connections] {
        rows.push(delete(&server, connections, &mut signer, time)?);
    }
    println!(
        "| action | connections | calls | calls/s | us of CPU per call | calls/s of a whole core \
         | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|---|"
    );
    rows.iter().for_each(Row::print);
    println!("{}", machine.line());
    if let Some(file) = &args.json {
        machine.save(file, "api", rows.iter().map(Row::to_json).collect())?;
    }
    Ok(())
}

fn describe(
    server: &Server,
    connections: usize,
    signer: &mut Signer,
    time: Duration,
) -> anyhow::Result<Row> {
    let mut load = HttpLoad::connect(server.http, connections)?;
    let mut number = 0;
    let mut run = |load: &mut HttpLoad, time| {
        let end = Instant::now() + time;
        load.run(|| {
            number += 1;
            let room = format!("&RoomId[]=room-{}", number % ROOMS);
            (Instant::now() < end).then(|| signer.request("DescribeUserNum", &room))
        })
    };
    run(&mut load, Duration::from_secs(1))?;
    (load.replies, load.delays) = (0, Percentiles::default());
    let (cpu, begin) = (server.measured.cpu_time()?, Instant::now());
    run(&mut load, time)?;
    Ok(Row {
        action: "DescribeUserNum",
        connections,
        calls: load.replies,
        elapsed: begin.elapsed(),
        cpu: server.measured.cpu_time()?.saturating_sub(cpu),
        delays: load.delays,
    })
}

/// Streams have to be there before they are deleted: turns of adding, which is not measured, and
/// deleting, which is.
fn delete(
    server: &Server,
    connections: usize,
    signer: &mut Signer,
    time: Duration,
) -> anyhow::Result<Row> {
    let mut adding = HttpLoad::connect(server.http, connections.max(8))?;
    let mut load = HttpLoad::connect(server.http, connections)?;
    let (mut elapsed, mut cpu) = (Duration::ZERO, Duration::ZERO);
    // One connection alone is slow: shorter turns keep the time.
    let streams = STREAMS_PER_TURN.min(1_000 * connections as u64);
    let mut is_warm = false;
    while elapsed < time {
        turn(&mut adding, streams, signer, "AddStream")?;
        let (cpu_before, begin) = (server.measured.cpu_time()?, Instant::now());
        turn(&mut load, streams, signer, "DeleteStream")?;
        if is_warm {
            elapsed += begin.elapsed();
            cpu += server.measured.cpu_time()?.saturating_sub(cpu_before);
        } else {
            is_warm = true;
            (load.replies, load.delays) = (0, Percentiles::default());
        }
    }
    let (calls, delays) = (load.replies, load.delays);
    Ok(Row { action: "DeleteStream", connections, calls, elapsed, cpu, delays })
}

fn turn(
    load: &mut HttpLoad,
    streams: u64,
    signer: &mut Signer,
    action: &str,
) -> anyhow::Result<()> {
    let mut number = 0;
    load.run(|| {
        let (room, stream) = (number % ROOMS, number);
        number += 1;
        let parameters = format!("&RoomId=room-{room}&UserId=backend&StreamId=stream-{stream}");
        (number <= streams).then(|| signer.request(action, &parameters))
    })
}

async fn log_in(url: &str, room: &str) -> anyhow::Result<Signalling> {
    // Notices are read off the socket and dropped.
    let (session, _events) = Signalling::connect(&ConnectOptions::new(url)).await?;
    let user = format!("user-of-{room}");
    session.login(LoginOptions::new(APP.0, room, &user, token(&user)?)).await?;
    Ok(session)
}

impl Row {
    fn per_second(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64()
    }

    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.calls.max(1) as f64
    }

    fn print(&self) {
        println!(
            "| {} | {} | {} | {:.0} | {:.1} | {:.0} | {:.2} | {:.2} |",
            self.action,
            self.connections,
            self.calls,
            self.per_second(),
            self.cpu_us(),
            1e6 / self.cpu_us(),
            self.delays.milliseconds(50.0),
            self.delays.milliseconds(99.0),
        );
    }

    fn to_json(&self) -> Value {
        json!({
            "action": self.action,
            "connections": self.connections,
            "calls": self.calls,
            "calls_per_second": self.per_second(),
            "cpu_us_per_call": self.cpu_us(),
            "calls_per_core_second": 1e6 / self.cpu_us(),
            "delay": self.delays.to_json(),
        })
    }
}
