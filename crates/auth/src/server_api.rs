//! The Server API's signature, version 2.0 (contract, auth 1): MD5 over AppId, nonce, secret and
//! time.
//!
//! It covers those four values and neither the Action nor the parameters, which is why the gateway
//! remembers nonces. MD5 is the contract's; nothing here leans on its resistance to collisions.

use md5::{Digest, Md5};
use odeum_types::AppId;
use subtle::ConstantTimeEq;

use crate::hex;

/// Length of a signature: hexadecimal text of 16 bytes.
const SIGNATURE_BYTES: usize = 32;

/// Signs a request: 32 lower-case hexadecimal characters. `timestamp_seconds` is Unix time.
///
/// ```
/// use odeum_types::AppId;
/// let signature = odeum_auth::server_api::make(
///     AppId(12345),
///     "4fd24687296dd9f3",
///     b"9193cc662a4c0ec135ec71fb57194b38",
///     1_615_186_943,
/// );
/// assert_eq!(signature, "43e5cfcca828314675f91b001390566a");
/// ```
pub fn make(app: AppId, nonce: &str, secret: &[u8], timestamp_seconds: i64) -> String {
    let mut hash = Md5::new();
    hash.update(app.to_string());
    hash.update(nonce);
    hash.update(secret);
    hash.update(timestamp_seconds.to_string());
    hex::lower(&hash.finalize())
}

/// The digest of texts joined in another order than [`make`]'s: for saying which slip a wrong
/// signature comes from.
pub fn digest(texts: &[&str]) -> String {
    hex::lower(&Md5::digest(texts.concat()))
}

/// True when `signature`, hexadecimal in either case, is the one of these values. Takes the same
/// time wherever the first difference lies.
pub fn check(
    app: AppId,
    nonce: &str,
    secret: &[u8],
    timestamp_seconds: i64,
    signature: &str,
) -> bool {
    let Ok(mut given) = <[u8; SIGNATURE_BYTES]>::try_from(signature.as_bytes()) else {
        return false;
    };
    given.make_ascii_lowercase();
    make(app, nonce, secret, timestamp_seconds).as_bytes().ct_eq(&given).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"9193cc662a4c0ec135ec71fb57194b38";

    fn check_sample(signature: &str) -> bool {
        check(AppId(12345), "4fd24687296dd9f3", SECRET, 1_615_186_943, signature)
    }

    #[test]
    fn either_case_is_accepted_and_any_other_text_refused() {
        assert!(check_sample("43e5cfcca828314675f91b001390566a"));
        assert!(check_sample("43E5CFCCA828314675F91B001390566A"));
        assert!(!check_sample("43e5cfcca828314675f91b001390566b"));
        assert!(!check_sample("43e5cfcca828314675f91b001390566"));
        assert!(!check_sample("43e5cfcca828314675f91b001390566a "));
        assert!(!check_sample(""));
    }

    #[test]
    fn each_of_the_four_values_is_covered() {
        let signature = "43e5cfcca828314675f91b001390566a";
        let (app, nonce, at) = (AppId(12345), "4fd24687296dd9f3", 1_615_186_943);
        assert!(check(app, nonce, SECRET, at, signature));
        assert!(!check(AppId(12346), nonce, SECRET, at, signature));
        assert!(!check(app, "4fd24687296dd9f4", SECRET, at, signature));
        assert!(!check(app, nonce, b"another", at, signature));
        assert!(!check(app, nonce, SECRET, at + 1, signature));
    }
}
