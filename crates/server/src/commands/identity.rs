//! Who signs: an app and its secret, from arguments, environment or a server's configuration file.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use odeum_types::{AppId, Redacted};

use crate::config::{AppConfig, Config, Secrets};
use crate::serve::load;

/// Who signs.
#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// The app.
    #[arg(long, env = "ODEUM_APP_ID", value_name = "NUMBER")]
    pub(crate) app_id: Option<u32>,
    /// The app's server secret, 32 characters. Others on this machine can read arguments: better
    /// given in the environment, or found in --config.
    #[arg(long, env = "ODEUM_SERVER_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub(crate) server_secret: Option<String>,
    /// A server's configuration file: where app and secret are found when they are not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// An app with its secret.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The app.
    pub(crate) app: AppId,
    /// Its secret; during a rotation the new one.
    pub(crate) secret: Redacted<String>,
    /// The file that it was found in, if it was.
    pub(crate) config: Option<Config>,
}

impl IdentityArgs {
    /// Finds app and secret.
    ///
    /// # Errors
    /// What is missing, and where it could be given.
    pub(crate) fn find(&self) -> anyhow::Result<Identity> {
        let config = self.config.as_deref().map(load).transpose()?;
        let configured = match &config {
            Some(config) => Some(self.choose(config)?),
            None => None,
        };
        let app = self.app_id.or(configured.map(|app| app.app_id));
        let app = app.context("which app? Give --app-id, ODEUM_APP_ID or --config")?;
        let secret = match (&self.server_secret, configured) {
            (Some(secret), _) => secret.clone(),
            (None, Some(app)) => first_secret(app).context("app has no server_secret")?,
            (None, None) => bail!("no secret: give ODEUM_SERVER_SECRET or --config"),
        };
        Ok(Identity { app: AppId(app), secret: Redacted::new(secret), config })
    }

    /// The app of a file that is meant: the one named, or the only one.
    fn choose<'a>(&self, config: &'a Config) -> anyhow::Result<&'a AppConfig> {
        match (self.app_id, &config.apps[..]) {
            (Some(id), apps) => {
                let found = apps.iter().find(|app| app.app_id == id);
                found.with_context(|| format!("the file has no app {id}"))
            }
            (None, [app]) => Ok(app),
            (None, apps) => {
                let ids: Vec<String> = apps.iter().map(|app| app.app_id.to_string()).collect();
                bail!("the file has several apps, say which: --app-id {}", ids.join(" or "))
            }
        }
    }
}

fn first_secret(app: &AppConfig) -> Option<String> {
    match &app.server_secret {
        Secrets::One(secret) => Some(secret.clone()),
        Secrets::Several(secrets) => secrets.first().cloned(),
    }
}
