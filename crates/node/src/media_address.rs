//! Which addresses are offered to clients as candidates of the media plane, most local first.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::MediaConfig;
use crate::limits::ANNOUNCED_ADDRESSES_MAX;

/// An address of one of this machine's interfaces that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InterfaceAddress {
    /// Of the interface.
    name: String,
    /// Never link-local: it would mean something else to a client.
    address: IpAddr,
}

/// Why clients cannot be told where media is.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The system does not tell its interfaces.
    #[error("the interfaces of this machine cannot be read: {0}")]
    Interfaces(#[from] io::Error),
    /// A name in [`MediaConfig::interfaces`] that no interface with an address has.
    #[error("interfaces: there is no interface `{name}` with an address; there are: {known}")]
    NoInterface {
        /// The name.
        name: String,
        /// Those that have one.
        known: String,
    },
    /// An interface has no address that the socket takes packets at.
    #[error(
        "interfaces: `{name}` has no address that {listen} takes packets at; listen on [::] for \
         IPv4 and IPv6"
    )]
    NoAddress {
        /// The interface.
        name: String,
        /// Where the socket is bound.
        listen: SocketAddr,
    },
    /// An external address of an IP version that does not arrive.
    #[error(
        "external_addresses: {address} is {}, and {listen} takes no such packets; listen on [::] \
         for IPv4 and IPv6", version(*.address)
    )]
    OtherVersion {
        /// The address.
        address: IpAddr,
        /// Where the socket is bound.
        listen: SocketAddr,
    },
    /// An external address that means nobody, or many.
    #[error("external_addresses: {address} is not the address of one machine")]
    NotOne {
        /// The address.
        address: IpAddr,
    },
    /// More than clients are told of.
    #[error(
        "external_addresses and interfaces make {count} addresses, and at most \
         {ANNOUNCED_ADDRESSES_MAX} are announced: each one is tried by every client"
    )]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// The addresses that clients are told of, with the first worker's port: of UDP, then of TCP (none
/// without `tcp_listen`). What the STUN server says comes on top. Reads the interfaces of this
/// machine, so it may be another answer tomorrow.
///
/// # Errors
/// [`AnnounceError`]: what is configured cannot be.
pub fn announced_addresses(
    config: &MediaConfig,
) -> Result<(Vec<SocketAddr>, Vec<SocketAddr>), AnnounceError> {
    let udp = announced(config, config.listen)?;
    let tcp = config.tcp_listen.map(|listen| announced(config, listen)).transpose()?;
    Ok((udp, tcp.unwrap_or_default()))
}

/// The addresses to announce for a socket that is bound to `local`.
///
/// # Errors
/// As [`announced_addresses`].
pub(crate) fn announced(
    config: &MediaConfig,
    local: SocketAddr,
) -> Result<Vec<SocketAddr>, AnnounceError> {
    choose(config, local, &interface_addresses()?)
}

/// Those of the named interfaces, then the external ones; without either the bound one; else, when
/// bound to all, those of all interfaces but loopback; else loopback.
fn choose(
    config: &MediaConfig,
    local: SocketAddr,
    known: &[InterfaceAddress],
) -> Result<Vec<SocketAddr>, AnnounceError> {
    let mut chosen: Vec<IpAddr> = Vec::new();
    for name in &config.interfaces {
        chosen.extend(of_interface(name, local, known)?);
    }
    for &address in &config.external_addresses {
        check_external(address, local)?;
        chosen.push(address);
    }
    let mut at = 0;
    while let Some(address) = chosen.get(at) {
        match chosen[..at].contains(address) {
            true => drop(chosen.remove(at)),
            false => at += 1,
        }
    }
    if chosen.len() > ANNOUNCED_ADDRESSES_MAX {
        return Err(AnnounceError::TooMany { count: chosen.len() });
    }
    if chosen.is_empty() {
        chosen = by_itself(local, known);
    }
    Ok(chosen.into_iter().map(|address| SocketAddr::new(address, local.port())).collect())
}

