//! MESSAGE-INTEGRITY and FINGERPRINT: over which bytes they go, and how they are compared.

use aws_lc_rs::{constant_time, hmac};

use super::{FINGERPRINT_XOR, HEADER_SIZE};

/// A password made ready for HMAC-SHA1, to be kept beside the ICE credentials so that the key
/// schedule is paid once per peer.
#[derive(Clone)]
pub struct IntegrityKey(hmac::Key);

impl std::fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IntegrityKey([redacted])")
    }
}

impl IntegrityKey {
    /// `password` is ICE's short-term password, or the 16-byte MD5 key of a long-term credential.
    pub fn new(password: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password))
    }

    /// The HMAC of `covered`, with `length` in place of the header's length (RFC 8489 §14.5).
    pub(super) fn tag(&self, covered: &[u8], length: u16) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&covered[..2]);
        context.update(&length.to_be_bytes());
        context.update(&covered[4..]);
        context.sign()
    }

    /// Compares in constant time.
    pub(super) fn verify(&self, covered: &[u8], length: u16, given: &[u8]) -> bool {
        let tag = self.tag(covered, length);
        constant_time::verify_slices_are_equal(tag.as_ref(), given).is_ok()
    }
}

/// The fingerprint of `covered`, whose header already counts the fingerprint's own eight bytes.
pub(super) fn fingerprint(covered: &[u8]) -> u32 {
    debug_assert!(covered.len() >= HEADER_SIZE);
    crc32fast::hash(covered) ^ FINGERPRINT_XOR
}
