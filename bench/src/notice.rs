//! One DeleteStream told to a whole room: from the request's first byte to each client's notice.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::crowd::{Crowd, Person, log_in};
use odeum_load::{Machine, Percentiles, Server, ServerOptions};

/// The room.
const ROOM: &str = "hall";
/// From an addition to the deletion. Server and load at rest for a twentieth of the time are not
/// stopped for it by the kernel, which lets real-time threads have 95 % of a second.
const BETWEEN: Duration = Duration::from_millis(5);
/// Deletions after which every client says what it has seen, as clients do every 20 s.
const HEARTBEAT_EVERY: u32 = 20;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct NoticeArgs {
    /// Clients in the room.
    #[arg(long, default_value_t = 1_000)]
    clients: usize,
    /// Streams deleted, one after another.
    #[arg(long, default_value_t = 100)]
    deletions: u32,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, a call that is refused, a client that is not told.
pub(crate) fn run(args: &NoticeArgs) -> anyhow::Result<()> {
    let machine = Machine::read()?;
    let calls = ["AddStream", "DeleteStream"].map(|action| (action, 1_000));
    let server = Server::start(&ServerOptions { calls_per_second: &calls, ..Default::default() })?;
    let before = server.measured.resident_bytes()?;
    let person = |number| Person {
        room: ROOM.to_owned(),
        user: format!("client-{number}"),
        user_update: false,
    };
    let people: Vec<Person> = (0..args.clients).map(person).collect();
    let mut crowd = Crowd::new()?;
    crowd.add(log_in(server.http, &people)?)?;
    crowd.connect_backend(server.http)?;
    let client_bytes = (server.measured.resident_bytes()? - before) as f64 / args.clients as f64;

    let (mut each, mut last, mut reply) =
        (Percentiles::default(), Percentiles::default(), Percentiles::default());
    let mut cpu = Vec::new();
    for number in 0..args.deletions {
        let stream = format!("&RoomId={ROOM}&UserId=backend&StreamId=stream-{number}");
        let (added, deleted) = ("\"update\":\"ADD\"", "\"update\":\"DELETE\"");
        crowd.call("AddStream", &stream, (added, args.clients), |_| {})?;
        crowd.read_for(BETWEEN)?;
        let cpu_before = server.measured.cpu_time()?;
        let mut slowest = Duration::ZERO;
        let told = |delay: Duration| {
            each.record(delay);
            slowest = slowest.max(delay);
        };
        reply.record(crowd.call("DeleteStream", &stream, (deleted, args.clients), told)?);
        last.record(slowest);
        cpu.push((server.measured.cpu_time()?.saturating_sub(cpu_before)).as_secs_f64() * 1e3);
        if number % HEARTBEAT_EVERY == 0 {
            crowd.heartbeat()?;
        }
    }
    let cpu_ms = odeum_load::median(cpu);
    println!("| what | p50 ms | p99 ms | max ms |\n|---|---|---|---|");
    let rows = [
        ("each client has the notice", &each),
        ("the last client has it", &last),
        ("the backend has its reply", &reply),
    ];
    for (what, delays) in rows {
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| delays.milliseconds(percent));
        println!("| {what} | {p50:.2} | {p99:.2} | {max:.2} |");
    }
    println!(
        "{} clients, {} deletions; {cpu_ms:.2} ms of the server's CPU for each; \
         {:.1} KB of its memory for each client\n{}",
        args.clients,
        args.deletions,
        client_bytes / 1024.0,
        machine.line()
    );
    if let Some(file) = &args.json {
        let results = json!({
            "clients": args.clients,
            "deletions": args.deletions,
            "each": each.to_json(),
            "last": last.to_json(),
            "reply": reply.to_json(),
            "cpu_ms_per_deletion": cpu_ms,
            "bytes_per_client": client_bytes,
        });
        machine.save(file, "notice", results)?;
    }
    Ok(())
}
