//! What must not work.

use std::net::SocketAddr;
use std::time::Duration;

use odeum_rtp::stun::Nomination;

use super::client::{AUDIO_PT, Client, Rtx};
use super::net::Net;
use crate::CloseReason;
use crate::config::HANDSHAKE_DOUBT;

fn stranger() -> SocketAddr {
    SocketAddr::from(([66, 6, 6, 6], 666))
}

#[test]
fn a_check_with_a_wrong_password_is_not_answered_and_opens_nothing() {
    let mut net = Net::new();
    let publisher = net.offered_publisher();
    let forged = net.clients[publisher].check_with("wrong password of 24 b", Nomination::None);
    net.send(publisher, forged);
    let mut cut = net.clients[publisher].check();
    // Without FINGERPRINT: the last eight bytes, and the length says so.
    cut.truncate(cut.len() - 8);
    let length = (cut.len() - 20) as u16;
    cut[2..4].copy_from_slice(&length.to_be_bytes());
    net.send(publisher, cut);
    net.settle();
    assert_eq!(net.clients[publisher].stun_answers, 0);
    assert_eq!(net.sfu.statistics().stun_refused, 2);
    assert!(net.sfu.by_address.is_empty());
}

#[test]
fn dtls_before_ice_is_ignored() {
    let mut net = Net::new();
    let publisher = net.offered_publisher();
    let now = net.now;
    net.clients[publisher].start_dtls(now);
    net.settle();
    assert!(net.transmits.is_empty());
    assert_eq!(net.sfu.statistics().unknown_source, 1);
}

#[test]
fn a_certificate_that_the_sdp_did_not_promise_ends_the_peer() {
    let mut net = Net::new();
    let promised = net.offered_publisher();
    let config = net.client_config.clone();
    // The same client with another certificate: as if someone sat between.
    let mut other = Client::new(net.now, promised as u64, config);
    std::mem::swap(&mut other, &mut net.clients[promised]);
    let check = other.check();
    net.send(promised, check);
    net.settle();
    let now = net.now;
    net.clients[promised].start_dtls(now);
    net.settle();
    // It could be a forged one: the promised one has time to come.
    assert_eq!(net.close_reason(promised), None);
    net.holds = Some(net.clients[promised].address);
    net.pass(HANDSHAKE_DOUBT + Duration::from_millis(100));
    assert_eq!(net.close_reason(promised), Some(CloseReason::FingerprintMismatch));
    assert_eq!(net.events.len(), 1, "never connected: {:?}", net.events);
}

#[test]
fn a_client_without_a_certificate_that_we_take_is_told_with_an_alert() {
    let mut net = Net::new();
    let publisher = net.offered_publisher();
    let check = net.clients[publisher].check();
    net.send(publisher, check);
    net.settle();
    let address = net.clients[publisher].address;
    net.holds = Some(address);
    let now = net.now;
    net.clients[publisher].start_dtls(now);
    net.settle();
    // Certificate (11), message 1 after the ClientHello, with an empty list (RFC 5246 §7.4.6):
    // what a client that has RSA alone answers to a request for ECDSA.
    let message = [11, 0, 0, 3, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0];
    let record = [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 15][..], &message].concat();
    net.send(publisher, record);
    net.pass(HANDSHAKE_DOUBT + Duration::from_millis(100));
    assert_eq!(net.close_reason(publisher), Some(CloseReason::HandshakeFailed));
    let [.., alert] = &net.held[..] else { panic!("nothing was said") };
    assert_eq!((alert[0], &alert[13..]), (21, &[2, 40][..]), "fatal, handshake_failure");
}

#[test]
fn media_from_a_foreign_address_is_ignored_until_ice_validates_it() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let packet = net.clients[publisher].audio(1, b"sound");
    net.send_from(stranger(), packet.clone());
    net.settle();
    assert!(net.clients[viewer].rtp.is_empty());
    assert_eq!(net.sfu.statistics().unknown_source, 1);
    // The same bytes are good from the right place: nothing was spent on them.
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
}

#[test]
fn an_address_moves_only_with_an_authentic_check() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let elsewhere = SocketAddr::from(([10, 9, 9, 9], 1_234));
    let forged = net.clients[viewer].check_with("wrong password of 24 b", Nomination::UseCandidate);
    net.send_from(elsewhere, forged);
    let packet = net.clients[publisher].audio(1, b"sound");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);

    let check = net.clients[viewer].check();
    net.send_from(elsewhere, check);
    net.clients[viewer].address = elsewhere;
    let packet = net.clients[publisher].audio(2, b"sound");
    net.send(publisher, packet);
    net.transmits.clear();
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 2);
    assert!(net.transmits.iter().all(|(destination, _)| *destination == elsewhere));
}

#[test]
fn the_address_of_a_live_peer_is_not_anothers_to_take() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let thief = net.viewer(publisher, Rtx::Offered);
    // An authentic check of a peer that can forge its source address.
    let address = net.clients[viewer].address;
    let check = net.clients[thief].check();
    net.send_from(address, check);
    let packet = net.clients[publisher].audio(1, b"sound");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
    assert_eq!(net.clients[thief].received(AUDIO_PT).len(), 1);
    // A peer that is gone without a word does not keep it: a NAT may have given it away.
    net.pass(Duration::from_secs(11));
    let check = net.clients[thief].check();
    net.send_from(address, check);
    assert_eq!(net.sfu.by_address[&address.into()], net.sfu.by_id[&net.clients[thief].id]);
}

#[test]
fn a_peer_that_does_not_nominate_again_is_followed_once_its_old_address_is_silent() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let elsewhere = SocketAddr::from(([10, 9, 9, 9], 1_234));
    let check = net.clients[viewer].plain_check();
    net.send_from(elsewhere, check);
    let packet = net.clients[publisher].audio(1, b"sound");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1, "not nominated, so not moved");

    net.clients[viewer].address = elsewhere;
    for _ in 0..3 {
        net.pass(Duration::from_secs(5));
        let check = net.clients[viewer].plain_check();
        net.send_from(elsewhere, check);
    }
    let packet = net.clients[publisher].audio(2, b"sound");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 2);
}

#[test]
fn replayed_and_forged_packets_are_dropped() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let packet = net.clients[publisher].audio(1, b"sound");
    let mut forged = net.clients[publisher].audio(2, b"sound");
    *forged.last_mut().unwrap() ^= 1;
    net.send(publisher, packet.clone());
    net.send(publisher, packet);
    net.send(publisher, forged);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
    assert_eq!(net.sfu.statistics().srtp_replayed, 1);
    assert_eq!(net.sfu.statistics().srtp_refused, 1);
}

#[test]
fn garbage_from_everywhere_changes_nothing() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let mut state = 1u64;
    for round in 0..20_000u32 {
        let bytes: Vec<u8> = (0..round % 90)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        let source = match round % 3 {
            0 => stranger(),
            1 => net.clients[publisher].address,
            _ => net.clients[viewer].address,
        };
        net.send_from(source, bytes);
    }
    net.settle();
    assert_eq!(net.sfu.statistics().panics, 0);
    let packet = net.clients[publisher].audio(1, b"sound");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
    assert_eq!(net.events.len(), 2);
}
