//! The DTLS end of one peer: always the server, always 1.2, and never before ICE.
//!
//! `Dtls::new_12` and not `new_auto`: with 1.2 the server picks the SRTP profile and picks AES-GCM;
//! with 1.3 the library takes the client's first, which for Chromium is AES-CM and costs 0.8 us
//! more on every packet. The round trip that 1.3 saves is paid once per join, and a third of it is
//! won back by leaving out the cookie exchange: ICE has already shown that the address is real
//! (docs/adr/0007-dtls-1-2.md).

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use dimpl::{Dtls, DtlsCertificate, Output, SrtpProfile};
use odeum_srtp::{DtlsKeys, Inbound, Outbound, Profile};

use crate::config::HANDSHAKE_DATAGRAMS_MAX;
use crate::event::CloseReason;

/// Time after which an unanswered flight goes out again: most round trips are shorter, and a join
/// should not wait a second for one lost packet (RFC 6347 §4.2.4.1 lets applications choose).
const FLIGHT_TIMEOUT: Duration = Duration::from_millis(250);

/// Largest DTLS datagram sent: safe on every path, VPNs included.
const DATAGRAM_BYTES_MAX: usize = 1_200;

/// Bytes that one output of the library can need: a datagram or a certificate.
const OUTPUT_BYTES: usize = 4_096;

/// What all peers of a worker share.
pub(crate) struct DtlsSettings {
    /// The library's settings.
    config: Arc<dimpl::Config>,
    /// Ours, with its key.
    certificate: DtlsCertificate,
}

impl DtlsSettings {
    pub(crate) fn new(certificate: DtlsCertificate, handshake_timeout: Duration) -> Self {
        let config = dimpl::Config::builder()
            .mtu(DATAGRAM_BYTES_MAX)
            .use_server_cookie(false)
            .require_client_certificate(true)
            .flight_start_rto(FLIGHT_TIMEOUT)
            .handshake_timeout(handshake_timeout)
            .build()
            .expect("constants that the library accepts, and its default provider");
        Self { config: Arc::new(config), certificate }
    }

    /// SHA-256 of our certificate, for the answers.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        fingerprint_of(&self.certificate.certificate)
    }
}

fn fingerprint_of(certificate: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, certificate);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// What the peer's certificate turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certificate {
    /// Not seen yet.
    Awaited,
    /// The one that the SDP promised.
    Promised,
}

/// The DTLS state of one peer.
pub(crate) struct DtlsServer {
    /// The library's state machine; boxed, for it is large. `None` before the first datagram.
    machine: Option<Box<Dtls>>,
    /// SHA-256 of the certificate that the peer's SDP promised.
    promised: [u8; 32],
    /// Whether that one was seen.
    certificate: Certificate,
    /// When the machine wants to be looked at.
    next_timeout: Option<Instant>,
    /// Datagrams taken before the handshake was done.
    datagrams: u32,
    /// The handshake is done.
    is_established: bool,
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
        Self {
            machine: None,
            promised,
            certificate: Certificate::Awaited,
            next_timeout: None,
            datagrams: 0,
            is_established: false,
        }
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
        send: impl FnMut(&[u8]),
    ) -> Result<DtlsProgress, CloseReason> {
        if !self.is_established {
            self.datagrams += 1;
            if self.datagrams > HANDSHAKE_DATAGRAMS_MAX {
                return Err(CloseReason::HandshakeFailed);
            }
        }
        let machine = self.machine.get_or_insert_with(|| {
            let config = Arc::clone(&settings.config);
            Box::new(Dtls::new_12(config, settings.certificate.clone(), now))
        });
        // The library panics at a ClientHello before its first look at the clock.
        machine.handle_timeout(now).map_err(|_| CloseReason::HandshakeFailed)?;
        let result = machine.handle_packet(datagram);
        let progress = self.drain(send)?;
        match result {
            Ok(()) => Ok(progress),
            Err(_) if self.is_established => Err(CloseReason::RemoteClosed),
            Err(_) => Err(CloseReason::HandshakeFailed),
        }
    }

    /// Sends again what is due.
    ///
    /// # Errors
    /// The reason for which the peer has to be closed.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        send: impl FnMut(&[u8]),
    ) -> Result<DtlsProgress, CloseReason> {
        let (Some(machine), Some(at)) = (&mut self.machine, self.next_timeout) else {
            return Ok(DtlsProgress::None);
        };
        if at > now {
            return Ok(DtlsProgress::None);
        }
        machine.handle_timeout(now).map_err(|_| CloseReason::HandshakeFailed)?;
        self.drain(send)
    }

    /// Says goodbye, so that the other end need not wait for silence.
    pub(crate) fn close(&mut self, now: Instant, send: impl FnMut(&[u8])) {
        let Some(machine) = self.machine.as_mut().filter(|_| self.is_established) else { return };
        // The peer is being dropped: an error changes nothing about that.
        if machine.handle_timeout(now).is_ok() && machine.close().is_ok() {
            self.drain(send).ok();
        }
    }

    fn drain(&mut self, mut send: impl FnMut(&[u8])) -> Result<DtlsProgress, CloseReason> {
        let Some(machine) = &mut self.machine else { return Ok(DtlsProgress::None) };
        let mut progress = DtlsProgress::None;
        let mut buffer = [0; OUTPUT_BYTES];
        // Every output consumes something that is queued inside, so this ends; the library's
        // queues are bounded by its configuration.
        loop {
            match machine.poll_output(&mut buffer) {
                Output::Packet(datagram) => send(datagram),
                Output::PeerCert(der) => {
                    if fingerprint_of(der) != self.promised {
                        return Err(CloseReason::FingerprintMismatch);
                    }
                    self.certificate = Certificate::Promised;
                }
                Output::KeyingMaterial(material, profile) => {
                    if self.certificate != Certificate::Promised {
                        return Err(CloseReason::FingerprintMismatch);
                    }
                    let keys = srtp_keys(&material, profile).ok_or(CloseReason::HandshakeFailed)?;
                    self.is_established = true;
                    progress = DtlsProgress::Established(Box::new(keys));
                }
                Output::CloseNotify => return Err(CloseReason::RemoteClosed),
                Output::Timeout(at) => {
                    self.next_timeout = Some(at);
                    return Ok(progress);
                }
                // A certificate larger than a datagram's worth of buffer is no WebRTC peer's.
                Output::BufferTooSmall { .. } => return Err(CloseReason::HandshakeFailed),
                // Keys follow or came before; data channels are not offered.
                Output::Connected | Output::ApplicationData(_) => {}
                // The enum may grow; what is unknown asks nothing of us.
                _ => {}
            }
        }
    }
}

fn srtp_keys(material: &[u8], profile: SrtpProfile) -> Option<SrtpKeys> {
    let profile = match profile {
        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        SrtpProfile::AES128_CM_SHA1_80 => Profile::AesCm128HmacSha1_80,
        // The enum may grow; a profile that we cannot do ends the handshake.
        _ => return None,
    };
    let keys = DtlsKeys::split(profile, material).ok()?;
    Some(SrtpKeys {
        inbound: Inbound::new(profile, &keys.client),
        outbound: Outbound::new(profile, &keys.server),
    })
}
