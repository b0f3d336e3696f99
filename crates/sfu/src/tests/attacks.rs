//! What strangers and spoofers send: to end a session, to fill memory, to find who is here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use odeum_rtp::sdp::Direction;
use odeum_types::PeerId;

use super::client::{AUDIO_PT, Client, Rtx};
use super::net::Net;
use crate::SfuEvent;
use crate::config::ADDRESSES_PER_PEER_MAX;

/// A DTLS record (RFC 6347 §4.1) of epoch 0, which everybody can write.
fn record(content: u8, sequence: u8, fragment: &[u8]) -> Vec<u8> {
    let mut record = vec![content, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, sequence];
    record.extend((fragment.len() as u16).to_be_bytes());
    record.extend(fragment);
    record
}

/// Records that a stranger can make up: hellos that are broken, alerts, what belongs elsewhere.
fn forged_records() -> Vec<Vec<u8>> {
    let hello = |length: u8, bytes: &[u8]| {
        // HandshakeType client_hello, length, message_seq, fragment_offset, fragment_length.
        let mut handshake = vec![1, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, length];
        handshake.extend(bytes);
        handshake
    };
    vec![
        record(22, 9, &hello(40, &[0; 40])),
        record(22, 10, &hello(200, &[0xff; 7])),
        record(22, 11, &[1]),
        record(22, 12, &[]),
        // Alerts: close_notify, and a fatal handshake_failure.
        record(21, 13, &[1, 0]),
        record(21, 14, &[2, 40]),
        record(20, 15, &[1]),
        record(23, 16, b"application data in the clear"),
        // Of a later epoch, so that it has to be opened, and cannot be.
        [&[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 24][..], &[7; 24]].concat(),
        [&[21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 98, 0, 24][..], &[7; 24]].concat(),
        // A length beyond the datagram, and a version that there is not.
        [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 17, 0xff, 0xff][..], &[1; 30]].concat(),
        [&[22, 0x11, 0x22, 0, 0, 0, 0, 0, 0, 0, 18, 0, 4][..], &[1; 4]].concat(),
        vec![22],
    ]
}

#[test]
fn forged_dtls_in_a_session_ends_nothing() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    // A whole and sound ClientHello of somebody else.
    let mut other = Client::new(net.now, 77, Arc::clone(&net.client_config));
    other.start_dtls(net.now);
    let hellos = std::mem::take(&mut other.outbox);
    assert!(!hellos.is_empty());
    let mut sound = 0;
    for bytes in forged_records().into_iter().chain(hellos) {
        // Who can write any source address.
        for at in [publisher, viewer] {
            net.send(at, bytes.clone());
            assert_eq!(net.close_reason(at), None, "{bytes:02x?}");
        }
        assert_eq!(net.sfu.poll_event(), None, "{bytes:02x?}");
        // What it has to say to forged records concerns nobody; what the client sends does.
        while net.sfu.poll_transmit().is_some() {}
        sound += 1;
        let packet = net.clients[publisher].audio(sound, b"sound");
        net.send(publisher, packet);
        net.settle();
        assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), usize::from(sound));
    }
    assert_eq!(net.sfu.statistics().panics, 0);
}

/// The same, and what is well-formed: another's whole hello.
fn forged_handshakes(net: &Net) -> Vec<Vec<u8>> {
    let mut other = Client::new(net.now, 77, Arc::clone(&net.client_config));
    other.start_dtls(net.now);
    let mut forged = forged_records();
    forged.push(other.outbox.concat());
    forged
}

#[test]
fn forged_dtls_before_a_handshake_does_not_keep_it_from_happening() {
    for bytes in forged_handshakes(&Net::new()) {
        let mut net = Net::new();
        let publisher = net.offered_publisher();
        let check = net.clients[publisher].check();
        net.send(publisher, check);
        net.settle();
        net.send(publisher, bytes.clone());
        while net.sfu.poll_transmit().is_some() {}
        let now = net.now;
        net.clients[publisher].start_dtls(now);
        net.settle();
        assert_eq!(net.close_reason(publisher), None, "{bytes:02x?}");
        let is_connected = net.events.iter().any(|e| matches!(e, SfuEvent::Connected { .. }));
        assert!(is_connected, "{bytes:02x?}");
    }
}

#[test]
fn forged_dtls_in_the_middle_of_a_handshake_does_not_keep_it_from_being_done() {
    for bytes in forged_handshakes(&Net::new()) {
        let mut net = Net::new();
        let publisher = net.offered_publisher();
        let check = net.clients[publisher].check();
        net.send(publisher, check);
        net.settle();
        let now = net.now;
        net.clients[publisher].start_dtls(now);
        for hello in std::mem::take(&mut net.clients[publisher].outbox) {
            net.send(publisher, hello);
        }
        // The server has answered and waits for the client's certificate.
        net.send(publisher, bytes.clone());
        assert_eq!(net.close_reason(publisher), None, "{bytes:02x?}");
        net.settle();
        let is_connected = net.events.iter().any(|e| matches!(e, SfuEvent::Connected { .. }));
        assert!(is_connected, "{bytes:02x?}");
        net.pass(Duration::from_secs(4));
        assert_eq!(net.close_reason(publisher), None, "{bytes:02x?}");
    }
}

