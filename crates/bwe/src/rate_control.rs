//! What the delays allow (draft-ietf-rmcat-gcc-02 §5.5): down to less than what arrives as soon as
//! the queue grows, up again by shares of itself while the limit is far, by packets when it is
//! near.

use odeum_types::Bitrate;

use crate::trendline::Usage;

/// Share of what arrives that is sent once the queue grows, in per cent.
const DECREASE_PERCENT: u64 = 85;

/// Growth per second while the limit is far, in per cent.
const GROWTH_PERCENT: u64 = 8;

/// Growth per second when it is near: a packet of 1,200 bytes per response time of 200 ms.
const GROWTH_NEAR: Bitrate = Bitrate::from_kilobits_per_second(48);

/// The estimate does not grow beyond this share of what arrives: more was not tried.
const BEYOND_ACKNOWLEDGED_PERCENT: u64 = 150;

/// The estimate is lowered to this share of itself while so little is sent that its own packets
/// cannot be what fills the queue, in per cent.
const IDLE_PERCENT: u64 = 90;

/// How long what has once arrived without a queue says something of the way, in microseconds.
const PROVEN_FOR_US: u64 = 30_000_000;

/// What was sent and what of it arrived lately.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throughput {
    /// What was sent; none before there is enough of it.
    pub(crate) sent: Option<Bitrate>,
    /// What arrived.
    pub(crate) acknowledged: Bitrate,
}

/// The estimate that the delays allow.
#[derive(Debug)]
pub(crate) struct RateControl {
    /// The estimate.
    rate: Bitrate,
    /// What arrived when the queue last grew: near it, growth is slow.
    capacity: Option<Bitrate>,
    /// The most that lately arrived without a queue, and when.
    proven: (Bitrate, u64),
    /// When the estimate last moved, in microseconds.
    updated_us: u64,
}

impl RateControl {
    pub(crate) fn new(start: Bitrate) -> Self {
        Self { rate: start, capacity: None, proven: (Bitrate::default(), 0), updated_us: 0 }
    }

    /// Takes what the delays say now.
    pub(crate) fn update(&mut self, now_us: u64, usage: Usage, throughput: Option<Throughput>) {
        let elapsed_us = now_us.saturating_sub(self.updated_us).min(1_000_000);
        self.updated_us = now_us;
        let Some(Throughput { sent, acknowledged }) = throughput else { return };
        let is_old = now_us.saturating_sub(self.proven.1) > PROVEN_FOR_US;
        if is_old || usage == Usage::Normal && acknowledged >= self.proven.0 {
            self.proven = (acknowledged, now_us);
        }
        let is_idle = sent.is_some_and(|sent| sent.percent(200) <= self.rate);
        match usage {
            // Sound alone, say, does not fill a queue: a player that is short of time for a moment
            // looks alike. A way that has really become narrow shows once more is sent.
            Usage::Over if is_idle => {
                let least = self.proven.0.percent(DECREASE_PERCENT);
                self.rate = self.rate.percent(IDLE_PERCENT).max(least).min(self.rate);
            }
            Usage::Over => {
                self.proven = (acknowledged, now_us);
                self.rate = self.rate.min(acknowledged.percent(DECREASE_PERCENT));
                self.capacity = Some(match self.capacity.filter(|at| is_near(*at, acknowledged)) {
                    Some(before) => before.mean(acknowledged),
                    None => acknowledged,
                });
            }
            // The queue empties: wait until it has.
            Usage::Under => {}
            Usage::Normal => self.grow(elapsed_us, acknowledged),
        }
    }

    /// Sets the estimate: a probe has shown more, or the whole way was gone.
    pub(crate) fn set(&mut self, rate: Bitrate) {
        self.rate = rate;
        self.capacity = None;
    }

    /// The estimate.
    pub(crate) fn rate(&self) -> Bitrate {
        self.rate
    }

    fn grow(&mut self, elapsed_us: u64, acknowledged: Bitrate) {
        if self.rate >= acknowledged.percent(BEYOND_ACKNOWLEDGED_PERCENT) {
            return;
        }
        // What is known of the limit does not hold once more has arrived.
        self.capacity = self.capacity.filter(|at| is_near(*at, acknowledged) || acknowledged < *at);
        let per_second = match self.capacity.filter(|at| is_near(*at, acknowledged)) {
            Some(_) => GROWTH_NEAR.bits_per_second(),
            None => self.rate.percent(GROWTH_PERCENT).bits_per_second(),
        };
        let growth = u128::from(per_second) * u128::from(elapsed_us) / 1_000_000;
        let grown = self.rate.bits_per_second().saturating_add(growth as u64);
        // What arrives without a queue fits.
        self.rate = Bitrate::from_bits_per_second(grown).max(acknowledged);
    }
}

/// Within a seventh of each other.
fn is_near(one: Bitrate, other: Bitrate) -> bool {
    other >= one.percent(85) && other <= one.percent(115)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn kilobits(kilobits: u64) -> Bitrate {
        Bitrate::from_kilobits_per_second(kilobits)
    }

    /// So much arrives, and it is not known how much was sent.
    fn arrives(rate: u64) -> Option<Throughput> {
        Some(Throughput { sent: None, acknowledged: kilobits(rate) })
    }

    /// So much is sent and arrives.
    fn passes(rate: u64) -> Option<Throughput> {
        Some(Throughput { sent: Some(kilobits(rate)), ..arrives(rate)? })
    }

    #[test]
    fn a_queue_that_grows_while_little_is_sent_lowers_it_slowly_and_not_below_what_once_arrived() {
        let mut control = RateControl::new(kilobits(2_000));
        control.update(0, Usage::Normal, passes(1_000));
        control.update(100_000, Usage::Over, passes(40));
        assert_eq!(control.rate(), kilobits(1_800));
        for n in 2..50 {
            control.update(n * 100_000, Usage::Over, passes(40));
        }
        assert_eq!(control.rate(), kilobits(850));
        control.update(40_000_000, Usage::Over, passes(40));
        assert_eq!(control.rate(), kilobits(765), "that was long ago");
    }

    #[test]
    fn a_growing_queue_lowers_the_estimate_below_what_arrives_and_never_raises_it() {
        let mut control = RateControl::new(kilobits(2_000));
        control.update(0, Usage::Over, arrives(1_000));
        assert_eq!(control.rate(), kilobits(850));
        control.update(50_000, Usage::Over, arrives(1_000));
        assert_eq!(control.rate(), kilobits(850), "once for the same queue");
        control.update(100_000, Usage::Over, arrives(3_000));
        assert_eq!(control.rate(), kilobits(850));
        control.update(150_000, Usage::Over, None);
        assert_eq!(control.rate(), kilobits(850), "nothing is known of what arrives");
    }

    #[test]
    fn it_grows_by_shares_when_far_from_the_limit_and_by_packets_when_near() {
        let mut control = RateControl::new(kilobits(2_000));
        control.update(0, Usage::Normal, arrives(1_900));
        control.update(1_000_000, Usage::Normal, arrives(1_900));
        assert_eq!(control.rate(), kilobits(2_160));
        control.update(1_000_000, Usage::Over, arrives(1_000));
        control.update(2_000_000, Usage::Normal, arrives(880));
        assert_eq!(control.rate(), kilobits(850 + 48));
        control.update(3_000_000, Usage::Under, arrives(880));
        assert_eq!(control.rate(), kilobits(850 + 48));
        control.update(4_000_000, Usage::Normal, arrives(100));
        assert_eq!(control.rate(), kilobits(850 + 48), "not beyond what was tried");
    }
}
