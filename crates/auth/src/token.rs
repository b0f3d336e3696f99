//! Client tokens: opening them with what the login says, and making them.
//!
//! What can be told before decrypting is told apart ([`TokenError::Format`]); everything from
//! decrypting to the last field is one refusal ([`TokenError::Refused`]), so that nobody learns a
//! secret by asking; a token is called expired only after all of its fields agree (ruling 25).

mod cipher;
mod envelope;
mod fields;
mod make;

use odeum_types::{AppId, StreamId, UnixMillis};

use crate::client_code;
use crate::secret::ServerSecret;
use envelope::Envelope;
use fields::Fields;
pub use make::{MakeTokenError, NewToken, NewToken03, Seal};

/// How far ahead of the server's clock a token's creation may lie, in seconds (ruling 25).
pub const CREATED_AHEAD_SECONDS_MAX: i64 = 300;

/// A kind of token.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum TokenForm {
    /// Version 04, AES-256-CBC: what the older generators make.
    #[serde(rename = "04-cbc")]
    Token04Cbc,
    /// Version 04, AES-256-GCM: what the newer generators make.
    #[serde(rename = "04-gcm")]
    Token04Gcm,
    /// Version 03, AES-256-CBC.
    #[serde(rename = "03")]
    Token03,
}

/// The kinds of token that an app takes (`token_forms`). Default: all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenForms(Vec<TokenForm>);

impl TokenForms {
    /// Only these.
    pub fn only(forms: &[TokenForm]) -> Self {
        Self(forms.to_vec())
    }

    /// Whether `form` is taken.
    pub fn contains(&self, form: TokenForm) -> bool {
        self.0.contains(&form)
    }
}

impl Default for TokenForms {
    fn default() -> Self {
        Self::only(&[TokenForm::Token04Cbc, TokenForm::Token04Gcm, TokenForm::Token03])
    }
}

/// What a token is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// A login: the token must give the right to log in.
    Login,
    /// A renewal of a session's token: its rights count from now on, what runs goes on.
    Renewal,
}

/// What the token must agree with.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The app that the client names.
    pub app: AppId,
    /// The user id that the client names, if it names one beside the token. Text: a token may name
    /// users that no room would take.
    pub user: Option<&'a str>,
    /// The room that the client names.
    pub room: &'a str,
    /// What for.
    pub token_use: TokenUse,
}

/// A token that was opened and agrees with the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Which kind it was.
    pub form: TokenForm,
    /// Whose it is.
    pub user: String,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// What it allows.
    pub rights: Rights,
}

/// What a token allows in its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Whether its holder may log in.
    pub login: bool,
    /// Whether its holder may publish.
    pub publish: bool,
    /// The streams that may be published; none named means any.
    pub streams: Vec<String>,
}

impl Rights {
    /// Whether the holder may publish `stream`. Refused: [`client_code::PUBLISH_REFUSED`].
    pub fn may_publish(&self, stream: &StreamId) -> bool {
        self.publish
            && (self.streams.is_empty() || self.streams.iter().any(|id| id == stream.as_str()))
    }
}

/// Opens `text` with the first of `secrets` that fits and holds it against `expected`. One or two
/// secrets are usual: two while one is being rotated.
///
/// # Errors
/// - [`TokenError::Format`]: it cannot be a token of a kind that `forms` takes.
/// - [`TokenError::Refused`]: no secret opens it, or a field is missing, malformed or disagrees.
/// - [`TokenError::Expired`]: all agrees, but its time is over.
pub fn open(
    text: &str,
    secrets: &[ServerSecret],
    forms: &TokenForms,
    expected: Expected<'_>,
    now: UnixMillis,
) -> Result<Token, TokenError> {
    let envelope = Envelope::parse(text).map_err(TokenError::Format)?;
    if !forms.contains(envelope.form) {
        return Err(TokenError::Format(FormatError::FormNotAccepted));
    }
    let token = secrets
        .iter()
        .find_map(|secret| open_with(&envelope, secret, expected, now))
        .ok_or(TokenError::Refused)?;
    if token.expires_at <= now {
        return Err(TokenError::Expired);
    }
    Ok(token)
}

/// One path for all that must not be told apart: `None` whatever went wrong.
fn open_with(
    envelope: &Envelope,
    secret: &ServerSecret,
    expected: Expected<'_>,
    now: UnixMillis,
) -> Option<Token> {
    let plain = cipher::open(envelope, secret)?;
    let fields = Fields::parse(envelope.form, &plain.text)?;
    let now_seconds = i64::try_from(now.seconds()).ok()?;
    let room_agrees = fields.room.is_empty() || fields.room == expected.room;
    let right_agrees = match expected.token_use {
        TokenUse::Login => fields.rights.login,
        TokenUse::Renewal => true,
    };
    let agrees = plain.is_sound
        && fields.app == expected.app
        && expected.user.is_none_or(|user| user == fields.user)
        && room_agrees
        && right_agrees
        && fields.expire_seconds == envelope.expire_seconds
        && fields.created_seconds <= now_seconds.saturating_add(CREATED_AHEAD_SECONDS_MAX);
    agrees.then(|| Token {
        form: envelope.form,
        user: fields.user,
        // A time before 1970 is as expired as 1970 itself.
        expires_at: UnixMillis(
            u64::try_from(fields.expire_seconds).unwrap_or(0).saturating_mul(1000),
        ),
        rights: fields.rights,
    })
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read as a token at all.
    #[error("token format: {0}")]
    Format(FormatError),
    /// It is not for this login; why is not told.
    #[error("token refused")]
    Refused,
    /// It was for this login, and its time is over.
    #[error("token expired")]
    Expired,
}

impl TokenError {
    /// The code that a web client is refused with.
    pub fn client_code(self) -> u32 {
        match self {
            Self::Format(_) => client_code::TOKEN_FORMAT,
            Self::Refused => client_code::LOGIN_REFUSED,
            Self::Expired => client_code::TOKEN_EXPIRED,
        }
    }
}

/// What is wrong with a token's outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No token was given.
    #[error("no token")]
    Missing,
    /// It begins with neither `04` nor `03`.
    #[error("unknown version")]
    UnknownVersion,
    /// What follows the version is not standard base64 with padding.
    #[error("not base64")]
    NotBase64,
    /// The lengths inside do not add up, or are not those of a known cipher.
    #[error("wrong lengths")]
    WrongLengths,
    /// A known kind that the app's `token_forms` leaves out.
    #[error("this kind of token is not accepted here")]
    FormNotAccepted,
}
