//! What is forged before there are keys: well-formed, in its place, and from the client's address.

use super::super::handshake::Handshake;
use super::super::intake::FRAGMENTS_MAX;
use super::super::messages::{Kind, fragments, whole_message};
use super::super::records::{ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, plain_record, records};
use super::*;
use crate::config::{HANDSHAKE_DATAGRAMS_MAX, HELLOS_MAX};

/// A number far ahead of all that a client sends: who takes the record takes no later one.
const FAR: u16 = u16::MAX;

/// Hellos that OpenSSL refuses.
const REFUSED: [&[u8]; 3] = [&[], &[0; 40], &[0xfe, 0xfd, 0, 0]];

fn key() -> PKey<Private> {
    ecdsa(Nid::X9_62_PRIME256V1)
}

fn handshake_record(kind: Kind, body: &[u8]) -> Vec<u8> {
    plain_record(HANDSHAKE, FAR, &whole_message(kind, body))
}

/// A hello, and the flight that follows, of somebody else whose handshake with another server is
/// sound.
fn others_flights() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut other = Pair::new(Some(&key()), BROWSER);
    let hello = other.say();
    hello.iter().for_each(|datagram| other.deliver(datagram));
    (hello, other.say())
}

/// The records of some datagrams, one by one.
fn split(datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let each = datagrams.iter().flat_map(|datagram| {
        records(datagram).map(|record| datagram[record.range()].to_vec()).collect::<Vec<_>>()
    });
    each.collect()
}

fn holds(record: &[u8], kind: Kind) -> bool {
    records(record)
        .filter(|record| record.epoch == 0 && record.content == HANDSHAKE)
        .any(|record| fragments(&record).iter().any(|part| part.kind() == Some(kind)))
}

/// A Certificate message that begins with the client's own, which all who see the packets know.
fn with_another_behind(certificate: &X509) -> Vec<u8> {
    let entry = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[1..], bytes].concat();
    let other = self_signed(&key());
    let chain = [certificate, &other].map(|one| entry(&one.to_der().unwrap()));
    entry(&chain.concat())
}

/// One of everything that can be made up, each in a datagram, for a client with this certificate.
fn forged(certificate: &X509) -> Vec<(&'static str, Vec<u8>)> {
    let (hello, flight) = others_flights();
    let pick = |kind| split(&flight).into_iter().find(|record| holds(record, kind)).unwrap();
    let sealed = [&[HANDSHAKE, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 48][..], &[7; 48]].concat();
    vec![
        ("a refusal", plain_record(ALERT, FAR, &[2, 40])),
        ("another's hello", hello.concat()),
        ("another's certificate", pick(Kind::Certificate)),
        (
            "the client's certificate and one behind it",
            handshake_record(Kind::Certificate, &with_another_behind(certificate)),
        ),
        ("no certificate", handshake_record(Kind::Certificate, &[0, 0, 0])),
        ("a malformed certificate", handshake_record(Kind::Certificate, &[0, 0, 9, 0, 0, 6, 1])),
        ("another's key exchange", pick(Kind::KeyExchange)),
        ("a malformed key exchange", handshake_record(Kind::KeyExchange, &[9; 4])),
        ("another's proof", pick(Kind::Proof)),
        ("a proof of nothing", handshake_record(Kind::Proof, &[4, 3, 0, 2, 1, 1])),
        ("a proof that is short", handshake_record(Kind::Proof, &[4])),
        ("ChangeCipherSpec", plain_record(CHANGE_CIPHER_SPEC, FAR, &[1])),
        ("a sealed record", sealed),
        ("another's whole flight", flight.concat()),
    ]
}

impl Pair {
    /// What the client has to say now.
    pub(super) fn say(&mut self) -> Vec<Vec<u8>> {
        self.client_is_done();
        std::mem::take(&mut self.client.get_mut().from_client)
    }
}

#[test]
fn nothing_forged_between_the_flights_keeps_a_handshake_from_being_done() {
    let key = key();
    let certificate = self_signed(&key);
    for (what, bytes) in forged(&certificate) {
        let mut pair = Pair::with(Some((&key, &certificate)), BROWSER);
        pair.say().iter().for_each(|hello| pair.deliver(hello));
        let flight = pair.say();
        pair.client.get_mut().to_client.clear();
        pair.deliver(&bytes);
        flight.iter().for_each(|datagram| pair.deliver(datagram));
        assert!(pair.established.is_some(), "{what}");
        // What was answered to a forged hello reaches the client as well, and does nothing.
        assert!(pair.settle(), "{what}");
        assert_eq!(pair.pass(HANDSHAKE_DOUBT), 0, "{what}");
        assert_eq!(pair.closed, None, "{what}");
    }
}

