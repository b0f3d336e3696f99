//! The handshake of one peer, done by OpenSSL over datagrams in memory.
//!
//! OpenSSL holds 75 KB per connection and cannot let go of it, so it is dropped once the handshake
//! is done, and `records.rs` does the little that comes after (docs/adr/0014-dtls-library.md). Its
//! timer reads the system's clock, so flights are sent again by ours: the same datagrams, for what
//! of a flight has arrived once is dropped as a replay, and what was lost arrives.
//!
//! It gets messages in one piece, in records of our own, and those of the client's second flight
//! only when they are proven (`intake.rs`): nothing forged reaches it but hellos.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use odeum_srtp::{DtlsKeys, Inbound, Outbound, Profile};
use openssl::error::ErrorStack;
use openssl::srtp::SrtpProfileId;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};

use super::intake::Flight;
use super::messages::messages_of;
use super::proof::SIGNATURES;
use super::records::{CHANGE_CIPHER_SPEC, HANDSHAKE, Records, plain_record, records};
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
    context.set_sigalgs_list(SIGNATURES)?;
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

/// A handshake under way: with the client that said a certain hello.
pub(super) struct Handshake {
    /// OpenSSL's end.
    stream: SslStream<Wire>,
    /// The hello.
    hello: Vec<u8>,
    /// What is signed of it and of our first flight: all messages, each in one piece.
    transcript: Vec<u8>,
    /// The datagrams of our first flight.
    flight: Vec<Vec<u8>>,
    /// When they go out again unless the client has answered.
    repeat_at: Instant,
    /// How long after that they do once more.
    repeat_after: Duration,
    /// Records that OpenSSL was given.
    records: u16,
}

/// What the client's second flight led to.
pub(super) enum Step {
    /// Finished has not come.
    Waiting,
    /// Done.
    Done(Box<Done>),
    /// It cannot be; this is the alert.
    Failed(Vec<Vec<u8>>),
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
    /// Answers a hello; none if it is not one that can be.
    pub(super) fn begin(now: Instant, context: &SslContext, hello: Vec<u8>) -> Option<Self> {
        let mut ssl = Ssl::new(context).ok()?;
        ssl.set_mtu(DATAGRAM_BYTES_MAX).ok()?;
        let mut handshake = Self {
            stream: SslStream::new(ssl, Wire::default()).ok()?,
            transcript: hello.clone(),
            hello,
            flight: Vec::new(),
            repeat_at: now + FLIGHT_TIMEOUT,
            repeat_after: FLIGHT_TIMEOUT,
            records: 0,
        };
        handshake.give(HANDSHAKE, &handshake.hello.clone());
        // What it says to a hello that it refuses is an alert, which nobody asked for.
        let refused = handshake.stream.accept().err().map(|error| error.code());
        if refused != Some(ErrorCode::WANT_READ) {
            return None;
        }
        handshake.flight = std::mem::take(&mut handshake.stream.get_mut().outgoing);
        handshake.transcript.extend(messages_of(&handshake.flight));
        (!handshake.flight.is_empty()).then_some(handshake)
    }

    /// Takes what the client has proven to have said. What follows is sealed.
    pub(super) fn proceed(&mut self, flight: &Flight) {
        flight.0.iter().for_each(|message| self.give(HANDSHAKE, message));
        self.give(CHANGE_CIPHER_SPEC, &[1]);
    }

    /// Takes records that are sealed. Our last flight is in `Done`: whether the client gets it
    /// depends on the certificate.
    pub(super) fn finish(&mut self, sealed: Vec<Vec<u8>>) -> Step {
        self.stream.get_mut().incoming.extend(sealed);
        let accepted = self.stream.accept();
        let flight = std::mem::take(&mut self.stream.get_mut().outgoing);
        match accepted {
            Ok(()) => match self.done(&flight) {
                Some(done) => Step::Done(Box::new(done)),
                // No profile of SRTP in common; the flight would say that all is well.
                None => Step::Failed(Vec::new()),
            },
            Err(error) if error.code() == ErrorCode::WANT_READ => Step::Waiting,
            Err(_) => Step::Failed(flight),
        }
    }

    /// Sends our first flight again when it is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, send: impl FnMut(&[u8])) {
        if self.repeat_at <= now {
            self.first_flight().for_each(send);
            self.repeat_after *= 2;
            self.repeat_at = now + self.repeat_after;
        }
    }

    /// The hello that it answers.
    pub(super) fn hello(&self) -> &[u8] {
        &self.hello
    }

    /// What was said so far, as it is signed.
    pub(super) fn transcript(&self) -> &[u8] {
        &self.transcript
    }

    /// The datagrams of our answer to the hello.
    pub(super) fn first_flight(&self) -> impl Iterator<Item = &[u8]> {
        self.flight.iter().map(|datagram| &**datagram)
    }

    fn give(&mut self, content: u8, fragment: &[u8]) {
        let record = plain_record(content, self.records, fragment);
        self.records += 1;
        self.stream.get_mut().incoming.push_back(record);
    }

    fn done(&self, flight: &[Vec<u8>]) -> Option<Done> {
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
        let flight = flight.concat();
        // OpenSSL says its first flight again in front, once a second has passed by its own timer.
        let last = records(&flight).find(|record| record.content == CHANGE_CIPHER_SPEC)?;
        let records = Records::new(&master, &client, &server, &flight[last.range().start..])?;
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
    incoming: VecDeque<Vec<u8>>,
    /// What is to be sent; a flight at most, which OpenSSL's sizes bound.
    outgoing: Vec<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
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
