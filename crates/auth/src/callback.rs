//! The signature in a callback's body (contract, auth 5): SHA-1 over secret, time and nonce in the
//! byte order of their texts.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use subtle::ConstantTimeEq;

use crate::hex;

/// Length of a signature: hexadecimal text of 20 bytes.
const SIGNATURE_BYTES: usize = 40;

/// Signs a callback: 40 lower-case hexadecimal characters. `timestamp` is the decimal text of the
/// body's field, also where the body holds it as a number.
///
/// ```
/// assert_eq!(
///     odeum_auth::callback::make(b"secret", "1470820198", "123412"),
///     "5bd59fd62953a8059fb7eaba95720f66d19e4517"
/// );
/// ```
pub fn make(callback_secret: &[u8], timestamp: &str, nonce: &str) -> String {
    let mut parts = [callback_secret, timestamp.as_bytes(), nonce.as_bytes()];
    parts.sort_unstable();
    hex::lower(digest(&SHA1_FOR_LEGACY_USE_ONLY, &parts.concat()).as_ref())
}

/// True when `signature`, hexadecimal in either case, is the one of these values; in constant time.
pub fn check(callback_secret: &[u8], timestamp: &str, nonce: &str, signature: &str) -> bool {
    let Ok(mut given) = <[u8; SIGNATURE_BYTES]>::try_from(signature.as_bytes()) else {
        return false;
    };
    given.make_ascii_lowercase();
    make(callback_secret, timestamp, nonce).as_bytes().ct_eq(&given).into()
}
