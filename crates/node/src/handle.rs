//! The one way into the node: surfaces ask through it, it finds the worker and waits for the reply.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use odeum_room::{
    ConnectionId, HeartbeatError, LeaveError, RenewTokenError, Room, StopPlayingError,
    StopPublishingError,
};
use odeum_types::{AppId, RoomId, SessionId, StreamId, UnixMillis, UserId};
use tokio::sync::oneshot;
use tracing::Span;

use crate::claims::{AppClaims, AppSettings};
use crate::error::CommandError;
use crate::limits::STATISTICS_WAIT;
use crate::mailbox::RoomKey;
use crate::room_worker::RoomWorker;
use crate::shared::Shared;
use crate::statistics::{MediaStatistics, NodeStatistics, count};

/// A session as a surface refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionRef {
    /// The app.
    pub app: AppId,
    /// The room.
    pub room: RoomId,
    /// The session.
    pub session: SessionId,
    /// The WebSocket that carries it now.
    pub connection: ConnectionId,
}

/// A handle of a running node; clones are handles of the same node. Every call that reaches a room
/// ends within [`crate::Limits::command_deadline`].
#[derive(Clone)]
pub struct NodeHandle {
    /// The node.
    pub(crate) shared: Arc<Shared>,
}

impl NodeHandle {
    /// Runs `command` on the worker that owns the room, alone with the room, and returns its result
    /// once the events that it caused are acknowledged. The claims are locked by the command
    /// itself, for the one call that needs them: `room.add_stream(now, &mut claims.lock(),
    /// ..)`.
    ///
    /// # Errors
    /// [`CommandError`], each variant as it says.
    pub async fn command<R: Send + 'static>(
        &self,
        app: AppId,
        room: &RoomId,
        command: impl FnOnce(UnixMillis, &mut Room, &AppClaims) -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        self.shared.admit()?;
        self.run_admitted((app, room.clone()), command).await
    }

    /// Reads a room.
    ///
    /// # Errors
    /// [`CommandError`]; never `EventsFull`: reading changes nothing.
    pub async fn query<R: Send + 'static>(
        &self,
        app: AppId,
        room: &RoomId,
        query: impl FnOnce(&Room) -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        self.shared.admit_without_events()?;
        let key = (app, room.clone());
        self.ask(&key.clone(), move |worker, reply| {
            RoomWorker::reply(worker.query(&key, query), None, reply);
        })
        .await?
    }

    /// The client is alive and has every notice up to `last_sequence`.
    ///
    /// # Errors
    /// Outside, that the room was not reached; inside, that it refused.
    pub async fn heartbeat(
        &self,
        session: &SessionRef,
        last_sequence: u64,
    ) -> Result<Result<(), HeartbeatError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.heartbeat(now, id, last_sequence)).await
    }

    /// The client leaves.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn logout(
        &self,
        session: &SessionRef,
    ) -> Result<Result<(), LeaveError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.logout(now, id)).await
    }

    /// The client has a new token.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn renew_token(
        &self,
        session: &SessionRef,
        token_expires_at: Option<UnixMillis>,
    ) -> Result<Result<(), RenewTokenError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.renew_token(now, id, token_expires_at)).await
    }

    /// The client stops publishing.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn unpublish(
        &self,
        session: &SessionRef,
        stream: StreamId,
    ) -> Result<Result<(), StopPublishingError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.stop_publishing(now, id, &stream)).await
    }

    /// The client stops playing.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn unplay(
        &self,
        session: &SessionRef,
        stream: StreamId,
    ) -> Result<Result<(), StopPlayingError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.stop_playing(now, id, &stream)).await
    }

    /// The session's WebSocket is gone. Never refused: it waits for its place, and when the node is
    /// too busy for longer than the deadline the room notices by itself at the next notice or
    /// heartbeat.
    pub async fn disconnected(&self, session: &SessionRef) {
        let key = (session.app, session.room.clone());
        let (id, connection) = (session.session, session.connection);
        let job = Box::new({
            let key = key.clone();
            move |worker: &mut RoomWorker| {
                worker.drop_inbox(&key, connection);
                // A room that is gone has no session to tell.
                drop(worker.command(&key, |now, room, _| room.disconnected(now, id, connection)));
            }
        });
        let deadline = self.shared.limits.command_deadline;
        let sent = self.shared.mailbox(&key).jobs.send_timeout(job, deadline).await;
        if sent.is_err() && !self.shared.is_closing() {
            count(&self.shared.counters.mailbox_refusals);
        }
    }

    /// Takes a reload's apps: known apps keep their rooms, and rooms that begin from now on are
    /// configured anew.
    pub fn update_apps(&self, apps: Vec<AppSettings>) {
        self.shared.apps.update(self.now(), apps);
    }

    /// The node's time.
    pub fn now(&self) -> UnixMillis {
        self.shared.clock.now()
    }

    /// How long a session may be silent before it is timed out.
    pub fn heartbeat_timeout(&self) -> Duration {
        self.shared.heartbeat_timeout
    }

    /// Where the media workers are bound, with the real ports.
    pub fn media_addresses(&self) -> &[SocketAddr] {
        &self.shared.media_addresses
    }

    /// Whether every media worker serves, and somebody takes what is to be stored.
    pub fn is_healthy(&self) -> bool {
        !self.shared.is_closing()
            && !self.shared.journal.is_closed()
            && self.shared.media.iter().all(|worker| worker.is_alive())
    }

    /// The session that a user has in an app now, and how long ago its login began.
    pub fn user_session(&self, app: AppId, user: &UserId) -> Option<(SessionId, Duration)> {
        let state = self.shared.apps.get(app)?;
        let claims = state.claims.lock();
        let (session, since) = (claims.user_session(user)?, claims.user_session_since(user)?);
        Some((session, self.now().since(since)))
    }

    /// What the node has counted, for the metrics page.
    pub async fn statistics(&self) -> NodeStatistics {
        let shared = &self.shared;
        let mut statistics = NodeStatistics {
            sessions: shared.sessions.iter().map(|count| count.load(Ordering::Relaxed)).sum(),
            journal_entries: shared.journal.entries() as u64,
            journal_bytes: shared.journal.bytes() as u64,
            control: shared.counters.copy(),
            ..NodeStatistics::default()
        };
        for app in shared.apps.all() {
            statistics.rooms += app.rooms() as u64;
            let claims = app.claims.lock();
            statistics.users += claims.user_count() as u64;
            statistics.streams += claims.stream_count() as u64;
        }
        for worker in shared.media.iter() {
            let answer = tokio::time::timeout(STATISTICS_WAIT, worker.statistics()).await;
            let empty = MediaStatistics::default();
            statistics.media.push(answer.ok().flatten().unwrap_or(empty));
        }
        statistics
    }

    /// Ends the node: no new work, every room closed with its events (reasons 2 and 4, ruling 20),
    /// every client told, the media plane stopped. Returns when all is done and its events are
    /// acknowledged, or when `deadline` has passed.
    pub async fn shutdown(&self, deadline: Duration) {
        self.shared.closing.store(true, Ordering::Release);
        let close = async {
            let mut closed = Vec::new();
            for mailbox in &self.shared.rooms {
                let (reply, answer) = oneshot::channel();
                let job = Box::new(move |worker: &mut RoomWorker| {
                    reply.send(worker.close_all()).unwrap_or_default();
                });
                if mailbox.jobs.send(job).await.is_ok() {
                    closed.push(answer);
                }
            }
            for answer in closed {
                for acknowledged in answer.await.unwrap_or_default() {
                    // A receiver that is gone acknowledges nothing more.
                    drop(acknowledged.await);
                }
            }
        };
        if tokio::time::timeout(deadline, close).await.is_err() {
            tracing::error!("the rooms were not closed in time; their last events may be lost");
        }
        for worker in self.shared.media.iter() {
            worker.stop();
        }
    }

    /// Runs what a client asks of its session: nothing that adds to a room.
    pub(crate) async fn on_room<R: Send + 'static>(
        &self,
        session: &SessionRef,
        command: impl FnOnce(UnixMillis, &mut Room, &AppClaims) -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        self.shared.admit_without_events()?;
        self.run_admitted((session.app, session.room.clone()), command).await
    }

    pub(crate) async fn run_admitted<R: Send + 'static>(
        &self,
        key: RoomKey,
        command: impl FnOnce(UnixMillis, &mut Room, &AppClaims) -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        self.ask(&key.clone(), move |worker, reply| match worker.command(&key, command) {
            Ok((result, events)) => RoomWorker::reply(Ok(result), events, reply),
            Err(error) => RoomWorker::reply(Err(error), None, reply),
        })
        .await?
    }

    /// Runs `job` on the worker that owns the room, in the caller's span, and waits for what it
    /// replies.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        key: &RoomKey,
        job: impl FnOnce(&mut RoomWorker, oneshot::Sender<R>) + Send + 'static,
    ) -> Result<R, CommandError> {
        let (reply, answer) = oneshot::channel();
        let span = Span::current();
        self.shared.post(
            key,
            Box::new(move |worker| {
                // A caller that has given up must not find its command done later.
                if !reply.is_closed() {
                    span.in_scope(|| job(worker, reply));
                }
            }),
        )?;
        match tokio::time::timeout(self.shared.limits.command_deadline, answer).await {
            Ok(Ok(result)) => Ok(result),
            // The worker dropped the reply: it is gone.
            Ok(Err(_)) => Err(CommandError::ShuttingDown),
            Err(_) => {
                count(&self.shared.counters.deadlines_passed);
                Err(CommandError::DeadlinePassed)
            }
        }
    }
}
