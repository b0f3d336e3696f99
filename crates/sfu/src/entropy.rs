//! Random numbers from the seed that the node gave: HMAC-SHA256 over a counter.
//!
//! ICE passwords guard address changes, so they must be as hard to guess as the seed.

use aws_lc_rs::hmac;

/// A generator; the same seed gives the same numbers.
pub(crate) struct Entropy {
    /// The seed.
    key: hmac::Key,
    /// Blocks drawn so far.
    counter: u64,
}

/// ice-char (RFC 8839 §5.4), 64 of them: six bits each.
const ICE_CHARACTERS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Entropy {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        let tag = hmac::sign(&self.key, &self.counter.to_be_bytes());
        tag.as_ref().try_into().expect("a SHA-256 tag has 32 bytes")
    }

    /// `length` characters of six random bits, at most 32.
    pub(crate) fn ice_text(&mut self, length: usize) -> String {
        let block = self.block();
        block[..length].iter().map(|b| char::from(ICE_CHARACTERS[usize::from(b & 63)])).collect()
    }

    pub(crate) fn number(&mut self) -> u32 {
        let block = self.block();
        u32::from_be_bytes([block[0], block[1], block[2], block[3]])
    }

    pub(crate) fn number_64(&mut self) -> u64 {
        u64::from(self.number()) << 32 | u64::from(self.number())
    }
}
