//! The socket against real ones on loopback.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use odeum_sfu::AddressPair;

use super::*;

fn pair(address: &str) -> (UdpSocket, UdpSocket) {
    let bind = || UdpSocket::bind(address.parse().unwrap(), 1 << 20).unwrap();
    (bind(), bind())
}

/// Reads until `count` packets came: from where, and what.
fn packets(socket: &UdpSocket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let all = with_ways(socket, count).into_iter();
    all.map(|(way, bytes)| (way.remote.socket, bytes)).collect()
}

/// The same with both ends of each packet's way.
fn with_ways(socket: &UdpSocket, count: usize) -> Vec<(AddressPair, Vec<u8>)> {
    let waker = Waker::new().unwrap();
    let mut batch = ReceiveBatch::new();
    let mut packets = Vec::new();
    while packets.len() < count {
        wait(socket, &waker, None, Some(Duration::from_secs(5))).unwrap();
        batch.receive(socket).unwrap();
        let before = packets.len();
        packets.extend(batch.datagrams().map(|(way, bytes)| (way, bytes.to_vec())));
        assert!(packets.len() > before, "only {before} of {count} packets came");
    }
    packets
}

#[track_caller]
fn check_segments_arrive(mut from: UdpSocket, to: &UdpSocket) {
    let bytes: Vec<u8> = (0..10 * 1200 + 17).map(|at| (at / 1200) as u8).collect();
    assert_eq!(from.send(to.local(), None, &bytes, Some(1200)), Sent::All);
    let packets = packets(to, 11);
    for (at, (source, packet)) in packets.iter().enumerate() {
        assert_eq!(*source, from.local());
        assert_eq!(packet.len(), if at == 10 { 17 } else { 1200 });
        assert!(packet.iter().all(|byte| *byte == at as u8));
    }
}

#[test]
fn a_segmented_send_arrives_as_packets_in_order() {
    let (from, to) = pair("127.0.0.1:0");
    check_segments_arrive(from, &to);
}

#[test]
fn without_kernel_segmentation_the_same_packets_arrive() {
    let (mut from, to) = pair("127.0.0.1:0");
    from.forget_segmentation();
    check_segments_arrive(from, &to);
}

#[test]
fn a_dual_stack_socket_speaks_ipv4_in_its_own_form() {
    let Ok(mut dual) = UdpSocket::bind("[::]:0".parse().unwrap(), 1 << 16) else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    let mut v4 = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 16).unwrap();
    assert_eq!(
        v4.send((Ipv4Addr::LOCALHOST, dual.local().port()).into(), None, b"to", None),
        Sent::All
    );
    assert_eq!(packets(&dual, 1), [(v4.local(), b"to".to_vec())]);
    assert_eq!(dual.send(v4.local(), None, b"back", None), Sent::All);
    assert_eq!(packets(&v4, 1)[0].1, b"back");
}

/// Asks a socket of all addresses at `asked`, which is not the one that the kernel would answer
/// from, and wants the answer from there.
#[track_caller]
fn check_answers_where_it_was_asked(bound: &str, asked: IpAddr, segmentation: Segmentation) {
    let mut server = UdpSocket::bind(bound.parse().unwrap(), 1 << 20).unwrap();
    if segmentation == Segmentation::PerPacket {
        server.forget_segmentation();
    }
    let mut client = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 20).unwrap();
    let asked = SocketAddr::new(asked, server.local().port());
    assert_eq!(client.send(asked, None, b"question", None), Sent::All);
    let (way, _) = with_ways(&server, 1).remove(0);
    assert_eq!(way, AddressPair { remote: client.local().into(), local: Some(asked.ip()) });
    let answer = [7; 5 * 1200 + 1];
    let (to, from) = (way.remote.socket, way.local);
    assert_eq!(server.send(to, from, &answer, Some(1200)), Sent::All);
    assert_eq!(server.send(to, from, b"one more", None), Sent::All);
    let came = packets(&client, 7);
    assert!(came.iter().all(|(source, _)| *source == asked), "{came:?}");
    assert_eq!(came[0].1.len(), 1200);
}

#[test]
fn a_socket_of_all_addresses_answers_from_the_one_that_was_asked() {
    let asked = [127, 0, 0, 2].into();
    for segmentation in [Segmentation::Kernel, Segmentation::PerPacket] {
        check_answers_where_it_was_asked("0.0.0.0:0", asked, segmentation);
        match UdpSocket::bind("[::]:0".parse().unwrap(), 1 << 16) {
            Ok(_) => check_answers_where_it_was_asked("[::]:0", asked, segmentation),
            Err(_) => eprintln!("skipped: this machine has no IPv6"),
        }
    }
}

#[test]
fn a_socket_of_all_addresses_says_which_one_of_ipv6_was_asked() {
    let (Ok(server), Ok(mut client)) = (
        UdpSocket::bind("[::]:0".parse().unwrap(), 1 << 16),
        UdpSocket::bind("[::1]:0".parse().unwrap(), 1 << 16),
    ) else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    let asked = SocketAddr::from((Ipv6Addr::LOCALHOST, server.local().port()));
    assert_eq!(client.send(asked, None, b"question", None), Sent::All);
    let (way, _) = with_ways(&server, 1).remove(0);
    assert_eq!(way, AddressPair { remote: client.local().into(), local: Some(asked.ip()) });
    assert_eq!(send_one(&server.socket, server.local(), way, b"answer").unwrap(), 6);
    assert_eq!(packets(&client, 1), [(asked, b"answer".to_vec())]);
}

#[test]
fn a_socket_of_one_address_is_told_of_none() {
    let (mut from, to) = pair("127.0.0.1:0");
    assert_eq!(from.send(to.local(), None, b"x", None), Sent::All);
    assert_eq!(with_ways(&to, 1)[0].0, AddressPair::from(from.local()));
}

#[test]
fn what_cannot_leave_from_an_address_is_refused_and_goes_from_no_other() {
    let mut socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), 1 << 16).unwrap();
    let (_, to) = pair("127.0.0.1:0");
    let gone = Some([203, 0, 113, 7].into());
    assert_eq!(socket.send(to.local(), gone, b"x", None), Sent::Refused);
    assert_eq!(socket.send(to.local(), gone, &[0; 2400], Some(1200)), Sent::Refused);
}

#[test]
fn an_empty_datagram_is_not_handed_over() {
    let (mut from, to) = pair("127.0.0.1:0");
    assert_eq!(from.send(to.local(), None, b"", None), Sent::All);
    assert_eq!(from.send(to.local(), None, b"x", None), Sent::All);
    let waker = Waker::new().unwrap();
    let mut batch = ReceiveBatch::new();
    let mut seen = Vec::new();
    while seen.is_empty() {
        wait(&to, &waker, None, Some(Duration::from_secs(5))).unwrap();
        batch.receive(&to).unwrap();
        seen.extend(batch.datagrams().map(|(_, bytes)| bytes.to_vec()));
    }
    assert_eq!(seen, [b"x".to_vec()]);
}

#[test]
fn a_waker_ends_a_wait_and_a_cleared_one_does_not() {
    let (socket, _other) = pair("127.0.0.1:0");
    let waker = Waker::new().unwrap();
    waker.wake();
    let start = std::time::Instant::now();
    wait(&socket, &waker, None, Some(Duration::from_secs(60))).unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
    waker.clear();
    wait(&socket, &waker, None, Some(Duration::from_millis(1))).unwrap();
}
