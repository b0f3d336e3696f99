//! Handshakes with a client of OpenSSL, which GStreamer, aiortc and others are, in virtual time.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use odeum_srtp::Profile;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{ErrorCode, Ssl, SslContext, SslMethod, SslStream};
use openssl::x509::X509;

use super::records::HANDSHAKE;
use super::{
    DtlsCertificate, DtlsProgress, DtlsServer, DtlsSettings, Phase, SrtpKeys, fingerprint_of,
};
use crate::CloseReason;
use crate::config::HANDSHAKE_DOUBT;

/// What Chromium offers, in its order.
const BROWSER: &str = "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM";

mod forged;

/// Datagrams to the client and from it.
#[derive(Default)]
struct Wire {
    to_client: VecDeque<Vec<u8>>,
    from_client: Vec<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.to_client.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.from_client.push(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ecdsa(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

/// A client, a server, and what the server came to.
struct Pair {
    now: Instant,
    settings: DtlsSettings,
    server: DtlsServer,
    client: SslStream<Wire>,
    established: Option<Box<SrtpKeys>>,
    closed: Option<CloseReason>,
    /// Datagrams of the server that are not delivered.
    loses: usize,
}

impl Pair {
    /// A client that signs with `key`, and has a certificate unless it is `None`.
    fn new(key: Option<&PKey<Private>>, profiles: &str) -> Self {
        let certificate = key.map(self_signed);
        Self::with(key.zip(certificate.as_ref()), profiles)
    }

    /// A client with that key and its certificate.
    fn with(identity: Option<(&PKey<Private>, &X509)>, profiles: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs an instant to begin at")]
        let now = Instant::now();
        let mut context = SslContext::builder(SslMethod::dtls_client()).unwrap();
        context.set_tlsext_use_srtp(profiles).unwrap();
        let mut promised = [0; 32];
        if let Some((key, certificate)) = identity {
            promised = fingerprint_of(&certificate.to_der().unwrap());
            context.set_certificate(certificate).unwrap();
            context.set_private_key(key).unwrap();
        }
        let mut ssl = Ssl::new(&context.build()).unwrap();
        ssl.set_mtu(1_200).unwrap();
        Self {
            now,
            settings: DtlsSettings::new(&DtlsCertificate::generate().unwrap()),
            server: DtlsServer::new(promised),
            client: SslStream::new(ssl, Wire::default()).unwrap(),
            established: None,
            closed: None,
            loses: 0,
        }
    }

    /// The client goes on with what it has got; gives whether its handshake is done.
    fn client_is_done(&mut self) -> bool {
        match self.client.connect() {
            Ok(()) => true,
            Err(error) => {
                assert!(
                    error.code() == ErrorCode::WANT_READ || self.closed.is_some(),
                    "the client failed: {error}"
                );
                false
            }
        }
    }

    /// The server takes a datagram.
    fn deliver(&mut self, datagram: &[u8]) {
        let (wire, loses) = (self.client.get_mut(), &mut self.loses);
        let send = |answer: &[u8]| match loses.checked_sub(1) {
            Some(less) => *loses = less,
            None => wire.to_client.push_back(answer.to_vec()),
        };
        match self.server.handle_datagram(self.now, &self.settings, datagram, send) {
            Ok(DtlsProgress::None) => {}
            Ok(DtlsProgress::Established(keys)) => self.established = Some(keys),
            Err(reason) => self.closed = Some(reason),
        }
    }

    /// Delivers until nobody has anything to say; gives whether the client's handshake is done.
    fn settle(&mut self) -> bool {
        loop {
            let is_done = self.client_is_done();
            let datagrams = std::mem::take(&mut self.client.get_mut().from_client);
            if datagrams.is_empty() {
                return is_done;
            }
            for datagram in datagrams {
                self.deliver(&datagram);
            }
        }
    }

    /// Lets time pass for the server.
    fn pass(&mut self, time: Duration) -> usize {
        self.now += time;
        let wire = self.client.get_mut();
        let before = wire.to_client.len();
        let send = |answer: &[u8]| wire.to_client.push_back(answer.to_vec());
        if let Err(reason) = self.server.handle_timeout(self.now, send) {
            self.closed = Some(reason);
        }
        self.client.get_mut().to_client.len() - before
    }
}

fn self_signed(key: &PKey<Private>) -> X509 {
    let like = DtlsCertificate::generate().unwrap().certificate;
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(like.subject_name()).unwrap();
    builder.set_issuer_name(like.issuer_name()).unwrap();
    builder.set_not_before(like.not_before()).unwrap();
    builder.set_not_after(like.not_after()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(key, openssl::hash::MessageDigest::sha256()).unwrap();
    builder.build()
}

#[test]
fn clients_with_ecdsa_and_rsa_certificates_connect() {
    let keys = [
        ("ECDSA P-256", ecdsa(Nid::X9_62_PRIME256V1)),
        ("ECDSA P-384", ecdsa(Nid::SECP384R1)),
        ("RSA 2048", rsa(2048)),
        ("RSA 4096", rsa(4096)),
    ];
    for (what, key) in keys {
        let mut pair = Pair::new(Some(&key), BROWSER);
        assert!(pair.settle(), "{what}");
        assert!(pair.established.is_some(), "{what}");
        assert_eq!(pair.closed, None, "{what}");
    }
}

#[test]
fn both_ends_export_the_same_keys_of_the_profile_that_the_server_prefers() {
    let cases = [
        (BROWSER, Profile::AeadAes128Gcm),
        ("SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM", Profile::AeadAes256Gcm),
        // GStreamer 1.22.
        ("SRTP_AES128_CM_SHA1_80", Profile::AesCm128HmacSha1_80),
    ];
    for (offered, expected) in cases {
        let mut pair = Pair::new(Some(&ecdsa(Nid::X9_62_PRIME256V1)), offered);
        assert!(pair.settle(), "{offered}");
        let ssl = pair.client.ssl();
        let mut material = vec![0; expected.keying_material_bytes()];
        ssl.export_keying_material(&mut material, "EXTRACTOR-dtls_srtp", None).unwrap();
        let keys = odeum_srtp::DtlsKeys::split(expected, &material).unwrap();
        let mut outbound = odeum_srtp::Outbound::new(expected, &keys.client);
        let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, b'h', b'i'];
        packet.resize(14 + expected.rtp_overhead_bytes(), 0);
        outbound.protect_rtp(&mut packet).unwrap();
        let server = &mut pair.established.as_mut().unwrap().inbound;
        assert_eq!(server.unprotect_rtp(&mut packet), Ok(14), "{offered}");
    }
}

#[test]
fn without_a_certificate_or_with_another_or_with_no_srtp_nothing_is_established() {
    let key = ecdsa(Nid::X9_62_PRIME256V1);
    let mut none = Pair::new(None, BROWSER);
    let mut other = Pair::new(Some(&rsa(2048)), BROWSER);
    other.server = DtlsServer::new([7; 32]);
    let mut foreign = Pair::new(Some(&key), "SRTP_AES128_CM_SHA1_32");
    let cases = [
        (&mut none, CloseReason::HandshakeFailed),
        (&mut other, CloseReason::FingerprintMismatch),
        (&mut foreign, CloseReason::HandshakeFailed),
    ];
    for (pair, reason) in cases {
        assert!(!pair.settle(), "{reason:?}");
        pair.pass(HANDSHAKE_DOUBT);
        assert!(pair.established.is_none(), "{reason:?}");
        assert_eq!(pair.closed, Some(reason));
    }
}

#[test]
fn a_lost_flight_goes_out_again_later_each_time_until_the_client_answers() {
    let mut pair = Pair::new(Some(&rsa(2048)), BROWSER);
    pair.loses = usize::MAX;
    assert!(!pair.settle());
    pair.loses = 0;
    assert_eq!(pair.pass(Duration::from_millis(249)), 0);
    let flight = pair.pass(Duration::from_millis(1));
    assert!(flight > 0);
    // That is lost as well.
    pair.client.get_mut().to_client.clear();
    assert_eq!(pair.pass(Duration::from_millis(499)), 0);
    assert_eq!(pair.pass(Duration::from_millis(1)), flight);
    assert!(pair.settle());
    assert!(pair.established.is_some());
    assert_eq!(pair.pass(Duration::from_secs(10)), 0, "nothing waits for an answer any more");
}

#[test]
fn a_flight_of_which_a_part_is_lost_is_completed_by_what_is_sent_again() {
    let mut pair = Pair::new(Some(&rsa(2048)), BROWSER);
    pair.loses = 1;
    assert!(!pair.settle());
    assert!(pair.pass(Duration::from_millis(250)) > 0);
    assert!(pair.settle());
    assert!(pair.established.is_some());
}

#[test]
fn the_last_flight_goes_out_again_to_a_client_that_repeats_its_own_a_few_times() {
    let mut pair = Pair::new(Some(&ecdsa(Nid::X9_62_PRIME256V1)), BROWSER);
    assert!(!pair.client_is_done());
    let hello = std::mem::take(&mut pair.client.get_mut().from_client);
    hello.iter().for_each(|datagram| pair.deliver(datagram));
    assert!(!pair.client_is_done());
    let flight = std::mem::take(&mut pair.client.get_mut().from_client);
    flight.iter().for_each(|datagram| pair.deliver(datagram));
    assert!(pair.established.is_some());
    // Lost; and the client repeats its flight forever.
    let last = std::mem::take(&mut pair.client.get_mut().to_client);
    assert_eq!(last.len(), 1);
    for _ in 0..50 {
        flight.iter().for_each(|datagram| pair.deliver(datagram));
    }
    let again = &pair.client.get_mut().to_client;
    assert!((1..=16).contains(&again.len()), "{}", again.len());
    assert_eq!(again[0], last[0]);
    // A Finished that somebody made up is worth no answer.
    pair.client.get_mut().to_client.clear();
    let mut forged = flight.concat();
    *forged.last_mut().unwrap() ^= 1;
    pair.deliver(&forged);
    assert!(pair.client.get_mut().to_client.is_empty());
    pair.client.get_mut().to_client = last;
    assert!(pair.client_is_done());
}

#[test]
fn both_ends_understand_the_others_goodbye() {
    let mut pair = Pair::new(Some(&rsa(2048)), BROWSER);
    assert!(pair.settle());
    let wire = pair.client.get_mut();
    pair.server.close(|goodbye| wire.to_client.push_back(goodbye.to_vec()));
    let error = pair.client.ssl_read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ZERO_RETURN, "{error}");

    pair.client.shutdown().unwrap();
    let goodbye = std::mem::take(&mut pair.client.get_mut().from_client).concat();
    let mut forged = goodbye.clone();
    *forged.last_mut().unwrap() ^= 1;
    pair.deliver(&forged);
    assert_eq!(pair.closed, None);
    pair.deliver(&goodbye);
    assert_eq!(pair.closed, Some(CloseReason::RemoteClosed));
}

#[test]
fn data_that_a_client_sends_is_nobodys() {
    let mut pair = Pair::new(Some(&ecdsa(Nid::X9_62_PRIME256V1)), BROWSER);
    assert!(pair.settle());
    pair.client.ssl_write(b"hello").unwrap();
    let data = std::mem::take(&mut pair.client.get_mut().from_client).concat();
    pair.deliver(&data);
    assert_eq!(pair.closed, None);
    assert!(pair.client.get_mut().to_client.is_empty());
}

#[test]
fn a_client_that_asks_for_new_keys_gets_the_last_flight_and_keeps_the_old_ones() {
    let mut pair = Pair::new(Some(&ecdsa(Nid::X9_62_PRIME256V1)), BROWSER);
    let hello = pair.say();
    hello.iter().for_each(|datagram| pair.deliver(datagram));
    assert!(pair.settle());
    assert!(pair.established.take().is_some());
    // In the clear nobody is heard.
    pair.client.get_mut().to_client.clear();
    hello.iter().for_each(|datagram| pair.deliver(datagram));
    assert!(pair.client.get_mut().to_client.is_empty());
    // Renegotiation is a hello under the keys that are there (RFC 5246 §7.4.1.1).
    let sealed = match &pair.server.phase {
        Phase::Established(records) => records.sealed_by_client(HANDSHAKE, 9, &hello[0][13..]),
        Phase::Silent | Phase::Shaking(_) => panic!("the handshake is done"),
    };
    for _ in 0..50 {
        pair.deliver(&sealed);
    }
    let answers = &pair.client.get_mut().to_client;
    assert!((1..=16).contains(&answers.len()), "{}", answers.len());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one nonce seals one text");
    assert!(pair.established.is_none(), "there are no other keys");
    assert_eq!(pair.closed, None);
}
