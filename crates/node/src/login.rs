//! Opening a session and going on with one: user claims, eviction from another room, then the room.

use std::net::IpAddr;
use std::sync::Arc;

use odeum_room::{
    AuthLevel, CatchUp, CommitUserError, EvictReason, LeaveError, Login, Resume, ResumeSecret,
    Resumed, Snapshot, Superseded, Terminal, UserUpdate,
};
use odeum_types::{AppId, RoomId, SessionId, UnixMillis, UserId, UserName};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::claims::AppState;
use crate::error::{CommandError, LoginFailed, ResumeFailed};
use crate::handle::{NodeHandle, SessionRef};
use crate::identity::resume_secret;
use crate::inbox::{Inbox, InboxSender, inbox};
use crate::journal::Acknowledged;
use crate::limits::EVICTIONS_MAX;
use crate::mailbox::RoomKey;
use crate::room_worker::RoomWorker;
use crate::statistics::count;

/// A login whose token was checked.
#[derive(Debug, Clone)]
pub struct LoginRequest {
    /// Who.
    pub user: UserId,
    /// What the user is called.
    pub name: UserName,
    /// Whether the client wants to hear of users.
    pub user_update: UserUpdate,
    /// The client's maxMemberCount.
    pub users_max: Option<u32>,
    /// When the token expires, if it does.
    pub token_expires_at: Option<UnixMillis>,
    /// How the login was proved.
    pub auth_level: AuthLevel,
    /// From what kind of client.
    pub terminal: Terminal,
    /// Where it comes from; rules may be about it.
    pub source: IpAddr,
}

/// An open session.
#[derive(Debug)]
pub struct LoggedIn {
    /// How to refer to it.
    pub session: SessionRef,
    /// For resuming it.
    pub resume_secret: ResumeSecret,
    /// The room as the client may see it.
    pub snapshot: Snapshot,
    /// What goes to the client from here on.
    pub inbox: Inbox,
}

/// A wish to go on with a session; its token was checked.
#[derive(Debug, Clone)]
pub struct ResumeRequest {
    /// The session.
    pub session: SessionId,
    /// The token's user.
    pub user: UserId,
    /// What the client was given last.
    pub secret: ResumeSecret,
    /// The last notice that the client has; 0 for none.
    pub last_sequence: u64,
    /// When the token expires, if it does.
    pub token_expires_at: Option<UnixMillis>,
}

/// A session that goes on.
#[derive(Debug)]
pub struct ResumedSession {
    /// How to refer to it, with the new connection.
    pub session: SessionRef,
    /// For the next time.
    pub resume_secret: ResumeSecret,
    /// The room as it is and the messages missed, when the missed notices are no longer kept.
    pub catch_up: Option<CatchUp>,
    /// What goes to the client from here on, missed notices first.
    pub inbox: Inbox,
}

impl NodeHandle {
    /// Opens a session. An older session of the same user ends first, wherever it is (ruling 18). A
    /// caller that goes away while this runs leaves a session without connection, which ends by
    /// its heartbeat.
    ///
    /// # Errors
    /// [`LoginFailed`], each variant as it says.
    pub async fn login(
        &self,
        app: AppId,
        room: &RoomId,
        request: LoginRequest,
    ) -> Result<LoggedIn, LoginFailed> {
        self.shared.admit()?;
        let (reply, answer) = oneshot::channel();
        let (node, room) = (self.clone(), room.clone());
        // A task of its own: a login given up half-way would leave a reservation behind.
        let login = async move {
            let result = node.login_whole(app, &room, request).await;
            if let Err(Ok(logged_in)) = reply.send(result) {
                node.disconnected(&logged_in.session).await;
            }
        };
        tokio::spawn(login.in_current_span());
        // The task ends without a reply only when the runtime goes down.
        answer.await.unwrap_or(Err(LoginFailed::Command(CommandError::ShuttingDown)))
    }

