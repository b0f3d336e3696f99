//! A worker's thread, its panics and its turns.

use std::cell::RefCell;
use std::io::Write;
use std::net::SocketAddr;

use odeum_client::{Certificate, Direction, PeerConfig, WebRtcPeer};
use odeum_sfu::{Relayed, RelayedKind};
use tokio::sync::oneshot;

use super::*;
use crate::limits::{RECEIVE_BATCH_MAX, TCP_STRANGER_FRAMES_MAX};
use crate::media_handle::MediaBusy;
use crate::media_handle::tests::queued_offer;
use crate::relay_ring::relay_ring;

const NUMBER: WorkerNumber = WorkerNumber(0);

/// What a worker is started with.
fn parts() -> (MediaHandle, Receiver<MediaRequest>, MediaPorts, SfuConfig) {
    let address = "127.0.0.1:0".parse().unwrap();
    let udp = UdpSocket::bind(address, 1 << 20).unwrap();
    let tcp = Some(TcpPort::bind(Instant::now(), address).unwrap());
    let certificate = odeum_sfu::DtlsCertificate::generate().unwrap();
    let config = SfuConfig::new(certificate, vec![udp.local()], [1; 32]);
    let (handle, queue) = MediaHandle::new(2).unwrap();
    (handle, queue, MediaPorts { udp, tcp }, config)
}

/// One whose thread runs.
fn worker() -> (MediaHandle, JoinHandle<()>) {
    let (handle, queue, ports, config) = parts();
    let workers = Arc::new([handle.clone()]) as Arc<[_]>;
    let thread = start(NUMBER, &workers, queue, ports, config).unwrap();
    (handle, thread)
}

/// One without a thread.
fn worker_at_rest() -> MediaWorker {
    let (handle, queue, ports, config) = parts();
    MediaWorker::new(NUMBER, &(Arc::new([handle]) as Arc<[_]>), queue, ports, config)
}

#[tokio::test]
async fn a_worker_that_panics_begins_anew_on_the_same_socket() {
    let (handle, thread) = worker();
    handle.send(MediaRequest::Panic).unwrap();
    let statistics = handle.statistics().await.expect("it serves again");
    assert_eq!(statistics.restarts, 1);
    let (offer, answer) = queued_offer(1);
    handle.create(offer.create).unwrap();
    assert!(answer.await.unwrap().is_err(), "it looks at offers");
    handle.stop();
    thread.join().unwrap();
    assert!(!handle.is_alive());
}

/// A STUN server that sees everybody at 203.0.113.9:7881, and answers once.
fn stun_server() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut request = [0; 20];
        let (_, source) = socket.recv_from(&mut request).unwrap();
        // RFC 8489 §5 and §14.2: a success, XOR-MAPPED-ADDRESS of IPv4.
        let mut answer = vec![1, 1, 0, 12];
        answer.extend(&request[4..20]);
        answer.extend([0, 0x20, 0, 8, 0, 1]);
        answer.extend((7_881u16 ^ 0x2112).to_be_bytes());
        answer.extend([203 ^ 0x21, 0x12, 113 ^ 0xa4, 9 ^ 0x42]);
        socket.send_to(&answer, source).unwrap();
    });
    address
}

/// The candidates of UDP in the answer to a publisher.
async fn candidates(handle: &MediaHandle) -> Vec<String> {
    let certificate = Certificate::generate().unwrap();
    let config = PeerConfig::new(Direction::Send, certificate, 1);
    let (mut offer, answer) = queued_offer(2);
    offer.create.offer = WebRtcPeer::new(config).offer();
    handle.create(offer.create).unwrap();
    let answer = answer.await.unwrap().unwrap();
    let candidates = answer.sdp.lines().filter(|line| line.contains(" udp "));
    let address = |line: &str| line.split(' ').skip(4).take(2).collect::<Vec<_>>().join(":");
    candidates.map(address).collect()
}

