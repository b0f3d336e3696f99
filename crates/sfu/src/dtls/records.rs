//! What DTLS still says once the handshake is done: goodbyes, and our last flight again to a client
//! that has not got it. Nothing unauthentic does anything (RFC 6347 §4.1.2.7).
//!
//! DTLS 1.2 with AES-128-GCM alone (RFC 5288): nonces are four bytes of the key block and eight of
//! the record, and the epoch of all that is encrypted is 1.

use std::ops::Range;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::tls_prf::{P_SHA256, Secret};

/// Content types (RFC 5246 §6.2.1).
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;

/// Content type, version, epoch, sequence number and length.
const HEADER_BYTES: usize = 13;
const EXPLICIT_NONCE_BYTES: usize = 8;
const TAG_BYTES: usize = 16;

/// Alerts (RFC 5246 §7.2): `close_notify` is a warning, a fatal one ends the session as well.
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
const FATAL: u8 = 2;

/// How often our last flight is sent again; a client whose handshake takes more than that has
/// given up.
const REPEATS_MAX: u8 = 16;

/// Where our goodbye stands among our records. OpenSSL has sent a few in this epoch, from 0 on.
const GOODBYE_SEQUENCE: u64 = 1 << 16;

/// A refusal in the clear: a fatal `handshake_failure`.
pub(super) const REFUSAL: [u8; 2] = [FATAL, 40];

/// Where it stands among our records of epoch 0: behind those of all flights.
pub(super) const REFUSAL_SEQUENCE: u16 = u16::MAX;

/// The keys of a session, and what may be sent with them.
pub(super) struct Records {
    /// Opens what the client sends.
    client: Direction,
    /// Seals what we send.
    server: Direction,
    /// ChangeCipherSpec and Finished, as they went out.
    last_flight: Box<[u8]>,
    /// How often that was sent again.
    repeats: u8,
    /// A nonce that OpenSSL has not used: it counts up from a random one.
    goodbye_nonce: u64,
}

/// What a datagram says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing to act upon.
    Nothing,
    /// The client has not got our last flight.
    Repeated,
    /// Goodbye.
    Goodbye,
}

impl Records {
    /// The keys that follow from the master secret and both sides' randoms (RFC 5246 §6.3), after a
    /// handshake that ended with `last_flight`.
    pub(super) fn new(
        master: &[u8; 48],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
        last_flight: &[u8],
    ) -> Option<Self> {
        let seed = [*server_random, *client_random].concat();
        let block = Secret::new(&P_SHA256, master).ok()?;
        let block = block.derive(b"key expansion", &seed, 2 * (16 + 4)).ok()?;
        let block: &[u8; 40] = block.as_ref().try_into().ok()?;
        let part = |key: usize, salt: usize| Direction {
            key: block[key..key + 16].try_into().expect("16 of 40 bytes"),
            salt: block[salt..salt + 4].try_into().expect("4 of 40 bytes"),
        };
        let finished = records(last_flight).find(|record| record.epoch == 1)?;
        let nonce = finished.fragment.first_chunk::<EXPLICIT_NONCE_BYTES>()?;
        Some(Self {
            client: part(0, 32),
            server: part(16, 36),
            last_flight: last_flight.into(),
            repeats: 0,
            goodbye_nonce: u64::from_be_bytes(*nonce).wrapping_add(GOODBYE_SEQUENCE),
        })
    }

    /// What an arriving datagram says; only authentic records say anything.
    pub(super) fn read(&self, datagram: &[u8]) -> Said {
        let mut said = Said::Nothing;
        for record in records(datagram).filter(|record| record.epoch == 1) {
            let Some(text) = self.client.open(&record) else { continue };
            match record.content {
                ALERT if text == CLOSE_NOTIFY || text.first() == Some(&FATAL) => {
                    return Said::Goodbye;
                }
                // Its Finished once more: that is all that a client says in this epoch.
                HANDSHAKE => said = Said::Repeated,
                // Other warnings, and data, which nobody offered a channel for.
                _ => {}
            }
        }
        said
    }

    /// Our last flight for a client that has repeated its own, a few times.
    pub(super) fn last_flight(&mut self) -> Option<&[u8]> {
        self.repeats = self.repeats.saturating_add(1);
        (self.repeats <= REPEATS_MAX).then_some(&*self.last_flight)
    }

