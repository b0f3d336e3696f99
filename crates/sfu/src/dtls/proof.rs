//! Whose handshake messages are: a client signs all of them with the key of the certificate that
//! its SDP promised (RFC 5246 §7.4.8). OpenSSL looks at that as well, but what it finds wrong ends
//! the handshake, and everybody who can forge an address can send something wrong.

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};
use openssl::x509::X509;

/// What clients may sign with, as OpenSSL names it in its CertificateRequest: all that
/// [`is_signed`] knows.
pub(super) const SIGNATURES: &str = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:\
     rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:\
     RSA+SHA256:RSA+SHA384:RSA+SHA512";

/// How a signature is made.
enum Scheme {
    /// Over a digest.
    Digest(MessageDigest),
    /// The same, of RSA with PSS.
    Pss(MessageDigest),
    /// Over the text itself.
    Whole,
}

/// The first certificate of a Certificate message, in DER (RFC 5246 §7.4.2).
pub(super) fn certificate(message: &[u8]) -> Option<&[u8]> {
    let (_length_of_all, list) = message.split_first_chunk::<3>()?;
    let ([high, middle, low], rest) = list.split_first_chunk::<3>()?;
    rest.get(..u32::from_be_bytes([0, *high, *middle, *low]) as usize)
}

/// The key of a certificate in DER.
pub(super) fn key_of(certificate: &[u8]) -> Option<PKey<Public>> {
    X509::from_der(certificate).ok()?.public_key().ok()
}

/// Whether `proof`, a CertificateVerify, signs `text` with `key`.
pub(super) fn is_signed(key: &PKey<Public>, proof: &[u8], text: &[u8]) -> bool {
    verify(key, proof, text) == Some(true)
}

fn verify(key: &PKey<Public>, proof: &[u8], text: &[u8]) -> Option<bool> {
    let ([first, second, high, low], signature) = proof.split_first_chunk::<4>()?;
    let signature = signature.get(..u16::from_be_bytes([*high, *low]).into())?;
    // What OpenSSL says of a signature that is none is "false" or an error; both mean the same.
    match scheme([*first, *second])? {
        Scheme::Whole => {
            Verifier::new_without_digest(key).ok()?.verify_oneshot(signature, text).ok()
        }
        Scheme::Digest(digest) => {
            Verifier::new(digest, key).ok()?.verify_oneshot(signature, text).ok()
        }
        Scheme::Pss(digest) => {
            let mut verifier = Verifier::new(digest, key).ok()?;
            verifier.set_rsa_padding(Padding::PKCS1_PSS).ok()?;
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).ok()?;
            verifier.set_rsa_mgf1_md(digest).ok()?;
            verifier.verify_oneshot(signature, text).ok()
        }
    }
}

/// SignatureAndHashAlgorithm: digest and kind (RFC 5246 §7.4.1.4.1), or one of the later schemes,
/// which 1.2 has too (RFC 8446 §4.2.3, RFC 8422 §5.1.3).
fn scheme(algorithm: [u8; 2]) -> Option<Scheme> {
    let digest = |number: u8| match number {
        4 => Some(MessageDigest::sha256()),
        5 => Some(MessageDigest::sha384()),
        6 => Some(MessageDigest::sha512()),
        _ => None,
    };
    match algorithm {
        [8, 7] => Some(Scheme::Whole),
        [8, number] => digest(number).map(Scheme::Pss),
        [number, 1 | 3] => digest(number).map(Scheme::Digest),
        _ => None,
    }
}
