//! Client tokens: arbitrary text, and sound tokens with arbitrary fields of which some bytes are
//! changed.
//!
//! What must hold: no text opens without the secret; a sound token opens for its user and in its
//! time only; one with a changed byte does not open, or says the same.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use odeum_auth::token::{Expected, NewToken, Seal, open};
use odeum_auth::{ServerSecret, TokenError, TokenForms, TokenUse};
use odeum_types::{AppId, UnixMillis};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const APP: AppId = AppId(7);
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Text(&'a str),
    Sound {
        user: &'a str,
        payload: &'a str,
        lifetime_seconds: i64,
        gcm: bool,
        iv: [u8; 16],
        /// Byte of the text, and what it becomes.
        change: Option<(u16, u8)>,
    },
}

fuzz_target!(|input: Input<'_>| {
    let secret = ServerSecret::parse(SECRET).expect("32 characters");
    let try_open = |text: &str, user: &str, now| {
        let (user, token_use) = (Some(user), TokenUse::Renewal);
        let expected = Expected { app: APP, user, room: "room", token_use };
        open(text, std::slice::from_ref(&secret), &TokenForms::default(), expected, now)
    };
    match input {
        Input::Text(text) => {
            assert!(try_open(text, "user", NOW).is_err());
            for version in ["03", "04"] {
                assert!(try_open(&format!("{version}{text}"), "user", NOW).is_err());
            }
        }
        Input::Sound { user, payload, lifetime_seconds, gcm, iv, change } => {
            let [nonce @ .., _, _, _, _] = iv;
            let seal = if gcm { Seal::Gcm { nonce } } else { Seal::Cbc { iv } };
            let token = NewToken { app: APP, user, lifetime_seconds, payload };
            let Ok(text) = token.seal(SECRET, NOW, 1, seal) else { return };
            let opened = try_open(&text, user, NOW);
            match &opened {
                Ok(token) => {
                    assert!(token.expires_at > NOW && lifetime_seconds > 0);
                    assert_eq!(try_open(&text, user, token.expires_at), Err(TokenError::Expired));
                }
                Err(TokenError::Expired) => assert!(lifetime_seconds <= 0),
                // The payload is no JSON of rights.
                Err(TokenError::Refused) => assert!(!payload.is_empty()),
                Err(TokenError::Format(error)) => panic!("its own format: {error}"),
            }
            assert!(try_open(&text, &format!("{user}x"), NOW).is_err());
            let Some((at, byte)) = change else { return };
            let mut bytes = text.clone().into_bytes();
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
            if let Ok(changed) = String::from_utf8(bytes)
                && changed != text
                && let Ok(token) = try_open(&changed, user, NOW)
            {
                // CBC is not authenticated: a change of the first block may stay inside a number
                // that is not looked at. It must not prolong or widen anything.
                assert!(!gcm, "GCM notices every byte");
                assert_eq!(Ok(token), opened);
            }
        }
    }
});
