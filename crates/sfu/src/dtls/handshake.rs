//! The handshake of one peer, done by OpenSSL over datagrams in memory.
//!
//! OpenSSL holds 75 KB per connection and cannot let go of it, so it is dropped once the handshake
//! is done, and `records.rs` does the little that comes after (docs/adr/0014-dtls-library.md). Its
//! timer reads the system's clock, so flights are sent again by ours: the same datagrams, for what
//! of a flight has arrived once is dropped as a replay, and what was lost arrives.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use odeum_srtp::{DtlsKeys, Inbound, Outbound, Profile};
use openssl::error::ErrorStack;
use openssl::srtp::SrtpProfileId;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};

use super::records::Records;
use super::sieve::{Awaited, sieve};
use super::{DtlsCertificate, SrtpKeys, fingerprint_of};

/// Time after which an unanswered flight goes out again: most round trips are shorter, and a join
/// should not wait a second for one lost packet (RFC 6347 §4.2.4.1 lets applications choose). Each
/// further time takes twice as long.
const FLIGHT_TIMEOUT: Duration = Duration::from_millis(250);

/// Largest DTLS datagram sent: safe on every path, VPNs included.
const DATAGRAM_BYTES_MAX: u32 = 1_200;

/// The one cipher suite: all of WebRTC has it (RFC 8827 §6.5), and `records.rs` knows no other.
const CIPHER_SUITE: &str = "ECDHE-ECDSA-AES128-GCM-SHA256";

/// In the order in which we want them: the server picks. AES-GCM is the cheaper one per packet, and
/// a longer key than that of the handshake, which carries it, protects nothing more.
const SRTP_PROFILES: &str = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";

/// What SRTP's keys are exported under (RFC 5764 §4.2).
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// What all handshakes of a worker share.
pub(super) fn context(certificate: &DtlsCertificate) -> Result<SslContext, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::dtls_server())?;
    context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_certificate(&certificate.certificate)?;
    context.set_private_key(&certificate.key)?;
    context.set_cipher_list(CIPHER_SUITE)?;
    context.set_tlsext_use_srtp(SRTP_PROFILES)?;
    ask_for_a_certificate(&mut context);
    let once = SslOptions::NO_RENEGOTIATION | SslOptions::NO_TICKET | SslOptions::NO_COMPRESSION;
    context.set_options(once | SslOptions::NO_QUERY_MTU | SslOptions::CIPHER_SERVER_PREFERENCE);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_mode(SslMode::RELEASE_BUFFERS);
    Ok(context.build())
}

/// The client has to show a certificate and to sign with its key. Who signed the certificate is
/// nobody's concern: it has to be the one that the SDP promised, which [`Handshake`] looks at.
fn ask_for_a_certificate(context: &mut SslContextBuilder) {
    context.set_verify_depth(0);
    let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    context.set_verify_callback(mode, |_is_trusted, _chain| true);
}

/// A handshake under way.
pub(super) struct Handshake {
    /// OpenSSL's end.
    stream: SslStream<Wire>,
    /// The datagrams of our last flight.
    flight: Vec<Vec<u8>>,
    /// When they go out again unless the client has answered.
    repeat_at: Option<Instant>,
    /// How long after that they do once more.
    repeat_after: Duration,
}

/// What a datagram led to.
pub(super) enum Step {
    /// The client has to say more.
    Waiting,
    /// Done.
    Done(Box<Done>),
    /// It cannot be: the alert is sent.
    Failed,
}

/// What a handshake leaves.
pub(super) struct Done {
    /// SHA-256 of the client's certificate.
    pub(super) fingerprint: [u8; 32],
    /// The SRTP contexts.
    pub(super) keys: SrtpKeys,
    /// Goodbyes, and our last flight.
    pub(super) records: Records,
}

impl Handshake {
    /// One that has seen nothing yet.
    pub(super) fn new(context: &SslContext) -> Result<Self, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        ssl.set_mtu(DATAGRAM_BYTES_MAX)?;
        let stream = SslStream::new(ssl, Wire::default())?;
        Ok(Self { stream, flight: Vec::new(), repeat_at: None, repeat_after: FLIGHT_TIMEOUT })
    }

    /// Takes a datagram. Our last flight is not sent but in `Done`: whether the client gets it
    /// depends on the certificate.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        datagram: &[u8],
        mut send: impl FnMut(&[u8]),
    ) -> Step {
        let awaited = if self.has_answered() { Awaited::Keys } else { Awaited::Hello };
        let records = sieve(datagram, awaited);
        if records.is_empty() {
            return Step::Waiting;
        }
        self.stream.get_mut().incoming = Some(records);
        let accepted = self.stream.accept();
        let flight = std::mem::take(&mut self.stream.get_mut().outgoing);
        match accepted {
            Ok(()) => self.finish(&flight).map_or(Step::Failed, |done| Step::Done(Box::new(done))),
            Err(error) => {
                flight.iter().for_each(|datagram| send(datagram));
                if error.code() != ErrorCode::WANT_READ {
                    return Step::Failed;
                }
                if !flight.is_empty() {
                    self.flight = flight;
                    self.repeat_after = FLIGHT_TIMEOUT;
                    self.repeat_at = Some(now + FLIGHT_TIMEOUT);
                }
                Step::Waiting
            }
        }
    }

    /// Sends the flight again when it is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, mut send: impl FnMut(&[u8])) {
        if self.repeat_at.is_some_and(|at| at <= now) {
            self.flight.iter().for_each(|datagram| send(datagram));
            self.repeat_after *= 2;
            self.repeat_at = Some(now + self.repeat_after);
        }
    }

    /// Whether we have answered: before that nothing is lost by beginning anew.
    pub(super) fn has_answered(&self) -> bool {
        !self.flight.is_empty()
    }

    fn finish(&self, flight: &[Vec<u8>]) -> Option<Done> {
        let ssl = self.stream.ssl();
        let fingerprint = fingerprint_of(&ssl.peer_certificate()?.to_der().ok()?);
        let profile = profile(ssl.selected_srtp_profile()?.id())?;
        let mut material = [0; 2 * (32 + 14)];
        let material = &mut material[..profile.keying_material_bytes()];
        ssl.export_keying_material(material, EXPORTER_LABEL, None).ok()?;
        let keys = DtlsKeys::split(profile, material).ok()?;
        let keys = SrtpKeys {
            inbound: Inbound::new(profile, &keys.client),
            outbound: Outbound::new(profile, &keys.server),
        };
        let mut master = [0; 48];
        let (mut client, mut server) = ([0; 32], [0; 32]);
        if ssl.session()?.master_key(&mut master) != master.len()
            || ssl.client_random(&mut client) != client.len()
            || ssl.server_random(&mut server) != server.len()
        {
            return None;
        }
        let records = Records::new(&master, &client, &server, &flight.concat())?;
        Some(Done { fingerprint, keys, records })
    }
}

fn profile(id: SrtpProfileId) -> Option<Profile> {
    Some(match id {
        SrtpProfileId::SRTP_AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        SrtpProfileId::SRTP_AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        SrtpProfileId::SRTP_AES128_CM_SHA1_80 => Profile::AesCm128HmacSha1_80,
        _ => return None,
    })
}

/// The network as OpenSSL sees it: each read is one datagram, and so is each write.
#[derive(Default)]
struct Wire {
    /// What has arrived and was not read.
    incoming: Option<Vec<u8>>,
    /// What is to be sent; a flight at most, which OpenSSL's sizes bound.
    outgoing: Vec<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.take().ok_or(io::ErrorKind::WouldBlock)?;
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Ok(length)
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.push(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
