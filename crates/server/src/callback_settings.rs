//! What the configuration says about callbacks, as the callback crate takes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odeum_callback::{AppCallbacks, CallbackEvent, Limits, RetryPlan, Settings};
use odeum_types::{AppId, Redacted};

use crate::config::{AppConfig, CallbackRetry, CallbacksConfig, Config};

/// Where and how the callbacks of each app go.
pub(crate) fn settings(config: &Config) -> Settings {
    let app = |app: &AppConfig| Some((AppId(app.app_id), of_app(app)?));
    Settings { apps: config.apps.iter().filter_map(app).collect() }
}

/// Bounds of sending and keeping them.
pub(crate) fn limits(config: &CallbacksConfig) -> Limits {
    Limits {
        receiver_timeout: Duration::from_secs(config.receiver_timeout_s),
        hold: Duration::from_secs(config.hold_s),
        attempts_per_receiver_max: config.attempts_per_receiver_max,
        backlog_events_max: config.backlog_events_max,
        history: Duration::from_secs(config.history_days * 86_400),
        history_events_max: config.history_events_max,
        ..Limits::default()
    }
}

fn of_app(app: &AppConfig) -> Option<AppCallbacks> {
    // Checked when the file was read: where there is a URL there is a secret.
    let secret = Redacted::new(app.callback_secret.clone()?);
    let url = |text: &String| (!text.is_empty()).then(|| Arc::from(text.as_str()));
    let named = |(name, text): (&String, &String)| Some((CallbackEvent::parse(name)?, url(text)));
    let urls: BTreeMap<CallbackEvent, Option<Arc<str>>> =
        app.callback_urls.iter().filter_map(named).collect();
    let retry = match app.callback_retry {
        CallbackRetry::Long => RetryPlan::Long,
        CallbackRetry::Vendor => RetryPlan::Vendor,
    };
    Some(AppCallbacks { secret, url: app.callback_url.as_ref().and_then(url), urls, retry })
}
