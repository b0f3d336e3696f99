//! Where a client is: an address and the protocol that reaches it there (RFC 8445 §3, "transport
//! address"), and which of this machine's addresses it speaks to.

use std::net::{IpAddr, SocketAddr};

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

/// Both ends of a way: a client takes an answer only from the address that it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressPair {
    /// The client's end.
    pub remote: TransportAddress,
    /// This machine's address; none where the socket has but one, or the system may choose.
    pub local: Option<IpAddr>,
}

/// Over UDP.
impl From<SocketAddr> for TransportAddress {
    fn from(socket: SocketAddr) -> Self {
        Self { protocol: Protocol::Udp, socket }
    }
}

/// From the socket's only address, or whichever the system chooses.
impl From<TransportAddress> for AddressPair {
    fn from(remote: TransportAddress) -> Self {
        Self { remote, local: None }
    }
}

/// The same over UDP.
impl From<SocketAddr> for AddressPair {
    fn from(remote: SocketAddr) -> Self {
        TransportAddress::from(remote).into()
    }
}
