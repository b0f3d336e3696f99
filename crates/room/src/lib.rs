//! The rooms themselves, sans-IO: who is in a room, what is published and played there, who is told
//! what, and which events a backend hears of.
//!
//! - [`Room`]: one life of one room, from its first login until it has no users. Commands take
//!   `now` and change state; what follows from them leaves through [`Room::poll_output`].
//! - [`App`]: what is unique in an AppId: one session per user, one room per stream (ruling 16).
//! - [`Output`]: a [`Notice`] for one session, an [`Event`] for the backend's callbacks, a command
//!   for the media plane, or a claim to give back to the [`App`].
//!
//! A session is numbered apart from its WebSocket ([`ConnectionId`]): a socket may drop and come
//! back, and every notice has a sequence number, so that [`Room::resume`] can send what was missed.
//!
//! **The invariant.** A listed stream has a publisher in the room or was added by the server, and
//! what a client learns from its snapshot and its notices is the room's state less its own streams.
//!
//! **The owner's duties.** Call one command at a time, then drain [`Room::poll_output`] before the
//! next one: releases of claims are outputs, and a claim must be given back before it is asked for
//! again. Call [`Room::handle_timeout`] at [`Room::poll_timeout`]. Drop the room once
//! [`Room::is_over`].
//!
//! There is no clock, no randomness, no lock and no socket here (`clippy.toml` bans the calls); the
//! same commands give the same outputs.
//!
//! ```
//! use odeum_room::{
//!     App, AuthLevel, ConnectionId, Login, Output, ResumeSecret, Room, RoomConfig, Terminal,
//!     UserUpdate,
//! };
//! use odeum_types::{AppId, RoomId, RoomSessionId, SessionId, UnixMillis, UserId, UserName};
//!
//! let now = UnixMillis(1_700_000_000_000);
//! let id = RoomId::parse("lobby").unwrap();
//! let user = UserId::parse("ada").unwrap();
//! let session = SessionId(1);
//!
//! let mut app = App::new();
//! let mut room = Room::new(now, AppId(1), id.clone(), RoomSessionId(77), RoomConfig::default());
//! assert_eq!(app.reserve_user(&user, session, &id, now), None);
//! app.commit_user(&user, session).unwrap();
//! let snapshot = room
//!     .login(now, Login {
//!         session,
//!         connection: ConnectionId(1),
//!         user: user.clone(),
//!         name: UserName::parse("Ada").unwrap(),
//!         user_update: UserUpdate::Subscribed,
//!         users_max: None,
//!         resume_secret: ResumeSecret::new([7; 16]),
//!         token_expires_at: None,
//!         auth_level: AuthLevel::Token04,
//!         terminal: Terminal::Web,
//!     })
//!     .unwrap();
//! assert!(snapshot.streams.is_empty());
//!
//! room.logout(now, session).unwrap();
//! while let Some(output) = room.poll_output() {
//!     if let Output::ReleaseUser { user, session } = output {
//!         app.release_user(&user, session);
//!     }
//! }
//! assert!(room.is_over());
//! ```

mod app;
mod close;
mod config;
mod cut;
mod event;
mod extra_info;
mod grace;
mod kick;
mod leave;
mod list;
mod login;
mod media;
mod messages;
mod notice;
mod outbox;
mod output;
mod play;
mod publish;
mod rate;
mod resume;
mod room;
mod rule;
mod rules;
mod session;
mod snapshot;
mod stream;
mod timer;
mod users;

pub use app::{App, CommitUserError, StreamHolder, StreamTaken, Superseded};
pub use close::RoomCloseNotice;
pub use config::{DeleteStreamMode, RoomConfig};
pub use cut::StreamCut;
pub use event::{
    AuthLevel, Event, EventKind, LeaveReason, Recreate, Relogin, RoomCloseReason,
    StreamCloseReason, StreamFacts, Terminal, UserFacts,
};
pub use extra_info::{
    ExtraInfoKey, ExtraInfoTextError, ExtraInfoValue, RoomExtraInfo, SetRoomExtraInfoError,
    SetStreamExtraInfoError,
};
pub use leave::{EvictReason, LeaveError};
pub use list::{ListedStream, UserInRoom, UserListMarker, UserListOrder, UserPage};
pub use login::{Login, LoginError, UserUpdate};
pub use media::{MediaCloseReason, MediaFacts};
pub use messages::{
    BackendSender, BarrageError, BarrageId, BroadcastError, CommandSent, CommandTargets,
    MessageCategory, MessageId, MessageText, MessageTextError, SendCommandError,
};
pub use notice::{
    KickoutReason, ListUpdate, Notice, NumberedNotice, PlayEndReason, PlayState, PublishEndReason,
    PublishState, StreamDeleteReason, StreamListUpdate,
};
pub use output::{ConnectionId, DisconnectReason, MediaCommand, Output};
pub use play::{PlayError, StopPlayingError};
pub use publish::{PublishError, StartPublishing, StopPublishingError};
pub use resume::{
    CatchUp, HeartbeatError, RenewTokenError, Resume, ResumeError, ResumeSecret, Resumed,
};
pub use room::Room;
pub use rule::{CutMedia, RuleChange, StreamRule, UserPrivileges, UserRule, UserRuleKey};
pub use rules::{
    FORBIDDEN_STREAMS_MAX, IP_RULES_MAX, OutOfSequence, RuleError, Rules, SEQUENCE_WINDOW,
    STREAM_RULES_MAX, USER_RULES_MAX, UserRuleKind,
};
pub use snapshot::{
    OwnStream, PlayedStream, PublicationState, Snapshot, StreamEntry, TransportState, UserEntry,
};
pub use stream::{AddStream, AddStreamError, DeleteStreamError, StreamNumberId};
