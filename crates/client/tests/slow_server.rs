//! A server that stands still in the middle of a join, as one does that has no core for a while, is
//! waited for for as long as it would wait itself.
#![allow(clippy::unwrap_used, reason = "a test may end so")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_client::{Certificate, Direction, PeerConfig, WebRtcPeer};
use odeum_rtp::PacketKind;
use odeum_sfu::{Sfu, SfuConfig};
use odeum_types::PeerId;

/// A step of the time; each way takes one.
const STEP: Duration = Duration::from_millis(5);
/// How long it stands still: longer than four waits that double from 250 ms, each a quarter longer
/// or shorter by chance.
const STANDS_STILL: Duration = Duration::from_millis(10_500);
/// When the server itself gives up a transport.
const CONNECTS_IN: Duration = Duration::from_secs(15);

fn server() -> SocketAddr {
    ([10, 0, 0, 1], 7881).into()
}

fn client() -> SocketAddr {
    ([10, 0, 1, 1], 4_000).into()
}

/// How long a join takes whose server stands still from the first datagram on that `begins` knows.
fn join(begins: impl Fn(&[u8]) -> bool) -> Option<Duration> {
    let mut now = Instant::now();
    let start = now;
    let certificate = odeum_sfu::DtlsCertificate::generate().unwrap();
    let mut sfu = Sfu::new(now, SfuConfig::new(certificate, vec![server()], [1; 32]));
    let config = PeerConfig::new(Direction::Send, Certificate::generate().unwrap(), 1);
    let mut peer = WebRtcPeer::new(config);
    let answer = sfu.create_publisher(now, PeerId(1), &peer.offer()).unwrap();
    peer.accept_answer(now, &answer.sdp).unwrap();
    let (mut up, mut down) = (VecDeque::<Vec<u8>>::new(), VecDeque::<Vec<u8>>::new());
    let mut goes_on: Option<Instant> = None;
    while !peer.is_connected() {
        now += STEP;
        for mut bytes in down.drain(..) {
            peer.handle_datagram(now, server(), &mut bytes);
        }
        if peer.poll_timeout().is_some_and(|at| at <= now) {
            peer.handle_timeout(now);
        }
        up.extend(std::iter::from_fn(|| peer.poll_transmit()).map(|transmit| transmit.bytes));
        if peer.poll_timeout().is_none() || now > start + CONNECTS_IN {
            return None;
        }
        if goes_on.is_none() && up.iter().any(|bytes| begins(bytes)) {
            goes_on = Some(now + STANDS_STILL);
        }
        if goes_on.is_some_and(|at| now < at) {
            continue;
        }
        for mut bytes in up.drain(..) {
            sfu.handle_datagram(now, client(), &mut bytes);
        }
        if sfu.poll_timeout().is_some_and(|at| at <= now) {
            sfu.handle_timeout(now);
        }
        while let Some(transmit) = sfu.poll_transmit() {
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            down.extend(transmit.bytes.chunks(size).map(<[u8]>::to_vec));
        }
    }
    assert!(goes_on.is_some(), "it never stood still");
    Some(now - start)
}

/// Whether it is DTLS with a handshake message of this type first.
fn says(bytes: &[u8], kind: u8) -> bool {
    PacketKind::of(bytes) == PacketKind::Dtls && (bytes[0], bytes.get(13)) == (22, Some(&kind))
}

fn check(begins: impl Fn(&[u8]) -> bool) {
    let took = join(begins).expect("it gave up");
    assert!((STANDS_STILL..CONNECTS_IN).contains(&took), "{took:?}");
}

#[test]
fn a_server_that_stands_still_before_the_first_check_is_waited_for() {
    check(|bytes| PacketKind::of(bytes) == PacketKind::Stun);
}

#[test]
fn a_server_that_stands_still_before_the_hello_is_waited_for() {
    check(|bytes| says(bytes, 1));
}

#[test]
fn a_server_that_stands_still_before_the_clients_second_flight_is_waited_for() {
    check(|bytes| says(bytes, 11));
}
