//! The DTLS end of one peer: always the server, always 1.2, and never before ICE.
//!
//! The version is 1.2, with which the server picks the SRTP profile and picks AES-GCM, and there is
//! no cookie exchange: ICE has already shown that the address is real
//! (docs/adr/0007-dtls-1-2.md). `intake.rs` tells what the client says from what others say in its
//! place, `handshake.rs` has OpenSSL shake hands; `records.rs` is what follows, for hours, in a few
//! bytes (docs/adr/0014-dtls-library.md).

use std::time::Instant;

use aws_lc_rs::digest;
use odeum_srtp::{Inbound, Outbound};
use openssl::ssl::SslContext;

mod certificate;
mod handshake;
mod intake;
mod messages;
mod proof;
mod records;
#[cfg(test)]
mod tests;

pub use certificate::{DtlsCertificate, DtlsCertificateError};

use crate::config::{HANDSHAKE_DATAGRAMS_MAX, HANDSHAKE_DOUBT, HANDSHAKES_MAX, HELLOS_MAX};
use crate::event::CloseReason;
use handshake::{Handshake, Step};
use intake::Intake;
use records::{ALERT, REFUSAL, REFUSAL_SEQUENCE, Records, Said, plain_record};

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
    /// How far it is.
    phase: Phase,
}

/// How far a peer's DTLS is.
enum Phase {
    /// Nothing has come.
    Silent,
    /// Hands are shaken.
    Shaking(Box<Shaking>),
    /// The keys are there.
    Established(Box<Records>),
}

/// A handshake that is not done.
struct Shaking {
    /// Datagrams that were taken, at most [`HANDSHAKE_DATAGRAMS_MAX`].
    datagrams: u32,
    /// Hellos that OpenSSL got to see, at most [`HELLOS_MAX`].
    hellos: u32,
    /// What has come and is not proven.
    intake: Intake,
    /// One for each hello, at most [`HANDSHAKES_MAX`]; one alone once its client is proven.
    handshakes: Vec<Handshake>,
    /// The place of that whose hello came last: its client may wait for our answer.
    latest: usize,
    /// Whether a client has proven to be the one that the SDP promised.
    is_proven: bool,
    /// Since when something speaks against it, and what.
    doubt: Option<(Instant, CloseReason)>,
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
        Self { promised, phase: Phase::Silent }
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
        if let Phase::Silent = self.phase {
            self.phase = Phase::Shaking(Box::new(Shaking::new(self.promised)));
        }
        let step = match &mut self.phase {
            Phase::Silent => unreachable!("it has just been left"),
            Phase::Shaking(shaking) => shaking.handle(now, settings, datagram, &mut send),
            Phase::Established(records) => {
                match records.read(datagram) {
                    Said::Nothing => {}
                    Said::Repeated => records.last_flight().into_iter().for_each(send),
                    Said::Goodbye => return Err(CloseReason::RemoteClosed),
                }
                return Ok(DtlsProgress::None);
            }
        };
        match step {
            Step::Waiting => Ok(DtlsProgress::None),
            Step::Failed(alert) => {
                alert.iter().for_each(|datagram| send(datagram));
                Err(CloseReason::HandshakeFailed)
            }
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
    ///
    /// # Errors
    /// The reason for which the peer has to be closed: it was in doubt for too long.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        send: impl FnMut(&[u8]),
    ) -> Result<(), CloseReason> {
        match &mut self.phase {
            Phase::Shaking(shaking) => shaking.handle_timeout(now, send),
            Phase::Silent | Phase::Established(_) => Ok(()),
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
}

impl Shaking {
    fn new(promised: [u8; 32]) -> Self {
        Self {
            datagrams: 0,
            hellos: 0,
            intake: Intake::new(promised),
            handshakes: Vec::new(),
            latest: 0,
            is_proven: false,
            doubt: None,
        }
    }

    fn handle(
        &mut self,
        now: Instant,
        settings: &DtlsSettings,
        datagram: &[u8],
        send: impl FnMut(&[u8]),
    ) -> Step {
        if self.datagrams == HANDSHAKE_DATAGRAMS_MAX {
            return Step::Waiting;
        }
        self.datagrams += 1;
        let taken = self.intake.take(datagram, !self.handshakes.is_empty());
        if self.is_proven {
            return self.finish();
        }
        if let Some(hello) = taken.hello {
            self.answer(now, settings, hello, send);
        }
        if let Some(reason) = taken.doubt {
            self.doubt.get_or_insert((now, reason));
        }
        if !self.intake.is_whole() {
            return Step::Waiting;
        }
        let transcripts = self.handshakes.iter().map(Handshake::transcript);
        let Some((at, flight)) = self.intake.prove(transcripts) else {
            self.doubt.get_or_insert((now, CloseReason::HandshakeFailed));
            return Step::Waiting;
        };
        let mut handshake = self.handshakes.swap_remove(at);
        handshake.proceed(&flight);
        (self.handshakes, self.latest) = (vec![handshake], 0);
        (self.is_proven, self.doubt) = (true, None);
        self.finish()
    }

    /// Hands what is sealed to the one handshake whose client is proven.
    fn finish(&mut self) -> Step {
        let sealed = self.intake.take_sealed();
        match self.handshakes.first_mut() {
            Some(handshake) => handshake.finish(sealed),
            None => Step::Waiting,
        }
    }

    /// Answers a hello that has not been answered yet. What is lost of the answer goes out again in
    /// time, to whoever said hello last.
    fn answer(
        &mut self,
        now: Instant,
        settings: &DtlsSettings,
        hello: Vec<u8>,
        send: impl FnMut(&[u8]),
    ) {
        if let Some(at) = self.handshakes.iter().position(|own| own.hello() == hello) {
            self.latest = at;
        } else if self.handshakes.len() < HANDSHAKES_MAX && self.hellos < HELLOS_MAX {
            self.hellos += 1;
            let begun = Handshake::begin(now, &settings.context, hello);
            let Some(handshake) = begun else { return };
            handshake.first_flight().for_each(send);
            self.latest = self.handshakes.len();
            self.handshakes.push(handshake);
        }
    }

    fn handle_timeout(
        &mut self,
        now: Instant,
        mut send: impl FnMut(&[u8]),
    ) -> Result<(), CloseReason> {
        if let Some((since, reason)) = self.doubt
            && now.saturating_duration_since(since) >= HANDSHAKE_DOUBT
        {
            send(&plain_record(ALERT, REFUSAL_SEQUENCE, &REFUSAL));
            return Err(reason);
        }
        if let Some(handshake) = self.handshakes.get_mut(self.latest).filter(|_| !self.is_proven) {
            handshake.handle_timeout(now, send);
        }
        Ok(())
    }
}
