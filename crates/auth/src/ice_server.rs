//! STUN and TURN servers that clients are told of, and what opens them: a fixed name and password,
//! or ones that are made for each client from a secret shared with the TURN server, and that expire
//! (the "REST API for access to TURN services", draft-uberti-behave-turn-rest, as coturn's
//! `use-auth-secret` has it).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use odeum_types::{Redacted, UnixMillis};

use crate::turn_name::{TurnHolder, TurnName};

/// Longest `urls` of one server, in bytes; headers carry them.
const URL_BYTES_MAX: usize = 255;

/// A server that clients are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Where it is, at least one.
    pub urls: Vec<IceUrl>,
    /// What opens it.
    pub access: IceAccess,
}

/// What opens an ICE server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceAccess {
    /// Anybody may use it: STUN.
    Open,
    /// The same for all clients.
    Fixed {
        /// The user's name there.
        username: String,
        /// The password.
        credential: Redacted<String>,
    },
    /// Made for each client.
    Shared {
        /// What the TURN server knows as well.
        secret: Redacted<String>,
        /// How long a client may ask the TURN server for something with it.
        lifetime: Duration,
    },
    /// The server's own relay: made for each session, and good no longer than it.
    OwnRelay {
        /// What the relay knows as well.
        secret: Redacted<String>,
        /// How long it is good at most.
        lifetime: Duration,
    },
}

/// The URL of an ICE server (RFC 7064, RFC 7065), checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceUrl(String);

/// Why a text is not the URL of an ICE server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IceUrlError {
    /// Another scheme, or none.
    #[error("`{0}` does not begin with stun:, stuns:, turn: or turns:")]
    Scheme(String),
    /// No host, or a host or port that cannot be.
    #[error("`{0}` is not like turn:turn.example.com:3478")]
    Host(String),
    /// Something else than `?transport=udp` or `?transport=tcp` behind a TURN server.
    #[error("`{0}`: behind the port may stand ?transport=udp or ?transport=tcp, of TURN servers")]
    Transport(String),
    /// Too long.
    #[error("a URL has more than {URL_BYTES_MAX} bytes")]
    TooLong,
}

/// What one client is told of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServerGrant {
    /// Where it is.
    pub urls: Vec<IceUrl>,
    /// Name and password; none where anybody may use it.
    pub credentials: Option<(String, Redacted<String>)>,
}

/// The servers that clients are told of. Clones are handles of the same.
#[derive(Debug, Clone, Default)]
pub struct IceServers(Arc<[IceServer]>);

impl IceUrl {
    /// Checks a URL.
    ///
    /// # Errors
    /// [`IceUrlError`], with the text.
    pub fn parse(text: &str) -> Result<Self, IceUrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(IceUrlError::TooLong);
        }
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let is_turn = match scheme {
            "stun" | "stuns" => false,
            "turn" | "turns" => true,
            _ => return Err(IceUrlError::Scheme(text.to_owned())),
        };
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        match query {
            None => {}
            Some("transport=udp" | "transport=tcp") if is_turn => {}
            Some(_) => return Err(IceUrlError::Transport(text.to_owned())),
        }
        if !is_place(place) {
            return Err(IceUrlError::Host(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a TURN server, which nobody may use without credentials.
    pub fn is_turn(&self) -> bool {
        self.0.starts_with("turn")
    }
}

/// Whether it is a host, with or without a port; an IPv6 address stands in brackets.
fn is_place(text: &str) -> bool {
    let (is_host, rest) = match text.strip_prefix('[') {
        Some(text) => {
            let Some((address, rest)) = text.split_once(']') else { return false };
            (address.parse::<std::net::Ipv6Addr>().is_ok(), rest)
        }
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            (!host.is_empty() && host.chars().all(is_of_name), rest)
        }
    };
    let is_port = match rest.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port != 0),
        None => rest.is_empty(),
    };
    is_host && is_port
}

impl IceServers {
    /// These.
    pub fn new(servers: Vec<IceServer>) -> Self {
        Self(servers.into())
    }

    /// What `holder` is told at `now`.
    pub fn grants(&self, holder: &TurnHolder, now: UnixMillis) -> Vec<IceServerGrant> {
        let grant = |server: &IceServer| IceServerGrant {
            urls: server.urls.clone(),
            credentials: match &server.access {
                IceAccess::Open => None,
                IceAccess::Fixed { username, credential } => {
                    Some((username.clone(), credential.clone()))
                }
                IceAccess::Shared { secret, lifetime } => {
                    Some(make_credentials(secret, holder.user.as_str(), now.after(*lifetime)))
                }
                IceAccess::OwnRelay { secret, lifetime } => {
                    let username = TurnName::write(holder, now, now.after(*lifetime));
                    let password = turn_password(secret, &username);
                    Some((username, password))
                }
            },
        };
        self.0.iter().map(grant).collect()
    }

    /// With one more at the end.
    pub fn with(&self, server: IceServer) -> Self {
        Self(self.0.iter().cloned().chain([server]).collect())
    }

