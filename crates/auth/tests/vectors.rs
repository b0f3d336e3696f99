//! Every vector of the contract (`vectors.json` beside this file) holds.

use odeum_auth::token::{Expected, FormatError, MakeTokenError, NewToken, NewToken03, Seal, open};
use odeum_auth::{ServerSecret, TokenError, TokenForm, TokenForms, TokenUse, callback, server_api};
use odeum_types::{AppId, UnixMillis};
use serde_json::Value;

fn vectors(group: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let group = all[group].as_array().unwrap().clone();
    assert!(!group.is_empty());
    group
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap_or_else(|| panic!("{key} in {vector}"))
}

fn number(vector: &Value, key: &str) -> i64 {
    vector[key].as_i64().unwrap_or_else(|| panic!("{key} in {vector}"))
}

fn app(vector: &Value) -> AppId {
    AppId(u32::try_from(number(vector, "app_id")).unwrap())
}

fn at(seconds: i64) -> UnixMillis {
    UnixMillis(u64::try_from(seconds).unwrap() * 1000)
}

fn bytes<const N: usize>(vector: &Value, key: &str) -> [u8; N] {
    let hex = text(vector, key);
    std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
}

fn check_open(
    token: &str,
    secret: &str,
    expected: Expected<'_>,
    now: UnixMillis,
) -> Result<odeum_auth::Token, TokenError> {
    let secrets = [ServerSecret::parse(secret).unwrap()];
    open(token, &secrets, &TokenForms::default(), expected, now)
}

#[test]
fn server_api_signatures() {
    for vector in vectors("server_api_signature_v2") {
        let (nonce, secret) = (text(&vector, "nonce"), text(&vector, "server_secret"));
        let seconds = number(&vector, "timestamp");
        let signature = text(&vector, "signature");
        let joined = format!("{}{nonce}{secret}{seconds}", app(&vector));
        assert_eq!(joined, text(&vector, "string_to_hash"));
        assert_eq!(server_api::make(app(&vector), nonce, secret.as_bytes(), seconds), signature);
        let upper = signature.to_uppercase();
        assert!(server_api::check(app(&vector), nonce, secret.as_bytes(), seconds, &upper));
        assert!(!server_api::check(app(&vector), nonce, b"wrong", seconds, signature));
    }
}

#[test]
fn callback_signatures() {
    for vector in vectors("callback_signature") {
        let secret = text(&vector, "callback_secret").as_bytes();
        let (timestamp, nonce) = (text(&vector, "timestamp"), text(&vector, "nonce"));
        let signature = text(&vector, "signature");
        assert_eq!(callback::make(secret, timestamp, nonce), signature, "{vector}");
        assert!(callback::check(secret, timestamp, nonce, signature));
        assert!(!callback::check(secret, timestamp, "other", signature));
    }
}

#[test]
fn token_04_cbc_is_made_and_opened() {
    for vector in vectors("token04_cbc") {
        let input = &vector["input"];
        let plain: Value = serde_json::from_str(text(&vector, "plaintext_json")).unwrap();
        let new = NewToken {
            app: app(input),
            user: text(input, "user_id"),
            lifetime_seconds: number(input, "effective_seconds"),
            payload: text(input, "payload"),
        };
        let now = at(number(input, "now"));
        let nonce = i32::try_from(number(&plain, "nonce")).unwrap();
        let seal = Seal::Cbc { iv: bytes(&vector, "iv_hex") };
        let made = new.seal(text(input, "secret"), now, nonce, seal).unwrap();
        assert_eq!(made, text(&vector, "token"), "{}", vector["id"]);

        let rights: Value = serde_json::from_str(new.payload).unwrap_or(Value::Null);
        let expected = Expected {
            app: new.app,
            user: Some(new.user),
            room: rights["room_id"].as_str().unwrap_or("any"),
            token_use: TokenUse::Login,
        };
        let token = check_open(&made, text(input, "secret"), expected, now).unwrap();
        assert_eq!(token.form, TokenForm::Token04Cbc);
        assert_eq!(token.expires_at, at(number(&vector, "outer_expire")));
        assert!(token.rights.login);
        assert_eq!(token.rights.publish, rights["privilege"]["2"].as_i64().unwrap_or(1) == 1);
        let streams = rights["stream_id_list"].as_array().map_or(0, Vec::len);
        assert_eq!(token.rights.streams.len(), streams);
        if rights.is_object() {
            let elsewhere = Expected { room: "elsewhere", ..expected };
            let refused = check_open(&made, text(input, "secret"), elsewhere, now);
            assert_eq!(refused, Err(TokenError::Refused));
        }
    }
}

