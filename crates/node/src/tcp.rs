//! ICE over TCP (RFC 6544, the passive end): clients that no UDP gets through connect to the media
//! worker, and each packet stands behind its length (RFC 4571).
//!
//! A stranger may hold a connection for a short while and say little ([`TCP_STRANGER_MAX`],
//! [`TCP_STRANGER_FRAMES_MAX`]); only an authentic check makes it a peer's. The worker's thread
//! does all of it: an epoll instance stands for the listener and the connections in its one wait.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use odeum_rtp::framing::{self, FrameReader, LENGTH_BYTES};
use odeum_sfu::{Sfu, TransportAddress};
use rustc_hash::FxHashMap;
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::{
    FLUSH_PACKETS_MAX, TCP_ACCEPTS_PER_TURN_MAX, TCP_CONNECTIONS_MAX, TCP_FRAME_BYTES_MAX,
    TCP_QUEUE_BYTES_MAX, TCP_STRANGER_FRAMES_MAX, TCP_STRANGER_MAX,
};
use crate::statistics::SocketStatistics;
use crate::udp::canonical;

/// The listener's among the connections' keys.
const LISTENER: Token = Token(usize::MAX);
/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1_024;
/// How often strangers are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Whether there is more to read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Everything was read.
    None,
    /// Some waits.
    More,
}

/// A worker's TCP port and its connections.
pub(crate) struct TcpPort {
    /// Tells what happened where.
    poll: Poll,
    /// What it told last.
    events: Events,
    /// Where clients connect.
    listener: TcpListener,
    /// Whether connections may wait at the listener.
    has_callers: bool,
    /// At most [`TCP_CONNECTIONS_MAX`].
    connections: Slab<Connection>,
    /// By the client's end.
    by_address: FxHashMap<SocketAddr, usize>,
    /// Connections that may have something to read, each once.
    ready: VecDeque<usize>,
    /// When strangers are looked for next.
    next_sweep: Instant,
}

/// One connection of a client.
struct Connection {
    /// The socket.
    stream: TcpStream,
    /// The client's end.
    address: SocketAddr,
    /// Since when no peer has been here.
    stranger_since: Instant,
    /// Frames that came as a stranger's.
    stranger_frames: u32,
    /// Whether it is among the ready ones.
    is_ready: bool,
    /// The beginning of what was not handled yet.
    input: FrameReader,
    /// Frames that the kernel has not taken, at most [`TCP_QUEUE_BYTES_MAX`] bytes.
    output: Vec<u8>,
    /// Bytes of `output` that it has taken.
    sent: usize,
}

/// A connection that is to be closed.
struct Over;

