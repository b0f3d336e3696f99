//! How many allocations each user has: no more than so many, under however many names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use odeum_turn::{Refusal, holder};
use odeum_types::{AppId, UserId};

/// Allocations by user. A lock, since each is taken and given back by another task. No more
/// entries than there are allocations.
type ByUser = Arc<Mutex<HashMap<(AppId, UserId), usize>>>;

/// Counts what users have.
pub(super) struct Quotas {
    by_user: ByUser,
    per_user_max: usize,
}

/// One allocation of a user; given back when dropped.
pub(super) struct Taken {
    by_user: ByUser,
    user: (AppId, UserId),
}

impl Quotas {
    /// Nobody has any; each user may have so many at once.
    pub(super) fn new(per_user_max: usize) -> Self {
        Self { by_user: ByUser::default(), per_user_max }
    }

    /// Takes one for the user whose name it is. A user has one session, and another name of it for
    /// each resumption and each question of WHIP: what is counted is the user.
    ///
    /// # Errors
    /// [`Refusal::Quota`]; [`Refusal::Unauthenticated`] for a name that no user was given.
    pub(super) fn take(&self, username: &str) -> Result<Taken, Refusal> {
        let user = holder(username).ok_or(Refusal::Unauthenticated)?;
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_user.entry(user.clone()).or_insert(0);
        if *count >= self.per_user_max {
            return Err(Refusal::Quota);
        }
        *count += 1;
        drop(by_user);
        Ok(Taken { by_user: Arc::clone(&self.by_user), user })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_user.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `ann` of app 7 is told by OPTIONS, and a second later.
    const BY_OPTIONS: [&str; 2] =
        ["1700086400:7:~1700000060:YW5u", "1700086401:7:~1700000061:YW5u"];
    const OF_HER_SESSION: &str = "1700086402:7:42:YW5u";

    #[test]
    fn all_names_of_a_user_share_what_the_user_may_have() {
        let quotas = Quotas::new(2);
        let [first, second] = BY_OPTIONS.map(|name| quotas.take(name).unwrap());
        for name in [BY_OPTIONS[0], BY_OPTIONS[1], OF_HER_SESSION] {
            assert_eq!(quotas.take(name).err(), Some(Refusal::Quota), "{name}");
        }
        drop(first);
        drop((quotas.take(OF_HER_SESSION).unwrap(), second));
        assert!(quotas.by_user.lock().unwrap().is_empty());
    }

    #[test]
    fn users_of_another_name_or_app_have_their_own() {
        let quotas = Quotas::new(1);
        let names =
            [BY_OPTIONS[0], "1700086400:8:~1700000060:YW5u", "1700086400:7:~1700000060:Ym9i"];
        let taken = names.map(|name| quotas.take(name).unwrap());
        drop(taken);
    }
}
