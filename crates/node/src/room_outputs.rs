//! What follows from a command: each output of a room goes to its one owner, in order.

use std::sync::atomic::Ordering;

use odeum_room::{ConnectionId, DisconnectReason, Event, MediaCommand, Output};
use odeum_types::SessionId;

use crate::inbox::{CloseReason, PushError, Pushed};
use crate::journal::Acknowledged;
use crate::mailbox::RoomKey;
use crate::room_worker::RoomWorker;
use crate::statistics::count;

impl RoomWorker {
    /// Hands each output to its owner, in order, and sees to the room's timer and end.
    pub(crate) fn carry_out(
        &mut self,
        key: &RoomKey,
        outputs: Vec<Output>,
    ) -> Option<Acknowledged> {
        let mut events: Vec<Event> = Vec::new();
        let mut slow: Vec<(SessionId, ConnectionId)> = Vec::new();
        for output in outputs {
            self.carry_out_one(key, output, &mut events, &mut slow);
        }
        let acknowledged = self.shared.journal.events(events);
        for (session, connection) in slow {
            self.run_on(key, |now, room, _| room.disconnected(now, session, connection));
        }
        self.drop_if_over(key);
        self.set_timer(key);
        acknowledged
    }

    fn carry_out_one(
        &mut self,
        key: &RoomKey,
        output: Output,
        events: &mut Vec<Event>,
        slow: &mut Vec<(SessionId, ConnectionId)>,
    ) {
        let Some(entry) = self.rooms.get_mut(key) else { return };
        match output {
            // Without an inbox a WebSocket is gone and the room will hear so; it keeps its notices.
            Output::Send { session, connection, sequence, notice } => {
                let Some(inbox) = entry.inboxes.get(&connection) else { return };
                let pushed = inbox.push(sequence, notice);
                count(&self.shared.counters.notices);
                if let Err(error) = pushed {
                    self.connection_lost(key, session, connection, error, slow);
                }
            }
            Output::SendUnnumbered { session, connection, notice } => {
                let Some(inbox) = entry.inboxes.get(&connection) else { return };
                match inbox.push_unnumbered(notice) {
                    Ok(Pushed::Queued) => count(&self.shared.counters.notices),
                    Ok(Pushed::Thinned) => count(&self.shared.counters.barrages_thinned),
                    Err(error) => self.connection_lost(key, session, connection, error, slow),
                }
            }
            Output::Disconnect { connection, reason, .. } => {
                if let Some(inbox) = entry.inboxes.remove(&connection) {
                    inbox.close(close_reason(reason, self.shared.is_closing()));
                }
            }
            Output::Media(MediaCommand::ClosePeer(peer)) => {
                // One that the media plane has ended by itself is gone from both.
                if let Some(worker) = entry.peers.remove(peer) {
                    self.shared.media(worker).close(peer);
                }
            }
            Output::Media(MediaCommand::Cut { peer, media }) => {
                if let Some(worker) = entry.peers.worker_of(peer) {
                    self.shared.media(worker).cut(peer, media);
                }
            }
            Output::ReleaseUser { user, session } => {
                entry.app.claims.lock().release_user(&user, session);
                if let Some(route) = entry.sessions.remove(&session) {
                    entry.inboxes.remove(&route.connection);
                    self.sessions.fetch_sub(1, Ordering::Relaxed);
                }
            }
            Output::ReleaseStream { stream, room_session } => {
                entry.app.claims.lock().release_stream(&stream, room_session);
            }
            Output::Event(event) => events.push(event),
        }
    }

    fn connection_lost(
        &mut self,
        key: &RoomKey,
        session: SessionId,
        connection: ConnectionId,
        error: PushError,
        slow: &mut Vec<(SessionId, ConnectionId)>,
    ) {
        match error {
            PushError::Gone => {}
            PushError::Full => {
                count(&self.shared.counters.clients_cut);
                tracing::warn!(
                    app = %key.0, room = %key.1, %session,
                    "a client reads too slowly; its connection is cut",
                );
            }
        }
        self.drop_inbox(key, connection);
        slow.push((session, connection));
    }

    fn set_timer(&mut self, key: &RoomKey) {
        let Some(entry) = self.rooms.get_mut(key) else { return };
        let wanted = entry.room.poll_timeout();
        if wanted == entry.timeout {
            return;
        }
        if let Some(at) = entry.timeout.take() {
            self.timers.remove(&(at, key.clone()));
        }
        if let Some(at) = wanted {
            entry.timeout = Some(at);
            self.timers.insert((at, key.clone()));
        }
    }
}

fn close_reason(reason: DisconnectReason, is_closing: bool) -> CloseReason {
    match reason {
        DisconnectReason::Resumed => CloseReason::Replaced,
        DisconnectReason::SessionEnded if is_closing => CloseReason::ServerClosing,
        DisconnectReason::SessionEnded => CloseReason::SessionOver,
    }
}
