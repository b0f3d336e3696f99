//! Callbacks in the configuration: the `[callbacks]` table for all apps, and what each `[[apps]]`
//! table says about its own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ConfigError;
use super::nearest::nearest;

/// The events that callbacks are sent for.
pub(crate) const EVENTS: [&str; 6] =
    ["room_create", "room_close", "room_login", "room_logout", "stream_create", "stream_close"];

/// The `[callbacks]` table: how callbacks of every app are sent and kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CallbacksConfig {
    /// How long a receiver may take for its answer, seconds. Default 5. Longer bears a slow
    /// receiver, and each failing callback holds its room longer.
    pub(crate) receiver_timeout_s: u64,
    /// How long one callback that fails may hold the ones behind it in its room, seconds; then it
    /// steps aside. Default 95: six attempts of 5 seconds and the 62 between them. Shorter lets
    /// the next ones go earlier and more of them out of order.
    pub(crate) hold_s: u64,
    /// Callbacks on their way to one receiver at once. Default 32. More fill a fast receiver
    /// better; fewer spare a small one.
    pub(crate) attempts_per_receiver_max: usize,
    /// Callbacks that wait for their receivers, of all apps. Default 1,000,000, 300 to 560 MB of
    /// memory when all wait. Beyond it the oldest of the app that has most are given up: a
    /// receiver that is dead for days must not stop the rooms.
    pub(crate) backlog_events_max: usize,
    /// Days that callbacks are kept for `odeum callbacks`, after their end. Default 7.
    pub(crate) history_days: u64,
    /// Callbacks kept at most; beyond it the oldest that have ended go. Default 10,000,000, about
    /// 5 GB on disk.
    pub(crate) history_events_max: u64,
    /// Bytes of events kept in memory while the store is away or its disk is full. Default
    /// 67,108,864. Beyond it calls that change a room are refused, and logins too.
    pub(crate) spill_bytes_max: usize,
}

/// How long a callback is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CallbackRetry {
    /// Five times in about a minute, then on for three days.
    #[default]
    Long,
    /// Five times in about a minute, as the contract's vendor does.
    Vendor,
}

impl Default for CallbacksConfig {
    fn default() -> Self {
        Self {
            receiver_timeout_s: 5,
            hold_s: 95,
            attempts_per_receiver_max: 32,
            backlog_events_max: 1_000_000,
            history_days: 7,
            history_events_max: 10_000_000,
            spill_bytes_max: odeum_node::Limits::default().journal_bytes_max,
        }
    }
}

impl CallbacksConfig {
    /// Whether the figures make sense.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`], naming the key.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let ranges: [(&str, bool, &str); 7] = [
            ("callbacks.receiver_timeout_s", in_range(self.receiver_timeout_s, 1, 60), "1 to 60"),
            ("callbacks.hold_s", in_range(self.hold_s, 1, 86_400), "1 to 86400"),
            (
                "callbacks.attempts_per_receiver_max",
                in_range(self.attempts_per_receiver_max as u64, 1, 10_000),
                "1 to 10000",
            ),
            ("callbacks.backlog_events_max", self.backlog_events_max > 0, "1 or more"),
            ("callbacks.history_days", in_range(self.history_days, 1, 3_650), "1 to 3650"),
            ("callbacks.history_events_max", self.history_events_max > 0, "1 or more"),
            ("callbacks.spill_bytes_max", self.spill_bytes_max > 0, "1 or more"),
        ];
        match ranges.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, allowed)) => Err(ConfigError::OutOfRange { key, allowed }),
            None => Ok(()),
        }
    }
}

fn in_range(value: u64, min: u64, max: u64) -> bool {
    (min..=max).contains(&value)
}

/// Whether what an app says about its callbacks fits together.
///
/// # Errors
/// [`ConfigError::Callback`], naming the key.
pub(crate) fn check_app(
    app_id: u32,
    secret: Option<&str>,
    url: Option<&str>,
    urls: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    let refused =
        |key: &str, reason: String| ConfigError::Callback { app_id, key: key.to_owned(), reason };
    if let Some(event) = urls.keys().find(|event| !EVENTS.contains(&event.as_str())) {
        let events: Vec<String> = EVENTS.iter().map(|event| (*event).to_owned()).collect();
        let meant = nearest(event, &events).map(|near| format!("; did you mean `{near}`?"));
        let reason = format!("there is no event `{event}`{}", meant.unwrap_or_default());
        return Err(refused("callback_urls", reason));
    }
    let given = url.map(|url| ("callback_url".to_owned(), url));
    let each = urls.iter().map(|(event, url)| (format!("callback_urls.{event}"), url.as_str()));
    let mut has_url = false;
    for (key, url) in given.into_iter().chain(each) {
        // An empty text turns an event off.
        if url.is_empty() && key != "callback_url" {
            continue;
        }
        has_url = true;
        check_url(url).map_err(|reason| refused(&key, reason))?;
    }
    match secret {
        Some("") => Err(refused("callback_secret", "it is empty".to_owned())),
        None if has_url => {
            let reason = "callbacks are signed: it is needed beside a callback_url".to_owned();
            Err(refused("callback_secret", reason))
        }
        None | Some(_) => Ok(()),
    }
}

fn check_url(text: &str) -> Result<(), String> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{text}` is neither http:// nor https://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("`{text}` names no host"));
    }
    if url.fragment().is_some() {
        return Err(format!("`{text}` has a fragment, which is never sent"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(secret: Option<&str>, url: Option<&str>, urls: &[(&str, &str)]) -> String {
        let urls = urls.iter().map(|(event, url)| ((*event).into(), (*url).into())).collect();
        let checked = check_app(7, secret, url, &urls);
        checked.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_url_needs_a_secret_a_scheme_and_a_host() {
        assert_eq!(refusal(Some("s"), Some("https://backend.example/hook?a=b"), &[]), "");
        assert_eq!(refusal(None, None, &[]), "");
        assert!(refusal(None, Some("http://backend.example"), &[]).contains("callback_secret"));
        assert!(refusal(Some(""), None, &[]).contains("callback_secret"));
        for bad in ["backend.example", "ftp://backend.example", "http://", "", "http://a/#b"] {
            assert!(refusal(Some("s"), Some(bad), &[]).contains("callback_url"), "{bad}");
        }
    }

    #[test]
    fn each_event_may_have_its_own_url_or_none() {
        assert_eq!(
            refusal(Some("s"), None, &[("room_login", "http://a/"), ("room_close", "")]),
            ""
        );
        let text = refusal(Some("s"), None, &[("room_logn", "http://a/")]);
        assert!(text.contains("`room_logn`") && text.contains("`room_login`"), "{text}");
        let text = refusal(Some("s"), None, &[("room_login", "nowhere")]);
        assert!(text.contains("callback_urls.room_login"), "{text}");
    }

    #[test]
    fn figures_have_ranges() {
        assert!(CallbacksConfig::default().check().is_ok());
        let changes: [fn(&mut CallbacksConfig); 7] = [
            |config| config.receiver_timeout_s = 61,
            |config| config.hold_s = 0,
            |config| config.attempts_per_receiver_max = 0,
            |config| config.backlog_events_max = 0,
            |config| config.history_days = 0,
            |config| config.history_events_max = 0,
            |config| config.spill_bytes_max = 0,
        ];
        for change in changes {
            let mut config = CallbacksConfig::default();
            change(&mut config);
            assert!(matches!(config.check(), Err(ConfigError::OutOfRange { .. })), "{config:?}");
        }
    }
}
