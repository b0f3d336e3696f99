//! Loss that does not come from what is sent: a bad radio link loses a tenth of much and a tenth of
//! little. Whoever sends less because of it loses the picture and nothing else gets better.
//!
//! It shows when less is sent: the same share lost is inherent, less lost was congestion. A change
//! of layers is such a trial, and it comes by itself, for the bound falls at first.

use odeum_types::Bitrate;

/// Packets over which a share is measured: at a tenth its standard deviation is 3 in 100.
const PACKETS: u32 = 100;

/// Share lost, in thousandths, from which it is worth knowing where it comes from.
const SUSPECTED_FROM: u32 = 50;

/// Less is sent when no more arrives than this share of what did, in per cent.
const LESS_PERCENT: u64 = 70;

/// The loss has stayed when its share is this much of what it was, in per cent.
const STAYED_PERCENT: u32 = 60;

/// No more than this is believed to be inherent, in thousandths: rivals in a short queue look
/// alike, and leaving them no room would be unfair.
const SHARE_MAX: u32 = 150;

/// Loss at a rate.
#[derive(Debug, Clone, Copy)]
struct Suspected {
    /// What arrived.
    rate: Bitrate,
    /// The share lost meanwhile, in thousandths.
    share: u32,
}

/// What is lost whatever is sent.
#[derive(Debug, Default)]
pub(crate) struct InherentLoss {
    /// Its share, in thousandths.
    share: u32,
    /// What to compare with.
    suspected: Option<Suspected>,
    /// Whether less is sent than then.
    is_less: bool,
    /// Packets told of, of the share being measured.
    reported: u32,
    /// Of them, lost.
    lost: u32,
}

impl InherentLoss {
    /// Takes what a feedback says of so many packets.
    pub(crate) fn add(&mut self, reported: u32, lost: u32, acknowledged: Option<Bitrate>) {
        let Some(rate) = acknowledged else { return };
        let less = |suspected: Suspected| rate <= suspected.rate.percent(LESS_PERCENT);
        let is_less = self.suspected.is_some_and(less);
        if is_less != self.is_less {
            // A share measured half before and half after the change would say nothing.
            (self.is_less, self.reported, self.lost) = (is_less, 0, 0);
        }
        self.reported += reported;
        self.lost += lost;
        if self.reported < PACKETS {
            return;
        }
        let share = self.lost * 1_000 / self.reported;
        (self.reported, self.lost) = (0, 0);
        self.share = self.share.min(share);
        match self.suspected.filter(|_| is_less) {
            Some(before) => {
                if share * 100 >= before.share * STAYED_PERCENT {
                    self.share = share.min(SHARE_MAX);
                }
                (self.suspected, self.is_less) = (None, false);
            }
            None => self.suspect(rate, share),
        }
    }

    /// Its share, in thousandths.
    pub(crate) fn share(&self) -> u32 {
        self.share
    }

    fn suspect(&mut self, rate: Bitrate, share: u32) {
        if share < SUSPECTED_FROM {
            self.suspected = None;
        } else if self.suspected.is_none_or(|before| rate >= before.rate) {
            self.suspected = Some(Suspected { rate, share });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken for inherent after hundreds of packets, each with so many of a hundred lost
    /// while so many kbit/s arrive.
    fn share_after(steps: &[(u32, u64)]) -> u32 {
        let mut inherent = InherentLoss::default();
        for (lost, kbps) in steps {
            inherent.add(100, *lost, Some(Bitrate::from_kilobits_per_second(*kbps)));
        }
        inherent.share()
    }

    #[test]
    fn loss_that_stays_when_less_is_sent_is_inherent_and_other_loss_is_not() {
        assert_eq!(share_after(&[(10, 1_000)]), 0, "nothing to compare with");
        assert_eq!(share_after(&[(10, 1_000), (10, 900), (10, 701)]), 0, "hardly less is sent");
        assert_eq!(share_after(&[(10, 1_000), (9, 500)]), 90);
        assert_eq!(share_after(&[(10, 1_000), (0, 500), (10, 500)]), 0, "it was congestion");
        assert_eq!(share_after(&[(30, 1_000), (29, 500)]), SHARE_MAX);
        assert_eq!(share_after(&[(3, 1_000), (3, 500)]), 0, "too little to matter");
    }

    #[test]
    fn it_is_forgotten_as_soon_as_less_is_lost() {
        assert_eq!(share_after(&[(10, 1_000), (10, 500), (4, 500)]), 40);
        assert_eq!(share_after(&[(10, 1_000), (10, 500), (0, 500), (12, 500)]), 0);
    }
}
