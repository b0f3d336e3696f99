//! Events of rooms as signed callbacks: durable, in order for each room, sent until somebody takes
//! them (rulings 20, 21, 26 and 27).
//!
//! - [`Callbacks`]: the running service. A thread of its own stores what the node reports, a task
//!   sends it, and [`Callbacks`] answers what an operator asks.
//! - [`body()`], [`seal`]: an event as the contract's JSON, and its two signatures.
//! - [`Recorder`]: what is stored next; group commit and spill. [`close_open_rooms`] and
//!   [`take_up`]: what a start finds in the store.
//! - [`Dispatcher`]: which callback is tried next; [`retry`]: when again.
//!
//! Recorder, dispatcher, retries and bodies are pure: time, random numbers, the store's answers and
//! the receivers' are arguments, and a simulation drives them through every failure.
//!
//! **The promise.** What an API reply or a notice has told somebody is sent to the app's receiver
//! at least once, in order for each room, across crashes; a repetition has the same `webhook-id`.
//! What it takes back: a callback that fails for longer than the hold steps aside and says so, and
//! after three days it waits in the history for an operator.
//!
//! ```
//! use odeum_callback::{RetryPlan, retry};
//! use odeum_types::UnixMillis;
//! use std::time::Duration;
//!
//! let start = UnixMillis(1_795_400_000_000);
//! let tried = retry::Tried { attempts: 1, first_attempt_at: start, is_late: false };
//! let next = retry::next(RetryPlan::Long, Duration::from_secs(95), tried, start);
//! assert_eq!(next, retry::Next::Hold(start.after(Duration::from_secs(2))));
//! ```

mod body;
mod dispatcher;
mod event;
mod recorder;
mod recovery;
pub mod retry;
mod sender;
mod service;
mod settings;
mod statistics;
mod writer;

pub use body::{Sealed, body, seal, webhook_id};
pub use dispatcher::{Attempt, Backlog, Dispatcher, Outcome};
pub use event::CallbackEvent;
pub use recorder::{Group, Recordable, Recorded, Recorder, callback_of};
pub use recovery::{close_open_rooms, closing_events, take_up};
pub use retry::RetryPlan;
pub use service::{Callbacks, Dropped, Replayed, ServiceError, StartError};
pub use settings::{AppCallbacks, Limits, Settings};
pub use statistics::CallbackStatistics;
