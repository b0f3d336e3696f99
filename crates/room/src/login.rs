//! Logging in: the first login that begins a room, ordinary ones, and the same user once more.

use odeum_types::{SessionId, UnixMillis, UserId, UserName};

use crate::event::{AuthLevel, EventKind, Relogin, Terminal};
use crate::list::UserListMarker;
use crate::outbox::Outbox;
use crate::output::ConnectionId;
use crate::rate::RateWindow;
use crate::resume::ResumeSecret;
use crate::room::{Life, Room};
use crate::session::{Session, Token};
use crate::snapshot::Snapshot;

/// A login whose token was checked and whose user is committed in the [`crate::App`].
#[derive(Debug, Clone)]
pub struct Login {
    /// A new id, unique in the process.
    pub session: SessionId,
    /// The WebSocket it came over.
    pub connection: ConnectionId,
    /// Who.
    pub user: UserId,
    /// What the user is called.
    pub name: UserName,
    /// Whether the client wants roomUserUpdate.
    pub user_update: UserUpdate,
    /// The client's maxMemberCount. Only the first login's counts; 0 and `None` are no limit.
    pub users_max: Option<u32>,
    /// Resumes the session; 128 fresh random bits.
    pub resume_secret: ResumeSecret,
    /// When the token expires, if it does.
    pub token_expires_at: Option<UnixMillis>,
    /// How the login was proved; only for the event.
    pub auth_level: AuthLevel,
    /// From what kind of client; only for the event.
    pub terminal: Terminal,
}

/// Whether a client hears of users who come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserUpdate {
    /// It does.
    Subscribed,
    /// It does not.
    Not,
}

/// Why a login was refused; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Client code 1002034.
    #[error("the room has its {users_max} users")]
    RoomFull {
        /// The limit that was hit.
        users_max: usize,
    },
    /// This life of the room has ended; its owner makes a new one.
    #[error("the room is over")]
    RoomOver,
}

impl Room {
    /// Logs a user in. The first login begins the room. A user who is there already has its older
    /// session ended (ruling 18): it is kicked out, its streams leave the list, and the user
    /// stays.
    ///
    /// # Errors
    /// [`LoginError::RoomFull`], never for a user who is in the room; [`LoginError::RoomOver`].
    pub fn login(&mut self, now: UnixMillis, login: Login) -> Result<Snapshot, LoginError> {
        if self.life == Life::Over {
            return Err(LoginError::RoomOver);
        }
        let older = self.users.get(&login.user).copied();
        if older.is_none() && self.sessions.len() >= self.users_max {
            return Err(LoginError::RoomFull { users_max: self.users_max });
        }
        if self.life == Life::Unborn {
            self.begin(now, &login);
        }
        let relogin = match older {
            Some(older) => {
                self.supersede(now, older);
                Relogin::Again
            }
            None => Relogin::First,
        };
        let id = login.session;
        let (user, auth_level, terminal) = (login.user.clone(), login.auth_level, login.terminal);
        self.insert(now, login);
        self.user_sequence += 1;
        let facts = self.user_facts(&self.sessions[&id]);
        self.event(now, EventKind::RoomLogin { user: facts, auth_level, terminal, relogin });
        if relogin == Relogin::First {
            self.announce_login(now, &user, id);
        }
        Ok(self.snapshot(id).expect("the session was inserted above"))
    }

    fn begin(&mut self, now: UnixMillis, login: &Login) {
        self.life = Life::Open;
        if let Some(asked) = login.users_max.filter(|asked| *asked > 0) {
            self.users_max = self.users_max.min(asked as usize);
        }
        self.event(now, EventKind::RoomCreate { creator: login.user.clone() });
    }

    fn insert(&mut self, now: UnixMillis, login: Login) {
        self.login_count += 1;
        let order = UserListMarker { login_at: now, number: self.login_count };
        let id = login.session;
        let session = Session {
            id,
            user: login.user.clone(),
            name: login.name,
            user_update: login.user_update,
            order,
            connection: Some(login.connection),
            secret: login.resume_secret,
            secret_unconfirmed: None,
            heard_at: now,
            token: login.token_expires_at.map(Token::new),
            timer: None,
            outbox: Outbox::default(),
            // Its snapshot says so, with itself included.
            user_count_told: self.sessions.len() + 1,
            broadcasts: RateWindow::default(),
            stream_extra_infos: RateWindow::default(),
            publications: Vec::new(),
            plays: Default::default(),
        };
        let previous = self.sessions.insert(id, session);
        assert!(previous.is_none(), "the owner gives each session a new id");
        self.users.insert(login.user, id);
        self.login_order.insert(order, id);
        self.schedule(id);
    }
}
