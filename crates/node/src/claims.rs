//! The apps that the node serves and what is unique in each: their user and stream claims.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use odeum_room::{App, DeleteStreamMode, RoomConfig, RuleChange};
use odeum_types::{AppId, UnixMillis};
use rustc_hash::FxHashMap;

/// What an operator chooses per app; the rest of a room's configuration is the node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSettings {
    /// The app.
    pub app: AppId,
    /// What DeleteStream does to the media (rulings 11 and 12).
    pub delete_stream: DeleteStreamMode,
    /// Whether an expired token removes its user (ruling 25).
    pub kick_on_token_expiry: bool,
    /// How long the packets of a video frame may wait for the rest of it, so that each viewer gets
    /// them in one send; at most [`crate::LINGER_MAX`]. Zero: not at all.
    pub linger: Duration,
}

/// The claims of one app.
///
/// Shared by the room workers behind a lock because a claim has to be made in the same step as the
/// room's change: a message to an owner would let the room go on between asking and hearing, and a
/// closed or refilled room would then hold claims that nobody gives back. The lock is held for one
/// room command at most, microseconds, and never across an await.
#[derive(Debug, Default)]
pub struct AppClaims(Mutex<App>);

impl AppClaims {
    /// The claims, for one operation. A room that panicked while it held them left them whole: each
    /// change of [`App`] is one map operation.
    pub fn lock(&self) -> MutexGuard<'_, App> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One app as the node knows it. It lives as long as a room of it does, also when the configuration
/// no longer has it.
#[derive(Debug)]
pub(crate) struct AppState {
    /// Its claims.
    pub(crate) claims: AppClaims,
    /// Its rooms at once, on all workers.
    rooms: AtomicUsize,
    /// What its next rooms and streams are to be; set as a whole by a reload.
    chosen: Mutex<Chosen>,
    /// Held while a rule is checked, stored and put in force, so that rules come into force in the
    /// order in which they were stored; a message to an owner would queue in the same way.
    pub(crate) rule_turn: tokio::sync::Mutex<()>,
}

/// What an operator has chosen for an app.
#[derive(Debug)]
struct Chosen {
    /// How its rooms are configured.
    room: RoomConfig,
    /// How long its video packets may wait.
    linger: Duration,
}

impl AppState {
    fn new(chosen: Chosen, now: UnixMillis, rules: Vec<RuleChange>) -> Self {
        let claims = AppClaims::default();
        for change in rules {
            claims.lock().rules_mut().apply(now, change);
        }
        Self {
            claims,
            rule_turn: tokio::sync::Mutex::new(()),
            rooms: AtomicUsize::new(0),
            chosen: Mutex::new(chosen),
        }
    }

    /// How a room that begins now is configured.
    pub(crate) fn room_config(&self) -> RoomConfig {
        self.chosen().room.clone()
    }

    /// How long the video packets of a stream that begins now may wait.
    pub(crate) fn linger(&self) -> Duration {
        self.chosen().linger
    }

    fn chosen(&self) -> MutexGuard<'_, Chosen> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a room in; false when the app has `rooms_max` already.
    pub(crate) fn room_begins(&self, rooms_max: usize) -> bool {
        let more = |rooms| (rooms < rooms_max).then_some(rooms + 1);
        self.rooms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Counts a room out.
    pub(crate) fn room_ends(&self) {
        self.rooms.fetch_sub(1, Ordering::Relaxed);
    }

    /// Rooms of the app.
    pub(crate) fn rooms(&self) -> usize {
        self.rooms.load(Ordering::Relaxed)
    }
}

/// All apps. The lock is held to look one up or to put a reload's in place; a message would add a
/// task switch to every command.
#[derive(Debug)]
pub(crate) struct AppRegistry {
    /// The apps served, by id.
    apps: RwLock<FxHashMap<AppId, Arc<AppState>>>,
    /// What every room has unless its app says otherwise.
    room_config: RoomConfig,
    /// Rules that were stored before the start, of apps that are not served yet.
    stored_rules: Mutex<FxHashMap<AppId, Vec<RuleChange>>>,
}

impl AppRegistry {
    /// A registry of these apps,
    /// with the rules that were stored before the start.
    pub(crate) fn new(
        room_config: RoomConfig,
        now: UnixMillis,
        apps: Vec<AppSettings>,
        rules: Vec<(AppId, RuleChange)>,
    ) -> Self {
        let mut stored: FxHashMap<AppId, Vec<RuleChange>> = FxHashMap::default();
        for (app, change) in rules {
            stored.entry(app).or_default().push(change);
        }
        let stored_rules = Mutex::new(stored);
        let registry = Self { apps: RwLock::default(), room_config, stored_rules };
        registry.update(now, apps);
        registry
    }

    /// Takes a reload's apps: known ones keep their claims and rooms, and their next rooms are
    /// configured anew; a removed one takes no new login and its rooms end by themselves.
    pub(crate) fn update(&self, now: UnixMillis, apps: Vec<AppSettings>) {
        let mut known = self.apps.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|id, state| {
            // Rules outlive a mistake in the file that the next reload mends.
            state.rooms() > 0
                || !state.claims.lock().rules().is_empty()
                || apps.iter().any(|app| app.app == *id)
        });
        let mut stored = self.stored_rules.lock().unwrap_or_else(PoisonError::into_inner);
        for app in apps {
            let room = RoomConfig {
                delete_stream: app.delete_stream,
                kick_on_token_expiry: app.kick_on_token_expiry,
                ..self.room_config.clone()
            };
            let chosen = Chosen { room, linger: app.linger };
            match known.get(&app.app) {
                Some(state) => *state.chosen() = chosen,
                None => {
                    let rules = stored.remove(&app.app).unwrap_or_default();
                    known.insert(app.app, Arc::new(AppState::new(chosen, now, rules)));
                }
            }
        }
    }

    /// The app, if it is known.
    pub(crate) fn get(&self, app: AppId) -> Option<Arc<AppState>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).get(&app).cloned()
    }

    /// Every app.
    pub(crate) fn all(&self) -> Vec<Arc<AppState>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_400_000_000);

    fn settings(app: u32, delete_stream: DeleteStreamMode) -> AppSettings {
        let (app, linger) = (AppId(app), Duration::ZERO);
        AppSettings { app, delete_stream, kick_on_token_expiry: false, linger }
    }

    #[test]
    fn a_reload_changes_the_next_rooms_and_keeps_the_claims() {
        let registry = AppRegistry::new(
            RoomConfig::default(),
            NOW,
            vec![settings(1, DeleteStreamMode::Stop), settings(2, DeleteStreamMode::Stop)],
            Vec::new(),
        );
        let before = registry.get(AppId(1)).unwrap();
        registry.update(NOW, vec![settings(1, DeleteStreamMode::Notify)]);
        let after = registry.get(AppId(1)).unwrap();
        assert!(Arc::ptr_eq(&before, &after));
        assert_eq!(after.room_config().delete_stream, DeleteStreamMode::Notify);
        assert!(registry.get(AppId(2)).is_none());
    }

    #[test]
    fn rooms_are_counted_up_to_the_limit() {
        let chosen = Chosen { room: RoomConfig::default(), linger: Duration::ZERO };
        let app = AppState::new(chosen, NOW, Vec::new());
        assert!(app.room_begins(2) && app.room_begins(2));
        assert!(!app.room_begins(2));
        app.room_ends();
        assert!(app.room_begins(2));
    }
}
