//! The DTLS client of one peer: shakes hands once ICE has a path, checks the server's certificate,
//! and gives the SRTP keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use dimpl::{Dtls, DtlsCertificate, Output, SrtpProfile};
use odeum_srtp::{DtlsKeys, Inbound, Outbound, Profile};

/// Bytes that one output of the library can need.
const OUTPUT_BYTES: usize = 4_096;

/// First wait for the answer to a flight; doubled each time.
const FLIGHT_TIMEOUT: Duration = Duration::from_millis(250);

/// How often a flight goes out again at most. The library counts those that a repeated flight of
/// the server calls for as well: its four are used up within a second by a server that is slow, and
/// the handshake given up four seconds later, whatever time is left. So this is more than there is
/// time for, and [`HANDSHAKE_TIMEOUT`] ends what does not end.
const FLIGHT_RETRIES: usize = 32;

/// How long a handshake may take: as long as a server may be silent (RFC 7675 §5.1).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// A certificate with its key, to be made once and shared by the peers of a process.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate and the key, as the library wants them.
    inner: DtlsCertificate,
    /// SHA-256 of the certificate.
    fingerprint: [u8; 32],
}

/// No certificate could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot make a certificate")]
pub struct CertificateError;

/// Which versions of DTLS a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DtlsVersion {
    /// 1.2 and 1.3 in one hello, as browsers do.
    #[default]
    Any,
    /// 1.2 only.
    V12,
}

/// The handshake failed, or the server closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DtlsFailed;

/// Both directions' SRTP contexts.
pub(super) struct SrtpContexts {
    /// Protects what goes out.
    pub(super) outbound: Outbound,
    /// Opens what comes in.
    pub(super) inbound: Inbound,
    /// Which cipher the server chose.
    pub(super) profile: Profile,
}

/// The DTLS state.
pub(super) struct DtlsClient {
    /// The library's state machine; boxed, for it is large.
    machine: Box<Dtls>,
    /// SHA-256 of the certificate that the answer promised.
    promised: [u8; 32],
    /// Whether the server showed it.
    certificate_is_promised: bool,
    /// When the machine wants to be looked at.
    next_at: Option<Instant>,
}

impl Certificate {
    /// A new self-signed certificate.
    ///
    /// # Errors
    /// [`CertificateError`] when the machine has no randomness.
    pub fn generate() -> Result<Self, CertificateError> {
        let inner =
            dimpl::certificate::generate_self_signed_certificate().map_err(|_| CertificateError)?;
        let fingerprint = fingerprint_of(&inner.certificate);
        Ok(Self { inner, fingerprint })
    }

    /// The certificate itself, in DER, as everybody on the way can read it.
    pub fn der(&self) -> &[u8] {
        &self.inner.certificate
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

impl DtlsClient {
    /// A client that has not said hello yet; its first [`DtlsClient::handle_timeout`] does.
    pub(super) fn new(
        now: Instant,
        version: DtlsVersion,
        certificate: &Certificate,
        promised: [u8; 32],
    ) -> Self {
        let config = dimpl::Config::builder()
            .flight_start_rto(FLIGHT_TIMEOUT)
            .flight_retries(FLIGHT_RETRIES)
            .handshake_timeout(HANDSHAKE_TIMEOUT)
            .build()
            .expect("constants that the library accepts, and its default provider");
        let (config, certificate) = (Arc::new(config), certificate.inner.clone());
        let mut machine = Box::new(match version {
            DtlsVersion::Any => Dtls::new_auto(config, certificate, now),
            DtlsVersion::V12 => Dtls::new_12(config, certificate, now),
        });
        machine.set_active(true);
        Self { machine, promised, certificate_is_promised: false, next_at: Some(now) }
    }

    /// Takes a datagram; answers go out through `send`.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: &[u8],
        send: impl FnMut(&[u8]),
    ) -> Result<Option<SrtpContexts>, DtlsFailed> {
        self.machine.handle_timeout(now).map_err(|_| DtlsFailed)?;
        let result = self.machine.handle_packet(datagram);
        let contexts = self.drain(send)?;
        result.map_err(|_| DtlsFailed)?;
        Ok(contexts)
    }

    /// Says hello, or again what was not answered.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        send: impl FnMut(&[u8]),
    ) -> Result<Option<SrtpContexts>, DtlsFailed> {
        if self.next_at.is_none_or(|at| now < at) {
            return Ok(None);
        }
        self.machine.handle_timeout(now).map_err(|_| DtlsFailed)?;
        self.drain(send)
    }

    /// When [`DtlsClient::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next_at
    }

    fn drain(&mut self, mut send: impl FnMut(&[u8])) -> Result<Option<SrtpContexts>, DtlsFailed> {
        let mut buffer = [0; OUTPUT_BYTES];
        let mut contexts = None;
        loop {
            match self.machine.poll_output(&mut buffer) {
                Output::Packet(packet) => send(packet),
                Output::PeerCert(certificate) => {
                    if fingerprint_of(certificate) != self.promised {
                        return Err(DtlsFailed);
                    }
                    self.certificate_is_promised = true;
                }
                Output::KeyingMaterial(material, profile) => {
                    if !self.certificate_is_promised {
                        return Err(DtlsFailed);
                    }
                    contexts = Some(srtp_contexts(&material, profile).ok_or(DtlsFailed)?);
                }
                Output::Timeout(at) => {
                    self.next_at = Some(at);
                    return Ok(contexts);
                }
                Output::CloseNotify | Output::BufferTooSmall { .. } => return Err(DtlsFailed),
                // Connected comes with the keys; nobody sends data here; a newer library's outputs
                // are none of a client's that asked for nothing new.
                _ => {}
            }
        }
    }
}

fn srtp_contexts(material: &[u8], profile: SrtpProfile) -> Option<SrtpContexts> {
    let profile = match profile {
        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        SrtpProfile::AES128_CM_SHA1_80 => Profile::AesCm128HmacSha1_80,
        _ => return None,
    };
    let keys = DtlsKeys::split(profile, material).ok()?;
    Some(SrtpContexts {
        outbound: Outbound::new(profile, &keys.client),
        inbound: Inbound::new(profile, &keys.server),
        profile,
    })
}

fn fingerprint_of(certificate: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, certificate);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
