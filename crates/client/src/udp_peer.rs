//! A peer with a socket of its own, driven by whoever awaits it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use crate::peer::{PeerEvent, Received, WebRtcPeer};

/// Largest datagram that is read.
const DATAGRAM_BYTES: usize = 2_048;

/// A [`WebRtcPeer`] and its UDP socket.
pub struct UdpPeer {
    /// The peer.
    peer: WebRtcPeer,
    /// The socket.
    socket: UdpSocket,
    /// What was read last.
    buffer: Box<[u8; DATAGRAM_BYTES]>,
}

/// What a peer brings.
#[derive(Debug)]
pub enum UdpPeerEvent<'a> {
    /// Something happened to the peer.
    Peer(PeerEvent),
    /// A media packet.
    Media(Received<'a>),
    /// A datagram or timer was dealt with; nothing to see.
    Progress,
}

impl UdpPeer {
    /// Gives `peer` a socket at `local`.
    ///
    /// # Errors
    /// What the system says to the address.
    pub async fn bind(peer: WebRtcPeer, local: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(local).await?;
        Ok(Self { peer, socket, buffer: Box::new([0; DATAGRAM_BYTES]) })
    }

    /// Sends what waits, then waits for a datagram or a timer. Cancelling loses nothing.
    ///
    /// # Errors
    /// What the system says to the socket; a refused datagram of the network is not one.
    pub async fn next(&mut self) -> io::Result<UdpPeerEvent<'_>> {
        self.flush();
        if let Some(event) = self.peer.poll_event() {
            return Ok(UdpPeerEvent::Peer(event));
        }
        let far = || Instant::now() + Duration::from_secs(3_600);
        let timeout = self.peer.poll_timeout().unwrap_or_else(far);
        tokio::select! {
            received = self.socket.recv_from(&mut self.buffer[..]) => match received {
                Ok((length, source)) => {
                    let bytes = &mut self.buffer[..length];
                    let received = self.peer.handle_datagram(Instant::now(), source, bytes);
                    Ok(received.map_or(UdpPeerEvent::Progress, UdpPeerEvent::Media))
                }
                // The answer of a closed port to an earlier datagram (ICMP).
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    Ok(UdpPeerEvent::Progress)
                }
                Err(error) => Err(error),
            },
            () = tokio::time::sleep_until(timeout.into()) => {
                self.peer.handle_timeout(Instant::now());
                Ok(UdpPeerEvent::Progress)
            }
        }
    }

    /// Sends what waits. What the socket does not take is lost, as in a network.
    pub fn flush(&mut self) {
        while let Some(transmit) = self.peer.poll_transmit() {
            let _lost = self.socket.try_send_to(&transmit.bytes, transmit.destination);
        }
    }

    /// The peer.
    pub fn peer(&self) -> &WebRtcPeer {
        &self.peer
    }

    /// The peer, to act upon; call [`UdpPeer::flush`] or [`UdpPeer::next`] afterwards.
    pub fn peer_mut(&mut self) -> &mut WebRtcPeer {
        &mut self.peer
    }
}
