//! A room worker: one task that owns the rooms whose names hash to it. It carries out one command at a
//! time, hands each output to its one owner, and never waits for any of them.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use odeum_room::{
    ConnectionId, DisconnectReason, Event, MediaCloseReason, MediaCommand, MediaFacts, Output, Room,
};
use odeum_sfu::CloseReason as PeerCloseReason;
use odeum_types::{AppId, PeerId, RoomId, RoomSessionId, SessionId, UnixMillis, UserId};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::{mpsc, oneshot};

use crate::claims::{AppClaims, AppState};
use crate::error::CommandError;
use crate::events::Acknowledged;
use crate::inbox::{CloseReason, InboxSender, PushError};
use crate::media_worker::{CreatePeer, MediaHandle};
use crate::peer_notice::{PeerChange, PeerNotice, PeerRole};
use crate::shared::Shared;
use crate::statistics::count;

/// What is sent to a worker: it runs there, alone.
pub(crate) type Job = Box<dyn FnOnce(&mut RoomWorker) + Send>;

/// Where a room is found: names are unique inside an app.
pub(crate) type RoomKey = (AppId, RoomId);

/// The queues to one worker.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    /// Bounded: commands of clients and backends.
    pub(crate) jobs: mpsc::Sender<Job>,
    /// What media workers tell; see [`crate::peer_notice::PeerOwner`].
    pub(crate) notices: mpsc::UnboundedSender<PeerNotice>,
}

/// The reading ends of a [`Mailbox`].
pub(crate) struct MailboxReceiver {
    jobs: mpsc::Receiver<Job>,
    notices: mpsc::UnboundedReceiver<PeerNotice>,
}

/// A mailbox for at most `commands_max` waiting commands.
pub(crate) fn mailbox(commands_max: usize) -> (Mailbox, MailboxReceiver) {
    let (jobs, job_receiver) = mpsc::channel(commands_max);
    let (notices, notice_receiver) = mpsc::unbounded_channel();
    (Mailbox { jobs, notices }, MailboxReceiver { jobs: job_receiver, notices: notice_receiver })
}

/// A room and what the worker keeps beside it.
pub(crate) struct RoomEntry {
    /// The room.
    room: Room,
    /// Its app.
    app: Arc<AppState>,
    /// The WebSockets of its sessions.
    inboxes: FxHashMap<ConnectionId, InboxSender>,
    /// Who is in it: for giving claims back when the room breaks down.
    sessions: FxHashMap<SessionId, SessionRoute>,
    /// Its transports in the media plane.
    peers: FxHashSet<PeerId>,
    /// When it is in the worker's timers.
    timeout: Option<UnixMillis>,
}

/// Where a session's things are.
struct SessionRoute {
    /// Whose session it is.
    user: UserId,
    /// The WebSocket that it had last.
    connection: ConnectionId,
}

/// The worker's state.
pub(crate) struct RoomWorker {
    /// What all workers and handles share.
    pub(crate) shared: Arc<Shared>,
    /// The rooms.
    rooms: FxHashMap<RoomKey, RoomEntry>,
    /// When which room wants to be woken, earliest first.
    timers: BTreeSet<(UnixMillis, RoomKey)>,
    /// Sessions in `rooms`, readable from outside.
    sessions: Arc<AtomicU64>,
}

/// Runs a worker until its mailbox is gone.
pub(crate) async fn run(shared: Arc<Shared>, sessions: Arc<AtomicU64>, mut mail: MailboxReceiver) {
    let mut worker =
        RoomWorker { shared, rooms: FxHashMap::default(), timers: BTreeSet::new(), sessions };
    loop {
        worker.handle_timeouts();
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
            Some(notice) = mail.notices.recv() => worker.handle_peer_notice(notice),
            job = mail.jobs.recv() => match job {
                Some(job) => job(&mut worker),
                None => return,
            },
            () = timeout => {}
        }
    }
}

impl RoomWorker {
    /// Runs `command` on a room that exists and carries out what follows.
    pub(crate) fn command<R>(
        &mut self,
        key: &RoomKey,
        command: impl FnOnce(UnixMillis, &mut Room, &AppClaims) -> R,
    ) -> Result<(R, Option<Acknowledged>), CommandError> {
        let now = self.shared.clock.now();
        let entry = self.rooms.get_mut(key).ok_or(CommandError::NoRoom)?;
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
        let entry = self.rooms.get(key).ok_or(CommandError::NoRoom)?;
        let room = &entry.room;
        match catch_unwind(AssertUnwindSafe(|| query(room))) {
            Ok(result) => Ok(result),
            Err(panic) => {
                self.fail_room(key, &*panic);
                Err(CommandError::RoomFailed)
            }
        }
    }

    /// Puts an empty room in place for a login to come, unless it exists. False when the app has all the
    /// rooms it may have. [`RoomWorker::drop_if_over`] takes it away again if the login fails.
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
                peers: FxHashSet::default(),
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
        let route = SessionRoute { user: user.clone(), connection };
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

