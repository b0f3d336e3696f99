//! What may be the client's, and what is. Before there are keys everybody who can forge a source
//! address can say whatever a client may say in the clear, and OpenSSL ends a handshake at the
//! first thing that does not fit, where RFC 6347 §4.1.2.7 would have it dropped.
//!
//! So OpenSSL gets to see nothing of a client's second flight before all of it is proven to come
//! from one who has the key of the promised certificate, to be said to our own flight and to the
//! hello that this answers. Until then what came is kept and replaced by what comes later, and key
//! exchange and proof are forgotten when they fail: the client sends its flight again.

use openssl::pkey::{PKey, Public};

use super::fingerprint_of;
use super::messages::{Assembly, Fragment, Kind, fragments, whole_message};
use super::proof::{certificate, is_signed, key_of};
use super::records::{ALERT, HANDSHAKE, Record, records};
use crate::config::HANDSHAKE_PROOFS_MAX;
use crate::event::CloseReason;

/// Records of the next epoch that are kept until those before them have come, and their bytes: a
/// client's Finished has 61.
const SEALED_MAX: usize = 4;
const SEALED_BYTES_MAX: usize = 128;

/// Handshake messages, or parts of such, that are taken from a datagram: a client's flight has
/// three in the clear, and a forged one may have a hundred.
pub(super) const FRAGMENTS_MAX: usize = 8;

/// Of alerts only fatal ones matter: the client refuses.
const FATAL: u8 = 2;

/// What came and is not proven yet.
pub(super) struct Intake {
    /// SHA-256 of the certificate that the peer's SDP promised.
    promised: [u8; 32],
    /// The hello that is coming.
    hello: Assembly,
    /// The Certificate that is coming.
    certificate: Assembly,
    /// The last that began with the promised certificate.
    shown: Option<Shown>,
    /// ClientKeyExchange.
    key_exchange: Assembly,
    /// CertificateVerify.
    proof: Assembly,
    /// Signatures that were looked at.
    proofs: u32,
    /// Records of the next epoch: Finished, perhaps before its turn.
    sealed: Vec<Vec<u8>>,
}

/// A Certificate message that begins with the promised certificate. What else is in it everybody
/// can have made up, so a later one takes its place.
struct Shown {
    /// The message's body.
    body: Vec<u8>,
    /// The key of the promised certificate.
    key: PKey<Public>,
}

/// What a datagram holds.
#[derive(Default)]
pub(super) struct Taken {
    /// A hello that became whole.
    pub(super) hello: Option<Vec<u8>>,
    /// What, if the client said it, means that there will be no handshake.
    pub(super) doubt: Option<CloseReason>,
}

/// What a client that has proven who it is says in the clear: Certificate, ClientKeyExchange and
/// CertificateVerify, each in one piece.
pub(super) struct Flight(pub(super) [Vec<u8>; 3]);

impl Intake {
    pub(super) fn new(promised: [u8; 32]) -> Self {
        Self {
            promised,
            hello: Assembly::default(),
            certificate: Assembly::default(),
            shown: None,
            key_exchange: Assembly::default(),
            proof: Assembly::default(),
            proofs: 0,
            sealed: Vec::new(),
        }
    }

    /// Takes a datagram apart. `is_answered` when a flight of ours is out.
    pub(super) fn take(&mut self, datagram: &[u8], is_answered: bool) -> Taken {
        let mut taken = Taken::default();
        let mut left = FRAGMENTS_MAX;
        for record in records(datagram) {
            match (record.epoch, record.content) {
                (0, HANDSHAKE) => {
                    let fragments = fragments(&record);
                    let taken_of_it = fragments.len().min(left);
                    for fragment in &fragments[..taken_of_it] {
                        self.take_fragment(fragment, is_answered, &mut taken);
                    }
                    left -= taken_of_it;
                }
                (0, ALERT) if is_answered && matches!(record.fragment, [FATAL, _]) => {
                    taken.doubt = Some(CloseReason::HandshakeFailed);
                }
                // Finished, and alerts about it: OpenSSL opens them or drops them.
                (1, HANDSHAKE | ALERT) if is_answered => self.keep(&record, datagram),
                // ChangeCipherSpec says nothing that the rest does not.
                _ => {}
            }
        }
        taken
    }

    fn take_fragment(&mut self, fragment: &Fragment<'_>, is_answered: bool, taken: &mut Taken) {
        match fragment.kind() {
            Some(Kind::Hello) => {
                self.hello.take(fragment);
                if let Some(hello) = self.hello.whole() {
                    taken.hello = Some(whole_message(Kind::Hello, hello));
                    self.hello.clear();
                }
            }
            // Nothing would prove it.
            Some(_) if !is_answered || self.proofs == HANDSHAKE_PROOFS_MAX => {}
            Some(Kind::Certificate) => {
                self.certificate.take(fragment);
                taken.doubt = self.judge_certificate().or(taken.doubt);
            }
            Some(Kind::KeyExchange) => self.key_exchange.take(fragment),
            Some(Kind::Proof) => self.proof.take(fragment),
            None => {}
        }
    }

    /// Looks at the certificate if it is whole; the doubt that it raises.
    fn judge_certificate(&mut self) -> Option<CloseReason> {
        let body = self.certificate.whole()?.to_vec();
        self.certificate.clear();
        let Some(leaf) = certificate(&body) else { return Some(CloseReason::HandshakeFailed) };
        if fingerprint_of(leaf) != self.promised {
            return Some(CloseReason::FingerprintMismatch);
        }
        // The same certificate has the same key.
        let key = self.shown.take().map(|shown| shown.key).or_else(|| key_of(leaf));
        let Some(key) = key else { return Some(CloseReason::FingerprintMismatch) };
        self.shown = Some(Shown { body, key });
        None
    }

    fn keep(&mut self, record: &Record<'_>, datagram: &[u8]) {
        let bytes = &datagram[record.range()];
        if bytes.len() > SEALED_BYTES_MAX {
            return;
        }
        if self.sealed.len() == SEALED_MAX {
            self.sealed.remove(0);
        }
        self.sealed.push(bytes.to_vec());
    }

    /// Whether a whole flight is here, to be proven.
    pub(super) fn is_whole(&self) -> bool {
        let others = [&self.key_exchange, &self.proof];
        self.shown.is_some() && others.iter().all(|message| message.whole().is_some())
    }

    /// Looks for the handshake that the flight belongs to, among those of which `transcripts` has
    /// what was said so far; gives its place. What belongs to none is forgotten.
    pub(super) fn prove<'a>(
        &mut self,
        transcripts: impl Iterator<Item = &'a [u8]>,
    ) -> Option<(usize, Flight)> {
        let Shown { body, key } = self.shown.as_ref()?;
        let certificate = whole_message(Kind::Certificate, body);
        let key_exchange = whole_message(Kind::KeyExchange, self.key_exchange.whole()?);
        let proof = self.proof.whole()?;
        let mut found = None;
        for (at, transcript) in transcripts.enumerate() {
            if self.proofs == HANDSHAKE_PROOFS_MAX {
                break;
            }
            self.proofs += 1;
            let text = [transcript, &certificate, &key_exchange].concat();
            if is_signed(key, proof, &text) {
                found = Some(at);
                break;
            }
        }
        let messages = [certificate, key_exchange, whole_message(Kind::Proof, proof)];
        self.key_exchange.clear();
        self.proof.clear();
        found.map(|at| (at, Flight(messages)))
    }

    /// Records of the next epoch that have come.
    pub(super) fn take_sealed(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sealed)
    }
}