    /// What somebody is told who has not said who they are: servers that anybody may use.
    pub fn open(&self) -> Vec<IceServerGrant> {
        let open = self.0.iter().filter(|server| server.access == IceAccess::Open);
        open.map(|server| IceServerGrant { urls: server.urls.clone(), credentials: None }).collect()
    }
}

/// The name says until when it is good, the password proves that we made it.
fn make_credentials(
    secret: &Redacted<String>,
    user: &str,
    expires_at: UnixMillis,
) -> (String, Redacted<String>) {
    // The name stands in headers and in texts of other servers' logs: plain characters only.
    let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@') {
        true => c,
        false => '_',
    };
    let user: String = user.chars().map(plain).collect();
    let username = format!("{}:{user}", expires_at.0 / 1_000);
    let password = turn_password(secret, &username);
    (username, password)
}

/// The password of a name that begins with the second of its end, for who shares the secret.
pub fn turn_password(secret: &Redacted<String>, username: &str) -> Redacted<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
    Redacted::new(STANDARD.encode(hmac::sign(&key, username.as_bytes()).as_ref()))
}

#[cfg(test)]
mod tests {
    use odeum_types::{AppId, SessionId, UserId};

    use super::*;

    fn ann(session: Option<u64>) -> TurnHolder {
        let user = UserId::parse("ann").unwrap();
        TurnHolder { app: AppId(7), user, session: session.map(SessionId) }
    }

    #[test]
    fn a_url_names_scheme_host_port_and_transport() {
        for good in [
            "stun:stun.example.com",
            "stun:192.0.2.1:3478",
            "stuns:stun.example.com:5349",
            "turn:[2001:db8::1]:3478?transport=udp",
            "turn:turn.example.com?transport=tcp",
            "turns:turn.example.com:443",
        ] {
            let url = IceUrl::parse(good).unwrap();
            assert_eq!((url.as_str(), url.is_turn()), (good, good.starts_with("turn")));
        }
        for bad in [
            "",
            "http://turn.example.com",
            "turn.example.com:3478",
            "turn:",
            "turn://turn.example.com",
            "turn:a b",
            "turn:a>; rel=x",
            "turn:a\r\nSet-Cookie: x",
            "turn:[2001:db8::1",
            "turn:2001:db8::1",
            "turn:a:0",
            "turn:a:65536",
            "turn:a?transport=sctp",
            "stun:a?transport=udp",
        ] {
            assert!(IceUrl::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(IceUrl::parse(&format!("stun:{}", "a".repeat(255))), Err(IceUrlError::TooLong));
    }

    #[test]
    fn a_shared_secret_makes_what_coturn_takes() {
        // python3 -c 'import hmac, base64; print(base64.b64encode(hmac.digest(b"north",
        // b"1700003600:ann", "sha1")).decode())'
        let secret = Redacted::new("north".to_owned());
        let made = make_credentials(&secret, "ann", UnixMillis(1_700_003_600_999));
        assert_eq!(made.0, "1700003600:ann");
        assert_eq!(made.1.expose(), "TwqKCcbzejRFa1sgGqGS7SEzCGg=");
        let strange = make_credentials(&secret, "ä\"\\\r\n:", UnixMillis(5_000));
        assert_eq!(strange.0, "5:______");
    }

    #[test]
    fn who_has_not_said_who_they_are_gets_no_credentials() {
        let url = |text| vec![IceUrl::parse(text).unwrap()];
        let secret = Redacted::new("north".to_owned());
        let servers = IceServers::new(vec![
            IceServer { urls: url("stun:a"), access: IceAccess::Open },
            IceServer {
                urls: url("turn:b"),
                access: IceAccess::Shared { secret, lifetime: Duration::from_secs(60) },
            },
        ]);
        assert_eq!(servers.open(), [IceServerGrant { urls: url("stun:a"), credentials: None }]);
        let grants = servers.grants(&ann(None), UnixMillis(40_000));
        assert_eq!(grants.len(), 2);
        assert_eq!(grants[1].credentials.as_ref().unwrap().0, "100:ann");
    }

    #[test]
    fn at_the_own_relay_each_session_has_a_name_of_its_own() {
        let secret = Redacted::new("north".to_owned());
        let lifetime = Duration::from_secs(60);
        let own = IceAccess::OwnRelay { secret: secret.clone(), lifetime };
        let urls = vec![IceUrl::parse("turn:b").unwrap()];
        let servers = IceServers::new(vec![IceServer { urls, access: own }]);
        let [grant] = &servers.grants(&ann(Some(42)), UnixMillis(40_000))[..] else { panic!() };
        let (name, password) = grant.credentials.as_ref().unwrap();
        assert_eq!(TurnName::parse(name).unwrap().holder, ann(Some(42)));
        assert!(name.starts_with("100:"), "{name}");
        assert_eq!(password, &turn_password(&secret, name));
        assert_eq!(servers.open(), []);
    }
}