/// What is announced when nothing is configured.
fn by_itself(local: SocketAddr, known: &[InterfaceAddress]) -> Vec<IpAddr> {
    if !local.ip().is_unspecified() {
        return vec![local.ip()];
    }
    let known = known.iter().map(|known| known.address);
    let mut found: Vec<_> =
        known.filter(|address| !address.is_loopback() && takes(local, *address)).collect();
    // IPv4 first: it is what most clients have.
    found.sort_by_key(IpAddr::is_ipv6);
    found.truncate(ANNOUNCED_ADDRESSES_MAX);
    if found.is_empty() {
        found.push(match local {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    found
}

fn of_interface(
    name: &str,
    local: SocketAddr,
    known: &[InterfaceAddress],
) -> Result<Vec<IpAddr>, AnnounceError> {
    let mut addresses = known.iter().filter(|known| known.name == name).peekable();
    if addresses.peek().is_none() {
        let mut names: Vec<_> = known.iter().map(|known| known.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let (name, known) = (name.to_owned(), names.join(", "));
        return Err(AnnounceError::NoInterface { name, known });
    }
    let taken: Vec<_> =
        addresses.map(|known| known.address).filter(|address| takes(local, *address)).collect();
    match taken.is_empty() {
        true => Err(AnnounceError::NoAddress { name: name.to_owned(), listen: local }),
        false => Ok(taken),
    }
}

fn check_external(address: IpAddr, local: SocketAddr) -> Result<(), AnnounceError> {
    if address.is_unspecified() || address.is_multicast() {
        return Err(AnnounceError::NotOne { address });
    }
    // A NAT in front may have any address, but it does not change the IP version.
    let is_of_its_version = match local.ip() {
        IpAddr::V4(_) => address.is_ipv4(),
        IpAddr::V6(bound) => address.is_ipv6() || bound.is_unspecified(),
    };
    if !is_of_its_version {
        return Err(AnnounceError::OtherVersion { address, listen: local });
    }
    Ok(())
}

/// Whether a socket that is bound to `local` gets packets to `address` of this machine.
fn takes(local: SocketAddr, address: IpAddr) -> bool {
    match local.ip() {
        IpAddr::V4(bound) => address.is_ipv4() && (bound.is_unspecified() || bound == address),
        IpAddr::V6(bound) => bound.is_unspecified() || bound == address,
    }
}

fn version(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    }
}

fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let all = if_addrs::get_if_addrs()?.into_iter();
    let usable = all.filter(|interface| interface.is_oper_up() && !interface.is_link_local());
    Ok(usable.map(|one| InterfaceAddress { address: one.ip(), name: one.name }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a machine has that is in two networks.
    const KNOWN: [(&str, &str); 4] = [
        ("lo", "127.0.0.1"),
        ("eth0", "2001:db8::1"),
        ("eth0", "10.0.0.1"),
        ("eth1", "192.168.0.1"),
    ];

    fn chosen(
        local: &str,
        interfaces: &[&str],
        external: &[&str],
        known: &[(&str, &str)],
    ) -> Result<Vec<String>, String> {
        let known: Vec<_> = (known.iter())
            .map(|(name, address)| InterfaceAddress {
                name: (*name).to_owned(),
                address: address.parse().unwrap(),
            })
            .collect();
        let config = MediaConfig {
            interfaces: interfaces.iter().map(|&name| name.to_owned()).collect(),
            external_addresses: external.iter().map(|text| text.parse().unwrap()).collect(),
            ..MediaConfig::default()
        };
        let chosen = choose(&config, local.parse().unwrap(), &known);
        chosen
            .map(|addresses| addresses.iter().map(ToString::to_string).collect())
            .map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(local: &str, interfaces: &[&str], external: &[&str], expected: &[&str]) {
        assert_eq!(chosen(local, interfaces, external, &KNOWN).unwrap(), expected);
    }

    #[track_caller]
    fn refused(local: &str, interfaces: &[&str], external: &[&str], words: &[&str]) {
        let refusal = chosen(local, interfaces, external, &KNOWN).unwrap_err();
        for word in words {
            assert!(refusal.contains(word), "{refusal} says nothing of {word}");
        }
    }

    #[test]
    fn external_addresses_stand_in_place_of_the_bound_one() {
        check("0.0.0.0:7", &[], &["203.0.113.5"], &["203.0.113.5:7"]);
        check("127.0.0.1:7", &[], &["203.0.113.5"], &["203.0.113.5:7"]);
        check(
            "[::]:7",
            &[],
            &["2001:db8::9", "203.0.113.5", "203.0.113.5"],
            &["[2001:db8::9]:7", "203.0.113.5:7"],
        );
    }

    #[test]
    fn a_bound_address_is_announced_as_it_is() {
        check("127.0.0.1:7", &[], &[], &["127.0.0.1:7"]);
        check("[2001:db8::1]:7", &[], &[], &["[2001:db8::1]:7"]);
    }

    #[test]
    fn a_socket_bound_to_all_announces_the_interfaces_of_its_family() {
        check("0.0.0.0:7", &[], &[], &["10.0.0.1:7", "192.168.0.1:7"]);
        check("[::]:7", &[], &[], &["10.0.0.1:7", "192.168.0.1:7", "[2001:db8::1]:7"]);
    }

    #[test]
    fn named_interfaces_stand_before_external_addresses() {
        check(
            "[::]:7",
            &["eth0"],
            &["203.0.113.5"],
            &["[2001:db8::1]:7", "10.0.0.1:7", "203.0.113.5:7"],
        );
        check("0.0.0.0:7", &["lo"], &[], &["127.0.0.1:7"]);
    }

    #[test]
    fn without_an_interface_loopback_is_announced() {
        assert_eq!(chosen("0.0.0.0:7", &[], &[], &[]).unwrap(), ["127.0.0.1:7"]);
        assert_eq!(chosen("[::]:7", &[], &[], &[]).unwrap(), ["[::1]:7"]);
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_what_there_is() {
        refused("0.0.0.0:7", &["eth9"], &[], &["interfaces", "`eth9`", "eth0, eth1, lo"]);
        refused("10.0.0.1:7", &["eth1"], &[], &["`eth1`", "10.0.0.1:7"]);
        refused(
            "0.0.0.0:7",
            &[],
            &["2001:db8::9"],
            &["external_addresses", "2001:db8::9 is IPv6", "[::]"],
        );
        refused("[2001:db8::1]:7", &[], &["203.0.113.5"], &["203.0.113.5 is IPv4"]);
        refused("[::]:7", &[], &["::"], &["external_addresses", "one machine"]);
        let many: Vec<_> = (0..9).map(|number| format!("203.0.113.{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        refused("0.0.0.0:7", &[], &many, &["9 addresses", "at most 8"]);
    }
}
