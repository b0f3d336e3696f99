//! Changing the rules of an app: checked, made durable, put in force, and carried to the room that
//! is concerned, one change at a time for each app.

use odeum_room::{OutOfSequence, Room, RuleChange, RuleError, Rules, StreamCut};
use odeum_types::{AppId, StreamId, UnixMillis};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::claims::AppState;
use crate::error::CommandError;
use crate::handle::NodeHandle;
use crate::journal::Record;
use crate::mailbox::RoomKey;
use crate::room_worker::RoomWorker;
use crate::statistics::count;

/// Why a rule did not change; nothing is in force that was not before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFailed {
    /// The app is not served here.
    #[error("app {0} is not served here")]
    NoApp(AppId),
    /// The rules do not allow it.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// Its Sequence does not grow.
    #[error(transparent)]
    OutOfSequence(#[from] OutOfSequence),
    /// The store did not take it.
    #[error("the change could not be stored")]
    NotRecorded,
    /// The node takes no work, or it took too long; then the change may still come into force.
    #[error(transparent)]
    Command(CommandError),
}

impl NodeHandle {
    /// Makes a change durable, then puts it in force. A stream that runs is cut, given back or
    /// ended before this returns. With a `sequence`, which all streams of the change share,
    /// only if that grows for each of them (ruling 22).
    ///
    /// # Errors
    /// [`RuleFailed`], each variant as it says.
    pub async fn change_rule(
        &self,
        app: AppId,
        change: RuleChange,
        sequence: Option<u64>,
    ) -> Result<(), RuleFailed> {
        self.shared.admit_without_events().map_err(RuleFailed::Command)?;
        let (reply, answer) = oneshot::channel();
        let node = self.clone();
        // A task of its own: what is stored has to come into force even if the caller has gone.
        let change = async move {
            // A caller that has gone needs no reply.
            reply.send(node.change_whole(app, change, sequence).await).unwrap_or_default();
        };
        tokio::spawn(change.in_current_span());
        match tokio::time::timeout(self.shared.limits.command_deadline, answer).await {
            Ok(Ok(result)) => result,
            // The task ends without a reply only when the runtime goes down.
            Ok(Err(_)) => Err(RuleFailed::Command(CommandError::ShuttingDown)),
            Err(_) => {
                count(&self.shared.counters.deadlines_passed);
                Err(RuleFailed::Command(CommandError::DeadlinePassed))
            }
        }
    }

    /// Reads the rules of an app.
    ///
    /// # Errors
    /// [`RuleFailed::NoApp`].
    pub fn rules<R>(
        &self,
        app: AppId,
        read: impl FnOnce(UnixMillis, &Rules) -> R,
    ) -> Result<R, RuleFailed> {
        let state = self.shared.apps.get(app).ok_or(RuleFailed::NoApp(app))?;
        Ok(read(self.now(), state.claims.lock().rules()))
    }

    /// Takes a `sequence` for a call about a stream that changes nothing.
    ///
    /// # Errors
    /// [`RuleFailed::NoApp`] or [`RuleFailed::OutOfSequence`].
    pub fn take_sequence(
        &self,
        app: AppId,
        stream: &StreamId,
        sequence: u64,
    ) -> Result<(), RuleFailed> {
        let state = self.shared.apps.get(app).ok_or(RuleFailed::NoApp(app))?;
        let (now, stream) = (self.now(), std::slice::from_ref(stream));
        let mut claims = state.claims.lock();
        claims.rules().check_sequence(now, stream, sequence)?;
        claims.rules_mut().record_sequence(now, stream, sequence);
        Ok(())
    }

