//! What of a datagram OpenSSL gets to see during a handshake. Everybody who can forge a source
//! address can write records of epoch 0, and OpenSSL gives up at the first that is malformed or out
//! of place, where RFC 6347 §4.1.2.7 would have it dropped.

use super::records::{ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER_BYTES, Record, records};

/// Message type, length, sequence number, fragment's offset and length (RFC 6347 §4.2.2).
const MESSAGE_HEADER_BYTES: usize = 12;

/// How far a handshake is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Nothing was answered yet.
    Hello,
    /// Our first flight is out.
    Keys,
}

impl Awaited {
    /// Type and number of the messages that a client sends in the clear (RFC 5246 §7.4, RFC 6347
    /// §4.2.2): ClientHello, and then Certificate, ClientKeyExchange and CertificateVerify. OpenSSL
    /// keeps later ones for later, so that one made up early would be found in its place.
    fn messages(self) -> &'static [(u8, u8)] {
        match self {
            Self::Hello => &[(1, 0)],
            Self::Keys => &[(11, 1), (16, 2), (15, 3)],
        }
    }
}

/// Longest message: a certificate chain of WebRTC has one certificate, of 1 or 2 KB.
const MESSAGE_BYTES_MAX: u32 = 16 << 10;

/// Of alerts only fatal ones matter before there are keys: the client refuses.
const FATAL: u8 = 2;

/// The records of `datagram` that may belong to a handshake that is so far.
pub(super) fn sieve(datagram: &[u8], awaited: Awaited) -> Vec<u8> {
    let mut sieved = Vec::with_capacity(datagram.len());
    for record in records(datagram).filter(|record| is_plausible(record, awaited)) {
        let length = record.fragment.len();
        let end = record.start + HEADER_BYTES + length;
        sieved.extend_from_slice(&datagram[record.start..end]);
    }
    sieved
}

fn is_plausible(record: &Record<'_>, awaited: Awaited) -> bool {
    match (record.epoch, record.content) {
        (0, HANDSHAKE) => holds_messages(record.fragment, awaited.messages()),
        _ if awaited == Awaited::Hello => false,
        (0, CHANGE_CIPHER_SPEC) => record.fragment == [1],
        (0, ALERT) => record.fragment.len() == 2 && record.fragment[0] == FATAL,
        // Finished, and alerts about it: OpenSSL opens them or drops them.
        (1, HANDSHAKE | ALERT) => true,
        _ => false,
    }
}

/// Whether a fragment consists of whole messages, or of parts of some, that a client may send.
fn holds_messages(mut fragment: &[u8], awaited: &[(u8, u8)]) -> bool {
    loop {
        let Some((header, rest)) = fragment.split_first_chunk::<MESSAGE_HEADER_BYTES>() else {
            return false;
        };
        let number =
            |at: usize| u32::from_be_bytes([0, header[at], header[at + 1], header[at + 2]]);
        let (total, offset, length) = (number(1), number(6), number(9));
        let is_sound = header[4] == 0
            && awaited.contains(&(header[0], header[5]))
            && total <= MESSAGE_BYTES_MAX
            && offset + length <= total
            && (length > 0 || total == 0);
        let Some(next) = rest.get(length as usize..).filter(|_| is_sound) else { return false };
        if next.is_empty() {
            return true;
        }
        fragment = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content: u8, epoch: u8, fragment: &[u8]) -> Vec<u8> {
        let length = fragment.len() as u8;
        [&[content, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 7, 0, length][..], fragment].concat()
    }

    fn message(kind: u8, number: u8, total: u8, offset: u8, body: &[u8]) -> Vec<u8> {
        let length = body.len() as u8;
        [&[kind, 0, 0, total, 0, number, 0, 0, offset, 0, 0, length][..], body].concat()
    }

    #[test]
    fn before_a_hello_nothing_else_passes() {
        let hello = record(HANDSHAKE, 0, &message(1, 0, 40, 0, &[0; 40]));
        let others = [
            record(HANDSHAKE, 0, &message(1, 1, 40, 0, &[0; 40])),
            record(HANDSHAKE, 0, &message(16, 2, 4, 0, &[1; 4])),
            record(HANDSHAKE, 1, &[7; 40]),
            record(CHANGE_CIPHER_SPEC, 0, &[1]),
            record(ALERT, 0, &[2, 40]),
        ];
        assert_eq!(sieve(&[&others.concat()[..], &hello].concat(), Awaited::Hello), hello);
        assert_eq!(sieve(&hello, Awaited::Keys), [], "it was answered");
    }

    #[test]
    fn what_a_client_says_passes_and_the_rest_of_the_datagram_does_not() {
        let two = [message(11, 1, 3, 0, &[0, 0, 0]), message(16, 2, 4, 0, &[1; 4])].concat();
        let good = [
            record(HANDSHAKE, 0, &message(15, 3, 40, 0, &[0; 40])),
            record(HANDSHAKE, 0, &message(11, 1, 40, 30, &[0; 10])),
            record(HANDSHAKE, 0, &two),
            record(CHANGE_CIPHER_SPEC, 0, &[1]),
            record(ALERT, 0, &[2, 40]),
            record(HANDSHAKE, 1, &[7; 40]),
        ];
        let cut = message(11, 1, 40, 0, &[0; 30]);
        let bad = [
            record(HANDSHAKE, 0, &[]),
            record(HANDSHAKE, 0, &[1]),
            // A server's message, one out of its place, more than the message has, less than it
            // says, nothing of it.
            record(HANDSHAKE, 0, &message(2, 1, 40, 0, &[0; 40])),
            record(HANDSHAKE, 0, &message(11, 2, 40, 0, &[0; 40])),
            record(HANDSHAKE, 0, &message(11, 1, 40, 31, &[0; 10])),
            record(HANDSHAKE, 0, &cut[..cut.len() - 1]),
            record(HANDSHAKE, 0, &message(11, 1, 40, 10, &[])),
            record(CHANGE_CIPHER_SPEC, 0, &[1, 1]),
            record(ALERT, 0, &[1, 0]),
            record(23, 0, b"data"),
            record(23, 1, b"data"),
            record(HANDSHAKE, 2, &[7; 40]),
        ];
        for record in &good {
            assert_eq!(sieve(record, Awaited::Keys), *record, "{record:02x?}");
        }
        for record in &bad {
            assert_eq!(sieve(record, Awaited::Keys), [], "{record:02x?}");
        }
        let mixed: Vec<u8> = bad.iter().chain(&good).flatten().copied().collect();
        assert_eq!(sieve(&mixed, Awaited::Keys), good.concat());
        assert_eq!(
            sieve(&[&good.concat()[..], &[22, 0xfe]].concat(), Awaited::Keys),
            good.concat()
        );
    }
}
