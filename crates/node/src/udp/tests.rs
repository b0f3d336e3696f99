//! The socket against real ones on loopback.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use odeum_sfu::{AddressPair, Transmit};

use super::*;

fn pair(address: &str) -> (UdpSocket, UdpSocket) {
    let bind = || UdpSocket::bind(address.parse().unwrap(), 1 << 20).unwrap();
    (bind(), bind())
}

/// One send, as packets of `segment_size` bytes or as one.
fn send(
    from: &mut UdpSocket,
    destination: SocketAddr,
    source: Option<IpAddr>,
    bytes: &[u8],
    segment_size: Option<usize>,
) -> SendTally {
    let destination = destination.into();
    from.send_all(std::iter::once(Transmit { destination, source, segment_size, bytes }))
}

/// `packets` with `bytes` in all that were sent.
fn sent(packets: u64, bytes: u64) -> SendTally {
    SendTally { packets_sent: packets, bytes_sent: bytes, ..SendTally::default() }
}

/// Packets that the kernel did not want.
fn refused(packets: u64) -> SendTally {
    SendTally { dropped_refused: packets, ..SendTally::default() }
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
    assert_eq!(send(&mut from, to.local(), None, &bytes, Some(1200)), sent(11, 12_017));
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

/// More packets than the kernel cuts a send into.
#[test]
fn what_the_kernel_does_not_cut_goes_packet_by_packet() {
    let (mut from, to) = pair("127.0.0.1:0");
    let bytes: Vec<u8> = (0..200 * 10).map(|at| (at / 10) as u8).collect();
    assert_eq!(send(&mut from, to.local(), None, &bytes, Some(10)), sent(200, 2_000));
    let packets = packets(&to, 200);
    assert!(packets.iter().zip(0..).all(|((_, packet), at)| packet[..] == [at; 10]));
}

/// A network of this thread's own whose packets have at most `mtu` bytes; false where the process
/// may not make one.
fn enter_network(mtu: u16) -> bool {
    // SAFETY: it takes no pointers, and changes the network of this thread alone.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return false;
    }
    let link = ["link", "set", "lo", "mtu", &mtu.to_string(), "up"];
    std::process::Command::new("ip").args(link).status().unwrap().success()
}

#[test]
fn what_is_larger_than_the_path_takes_goes_in_fragments() {
    let thread = std::thread::spawn(|| {
        if !enter_network(1_000) {
            eprintln!("skipped: no network of its own without CAP_SYS_ADMIN");
            return;
        }
        let (from, to) = pair("127.0.0.1:0");
        check_segments_arrive(from, &to);
    });
    thread.join().unwrap();
}

#[test]
fn of_many_sends_one_that_is_refused_stops_no_other() {
    for segmentation in [Segmentation::Kernel, Segmentation::PerPacket] {
        let mut from = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), 1 << 20).unwrap();
        from.segmentation = segmentation;
        let (one, other) = pair("127.0.0.1:0");
        let gone = |number| matches!(number, 0 | 40 | 41 | 99);
        let bytes: Vec<[u8; 25]> = (0..100).map(|number| [number; 25]).collect();
        let sends = (0..100).zip(&bytes).map(|(number, bytes)| Transmit {
            destination: if number % 2 == 0 { one.local() } else { other.local() }.into(),
            source: gone(number).then(|| [203, 0, 113, 7].into()),
            // Three packets of 10, 10 and 5 bytes, or one of 25.
            segment_size: (number % 3 == 0).then_some(10),
            bytes,
        });
        // Of the four, 0 and 99 are three packets each.
        let tally = from.send_all(sends);
        let (all, lost) = (100 + 34 * 2, 2 * 3 + 2);
        assert_eq!(tally, SendTally { dropped_refused: lost, ..sent(all - lost, 96 * 25) });
        for (socket, parity) in [(&one, 0), (&other, 1)] {
            let due: Vec<Vec<u8>> = (0..100)
                .filter(|number| number % 2 == parity && !gone(*number))
                .flat_map(|number| {
                    let size = if number % 3 == 0 { 10 } else { 25 };
                    [number; 25].chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>()
                })
                .collect();
            let came = packets(socket, due.len()).into_iter().map(|(_, bytes)| bytes);
            assert_eq!(came.collect::<Vec<_>>(), due);
        }
    }
}

#[test]
fn a_dual_stack_socket_speaks_ipv4_in_its_own_form() {
    let Ok(mut dual) = UdpSocket::bind("[::]:0".parse().unwrap(), 1 << 16) else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    let mut v4 = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 16).unwrap();
    assert_eq!(
        send(&mut v4, (Ipv4Addr::LOCALHOST, dual.local().port()).into(), None, b"to", None),
        sent(1, 2)
    );
    assert_eq!(packets(&dual, 1), [(v4.local(), b"to".to_vec())]);
    assert_eq!(send(&mut dual, v4.local(), None, b"back", None), sent(1, 4));
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
    assert_eq!(send(&mut client, asked, None, b"question", None), sent(1, 8));
    let (way, _) = with_ways(&server, 1).remove(0);
    assert_eq!(way, AddressPair { remote: client.local().into(), local: Some(asked.ip()) });
    let answer = [7; 5 * 1200 + 1];
    let (to, from) = (way.remote.socket, way.local);
    assert_eq!(send(&mut server, to, from, &answer, Some(1200)), sent(6, 6_001));
    assert_eq!(send(&mut server, to, from, b"one more", None), sent(1, 8));
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
    assert_eq!(send(&mut client, asked, None, b"question", None), sent(1, 8));
    let (way, _) = with_ways(&server, 1).remove(0);
    assert_eq!(way, AddressPair { remote: client.local().into(), local: Some(asked.ip()) });
    send_one(&server.socket, server.local(), way, b"answer").unwrap();
    assert_eq!(packets(&client, 1), [(asked, b"answer".to_vec())]);
}

#[test]
fn a_socket_of_one_address_is_told_of_none() {
    let (mut from, to) = pair("127.0.0.1:0");
    assert_eq!(send(&mut from, to.local(), None, b"x", None), sent(1, 1));
    assert_eq!(with_ways(&to, 1)[0].0, AddressPair::from(from.local()));
}

#[test]
fn what_cannot_leave_from_an_address_is_refused_and_goes_from_no_other() {
    let mut socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), 1 << 16).unwrap();
    let (_, to) = pair("127.0.0.1:0");
    let gone = Some([203, 0, 113, 7].into());
    assert_eq!(send(&mut socket, to.local(), gone, b"x", None), refused(1));
    assert_eq!(send(&mut socket, to.local(), gone, &[0; 2400], Some(1200)), refused(2));
}

#[test]
fn an_empty_datagram_is_not_handed_over() {
    let from = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (to, _) = pair("127.0.0.1:0");
    for bytes in [&b""[..], b"x"] {
        from.send_to(bytes, to.local()).unwrap();
    }
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
