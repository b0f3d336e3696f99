//! The socket against real ones on loopback.

use super::*;

fn pair(address: &str) -> (UdpSocket, UdpSocket) {
    let bind = || UdpSocket::bind(address.parse().unwrap(), 1 << 20).unwrap();
    (bind(), bind())
}

/// Reads until `count` packets came.
fn packets(socket: &UdpSocket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let waker = Waker::new().unwrap();
    let mut batch = ReceiveBatch::new();
    let mut packets = Vec::new();
    while packets.len() < count {
        wait(socket, &waker, None, Some(Duration::from_secs(5))).unwrap();
        batch.receive(socket).unwrap();
        let before = packets.len();
        packets.extend(batch.datagrams().map(|(source, bytes)| (source, bytes.to_vec())));
        assert!(packets.len() > before, "only {before} of {count} packets came");
    }
    packets
}

#[track_caller]
fn check_segments_arrive(mut from: UdpSocket, to: &UdpSocket) {
    let bytes: Vec<u8> = (0..10 * 1200 + 17).map(|at| (at / 1200) as u8).collect();
    assert_eq!(from.send(to.local(), &bytes, Some(1200)), Sent::All);
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
    assert_eq!(v4.send((Ipv4Addr::LOCALHOST, dual.local().port()).into(), b"to", None), Sent::All);
    assert_eq!(packets(&dual, 1), [(v4.local(), b"to".to_vec())]);
    assert_eq!(dual.send(v4.local(), b"back", None), Sent::All);
    assert_eq!(packets(&v4, 1)[0].1, b"back");
}

#[test]
fn an_empty_datagram_is_not_handed_over() {
    let (mut from, to) = pair("127.0.0.1:0");
    assert_eq!(from.send(to.local(), b"", None), Sent::All);
    assert_eq!(from.send(to.local(), b"x", None), Sent::All);
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