    /// A datagram that says goodbye. Always the same, so that no nonce seals two things.
    pub(super) fn goodbye(&self) -> Option<Vec<u8>> {
        self.server.seal(ALERT, GOODBYE_SEQUENCE, self.goodbye_nonce, &CLOSE_NOTIFY)
    }

    /// A record as the client could send it.
    #[cfg(test)]
    pub(super) fn sealed_by_client(&self, content: u8, sequence: u64, text: &[u8]) -> Vec<u8> {
        self.client.seal(content, sequence, sequence, text).unwrap()
    }
}

/// The keys of one direction.
struct Direction {
    /// Of AES-128.
    key: [u8; 16],
    /// The first bytes of each nonce.
    salt: [u8; 4],
}

impl Direction {
    /// Opens a record, if it is authentic.
    fn open(&self, record: &Record<'_>) -> Option<Vec<u8>> {
        let (explicit, sealed) = record.fragment.split_first_chunk::<EXPLICIT_NONCE_BYTES>()?;
        let length = sealed.len().checked_sub(TAG_BYTES)?;
        let aad = additional_data(record.sequence, record.content, length);
        let mut text = sealed.to_vec();
        self.cipher()?.open_in_place(self.nonce(explicit), aad, &mut text).ok()?;
        text.truncate(length);
        Some(text)
    }

    fn seal(&self, content: u8, sequence: u64, nonce: u64, text: &[u8]) -> Option<Vec<u8>> {
        let explicit = nonce.to_be_bytes();
        let mut sealed = text.to_vec();
        let aad = additional_data(sequence, content, text.len());
        self.cipher()?.seal_in_place_append_tag(self.nonce(&explicit), aad, &mut sealed).ok()?;
        let mut record = vec![content, 0xfe, 0xfd];
        record.extend(numbered(sequence));
        record.extend(((EXPLICIT_NONCE_BYTES + sealed.len()) as u16).to_be_bytes());
        record.extend(explicit);
        record.extend(sealed);
        Some(record)
    }

    /// Made when it is wanted, for it is larger than the key and wanted once a session.
    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_128_GCM, &self.key).ok().map(LessSafeKey::new)
    }

    fn nonce(&self, explicit: &[u8; EXPLICIT_NONCE_BYTES]) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&self.salt);
        nonce[4..].copy_from_slice(explicit);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Epoch 1 and a sequence number of 48 bits, as records and additional data have them.
fn numbered(sequence: u64) -> [u8; 8] {
    (1 << 48 | sequence).to_be_bytes()
}

/// What is authenticated beside the text (RFC 5246 §6.2.3.3).
fn additional_data(sequence: u64, content: u8, length: usize) -> Aad<[u8; 13]> {
    let mut data = [0; 13];
    data[..8].copy_from_slice(&numbered(sequence));
    data[8..11].copy_from_slice(&[content, 0xfe, 0xfd]);
    data[11..].copy_from_slice(&(length as u16).to_be_bytes());
    Aad::from(data)
}

/// A record as it arrived (RFC 6347 §4.1).
pub(super) struct Record<'a> {
    /// What it carries.
    pub(super) content: u8,
    /// Which keys.
    pub(super) epoch: u16,
    /// Its number within the epoch.
    sequence: u64,
    /// Where its header begins in the datagram.
    start: usize,
    /// What follows the header.
    pub(super) fragment: &'a [u8],
}

impl Record<'_> {
    /// Where it stands in the datagram.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + HEADER_BYTES + self.fragment.len()
    }
}

/// A record in the clear, number `sequence` of its end's.
pub(super) fn plain_record(content: u8, sequence: u16, fragment: &[u8]) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let mut record = vec![content, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, high, low];
    record.extend((fragment.len() as u16).to_be_bytes());
    record.extend_from_slice(fragment);
    record
}

/// The records of a datagram, up to the first that is malformed or no DTLS. A first hello may say
/// version 1.0 (RFC 5246 appendix E.1).
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let (header, rest) = datagram.get(start..)?.split_first_chunk::<HEADER_BYTES>()?;
        let [content, 0xfe, 0xfd | 0xff, numbers @ .., high, low] = *header else { return None };
        let fragment = rest.get(..u16::from_be_bytes([high, low]).into())?;
        let numbers = u64::from_be_bytes(numbers);
        let (epoch, sequence) = ((numbers >> 48) as u16, numbers & ((1 << 48) - 1));
        let record = Record { content, epoch, sequence, start, fragment };
        start += HEADER_BYTES + fragment.len();
        Some(record)
    })
}
