//! What reaches the other end: an estimate of the bandwidth of all transports that lead there, from
//! the feedback of whoever receives (transport-wide congestion control). Sans-IO, and nothing
//! allocates once it is made.
//!
//! - [`Estimator`]: takes feedback, gives the estimate. It follows Google's congestion control
//!   (draft-ietf-rmcat-gcc-02): a queue that grows lowers the estimate before anything is lost, and
//!   so does loss.
//! - [`Flow`]: one of the transports; numbers what is sent over it. Those of one estimator share
//!   their way, so that one of them learns from the others (as in RFC 8699): what is sent and what
//!   arrives are sums, a queue that several see grow lowers the estimate once, and one at a time
//!   probes.
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
//! let mut flow = estimator.add_flow();
//! let number = flow.sent(now, 1_200, Purpose::Media);
//! assert_eq!(number, 1, "goes into the packet's transport-wide sequence number");
//! assert_eq!(estimator.estimate(), EstimatorConfig::default().start);
//! ```

mod acknowledged;
mod estimator;
mod flow;
mod groups;
mod history;
mod inherent;
mod loss;
mod probe;
mod rate_control;
mod standing;
mod sums;
mod trendline;

pub use estimator::{Estimator, EstimatorConfig};
pub use flow::Flow;
pub use history::Purpose;
pub use probe::Burst;

#[cfg(test)]
mod tests;
