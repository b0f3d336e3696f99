//! Clients that are half-way: ICE has let their address in, and there are no keys yet. Whoever can
//! forge their address may say to the server what such a client may say.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use odeum_client::WebRtcPeer;
use odeum_rtp::PacketKind;

use super::forged;

/// How long the server may take to answer a check or a hello.
const ANSWERS_IN: Duration = Duration::from_secs(5);
/// How long one read waits for it.
const READS_FOR: Duration = Duration::from_millis(20);
/// Largest datagram that is read.
const DATAGRAM_BYTES: usize = 2_048;

/// A client that has said nothing but checks, or its hello and no more.
pub(super) struct Halfway {
    /// Where it is.
    pub(super) socket: UdpSocket,
    /// Its hello, in one datagram.
    pub(super) hello: Vec<u8>,
}

impl Halfway {
    /// Has `peer`, whose answer has come, check the way to the server until it works.
    ///
    /// # Errors
    /// The server does not answer; what the kernel says.
    pub(super) fn reach(mut peer: WebRtcPeer, socket: UdpSocket) -> anyhow::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(READS_FOR))?;
        let deadline = Instant::now() + ANSWERS_IN;
        let mut buffer = [0; DATAGRAM_BYTES];
        let hello = loop {
            let mut hello = None;
            while let Some(transmit) = peer.poll_transmit() {
                match PacketKind::of(&transmit.bytes) {
                    PacketKind::Dtls => hello = hello.or(Some(transmit.bytes)),
                    _ => drop(socket.send_to(&transmit.bytes, transmit.destination)?),
                }
            }
            if let Some(hello) = hello {
                break hello;
            }
            ensure!(Instant::now() < deadline, "no check was answered");
            if let Some((length, source)) = receive(&socket, &mut buffer)? {
                peer.handle_datagram(Instant::now(), source, &mut buffer[..length]);
            }
            peer.handle_timeout(Instant::now());
        };
        ensure!(forged::is_whole_hello(&hello), "the hello is not in one datagram");
        socket.set_nonblocking(true)?;
        Ok(Self { socket, hello })
    }

    /// Says hello and waits for the answer.
    ///
    /// # Errors
    /// There is none; what the kernel says.
    pub(super) fn say_hello(&self, server: SocketAddr) -> anyhow::Result<()> {
        self.socket.set_nonblocking(false)?;
        let deadline = Instant::now() + ANSWERS_IN;
        let mut buffer = [0; DATAGRAM_BYTES];
        self.socket.send_to(&self.hello, server)?;
        loop {
            ensure!(Instant::now() < deadline, "no hello was answered");
            let received = receive(&self.socket, &mut buffer).context("while a hello waits")?;
            if received.is_some_and(|(length, _)| forged::is_server_hello(&buffer[..length])) {
                break;
            }
        }
        Ok(self.socket.set_nonblocking(true)?)
    }

    /// Hellos of the server that have come.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn take_answers(&self) -> anyhow::Result<u64> {
        let (mut answers, mut buffer) = (0, [0; DATAGRAM_BYTES]);
        while let Some((length, _)) = receive(&self.socket, &mut buffer)? {
            answers += u64::from(forged::is_server_hello(&buffer[..length]));
        }
        Ok(answers)
    }
}

/// A datagram, if one comes in time.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> std::io::Result<Option<(usize, SocketAddr)>> {
    match socket.recv_from(buffer) {
        Ok(received) => Ok(Some(received)),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
