//! The peers that TURN clients may send to (RFC 8656 §2): this node's media ports alone, under
//! the addresses that are announced and those that STUN servers have seen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use odeum_turn::{Family, Peers};

/// The media ports as the relay's peers, by what is known now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PermittedPeers {
    /// Under all their addresses.
    peers: Peers,
    /// What a STUN server sees of this machine, at most one address of each IP version.
    outer: Vec<IpAddr>,
}

impl PermittedPeers {
    /// Media ports by what they are announced as and where they are bound, and by what STUN servers
    /// see and where those are bound.
    pub(crate) fn new(
        ports: impl IntoIterator<Item = (SocketAddr, SocketAddr)>,
        outer: impl IntoIterator<Item = (SocketAddr, SocketAddr)>,
    ) -> Self {
        let outer: Vec<_> = outer.into_iter().collect();
        let mut seen: Vec<IpAddr> = Vec::new();
        for (address, _) in &outer {
            if seen.iter().all(|other| other.is_ipv4() != address.is_ipv4()) {
                seen.push(address.ip());
            }
        }
        let named = ports.into_iter().chain(outer);
        let reached = named.map(|(announced, local)| (announced, reached(local, announced)));
        Self { peers: Peers::new(reached), outer: seen }
    }

    /// Each address that may be sent to, and where it is reached.
    pub(super) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Where a relayed transport address of an IP version is bound, and what clients are told of
    /// it: what the rest of the Internet would see. Nobody but the media ports is ever heard there.
    pub(super) fn relayed_ip(&self, family: Family) -> Option<(IpAddr, IpAddr)> {
        let (announced, local) = self.peers.first(family)?;
        let outer = self.outer.iter().find(|ip| Family::of(**ip) == family);
        Some((local.ip(), outer.copied().unwrap_or(announced.ip())))
    }
}

/// Where a media port is reached from this machine.
fn reached(local: SocketAddr, announced: SocketAddr) -> SocketAddr {
    let ip = match (local.ip(), announced.ip()) {
        (bound, IpAddr::V4(_)) if bound.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        (bound, IpAddr::V6(_)) if bound.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        (bound, _) => bound,
    };
    SocketAddr::new(ip, local.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(peers: &PermittedPeers, family: Family, bound: &str, shown: &str) {
        let expected = (bound.parse().unwrap(), shown.parse().unwrap());
        assert_eq!(peers.relayed_ip(family), Some(expected));
    }

    #[test]
    fn clients_are_told_what_a_stun_server_sees_and_else_what_is_announced() {
        let local = address("[::]:7881");
        let ports = ["10.0.0.9:7881", "[2001:db8::9]:7881"].map(|name| (address(name), local));
        let peers = PermittedPeers::new(ports, []);
        check(&peers, Family::V4, "127.0.0.1", "10.0.0.9");
        check(&peers, Family::V6, "::1", "2001:db8::9");
        let peers = PermittedPeers::new(ports, [(address("203.0.113.9:7881"), local)]);
        check(&peers, Family::V4, "127.0.0.1", "203.0.113.9");
        check(&peers, Family::V6, "::1", "2001:db8::9");
    }

    #[test]
    fn a_port_of_one_address_is_reached_there_under_all_its_names() {
        let local = address("10.0.0.9:7881");
        let peers = PermittedPeers::new([(local, local)], [(address("203.0.113.9:7881"), local)]);
        check(&peers, Family::V4, "10.0.0.9", "203.0.113.9");
        assert_eq!(peers.relayed_ip(Family::V6), None);
        let names = [local, address("203.0.113.9:7881")].map(|name| (name, local));
        assert_eq!(peers.peers(), &Peers::new(names));
    }
}
