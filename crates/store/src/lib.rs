//! Durable state: the rules of apps, the outbox of callbacks with its history, and the ledger of
//! what is open, so that a start after a crash can close it.
//!
//! - [`Store`]: the one writer. [`Store::commit`] makes a list of [`Change`]s durable as one; it is
//!   on the disk when it returns. Calls block, so its owner is a thread of its own.
//! - [`Reader`]: looks into the same database beside the writer, and never waits for it.
//! - [`PendingCallback`], [`CallbackRow`], [`OpenRoom`]: what is read.
//!
//! The database is SQLite, one file in `data_dir`, in write-ahead mode and synced at each commit.
//! Nothing outside this crate knows that: no SQL, no row and no error of it leaves.
//!
//! **The invariant.** The ledger is what the recorded events add up to: a room is in it from its
//! first login until its last user has left, with the sessions and streams that are open in it.
//! Numbers of callbacks grow in the order of recording and never come again.
//!
//! ```
//! use odeum_room::RuleChange;
//! use odeum_store::{Change, Store};
//! use odeum_types::{AppId, StreamId};
//!
//! let folder = tempfile::tempdir()?;
//! let mut store = Store::open(folder.path())?;
//! let change = RuleChange::ForbidStreams(vec![StreamId::parse("camera").unwrap()]);
//! store.commit(&[Change::Rule { app: AppId(1), change: change.clone() }])?;
//! assert_eq!(store.reader()?.rules()?, [(AppId(1), change)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;
mod error;
mod ledger;
mod open;
mod outbox;
mod reader;
mod rules;
mod schema;
mod selection;
mod store;

pub use change::{Attempted, Change, Finished, NewCallback};
pub use error::{OpenError, StoreError};
pub use ledger::{OpenRoom, OpenSession, OpenStream};
pub use outbox::{
    CallbackNumber, CallbackRow, CallbackState, PendingCallback, Round, SELECTED_MAX, Selected,
    Which,
};
pub use reader::Reader;
pub use selection::Selection;
pub use store::{Purge, Store, StoreIdentity};
