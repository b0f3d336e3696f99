//! The registry of apps: their secrets, and what each may do. One value for all, replaced as a
//! whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use odeum_types::{AppId, Redacted, RoomId, UnixMillis, UserId};

use crate::secret::ServerSecret;
use crate::server_api;
use crate::token::{self, Expected, Token, TokenError, TokenForms, TokenUse};

/// How many secrets an app may have at once: two while one is being rotated.
pub const SECRETS_MAX: usize = 2;

/// All apps, shared by the surfaces. Clones are handles of the same registry.
///
/// The lock is held to copy or set one `Arc`, a few nanoseconds; a message to an owner would make
/// every signature check wait for a task. Readers keep the registry that they took, so one request
/// sees one configuration throughout.
#[derive(Debug, Clone, Default)]
pub struct Apps {
    /// The registry in force.
    current: Arc<RwLock<Arc<AppMap>>>,
}

/// One version of the registry.
type AppMap = HashMap<AppId, Arc<AppCredentials>>;

impl Apps {
    /// A registry of these apps.
    pub fn new(apps: impl IntoIterator<Item = (AppId, AppCredentials)>) -> Self {
        let registry = Self::default();
        registry.replace(apps);
        registry
    }

    /// Puts these apps in the place of all that were there: what a reload does. Requests that are
    /// being answered end with what they began with.
    pub fn replace(&self, apps: impl IntoIterator<Item = (AppId, AppCredentials)>) {
        let apps = apps.into_iter().map(|(id, app)| (id, Arc::new(app))).collect();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(apps);
    }

    /// The app, if it is known.
    pub fn get(&self, app: AppId) -> Option<Arc<AppCredentials>> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        current.get(&app).cloned()
    }

    /// Every known app's id, in no order.
    pub fn ids(&self) -> Vec<AppId> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        current.keys().copied().collect()
    }
}

/// What is known of one app.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// One secret, or two during a rotation. The first is the one to make new things with.
    secrets: Vec<ServerSecret>,
    /// Signs callbacks. Default: none, and no callback is sent.
    pub callback_secret: Option<Redacted<String>>,
    /// Which environment the app is for (ruling 6).
    pub environment: Environment,
    /// Which services it may call.
    pub services: Services,
    /// Which kinds of token its clients may show.
    pub token_forms: TokenForms,
    /// Whether a user whose token expires is taken out of its room. Default: no.
    pub kick_on_token_expiry: bool,
    /// Server API calls allowed in a second, by Action, where it is not the contract's figure; it
    /// stands in both environments; 0 forbids the action. Each allowed call costs 8 bytes for a
    /// second. Default: none.
    pub calls_per_second: BTreeMap<String, u32>,
}

impl AppCredentials {
    /// An app with these secrets and the defaults for the rest.
    ///
    /// # Errors
    /// [`AppsError::SecretCount`] when there is none or more than [`SECRETS_MAX`].
    pub fn new(secrets: Vec<ServerSecret>) -> Result<Self, AppsError> {
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(AppsError::SecretCount { count: secrets.len() });
        }
        Ok(Self {
            secrets,
            callback_secret: None,
            environment: Environment::default(),
            services: Services::default(),
            token_forms: TokenForms::default(),
            kick_on_token_expiry: false,
            calls_per_second: BTreeMap::new(),
        })
    }

    /// Whether one of the app's secrets made `signature` over these values.
    pub fn check_signature(
        &self,
        app: AppId,
        nonce: &str,
        timestamp_seconds: i64,
        signature: &str,
    ) -> bool {
        // Every secret is tried, so that the time does not tell which one was right.
        self.secrets.iter().fold(false, |found, secret| {
            server_api::check(app, nonce, secret.expose(), timestamp_seconds, signature) | found
        })
    }

    /// Opens a client's token and holds it against what the client says.
    ///
    /// # Errors
    /// As [`token::open`].
    pub fn open_token(
        &self,
        text: &str,
        app: AppId,
        user: &UserId,
        room: &RoomId,
        token_use: TokenUse,
        now: UnixMillis,
    ) -> Result<Token, TokenError> {
        let user = Some(user.as_str());
        let expected = Expected { app, user, room: room.as_str(), token_use };
        token::open(text, &self.secrets, &self.token_forms, expected, now)
    }

    /// Opens the token of a client that says who it is by the token alone, for a login.
    ///
    /// # Errors
    /// As [`token::open`].
    pub fn open_bearer(
        &self,
        text: &str,
        app: AppId,
        room: &RoomId,
        now: UnixMillis,
    ) -> Result<Token, TokenError> {
        let token_use = TokenUse::Login;
        let expected = Expected { app, user: None, room: room.as_str(), token_use };
        token::open(text, &self.secrets, &self.token_forms, expected, now)
    }

    /// The secret to make new tokens and signatures with.
    pub fn first_secret(&self) -> &ServerSecret {
        &self.secrets[0]
    }
}