#[test]
fn what_is_forged_in_the_midst_of_a_flight_costs_no_more_than_that_it_is_sent_again() {
    let key = key();
    let certificate = self_signed(&key);
    let mut at = 0;
    loop {
        at += 1;
        for (what, bytes) in forged(&certificate) {
            let mut pair = Pair::with(Some((&key, &certificate)), BROWSER);
            pair.say().iter().for_each(|hello| pair.deliver(hello));
            let flight = split(&pair.say());
            assert!(flight.len() > 4, "the messages are in records of their own");
            if at == flight.len() {
                return;
            }
            flight[..at].iter().for_each(|record| pair.deliver(record));
            pair.deliver(&bytes);
            flight[at..].iter().for_each(|record| pair.deliver(record));
            flight.iter().for_each(|record| pair.deliver(record));
            assert!(pair.established.is_some(), "{what} before record {at}");
            assert_eq!(pair.closed, None, "{what} before record {at}");
        }
    }
}

#[test]
fn a_hello_of_somebody_else_before_the_clients_is_answered_and_so_is_the_clients() {
    let mut pair = Pair::new(Some(&key()), BROWSER);
    let (hello, flight) = others_flights();
    hello.iter().chain(&flight).for_each(|datagram| pair.deliver(datagram));
    // The client had not begun, and knows nothing of it.
    pair.client.get_mut().to_client.clear();
    assert!(pair.settle());
    assert!(pair.established.is_some());
    assert_eq!(pair.closed, None);
}

#[test]
fn hellos_are_answered_a_few_times_and_the_same_once() {
    let mut pair = Pair::new(Some(&key()), BROWSER);
    let hello = pair.say().concat();
    let mut answers = Vec::new();
    for _ in 0..10 {
        pair.deliver(&hello);
        answers.push(std::mem::take(&mut pair.client.get_mut().to_client).len());
    }
    assert!(answers[0] > 0 && answers[1..].iter().all(|count| *count == 0), "{answers:?}");
    let answered = (0..10).filter(|_| {
        others_flights().0.iter().for_each(|datagram| pair.deliver(datagram));
        !std::mem::take(&mut pair.client.get_mut().to_client).is_empty()
    });
    assert_eq!(answered.count(), 3);
}

#[test]
fn a_client_that_refuses_is_believed_when_nothing_else_comes_of_it() {
    let mut pair = Pair::new(Some(&key()), BROWSER);
    pair.say().iter().for_each(|hello| pair.deliver(hello));
    pair.deliver(&plain_record(ALERT, 5, &[2, 40]));
    assert_eq!(pair.closed, None);
    pair.pass(HANDSHAKE_DOUBT - Duration::from_millis(1));
    assert_eq!(pair.closed, None);
    pair.client.get_mut().to_client.clear();
    pair.pass(Duration::from_millis(1));
    assert_eq!(pair.closed, Some(CloseReason::HandshakeFailed));
    // And told so, in case that it was not the client.
    let told = pair.client.get_mut().to_client.pop_front().unwrap();
    assert_eq!((told[0], &told[13..]), (ALERT, &[2, 40][..]));
}

#[test]
fn signatures_are_looked_at_a_bounded_number_of_times() {
    let key = key();
    let mut pair = Pair::new(Some(&key), BROWSER);
    pair.say().iter().for_each(|hello| pair.deliver(hello));
    let flight = split(&pair.say());
    let proof = flight.iter().position(|record| holds(record, Kind::Proof)).unwrap();
    for _ in 0..crate::config::HANDSHAKE_PROOFS_MAX {
        flight[..proof].iter().for_each(|record| pair.deliver(record));
        pair.deliver(&handshake_record(Kind::Proof, &[4, 3, 0, 2, 1, 1]));
    }
    flight.iter().for_each(|record| pair.deliver(record));
    assert!(pair.established.is_none());
    assert_eq!(pair.closed, None);
    pair.pass(HANDSHAKE_DOUBT);
    assert_eq!(pair.closed, Some(CloseReason::HandshakeFailed));
}