    /// Asks the media plane for the transport of a publication or play that the room has just begun. This
    /// worker alone asks for and ends the transports of its rooms, so that an end never overtakes its
    /// beginning.
    ///
    /// # Errors
    /// [`CommandError::Overloaded`]; the room has been told that nothing came of it.
    pub(crate) fn create_peer(
        &mut self,
        key: &RoomKey,
        create: CreatePeer,
    ) -> Result<(), CommandError> {
        let (owner, peer) = (create.owner.clone(), create.peer);
        if let Some(entry) = self.rooms.get_mut(key) {
            entry.peers.insert(peer);
        }
        if self.media(key).create(create).is_err() {
            count(&self.shared.counters.media_refusals);
            self.handle_peer_notice(PeerNotice { owner, peer, change: PeerChange::OfferRefused });
            return Err(CommandError::Overloaded);
        }
        Ok(())
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
            // A receiver that is dropped without acknowledging ends the wait as well: the command was
            // carried out, and a reply that never came would say less.
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

    fn forget(&mut self, key: &RoomKey, entry: RoomEntry) {
        if let Some(at) = entry.timeout {
            self.timers.remove(&(at, key.clone()));
        }
        self.sessions.fetch_sub(entry.sessions.len() as u64, Ordering::Relaxed);
        entry.app.room_ends();
    }

    fn disown_peer(&mut self, key: &RoomKey, peer: PeerId) {
        if let Some(entry) = self.rooms.get_mut(key) {
            entry.peers.remove(&peer);
        }
    }

    fn media(&self, key: &RoomKey) -> &MediaHandle {
        self.shared.media_of(key)
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

    /// Runs what nobody waits for. A room that is gone, or that panics and is logged, needs no more.
    fn run_on(&mut self, key: &RoomKey, command: impl FnOnce(UnixMillis, &mut Room, &AppClaims)) {
        drop(self.command(key, command));
    }

    fn handle_peer_notice(&mut self, notice: PeerNotice) {
        let PeerNotice { owner, peer, change } = notice;
        let key = (owner.app, owner.room);
        let is_ours = self.rooms.get(&key).is_some_and(|entry| entry.peers.contains(&peer));
        if !is_ours {
            // The room gave it up meanwhile.
            return;
        }
        match change {
            PeerChange::Connected(facts) => {
                let facts = MediaFacts { audio: facts.audio, video: facts.video };
                self.run_on(&key, |now, room, _| room.media_connected(now, peer, facts));
            }
            PeerChange::OfferRefused => {
                self.disown_peer(&key, peer);
                // Its client gets the refusal as the reply to its offer; to the room it just stopped.
                self.run_on(&key, |now, room, _| match owner.role {
                    PeerRole::Publisher => {
                        drop(room.stop_publishing(now, owner.session, &owner.stream));
                    }
                    PeerRole::Player => {
                        drop(room.stop_playing(now, owner.session, &owner.stream));
                    }
                });
            }
            PeerChange::Closed(reason) => {
                self.disown_peer(&key, peer);
                tracing::info!(
                    app = %key.0, room = %key.1, stream = %owner.stream, %peer, ?reason,
                    "a media transport ended",
                );
                let reason = room_reason(reason);
                self.run_on(&key, |now, room, _| room.media_closed(now, peer, reason));
            }
            PeerChange::Lost => {
                self.disown_peer(&key, peer);
                self.run_on(&key, |now, room, _| {
                    room.media_closed(now, peer, MediaCloseReason::Lost);
                });
            }
        }
    }

    /// Hands each output to its owner, in order, and sees to the room's timer and end.
    fn carry_out(&mut self, key: &RoomKey, outputs: Vec<Output>) -> Option<Acknowledged> {
        let mut events: Vec<Event> = Vec::new();
        let mut slow: Vec<(SessionId, ConnectionId)> = Vec::new();
        for output in outputs {
            self.carry_out_one(key, output, &mut events, &mut slow);
        }
        let acknowledged = self.shared.events.send(events);
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
            Output::Send { session, connection, sequence, notice } => {
                // Without an inbox its WebSocket is gone and the room will hear so; it keeps the notice.
                let Some(inbox) = entry.inboxes.get(&connection) else { return };
                count(&self.shared.counters.notices);
                match inbox.push(sequence, notice) {
                    Ok(()) => return,
                    Err(PushError::Gone) => {}
                    Err(PushError::Full) => {
                        count(&self.shared.counters.clients_cut);
                        tracing::warn!(
                            app = %key.0, room = %key.1, %session,
                            "a client reads too slowly; its connection is cut",
                        );
                    }
                }
                entry.inboxes.remove(&connection);
                slow.push((session, connection));
            }
            Output::Disconnect { connection, reason, .. } => {
                if let Some(inbox) = entry.inboxes.remove(&connection) {
                    inbox.close(close_reason(reason, self.shared.is_closing()));
                }
            }
            Output::Media(MediaCommand::ClosePeer(peer)) => {
                entry.peers.remove(&peer);
                self.media(key).close(peer);
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
        for peer in entry.peers.drain() {
            self.media(key).close(peer);
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

fn close_reason(reason: DisconnectReason, is_closing: bool) -> CloseReason {
    match reason {
        DisconnectReason::Resumed => CloseReason::Replaced,
        DisconnectReason::SessionEnded if is_closing => CloseReason::ServerClosing,
        DisconnectReason::SessionEnded => CloseReason::SessionOver,
    }
}

fn room_reason(reason: PeerCloseReason) -> MediaCloseReason {
    match reason {
        PeerCloseReason::PublisherGone => MediaCloseReason::PublisherGone,
        PeerCloseReason::Commanded
        | PeerCloseReason::ConnectTimeout
        | PeerCloseReason::Silence
        | PeerCloseReason::RemoteClosed
        | PeerCloseReason::FingerprintMismatch
        | PeerCloseReason::HandshakeFailed
        | PeerCloseReason::Panicked => MediaCloseReason::Lost,
    }
}

/// What a panic said, for the log.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
