//! The signature of Standard Webhooks over a callback: HMAC-SHA256 over id, time and body, in the
//! header `webhook-signature` (<https://www.standardwebhooks.com>, version 1; ruling 26).
//!
//! Unlike the contract's own signature it covers the body.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands before each signature of the symmetric kind.
const VERSION: &str = "v1,";

/// Signatures of a header that are looked at: a sender names more than one only while it changes
/// its secret.
const SIGNATURES_MAX: usize = 8;

/// Signs a callback: `v1,` and 44 characters of base64. `timestamp` is the header's text.
///
/// ```
/// assert_eq!(
///     odeum_auth::webhook::make(b"secret", "msg_1", "1700000000", b"{}"),
///     "v1,A5oIrJxXPB/PkULSoVu0e4khvPiqpF9vljmhkSKg0FI="
/// );
/// ```
pub fn make(callback_secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, callback_secret);
    let mut context = hmac::Context::with_key(&key);
    feed(&mut context, id, timestamp, body);
    format!("{VERSION}{}", STANDARD.encode(context.sign().as_ref()))
}

/// True when one of the signatures of `header`, which spaces part, is the one of these values; in
/// constant time for each. Signatures of other versions are passed over.
pub fn check(callback_secret: &[u8], id: &str, timestamp: &str, body: &[u8], header: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, callback_secret);
    let mut message = Vec::with_capacity(id.len() + timestamp.len() + body.len() + 2);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        message.extend_from_slice(part);
    }
    let given = header.split(' ').take(SIGNATURES_MAX);
    let given = given.filter_map(|one| STANDARD.decode(one.strip_prefix(VERSION)?).ok());
    given.fold(false, |found, tag| hmac::verify(&key, &message, &tag).is_ok() | found)
}

fn feed(context: &mut hmac::Context, id: &str, timestamp: &str, body: &[u8]) {
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From `printf '%s' 'msg_7.1795400000.{"event":"room_create"}' |
    // openssl dgst -sha256 -hmac callback-secret -binary | base64`.
    const SIGNATURE: &str = "v1,gwZaMbImD3urwLvcPMMc949vIEolVSEDTewwb5zp1d4=";
    const BODY: &[u8] = br#"{"event":"room_create"}"#;

    fn is_good(header: &str) -> bool {
        check(b"callback-secret", "msg_7", "1795400000", BODY, header)
    }

    #[test]
    fn the_vector_of_another_implementation() {
        assert_eq!(make(b"callback-secret", "msg_7", "1795400000", BODY), SIGNATURE);
        assert!(is_good(SIGNATURE));
    }

    #[test]
    fn any_of_several_signatures_may_be_the_right_one() {
        assert!(is_good(&format!("v1,AAAA v2,what {SIGNATURE}")));
        assert!(!is_good(&format!("v2,{}", &SIGNATURE[3..])));
        for bad in ["", "v1,", "v1,AAAA", "v1,not base64", &SIGNATURE[..40]] {
            assert!(!is_good(bad), "{bad}");
        }
    }

    #[test]
    fn id_time_and_body_are_covered() {
        let check = |id, time, body: &[u8]| check(b"callback-secret", id, time, body, SIGNATURE);
        assert!(!check("msg_8", "1795400000", BODY));
        assert!(!check("msg_7", "1795400001", BODY));
        assert!(!check("msg_7", "1795400000", b"{}"));
        assert!(!super::check(b"another", "msg_7", "1795400000", BODY, SIGNATURE));
    }
}