    /// Goes on with a session over a new WebSocket; the old one, if there still is one, is told to
    /// close.
    ///
    /// # Errors
    /// [`ResumeFailed`], each variant as it says.
    pub async fn resume(
        &self,
        app: AppId,
        room: &RoomId,
        request: ResumeRequest,
    ) -> Result<ResumedSession, ResumeFailed> {
        self.shared.admit_without_events()?;
        let key = (app, room.clone());
        let connection = self.shared.ids.connection();
        let session = SessionRef { app, room: room.clone(), session: request.session, connection };
        let new_secret = resume_secret();
        let resume = Resume {
            session: request.session,
            user: request.user,
            token_expires_at: request.token_expires_at,
            secret: request.secret,
            new_secret: new_secret.clone(),
            connection,
            last_sequence: request.last_sequence,
        };
        let (sender, inbox) = self.new_inbox();
        let resumed = self
            .ask(&key.clone(), move |worker, reply| {
                let (result, events) = worker.resume(&key, resume, sender);
                RoomWorker::reply(result, events, reply);
            })
            .await??;
        Ok(ResumedSession { session, resume_secret: new_secret, catch_up: resumed.catch_up, inbox })
    }

    async fn login_whole(
        &self,
        app: AppId,
        room: &RoomId,
        request: LoginRequest,
    ) -> Result<LoggedIn, LoginFailed> {
        let state = self.shared.apps.get(app).ok_or(LoginFailed::NoApp(app))?;
        let session = SessionRef {
            app,
            room: room.clone(),
            session: self.shared.ids.session(),
            connection: self.shared.ids.connection(),
        };
        if state.claims.lock().rules().refuses_login(
            self.now(),
            request.source,
            room,
            &request.user,
        ) {
            return Err(LoginFailed::Forbidden(request.user));
        }
        let superseded = self.reserve(&state, &request.user, &session)?;
        let user = request.user.clone();
        let result = self.login_reserved(&state, &session, request, superseded).await;
        match &result {
            Ok(_) => count(&self.shared.counters.logins),
            Err(failed) => {
                if *failed == LoginFailed::Command(CommandError::DeadlinePassed) {
                    self.abandon(&session).await;
                }
                state.claims.lock().release_user(&user, session.session);
            }
        }
        result
    }

    fn reserve(
        &self,
        state: &AppState,
        user: &UserId,
        session: &SessionRef,
    ) -> Result<Option<Superseded>, LoginFailed> {
        let users_per_app_max = self.shared.limits.users_per_app_max;
        let mut claims = state.claims.lock();
        if claims.user_session(user).is_none() && claims.user_count() >= users_per_app_max {
            return Err(LoginFailed::TooManyUsers { users_per_app_max });
        }
        Ok(claims.reserve_user(user, session.session, &session.room, self.now()))
    }

    async fn login_reserved(
        &self,
        state: &Arc<AppState>,
        session: &SessionRef,
        request: LoginRequest,
        mut superseded: Option<Superseded>,
    ) -> Result<LoggedIn, LoginFailed> {
        for _ in 0..EVICTIONS_MAX {
            if let Some(older) = superseded.take().filter(|older| older.room != session.room) {
                self.evict(session.app, older).await?;
            }
            match self.login_in_room(state, session, request.clone()).await? {
                LoginStep::Done(logged_in) => return Ok(*logged_in),
                LoginStep::StillElsewhere(older) => superseded = Some(older),
            }
        }
        Err(LoginFailed::Overtaken(request.user))
    }