    /// Since when a stream is published with media, wherever in the app.
    ///
    /// # Errors
    /// [`CommandError`], but for a room that is gone: then it is not published.
    pub async fn published_since(
        &self,
        app: AppId,
        stream: &StreamId,
    ) -> Result<Option<UnixMillis>, CommandError> {
        let Some(state) = self.shared.apps.get(app) else { return Ok(None) };
        let holder = state.claims.lock().stream_holder(stream).cloned();
        let Some(holder) = holder else { return Ok(None) };
        let stream = stream.clone();
        match self.query(app, &holder.room, move |room| room.published_since(&stream)).await {
            Err(CommandError::NoRoom) => Ok(None),
            answer => answer,
        }
    }

    async fn change_whole(
        &self,
        app: AppId,
        change: RuleChange,
        sequence: Option<u64>,
    ) -> Result<(), RuleFailed> {
        let state = self.shared.apps.get(app).ok_or(RuleFailed::NoApp(app))?;
        let _turn = state.rule_turn.lock().await;
        let now = self.now();
        let streams = streams_of(&change);
        {
            let claims = state.claims.lock();
            if let Some(sequence) = sequence {
                claims.rules().check_sequence(now, &streams, sequence)?;
            }
            claims.rules().check(now, &change)?;
        }
        let record = Record::Rule { app, change: change.clone() };
        let recorded = self.shared.journal.send(record).ok_or(RuleFailed::NotRecorded)?;
        match recorded.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(RuleFailed::NotRecorded),
        }
        {
            let mut claims = state.claims.lock();
            claims.rules_mut().apply(now, change.clone());
            if let Some(sequence) = sequence {
                claims.rules_mut().record_sequence(now, &streams, sequence);
            }
        }
        self.carry_to_rooms(app, &state, change).await;
        Ok(())
    }

    /// Tells the rooms in which a changed stream is published. One that begins meanwhile asks the
    /// app by itself.
    async fn carry_to_rooms(&self, app: AppId, state: &AppState, change: RuleChange) {
        match change {
            RuleChange::SetStreamRule(rule) => {
                let (key, stream, until) = ((app, rule.room), rule.stream, rule.expires_at);
                let cut = StreamCut { media: rule.cut, until };
                // It may have ended while it waited for the store.
                self.tell_room(key, move |now, room| {
                    room.cut_stream(&stream, (until > now).then_some(cut));
                })
                .await;
            }
            RuleChange::DeleteStreamRule { room, stream } => {
                self.tell_room((app, room), move |_, room| room.cut_stream(&stream, None)).await;
            }
            RuleChange::ForbidStreams(streams) => {
                for stream in streams {
                    let holder = state.claims.lock().stream_holder(&stream).cloned();
                    let Some(holder) = holder else { continue };
                    let key = (app, holder.room);
                    self.tell_room(key, move |now, room| room.forbid_stream(now, &stream)).await;
                }
            }
            RuleChange::SetUserRule(_)
            | RuleChange::DeleteUserRule(_)
            | RuleChange::ResumeStreams(_) => {}
        }
    }

    /// Runs `command` on a room if it is there, and waits until it has run. It waits for its place
    /// in the mailbox: a rule in force that its room has not heard of would be half a rule.
    async fn tell_room(
        &self,
        key: RoomKey,
        command: impl FnOnce(UnixMillis, &mut Room) + Send + 'static,
    ) {
        let (reply, done) = oneshot::channel();
        let job = Box::new({
            let key = key.clone();
            move |worker: &mut RoomWorker| {
                worker.run_on(&key, |now, room, _| command(now, room));
                reply.send(()).unwrap_or_default();
            }
        });
        if self.shared.mailbox(&key).jobs.send(job).await.is_ok() {
            // A worker that goes down has no rooms any more.
            done.await.unwrap_or_default();
        }
    }
}

/// The streams that a change's Sequence is about.
fn streams_of(change: &RuleChange) -> Vec<StreamId> {
    match change {
        RuleChange::ForbidStreams(streams) | RuleChange::ResumeStreams(streams) => streams.clone(),
        RuleChange::SetUserRule(_)
        | RuleChange::DeleteUserRule(_)
        | RuleChange::SetStreamRule(_)
        | RuleChange::DeleteStreamRule { .. } => Vec::new(),
    }
}
