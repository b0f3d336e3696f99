//! The bound that loss sets (draft-ietf-rmcat-gcc-02 §6): below a fiftieth it rises, above a tenth
//! it falls, between it stays. What is lost however little is sent does not count.

use odeum_types::Bitrate;

use crate::inherent::InherentLoss;

/// Loss is judged over this many packets at least, so that one of three is not a third.
const PACKETS_MIN: u32 = 25;

/// Time between two steps, in microseconds: a step must show before the next one.
const STEP_US: u64 = 300_000;

/// Share of packets lost, in thousandths, up to which the bound rises, and from which it falls.
const RISES_UP_TO: u32 = 20;
const FALLS_FROM: u32 = 100;

/// A rise, in per cent of the bound.
const RISE_PERCENT: u64 = 105;

/// With a queue that stands, and so much loss, less than what arrives has to be sent for it to
/// empty: this share at the least, in per cent.
const EMPTYING_PERCENT: u64 = 60;

/// What packets are lost by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossCause {
    /// A queue that is full.
    Queue,
    /// That, or chance.
    Unknown,
}

/// The bound, and what it is judged by.
#[derive(Debug)]
pub(crate) struct LossBound {
    /// What may be sent.
    bound: Bitrate,
    /// It is never higher, so that a fall shows.
    max: Bitrate,
    /// Packets told of since the last step.
    reported: u32,
    /// Of them, lost.
    lost: u32,
    /// When the last step was made.
    stepped_us: u64,
    /// What is lost whatever is sent.
    inherent: InherentLoss,
}

impl LossBound {
    pub(crate) fn new(max: Bitrate) -> Self {
        let inherent = InherentLoss::default();
        Self { bound: max, max, reported: 0, lost: 0, stepped_us: 0, inherent }
    }

    /// Takes what a feedback says of so many packets; gives the bound.
    pub(crate) fn add(
        &mut self,
        now_us: u64,
        (reported, lost, cause): (u32, u32, LossCause),
        acknowledged: Option<Bitrate>,
    ) -> Bitrate {
        self.inherent.add(reported, lost, acknowledged);
        self.reported += reported;
        self.lost += lost;
        let is_due = now_us.saturating_sub(self.stepped_us) >= STEP_US;
        if !is_due || self.reported < PACKETS_MIN {
            return self.bound;
        }
        let share = (self.lost * 1_000 / self.reported).saturating_sub(self.inherent.share());
        if share <= RISES_UP_TO {
            self.bound = self.bound.percent(RISE_PERCENT).min(self.max);
        } else if share >= FALLS_FROM {
            let falls = self.bound.percent(100 - u64::from(share) / 20);
            // What arrives does arrive: random loss alone must not end in nothing.
            let arrives = acknowledged.unwrap_or_default();
            let least = match cause {
                LossCause::Queue => arrives.percent(EMPTYING_PERCENT),
                LossCause::Unknown => arrives,
            };
            // From the top it would take many steps.
            let falls = if cause == LossCause::Queue { falls.min(arrives) } else { falls };
            self.bound = falls.max(least).min(self.bound);
        }
        (self.reported, self.lost, self.stepped_us) = (0, 0, now_us);
        self.bound
    }

    /// Sets the bound: a probe has shown more, or the whole way was gone.
    pub(crate) fn set(&mut self, bound: Bitrate) {
        self.bound = bound.min(self.max);
    }

    /// The bound.
    pub(crate) fn bound(&self) -> Bitrate {
        self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_loss_raises_the_bound_much_lowers_it_and_some_does_neither() {
        let start = Bitrate::from_kilobits_per_second(1_000);
        let after = |lost, acknowledged| {
            let mut bound = LossBound::new(start.percent(200));
            bound.set(start);
            let unknown = (100, lost, LossCause::Unknown);
            assert_eq!(bound.add(100_000, unknown, acknowledged), start, "not due");
            bound.add(400_000, unknown, acknowledged)
        };
        assert_eq!(after(0, None), Bitrate::from_kilobits_per_second(1_050));
        assert_eq!(after(5, None), start);
        assert_eq!(after(20, None), Bitrate::from_kilobits_per_second(900));
        let arrives = Bitrate::from_kilobits_per_second(950);
        assert_eq!(after(20, Some(arrives)), arrives);
        assert_eq!(after(20, Some(Bitrate::from_kilobits_per_second(5_000))), start);
        let mut bound = LossBound::new(start.percent(200));
        for (n, expected) in (1..).zip([500, 375, 300, 300]) {
            let arrives = Some(Bitrate::from_kilobits_per_second(500));
            let left = bound.add(n * 300_000, (100, 50, LossCause::Queue), arrives);
            assert_eq!(left, Bitrate::from_kilobits_per_second(expected));
        }
    }
}
