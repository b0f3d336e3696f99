//! What STUN servers say of the media socket, and who is believed.

use std::net::SocketAddr;
use std::time::Duration;

use odeum_rtp::stun::{Class, MESSAGE_SIZE_MAX, Message, TransactionId, write_success};

use super::net::Net;
use crate::SfuEvent;
use crate::outer_address::{QUESTIONS_MAX, REQUESTS_MAX};

const SERVER: &str = "198.51.100.1:3478";

/// The requests that wait to be sent.
fn sent(net: &mut Net) -> Vec<(SocketAddr, TransactionId)> {
    let mut sent = Vec::new();
    while let Some(transmit) = net.sfu.poll_transmit() {
        let message = Message::parse(transmit.bytes).unwrap();
        assert_eq!(message.class, Class::Request);
        sent.push((transmit.destination.socket, message.transaction));
    }
    sent
}

fn answer(net: &mut Net, from: &str, transaction: TransactionId, mapped: &str) {
    let mut buffer = [0; MESSAGE_SIZE_MAX];
    let mapped = mapped.parse().unwrap();
    let length = write_success(&mut buffer, transaction, mapped, None).unwrap();
    let from: SocketAddr = from.parse().unwrap();
    net.sfu.handle_datagram(net.now, from, &mut buffer[..length]);
}

fn ask(net: &mut Net) -> TransactionId {
    net.sfu.ask_stun(net.now, SERVER.parse().unwrap());
    let sent = sent(net);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, SERVER.parse().unwrap());
    sent[0].1
}

fn candidates(net: &Net) -> Vec<String> {
    let all = net.sfu.outer.append_to(&net.sfu.config.candidates);
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn what_the_server_sees_is_announced_after_the_own_addresses() {
    let mut net = Net::with(|config| {
        config.tcp_candidates = vec![SocketAddr::from(([127, 0, 0, 1], 443))];
    });
    let transaction = ask(&mut net);
    answer(&mut net, SERVER, transaction, "203.0.113.9:7881");
    let found = Some("203.0.113.9:7881".parse().unwrap());
    let server = SERVER.parse().unwrap();
    assert_eq!(net.sfu.poll_event(), Some(SfuEvent::StunEnded { server, found }));
    assert_eq!(candidates(&net), ["127.0.0.1:7881", "203.0.113.9:7881"]);
    let tcp = net.sfu.outer.append_to_tcp(&net.sfu.config.tcp_candidates);
    assert_eq!(tcp[1].to_string(), "203.0.113.9:443");
    assert_eq!(net.sfu.poll_timeout(), None, "nothing is left to do");
}

#[test]
fn a_new_answer_replaces_the_old_one_of_its_ip_version_alone() {
    let mut net = Net::new();
    for mapped in ["[2001:db8::9]:7881", "203.0.113.9:7881", "203.0.113.10:7881"] {
        let transaction = ask(&mut net);
        answer(&mut net, SERVER, transaction, mapped);
    }
    assert_eq!(candidates(&net), ["127.0.0.1:7881", "203.0.113.10:7881", "[2001:db8::9]:7881"]);
}

#[test]
fn what_was_found_before_is_announced_until_a_server_says_otherwise() {
    let before = ["[2001:db8::9]:7881", "203.0.113.9:7881"].map(|text| text.parse().unwrap());
    let mut net = Net::with(|config| config.outer_addresses = before.to_vec());
    assert_eq!(candidates(&net), ["127.0.0.1:7881", "203.0.113.9:7881", "[2001:db8::9]:7881"]);
    let transaction = ask(&mut net);
    answer(&mut net, SERVER, transaction, "203.0.113.10:7881");
    assert_eq!(candidates(&net), ["127.0.0.1:7881", "203.0.113.10:7881", "[2001:db8::9]:7881"]);
}

#[test]
fn nobody_else_and_no_other_answer_is_believed() {
    let mut net = Net::new();
    let transaction = ask(&mut net);
    answer(&mut net, "198.51.100.2:3478", transaction, "203.0.113.9:7881");
    answer(&mut net, SERVER, TransactionId([0; 12]), "203.0.113.9:7881");
    assert_eq!(candidates(&net), ["127.0.0.1:7881"]);
    assert_eq!(net.sfu.poll_event(), None);
    answer(&mut net, SERVER, transaction, "0.0.0.0:7881");
    let server = SERVER.parse().unwrap();
    assert_eq!(net.sfu.poll_event(), Some(SfuEvent::StunEnded { server, found: None }));
    assert_eq!(candidates(&net), ["127.0.0.1:7881"]);
}

#[test]
fn a_server_that_does_not_answer_is_asked_again_and_given_up() {
    let mut net = Net::new();
    let (begun, transaction) = (net.now, ask(&mut net));
    let mut requests = 1;
    while let Some(at) = net.sfu.poll_timeout() {
        net.now = at;
        net.sfu.handle_timeout(at);
        requests += sent(&mut net).iter().filter(|(_, other)| *other == transaction).count();
    }
    assert_eq!(requests, REQUESTS_MAX as usize);
    assert_eq!(net.now - begun, Duration::from_millis(7_500));
    let server = SERVER.parse().unwrap();
    assert_eq!(net.sfu.poll_event(), Some(SfuEvent::StunEnded { server, found: None }));
}

#[test]
fn questions_are_bounded_and_each_gets_an_end() {
    let mut net = Net::new();
    for number in 0..5 {
        net.sfu.ask_stun(net.now, SocketAddr::from(([198, 51, 100, number], 3478)));
    }
    let ended = std::iter::from_fn(|| net.sfu.poll_event()).count();
    assert_eq!(ended, 5 - QUESTIONS_MAX);
}
