//! Why a configuration is refused: one sentence each, with the key at fault and never a secret.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::nearest::nearest;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A key that no table has.
    #[error("line {line}: unknown key `{key}`{}", meant(.suggestion))]
    UnknownKey {
        /// Line of the file, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The nearest key of the same table.
        suggestion: Option<String>,
    },
    /// Not TOML, or a value of the wrong type, or a key missing.
    #[error("line {line}: {message}")]
    Malformed {
        /// Line of the file, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// No app.
    #[error("no app is configured: add an [[apps]] table with app_id and server_secret")]
    NoApps,
    /// The same app id in two tables.
    #[error("app {app_id} stands twice")]
    AppTwice {
        /// The app.
        app_id: u32,
    },
    /// A secret of the wrong length, or too many of them.
    #[error("app {app_id}: server_secret: {reason}")]
    Secret {
        /// The app.
        app_id: u32,
        /// What is wrong, without the secret.
        reason: String,
    },
    /// A figure for an action that does not exist.
    #[error(
        "app {app_id}: calls_per_second: there is no Action `{action}`{}",
        meant(.suggestion)
    )]
    NoAction {
        /// The app.
        app_id: u32,
        /// The name in the file.
        action: String,
        /// The nearest name of an action.
        suggestion: Option<String>,
    },
    /// What an app says about its callbacks does not fit.
    #[error("app {app_id}: {key}: {reason}")]
    Callback {
        /// The app.
        app_id: u32,
        /// The key at fault.
        key: String,
        /// What is wrong, without the secret.
        reason: String,
    },
    /// The admin token is too short to be one.
    #[error("admin.token has fewer than {characters_min} characters: make it of random ones")]
    AdminToken {
        /// The least that is taken.
        characters_min: usize,
    },
    /// Plain HTTP would be served to a network.
    #[error(
        "listen = {listen} would serve plain HTTP beyond loopback: set [tls], or \
         behind_proxy = true when a proxy in front ends TLS"
    )]
    PlainBeyondLoopback {
        /// The address.
        listen: SocketAddr,
    },
    /// More servers than clients are told of.
    #[error("media.ice_servers: at most {servers_max}: each costs every client time")]
    IceServersMax {
        /// The limit.
        servers_max: usize,
    },
    /// What is said of an ICE server does not fit.
    #[error("media.ice_servers {number}: {reason}")]
    IceServer {
        /// Its place in the file, from 1.
        number: usize,
        /// What is wrong, without a secret.
        reason: String,
    },
    /// Nothing that a URL of the relay can be made of.
    #[error("turn.host = \"{host}\" is neither a name nor an address; IPv6 stands in brackets")]
    TurnHost {
        /// What stands there.
        host: String,
    },
    /// TLS without a certificate.
    #[error("turn.tls_listen needs the certificate of [tls]")]
    TurnWithoutTls,
    /// No address of a STUN server.
    #[error("media.stun_server = \"{server}\" is not host:port, like stun.example.com:3478")]
    StunServer {
        /// What stands there.
        server: String,
    },
    /// A number out of its range.
    #[error("{key} must be {allowed}")]
    OutOfRange {
        /// The key with its table.
        key: &'static str,
        /// The range in words.
        allowed: &'static str,
    },
    /// The last worker's port would be above 65535.
    #[error("{key}: {workers} workers from port {first} would need ports above 65535")]
    PortsBeyondEnd {
        /// The address that they begin with.
        key: &'static str,
        /// The first worker's port.
        first: u16,
        /// How many workers.
        workers: u16,
    },
}

impl ConfigError {
    /// Reads the parser's error: an unknown field becomes [`ConfigError::UnknownKey`] with the
    /// nearest of the fields that the parser expected.
    pub(crate) fn from_toml(error: &toml::de::Error, text: &str) -> Self {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        let message = error.message();
        let Some(rest) = message.strip_prefix("unknown field `") else {
            return Self::Malformed { line, message: name_key(message, text, line) };
        };
        // "unknown field `a`, expected one of `b`, `c`": every second part between back quotes is a
        // name.
        let mut names = rest.split('`').step_by(2).map(str::to_owned);
        let key = names.next().unwrap_or_default();
        let candidates: Vec<String> =
            rest.split('`').skip(2).step_by(2).map(str::to_owned).collect();
        let suggestion = nearest(&key, &candidates).cloned();
        Self::UnknownKey { line, key, suggestion }
    }
}

/// The end of a sentence about a misspelled word.
fn meant(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// The parser's message, led by the key of its line where the message does not name it.
fn name_key(message: &str, text: &str, line: usize) -> String {
    let key = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key);
    match key.map(str::trim) {
        Some(key) if !key.is_empty() && !message.contains(key) => format!("{key}: {message}"),
        _ => message.to_owned(),
    }
}
