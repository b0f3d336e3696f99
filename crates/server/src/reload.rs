//! SIGHUP: takes over what can change while rooms go on, and names what cannot.

use odeum_auth::Apps;
use odeum_callback::Callbacks;
use odeum_node::NodeHandle;
use tracing::{error, info, warn};

use crate::callback_settings;
use crate::config::{AppConfig, Config};
use crate::serve::app_settings;

/// Takes over the apps of `new`. Rooms stay untouched; a changed setting outside `[[apps]]` is
/// named in the log and waits for a restart.
pub(crate) fn apply(
    config: &mut Config,
    new: Config,
    apps: &Apps,
    node: &NodeHandle,
    callbacks: &Callbacks,
) {
    for key in needs_restart(config, &new) {
        warn!(key, "changed in the file; it needs a restart");
    }
    match new.apps.iter().map(AppConfig::credentials).collect::<Result<Vec<_>, _>>() {
        Ok(credentials) => apps.replace(credentials),
        Err(error) => {
            error!(%error, "the apps stay as they were");
            return;
        }
    }
    node.update_apps(app_settings(&new));
    callbacks.update_settings(callback_settings::settings(&new));
    config.apps = new.apps;
    info!(apps = config.apps.len(), "the apps were read again");
}

/// The settings that differ and cannot be taken over.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = [
        ("listen", old.listen != new.listen),
        ("data_dir", old.data_dir != new.data_dir),
        ("behind_proxy", old.behind_proxy != new.behind_proxy),
        ("tls", old.tls != new.tls),
        ("media", old.media != new.media),
        ("admin", old.admin != new.admin),
        ("rooms", old.rooms != new.rooms),
        ("callbacks", old.callbacks != new.callbacks),
        ("limits", old.limits != new.limits),
    ];
    changed.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeum_types::AppId;

    #[test]
    fn settings_that_need_a_restart_are_named() {
        let old = Config::with_app(AppConfig::new(AppId(1), "a".repeat(32)));
        let mut new = Config::with_app(AppConfig::new(AppId(1), "b".repeat(32)));
        assert!(needs_restart(&old, &new).is_empty(), "apps do not need one");
        new.media.workers = 2;
        new.rooms.heartbeat_timeout_s = 5;
        assert_eq!(needs_restart(&old, &new), ["media", "rooms"]);
    }
}
