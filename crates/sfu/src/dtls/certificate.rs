//! The certificate that every peer is met with.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509NameBuilder};

use super::fingerprint_of;

/// A self-signed certificate with its key, to be made once and shared by all workers of a process.
/// ECDSA over P-256, which every WebRTC client has (RFC 8827 §6.5).
#[derive(Clone)]
pub struct DtlsCertificate {
    /// What is shown.
    pub(super) certificate: X509,
    /// What signs.
    pub(super) key: PKey<Private>,
    /// SHA-256 of the certificate, as the SDP has it.
    pub(super) fingerprint: [u8; 32],
}

/// No certificate could be made: the machine has no randomness.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a DTLS certificate")]
pub struct DtlsCertificateError(#[from] ErrorStack);

impl DtlsCertificate {
    /// A new one, its key by OpenSSL's generator. Valid always: what counts is the fingerprint in
    /// the SDP, and clients look at no date.
    ///
    /// # Errors
    /// [`DtlsCertificateError`].
    pub fn generate() -> Result<Self, DtlsCertificateError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_nid(Nid::COMMONNAME, "odeum")?;
        let name = name.build();
        // No two certificates of an issuer may share one (RFC 5280 §4.1.2.2), and keys differ.
        let serial = &fingerprint_of(&key.public_key_to_der()?)[..8];
        let serial = BigNum::from_slice(serial)?.to_asn1_integer()?;
        let mut builder = X509::builder()?;
        // X.509 counts versions from zero.
        builder.set_version(2)?;
        builder.set_serial_number(&serial)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        let (first, last) = ("20200101000000Z", "99991231235959Z");
        builder.set_not_before(&*Asn1Time::from_str(first)?)?;
        builder.set_not_after(&*Asn1Time::from_str(last)?)?;
        builder.set_pubkey(&key)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let certificate = builder.build();
        let fingerprint = fingerprint_of(&certificate.to_der()?);
        Ok(Self { certificate, key, fingerprint })
    }
}