#[tokio::test]
async fn what_a_stun_server_said_is_announced_at_once_after_a_panic() {
    let (handle, thread) = worker();
    let server = stun_server();
    let (reply, found) = oneshot::channel();
    handle.send(MediaRequest::AskStun(server, reply)).unwrap();
    assert_eq!(found.await.unwrap(), Some("203.0.113.9:7881".parse().unwrap()));
    handle.send(MediaRequest::Panic).unwrap();
    assert_eq!(handle.statistics().await.expect("it serves again").restarts, 1);
    assert_eq!(candidates(&handle).await[1..], ["203.0.113.9:7881"]);
    handle.stop();
    thread.join().unwrap();
}

#[test]
fn a_worker_that_panics_too_often_stays_down_and_refuses() {
    let (handle, thread) = worker();
    for _ in 0..=MEDIA_RESTARTS_MAX {
        handle.send(MediaRequest::Panic).unwrap();
    }
    thread.join().unwrap();
    assert!(!handle.is_alive());
    assert_eq!(handle.create(queued_offer(1).0.create), Err(MediaBusy));
}

/// Whether the worker's next turn begins without a pause and without a wait.
fn goes_on_at_once(worker: &mut MediaWorker) -> bool {
    let waker = &worker.handle.waker;
    let ready = wait(&worker.plane.socket, waker, None, Some(Duration::ZERO)).unwrap();
    waker.clear();
    let skips_pause = worker.gathering.take_skip();
    assert_eq!(ready.waker, skips_pause, "neither is of use without the other");
    skips_pause
}

/// After a turn in which there was `little` to do a worker waits for more; after one with `much` it
/// goes on.
#[track_caller]
fn check_turns(give: impl Fn(&mut MediaWorker, usize), turn: fn(&mut MediaWorker), much: usize) {
    let mut worker = worker_at_rest();
    for (amount, expected) in [(1, false), (much, true)] {
        give(&mut worker, amount);
        worker.handle.waker.clear();
        turn(&mut worker);
        assert_eq!(goes_on_at_once(&mut worker), expected, "{amount}");
    }
}

#[test]
fn more_commands_than_a_turn_takes_do_not_wait() {
    let close = |worker: &mut MediaWorker, count: usize| {
        (0..count).for_each(|peer| worker.handle.close(PeerId(peer as u64)));
    };
    let turn = |worker: &mut MediaWorker| {
        assert!(worker.carry_out_requests() == Turn::Again);
    };
    check_turns(close, turn, COMMANDS_PER_TURN_MAX + 1);
}

#[test]
fn more_datagrams_than_a_turn_takes_do_not_wait() {
    let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |worker: &mut MediaWorker, count: usize| {
        for _ in 0..count {
            client.send_to(&[0], worker.plane.socket.local()).unwrap();
        }
    };
    check_turns(send, MediaWorker::receive, BATCHES_PER_TURN_MAX * RECEIVE_BATCH_MAX + 1);
}

#[test]
fn more_that_crosses_from_other_workers_than_a_turn_takes_does_not_wait() {
    let cross = |worker: &mut MediaWorker, count: usize| {
        let (mut sender, receiver) = relay_ring();
        for _ in 0..count {
            let relayed = Relayed { publisher: PeerId(1), kind: RelayedKind::Rtp, bytes: &[0; 8] };
            sender.send(relayed).unwrap();
        }
        let Plane { sfu, mirrors, .. } = &mut worker.plane;
        let ring = Some((NUMBER, receiver));
        mirrors.take_terms(sfu, Instant::now(), PeerId(1), None, ring).1.unwrap();
    };
    check_turns(cross, MediaWorker::receive_relayed, RELAYED_PER_TURN_MAX + 1);
}

#[test]
fn more_that_comes_over_tcp_than_a_turn_takes_does_not_wait() {
    let clients = RefCell::new(Vec::new());
    let send = |worker: &mut MediaWorker, count: usize| {
        let port = worker.plane.tcp.as_ref().unwrap().local().unwrap();
        let frames = count.min(TCP_STRANGER_FRAMES_MAX as usize);
        for _ in 0..count.div_ceil(frames) {
            let mut client = std::net::TcpStream::connect(port).unwrap();
            // An empty packet is its length.
            client.write_all(&vec![0; 2 * frames]).unwrap();
            clients.borrow_mut().push(client);
        }
    };
    // A client that has just connected is read the next time that the port is looked at.
    check_turns(send, MediaWorker::receive_tcp, BATCHES_PER_TURN_MAX * FLUSH_PACKETS_MAX);
}
