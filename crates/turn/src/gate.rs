//! Who may have an allocation. Nothing is kept of anybody who asks: a nonce says by itself when and
//! to whom it was given, and a name until when it is good.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;
use md5::{Digest, Md5};
use odeum_auth::{TurnName, turn_password};
use odeum_types::{AppId, Redacted, UnixMillis, UserId};
use subtle::ConstantTimeEq;

use crate::failure::Refusal;
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
    /// Says of a good name whether who holds it is still here.
    is_here: IsHere,
}

/// Whether the holder of a name, whose own time is not over, is still here.
type IsHere = Box<dyn Fn(UnixMillis, &str) -> bool + Send + Sync>;

/// Who has proved to be somebody.
#[derive(Clone)]
pub(crate) struct Proven {
    pub(crate) username: String,
    /// For the answers to this user.
    pub(crate) key: [u8; 16],
}

/// The user that a name was made for, and its app; none for a name that was made elsewhere.
pub fn holder(username: &str) -> Option<(AppId, UserId)> {
    let holder = TurnName::parse(username)?.holder;
    Some((holder.app, holder.user))
}

impl Gate {
    /// A gate for `secret`; `nonce_key` is 256 random bits. Names are good until their time ends.
    pub fn new(realm: String, secret: Redacted<String>, nonce_key: [u8; 32]) -> Self {
        let nonces = hmac::Key::new(hmac::HMAC_SHA256, &nonce_key);
        Self { realm, secret, nonces, is_here: Box::new(|_, _| true) }
    }

    /// Names are good no longer than `is_here` says so, asked with the time and a name that was
    /// made from the secret.
    pub fn while_here(
        self,
        is_here: impl Fn(UnixMillis, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { is_here: Box::new(is_here), ..self }
    }

    /// Whether who holds this name may still use what it was given by it.
    pub fn is_here(&self, now: UnixMillis, username: &str) -> bool {
        (self.is_here)(now, username)
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
    ) -> Result<Proven, Refusal> {
        if !message.has_integrity() {
            return Err(Refusal::Challenged);
        }
        let text = |kind| message.text(kind).ok_or(Refusal::BadRequest);
        let (username, nonce) = (text(attribute::USERNAME)?, text(attribute::NONCE)?);
        let realm = text(attribute::REALM)?;
        if !self.is_fresh(now, source, nonce) {
            return Err(Refusal::StaleNonce);
        }
        let expires_s = username.split_once(':').and_then(|(time, _)| time.parse::<u64>().ok());
        if realm != self.realm || expires_s.is_none_or(|expires_s| expires_s <= now.0 / 1_000) {
            return Err(Refusal::Unauthenticated);
        }
        let password = turn_password(&self.secret, username);
        // RFC 8489 §9.2.2.
        let key: [u8; 16] = Md5::digest(format!("{username}:{realm}:{}", password.expose())).into();
        if !message.is_made_with(&key) {
            return Err(Refusal::Unauthenticated);
        }
        match self.is_here(now, username) {
            true => Ok(Proven { username: username.to_owned(), key }),
            false => Err(Refusal::SessionEnded),
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
