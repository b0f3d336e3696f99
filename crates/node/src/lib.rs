//! The node: sockets, threads, tasks and the clock around the sans-IO rooms and media plane.
//! Surfaces (Server API, signalling) reach it through [`NodeHandle`] alone.
//!
//! - **Room workers** are tasks. Rooms hash to them; each owns its rooms, takes commands (closures
//!   over `&mut Room`) from a bounded mailbox, and hands every output to its one owner: a client's
//!   [`Inbox`], the media plane, the claims of the app, or the [`JournalReceiver`]. They wait for
//!   nobody: a client that reads too slowly is cut, an API reply alone waits for its events to be
//!   acknowledged.
//! - **Media workers** are threads, one UDP socket and one `Sfu` each, that share nothing. All
//!   transports of a room are on one of them.
//! - **Claims** (one session per user, one room per stream, in an app) are made in the room's own
//!   step.
//!
//! The invariant: a claim that is held has a session or stream in a room that a worker owns, or a
//! login under way; whatever ends them, a panic of the room included, gives the claim back.
//!
//! Every limit stands in [`Limits`] or in `limits.rs` beside it, with its refusal.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use odeum_node::{AppSettings, CommandError, NodeConfig, NodeHandle};
//! use odeum_room::DeleteStreamMode;
//! use odeum_types::{AppId, RoomId};
//! use std::time::Duration;
//!
//! let mut config = NodeConfig::default();
//! config.media.listen = "127.0.0.1:0".parse().unwrap();
//! config.apps = vec![AppSettings {
//!     app: AppId(1),
//!     delete_stream: DeleteStreamMode::Stop,
//!     kick_on_token_expiry: false,
//!     linger: std::time::Duration::ZERO,
//! }];
//! let (node, _journal) = NodeHandle::start(config).unwrap();
//!
//! let room = RoomId::parse("lobby").unwrap();
//! let users = node.query(AppId(1), &room, |room| room.user_count()).await;
//! assert_eq!(users, Err(CommandError::NoRoom));
//! node.shutdown(Duration::from_secs(1)).await;
//! # });
//! ```

mod claims;
mod clock;
mod config;
mod error;
mod gathering;
mod handle;
mod ice_restart;
mod identity;
mod inbox;
mod journal;
mod limits;
mod load_meter;
mod login;
mod mailbox;
mod media_address;
mod media_handle;
mod media_worker;
mod messages;
mod mirrors;
mod outer_address;
mod peer_notice;
mod placement;
mod plane;
mod publish;
mod relay_ring;
mod room_outputs;
mod room_peers;
mod room_worker;
mod rules;
mod shared;
mod start;
mod statistics;
mod tcp;
mod turn;
mod udp;

pub use claims::{AppClaims, AppSettings};
pub use clock::Clock;
pub use config::{MediaConfig, NodeConfig};
pub use error::{CommandError, LoginFailed, PlayFailed, PublishFailed, ResumeFailed};
pub use handle::{NodeHandle, SessionRef};
pub use ice_restart::{IceRestartFailed, TransportUse};
pub use inbox::{CloseReason, CutSignal, Inbox, Outgoing};
pub use journal::{Entry, JournalReceiver, NotRecorded, Record};
pub use limits::Limits;
pub use login::{LoggedIn, LoginRequest, ResumeRequest, ResumedSession};
pub use media_address::{AnnounceError, announced_addresses};
pub use odeum_room::ConnectionId;
pub use odeum_sfu::{
    IceCredentials, IceUfrag, LINGER_MAX, OfferError, PlayWish, Priority, VideoWish,
};
pub use rules::RuleFailed;
pub use statistics::{
    ControlStatistics, MediaStatistics, NodeStatistics, RelayStatistics, SocketStatistics,
};
pub use turn::{Carried, TurnConfig, TurnRelay, TurnStatistics};
