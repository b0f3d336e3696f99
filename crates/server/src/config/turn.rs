//! `[turn]`: the relay of this server for clients whose network is closed to its media ports.

use std::net::SocketAddr;
use std::time::Duration;

use odeum_auth::{IceAccess, IceServer, IceUrl};
use odeum_types::Redacted;
use serde::Deserialize;

use super::ConfigError;

/// `[turn]`. Without the table there is no relay.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnConfig {
    /// The name or address that clients reach the relay at; with `tls_listen` the certificate's.
    pub(crate) host: String,
    /// UDP and TCP.
    pub(crate) listen: SocketAddr,
    /// TLS, with the certificate of `[tls]`. Default: none.
    pub(crate) tls_listen: Option<SocketAddr>,
    /// Seconds that a client's password is good for at most; it ends with its session. Whoever is
    /// longer in a session resumes or logs in again to set up further connections. Default 86,400.
    #[serde(default = "lifetime_s")]
    pub(crate) lifetime_s: u64,
    /// Allocations at once; beyond it clients are refused with 508. Default 1,000.
    #[serde(default = "allocations_max")]
    pub(crate) allocations_max: usize,
    /// Allocations at once of one user, who has one session. Default 64: a session needs one for
    /// each stream that it publishes or plays, and some more while it finds out which way works.
    #[serde(default = "allocations_per_login_max")]
    pub(crate) allocations_per_login_max: usize,
    /// Kilobits each second of one allocation, both directions together; more is lost. Default
    /// 20,000.
    #[serde(default = "kbps_per_allocation_max")]
    pub(crate) kbps_per_allocation_max: u64,
}

fn lifetime_s() -> u64 {
    86_400
}

fn allocations_max() -> usize {
    1_000
}

fn allocations_per_login_max() -> usize {
    64
}

fn kbps_per_allocation_max() -> u64 {
    20_000
}

impl TurnConfig {
    /// Whether it fits together; `has_tls` says whether there is a certificate.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub(super) fn check(&self, has_tls: bool) -> Result<(), ConfigError> {
        self.urls(self.listen.port(), self.tls_listen.map(|listen| listen.port()))?;
        if self.tls_listen.is_some() && !has_tls {
            return Err(ConfigError::TurnWithoutTls);
        }
        for (key, value, most, allowed) in [
            ("turn.lifetime_s", self.lifetime_s, 604_800, "1 to 604800"),
            ("turn.allocations_max", self.allocations_max as u64, 100_000, "1 to 100000"),
            (
                "turn.allocations_per_login_max",
                self.allocations_per_login_max as u64,
                100_000,
                "1 to 100000",
            ),
            (
                "turn.kbps_per_allocation_max",
                self.kbps_per_allocation_max,
                10_000_000,
                "1 to 10000000",
            ),
        ] {
            if value == 0 || value > most {
                return Err(ConfigError::OutOfRange { key, allowed });
            }
        }
        Ok(())
    }

    /// What clients are told, with the real ports.
    ///
    /// # Errors
    /// [`ConfigError::TurnHost`].
    pub(crate) fn server(
        &self,
        port: u16,
        tls_port: Option<u16>,
        secret: Redacted<String>,
    ) -> Result<IceServer, ConfigError> {
        let urls = self.urls(port, tls_port)?;
        let lifetime = Duration::from_secs(self.lifetime_s);
        Ok(IceServer { urls, access: IceAccess::OwnRelay { secret, lifetime } })
    }

    fn urls(&self, port: u16, tls_port: Option<u16>) -> Result<Vec<IceUrl>, ConfigError> {
        // A port that is chosen by the system is known later.
        let (host, port) = (&self.host, port.max(1));
        let plain = ["udp", "tcp"].map(|over| format!("turn:{host}:{port}?transport={over}"));
        let tls = tls_port.map(|port| format!("turns:{host}:{}?transport=tcp", port.max(1)));
        let urls = plain.iter().chain(&tls).map(|url| IceUrl::parse(url));
        urls.collect::<Result<_, _>>().map_err(|_| ConfigError::TurnHost { host: host.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &str) -> Result<TurnConfig, String> {
        let config: TurnConfig = toml::from_str(lines).map_err(|error| error.to_string())?;
        config.check(false).map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn clients_are_told_of_every_way_to_the_relay() {
        let config = parsed("host = \"t.example\"\nlisten = \"0.0.0.0:3478\"\n").unwrap();
        let secret = Redacted::new("s".to_owned());
        let server = config.server(3478, Some(443), secret).unwrap();
        let urls: Vec<_> = server.urls.iter().map(IceUrl::as_str).collect();
        assert_eq!(
            urls,
            [
                "turn:t.example:3478?transport=udp",
                "turn:t.example:3478?transport=tcp",
                "turns:t.example:443?transport=tcp",
            ]
        );
    }

    #[test]
    fn a_refusal_names_the_key() {
        let good = "host = \"t.example\"\nlisten = \"0.0.0.0:3478\"\n";
        for (lines, words) in [
            ("listen = \"0.0.0.0:3478\"\n".to_owned(), "host"),
            ("host = \"a b\"\nlisten = \"0.0.0.0:3478\"\n".to_owned(), "turn.host"),
            (format!("{good}tls_listen = \"0.0.0.0:443\"\n"), "[tls]"),
            (format!("{good}allocations_max = 0\n"), "turn.allocations_max"),
            (format!("{good}lifetime_s = 604801\n"), "turn.lifetime_s"),
        ] {
            let refusal = parsed(&lines).unwrap_err();
            assert!(refusal.contains(words), "{refusal} says nothing of {words}");
        }
    }
}
