//! Where a relay may lead: the media ports of this server.

use std::net::{IpAddr, SocketAddr};

/// The media ports: as clients know them, and as they are reached from here. All of one IP version,
/// and each under one name: an answer has to come from where the question went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers(Vec<(SocketAddr, SocketAddr)>);

impl Peers {
    /// Of each pair the first is what clients are told, the second what packets are sent to. IPv4
    /// where there is some: it is what clients ask a TURN server for. Of several names the first.
    pub fn new(ports: impl IntoIterator<Item = (SocketAddr, SocketAddr)>) -> Self {
        let mut kept: Vec<(SocketAddr, SocketAddr)> = ports.into_iter().collect();
        if kept.iter().any(|(announced, _)| announced.is_ipv4()) {
            kept.retain(|(announced, _)| announced.is_ipv4());
        }
        let mut found: Vec<(SocketAddr, SocketAddr)> = Vec::new();
        for (announced, local) in kept {
            if found.iter().all(|(name, at)| *name != announced && *at != local) {
                found.push((announced, local));
            }
        }
        Self(found)
    }

    /// The first, under its name and as it is reached from here.
    pub fn first(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.0.first().copied()
    }

    /// The IP version of all.
    pub fn is_ipv4(&self) -> bool {
        self.0.first().is_none_or(|(announced, _)| announced.is_ipv4())
    }

    /// Whether a permission for this address may lead to anything.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|(announced, _)| announced.ip() == ip)
    }

    /// Where a peer of that name really is; none for everybody else.
    pub(crate) fn local(&self, announced: SocketAddr) -> Option<SocketAddr> {
        self.0.iter().find(|(known, _)| *known == announced).map(|(_, local)| *local)
    }

    /// What clients call the media port that packets from there are of.
    pub(crate) fn announced(&self, local: SocketAddr) -> Option<SocketAddr> {
        self.0.iter().find(|(_, known)| *known == local).map(|(announced, _)| *announced)
    }
}
