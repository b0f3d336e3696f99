//! The relay's UDP port: whoever asks at one of this machine's addresses is answered from there.

use std::io;
use std::net::SocketAddr;

use odeum_sfu::AddressPair;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::udp::{ask_for_local, receive_one, send_one};

/// A UDP socket that knows both ends of each datagram's way.
pub(super) struct TurnSocket {
    socket: UdpSocket,
    /// Where it is bound, with the real port.
    bound: SocketAddr,
}

impl TurnSocket {
    /// Binds `listen`.
    ///
    /// # Errors
    /// What the kernel says: the port is taken, the address is not of this machine.
    pub(super) async fn bind(listen: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen).await?;
        let bound = socket.local_addr()?;
        ask_for_local(&socket, bound)?;
        Ok(Self { socket, bound })
    }

    /// The next datagram: its size, where it came from and where it came to.
    ///
    /// # Errors
    /// What the kernel says; mostly it tells of an ICMP error of an earlier send.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, AddressPair)> {
        let read = || receive_one(&self.socket, buffer);
        self.socket.async_io(Interest::READABLE, read).await
    }

    /// Sends a datagram that way.
    ///
    /// # Errors
    /// What the kernel says: no route, a firewall.
    pub(super) async fn send(&self, to: AddressPair, bytes: &[u8]) -> io::Result<()> {
        let write = || send_one(&self.socket, self.bound, to, bytes);
        self.socket.async_io(Interest::WRITABLE, write).await
    }

    /// Where it is bound, with the real port.
    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }
}
