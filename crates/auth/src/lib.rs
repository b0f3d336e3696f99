//! Who may do what, proved by a shared secret: the signatures and tokens of the contract, made and
//! checked, and the registry of apps that holds the secrets.
//!
//! - [`server_api`]: the signature on a backend's request (contract, auth 1).
//! - [`token`]: what a client logs in with: token 04 in its CBC and GCM form, and token 03.
//! - [`callback`]: the signature in a callback's body (contract, auth 5); [`webhook`]: the one in
//!   its header (Standard Webhooks).
//! - [`Apps`], [`AppCredentials`]: the secrets and rights of every app, replaced as one on a
//!   reload.
//! - [`FailedLogins`]: who fails too often; [`RateBucket`]: how often one may do something.
//! - [`IceServers`]: what a client is told of STUN and TURN servers; [`TurnName`]: for whom a name
//!   at the own relay was made.
//! - [`client_code`]: the numbers a web client is refused with.
//!
//! Everything is pure: time and random bytes are arguments. The invariant: a wrong secret and a
//! wrong field inside an encrypted text look alike from outside (one error, one message, one path),
//! and every comparison with something secret takes the same time whatever it is given.
//!
//! ```
//! use odeum_auth::token::{NewToken, Seal};
//! use odeum_auth::{AppCredentials, ServerSecret, TokenUse};
//! use odeum_types::{AppId, RoomId, UnixMillis, UserId};
//!
//! let text = "0123456789abcdef0123456789abcdef";
//! let token = NewToken { app: AppId(7), user: "ann", lifetime_seconds: 60, payload: "" }
//!     .seal(text, UnixMillis(1_000_000), 42, Seal::Gcm { nonce: [9; 12] })
//!     .unwrap();
//!
//! let app = AppCredentials::new(vec![ServerSecret::parse(text).unwrap()]).unwrap();
//! let (ann, room) = (UserId::parse("ann").unwrap(), RoomId::parse("hall").unwrap());
//! let opened = app
//!     .open_token(&token, AppId(7), &ann, &room, TokenUse::Login, UnixMillis(1_000_000))
//!     .unwrap();
//! assert_eq!(opened.expires_at, UnixMillis(1_060_000));
//! ```

mod apps;
pub mod callback;
pub mod client_code;
mod failed_logins;
mod hex;
mod ice_server;
mod rate;
mod secret;
pub mod server_api;
pub mod token;
mod turn_name;
pub mod webhook;

pub use apps::{AppCredentials, Apps, AppsError, Environment, SECRETS_MAX, Service, Services};
pub use failed_logins::FailedLogins;
pub use ice_server::{
    IceAccess, IceServer, IceServerGrant, IceServers, IceUrl, IceUrlError, turn_password,
};
pub use rate::RateBucket;
pub use secret::{SECRET_BYTES, SecretError, ServerSecret};
pub use token::{Token, TokenError, TokenForm, TokenForms, TokenUse};
pub use turn_name::{SESSION_WITHIN, TurnHolder, TurnName};