#[test]
fn checks_for_names_that_nobody_has_leave_nothing_behind_and_have_no_answer() {
    let mut net = Net::new();
    let publisher = net.offered_publisher();
    let sound = net.clients[publisher].check();
    let name = sound.windows(6).position(|window| window == b"client").unwrap() - 9;
    for n in 0..50_000u32 {
        let mut check = sound.clone();
        check[name..name + 8].copy_from_slice(format!("{n:08x}").as_bytes());
        let source = SocketAddr::from(([10, 1, (n >> 8) as u8, n as u8], 1_000));
        net.send_from(source, check);
    }
    net.settle();
    assert!(net.transmits.is_empty());
    assert_eq!(net.sfu.statistics().stun_refused, 50_000);
    assert!(net.sfu.by_address.is_empty());
    assert_eq!((net.sfu.by_ufrag.len(), net.sfu.peers.len()), (1, 1));
}

#[test]
fn a_client_that_checks_from_everywhere_has_a_few_addresses() {
    let mut net = Net::new();
    let publisher = net.publisher();
    for n in 0..5_000u32 {
        let check = net.clients[publisher].plain_check();
        let source = SocketAddr::from(([10, 1, (n >> 8) as u8, n as u8], 1_000));
        net.send_from(source, check);
    }
    net.settle();
    assert!(net.sfu.by_address.len() <= ADDRESSES_PER_PEER_MAX);
    let viewer = net.viewer(publisher, Rtx::Offered);
    let packet = net.clients[publisher].audio(1, b"sound");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1, "the address in use stays");
}

#[test]
fn offers_that_nobody_connects_are_bounded_and_forgotten() {
    let mut net = Net::with(|config| config.peers_max = 100);
    let mut refused = 0;
    for n in 0..1_000 {
        let client = Client::new(net.now, n, Arc::clone(&net.client_config));
        let offer = client.offer(Direction::SendOnly, Rtx::Offered);
        refused += usize::from(net.sfu.create_publisher(net.now, PeerId(n), &offer).is_err());
    }
    assert_eq!((refused, net.sfu.peers.len()), (900, 100));
    net.pass(Duration::from_secs(20));
    assert_eq!((net.sfu.peers.len(), net.sfu.by_ufrag.len(), net.sfu.by_id.len()), (0, 0, 0));
    assert_eq!(net.events.len(), 100);
    assert!(net.transmits.is_empty(), "nothing was sent to anybody");
}

#[test]
fn a_flood_of_datagrams_before_the_handshake_does_not_keep_it_from_happening() {
    let mut net = Net::new();
    let publisher = net.offered_publisher();
    let check = net.clients[publisher].check();
    net.send(publisher, check);
    net.settle();
    for n in 0..1_000u32 {
        net.send(publisher, record(23, n as u8, &[n as u8; 50]));
    }
    net.settle();
    assert_eq!(net.close_reason(publisher), None);
    net.connect(publisher);
}

/// Offers made to be expensive: each is refused, or taken for no more than it is worth.
#[test]
fn offers_made_to_be_expensive_are_refused_or_cost_what_others_cost() {
    let mut net = Net::new();
    let client = Client::new(net.now, 1, Arc::clone(&net.client_config));
    let sound = client.offer(Direction::SendOnly, Rtx::Offered);
    let video = sound.find("m=video").unwrap();
    let times = |line: &str, count: usize| -> String {
        (0..count).map(|n| line.replace('#', &n.to_string()) + "\r\n").collect()
    };
    let bombs = [
        ("m-lines", sound[video..].repeat(2_000)),
        ("candidates", times("a=candidate:# 1 udp 1 10.0.0.1 9 typ host", 3_000)),
        ("rids", times("a=rid:r# send", 3_000)),
        ("alternatives", format!("a=simulcast:send {}\r\n", "a,b;".repeat(8_000))),
        ("extensions", times("a=extmap:1 urn:#", 3_000)),
        ("formats", times("a=rtpmap:# VP8/90000", 3_000)),
        ("parameters", times("a=fmtp:96 apt=#", 3_000)),
        ("retransmissions of each other", times("a=fmtp:97 apt=97", 60)),
        ("sources", times("a=ssrc:# cname:x", 3_000)),
        ("groups", format!("a=ssrc-group:FID {}\r\n", "1 ".repeat(20_000))),
        ("feedback", times("a=rtcp-fb:* nack", 3_000)),
        ("a long line", format!("a={}\r\n", "x".repeat(60_000))),
        ("more than fits", "a=x\r\n".repeat(20_000)),
        ("empty lines", "\r\n".repeat(30_000)),
    ];
    for (what, lines) in bombs {
        let offer = format!("{sound}{lines}");
        match net.sfu.create_publisher(net.now, client.id, &offer) {
            // An answer is of the offer's m-lines, not of what they repeat.
            Ok(answer) => {
                assert!(answer.sdp.len() < 16 * 1_024, "{what}: {} bytes", answer.sdp.len());
                net.sfu.close_peer(net.now, client.id);
            }
            Err(error) => assert!(error.to_string().len() < 200, "{what}: {error}"),
        }
        assert_eq!(net.sfu.peers.len(), 0, "{what}");
    }
    assert_eq!(net.sfu.statistics().panics, 0);
    assert!(net.sfu.create_publisher(net.now, client.id, &sound).is_ok());
}
