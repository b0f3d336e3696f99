//! Tokens under time, rotation and arbitrary bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use odeum_auth::token::{Expected, NewToken, NewToken03, Seal, open};
use odeum_auth::{ServerSecret, TokenError, TokenForms, TokenUse};
use odeum_types::{AppId, UnixMillis};
use proptest::prelude::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "9193cc662a4c0ec135ec71fb57194b38";
const MADE_AT: UnixMillis = UnixMillis(1_700_000_000_000);

fn make(payload: &str) -> String {
    NewToken { app: AppId(7), user: "ann", lifetime_seconds: 60, payload }
        .seal(SECRET, MADE_AT, 1, Seal::Gcm { nonce: [3; 12] })
        .unwrap()
}

fn open_at(token: &str, user: &str, token_use: TokenUse, now: u64) -> Result<(), TokenError> {
    let secrets = [ServerSecret::parse(SECRET).unwrap()];
    let expected = Expected { app: AppId(7), user: Some(user), room: "hall", token_use };
    open(token, &secrets, &TokenForms::default(), expected, UnixMillis(now)).map(|_| ())
}

#[test]
fn a_token_ends_with_the_last_moment_of_its_lifetime() {
    let token = make("");
    let end = MADE_AT.0 + 60_000;
    assert_eq!(open_at(&token, "ann", TokenUse::Login, end - 1), Ok(()));
    assert_eq!(open_at(&token, "ann", TokenUse::Login, end), Err(TokenError::Expired));
}

#[test]
fn a_token_of_the_future_is_taken_up_to_300_seconds_ahead() {
    let token = make("");
    assert_eq!(open_at(&token, "ann", TokenUse::Login, MADE_AT.0 - 300_000), Ok(()));
    let earlier = open_at(&token, "ann", TokenUse::Login, MADE_AT.0 - 301_000);
    assert_eq!(earlier, Err(TokenError::Refused));
}

#[test]
fn only_a_token_that_agrees_is_told_to_be_expired() {
    let end = MADE_AT.0 + 60_000;
    assert_eq!(open_at(&make(""), "bob", TokenUse::Login, end), Err(TokenError::Refused));
    let elsewhere = make(r#"{"room_id":"cellar","privilege":{"1":1}}"#);
    assert_eq!(open_at(&elsewhere, "ann", TokenUse::Login, end), Err(TokenError::Refused));
}

#[test]
fn a_token_without_the_login_right_renews_and_does_not_log_in() {
    let token = make(r#"{"room_id":"","privilege":{"2":1}}"#);
    assert_eq!(open_at(&token, "ann", TokenUse::Login, MADE_AT.0), Err(TokenError::Refused));
    assert_eq!(open_at(&token, "ann", TokenUse::Renewal, MADE_AT.0), Ok(()));
}

#[test]
fn every_refusal_after_decryption_reads_the_same() {
    let wrong_user = open_at(&make(""), "bob", TokenUse::Login, MADE_AT.0).unwrap_err();
    let mut bytes = STANDARD.decode(&make("")[2..]).unwrap();
    bytes[30] ^= 1;
    let damaged = format!("04{}", STANDARD.encode(bytes));
    let wrong_bytes = open_at(&damaged, "ann", TokenUse::Login, MADE_AT.0).unwrap_err();
    assert_eq!(wrong_user.to_string(), wrong_bytes.to_string());
    assert_eq!(wrong_user.client_code(), wrong_bytes.client_code());
}

#[test]
fn either_secret_of_a_rotation_opens_a_token() {
    let secrets = [OTHER, SECRET].map(|text| ServerSecret::parse(text).unwrap());
    let expected =
        Expected { app: AppId(7), user: Some("ann"), room: "hall", token_use: TokenUse::Login };
    let token = make("");
    assert!(open(&token, &secrets, &TokenForms::default(), expected, MADE_AT).is_ok());
    let refused = open(&token, &secrets[..1], &TokenForms::default(), expected, MADE_AT);
    assert_eq!(refused, Err(TokenError::Refused));
}

#[test]
fn a_payload_that_does_not_fit_is_refused_when_made() {
    let payload = "x".repeat(70_000);
    let new = NewToken { app: AppId(7), user: "ann", lifetime_seconds: 60, payload: &payload };
    let made = new.seal(SECRET, MADE_AT, 1, Seal::Gcm { nonce: [3; 12] });
    assert_eq!(made.unwrap_err().code(), -1);
}

proptest! {
    #[test]
    fn what_is_made_opens(
        app in 1_u32..,
        user in "\\PC{1,60}",
        lifetime in 1_i64..2_000_000,
        nonce: i32,
        iv: [u8; 16],
        gcm: bool,
    ) {
        let seal = if gcm {
            Seal::Gcm { nonce: std::array::from_fn(|i| iv[i]) }
        } else {
            Seal::Cbc { iv }
        };
        let new =
            NewToken { app: AppId(app), user: &user, lifetime_seconds: lifetime, payload: "" };
        let token = new.seal(SECRET, MADE_AT, nonce, seal).unwrap();
        let secrets = [ServerSecret::parse(SECRET).unwrap()];
        let expected =
            Expected { app: AppId(app), user: Some(&user), room: "r", token_use: TokenUse::Login };
        let opened = open(&token, &secrets, &TokenForms::default(), expected, MADE_AT).unwrap();
        prop_assert_eq!(opened.expires_at.0, MADE_AT.0 + lifetime as u64 * 1000);
    }

    #[test]
    fn what_is_made_as_version_03_opens(nonce: i64, iv: [u8; 16], publish in 0_i64..2) {
        let new = NewToken03 {
            app: AppId(7), room: "hall", user: "ann", login: 1, publish, lifetime_seconds: 60,
        };
        let token = new.seal(SECRET, MADE_AT, nonce, iv).unwrap();
        prop_assert_eq!(open_at(&token, "ann", TokenUse::Login, MADE_AT.0), Ok(()));
    }

    #[test]
    fn arbitrary_text_is_refused_without_a_panic(text in "(0[34])?[A-Za-z0-9+/]{0,200}={0,2}") {
        prop_assert!(open_at(&text, "ann", TokenUse::Login, MADE_AT.0).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(
        version in "0[345]",
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let text = format!("{version}{}", STANDARD.encode(bytes));
        prop_assert!(open_at(&text, "ann", TokenUse::Login, MADE_AT.0).is_err());
    }

    #[test]
    fn a_changed_bit_is_never_accepted(bit in 0_usize..800) {
        let token = make("");
        let mut bytes = STANDARD.decode(&token[2..]).unwrap();
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let changed = format!("04{}", STANDARD.encode(bytes));
        prop_assert!(open_at(&changed, "ann", TokenUse::Login, MADE_AT.0).is_err());
    }
}
