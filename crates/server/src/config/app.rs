//! One `[[apps]]` table: who may call and log in, and how the app behaves.

use std::collections::BTreeMap;
use std::time::Duration;

use odeum_auth::{
    AppCredentials, Environment, SECRETS_MAX, ServerSecret, Service, Services, TokenForm,
    TokenForms,
};
use odeum_node::LINGER_MAX;
use odeum_types::{AppId, Redacted};
use serde::Deserialize;

use super::ConfigError;
use super::callbacks::{self, CallbackRetry};
use super::nearest::nearest;

/// The secret in `odeum.example.toml`, known to everyone and so refused.
pub(crate) const PLACEHOLDER_SECRET: &str = "replace-me-by-32-characters-0000";

/// One `[[apps]]` table.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppConfig {
    /// The app's number.
    pub(crate) app_id: u32,
    /// 32 characters, or two such texts while one is being rotated; the first makes new things.
    pub(crate) server_secret: Secrets,
    /// Signs callbacks. Default: none, and no callback is sent.
    pub(crate) callback_secret: Option<String>,
    /// Where callbacks go. Default: nowhere.
    pub(crate) callback_url: Option<String>,
    /// Where callbacks of single events go in its place, by the event's name; an empty text turns
    /// the event off. Default: none.
    #[serde(default)]
    pub(crate) callback_urls: BTreeMap<String, String>,
    /// How long a callback is tried. Default long.
    #[serde(default)]
    pub(crate) callback_retry: CallbackRetry,
    /// Which environment the app is for. Default production.
    #[serde(default)]
    pub(crate) environment: Environment,
    /// What DeleteStream does to the media. Default stop.
    #[serde(default)]
    pub(crate) delete_stream: DeleteStream,
    /// Services that the app may call. Default: all.
    #[serde(default = "all_services")]
    pub(crate) services: Vec<Service>,
    /// Kinds of token that clients may show; at least one. Default: all.
    #[serde(default = "all_token_forms")]
    pub(crate) token_forms: Vec<TokenForm>,
    /// Whether an expired token removes its user. Default false.
    #[serde(default)]
    pub(crate) kick_on_token_expiry: bool,
    /// Milliseconds, 0 to 4, that the packets of a video frame may wait for the rest of it.
    /// Default 0.
    #[serde(default)]
    pub(crate) linger_ms: u8,
    /// Server API calls per second by Action, in place of the contract's figures. Default: none.
    #[serde(default)]
    pub(crate) calls_per_second: BTreeMap<String, u32>,
}

/// One secret, or a list of them.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Secrets {
    /// The usual case.
    One(String),
    /// During a rotation.
    Several(Vec<String>),
}

/// What DeleteStream does to the media (rulings 11 and 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeleteStream {
    /// Forwarding ends at once.
    #[default]
    Stop,
    /// Media goes on until the publisher stops.
    Notify,
}

fn all_services() -> Vec<Service> {
    use Service::{Media, Mix, Moderation, Record, Room};
    vec![Room, Media, Mix, Record, Moderation]
}

fn all_token_forms() -> Vec<TokenForm> {
    vec![TokenForm::Token04Gcm, TokenForm::Token04Cbc, TokenForm::Token03]
}

impl std::fmt::Debug for AppConfig {
    /// Everything but the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppConfig")
            .field("app_id", &self.app_id)
            .field("callback_url", &self.callback_url)
            .field("callback_urls", &self.callback_urls)
            .field("callback_retry", &self.callback_retry)
            .field("environment", &self.environment)
            .field("delete_stream", &self.delete_stream)
            .field("services", &self.services)
            .field("token_forms", &self.token_forms)
            .field("kick_on_token_expiry", &self.kick_on_token_expiry)
            .field("linger_ms", &self.linger_ms)
            .field("calls_per_second", &self.calls_per_second)
            .finish_non_exhaustive()
    }
}

impl AppConfig {
    /// An app of the defaults, for `--dev`.
    pub(crate) fn new(app_id: AppId, server_secret: String) -> Self {
        Self {
            app_id: app_id.0,
            server_secret: Secrets::One(server_secret),
            callback_secret: None,
            callback_url: None,
            callback_urls: BTreeMap::new(),
            callback_retry: CallbackRetry::default(),
            environment: Environment::default(),
            delete_stream: DeleteStream::default(),
            services: all_services(),
            token_forms: all_token_forms(),
            kick_on_token_expiry: false,
            linger_ms: 0,
            calls_per_second: BTreeMap::new(),
        }
    }

    /// What the surfaces need of it.
    ///
    /// # Errors
    /// [`ConfigError::Secret`].
    pub(crate) fn credentials(&self) -> Result<(AppId, AppCredentials), ConfigError> {
        let refused = |reason: String| ConfigError::Secret { app_id: self.app_id, reason };
        let texts: Vec<&String> = match &self.server_secret {
            Secrets::One(secret) => vec![secret],
            Secrets::Several(secrets) => secrets.iter().collect(),
        };
        if texts.is_empty() || texts.len() > SECRETS_MAX {
            return Err(refused(format!("give 1 to {SECRETS_MAX} secrets, not {}", texts.len())));
        }
        if texts.iter().any(|text| *text == PLACEHOLDER_SECRET) {
            return Err(refused("still the example's; make your own 32 characters".to_owned()));
        }
        let secrets = texts
            .into_iter()
            .map(|text| ServerSecret::parse(text))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refused(error.to_string()))?;
        let mut app = AppCredentials::new(secrets).map_err(|error| refused(error.to_string()))?;
        app.callback_secret = self.callback_secret.clone().map(Redacted::new);
        app.environment = self.environment;
        app.services = Services::only(&self.services);
        app.token_forms = TokenForms::only(&self.token_forms);
        app.kick_on_token_expiry = self.kick_on_token_expiry;
        app.calls_per_second = self.calls_per_second.clone();
        Ok((AppId(self.app_id), app))
    }

    /// Whether the table can be used.
    ///
    /// # Errors
    /// [`ConfigError::Secret`], [`ConfigError::Callback`], [`ConfigError::NoAction`] or
    /// [`ConfigError::OutOfRange`].
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.credentials()?;
        if self.app_id == 0 {
            return Err(ConfigError::OutOfRange { key: "apps.app_id", allowed: "1 to 4294967295" });
        }
        if Duration::from_millis(self.linger_ms.into()) > LINGER_MAX {
            return Err(ConfigError::OutOfRange { key: "apps.linger_ms", allowed: "0 to 4" });
        }
        if self.token_forms.is_empty() {
            return Err(ConfigError::OutOfRange { key: "apps.token_forms", allowed: "1 or more" });
        }
        let (secret, url) = (self.callback_secret.as_deref(), self.callback_url.as_deref());
        callbacks::check_app(self.app_id, secret, url, &self.callback_urls)?;
        let actions: Vec<String> = odeum_api::action_names().map(str::to_owned).collect();
        if let Some(action) = self.calls_per_second.keys().find(|name| !actions.contains(name)) {
            let (app_id, action) = (self.app_id, action.clone());
            let suggestion = nearest(&action, &actions).cloned();
            return Err(ConfigError::NoAction { app_id, action, suggestion });
        }
        if self.calls_per_second.values().any(|calls| *calls == 0) {
            let key = "every figure of apps.calls_per_second";
            return Err(ConfigError::OutOfRange { key, allowed: "1 or more" });
        }
        Ok(())
    }
}
