//! Ends of a whole room: CloseRoom (ruling 19) and the server going down.

use odeum_types::{SessionId, UnixMillis};

use crate::event::{LeaveReason, RoomCloseReason};
use crate::leave::Audience;
use crate::room::Room;

/// Whether a CloseRoom makes a room_close event (`RoomCloseCallback`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomCloseNotice {
    /// It does.
    Send,
    /// It does not; the default of the action.
    Skip,
}

impl Room {
    /// CloseRoom: every client is kicked out with `custom_reason`, and the room is over.
    pub fn close(&mut self, now: UnixMillis, custom_reason: &str, notice: RoomCloseNotice) {
        let event = match notice {
            RoomCloseNotice::Send => Some(RoomCloseReason::Closed),
            RoomCloseNotice::Skip => None,
        };
        self.end_all(now, LeaveReason::RoomClosed, custom_reason, event);
    }

    /// The server goes down: every client is told, and the room is over with its events.
    pub fn server_closing(&mut self, now: UnixMillis) {
        let event = Some(RoomCloseReason::ServerClosing);
        self.end_all(now, LeaveReason::ServerClosing, "", event);
    }

    /// All clients are told before anything else happens, so that nobody hears of the others'
    /// leaving.
    fn end_all(
        &mut self,
        now: UnixMillis,
        reason: LeaveReason,
        custom_reason: &str,
        event: Option<RoomCloseReason>,
    ) {
        if self.sessions.is_empty() {
            return;
        }
        let sessions: Vec<SessionId> = self.login_order.values().copied().collect();
        for session in &sessions {
            self.kick_out(*session, reason, custom_reason);
        }
        for session in sessions {
            self.leave(now, session, reason, custom_reason, Audience::Nobody);
        }
        self.end_life(now, event);
    }
}
