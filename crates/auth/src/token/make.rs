//! Making tokens: for `odeum token`, for tests, and for backends written in Rust.
//!
//! Checks and their numbers are those of the public generators (contract, auth 2.8).

use std::collections::BTreeMap;

use odeum_types::{AppId, UnixMillis};
use serde::Serialize;

use super::envelope::Envelope;
use super::{TokenForm, cipher};
use crate::secret::ServerSecret;

/// How a version 04 token is encrypted.
#[derive(Debug, Clone, Copy)]
pub enum Seal {
    /// The older form.
    Cbc {
        /// Random; public generators draw it from `[0-9a-z]`.
        iv: [u8; 16],
    },
    /// The newer form, and the better one: it is authenticated.
    Gcm {
        /// Random, never the same twice for one secret.
        nonce: [u8; 12],
    },
}

/// A version 04 token to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewToken<'a> {
    /// Whose app; not 0.
    pub app: AppId,
    /// Whose token; not empty.
    pub user: &'a str,
    /// How long it is good for, in seconds; not 0. A negative one makes a token that is over
    /// already, as the public generators do.
    pub lifetime_seconds: i64,
    /// Empty, or the JSON text of rights (contract, auth 2.6).
    pub payload: &'a str,
}

impl NewToken<'_> {
    /// The token's text. `secret` is the app's, `nonce` any random number.
    ///
    /// # Errors
    /// [`MakeTokenError`], one variant per argument.
    pub fn seal(
        &self,
        secret: &str,
        now: UnixMillis,
        nonce: i32,
        seal: Seal,
    ) -> Result<String, MakeTokenError> {
        let secret = check(self.app, self.user, secret, self.lifetime_seconds)?;
        let created = seconds(now);
        let expire = created.saturating_add(self.lifetime_seconds);
        let inside = json(&Inside04 {
            app_id: self.app.0,
            user_id: self.user,
            nonce,
            ctime: created,
            expire,
            payload: self.payload,
        });
        let (form, iv, ciphertext) = match seal {
            Seal::Cbc { iv } => {
                (TokenForm::Token04Cbc, iv.to_vec(), cipher::seal_cbc(inside, &secret, iv))
            }
            Seal::Gcm { nonce } => {
                (TokenForm::Token04Gcm, nonce.to_vec(), cipher::seal_gcm(inside, &secret, nonce))
            }
        };
        write(form, expire, iv, ciphertext)
    }
}

/// A version 03 token to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewToken03<'a> {
    /// Whose app; not 0.
    pub app: AppId,
    /// The room it is good for; not empty.
    pub room: &'a str,
    /// Whose token; not empty.
    pub user: &'a str,
    /// Whether it lets its holder log in: key `"1"`.
    pub login: i64,
    /// Whether it lets its holder publish: key `"2"`.
    pub publish: i64,
    /// How long it is good for, in seconds; not 0.
    pub lifetime_seconds: i64,
}

impl NewToken03<'_> {
    /// The token's text. `nonce` and `iv` are random.
    ///
    /// # Errors
    /// [`MakeTokenError`], one variant per argument.
    pub fn seal(
        &self,
        secret: &str,
        now: UnixMillis,
        nonce: i64,
        iv: [u8; 16],
    ) -> Result<String, MakeTokenError> {
        if self.room.is_empty() {
            return Err(MakeTokenError::Room);
        }
        if ![self.login, self.publish].iter().all(|right| matches!(right, 0 | 1)) {
            return Err(MakeTokenError::Privilege);
        }
        let secret = check(self.app, self.user, secret, self.lifetime_seconds)?;
        let created = seconds(now);
        let expire = created.saturating_add(self.lifetime_seconds);
        let inside = json(&Inside03 {
            app_id: self.app.0,
            room_id: self.room,
            user_id: self.user,
            privilege: BTreeMap::from([("1", self.login), ("2", self.publish)]),
            create_time: created,
            expire_time: expire,
            nonce,
        });
        write(TokenForm::Token03, expire, iv.to_vec(), cipher::seal_cbc(inside, &secret, iv))
    }
}

fn check(
    app: AppId,
    user: &str,
    secret: &str,
    lifetime_seconds: i64,
) -> Result<ServerSecret, MakeTokenError> {
    if app.0 == 0 {
        return Err(MakeTokenError::App);
    }
    if user.is_empty() {
        return Err(MakeTokenError::User);
    }
    let secret = ServerSecret::parse(secret).map_err(|_| MakeTokenError::Secret)?;
    if lifetime_seconds == 0 {
        return Err(MakeTokenError::Lifetime);
    }
    Ok(secret)
}

fn seconds(now: UnixMillis) -> i64 {
    i64::try_from(now.seconds()).unwrap_or(i64::MAX)
}

fn json(inside: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(inside).expect("numbers, strings and a map with text keys become JSON")
}

fn write(
    form: TokenForm,
    expire_seconds: i64,
    iv: Vec<u8>,
    ciphertext: Option<Vec<u8>>,
) -> Result<String, MakeTokenError> {
    let ciphertext = ciphertext.ok_or(MakeTokenError::TooLong)?;
    let envelope = Envelope { form, expire_seconds, iv, ciphertext };
    envelope.write().ok_or(MakeTokenError::TooLong)
}

#[derive(Serialize)]
struct Inside04<'a> {
    app_id: u32,
    user_id: &'a str,
    nonce: i32,
    ctime: i64,
    expire: i64,
    payload: &'a str,
}

#[derive(Serialize)]
struct Inside03<'a> {
    app_id: u32,
    room_id: &'a str,
    user_id: &'a str,
    privilege: BTreeMap<&'static str, i64>,
    create_time: i64,
    expire_time: i64,
    nonce: i64,
}

/// Why a token cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MakeTokenError {
    /// The app id is 0.
    #[error("appID invalid")]
    App,
    /// The room id is empty (version 03).
    #[error("roomId invalid")]
    Room,
    /// The user id is empty.
    #[error("userId invalid")]
    User,
    /// A right is neither 0 nor 1 (version 03).
    #[error("privilege invalid")]
    Privilege,
    /// The secret has another length.
    #[error("secret must be a 32 byte string")]
    Secret,
    /// The lifetime is 0.
    #[error("effectiveTimeInSeconds invalid")]
    Lifetime,
    /// The payload and the ids do not fit into a token's 64 KiB.
    #[error("token too long")]
    TooLong,
}

impl MakeTokenError {
    /// The public generators' number for it.
    pub fn code(self) -> i32 {
        match self {
            Self::App => 1,
            Self::Room => 2,
            Self::User => 3,
            Self::Privilege => 4,
            Self::Secret => 5,
            Self::Lifetime => 6,
            Self::TooLong => -1,
        }
    }
}
