//! Where a client is: an address and the protocol that reaches it there (RFC 8445 §3, "transport
//! address").

use std::net::SocketAddr;

/// What carries packets between a client and a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// A TCP connection of the client's, each packet behind its length (RFC 4571).
    Tcp,
}

/// An address and how packets get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransportAddress {
    /// What carries them.
    pub protocol: Protocol,
    /// IP address and port.
    pub socket: SocketAddr,
}

impl TransportAddress {
    /// The client's end of a TCP connection.
    pub fn tcp(socket: SocketAddr) -> Self {
        Self { protocol: Protocol::Tcp, socket }
    }
}

/// Over UDP.
impl From<SocketAddr> for TransportAddress {
    fn from(socket: SocketAddr) -> Self {
        Self { protocol: Protocol::Udp, socket }
    }
}
