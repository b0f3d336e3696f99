//! A transport and its way to the server: UDP, UDP that loses packets, TCP, or the server's relay.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use odeum_client::{PeerEvent, TurnCarrier, TurnClient, TurnServer, WebRtcPeer};
use odeum_rtp::PacketKind;
use odeum_rtp::framing::{FrameReader, write_frame};
use tokio::net::{TcpStream, UdpSocket};

/// Largest datagram that is read.
const DATAGRAM_BYTES: u16 = 2_048;
/// Of the media packets that come over a lossy way, one of so many is lost.
const LOSES_ONE_OF: u64 = 20;
/// Most bytes that wait for a TCP connection; what is more is lost.
const OUTPUT_BYTES_MAX: usize = 256 << 10;

/// A way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Udp,
    LossyUdp,
    Tcp,
    /// Over the server's relay, which is talked to over this.
    Turn(TurnCarrier),
}

/// What a transport stands on.
enum Wire {
    Udp(UdpSocket),
    Tcp { stream: TcpStream, reader: FrameReader, output: Vec<u8> },
    Turn(TurnClient),
}

/// A transport on its way.
pub(crate) struct Link {
    /// The transport.
    pub(crate) peer: WebRtcPeer,
    wire: Wire,
    way: Way,
    /// Where the transport takes the server to be.
    server: SocketAddr,
    /// Media packets that came, of which some are then lost.
    came: u64,
    /// What happened since the last [`Link::take`].
    happened: Happened,
    buffer: Box<[u8; DATAGRAM_BYTES as usize]>,
}

/// What happened to a transport.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    /// What it told.
    pub(crate) events: Vec<PeerEvent>,
    /// Media packets taken.
    pub(crate) played: u64,
    /// Media packets lost.
    pub(crate) lost: u64,
    /// Whether DTLS of the server came.
    pub(crate) has_heard_dtls: bool,
}

impl Link {
    /// Puts a transport on its way, as the server's answer to it says.
    ///
    /// # Errors
    /// An answer that is none or has no candidate of the way; a relay that refuses.
    pub(crate) async fn open(
        mut peer: WebRtcPeer,
        way: Way,
        answer: &str,
        relay: Option<&TurnServer>,
    ) -> anyhow::Result<Self> {
        let server = candidate(answer, "udp").context("no UDP candidate")?;
        let wire = match way {
            Way::Udp | Way::LossyUdp => Wire::Udp(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?),
            Way::Tcp => {
                let address = candidate(answer, "tcp").context("no TCP candidate")?;
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let reader = FrameReader::new(DATAGRAM_BYTES);
                Wire::Tcp { stream, reader, output: Vec::new() }
            }
            Way::Turn(carrier) => {
                let relay = relay.context("no relay was told of")?;
                Wire::Turn(relay.open(carrier, server).await?)
            }
        };
        peer.accept_answer(Instant::now(), answer)?;
        Ok(Self {
            peer,
            wire,
            way,
            server,
            came: 0,
            happened: Happened::default(),
            buffer: Box::new([0; DATAGRAM_BYTES as usize]),
        })
    }

    /// Sends what waits, then waits for something to come or a timer. Cancelling loses nothing.
    ///
    /// # Errors
    /// What the system says; the server closed the connection.
    pub(crate) async fn next(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        if self.take_events() {
            return Ok(());
        }
        let far = || Instant::now() + Duration::from_secs(3_600);
        let timer = tokio::time::sleep_until(self.peer.poll_timeout().unwrap_or_else(far).into());
        let received = match &mut self.wire {
            Wire::Udp(socket) => tokio::select! {
                received = socket.recv_from(&mut self.buffer[..]) => match received {
                    Ok((length, _)) => Some(0..length),
                    // The answer of a closed port to an earlier datagram (ICMP).
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => Some(0..0),
                    Err(error) => return Err(error.into()),
                },
                () = timer => None,
            },
            Wire::Turn(channel) => tokio::select! {
                received = channel.receive(&mut self.buffer[..]) => {
                    Some(received?.unwrap_or(0..0))
                }
                () = timer => None,
            },
            Wire::Tcp { stream, output, .. } => {
                let is_writing = !output.is_empty();
                tokio::select! {
                    ready = stream.readable() => ready?,
                    ready = stream.writable(), if is_writing => ready?,
                    () = timer => self.peer.handle_timeout(Instant::now()),
                }
                self.read_stream()?;
                self.take_events();
                return Ok(());
            }
        };
        match received {
            Some(range) => self.handle(range),
            None => self.peer.handle_timeout(Instant::now()),
        }
        self.take_events();
        Ok(())
    }