#[test]
fn token_04_gcm_is_made_and_opened() {
    for vector in vectors("token04_gcm") {
        let plain: Value = serde_json::from_str(text(&vector, "plaintext_json")).unwrap();
        let new = NewToken {
            app: app(&plain),
            user: text(&plain, "user_id"),
            lifetime_seconds: number(&plain, "expire") - number(&plain, "ctime"),
            payload: text(&plain, "payload"),
        };
        let now = at(number(&plain, "ctime"));
        let nonce = i32::try_from(number(&plain, "nonce")).unwrap();
        let seal = Seal::Gcm { nonce: bytes(&vector, "nonce_hex") };
        let secret = text(&vector, "secret");
        assert_eq!(new.seal(secret, now, nonce, seal).unwrap(), text(&vector, "token"));

        let expected =
            Expected { app: new.app, user: Some(new.user), room: "r", token_use: TokenUse::Login };
        let token = check_open(text(&vector, "token"), secret, expected, now).unwrap();
        assert_eq!(token.form, TokenForm::Token04Gcm);
        assert_eq!(token.expires_at, at(number(&vector, "outer_expire")));
    }
}

#[test]
fn token_03_is_made_and_opened() {
    for vector in vectors("token03") {
        let input = &vector["input"];
        let plain: Value = serde_json::from_str(text(&vector, "plaintext_json")).unwrap();
        let new = NewToken03 {
            app: app(input),
            room: text(input, "room_id"),
            user: text(input, "user_id"),
            login: number(&input["privilege"], "1"),
            publish: number(&input["privilege"], "2"),
            lifetime_seconds: number(input, "effective_seconds"),
        };
        let now = at(number(input, "now"));
        let secret = text(input, "secret");
        let made = new.seal(secret, now, number(&plain, "nonce"), bytes(&vector, "iv_hex"));
        assert_eq!(made.unwrap(), text(&vector, "token"));

        let expected = Expected {
            app: new.app,
            user: Some(new.user),
            room: new.room,
            token_use: TokenUse::Login,
        };
        let token = check_open(text(&vector, "token"), secret, expected, now).unwrap();
        assert_eq!(token.form, TokenForm::Token03);
        assert!(token.rights.login && !token.rights.publish);
        let only_04 = TokenForms::only(&[TokenForm::Token04Gcm, TokenForm::Token04Cbc]);
        let secrets = [ServerSecret::parse(secret).unwrap()];
        assert_eq!(
            open(text(&vector, "token"), &secrets, &only_04, expected, now),
            Err(TokenError::Format(FormatError::FormNotAccepted))
        );
    }
}

#[test]
fn negative_tokens_are_refused_with_their_client_codes() {
    let codes = [
        ("outer-expire-differs-from-inner", 1102020),
        ("ciphertext-bit-flip", 1102020),
        ("wrong-secret", 1102020),
        ("expired", 1102018),
        ("wrong-version-prefix", 1102016),
        ("other-user", 1102020),
        ("other-app", 1102020),
    ];
    let vectors = vectors("negative");
    assert_eq!(vectors.len(), codes.len(), "each vector has its code");
    for vector in vectors {
        let code = codes.iter().find(|(id, _)| *id == text(&vector, "id")).unwrap().1;
        let expected = Expected {
            app: AppId(vector["app_id"].as_u64().unwrap_or(123456789) as u32),
            user: Some(vector["login_user_id"].as_str().unwrap_or("user1")),
            room: "room1",
            token_use: TokenUse::Login,
        };
        let now = at(vector["at"].as_i64().unwrap_or(1_700_000_000));
        let opened = check_open(text(&vector, "token"), text(&vector, "secret"), expected, now);
        let error = opened.expect_err(text(&vector, "id"));
        assert_eq!(error.client_code(), code, "{}", text(&vector, "id"));
    }
}

#[test]
fn generator_errors() {
    for vector in vectors("generator_errors") {
        let args = vector["args"].as_array().unwrap();
        let new = NewToken {
            app: AppId(u32::try_from(args[0].as_u64().unwrap()).unwrap()),
            user: args[1].as_str().unwrap(),
            lifetime_seconds: args[3].as_i64().unwrap(),
            payload: args[4].as_str().unwrap(),
        };
        let seal = Seal::Cbc { iv: [b'a'; 16] };
        let made = new.seal(args[2].as_str().unwrap(), at(1_700_000_000), 1, seal);
        assert_eq!(
            made.as_ref().err().copied().map(MakeTokenError::code),
            vector["errorCode"].as_i64().map(|code| code as i32),
            "{}",
            vector["id"]
        );
        if let Some(message) = vector["errorMessage"].as_str() {
            assert_eq!(made.unwrap_err().to_string(), message);
        }
    }
}

#[test]
fn the_sample_request_is_signed_as_the_contract_says() {
    let all: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let sample = &all["signature_request_sample"];
    let field = |key: &str| {
        let (_, rest) = text(sample, "url").split_once(&format!("&{key}=")).unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    let app = AppId(field("AppId").parse().unwrap());
    let (nonce, seconds) = (field("SignatureNonce"), field("Timestamp").parse().unwrap());
    let secret = text(sample, "server_secret").as_bytes();
    assert!(server_api::check(app, &nonce, secret, seconds, &field("Signature")));
}
