//! What is configured: where an app's callbacks go, how they are signed, how long they are tried.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use odeum_types::{AppId, Redacted};

use crate::event::CallbackEvent;
use crate::retry::RetryPlan;

/// Where and how the callbacks of all apps go; an app without an entry has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// By app.
    pub apps: BTreeMap<AppId, AppCallbacks>,
}

/// Where and how the callbacks of one app go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCallbacks {
    /// Signs them; its bytes are the key.
    pub secret: Redacted<String>,
    /// Where they go. Default: nowhere.
    pub url: Option<Arc<str>>,
    /// Where those of single events go in its place; `None` turns the event off.
    pub urls: BTreeMap<CallbackEvent, Option<Arc<str>>>,
    /// How long one is tried.
    pub retry: RetryPlan,
}

/// Bounds of sending and keeping callbacks, fixed for the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a receiver may take for its answer; then the attempt has failed. Default 5 s
    /// (ruling 26). Longer bears a slow receiver and holds a room longer.
    pub receiver_timeout: Duration,
    /// How long one failing callback may hold the ones behind it in its room; then it steps aside.
    /// Default 95 s: six attempts of 5 s and the 62 s between them (ruling 26).
    pub hold: Duration,
    /// Attempts under way to one receiver; more wait. Default 32.
    pub attempts_per_receiver_max: usize,
    /// Attempts under way in all; more wait. Default 1,024, each a socket. One receiver never
    /// takes more than its own share of them.
    pub attempts_max: usize,
    /// Callbacks that wait, of all apps. Default 1,000,000. Beyond it the oldest ones of the app
    /// that has most are given up ([`odeum_store::CallbackState::Dropped`]): a receiver that is
    /// dead for days must not stop the rooms.
    pub backlog_events_max: usize,
    /// Bytes of bodies kept in memory on their way to the first attempt; others are read from the
    /// store. Default 16 MiB.
    pub bodies_bytes_max: usize,
    /// How long a callback is kept after its end. Default 7 days.
    pub history: Duration,
    /// Callbacks kept; beyond it the oldest that have ended are forgotten. Default 10,000,000.
    pub history_events_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            receiver_timeout: Duration::from_secs(5),
            hold: Duration::from_secs(95),
            attempts_per_receiver_max: 32,
            attempts_max: 1_024,
            backlog_events_max: 1_000_000,
            bodies_bytes_max: 16 * 1024 * 1024,
            history: Duration::from_secs(7 * 86_400),
            history_events_max: 10_000_000,
        }
    }
}

impl Settings {
    /// Where callbacks of `event` go and how; `None` when the app does not want them.
    pub fn receiver(&self, app: AppId, event: CallbackEvent) -> Option<(&AppCallbacks, &Arc<str>)> {
        let callbacks = self.apps.get(&app)?;
        let url = match callbacks.urls.get(&event) {
            Some(own) => own.as_ref(),
            None => callbacks.url.as_ref(),
        };
        Some((callbacks, url?))
    }
}

/// The settings in force, shared by the writer and the sender, and replaced as a whole by a reload.
/// The lock is held to copy or set one `Arc`.
#[derive(Debug, Clone, Default)]
pub(crate) struct CurrentSettings(Arc<RwLock<Arc<Settings>>>);

impl CurrentSettings {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(settings))))
    }

    pub(crate) fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, settings: Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_goes_to_its_own_url_to_the_apps_or_nowhere() {
        let callbacks = AppCallbacks {
            secret: Redacted::new("secret".to_owned()),
            url: Some("http://all/".into()),
            urls: BTreeMap::from([
                (CallbackEvent::StreamCreate, Some("http://streams/".into())),
                (CallbackEvent::RoomCreate, None),
            ]),
            retry: RetryPlan::Long,
        };
        let settings = Settings { apps: BTreeMap::from([(AppId(1), callbacks)]) };
        let url = |app, event| settings.receiver(AppId(app), event).map(|(_, url)| url.to_string());
        assert_eq!(url(1, CallbackEvent::RoomLogin).as_deref(), Some("http://all/"));
        assert_eq!(url(1, CallbackEvent::StreamCreate).as_deref(), Some("http://streams/"));
        assert_eq!(url(1, CallbackEvent::RoomCreate), None);
        assert_eq!(url(2, CallbackEvent::RoomLogin), None);
    }
}
