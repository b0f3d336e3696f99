//! As many logged-in users as the machine's limits allow: what a login costs, what an idle user
//! costs, and how long a broadcast takes to 5,000 of them who are in one room.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};

use crate::crowd::{Crowd, Person, log_in};
use odeum_load::{Machine, Percentiles, Server, ServerOptions, descriptors_max, median};

/// The large room.
const HALL: &str = "hall";
/// Users of each small room.
const SMALL_ROOM: usize = 10;
/// Descriptors of server and load that are no users.
const OTHER_DESCRIPTORS: usize = 100;
/// Until users who have logged in are idle: the count of users is told every 30 s, and what a login
/// left behind is gone by then.
const IDLE_AFTER: Duration = Duration::from_secs(35);
/// From one broadcast to the next, so that each finds an idle server.
const BETWEEN_BROADCASTS: Duration = Duration::from_millis(200);
/// Bytes of a broadcast.
const MESSAGE_BYTES: usize = 100;
/// Broadcasts to warm up, which are not measured.
const WARM_UP: u32 = 3;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct UsersArgs {
    /// Users in all; fewer where fewer descriptors may be open.
    #[arg(long, default_value_t = 20_000)]
    users: usize,
    /// Of them, those in one room. The others are in rooms of ten.
    #[arg(long, default_value_t = 5_000)]
    audience: usize,
    /// Broadcasts to that room, one after another.
    #[arg(long, default_value_t = 100)]
    broadcasts: u32,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What one kind of user costs.
struct Row {
    /// Where they are.
    rooms: String,
    /// How many.
    users: usize,
    /// How long their logins took together.
    elapsed: Duration,
    /// The server's CPU time for them.
    cpu: Duration,
    /// The server's memory for all of them, once they are idle.
    bytes: u64,
}

/// What the broadcasts gave.
struct Broadcasts {
    /// From the request's first byte to each user's message.
    each: Percentiles,
    /// To the last user's.
    last: Percentiles,
    /// To the backend's reply.
    reply: Percentiles,
    /// The server's CPU time for each message that reached a user, microseconds, by broadcast.
    cpu_us: Vec<f64>,
}

/// The server and the users.
struct Stage {
    /// What is measured.
    server: Server,
    /// Who is in.
    crowd: Crowd,
    /// Memory that the rows so far account for.
    bytes: u64,
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, a login that is refused, a user who is not told.
pub(crate) fn run(args: &UsersArgs) -> anyhow::Result<()> {
    let machine = Machine::read()?;
    let users = args.users.min(descriptors_max()?.saturating_sub(OTHER_DESCRIPTORS));
    ensure!(users > args.audience, "only {users} descriptors for users: raise `ulimit -n`");
    let server = Server::start(&ServerOptions {
        calls_per_second: &[("SendBroadcastMessage", 1_000)],
        ..Default::default()
    })?;
    let (bytes, crowd) = (server.measured.resident_bytes()?, Crowd::new()?);
    let mut stage = Stage { server, crowd, bytes };
    let person = |room, user| Person { room, user, user_update: false };
    let small = (0..users - args.audience)
        .map(|number| person(format!("room-{}", number / SMALL_ROOM), format!("user-{number}")));
    let hall = (0..args.audience).map(|number| person(HALL.to_owned(), format!("fan-{number}")));
    let rows = [
        stage.fill(format!("of {SMALL_ROOM}"), &small.collect::<Vec<_>>())?,
        stage.fill("one".to_owned(), &hall.collect::<Vec<_>>())?,
    ];
    let sessions = stage.server.metric("odeum_sessions")?;
    ensure!(sessions == users as u64, "the server has {sessions} sessions, not {users}");
    let descriptors = stage.server.measured.descriptors()?;
    let heartbeat_us = stage.heartbeat_us(users)?;
    let broadcasts = stage.broadcast(args)?;
    print(&rows, &broadcasts);
    println!(
        "{sessions} users logged in (limit of open files {}), {descriptors} descriptors of the \
         server;\n{heartbeat_us:.1} us of its CPU for a heartbeat, one in 20 s for each user: \
         {:.1} % of a core; {:.1} us of it for a delivered message; {} broadcasts\n{}",
        descriptors_max()?,
        heartbeat_us * users as f64 / 20.0 / 1e4,
        median(broadcasts.cpu_us.iter().copied()),
        args.broadcasts,
        machine.line()
    );
    if let Some(file) = &args.json {
        let results = json!({
            "users": sessions,
            "descriptors": descriptors,
            "rows": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            "cpu_us_per_heartbeat": heartbeat_us,
            "audience": args.audience,
            "broadcasts": broadcasts.to_json(),
        });
        machine.save(file, "users", results)?;
    }
    Ok(())
}

fn print(rows: &[Row], broadcasts: &Broadcasts) {
    println!("| rooms | users | logins/s | us of CPU per login | KB per idle user |");
    println!("|---|---|---|---|---|");
    rows.iter().for_each(Row::print);
    println!("\n| what | p50 ms | p99 ms | max ms |\n|---|---|---|---|");
    let delays = [
        ("each user has the message", &broadcasts.each),
        ("the last user has it", &broadcasts.last),
        ("the backend has its reply", &broadcasts.reply),
    ];
    for (what, delays) in delays {
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| delays.milliseconds(percent));
        println!("| {what} | {p50:.2} | {p99:.2} | {max:.2} |");
    }
}

impl Stage {
    /// Logs these in and waits until they are idle.
    fn fill(&mut self, rooms: String, people: &[Person]) -> anyhow::Result<Row> {
        let (cpu, begin) = (self.server.measured.cpu_time()?, Instant::now());
        let clients = log_in(self.server.http, people)?;
        let elapsed = begin.elapsed();
        let cpu = self.server.measured.cpu_time()?.saturating_sub(cpu);
        self.crowd.add(clients)?;
        self.crowd.read_for(IDLE_AFTER)?;
        self.crowd.heartbeat()?;
        // The server has answered all; let it come to rest.
        self.crowd.read_for(Duration::from_secs(1))?;
        let resident = self.server.measured.resident_bytes()?;
        let bytes = resident.saturating_sub(self.bytes);
        self.bytes = resident;
        Ok(Row { rooms, users: people.len(), elapsed, cpu, bytes })
    }

    /// The server's CPU time for a heartbeat.
    fn heartbeat_us(&mut self, users: usize) -> anyhow::Result<f64> {
        let cpu = self.server.measured.cpu_time()?;
        self.crowd.heartbeat()?;
        let cpu = self.server.measured.cpu_time()?.saturating_sub(cpu);
        Ok(cpu.as_secs_f64() * 1e6 / users as f64)
    }

    fn broadcast(&mut self, args: &UsersArgs) -> anyhow::Result<Broadcasts> {
        let mut all = Broadcasts {
            each: Percentiles::default(),
            last: Percentiles::default(),
            reply: Percentiles::default(),
            cpu_us: Vec::new(),
        };
        self.crowd.connect_backend(self.server.http)?;
        let mut heartbeat_at = Instant::now() + Duration::from_secs(20);
        for number in 0..WARM_UP + args.broadcasts {
            if Instant::now() >= heartbeat_at {
                self.crowd.heartbeat()?;
                heartbeat_at = Instant::now() + Duration::from_secs(20);
            }
            self.crowd.read_for(BETWEEN_BROADCASTS)?;
            let mark = format!("message-{number}-");
            let parameters = format!(
                "&RoomId={HALL}&UserId=backend&UserName=Backend&MessageCategory=1\
                 &MessageContent={mark:-<MESSAGE_BYTES$}"
            );
            let cpu = self.server.measured.cpu_time()?;
            let (mut each, mut slowest) = (Vec::with_capacity(args.audience), Duration::ZERO);
            let told = |delay: Duration| {
                each.push(delay);
                slowest = slowest.max(delay);
            };
            let audience = (mark.as_str(), args.audience);
            let reply = self.crowd.call("SendBroadcastMessage", &parameters, audience, told)?;
            let cpu = self.server.measured.cpu_time()?.saturating_sub(cpu);
            if number < WARM_UP {
                continue;
            }
            each.into_iter().for_each(|delay| all.each.record(delay));
            all.last.record(slowest);
            all.reply.record(reply);
            all.cpu_us.push(cpu.as_secs_f64() * 1e6 / args.audience as f64);
        }
        Ok(all)
    }
}

impl Row {
    fn logins_per_second(&self) -> f64 {
        self.users as f64 / self.elapsed.as_secs_f64()
    }

    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.users as f64
    }

    fn print(&self) {
        println!(
            "| {} | {} | {:.0} | {:.0} | {:.1} |",
            self.rooms,
            self.users,
            self.logins_per_second(),
            self.cpu_us(),
            self.bytes as f64 / 1024.0 / self.users as f64,
        );
    }

    fn to_json(&self) -> Value {
        json!({
            "rooms": self.rooms,
            "users": self.users,
            "logins_per_second": self.logins_per_second(),
            "cpu_us_per_login": self.cpu_us(),
            "bytes_per_user": self.bytes as f64 / self.users as f64,
        })
    }
}

impl Broadcasts {
    fn to_json(&self) -> Value {
        json!({
            "each": self.each.to_json(),
            "last": self.last.to_json(),
            "reply": self.reply.to_json(),
            "cpu_us_per_message": median(self.cpu_us.iter().copied()),
        })
    }
}