impl TcpPort {
    /// Listens on `address`.
    ///
    /// # Errors
    /// What the kernel says: the port is taken, the address is not of this machine.
    pub(crate) fn bind(now: Instant, address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() && address.ip().is_unspecified() {
            socket.set_only_v6(false)?;
        }
        // Connections of the process before this one may still be winding down.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            listener,
            has_callers: false,
            connections: Slab::new(),
            by_address: FxHashMap::default(),
            ready: VecDeque::new(),
            next_sweep: now,
        })
    }

    /// Hands what has come to `sfu`, about [`FLUSH_PACKETS_MAX`] packets at a time.
    ///
    /// # Errors
    /// What the kernel says of the poll itself.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        counters: &mut SocketStatistics,
    ) -> io::Result<Rest> {
        self.take_events()?;
        if self.has_callers {
            self.accept(now, sfu);
        }
        let mut packets_left = FLUSH_PACKETS_MAX;
        while packets_left > 0
            && let Some(key) = self.ready.pop_front()
        {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            connection.is_ready = false;
            match connection.read(now, sfu, counters, &mut packets_left) {
                Ok(Rest::None) => {}
                Ok(Rest::More) => {
                    connection.is_ready = true;
                    self.ready.push_back(key);
                }
                Err(Over) => self.close(key),
            }
        }
        let has_rest = self.has_callers || !self.ready.is_empty();
        Ok(if has_rest { Rest::More } else { Rest::None })
    }

    /// Sends `bytes`, packets of `segment_size` bytes or one, and gives how many found room; none
    /// when the client has closed its connection.
    pub(crate) fn send(
        &mut self,
        destination: SocketAddr,
        bytes: &[u8],
        segment_size: Option<usize>,
    ) -> Option<usize> {
        let key = *self.by_address.get(&destination)?;
        let connection = self.connections.get_mut(key)?;
        let size = segment_size.unwrap_or(bytes.len()).max(1);
        let taken = bytes.chunks(size).filter(|packet| connection.push(packet)).count();
        if connection.flush().is_err() {
            self.close(key);
        }
        Some(taken)
    }

    /// Closes what has been a stranger's for too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant, sfu: &Sfu) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP_INTERVAL;
        let mut over = Vec::new();
        for (key, connection) in &mut self.connections {
            if sfu.knows(TransportAddress::tcp(connection.address)) {
                connection.stranger_since = now;
            } else if now.duration_since(connection.stranger_since) >= TCP_STRANGER_MAX {
                over.push(key);
            }
        }
        over.into_iter().for_each(|key| self.close(key));
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        (!self.connections.is_empty()).then_some(self.next_sweep)
    }

    /// Where it is bound, with the real port.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Becomes readable when something happens.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    fn take_events(&mut self) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut over = Vec::new();
        for event in &self.events {
            if event.token() == LISTENER {
                self.has_callers = true;
                continue;
            }
            let key = event.token().0;
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if event.is_writable() && connection.flush().is_err() {
                over.push(key);
            } else if !connection.is_ready {
                // Also for an error and a close: reading tells.
                connection.is_ready = true;
                self.ready.push_back(key);
            }
        }
        over.into_iter().for_each(|key| self.close(key));
        Ok(())
    }

    fn accept(&mut self, now: Instant, sfu: &Sfu) {
        for _ in 0..TCP_ACCEPTS_PER_TURN_MAX {
            let (stream, address) = match self.listener.accept() {
                Ok((stream, address)) => (stream, canonical(address)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock {
                        tracing::warn!(%error, "a media worker cannot accept a TCP connection");
                    }
                    self.has_callers = false;
                    return;
                }
            };
            if self.connections.len() >= TCP_CONNECTIONS_MAX && !self.make_room(sfu) {
                continue;
            }
            if let Err(error) = self.admit(now, stream, address) {
                tracing::debug!(%error, "a TCP connection ended at once");
            }
        }
    }

    fn admit(&mut self, now: Instant, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let mut connection = Connection::new(now, stream, address);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut connection.stream, Token(key), interest)?;
        entry.insert(connection);
        self.by_address.insert(address, key);
        Ok(())
    }

    /// Closes the oldest stranger; whether there was one.
    fn make_room(&mut self, sfu: &Sfu) -> bool {
        let strangers = self
            .connections
            .iter()
            .filter(|(_, connection)| !sfu.knows(TransportAddress::tcp(connection.address)));
        let oldest = strangers.min_by_key(|(_, connection)| connection.stranger_since);
        let Some(key) = oldest.map(|(key, _)| key) else { return false };
        self.close(key);
        true
    }

    fn close(&mut self, key: usize) {
        let Some(connection) = self.connections.try_remove(key) else { return };
        if self.by_address.get(&connection.address) == Some(&key) {
            self.by_address.remove(&connection.address);
        }
    }
}

impl Connection {
    fn new(now: Instant, stream: TcpStream, address: SocketAddr) -> Self {
        Self {
            stream,
            address,
            stranger_since: now,
            stranger_frames: 0,
            is_ready: false,
            input: FrameReader::new(TCP_FRAME_BYTES_MAX),
            output: Vec::new(),
            sent: 0,
        }
    }

    fn read(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        counters: &mut SocketStatistics,
        packets_left: &mut usize,
    ) -> Result<Rest, Over> {
        while *packets_left > 0 {
            match self.stream.read(self.input.room()) {
                Ok(0) => return Err(Over),
                Ok(size) => self.input.commit(size),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Rest::None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Over),
            }
            let packets = self.handle_frames(now, sfu, counters)?;
            *packets_left = packets_left.saturating_sub(packets);
        }
        Ok(Rest::More)
    }

    /// Hands every whole frame on and keeps the rest; gives how many there were.
    fn handle_frames(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        counters: &mut SocketStatistics,
    ) -> Result<usize, Over> {
        let source = TransportAddress::tcp(self.address);
        let mut frames = 0;
        while let Some(packet) = self.input.next_packet().map_err(|_too_long| Over)? {
            counters.packets_received += 1;
            counters.bytes_received += packet.len() as u64;
            sfu.handle_datagram(now, source, packet);
            if !sfu.knows(source) {
                self.stranger_frames += 1;
                if self.stranger_frames > TCP_STRANGER_FRAMES_MAX {
                    return Err(Over);
                }
            }
            frames += 1;
        }
        Ok(frames)
    }

    /// Queues a frame; whether there was room.
    fn push(&mut self, packet: &[u8]) -> bool {
        let queued = self.output.len() - self.sent;
        if queued + LENGTH_BYTES + packet.len() > TCP_QUEUE_BYTES_MAX {
            return false;
        }
        if self.sent > 0 {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        framing::write_frame(&mut self.output, packet).is_ok()
    }

    /// Gives the kernel what it takes of the queue.
    fn flush(&mut self) -> Result<(), Over> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(Over),
                Ok(size) => self.sent += size,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The kernel tells when it takes more.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Over),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
