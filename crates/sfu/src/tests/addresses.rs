//! A machine with several addresses: a client gets everything from the one that it asked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::client::Rtx;
use super::net::Net;
use crate::config::ADDRESS_SILENCE;
use crate::{AddressPair, TransportAddress};

const FIRST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const SECOND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

/// Hands a datagram of a client that came to `local` to the server.
fn send_to(net: &mut Net, at: usize, local: IpAddr, mut datagram: Vec<u8>) {
    let remote = TransportAddress::from(net.clients[at].address);
    let way = AddressPair { remote, local: Some(local) };
    net.sfu.handle_datagram(net.now, way, &mut datagram);
}

/// A sound of the publisher, and which addresses it leaves from to the viewer.
fn media_leaves_from(net: &mut Net, publisher: usize, viewer: SocketAddr) -> Vec<Option<IpAddr>> {
    let number = u16::try_from(net.transmits.len()).unwrap();
    net.transmits.push((viewer, 0));
    let packet = net.clients[publisher].audio(number, b"sound");
    net.send(publisher, packet);
    let ways = net.ways().into_iter();
    ways.filter_map(|(to, from)| (to == viewer).then_some(from)).collect()
}

#[test]
fn a_check_is_answered_and_media_sent_from_the_address_that_was_nominated() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let address = net.clients[viewer].address;

    // Another pair is checked and answered; nominated is still the one before.
    let check = net.clients[viewer].plain_check();
    send_to(&mut net, viewer, FIRST, check);
    assert_eq!(net.ways(), [(address, Some(FIRST))]);
    assert_eq!(media_leaves_from(&mut net, publisher, address), [None]);

    let check = net.clients[viewer].check();
    send_to(&mut net, viewer, SECOND, check);
    assert_eq!(net.ways(), [(address, Some(SECOND))]);
    assert_eq!(media_leaves_from(&mut net, publisher, address), [Some(SECOND)]);
}

#[test]
fn a_pair_that_is_silent_gives_way_to_one_of_another_address_of_ours() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let address = net.clients[viewer].address;
    let check = net.clients[viewer].check();
    send_to(&mut net, viewer, FIRST, check);
    for _ in 0..ADDRESS_SILENCE.as_secs() {
        let check = net.clients[viewer].plain_check();
        send_to(&mut net, viewer, SECOND, check);
        net.ways();
        assert_eq!(media_leaves_from(&mut net, publisher, address), [Some(FIRST)]);
        net.now += Duration::from_secs(1);
    }
    let check = net.clients[viewer].plain_check();
    send_to(&mut net, viewer, SECOND, check);
    net.ways();
    assert_eq!(media_leaves_from(&mut net, publisher, address), [Some(SECOND)]);
}
