//! The DTLS end of one peer: always the server, always 1.2, and never before ICE.
//!
//! The version is 1.2, with which the server picks the SRTP profile and picks AES-GCM, and there is
//! no cookie exchange: ICE has already shown that the address is real
//! (docs/adr/0007-dtls-1-2.md). `handshake.rs` has OpenSSL shake hands; `records.rs` is what
//! follows, for hours, in a few bytes (docs/adr/0014-dtls-library.md).

use std::time::Instant;

use aws_lc_rs::digest;
use odeum_srtp::{Inbound, Outbound};
use openssl::ssl::SslContext;

mod certificate;
mod handshake;
mod records;
mod sieve;
#[cfg(test)]
mod tests;

pub use certificate::{DtlsCertificate, DtlsCertificateError};

use crate::config::HANDSHAKE_DATAGRAMS_MAX;
use crate::event::CloseReason;
use handshake::{Handshake, Step};
use records::{Records, Said};

/// What all peers of a worker share.
pub(crate) struct DtlsSettings {
    /// OpenSSL's settings, with our certificate.
    context: SslContext,
    /// SHA-256 of our certificate.
    fingerprint: [u8; 32],
}

impl DtlsSettings {
    pub(crate) fn new(certificate: &DtlsCertificate) -> Self {
        let context = handshake::context(certificate)
            .expect("constants that OpenSSL accepts, and a certificate that it made");
        Self { context, fingerprint: certificate.fingerprint }
    }

    /// SHA-256 of our certificate, for the answers.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

fn fingerprint_of(certificate: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, certificate);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The DTLS state of one peer.
pub(crate) struct DtlsServer {
    /// SHA-256 of the certificate that the peer's SDP promised.
    promised: [u8; 32],
    /// Datagrams taken before the handshake was done.
    datagrams: u32,
    /// How far it is.
    phase: Phase,
}

/// How far a peer's DTLS is.
enum Phase {
    /// Nothing has come that was worth an answer.
    Silent,
    /// OpenSSL shakes hands.
    Handshake(Box<Handshake>),
    /// The keys are there.
    Established(Box<Records>),
}

/// What a step of DTLS led to.
pub(crate) enum DtlsProgress {
    /// Nothing to act upon.
    None,
    /// The handshake is done, with the promised certificate: these are the keys.
    Established(Box<SrtpKeys>),
}

/// Both directions' SRTP contexts.
pub(crate) struct SrtpKeys {
    /// Opens what the peer sends.
    pub(crate) inbound: Inbound,
    /// Protects what we send.
    pub(crate) outbound: Outbound,
}

impl DtlsServer {
    pub(crate) fn new(promised: [u8; 32]) -> Self {
        Self { promised, datagrams: 0, phase: Phase::Silent }
    }

    /// Takes a datagram from an address that ICE has validated; `send` gets the answers.
    ///
    /// # Errors
    /// The reason for which the peer has to be closed.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        settings: &DtlsSettings,
        datagram: &[u8],
        mut send: impl FnMut(&[u8]),
    ) -> Result<DtlsProgress, CloseReason> {
        if let Phase::Established(records) = &mut self.phase {
            match records.read(datagram) {
                Said::Nothing => {}
                Said::Repeated => records.last_flight().into_iter().for_each(send),
                Said::Goodbye => return Err(CloseReason::RemoteClosed),
            }
            return Ok(DtlsProgress::None);
        }
        self.datagrams += 1;
        if self.datagrams > HANDSHAKE_DATAGRAMS_MAX {
            return Err(CloseReason::HandshakeFailed);
        }
        let handshake = self.handshake(settings)?;
        // Before our first flight everybody who can forge an address can send the like of it, and
        // nothing is lost by beginning anew: what fails then is no reason to answer, or to end.
        let mut answers = Vec::new();
        let step = handshake.handle(now, datagram, |answer| answers.push(answer.to_vec()));
        if matches!(step, Step::Failed) && !handshake.has_answered() {
            self.phase = Phase::Silent;
            return Ok(DtlsProgress::None);
        }
        answers.iter().for_each(|answer| send(answer));
        match step {
            Step::Waiting => Ok(DtlsProgress::None),
            Step::Failed => Err(CloseReason::HandshakeFailed),
            Step::Done(done) if done.fingerprint != self.promised => {
                Err(CloseReason::FingerprintMismatch)
            }
            Step::Done(mut done) => {
                done.records.last_flight().into_iter().for_each(send);
                self.phase = Phase::Established(Box::new(done.records));
                Ok(DtlsProgress::Established(Box::new(done.keys)))
            }
        }
    }

    /// Sends again what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, send: impl FnMut(&[u8])) {
        if let Phase::Handshake(handshake) = &mut self.phase {
            handshake.handle_timeout(now, send);
        }
    }

    /// Says goodbye, so that the other end need not wait for silence.
    pub(crate) fn close(&self, mut send: impl FnMut(&[u8])) {
        if let Phase::Established(records) = &self.phase
            && let Some(goodbye) = records.goodbye()
        {
            send(&goodbye);
        }
    }

    fn handshake(&mut self, settings: &DtlsSettings) -> Result<&mut Handshake, CloseReason> {
        if !matches!(self.phase, Phase::Handshake(_)) {
            let handshake = Handshake::new(&settings.context);
            let handshake = handshake.map_err(|_| CloseReason::HandshakeFailed)?;
            self.phase = Phase::Handshake(Box::new(handshake));
        }
        match &mut self.phase {
            Phase::Handshake(handshake) => Ok(handshake),
            Phase::Silent | Phase::Established(_) => unreachable!("it has just been put there"),
        }
    }
}
