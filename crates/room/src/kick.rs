//! KickoutUser (ruling 19).

use odeum_types::{UnixMillis, UserId};

use crate::event::LeaveReason;
use crate::leave::Audience;
use crate::room::Room;

impl Room {
    /// Removes users; those who are not there are passed over. `custom_reason` reaches the kicked
    /// clients. Kicking the last user ends the room.
    pub fn kick_users(&mut self, now: UnixMillis, users: &[UserId], custom_reason: &str) {
        for user in users {
            let Some(session) = self.users.get(user).copied() else { continue };
            self.leave(now, session, LeaveReason::Kicked, custom_reason, Audience::Others);
        }
    }
}
