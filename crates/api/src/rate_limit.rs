//! How often an action may be called: the contract's figures over sliding windows (ruling 7).
//!
//! A call counts against its app's window and, where the action has one, its room's; it is taken
//! from both or from neither, so a refused call consumes nothing. A whole window's allowance at
//! once is fine.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use odeum_types::{AppId, RoomId, UnixMillis};

/// The window of the figures per app.
const APP_WINDOW: Duration = Duration::from_secs(1);

/// Room windows kept before those that have run out are looked for. They are at most as many as the
/// app windows let through in the longest room window, so this bounds memory without refusing
/// anybody.
const SWEEP_AT_LEAST: usize = 1024;

/// Which figures stand for a call, and which windows count it: test and production count apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    /// `IsTest` is false.
    Production,
    /// `IsTest` is true.
    Test,
}

/// An action's figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Calls a second of one app in production.
    pub(crate) per_second: u32,
    /// The same in the test environment; `None` means as in production.
    pub(crate) per_second_test: Option<u32>,
    /// Calls for one room.
    pub(crate) per_room: Option<RoomLimit>,
}

/// Calls for one room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomLimit {
    /// How many.
    pub(crate) count: u32,
    /// In how long a time.
    pub(crate) window: Duration,
}

impl Limits {
    /// So many a second, and another figure in the test environment if there is one.
    pub(crate) const fn per_second(per_second: u32, per_second_test: Option<u32>) -> Self {
        Self { per_second, per_second_test, per_room: None }
    }

    /// And so many for one room in this time.
    pub(crate) const fn and_per_room(self, count: u32, window: Duration) -> Self {
        Self { per_room: Some(RoomLimit { count, window }), ..self }
    }

    /// The app's figure for a column.
    pub(crate) fn of(&self, column: Column) -> u32 {
        match column {
            Column::Production => self.per_second,
            Column::Test => self.per_second_test.unwrap_or(self.per_second),
        }
    }
}

/// Who calls what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    /// The app.
    pub(crate) app: AppId,
    /// The action's name.
    pub(crate) action: &'static str,
    /// The environment.
    pub(crate) column: Column,
}

/// Which allowance is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// The app's.
    App,
    /// The room's.
    Room,
}

/// The windows of all callers.
///
/// Behind a lock because every request of every connection counts here before it has an owner; it
/// is held for two map operations.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter {
    /// The windows.
    windows: Mutex<Windows>,
}

#[derive(Debug, Default)]
struct Windows {
    /// One per app, action and environment that was called.
    apps: HashMap<Caller, Window>,
    /// One per room as well, for actions that have a limit for it.
    rooms: HashMap<(Caller, RoomId), Window>,
    /// How many room windows there may be before they are swept.
    sweep_at: usize,
}

/// When the calls inside a window were made, oldest first: at most as many as the limit.
#[derive(Debug, Default)]
struct Window {
    /// Times of calls.
    taken: VecDeque<UnixMillis>,
    /// When the last of them no longer counts.
    ends_at: UnixMillis,
}

impl RateLimiter {
    /// Counts a call, or says which allowance it would exceed.
    ///
    /// # Errors
    /// [`Exceeded`]; nothing was counted.
    pub(crate) fn take(
        &self,
        now: UnixMillis,
        caller: Caller,
        per_second: u32,
        room: Option<(&RoomId, RoomLimit)>,
    ) -> Result<(), Exceeded> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let app = windows.apps.entry(caller).or_default();
        if !app.has_place(now, per_second, APP_WINDOW) {
            return Err(Exceeded::App);
        }
        if let Some((room, limit)) = room {
            windows.sweep(now);
            let room = windows.rooms.entry((caller, room.clone())).or_default();
            if !room.has_place(now, limit.count, limit.window) {
                return Err(Exceeded::Room);
            }
            room.take(now, limit.window);
        }
        windows.apps.entry(caller).or_default().take(now, APP_WINDOW);
        Ok(())
    }
}

impl Windows {
    /// Drops the room windows that have run out, once there are twice as many as after the last
    /// time.
    fn sweep(&mut self, now: UnixMillis) {
        if self.rooms.len() < self.sweep_at.max(SWEEP_AT_LEAST) {
            return;
        }
        self.rooms.retain(|_, window| window.ends_at > now);
        self.sweep_at = self.rooms.len() * 2;
    }
}

impl Window {
    fn has_place(&mut self, now: UnixMillis, count: u32, window: Duration) -> bool {
        // The clock was set back by more than calls that race can differ: the calls of the time
        // that is to come once more would fill the window until then.
        if self.taken.back().is_some_and(|at| *at > now.after(window)) {
            self.taken.clear();
        }
        while self.taken.front().is_some_and(|at| at.after(window) <= now) {
            self.taken.pop_front();
        }
        self.taken.len() < count as usize
    }

