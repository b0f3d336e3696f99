//! Who may have an allocation. Nothing is kept of anybody who asks: a nonce says by itself when and
//! to whom it was given, and a name until when it is good.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;
use md5::{Digest, Md5};
use odeum_auth::turn_password;
use odeum_types::{Redacted, UnixMillis};
use subtle::ConstantTimeEq;

use crate::message::{Message, attribute};

/// How long a nonce is good, milliseconds; then the client is given another.
const NONCE_LIFETIME_MS: u64 = 3_600_000;

/// Checks requests.
pub struct Gate {
    /// Part of every password's hash; clients are told.
    realm: String,
    /// What names and passwords are made from.
    secret: Redacted<String>,
    /// Signs nonces.
    nonces: hmac::Key,
}

/// Who has proved to be somebody.
#[derive(Clone)]
pub(crate) struct Proven {
    pub(crate) username: String,
    /// For the answers to this user.
    pub(crate) key: [u8; 16],
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// 400: an attribute is missing.
    Malformed,
    /// 401: nobody, or somebody whose time is over.
    Unauthenticated,
    /// 438: with a nonce of another time or of somebody else.
    StaleNonce,
}

impl Gate {
    /// A gate for `secret`; `nonce_key` is 256 random bits.
    pub fn new(realm: String, secret: Redacted<String>, nonce_key: [u8; 32]) -> Self {
        Self { realm, secret, nonces: hmac::Key::new(hmac::HMAC_SHA256, &nonce_key) }
    }

    pub(crate) fn realm(&self) -> &str {
        &self.realm
    }

    /// A nonce for `source`.
    pub(crate) fn nonce(&self, now: UnixMillis, source: SocketAddr) -> String {
        let tag = self.tag(now.0, source);
        let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:x}-{tag}", now.0)
    }

    /// Who made this request.
    pub(crate) fn check(
        &self,
        now: UnixMillis,
        source: SocketAddr,
        message: &Message<'_>,
    ) -> Result<Proven, Refused> {
        if !message.has_integrity() {
            return Err(Refused::Unauthenticated);
        }
        let text = |kind| message.text(kind).ok_or(Refused::Malformed);
        let (username, nonce) = (text(attribute::USERNAME)?, text(attribute::NONCE)?);
        let realm = text(attribute::REALM)?;
        if !self.is_fresh(now, source, nonce) {
            return Err(Refused::StaleNonce);
        }
        let expires_s = username.split_once(':').and_then(|(time, _)| time.parse::<u64>().ok());
        if realm != self.realm || expires_s.is_none_or(|expires_s| expires_s <= now.0 / 1_000) {
            return Err(Refused::Unauthenticated);
        }
        let password = turn_password(&self.secret, username);
        // RFC 8489 §9.2.2.
        let key: [u8; 16] = Md5::digest(format!("{username}:{realm}:{}", password.expose())).into();
        match message.is_made_with(&key) {
            true => Ok(Proven { username: username.to_owned(), key }),
            false => Err(Refused::Unauthenticated),
        }
    }

    fn is_fresh(&self, now: UnixMillis, source: SocketAddr, nonce: &str) -> bool {
        let Some((time, _)) = nonce.split_once('-') else { return false };
        let Ok(given) = u64::from_str_radix(time, 16) else { return false };
        let is_ours = self.nonce(UnixMillis(given), source).as_bytes().ct_eq(nonce.as_bytes());
        bool::from(is_ours) && given <= now.0 && now.0 - given < NONCE_LIFETIME_MS
    }

    fn tag(&self, time: u64, source: SocketAddr) -> [u8; 12] {
        let mut text = time.to_be_bytes().to_vec();
        match source.ip() {
            IpAddr::V4(ip) => text.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => text.extend_from_slice(&ip.octets()),
        }
        text.extend_from_slice(&source.port().to_be_bytes());
        let tag = hmac::sign(&self.nonces, &text);
        tag.as_ref()[..12].try_into().expect("a SHA-256 tag has 32 bytes")
    }
}
