//! What clients may do to a TCP port.

use std::net::TcpStream as Client;

use odeum_sfu::SfuConfig;

use super::*;

/// A port with a media plane behind it that has no peers.
struct Rig {
    port: TcpPort,
    sfu: Sfu,
    counters: SocketStatistics,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let now = Instant::now();
        let port = TcpPort::bind(now, "127.0.0.1:0".parse().unwrap()).unwrap();
        let certificate = odeum_sfu::DtlsCertificate::generate().unwrap();
        let config = SfuConfig::new(certificate, vec![port.local().unwrap()], [1; 32]);
        let sfu = Sfu::new(now, config);
        Self { port, sfu, counters: SocketStatistics::default(), now }
    }

    fn connect(&mut self) -> Client {
        let client = Client::connect(self.port.local().unwrap()).unwrap();
        client.set_nodelay(true).unwrap();
        client.set_nonblocking(true).unwrap();
        self.turn();
        client
    }

    fn turn(&mut self) {
        while self.port.receive(self.now, &mut self.sfu, &mut self.counters).unwrap() == Rest::More
        {
        }
    }

    /// Turns until `condition` holds: the loopback takes a moment to deliver.
    #[track_caller]
    fn until(&mut self, condition: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !condition(self) {
            assert!(Instant::now() < end, "{} connections", self.port.connections.len());
            self.turn();
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.port.handle_timeout(self.now, &self.sfu);
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u16).to_be_bytes()[..], payload].concat()
}

#[test]
fn frames_come_whole_however_they_are_cut() {
    let mut rig = Rig::new();
    let mut client = rig.connect();
    let bytes = [frame(b"one"), frame(b""), frame(&[7; 2_000])].concat();
    for piece in bytes.chunks(333) {
        client.write_all(piece).unwrap();
        rig.turn();
    }
    rig.until(|rig| rig.counters.packets_received == 3);
    assert_eq!(rig.counters.bytes_received, 2_003);
    assert_eq!(rig.sfu.statistics().datagrams_received, 3);
}

#[test]
fn a_frame_that_is_too_long_closes_the_connection() {
    let mut rig = Rig::new();
    let mut client = rig.connect();
    rig.until(|rig| rig.port.connections.len() == 1);
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    rig.until(|rig| rig.port.connections.is_empty());
    assert_eq!(rig.counters.packets_received, 0);
    assert!(rig.port.by_address.is_empty());
}

#[test]
fn a_stranger_that_keeps_talking_is_closed() {
    let mut rig = Rig::new();
    let mut client = rig.connect();
    for _ in 0..TCP_STRANGER_FRAMES_MAX {
        client.write_all(&frame(b"let me in")).unwrap();
    }
    rig.until(|rig| rig.counters.packets_received == u64::from(TCP_STRANGER_FRAMES_MAX));
    assert_eq!(rig.port.connections.len(), 1);
    client.write_all(&frame(b"let me in")).unwrap();
    rig.until(|rig| rig.port.connections.is_empty());
}

#[test]
fn half_a_frame_and_silence_are_closed_in_time() {
    let mut rig = Rig::new();
    let mut half = rig.connect();
    let _silent = rig.connect();
    half.write_all(&[0, 100, 1, 2, 3]).unwrap();
    rig.until(|rig| rig.port.connections.len() == 2);
    rig.pass(TCP_STRANGER_MAX / 2);
    assert_eq!(rig.port.connections.len(), 2);
    rig.pass(TCP_STRANGER_MAX / 2);
    assert!(rig.port.connections.is_empty());
    assert_eq!(rig.port.poll_timeout(), None, "nothing is left to look at");
}

#[test]
fn a_client_that_goes_leaves_nothing_behind() {
    let mut rig = Rig::new();
    for _ in 0..200 {
        drop(rig.connect());
    }
    rig.until(|rig| rig.port.connections.is_empty() && rig.port.by_address.is_empty());
    assert_eq!(rig.port.ready.len(), 0);
}

#[test]
fn beyond_the_limit_the_oldest_stranger_makes_way() {
    let mut rig = Rig::new();
    let first = rig.connect();
    rig.until(|rig| rig.port.connections.len() == 1);
    rig.now += Duration::from_secs(1);
    // Connections that stand for as many as the limit; descriptors for all would be more than a
    // process usually has.
    let stream = || TcpStream::from_std(first.try_clone().unwrap());
    for number in 1..TCP_CONNECTIONS_MAX {
        let address = SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 1));
        rig.port.connections.insert(Connection::new(rig.now, stream(), address));
        if number > 500 {
            break;
        }
    }
    let oldest = first.local_addr().unwrap();
    assert!(rig.port.by_address.contains_key(&oldest));
    assert!(rig.port.make_room(&rig.sfu));
    assert!(!rig.port.by_address.contains_key(&oldest));
}

#[test]
fn a_client_that_does_not_read_loses_whole_packets_and_gets_whole_ones() {
    let mut rig = Rig::new();
    let mut client = rig.connect();
    rig.until(|rig| rig.port.connections.len() == 1);
    let destination = client.local_addr().unwrap();
    let run = [5u8; 12_000];
    let mut taken = 0;
    for _ in 0..10_000 {
        taken += rig.port.send(destination, &run, Some(1_200)).unwrap();
    }
    assert!(taken < 100_000, "it is bounded");
    let connection = rig.port.connections.iter().next().unwrap().1;
    assert!(connection.output.len() - connection.sent <= TCP_QUEUE_BYTES_MAX);
    let mut received = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while received.len() < taken * 1_202 {
        match client.read(&mut buffer) {
            Ok(size) => received.extend_from_slice(&buffer[..size]),
            Err(_) => rig.turn(),
        }
    }
    for packet in received.chunks(1_202) {
        assert_eq!(packet[..3], [4, 176, 5]);
    }
    assert_eq!(received.len(), taken * 1_202);
    let nobody = "10.1.1.1:1".parse().unwrap();
    assert_eq!(rig.port.send(nobody, &run, None), None);
}
