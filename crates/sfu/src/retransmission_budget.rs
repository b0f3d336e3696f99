//! How much one subscriber may be sent again.

use std::time::Instant;

/// Budget of retransmissions: a bucket that fills at a fixed rate, so that a flood of NACKs costs
/// the server and the other viewers a bounded share.
pub(crate) struct RetransmissionBudget {
    /// Packets per second.
    rate: u32,
    /// Packets that may be sent now.
    left: f64,
    /// When `left` was last brought up to date.
    updated: Instant,
}

impl RetransmissionBudget {
    /// Share of a second's budget that may be spent at once.
    const BURST: f64 = 0.2;

    pub(crate) fn new(now: Instant, rate: u32) -> Self {
        Self { rate, left: f64::from(rate) * Self::BURST, updated: now }
    }

    /// Whether one more packet may be sent again.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let rate = f64::from(self.rate);
        let gained = now.saturating_duration_since(self.updated).as_secs_f64() * rate;
        self.updated = self.updated.max(now);
        self.left = (self.left + gained).min(rate * Self::BURST);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}
