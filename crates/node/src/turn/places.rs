//! Where the relay leads, by what is known now: announced addresses and those that STUN servers
//! have seen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use odeum_turn::{Family, Peers};

/// The media ports as the relay knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Under all their names.
    peers: Peers,
    /// What a STUN server sees of this machine, at most one address of each IP version.
    outer: Vec<IpAddr>,
}

impl Places {
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

    /// Who may be relayed to.
    pub(super) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Where a relay socket of an IP version is bound, and what clients are told of it: what the
    /// rest of the Internet would see. Nobody but the media ports is ever heard there.
    pub(super) fn of(&self, family: Family) -> Option<(IpAddr, IpAddr)> {
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
    fn check(places: &Places, family: Family, bound: &str, shown: &str) {
        let expected = (bound.parse().unwrap(), shown.parse().unwrap());
        assert_eq!(places.of(family), Some(expected));
    }

    #[test]
    fn clients_are_told_what_a_stun_server_sees_and_else_what_is_announced() {
        let local = address("[::]:7881");
        let ports = ["10.0.0.9:7881", "[2001:db8::9]:7881"].map(|name| (address(name), local));
        let places = Places::new(ports, []);
        check(&places, Family::V4, "127.0.0.1", "10.0.0.9");
        check(&places, Family::V6, "::1", "2001:db8::9");
        let places = Places::new(ports, [(address("203.0.113.9:7881"), local)]);
        check(&places, Family::V4, "127.0.0.1", "203.0.113.9");
        check(&places, Family::V6, "::1", "2001:db8::9");
    }

    #[test]
    fn a_port_of_one_address_is_reached_there_under_all_its_names() {
        let local = address("10.0.0.9:7881");
        let places = Places::new([(local, local)], [(address("203.0.113.9:7881"), local)]);
        check(&places, Family::V4, "10.0.0.9", "203.0.113.9");
        assert_eq!(places.of(Family::V6), None);
        let names = [local, address("203.0.113.9:7881")].map(|name| (name, local));
        assert_eq!(places.peers(), &Peers::new(names));
    }
}
