//! DTLS 1.2 as somebody makes it up who can forge a client's address and has no key of it
//! (RFC 6347 §4.1, §4.2.2).

use rand::rngs::SmallRng;
use rand::{Rng, RngCore};

/// Content types.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// Handshake messages.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_VERIFY: u8 = 15;
const CLIENT_KEY_EXCHANGE: u8 = 16;
/// Bytes of a record's header, and of a message's.
const RECORD_HEADER_BYTES: usize = 13;
const MESSAGE_HEADER_BYTES: usize = 12;
/// Where a hello's random bytes are, behind both headers and the version.
const RANDOM_AT: usize = RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES + 2;
const RANDOM_BYTES: usize = 32;
/// Longest message that a server takes parts of.
const MESSAGE_BYTES: u32 = 8_192;
/// Parts of messages in a datagram: as many as are taken.
const PARTS: u32 = 8;
/// Bytes of such a part.
const PART_BYTES: usize = 100;
/// Bytes of somebody else's certificate.
const CERTIFICATE_BYTES: usize = 1_000;
/// A point of P-256, uncompressed.
const POINT_BYTES: usize = 65;

/// Whether a datagram is one record with one ClientHello in one piece.
pub(super) fn is_whole_hello(datagram: &[u8]) -> bool {
    let Some(message) = datagram.get(RECORD_HEADER_BYTES..) else { return false };
    (datagram[0], message.first()) == (HANDSHAKE, Some(&CLIENT_HELLO))
        && datagram.len() > RANDOM_AT + RANDOM_BYTES
        && message.len() == MESSAGE_HEADER_BYTES + length(message)
}

/// Whether a datagram begins with a ServerHello.
pub(super) fn is_server_hello(datagram: &[u8]) -> bool {
    (datagram.first(), datagram.get(RECORD_HEADER_BYTES)) == (Some(&HANDSHAKE), Some(&SERVER_HELLO))
}

/// A hello that somebody else could have said: its random bytes are others.
pub(super) fn another(mut hello: Vec<u8>, random: &mut SmallRng) -> Vec<u8> {
    random.fill_bytes(&mut hello[RANDOM_AT..RANDOM_AT + RANDOM_BYTES]);
    hello
}

/// A hello that no server answers: one of its lengths is wrong.
pub(super) fn unanswerable(hello: Vec<u8>, random: &mut SmallRng) -> Vec<u8> {
    let mut hello = another(hello, random);
    // Of the session id, which has 32 bytes at most.
    hello[RANDOM_AT + RANDOM_BYTES] = 255;
    hello
}

/// Random bytes in a record of handshakes.
pub(super) fn garbage(random: &mut SmallRng) -> Vec<u8> {
    record(HANDSHAKE, 0, &noise(random, 200))
}

/// Parts of a Certificate that is long and each time of another length: nothing fits together.
pub(super) fn parts(random: &mut SmallRng) -> Vec<u8> {
    let parts = (0..PARTS).flat_map(|number| {
        let total = MESSAGE_BYTES - number % 2;
        let offset = random.random_range(0..MESSAGE_BYTES - 1 - PART_BYTES as u32);
        message(CERTIFICATE, 1, total, offset, &noise(random, PART_BYTES))
    });
    record(HANDSHAKE, 0, &parts.collect::<Vec<_>>())
}

/// A Certificate with somebody else's certificate.
pub(super) fn others_certificate(random: &mut SmallRng) -> Vec<u8> {
    record(HANDSHAKE, 0, &certificate_message(&noise(random, CERTIFICATE_BYTES)))
}