#[test]
fn hellos_that_are_refused_are_counted_like_those_that_are_answered() {
    for (refused, is_answered) in [(HELLOS_MAX - 1, true), (HELLOS_MAX, false)] {
        let mut pair = Pair::new(Some(&key()), BROWSER);
        for body in REFUSED.iter().cycle().take(refused as usize) {
            pair.deliver(&handshake_record(Kind::Hello, body));
        }
        assert!(pair.client.get_mut().to_client.is_empty(), "nobody asked for an alert");
        assert_eq!(pair.settle(), is_answered, "{refused} before");
        assert_eq!(pair.closed, None);
    }
}

#[test]
fn datagrams_before_the_keys_are_there_are_taken_a_bounded_number_of_times() {
    for (before, is_heard) in
        [(HANDSHAKE_DATAGRAMS_MAX - 10, true), (HANDSHAKE_DATAGRAMS_MAX, false)]
    {
        let mut pair = Pair::new(Some(&key()), BROWSER);
        let part = parts_of_a_message(Kind::Hello, 40, 1);
        (0..before).for_each(|_| pair.deliver(&part));
        assert_eq!(pair.settle(), is_heard, "{before} before");
        assert_eq!(pair.closed, None);
    }
}

#[test]
fn of_a_datagram_as_many_parts_are_taken_as_a_flight_has() {
    for (count, is_answered) in [(FRAGMENTS_MAX, true), (FRAGMENTS_MAX + 1, false)] {
        let mut pair = Pair::new(Some(&key()), BROWSER);
        let hello = pair.say().concat();
        // The first bytes again and again, and then the whole.
        let again = parts_of_a_message(Kind::Hello, 40, count - 1);
        pair.deliver(&[again, hello].concat());
        let answers = pair.client.get_mut().to_client.len();
        assert_eq!(answers > 0, is_answered, "{count} parts");
    }
}

/// The first byte of a message of so many, `count` times, in one datagram.
fn parts_of_a_message(kind: Kind, total: u8, count: usize) -> Vec<u8> {
    let mut part = whole_message(kind, &[0xfe]);
    part[3] = total;
    plain_record(HANDSHAKE, FAR, &part.repeat(count))
}

#[test]
fn flights_in_small_parts_in_any_order_are_put_together() {
    for step in [1, 3, 5] {
        let mut pair = Pair::new(Some(&key()), BROWSER);
        let hello = pair.say().concat();
        scatter(&hello, step).iter().for_each(|part| pair.deliver(part));
        let flight = pair.say().concat();
        assert!(!flight.is_empty(), "the hello was answered");
        scatter(&flight, step).iter().for_each(|part| pair.deliver(part));
        assert!(pair.established.is_some(), "step {step}");
        assert!(pair.settle());
    }
}

/// The messages of a datagram in parts of 50 bytes, every `step`th first.
fn scatter(datagram: &[u8], step: usize) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    for record in records(datagram) {
        if record.epoch > 0 || record.content != HANDSHAKE {
            parts.push(datagram[record.range()].to_vec());
            continue;
        }
        assert_eq!(fragments(&record).len(), 1, "OpenSSL puts each part into a record of its own");
        let (header, body) = record.fragment.split_at(12);
        let offset = u32::from_be_bytes([0, header[6], header[7], header[8]]);
        for (at, part) in body.chunks(50).enumerate() {
            let mut cut = header.to_vec();
            cut[6..9].copy_from_slice(&(offset + at as u32 * 50).to_be_bytes()[1..]);
            cut[9..12].copy_from_slice(&(part.len() as u32).to_be_bytes()[1..]);
            parts.push(plain_record(HANDSHAKE, at as u16, &[&cut[..], part].concat()));
        }
    }
    let steps = 0..step;
    steps.flat_map(|first| parts.iter().skip(first).step_by(step).cloned()).collect()
}

#[test]
fn a_hello_that_cannot_be_answered_is_not() {
    let now = Pair::new(None, BROWSER).now;
    let settings = DtlsSettings::new(&DtlsCertificate::generate().unwrap());
    for body in REFUSED {
        let hello = whole_message(Kind::Hello, body);
        assert!(Handshake::begin(now, &settings.context, hello).is_none(), "{body:02x?}");
    }
}
