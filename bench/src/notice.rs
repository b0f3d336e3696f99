//! One DeleteStream told to a whole room: from the request's first byte to each client's notice.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use odeum_proto::signal::{ClientMessage, Heartbeat, Login, VERSION};
use serde_json::json;

use crate::http_load::{Connection, Signer, find};
use crate::light_socket::LightSocket;
use crate::machine::Machine;
use crate::percentiles::Percentiles;
use crate::server::{APP, Server, token};
use crate::sys::Epoll;

/// The room.
const ROOM: &str = "hall";
/// The HTTP connection's place in epoll.
const BACKEND: usize = usize::MAX;
/// How long a notice may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(10);
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

/// A room of light clients and a backend.
struct Hall {
    /// Of all sockets.
    epoll: Epoll,
    /// The backend's connection.
    backend: Connection,
    /// Signs its calls.
    signer: Signer,
    /// The clients.
    clients: Vec<Client>,
}

/// A user in the room.
struct Client {
    /// Its WebSocket.
    socket: LightSocket,
    /// The last notice seen.
    sequence: u64,
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, a call that is refused, a client that is not told.
pub(crate) fn run(args: &NoticeArgs) -> anyhow::Result<()> {
    let machine = Machine::read()?;
    let calls = ["AddStream", "DeleteStream"].map(|action| (action, 1_000));
    let server = Server::start(&calls)?;
    let before = server.measured.resident_bytes()?;
    let mut hall = Hall::open(&server, args.clients)?;
    let client_bytes = (server.measured.resident_bytes()? - before) as f64 / args.clients as f64;

    let (mut each, mut last, mut reply) =
        (Percentiles::new(), Percentiles::new(), Percentiles::new());
    let mut cpu = Vec::new();
    for number in 0..args.deletions {
        let stream = format!("stream-{number}");
        hall.call("AddStream", &stream, "\"update\":\"ADD\"", |_| {})?;
        let cpu_before = server.measured.cpu_time()?;
        let mut slowest = Duration::ZERO;
        let told = |delay: Duration| {
            each.record(delay);
            slowest = slowest.max(delay);
        };
        reply.record(hall.call("DeleteStream", &stream, "\"update\":\"DELETE\"", told)?);
        last.record(slowest);
        cpu.push((server.measured.cpu_time()?.saturating_sub(cpu_before)).as_secs_f64() * 1e3);
        if number % HEARTBEAT_EVERY == 0 {
            hall.heartbeat()?;
        }
    }
    let cpu_ms = crate::percentiles::median(cpu);
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

impl Hall {
    fn open(server: &Server, clients: usize) -> anyhow::Result<Self> {
        let (epoll, backend) = (Epoll::new()?, Connection::open(server.http)?);
        epoll.add(&backend.stream, BACKEND)?;
        let clients = (0..clients)
            .map(|number| {
                let client = Client::log_in(server, &format!("client-{number}"))?;
                epoll.add(&client.socket.stream, number)?;
                Ok(client)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { epoll, backend, signer: Signer::new(), clients })
    }

    /// Calls `action` and waits until the reply is here and every client got a notice with `mark`;
    /// `told` hears how long each took. How long the reply took.
    fn call(
        &mut self,
        action: &str,
        stream: &str,
        mark: &str,
        mut told: impl FnMut(Duration),
    ) -> anyhow::Result<Duration> {
        let parameters = format!("&RoomId={ROOM}&UserId=backend&StreamId={stream}");
        let request = self.signer.request(action, &parameters);
        let begin = Instant::now();
        self.backend.send(&request)?;
        let (mut waiting, mut reply) = (self.clients.len(), None);
        let mut ready = VecDeque::new();
        while waiting > 0 || reply.is_none() {
            ensure!(begin.elapsed() < PATIENCE, "{waiting} clients were not told of {action}");
            ready.extend(self.epoll.wait(0)?);
            while let Some(token) = ready.pop_front() {
                if token == BACKEND {
                    reply = self.backend.receive()?.map(|sent| sent.elapsed()).or(reply);
                    continue;
                }
                let Client { socket, sequence } = &mut self.clients[token];
                socket.receive(|text| {
                    if find(text, mark.as_bytes()).is_some() {
                        told(begin.elapsed());
                        waiting -= 1;
                    }
                    *sequence = sequence_of(text).unwrap_or(*sequence);
                })?;
            }
        }
        Ok(reply.unwrap_or_default())
    }

    fn heartbeat(&mut self) -> anyhow::Result<()> {
        for client in &mut self.clients {
            let message = ClientMessage::Heartbeat(Heartbeat {
                request_id: 2,
                room_id: ROOM.to_owned(),
                last_sequence: client.sequence,
            });
            client.socket.send(&serde_json::to_string(&message)?)?;
        }
        Ok(())
    }
}

impl Client {
    fn log_in(server: &Server, user: &str) -> anyhow::Result<Self> {
        let mut socket = LightSocket::connect(server.http, "/signal")?;
        let message = ClientMessage::Login(Login {
            request_id: 1,
            version: VERSION,
            app_id: APP.0,
            room_id: ROOM.to_owned(),
            user_id: user.to_owned(),
            user_name: String::new(),
            token: token(user)?,
            user_update: false,
            max_member_count: 0,
        });
        socket.send(&serde_json::to_string(&message)?)?;
        let mut is_in = false;
        while !is_in {
            socket.receive(|text| is_in = find(text, b"\"logged_in\"").is_some())?;
        }
        socket.stop_blocking()?;
        Ok(Self { socket, sequence: 0 })
    }
}

/// The number of a notice, which stands first in it.
fn sequence_of(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"{\"sequence\":")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_begins_with_its_number() {
        assert_eq!(sequence_of(b"{\"sequence\":57,\"room_id\":\"r\"}"), Some(57));
        assert_eq!(sequence_of(b"{\"type\":\"done\",\"request_id\":2}"), None);
    }
}
