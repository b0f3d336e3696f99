//! Which addresses are offered to clients as candidates of the media plane.

use std::net::{IpAddr, SocketAddr};

use crate::limits::ANNOUNCED_ADDRESSES_MAX;

/// The addresses to announce for a socket that is bound to `local`: the operator's `external` one;
/// else the bound one; else, when bound to all, those of the `interfaces` that are of its family
/// (an IPv6 socket takes both); else loopback. IPv4 first: it is what most clients have.
pub(crate) fn announced(
    local: SocketAddr,
    external: Option<IpAddr>,
    interfaces: &[IpAddr],
) -> Vec<SocketAddr> {
    let at_port = |address: IpAddr| SocketAddr::new(address, local.port());
    if let Some(external) = external {
        return vec![at_port(external)];
    }
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let v4 = interfaces.iter().filter(|address| address.is_ipv4());
    let v6 = interfaces.iter().filter(|address| address.is_ipv6() && local.is_ipv6());
    let found: Vec<_> =
        v4.chain(v6).take(ANNOUNCED_ADDRESSES_MAX).map(|address| at_port(*address)).collect();
    if found.is_empty() { vec![at_port(loopback(local))] } else { found }
}

fn loopback(local: SocketAddr) -> IpAddr {
    match local {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(local: &str, external: Option<&str>, interfaces: &[&str], expected: &[&str]) {
        let external = external.map(|text| text.parse().unwrap());
        let interfaces: Vec<IpAddr> = interfaces.iter().map(|text| text.parse().unwrap()).collect();
        let found = announced(local.parse().unwrap(), external, &interfaces);
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_external_address_stands_above_all() {
        check("0.0.0.0:7", Some("203.0.113.5"), &["10.0.0.1"], &["203.0.113.5:7"]);
        check("127.0.0.1:7", Some("203.0.113.5"), &[], &["203.0.113.5:7"]);
    }

    #[test]
    fn a_bound_address_is_announced_as_it_is() {
        check("127.0.0.1:7", None, &["10.0.0.1"], &["127.0.0.1:7"]);
        check("[2001:db8::1]:7", None, &[], &["[2001:db8::1]:7"]);
    }

    #[test]
    fn a_socket_bound_to_all_announces_the_interfaces_of_its_family() {
        let interfaces = ["2001:db8::1", "10.0.0.1"];
        check("0.0.0.0:7", None, &interfaces, &["10.0.0.1:7"]);
        check("[::]:7", None, &interfaces, &["10.0.0.1:7", "[2001:db8::1]:7"]);
    }

    #[test]
    fn without_an_interface_loopback_is_announced() {
        check("0.0.0.0:7", None, &[], &["127.0.0.1:7"]);
        check("[::]:7", None, &[], &["[::1]:7"]);
    }
}
