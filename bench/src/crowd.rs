//! Users over light WebSockets: logged in and out many at a time, so that the server always has the
//! next one to do, and read and kept alive all by one thread while they are in.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use odeum_proto::signal::{ClientMessage, Heartbeat, Login, RoomRequest, VERSION};
use socket2::{Domain, Socket, Type};

use crate::http_load::{Connection, Signer, find};
use crate::light_socket::LightSocket;
use odeum_load::{APP, Epoll, token};

/// Users that log in, log out or send a heartbeat at once.
pub(crate) const AT_ONCE: usize = 64;
/// How long something may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The backend's place in epoll.
const BACKEND: usize = usize::MAX;
/// Source addresses that connections come from in turn, 127.0.1.1 and following: one alone has
/// ports for about 28,000.
const SOURCES: u32 = 16;

/// Who is to log in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Where.
    pub(crate) room: String,
    /// Who.
    pub(crate) user: String,
    /// Whether it is told of users who come and go.
    pub(crate) user_update: bool,
}

/// A user who is in.
pub(crate) struct Client {
    /// Its WebSocket.
    socket: LightSocket,
    /// Its room.
    room: String,
    /// The last notice seen.
    sequence: u64,
}

/// Users who are in, and a backend.
pub(crate) struct Crowd {
    /// Of all sockets.
    epoll: Epoll,
    /// The backend's connection, once it has called.
    backend: Option<Connection>,
    /// Signs its calls.
    signer: Signer,
    /// The users.
    clients: Vec<Client>,
}

/// Logs all of these in, [`AT_ONCE`] at a time.
///
/// # Errors
/// A login that is refused or not answered.
pub(crate) fn log_in(server: SocketAddr, people: &[Person]) -> anyhow::Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(people.len());
    for people in people.chunks(AT_ONCE) {
        let sockets = people.iter().map(|_| LightSocket::open(connect(server)?, "/signal"));
        let mut sockets = sockets.collect::<anyhow::Result<Vec<_>>>()?;
        for (socket, person) in sockets.iter_mut().zip(people) {
            socket.handle_opening()?;
            socket.send(&person.login()?)?;
        }
        for (mut socket, person) in sockets.into_iter().zip(people) {
            let (begin, mut answer) = (Instant::now(), None);
            while answer.is_none() {
                ensure!(begin.elapsed() < PATIENCE, "the login of {person:?} had no reply");
                socket.receive(|text| {
                    answer.get_or_insert_with(|| find(text, b"\"logged_in\"").is_some());
                })?;
            }
            ensure!(answer == Some(true), "{person:?} is not let in");
            clients.push(Client { socket, room: person.room.clone(), sequence: 0 });
        }
    }
    Ok(clients)
}

/// Logs all of these out, [`AT_ONCE`] at a time, and closes their connections.
///
/// # Errors
/// A logout that is refused or not answered.
pub(crate) fn log_out(clients: Vec<Client>) -> anyhow::Result<()> {
    let mut clients = clients.into_iter();
    loop {
        let mut leaving: Vec<Client> = clients.by_ref().take(AT_ONCE).collect();
        if leaving.is_empty() {
            return Ok(());
        }
        for client in &mut leaving {
            let room_id = client.room.clone();
            let message = ClientMessage::Logout(RoomRequest { request_id: 3, room_id });
            client.socket.send(&serde_json::to_string(&message)?)?;
        }
        for client in leaving {
            let mut is_done = false;
            client.socket.read_to_close(|text| is_done |= is_reply(text))?;
            ensure!(is_done, "a logout had no reply");
        }
    }
}

