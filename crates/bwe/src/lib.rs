//! What reaches the other end: an estimate of the bandwidth of one transport, from the feedback of
//! whoever receives (transport-wide congestion control). Sans-IO, and nothing allocates once it is
//! made.
//!
//! - [`Estimator`]: numbers what is sent, takes feedback, gives the estimate. It follows Google's
//!   congestion control (draft-ietf-rmcat-gcc-02): a queue that grows lowers the estimate before
//!   anything is lost, and so does loss.
//! - [`Burst`]: a probe. What is forwarded is never more than its publisher sends, so that only
//!   extra packets can show that there is room for more.
//!
//! What differs from the draft, because a forwarder sends each frame as one burst and has no
//! encoder that could send a little less, is in docs/adr/0013-bandwidth-estimation.md.
//!
//! ```
//! use std::time::Instant;
//! use odeum_bwe::{Estimator, EstimatorConfig, Purpose};
//!
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//! let mut estimator = Estimator::new(now, EstimatorConfig::default());
//! let number = estimator.sent(now, 1_200, Purpose::Media);
//! assert_eq!(number, 1, "goes into the packet's transport-wide sequence number");
//! assert_eq!(estimator.estimate(), EstimatorConfig::default().start);
//! ```

mod acknowledged;
mod estimator;
mod groups;
mod history;
mod inherent;
mod loss;
mod probe;
mod rate_control;
mod trendline;

pub use estimator::{Estimator, EstimatorConfig};
pub use history::Purpose;
pub use probe::Burst;

#[cfg(test)]
mod tests;