/// All that a client says in the clear, with its own certificate, which was in the clear too, and a
/// signature that is well formed and not the client's.
pub(super) fn flight(certificate: &[u8], random: &mut SmallRng) -> Vec<u8> {
    let mut point = noise(random, POINT_BYTES);
    point[0] = 4;
    let key_exchange = [&[POINT_BYTES as u8][..], &point].concat();
    // ecdsa_secp256r1_sha256 and a DER sequence of two positive numbers.
    let mut proof = vec![4, 3, 0, 70, 0x30, 68];
    for _ in 0..2 {
        let mut number = noise(random, 32);
        number[0] = number[0] & 0x7f | 0x40;
        proof.extend([2, 32]);
        proof.extend(number);
    }
    let messages = [
        certificate_message(certificate),
        whole(CLIENT_KEY_EXCHANGE, 2, &key_exchange),
        whole(CERTIFICATE_VERIFY, 3, &proof),
    ];
    record(HANDSHAKE, 0, &messages.concat())
}

/// A fatal alert in the clear.
pub(super) fn alert() -> Vec<u8> {
    record(ALERT, 0, &[2, 40])
}

/// What might be a client's Finished.
pub(super) fn sealed(random: &mut SmallRng) -> Vec<u8> {
    record(HANDSHAKE, 1, &noise(random, 48))
}

fn certificate_message(certificate: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| (bytes as u32).to_be_bytes()[1..].to_vec();
    let all = certificate.len() + 3;
    whole(CERTIFICATE, 1, &[&length(all)[..], &length(certificate.len()), certificate].concat())
}

fn whole(kind: u8, number: u8, body: &[u8]) -> Vec<u8> {
    message(kind, number, body.len() as u32, 0, body)
}

fn message(kind: u8, number: u8, total: u32, offset: u32, part: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(&total.to_be_bytes()[1..]);
    message.extend([0, number]);
    message.extend(&offset.to_be_bytes()[1..]);
    message.extend(&(part.len() as u32).to_be_bytes()[1..]);
    message.extend_from_slice(part);
    message
}

fn record(content: u8, epoch: u8, fragment: &[u8]) -> Vec<u8> {
    let mut record = vec![content, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1];
    record.extend((fragment.len() as u16).to_be_bytes());
    record.extend_from_slice(fragment);
    record
}

/// The length that a message says it has.
fn length(message: &[u8]) -> usize {
    message
        .get(1..4)
        .map_or(0, |bytes| u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize)
}

fn noise(random: &mut SmallRng, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    random.fill_bytes(&mut noise);
    noise
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn lengths_are_those_of_what_follows() {
        let mut random = SmallRng::seed_from_u64(1);
        let all = [
            garbage(&mut random),
            parts(&mut random),
            others_certificate(&mut random),
            flight(&[7; 300], &mut random),
            alert(),
            sealed(&mut random),
        ];
        for record in &all {
            let said = usize::from(u16::from_be_bytes([record[11], record[12]]));
            assert_eq!(said, record.len() - RECORD_HEADER_BYTES);
            assert!(record.len() < 1_500, "{} bytes are no datagram", record.len());
        }
        let mut messages = &all[3][RECORD_HEADER_BYTES..];
        for kind in [CERTIFICATE, CLIENT_KEY_EXCHANGE, CERTIFICATE_VERIFY] {
            assert_eq!(messages[0], kind);
            messages = &messages[MESSAGE_HEADER_BYTES + length(messages)..];
        }
        assert!(messages.is_empty());
    }

    #[test]
    fn a_hello_is_told_from_a_part_of_one() {
        let body = [7; 100];
        assert!(is_whole_hello(&record(HANDSHAKE, 0, &whole(CLIENT_HELLO, 0, &body))));
        let part = message(CLIENT_HELLO, 0, 200, 0, &body);
        assert!(!is_whole_hello(&record(HANDSHAKE, 0, &part)));
        assert!(!is_whole_hello(&record(HANDSHAKE, 0, &whole(SERVER_HELLO, 0, &body))));
        assert!(is_server_hello(&record(HANDSHAKE, 0, &whole(SERVER_HELLO, 0, &body))));
        assert!(!is_whole_hello(&[]) && !is_server_hello(&[]));
    }
}
