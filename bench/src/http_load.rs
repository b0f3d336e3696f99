//! Signed calls of the Server API over kept-alive connections, each with one call under way; one
//! thread drives them all, with as little of its own as it can, so that it outruns the server.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use odeum_auth::server_api;

use odeum_load::{APP, Epoll, Percentiles, SECRET};

/// A reply is good when it holds this (contract: 0 is success).
const SUCCESS: &[u8] = b"\"Code\":0,";
/// Largest reply read.
const REPLY_BYTES_MAX: usize = 16 * 1024;

/// How long no reply may come while some are due. A change is answered once it is on the disk, and
/// a disk that others write to may take seconds for that.
const PATIENCE_MS: i32 = 10_000;

/// Makes signed requests; each has a nonce of its own.
pub(crate) struct Signer {
    /// Different in every run.
    prefix: u64,
    /// Requests so far.
    number: u64,
}

/// Connections to one server.
pub(crate) struct HttpLoad {
    /// Of all connections.
    epoll: Epoll,
    /// The connections.
    connections: Vec<Connection>,
    /// Time from a request's first byte out to its reply's last byte in.
    pub(crate) delays: Percentiles,
    /// Replies so far.
    pub(crate) replies: u64,
}

/// A kept-alive connection.
pub(crate) struct Connection {
    /// The socket; does not block.
    pub(crate) stream: TcpStream,
    /// What came of the reply under way.
    reply: Vec<u8>,
    /// When the request under way was sent.
    sent_at: Option<Instant>,
}

impl Signer {
    /// One whose nonces nobody used before.
    pub(crate) fn new() -> Self {
        Self { prefix: rand::random(), number: 0 }
    }

    /// The bytes of a request; `parameters` begin with `&`.
    pub(crate) fn request(&mut self, action: &str, parameters: &str) -> String {
        self.number += 1;
        let nonce = format!("{:016x}", self.prefix.wrapping_add(self.number));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = since.as_secs();
        let signature = server_api::make(APP, &nonce, SECRET.as_bytes(), timestamp as i64);
        format!(
            "GET /?Action={action}&AppId={}&SignatureNonce={nonce}&Timestamp={timestamp}\
             &SignatureVersion=2.0&Signature={signature}{parameters} HTTP/1.1\r\n\
             Host: odeum\r\n\r\n",
            APP.0
        )
    }
}

impl HttpLoad {
    /// Opens `connections`.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) fn connect(server: SocketAddr, connections: usize) -> anyhow::Result<Self> {
        let epoll = Epoll::new()?;
        let connections = (0..connections)
            .map(|token| {
                let connection = Connection::open(server)?;
                epoll.add(&connection.stream, token)?;
                Ok(connection)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { epoll, connections, delays: Percentiles::default(), replies: 0 })
    }

    /// Sends what `next` makes until it makes nothing more, and waits for every reply.
    ///
    /// # Errors
    /// A reply that is no success, a connection that closes.
    pub(crate) fn run(&mut self, mut next: impl FnMut() -> Option<String>) -> anyhow::Result<()> {
        let mut under_way = 0;
        for connection in &mut self.connections {
            let Some(request) = next() else { break };
            connection.send(&request)?;
            under_way += 1;
        }
        let mut ready = VecDeque::new();
        while under_way > 0 {
            ready.extend(self.epoll.wait(PATIENCE_MS)?);
            ensure!(!ready.is_empty(), "{under_way} requests had no reply for {PATIENCE_MS} ms");
            while let Some(token) = ready.pop_front() {
                let connection = &mut self.connections[token];
                let Some(sent_at) = connection.receive()? else { continue };
                self.delays.record(sent_at.elapsed());
                self.replies += 1;
                match next() {
                    Some(request) => connection.send(&request)?,
                    None => under_way -= 1,
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Opens one.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, reply: Vec::with_capacity(REPLY_BYTES_MAX), sent_at: None })
    }

    /// Sends a request; the one before has its reply.
    ///
    /// # Errors
    /// What the network says; a small request always fits the socket's buffer.
    pub(crate) fn send(&mut self, request: &str) -> anyhow::Result<()> {
        self.sent_at = Some(Instant::now());
        self.stream.write_all(request.as_bytes())?;
        Ok(())
    }

    /// Reads what waits; when the request was sent, once its reply is whole.
    ///
    /// # Errors
    /// A reply that is no success, a connection that closed.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Option<Instant>> {
        let mut bytes = [0; REPLY_BYTES_MAX];
        match self.stream.read(&mut bytes) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(length) => self.reply.extend_from_slice(&bytes[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let Some(head) = find(&self.reply, b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
        let body = self.reply.len() - head;
        if body < content_length(&self.reply[..head])? {
            return Ok(None);
        }
        let is_good = find(&self.reply[head..], SUCCESS).is_some();
        ensure!(is_good, "refused: {}", String::from_utf8_lossy(&self.reply[head..]));
        self.reply.clear();
        self.sent_at.take().map(Some).context("a reply without a request")
    }
}

/// What a head says of its body's length.
pub(crate) fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    let at = find(head, b"content-length: ").context("a head without content-length")? + 16;
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}

/// Where `part` begins in `whole`.
pub(crate) fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}
