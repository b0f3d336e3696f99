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
    /// It is never lower, so that it can rise again.
    min: Bitrate,
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
    pub(crate) fn new(min: Bitrate, max: Bitrate) -> Self {
        let inherent = InherentLoss::default();
        Self { bound: max, min, max, reported: 0, lost: 0, stepped_us: 0, inherent }
    }

    /// Takes what a feedback says of so many packets, while so much was taken to reach the other
    /// end and so much did; gives the bound.
    pub(crate) fn add(
        &mut self,
        now_us: u64,
        (reported, lost, cause): (u32, u32, LossCause),
        (estimate, acknowledged): (Bitrate, Option<Bitrate>),
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
            let falls = match (cause, acknowledged) {
                // From the top it would take many steps. Little arrives just after a gap as well,
                // so that one step does not take all.
                (LossCause::Queue, Some(arrives)) => {
                    let least = arrives.percent(EMPTYING_PERCENT).max(estimate.percent(50));
                    falls.min(arrives).max(least)
                }
                // What arrives does arrive: random loss alone must not end in nothing.
                (LossCause::Queue | LossCause::Unknown, _) => {
                    falls.max(acknowledged.unwrap_or_default())
                }
            };
            self.bound = falls.min(self.bound).max(self.min);
        }
        (self.reported, self.lost, self.stepped_us) = (0, 0, now_us);
        self.bound
    }

    /// Sets the bound: a probe has shown more, or the whole way was gone.
    pub(crate) fn set(&mut self, bound: Bitrate) {
        self.bound = bound.clamp(self.min, self.max);
    }

    /// The bound.
    pub(crate) fn bound(&self) -> Bitrate {
        self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn kilobits(kilobits: u64) -> Bitrate {
        Bitrate::from_kilobits_per_second(kilobits)
    }

    const START: Bitrate = kilobits(1_000);

    /// One that may double.
    fn bound() -> LossBound {
        let mut bound = LossBound::new(kilobits(50), kilobits(2_000));
        bound.set(START);
        bound
    }

    #[test]
    fn little_loss_raises_the_bound_much_lowers_it_and_some_does_neither() {
        let after = |lost, acknowledged| {
            let mut bound = bound();
            let unknown = (100, lost, LossCause::Unknown);
            let known = (START, acknowledged);
            assert_eq!(bound.add(100_000, unknown, known), START, "not due");
            bound.add(400_000, unknown, known)
        };
        assert_eq!(after(0, None), kilobits(1_050));
        assert_eq!(after(5, None), START);
        assert_eq!(after(20, None), kilobits(900));
        assert_eq!(after(20, Some(kilobits(950))), kilobits(950));
        assert_eq!(after(20, Some(kilobits(5_000))), START);
    }

    #[test]
    fn a_full_queue_lowers_the_bound_to_what_arrives_at_once_and_then_until_it_can_empty() {
        let mut bound = bound();
        for (n, expected) in (1..).zip([500, 375, 300, 300]) {
            let known = (bound.bound().min(kilobits(600)), Some(kilobits(500)));
            let left = bound.add(n * 300_000, (100, 50, LossCause::Queue), known);
            assert_eq!(left, kilobits(expected));
        }
    }

    #[test]
    fn a_full_queue_of_which_hardly_anything_is_known_leaves_half_and_never_nothing() {
        for arrives in [None, Some(kilobits(0)), Some(kilobits(1))] {
            let mut bound = bound();
            let full = (100, 100, LossCause::Queue);
            assert_eq!(bound.add(300_000, full, (START, arrives)), kilobits(500), "{arrives:?}");
            for n in 2..20 {
                bound.add(n * 300_000, full, (bound.bound(), arrives));
            }
            assert_eq!(bound.bound(), kilobits(50));
            for n in 20..60 {
                bound.add(n * 300_000, (100, 0, LossCause::Queue), (bound.bound(), arrives));
            }
            assert!(bound.bound() > kilobits(300), "it rises again: {}", bound.bound());
        }
    }
}