impl Person {
    fn login(&self) -> anyhow::Result<String> {
        let message = ClientMessage::Login(Login {
            request_id: 1,
            version: VERSION,
            app_id: APP.0,
            room_id: self.room.clone(),
            user_id: self.user.clone(),
            user_name: String::new(),
            token: token(&self.user)?,
            user_update: self.user_update,
            max_member_count: 0,
        });
        Ok(serde_json::to_string(&message)?)
    }
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (epoll, signer) = (Epoll::new()?, Signer::new());
        Ok(Self { epoll, backend: None, signer, clients: Vec::new() })
    }

    /// Connects the backend. The server closes a connection that is not used for 10 s.
    pub(crate) fn connect_backend(&mut self, server: SocketAddr) -> anyhow::Result<()> {
        let backend = Connection::open(server)?;
        self.epoll.add(&backend.stream, BACKEND)?;
        self.backend = Some(backend);
        Ok(())
    }

    /// Takes users who are in.
    pub(crate) fn add(&mut self, clients: Vec<Client>) -> anyhow::Result<()> {
        for client in clients {
            client.socket.stop_blocking()?;
            self.epoll.add(&client.socket.stream, self.clients.len())?;
            self.clients.push(client);
        }
        Ok(())
    }

    /// Calls `action` and waits until the reply is here and `audience` users got a notice with
    /// `mark`; `told` hears how long each took. How long the reply took.
    ///
    /// The clock starts before the request's first byte. This thread reads the sockets one after
    /// another, so its own work is in the later delays.
    pub(crate) fn call(
        &mut self,
        action: &str,
        parameters: &str,
        (mark, audience): (&str, usize),
        mut told: impl FnMut(Duration),
    ) -> anyhow::Result<Duration> {
        let request = self.signer.request(action, parameters);
        let backend = self.backend.as_mut().context("the backend is not connected")?;
        let begin = Instant::now();
        backend.send(&request)?;
        let (mut waiting, mut reply) = (audience, None);
        while waiting > 0 || reply.is_none() {
            ensure!(begin.elapsed() < PATIENCE, "{waiting} users were not told of {action}");
            let replied = self.read(0, |text| {
                if find(text, mark.as_bytes()).is_some() {
                    told(begin.elapsed());
                    waiting -= 1;
                }
            })?;
            reply = replied.or(reply);
        }
        Ok(reply.unwrap_or_default())
    }

    /// Reads what comes, for `time`.
    pub(crate) fn read_for(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let wait_ms = i32::try_from(left.as_millis())?.max(1);
            self.read(wait_ms, |_| {})?;
        }
    }

    /// Lets every user say what it has seen, as clients do every 20 s, and waits for the replies.
    pub(crate) fn heartbeat(&mut self) -> anyhow::Result<()> {
        for first in (0..self.clients.len()).step_by(AT_ONCE) {
            let last = self.clients.len().min(first + AT_ONCE);
            for client in &mut self.clients[first..last] {
                let message = ClientMessage::Heartbeat(Heartbeat {
                    request_id: 2,
                    room_id: client.room.clone(),
                    last_sequence: client.sequence,
                });
                client.socket.send(&serde_json::to_string(&message)?)?;
            }
            let (begin, mut waiting) = (Instant::now(), last - first);
            while waiting > 0 {
                ensure!(begin.elapsed() < PATIENCE, "{waiting} heartbeats had no reply");
                self.read(100, |text| waiting -= usize::from(is_reply(text)))?;
            }
        }
        Ok(())
    }

    /// Reads every socket that has something, after at most `timeout_ms`; how long the
    /// backend's reply took, if it came.
    fn read(
        &mut self,
        timeout_ms: i32,
        mut on_text: impl FnMut(&[u8]),
    ) -> anyhow::Result<Option<Duration>> {
        let mut replied = None;
        let mut ready: VecDeque<usize> = self.epoll.wait(timeout_ms)?.collect();
        while let Some(token) = ready.pop_front() {
            if token == BACKEND {
                let Some(backend) = &mut self.backend else { continue };
                replied = backend.receive()?.map(|sent| sent.elapsed()).or(replied);
                continue;
            }
            let Client { socket, sequence, .. } = &mut self.clients[token];
            socket.receive(|text| {
                on_text(text);
                *sequence = sequence_of(text).unwrap_or(*sequence);
            })?;
        }
        Ok(replied)
    }
}

/// A connection from the next of the source addresses.
fn connect(server: SocketAddr) -> anyhow::Result<TcpStream> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let source = NEXT.fetch_add(1, Ordering::Relaxed) % SOURCES;
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 1, 1)) + source);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).context("out of descriptors")?;
    socket.bind(&SocketAddr::from((source, 0)).into()).context("out of ports")?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}

/// Whether a text is the good answer to a request other than a login.
fn is_reply(text: &[u8]) -> bool {
    text.starts_with(b"{\"type\":\"done\"")
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