    /// How it goes.
    pub(crate) fn way(&self) -> Way {
        self.way
    }

    /// Gives back what the relay has for it, if it comes by that.
    pub(crate) fn give_back(&mut self) {
        if let Wire::Turn(channel) = &mut self.wire {
            channel.give_back();
        }
    }

    /// What happened since it was last asked.
    pub(crate) fn take(&mut self) -> Happened {
        std::mem::take(&mut self.happened)
    }

    fn take_events(&mut self) -> bool {
        let before = self.happened.events.len();
        self.happened.events.extend(std::iter::from_fn(|| self.peer.poll_event()));
        self.happened.events.len() > before
    }

    fn handle(&mut self, range: std::ops::Range<usize>) {
        let bytes = &mut self.buffer[range];
        let kind = PacketKind::of(bytes);
        self.happened.has_heard_dtls |= kind == PacketKind::Dtls;
        if kind == PacketKind::Rtp && self.way == Way::LossyUdp {
            self.came += 1;
            if self.came.is_multiple_of(LOSES_ONE_OF) {
                self.happened.lost += 1;
                return;
            }
        }
        let received = self.peer.handle_datagram(Instant::now(), self.server, bytes);
        self.happened.played += u64::from(received.is_some());
    }

    fn read_stream(&mut self) -> anyhow::Result<()> {
        let Wire::Tcp { stream, reader, .. } = &mut self.wire else { return Ok(()) };
        loop {
            match stream.try_read(reader.room()) {
                Ok(0) => anyhow::bail!("the server closed a TCP connection"),
                Ok(size) => reader.commit(size),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            while let Some(packet) = reader.next_packet()? {
                self.happened.has_heard_dtls |= PacketKind::of(packet) == PacketKind::Dtls;
                let received = self.peer.handle_datagram(Instant::now(), self.server, packet);
                self.happened.played += u64::from(received.is_some());
            }
        }
    }

    /// Sends what waits. What a socket does not take is lost, as in a network.
    fn flush(&mut self) -> anyhow::Result<()> {
        while let Some(transmit) = self.peer.poll_transmit() {
            match &mut self.wire {
                Wire::Udp(socket) => {
                    let _lost = socket.try_send_to(&transmit.bytes, transmit.destination);
                }
                Wire::Turn(channel) => channel.send(&transmit.bytes),
                Wire::Tcp { output, .. } if output.len() > OUTPUT_BYTES_MAX => {}
                Wire::Tcp { output, .. } => write_frame(output, &transmit.bytes)?,
            }
        }
        let Wire::Tcp { stream, output, .. } = &mut self.wire else { return Ok(()) };
        while !output.is_empty() {
            match stream.try_write(output) {
                Ok(size) => drop(output.drain(..size)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The first candidate of a transport in an answer (RFC 8839 §5.1).
fn candidate(answer: &str, transport: &str) -> Option<SocketAddr> {
    answer.lines().find_map(|line| {
        let mut words = line.strip_prefix("a=candidate:")?.split_whitespace().skip(2);
        let own = words.next()?.eq_ignore_ascii_case(transport);
        let ip = words.nth(1)?.parse().ok()?;
        let port = words.next()?.parse().ok()?;
        own.then_some(SocketAddr::new(ip, port))
    })
}
