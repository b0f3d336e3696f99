//! A backend's receiver of callbacks that takes all of them: answers 200 on kept-alive connections
//! and counts them by event. One thread with as little of its own to do as it can.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::http_load::{content_length, find};
use odeum_load::Epoll;

/// The listener's place in epoll.
const LISTENER: usize = usize::MAX;
/// How often the thread looks whether it is to end.
const LOOKS_EVERY_MS: i32 = 100;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// What every callback is answered.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// How long nothing may come while something is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running receiver; ends when dropped.
pub(crate) struct Receiver {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it has taken.
    taken: Arc<Taken>,
    /// Its thread.
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// What came. Shared because one thread takes it and another waits for it.
#[derive(Debug, Default)]
struct Taken {
    /// How many of each event, and when the last one came.
    counts: Mutex<Counts>,
    /// Told when some came.
    more: Condvar,
    /// Set in the end.
    is_over: AtomicBool,
}

/// How many callbacks came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// By event.
    pub(crate) by_event: BTreeMap<String, u64>,
    /// In all.
    pub(crate) all: u64,
    /// When the last one came.
    pub(crate) last_at: Option<Instant>,
}

/// A connection from the server.
struct Incoming {
    /// The socket; does not block.
    stream: TcpStream,
    /// What came of the request under way.
    request: Vec<u8>,
}

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It does.
    Open,
    /// The server has closed it.
    Ended,
}

impl Receiver {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let epoll = Epoll::new()?;
        epoll.add(&listener, LISTENER)?;
        let taken = Arc::new(Taken::default());
        let shared = Arc::clone(&taken);
        let thread = std::thread::spawn(move || shared.run(&listener, epoll));
        Ok(Self { address, taken, thread: Some(thread) })
    }

    /// What came so far.
    pub(crate) fn counts(&self) -> Counts {
        self.taken.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `all` have come since the start; what has come then.
    ///
    /// # Errors
    /// Nothing came for [`PATIENCE`].
    pub(crate) fn wait_for(&self, all: u64) -> anyhow::Result<Counts> {
        let mut counts = self.taken.counts.lock().unwrap_or_else(PoisonError::into_inner);
        while counts.all < all {
            let waited = self.taken.more.wait_timeout(counts, PATIENCE);
            let (now, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            let (came, by_event) = (now.all, &now.by_event);
            ensure!(!waited.timed_out(), "{came} of {all} callbacks came, then none: {by_event:?}");
            counts = now;
        }
        Ok(counts.clone())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.taken.is_over.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return };
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("the receiver of callbacks: {error:#}"),
            Err(_) => eprintln!("the receiver of callbacks panicked"),
        }
    }
}

impl Taken {
    fn run(&self, listener: &TcpListener, mut epoll: Epoll) -> anyhow::Result<()> {
        let mut connections: Vec<Option<Incoming>> = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let ready: Vec<usize> = epoll.wait(LOOKS_EVERY_MS)?.collect();
            for token in ready {
                if token == LISTENER {
                    let (stream, _) = listener.accept()?;
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    epoll.add(&stream, connections.len())?;
                    connections.push(Some(Incoming { stream, request: Vec::new() }));
                    continue;
                }
                let Some(connection) = &mut connections[token] else { continue };
                if connection.receive(|event| self.count(event))? == Life::Ended {
                    connections[token] = None;
                }
            }
        }
        Ok(())
    }

    fn count(&self, event: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.by_event.get_mut(event) {
            Some(count) => *count += 1,
            None => drop(counts.by_event.insert(event.to_owned(), 1)),
        }
        counts.all += 1;
        counts.last_at = Some(Instant::now());
        drop(counts);
        self.more.notify_all();
    }
}

impl Incoming {
    /// Reads what waits and answers each callback that is whole; whether the connection goes on.
    fn receive(&mut self, mut on_event: impl FnMut(&str)) -> anyhow::Result<Life> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => return Ok(Life::Ended),
            Ok(length) => self.request.extend_from_slice(&bytes[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Life::Open),
            // The server was ended while its connections were open.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Life::Ended),
            Err(error) => return Err(error.into()),
        }
        while let Some(head) = find(&self.request, b"\r\n\r\n").map(|at| at + 4) {
            let end = head + content_length(&self.request[..head])?;
            let Some(body) = self.request.get(head..end) else { break };
            on_event(event(body).context("a callback without its event")?);
            self.stream.write_all(ANSWER)?;
            self.request.drain(..end);
        }
        Ok(Life::Open)
    }
}

/// The event of a callback's body.
fn event(body: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"event\":\"";
    let text = &body[find(body, KEY)? + KEY.len()..];
    std::str::from_utf8(&text[..text.iter().position(|byte| *byte == b'"')?]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_says_its_event() {
        assert_eq!(event(br#"{"appid":"1","event":"room_login","x":1}"#), Some("room_login"));
        assert_eq!(event(br#"{"appid":"1"}"#), None);
    }

    #[test]
    fn callbacks_are_answered_and_counted_by_event() {
        let receiver = Receiver::start().unwrap();
        let mut server = TcpStream::connect(receiver.address).unwrap();
        for event in ["room_login", "room_logout", "room_login"] {
            let body = format!(r#"{{"event":"{event}"}}"#);
            let length = body.len();
            // In two parts, as a network may bring it.
            write!(server, "POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n").unwrap();
            server.write_all(body.as_bytes()).unwrap();
            let mut answer = [0; ANSWER.len()];
            server.read_exact(&mut answer).unwrap();
            assert_eq!(answer, ANSWER);
        }
        let counts = receiver.wait_for(3).unwrap();
        let by_event = [("room_login".to_owned(), 2), ("room_logout".to_owned(), 1)];
        assert_eq!(counts.by_event, BTreeMap::from(by_event));
    }
}
