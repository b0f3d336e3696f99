//! A room worker: one task that owns the rooms whose names hash to it. It carries out one command
//! at a time, hands each output to its one owner, and never waits for any of them.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use odeum_room::{ConnectionId, Output, Room};
use odeum_types::{RoomSessionId, SessionId, UnixMillis, UserId};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use crate::claims::{AppClaims, AppState};
use crate::error::CommandError;
use crate::inbox::{CloseReason, InboxSender};
use crate::journal::Acknowledged;
use crate::mailbox::{MailboxReceiver, RoomKey};
use crate::media_handle::WorkerNumber;
use crate::placement::RoomPeers;
use crate::shared::Shared;
use crate::statistics::count;

/// A room and what the worker keeps beside it.
pub(crate) struct RoomEntry {
    /// The room.
    pub(crate) room: Room,
    /// Its app.
    pub(crate) app: Arc<AppState>,
    /// The WebSockets of its sessions.
    pub(crate) inboxes: FxHashMap<ConnectionId, InboxSender>,
    /// Who is in it: for giving claims back when the room breaks down.
    pub(crate) sessions: FxHashMap<SessionId, SessionRoute>,
    /// Its transports in the media plane.
    pub(crate) peers: RoomPeers,
    /// When it is in the worker's timers.
    pub(crate) timeout: Option<UnixMillis>,
}

/// Where a session's things are.
pub(crate) struct SessionRoute {
    /// Whose session it is.
    pub(crate) user: UserId,
    /// The WebSocket that it had last.
    pub(crate) connection: ConnectionId,
    /// Where its transports are, from the first one on: all on one worker, so that what it plays
    /// can be weighed against each other.
    pub(crate) media: Option<WorkerNumber>,
}

/// The worker's state.
pub(crate) struct RoomWorker {
    /// What all workers and handles share.
    pub(crate) shared: Arc<Shared>,
    /// The rooms.
    pub(crate) rooms: FxHashMap<RoomKey, RoomEntry>,
    /// When which room wants to be woken, earliest first.
    pub(crate) timers: BTreeSet<(UnixMillis, RoomKey)>,
    /// Sessions in `rooms`, readable from outside.
    pub(crate) sessions: Arc<AtomicU64>,
}

