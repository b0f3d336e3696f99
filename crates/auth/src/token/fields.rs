//! The inside of a token: JSON fields, and the rights in its payload (contract, auth 2.5, 2.6 and
//! 3).

use std::collections::HashMap;

use odeum_types::AppId;
use serde::Deserialize;

use super::{Rights, TokenForm};

/// Key of the right to log in.
const LOGIN: &str = "1";
/// Key of the right to publish.
const PUBLISH: &str = "2";

/// What a token says, of either version.
#[derive(Debug)]
pub(super) struct Fields {
    /// Whose app.
    pub(super) app: AppId,
    /// Whose token.
    pub(super) user: String,
    /// The only room it is good for; empty means any.
    pub(super) room: String,
    /// When it was made, Unix seconds.
    pub(super) created_seconds: i64,
    /// When it ends, Unix seconds.
    pub(super) expire_seconds: i64,
    /// What it allows.
    pub(super) rights: Rights,
}

impl Fields {
    /// Reads the plain text of a token of kind `form`.
    pub(super) fn parse(form: TokenForm, plain: &[u8]) -> Option<Self> {
        match form {
            TokenForm::Token04Cbc | TokenForm::Token04Gcm => Self::parse_04(plain),
            TokenForm::Token03 => Self::parse_03(plain),
        }
    }

    fn parse_04(plain: &[u8]) -> Option<Self> {
        let inside: Inside04 = serde_json::from_slice(plain).ok()?;
        let payload = match inside.payload.as_deref() {
            None | Some("") => Payload::default(),
            Some(text) => serde_json::from_str(text).ok()?,
        };
        let (login, publish) = match &payload.privilege {
            Some(privilege) => (allows(privilege, LOGIN), allows(privilege, PUBLISH)),
            None => (true, true),
        };
        Some(Self {
            app: AppId(inside.app_id),
            user: inside.user_id,
            room: payload.room_id.unwrap_or_default(),
            created_seconds: inside.ctime,
            expire_seconds: inside.expire,
            rights: Rights { login, publish, streams: payload.stream_id_list.unwrap_or_default() },
        })
    }

    fn parse_03(plain: &[u8]) -> Option<Self> {
        let inside: Inside03 = serde_json::from_slice(plain).ok()?;
        Some(Self {
            app: AppId(inside.app_id),
            user: inside.user_id,
            room: inside.room_id,
            created_seconds: inside.create_time,
            expire_seconds: inside.expire_time,
            rights: Rights {
                login: allows(&inside.privilege, LOGIN),
                publish: allows(&inside.privilege, PUBLISH),
                streams: Vec::new(),
            },
        })
    }
}

/// 1 allows; 0, any other number and a missing key deny (ruling 25).
fn allows(privilege: &HashMap<String, i64>, key: &str) -> bool {
    privilege.get(key) == Some(&1)
}

#[derive(Deserialize)]
struct Inside04 {
    app_id: u32,
    user_id: String,
    /// Read only because its type is part of the form: 32 bits, or 64 from some generators.
    #[serde(rename = "nonce")]
    _nonce: i64,
    ctime: i64,
    expire: i64,
    #[serde(default)]
    payload: Option<String>,
}

#[derive(Deserialize)]
struct Inside03 {
    app_id: u32,
    room_id: String,
    user_id: String,
    privilege: HashMap<String, i64>,
    create_time: i64,
    expire_time: i64,
    /// Any 64-bit value.
    #[serde(rename = "nonce")]
    _nonce: i64,
}

#[derive(Deserialize, Default)]
struct Payload {
    #[serde(default)]
    room_id: Option<String>,
    #[serde(default)]
    privilege: Option<HashMap<String, i64>>,
    #[serde(default)]
    stream_id_list: Option<Vec<String>>,
}

#[cfg(test)]
mod tests {
    use odeum_types::StreamId;

    use super::*;

