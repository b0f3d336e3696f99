//! Makes client tokens: for `odeum token` and for the try-it page.

use odeum_auth::token::{MakeTokenError, NewToken, Seal};
use odeum_types::{AppId, UnixMillis};

/// What a token shall say.
pub(crate) struct AskedToken<'a> {
    /// The app.
    pub(crate) app: AppId,
    /// Who will log in.
    pub(crate) user: &'a str,
    /// Seconds that it is good for.
    pub(crate) lifetime_s: u32,
    /// Empty, or the contract's JSON text of rights.
    pub(crate) payload: &'a str,
}

/// A version 04 token in GCM form, with fresh random numbers.
///
/// # Errors
/// What the asked token lacks.
pub(crate) fn make(
    asked: &AskedToken<'_>,
    secret: &str,
    now: UnixMillis,
) -> Result<String, MakeTokenError> {
    let token = NewToken {
        app: asked.app,
        user: asked.user,
        lifetime_seconds: i64::from(asked.lifetime_s),
        payload: asked.payload,
    };
    token.seal(secret, now, rand::random(), Seal::Gcm { nonce: rand::random() })
}
