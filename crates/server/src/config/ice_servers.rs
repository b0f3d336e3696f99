//! `[[media.ice_servers]]`: STUN and TURN servers that clients are told of.

use std::time::Duration;

use odeum_auth::{IceAccess, IceServer, IceUrl};
use odeum_types::Redacted;
use serde::Deserialize;

use super::ConfigError;

/// ICE servers that clients may be told of; each of them costs every client time.
pub(super) const ICE_SERVERS_MAX: usize = 8;

/// URLs of one server.
const URLS_MAX: usize = 8;

/// Longest name and password, in characters: a header carries them.
const CREDENTIAL_CHARACTERS_MAX: usize = 256;

/// One `[[media.ice_servers]]` table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IceServerConfig {
    /// `stun:`, `stuns:`, `turn:` and `turns:` URLs of one server.
    pub(crate) urls: Vec<String>,
    /// The name that all clients use. Default: none.
    pub(crate) username: Option<String>,
    /// The password that all clients use. Default: none.
    pub(crate) credential: Option<Redacted<String>>,
    /// A secret shared with the TURN server, of which names and passwords are made for each client
    /// (coturn: `static-auth-secret`). Default: none.
    pub(crate) shared_secret: Option<Redacted<String>>,
    /// Seconds that those are good for. Default 86,400. Lower ends earlier what a client may do
    /// with them; a session that is longer has to resume or log in again to set up further
    /// connections by TURN.
    pub(crate) lifetime_s: Option<u64>,
}

/// Seconds that credentials are good for when nothing else is said: a day.
const LIFETIME_S: u64 = 86_400;

impl IceServerConfig {
    /// The server.
    ///
    /// # Errors
    /// [`ConfigError::IceServer`] with `number`, its place in the file from 1.
    pub(crate) fn server(&self, number: usize) -> Result<IceServer, ConfigError> {
        self.parse().map_err(|reason| ConfigError::IceServer { number, reason })
    }

    fn parse(&self) -> Result<IceServer, String> {
        if self.urls.is_empty() || self.urls.len() > URLS_MAX {
            return Err(format!("urls must be 1 to {URLS_MAX}"));
        }
        let urls = self.urls.iter().map(|url| IceUrl::parse(url));
        let urls = urls.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let access = self.access()?;
        if access == IceAccess::Open
            && let Some(turn) = urls.iter().find(|url| url.is_turn())
        {
            let turn = turn.as_str();
            return Err(format!("{turn} needs username and credential, or shared_secret"));
        }
        Ok(IceServer { urls, access })
    }

    fn access(&self) -> Result<IceAccess, String> {
        if self.lifetime_s.is_some() && self.shared_secret.is_none() {
            return Err("lifetime_s is for shared_secret".to_owned());
        }
        match (&self.username, &self.credential, &self.shared_secret) {
            (None, None, None) => Ok(IceAccess::Open),
            (Some(username), Some(credential), None) => {
                check_text("username", username)?;
                check_text("credential", credential.expose())?;
                let (username, credential) = (username.clone(), credential.clone());
                Ok(IceAccess::Fixed { username, credential })
            }
            (None, None, Some(secret)) => {
                if secret.expose().is_empty() {
                    return Err("shared_secret is empty".to_owned());
                }
                let seconds = self.lifetime_s.unwrap_or(LIFETIME_S);
                if !(60..=604_800).contains(&seconds) {
                    return Err("lifetime_s must be 60 to 604800".to_owned());
                }
                let lifetime = Duration::from_secs(seconds);
                Ok(IceAccess::Shared { secret: secret.clone(), lifetime })
            }
            _ => Err("username and credential go together, and without shared_secret".to_owned()),
        }
    }
}

/// What headers can carry, never with the text itself: it may be a password.
fn check_text(key: &str, text: &str) -> Result<(), String> {
    let is_plain = text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    if text.is_empty() || text.len() > CREDENTIAL_CHARACTERS_MAX || !is_plain {
        let characters = CREDENTIAL_CHARACTERS_MAX;
        return Err(format!("{key} must be 1 to {characters} printable ASCII characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &str) -> Result<IceServer, String> {
        let config: IceServerConfig = toml::from_str(lines).map_err(|error| error.to_string())?;
        config.server(1).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_are_open_or_have_one_kind_of_credentials() {
        assert_eq!(parsed("urls = [\"stun:a\"]").unwrap().access, IceAccess::Open);
        let turn = "urls = [\"turn:a\"]\n";
        let fixed = parsed(&format!("{turn}username = \"u\"\ncredential = \"p\"")).unwrap();
        assert!(matches!(fixed.access, IceAccess::Fixed { .. }));
        let shared = parsed(&format!("{turn}shared_secret = \"s\"\nlifetime_s = 60")).unwrap();
        let IceAccess::Shared { lifetime, .. } = shared.access else { panic!("{shared:?}") };
        assert_eq!(lifetime, Duration::from_secs(60));
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_no_password() {
        let turn = "urls = [\"turn:a\"]\n";
        for (lines, words) in [
            ("urls = []", "urls"),
            ("urls = [\"turn:a\"]", "needs username and credential"),
            ("urls = [\"http:a\"]", "stun:, stuns:, turn: or turns:"),
            ("urls = [\"stun:a\"]\nlifetime_s = 60", "lifetime_s is for"),
            (&format!("{turn}username = \"u\""), "go together"),
            (&format!("{turn}username = \"u\"\ncredential = \"tópsecret\""), "credential must"),
            (&format!("{turn}shared_secret = \"\""), "empty"),
            (&format!("{turn}shared_secret = \"topsecret\"\nlifetime_s = 1"), "60 to 604800"),
            (&format!("{turn}username = \"u\"\nshared_secret = \"topsecret\""), "go together"),
        ] {
            let refusal = parsed(lines).unwrap_err();
            assert!(refusal.starts_with("media.ice_servers 1: "), "{refusal}");
            assert!(refusal.contains(words), "{refusal} says nothing of {words}");
            assert!(!refusal.contains("psecret"), "{refusal}");
        }
    }
}