/// Which environment an app is for (ruling 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// `IsTest` must be false or absent.
    #[default]
    Production,
    /// `IsTest` must be true or absent.
    Test,
    /// Either; absent means production.
    Any,
}

/// A group of actions that an app may be allowed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Rooms, users, streams, messages, bans.
    Room,
    /// Live streams and their distribution.
    Media,
    /// Mixing and transcoding.
    Mix,
    /// Recording and media files.
    Record,
    /// Moderation.
    Moderation,
}

/// The services of an app (`services`). Default: all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services(Vec<Service>);

impl Services {
    /// Only these.
    pub fn only(services: &[Service]) -> Self {
        Self(services.to_vec())
    }

    /// Whether the app may call `service`.
    pub fn contains(&self, service: Service) -> bool {
        self.0.contains(&service)
    }
}

impl Default for Services {
    fn default() -> Self {
        use Service::{Media, Mix, Moderation, Record, Room};
        Self::only(&[Room, Media, Mix, Record, Moderation])
    }
}

/// Why an app cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppsError {
    /// Too few or too many secrets.
    #[error("an app has 1 to {SECRETS_MAX} server secrets, not {count}")]
    SecretCount {
        /// How many were given.
        count: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "9193cc662a4c0ec135ec71fb57194b38";

    fn app(secrets: &[&str]) -> AppCredentials {
        let secrets = secrets.iter().map(|text| ServerSecret::parse(text).unwrap()).collect();
        AppCredentials::new(secrets).unwrap()
    }

    #[test]
    fn an_app_has_one_secret_or_two() {
        assert_eq!(AppCredentials::new(vec![]).err(), Some(AppsError::SecretCount { count: 0 }));
        let three = vec![ServerSecret::parse(OLD).unwrap(); 3];
        assert_eq!(AppCredentials::new(three).err(), Some(AppsError::SecretCount { count: 3 }));
    }

    #[test]
    fn during_a_rotation_both_secrets_sign_and_after_it_only_one() {
        let sign = |secret: &str| server_api::make(AppId(1), "n", secret.as_bytes(), 5);
        let apps = Apps::new([(AppId(1), app(&[NEW, OLD]))]);
        let handle = apps.clone();
        let during = handle.get(AppId(1)).unwrap();
        assert!(during.check_signature(AppId(1), "n", 5, &sign(OLD)));
        assert!(during.check_signature(AppId(1), "n", 5, &sign(NEW)));
        apps.replace([(AppId(1), app(&[NEW]))]);
        let after = handle.get(AppId(1)).unwrap();
        assert!(!after.check_signature(AppId(1), "n", 5, &sign(OLD)));
        assert!(after.check_signature(AppId(1), "n", 5, &sign(NEW)));
        assert!(during.check_signature(AppId(1), "n", 5, &sign(OLD)), "a running request is kept");
        assert_eq!(handle.get(AppId(2)).map(|_| ()), None);
    }

    #[test]
    fn nothing_secret_prints() {
        let mut app = app(&[OLD]);
        app.callback_secret = Some(Redacted::new("callback-secret".to_owned()));
        let text = format!("{:?}", Apps::new([(AppId(1), app)]));
        assert!(!text.contains("0123456789abcdef") && !text.contains("callback-secret"), "{text}");
    }
}
