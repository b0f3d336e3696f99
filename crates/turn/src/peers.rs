//! Where a relay may lead: the media ports of this server.

use std::net::{IpAddr, SocketAddr};

/// An IP version (RFC 8656 §18.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// The media ports: as clients know them, and as they are reached from here. One port may have
/// several names: whichever a client sends to is the one that it is answered under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers(Vec<(SocketAddr, SocketAddr)>);

impl Peers {
    /// Of each pair the first is what clients are told, the second what packets are sent to; both
    /// are of one IP version. Of several pairs of one name the first counts.
    pub fn new(ports: impl IntoIterator<Item = (SocketAddr, SocketAddr)>) -> Self {
        let mut found: Vec<(SocketAddr, SocketAddr)> = Vec::new();
        for (announced, local) in ports {
            if found.iter().all(|(name, _)| *name != announced) {
                found.push((announced, local));
            }
        }
        Self(found)
    }

    /// The first of an IP version, under its name and as it is reached from here.
    pub fn first(&self, family: Family) -> Option<(SocketAddr, SocketAddr)> {
        self.0.iter().find(|(announced, _)| Family::of(announced.ip()) == family).copied()
    }

    /// Whether a permission for this address may lead to anything.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|(announced, _)| announced.ip() == ip)
    }

    /// Where a peer of that name really is; none for everybody else.
    pub(crate) fn local(&self, announced: SocketAddr) -> Option<SocketAddr> {
        self.0.iter().find(|(known, _)| *known == announced).map(|(_, local)| *local)
    }
}