/// Runs a worker until its mailbox is gone.
pub(crate) async fn run(shared: Arc<Shared>, sessions: Arc<AtomicU64>, mut mail: MailboxReceiver) {
    let mut worker =
        RoomWorker { shared, rooms: FxHashMap::default(), timers: BTreeSet::new(), sessions };
    loop {
        worker.guard(RoomWorker::handle_timeouts);
        let next = worker.timers.first().map(|(at, _)| worker.shared.clock.instant_of(*at));
        let timeout = async {
            match next {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The media plane first: a refused offer must be known before its client asks again.
            biased;
            Some(notice) = mail.notices.recv() => {
                worker.guard(|worker| worker.handle_peer_notice(notice));
            }
            job = mail.jobs.recv() => match job {
                Some(job) => worker.guard(job),
                None => return,
            },
            () = timeout => {}
        }
    }
}

impl RoomWorker {
    /// Runs one step. A panic that is not a room's own is a defect of the worker: it is logged and
    /// counted, its caller gets no reply, and the worker's rooms go on.
    fn guard(&mut self, step: impl FnOnce(&mut Self)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| step(self))) {
            count(&self.shared.counters.worker_panics);
            tracing::error!(
                rooms = self.rooms.len(),
                reason = panic_text(&*panic),
                "a room worker panicked and goes on",
            );
        }
    }

    /// Runs `command` on a room that exists and carries out what follows.
    pub(crate) fn command<R>(
        &mut self,
        key: &RoomKey,
        command: impl FnOnce(UnixMillis, &mut Room, &AppClaims) -> R,
    ) -> Result<(R, Option<Acknowledged>), CommandError> {
        let now = self.shared.clock.now();
        let Some(entry) = self.rooms.get_mut(key) else { return Err(self.no_room()) };
        let RoomEntry { room, app, .. } = entry;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let result = command(now, room, &app.claims);
            (result, drain(room))
        }));
        match outcome {
            Ok((result, outputs)) => Ok((result, self.carry_out(key, outputs))),
            Err(panic) => {
                self.fail_room(key, &*panic);
                Err(CommandError::RoomFailed)
            }
        }
    }

    /// Reads a room that exists.
    pub(crate) fn query<R>(
        &mut self,
        key: &RoomKey,
        query: impl FnOnce(&Room) -> R,
    ) -> Result<R, CommandError> {
        let Some(entry) = self.rooms.get(key) else { return Err(self.no_room()) };
        let room = &entry.room;
        match catch_unwind(AssertUnwindSafe(|| query(room))) {
            Ok(result) => Ok(result),
            Err(panic) => {
                self.fail_room(key, &*panic);
                Err(CommandError::RoomFailed)
            }
        }
    }

    /// Puts an empty room in place for a login to come, unless it exists. False when the app has
    /// all the rooms it may have. [`RoomWorker::drop_if_over`] takes it away again if the login
    /// fails.
    pub(crate) fn ensure_room(&mut self, key: &RoomKey, app: &Arc<AppState>) -> bool {
        if self.rooms.contains_key(key) {
            return true;
        }
        if !app.room_begins(self.shared.limits.rooms_per_app_max) {
            return false;
        }
        // Random, below 2^63, never reused: 63 bits do not repeat in practice (ruling 21).
        let life = RoomSessionId(rand::random::<u64>() >> 1);
        let now = self.shared.clock.now();
        let room = Room::new(now, key.0, key.1.clone(), life, app.room_config());
        self.rooms.insert(
            key.clone(),
            RoomEntry {
                room,
                app: Arc::clone(app),
                inboxes: FxHashMap::default(),
                sessions: FxHashMap::default(),
                peers: RoomPeers::default(),
                timeout: None,
            },
        );
        true
    }

    /// Routes what the room sends over `connection` to `inbox`, from now on.
    pub(crate) fn route(
        &mut self,
        key: &RoomKey,
        session: SessionId,
        connection: ConnectionId,
        user: &UserId,
        inbox: InboxSender,
    ) {
        let Some(entry) = self.rooms.get_mut(key) else { return };
        entry.inboxes.insert(connection, inbox);
        let route = SessionRoute { user: user.clone(), connection, media: None };
        if entry.sessions.insert(session, route).is_none() {
            self.sessions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes back [`RoomWorker::route`] for a session that did not come to be.
    pub(crate) fn unroute(&mut self, key: &RoomKey, session: SessionId, connection: ConnectionId) {
        let Some(entry) = self.rooms.get_mut(key) else { return };
        entry.inboxes.remove(&connection);
        if entry.sessions.remove(&session).is_some() {
            self.sessions.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Puts an inbox in place for a connection that a session is about to get.
    pub(crate) fn add_inbox(
        &mut self,
        key: &RoomKey,
        connection: ConnectionId,
        inbox: InboxSender,
    ) {
        if let Some(entry) = self.rooms.get_mut(key) {
            entry.inboxes.insert(connection, inbox);
        }
    }

    /// Remembers that `session` is on `connection` now.
    pub(crate) fn reroute(&mut self, key: &RoomKey, session: SessionId, connection: ConnectionId) {
        let entry = self.rooms.get_mut(key);
        if let Some(route) = entry.and_then(|entry| entry.sessions.get_mut(&session)) {
            route.connection = connection;
        }
    }

    /// Forgets the WebSocket, without a word to it: it is gone.
    pub(crate) fn drop_inbox(&mut self, key: &RoomKey, connection: ConnectionId) {
        if let Some(entry) = self.rooms.get_mut(key) {
            entry.inboxes.remove(&connection);
        }
    }

    /// Sends `result` once `acknowledged` says that the events are safe, without waiting here.
    pub(crate) fn reply<R: Send + 'static>(
        result: R,
        acknowledged: Option<Acknowledged>,
        reply: oneshot::Sender<R>,
    ) {
        // A caller that passed its deadline is gone; the command stands.
        let Some(acknowledged) = acknowledged else {
            drop(reply.send(result));
            return;
        };
        tokio::spawn(async move {
            // A receiver that is dropped without acknowledging ends the wait as well: the command
            // was carried out, and a reply that never came would say less.
            drop(acknowledged.await);
            drop(reply.send(result));
        });
    }

    /// Ends every room because the server goes down; resolves each when its events are safe.
    pub(crate) fn close_all(&mut self) -> Vec<Acknowledged> {
        let keys: Vec<RoomKey> = self.rooms.keys().cloned().collect();
        let close = |now, room: &mut Room, _: &AppClaims| room.server_closing(now);
        // A room that panics here is dropped and logged like any other.
        keys.iter().filter_map(|key| self.command(key, close).ok()?.1).collect()
    }

    /// Drops a room without users.
    pub(crate) fn drop_if_over(&mut self, key: &RoomKey) {
        if self.rooms.get(key).is_some_and(|entry| entry.room.is_over())
            && let Some(entry) = self.rooms.remove(key)
        {
            self.forget(key, entry);
        }
    }

    /// What a missing room means: one that the shutdown has ended is not one that nobody is in.
    fn no_room(&self) -> CommandError {
        if self.shared.is_closing() { CommandError::ShuttingDown } else { CommandError::NoRoom }
    }

    fn forget(&mut self, key: &RoomKey, entry: RoomEntry) {
        if let Some(at) = entry.timeout {
            self.timers.remove(&(at, key.clone()));
        }
        self.sessions.fetch_sub(entry.sessions.len() as u64, Ordering::Relaxed);
        entry.app.room_ends();
    }

    fn handle_timeouts(&mut self) {
        let now = self.shared.clock.now();
        while let Some((at, key)) = self.timers.first().cloned() {
            if at > now {
                return;
            }
            // Out of the timers first, so that a room whose timeout does not move cannot spin here.
            self.timers.pop_first();
            if let Some(entry) = self.rooms.get_mut(&key) {
                entry.timeout = None;
            }
            self.run_on(&key, |now, room, _| room.handle_timeout(now));
        }
    }

    /// Runs what nobody waits for. A room that is gone, or that panics and is logged, needs no
    /// more.
    pub(crate) fn run_on(
        &mut self,
        key: &RoomKey,
        command: impl FnOnce(UnixMillis, &mut Room, &AppClaims),
    ) {
        drop(self.command(key, command));
    }

    /// Drops a room that panicked, alone: its state is not to be trusted any more.
    fn fail_room(&mut self, key: &RoomKey, panic: &(dyn Any + Send)) {
        count(&self.shared.counters.room_panics);
        let Some(mut entry) = self.rooms.remove(key) else { return };
        tracing::error!(
            app = %key.0, room = %key.1, sessions = entry.sessions.len(), peers = entry.peers.len(),
            reason = panic_text(panic),
            "a room panicked and is dropped; its clients log in anew",
        );
        for (_, inbox) in entry.inboxes.drain() {
            inbox.close(CloseReason::RoomFailed);
        }
        for (peer, worker) in entry.peers.iter() {
            self.shared.media(worker).close(peer);
        }
        {
            let mut claims = entry.app.claims.lock();
            for (session, route) in &entry.sessions {
                claims.release_user(&route.user, *session);
            }
            claims.release_room_streams(entry.room.room_session());
        }
        self.forget(key, entry);
    }
}

fn drain(room: &mut Room) -> Vec<Output> {
    std::iter::from_fn(|| room.poll_output()).collect()
}

/// What a panic said, for the log.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use odeum_types::{AppId, RoomId};

    use crate::{CommandError, NodeConfig, NodeHandle};

    #[tokio::test]
    async fn a_worker_that_panics_outside_its_rooms_goes_on() {
        let mut config = NodeConfig { room_workers: 1, ..NodeConfig::default() };
        config.media.listen = "127.0.0.1:0".parse().unwrap();
        let (node, _events) = NodeHandle::start(config).unwrap();
        let room = RoomId::parse("lobby").unwrap();
        let key = (AppId(1), room.clone());
        node.shared.post(&key, Box::new(|_| panic!("a broken invariant"))).unwrap();
        let served = node.query(AppId(1), &room, |_| ()).await;
        assert_eq!(served, Err(CommandError::NoRoom));
        assert_eq!(node.statistics().await.control.worker_panics, 1);
    }
}