    /// Ends an older session in another room and waits until it is over.
    async fn evict(&self, app: AppId, older: Superseded) -> Result<(), CommandError> {
        let session = older.session;
        let evicted = self
            .command(app, &older.room, move |now, room, _| {
                room.evict(now, session, EvictReason::DuplicateLogin)
            })
            .await;
        match evicted {
            // It left by itself meanwhile, or its room broke down: as good.
            Ok(Ok(()) | Err(LeaveError::NoSession(_)))
            | Err(CommandError::NoRoom | CommandError::RoomFailed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn login_in_room(
        &self,
        state: &Arc<AppState>,
        session: &SessionRef,
        request: LoginRequest,
    ) -> Result<LoginStep, LoginFailed> {
        let secret = resume_secret();
        let login = Login {
            session: session.session,
            connection: session.connection,
            user: request.user,
            name: request.name,
            user_update: request.user_update,
            users_max: request.users_max,
            resume_secret: secret.clone(),
            token_expires_at: request.token_expires_at,
            auth_level: request.auth_level,
            terminal: request.terminal,
        };
        let (sender, inbox) = self.new_inbox();
        let (key, state) = ((session.app, session.room.clone()), Arc::clone(state));
        let source = request.source;
        let entered = self
            .ask(&key.clone(), move |worker, reply| {
                let (result, events) = worker.login(&key, &state, login, source, sender);
                RoomWorker::reply(result, events, reply);
            })
            .await??;
        Ok(match entered {
            Entered::In(snapshot) => LoginStep::Done(Box::new(LoggedIn {
                session: session.clone(),
                resume_secret: secret,
                snapshot: *snapshot,
                inbox,
            })),
            Entered::StillElsewhere(older) => LoginStep::StillElsewhere(older),
        })
    }

    /// Ends a session whose login may or may not have been carried out after its deadline.
    async fn abandon(&self, session: &SessionRef) {
        let (key, id) = ((session.app, session.room.clone()), session.session);
        let job = Box::new({
            let key = key.clone();
            move |worker: &mut RoomWorker| {
                // Not in the room: the login was not carried out.
                drop(worker.command(&key, |now, room, _| room.logout(now, id)));
            }
        });
        // Fails only when the worker is gone, and the room with it.
        drop(self.shared.mailbox(&key).jobs.send(job).await);
    }

    fn new_inbox(&self) -> (InboxSender, Inbox) {
        let limits = &self.shared.limits;
        inbox(limits.client_queue_messages_max, limits.client_queue_bytes_max)
    }
}

/// How far a login came.
enum LoginStep {
    /// The session is open.
    Done(Box<LoggedIn>),
    /// The user committed another session in another room meanwhile.
    StillElsewhere(Superseded),
}

/// What the room's worker made of a login.
enum Entered {
    /// The user is in.
    In(Box<Snapshot>),
    /// Nothing was done: this session must leave first.
    StillElsewhere(Superseded),
}

impl RoomWorker {
    /// Commits the user and logs it in, in one step.
    fn login(
        &mut self,
        key: &RoomKey,
        app: &Arc<AppState>,
        login: Login,
        source: IpAddr,
        sender: InboxSender,
    ) -> (Result<Entered, LoginFailed>, Option<Acknowledged>) {
        // Admitted before the shutdown began, and come after its rooms were closed: nobody would
        // close this one.
        if self.shared.is_closing() {
            return (Err(LoginFailed::Command(CommandError::ShuttingDown)), None);
        }
        if !self.ensure_room(key, app) {
            let rooms_per_app_max = self.shared.limits.rooms_per_app_max;
            return (Err(LoginFailed::TooManyRooms { rooms_per_app_max }), None);
        }
        let (session, connection, user) = (login.session, login.connection, login.user.clone());
        let committed = {
            let mut claims = app.claims.lock();
            let now = self.shared.clock.now();
            // A rule that came into force while this login was on its way holds for it.
            match claims.rules().refuses_login(now, source, &key.1, &user) {
                true => Err(None),
                false => claims.commit_user(&user, session).map_err(Some),
            }
        };
        if let Err(error) = committed {
            self.drop_if_over(key);
            let result = match error {
                None => Err(LoginFailed::Forbidden(user)),
                Some(CommitUserError::Lost(_)) => Err(LoginFailed::Overtaken(user)),
                Some(CommitUserError::StillElsewhere { session, room }) => {
                    Ok(Entered::StillElsewhere(Superseded { session, room }))
                }
            };
            return (result, None);
        }
        self.route(key, session, connection, &user, sender);
        match self.command(key, |now, room, _| room.login(now, login)) {
            Ok((Ok(snapshot), events)) => (Ok(Entered::In(Box::new(snapshot))), events),
            Ok((Err(error), events)) => {
                self.unroute(key, session, connection);
                (Err(error.into()), events)
            }
            Err(error) => (Err(error.into()), None),
        }
    }

    fn resume(
        &mut self,
        key: &RoomKey,
        resume: Resume,
        sender: InboxSender,
    ) -> (Result<Resumed, ResumeFailed>, Option<Acknowledged>) {
        let (session, connection) = (resume.session, resume.connection);
        self.add_inbox(key, connection, sender);
        match self.command(key, |now, room, _| room.resume(now, resume)) {
            Ok((Ok(resumed), events)) => {
                self.reroute(key, session, connection);
                (Ok(resumed), events)
            }
            Ok((Err(error), events)) => {
                self.drop_inbox(key, connection);
                (Err(error.into()), events)
            }
            Err(error) => (Err(error.into()), None),
        }
    }
}