    fn take(&mut self, now: UnixMillis, window: Duration) {
        self.taken.push_back(now);
        self.ends_at = now.after(window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out() {
        let limiter = RateLimiter::default();
        let hour = 3_600_000;
        assert_eq!(limiter.take(UnixMillis(2 * hour), CALLER, 1, None), Ok(()));
        assert_eq!(limiter.take(UnixMillis(2 * hour - 1), CALLER, 1, None), Err(Exceeded::App));
        assert_eq!(limiter.take(UnixMillis(hour), CALLER, 1, None), Ok(()));
        assert_eq!(limiter.take(UnixMillis(hour), CALLER, 1, None), Err(Exceeded::App));
    }

    const CALLER: Caller =
        Caller { app: AppId(1), action: "DeleteStream", column: Column::Production };

    fn room(id: &str) -> RoomId {
        RoomId::parse(id).unwrap()
    }

    #[test]
    fn a_whole_allowance_may_be_used_at_once_and_slides() {
        let limiter = RateLimiter::default();
        let take = |at| limiter.take(UnixMillis(at), CALLER, 10, None);
        for _ in 0..9 {
            assert_eq!(take(1_000), Ok(()));
        }
        assert_eq!(take(1_500), Ok(()));
        assert_eq!(take(1_500), Err(Exceeded::App));
        assert_eq!(take(1_999), Err(Exceeded::App));
        for _ in 0..9 {
            assert_eq!(take(2_000), Ok(()), "the nine of 1,000 no longer count");
        }
        assert_eq!(take(2_000), Err(Exceeded::App), "the one of 1,500 does");
        assert_eq!(take(2_500), Ok(()));
    }

    #[test]
    fn a_refused_call_consumes_nothing() {
        let limiter = RateLimiter::default();
        let take = |at| limiter.take(UnixMillis(at), CALLER, 1, None);
        assert_eq!(take(0), Ok(()));
        for at in (100..1_000).step_by(100) {
            assert_eq!(take(at), Err(Exceeded::App));
        }
        assert_eq!(take(1_000), Ok(()));
    }

    #[test]
    fn a_call_refused_for_its_room_leaves_the_app_its_allowance() {
        let limiter = RateLimiter::default();
        let limit = RoomLimit { count: 1, window: Duration::from_secs(10) };
        let take = |at, id: &str| limiter.take(UnixMillis(at), CALLER, 2, Some((&room(id), limit)));
        assert_eq!(take(0, "a"), Ok(()));
        assert_eq!(take(0, "a"), Err(Exceeded::Room));
        assert_eq!(take(0, "a"), Err(Exceeded::Room));
        assert_eq!(take(0, "b"), Ok(()), "only one of two was used");
        assert_eq!(take(0, "c"), Err(Exceeded::App));
        assert_eq!(take(1_000, "c"), Ok(()), "the app's refusal did not use the room's");
        assert_eq!(take(9_999, "a"), Err(Exceeded::Room));
        assert_eq!(take(10_000, "a"), Ok(()));
    }

    #[test]
    fn apps_actions_and_environments_count_apart() {
        let limiter = RateLimiter::default();
        let other_app = Caller { app: AppId(2), ..CALLER };
        let other_action = Caller { action: "AddStream", ..CALLER };
        let test = Caller { column: Column::Test, ..CALLER };
        for caller in [CALLER, other_app, other_action, test] {
            assert_eq!(limiter.take(UnixMillis(0), caller, 1, None), Ok(()));
            assert_eq!(limiter.take(UnixMillis(0), caller, 1, None), Err(Exceeded::App));
        }
    }

    #[test]
    fn windows_that_ran_out_are_forgotten() {
        let limiter = RateLimiter::default();
        let limit = RoomLimit { count: 1, window: Duration::from_secs(1) };
        for n in 0..20_000_u64 {
            let room = room(&n.to_string());
            let taken = limiter.take(UnixMillis(n * 10), CALLER, 200, Some((&room, limit)));
            assert_eq!(taken, Ok(()));
        }
        assert!(limiter.windows.lock().unwrap().rooms.len() <= SWEEP_AT_LEAST);
    }

    #[test]
    fn without_a_test_figure_the_production_figure_serves() {
        let limits = Limits { per_second: 50, per_second_test: None, per_room: None };
        assert_eq!(limits.of(Column::Test), 50);
        let limits = Limits { per_second_test: Some(1), ..limits };
        assert_eq!(limits.of(Column::Test), 1);
        assert_eq!(limits.of(Column::Production), 50);
    }
}