    fn token(payload: &str) -> Option<Fields> {
        let payload = serde_json::to_string(payload).unwrap();
        let text = format!(
            r#"{{"user_id":"u","app_id":1,"nonce":-5,"ctime":1,"expire":2,"payload":{payload}}}"#
        );
        Fields::parse(TokenForm::Token04Gcm, text.as_bytes())
    }

    fn rights(payload: &str) -> (bool, bool) {
        let rights = token(payload).unwrap().rights;
        (rights.login, rights.publish)
    }

    #[test]
    fn no_payload_allows_everything() {
        assert_eq!(rights(""), (true, true));
        assert_eq!(rights("{}"), (true, true));
        let null = br#"{"user_id":"u","app_id":1,"nonce":1,"ctime":1,"expire":2,"payload":null}"#;
        assert!(Fields::parse(TokenForm::Token04Cbc, null).unwrap().rights.publish);
        let absent = br#"{"user_id":"u","app_id":1,"nonce":1,"ctime":1,"expire":2}"#;
        assert!(Fields::parse(TokenForm::Token04Cbc, absent).unwrap().rights.publish);
    }

    #[test]
    fn a_missing_key_denies_when_there_is_a_privilege_object() {
        assert_eq!(rights(r#"{"room_id":"r","privilege":{"1":1,"2":1}}"#), (true, true));
        assert_eq!(rights(r#"{"room_id":"r","privilege":{"1":1,"2":0}}"#), (true, false));
        assert_eq!(rights(r#"{"room_id":"r","privilege":{"1":1}}"#), (true, false));
        assert_eq!(rights(r#"{"room_id":"r","privilege":{"2":1}}"#), (false, true));
        assert_eq!(rights(r#"{"room_id":"r","privilege":{}}"#), (false, false));
        assert_eq!(rights(r#"{"room_id":"r","privilege":{"1":2,"2":-1}}"#), (false, false));
    }

    #[test]
    fn an_empty_list_of_streams_means_any() {
        let (a, b) = (StreamId::parse("a").unwrap(), StreamId::parse("b").unwrap());
        for any in ["null", "[]"] {
            let payload = format!(r#"{{"privilege":{{"2":1}},"stream_id_list":{any}}}"#);
            assert!(token(&payload).unwrap().rights.may_publish(&a));
        }
        let only_a = token(r#"{"privilege":{"2":1},"stream_id_list":["a"]}"#).unwrap().rights;
        assert!(only_a.may_publish(&a));
        assert!(!only_a.may_publish(&b));
        let none = token(r#"{"privilege":{"2":0},"stream_id_list":["a"]}"#).unwrap().rights;
        assert!(!none.may_publish(&a));
    }

    #[test]
    fn fields_of_the_wrong_type_are_refused() {
        assert!(token("not json").is_none());
        assert!(token(r#"{"privilege":[1]}"#).is_none());
        assert!(token(r#"{"privilege":{"1":"1"}}"#).is_none());
        assert!(token(r#"{"stream_id_list":"a"}"#).is_none());
        for inside in [
            r#"{"user_id":"u","app_id":"1","nonce":1,"ctime":1,"expire":2}"#,
            r#"{"user_id":"u","app_id":4294967296,"nonce":1,"ctime":1,"expire":2}"#,
            r#"{"user_id":"u","app_id":1,"nonce":"1","ctime":1,"expire":2}"#,
            r#"{"user_id":"u","app_id":1,"ctime":1,"expire":2}"#,
            r#"{"user_id":1,"app_id":1,"nonce":1,"ctime":1,"expire":2}"#,
            r#"{"app_id":1,"nonce":1,"ctime":1,"expire":2}"#,
            r#"{"user_id":"u","app_id":1,"nonce":1,"ctime":1,"expire":2.5}"#,
            r#"{"user_id":"u","app_id":1,"nonce":1,"ctime":1,"expire":2,"payload":{}}"#,
            "[]",
            "",
        ] {
            assert!(Fields::parse(TokenForm::Token04Gcm, inside.as_bytes()).is_none(), "{inside}");
        }
    }
}
