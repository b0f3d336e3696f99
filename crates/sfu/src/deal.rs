//! How what reaches a session is dealt out among the videos that it plays: first some picture of
//! each, then by priority the layers above. Pure.

use std::cmp::Reverse;

use odeum_types::Bitrate;

use crate::PeerKey;
use crate::forwarder::Pick;
use crate::layer_choice::{
    LAYERS_MAX, LayerFacts, Limit, VideoWish, choose, most, rate_of, wanted,
};
use crate::wish::{PlayWish, Priority};

/// A probe looks for no more than this share of what is known to arrive, in per cent.
const PROBED_PERCENT: u64 = 200;

/// A video that is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    /// Who plays it.
    pub(crate) peer: PeerKey,
    /// Its layers, of which there are `count`.
    pub(crate) layers: [LayerFacts; LAYERS_MAX],
    /// How many there are.
    pub(crate) count: usize,
    /// What is wanted of it.
    pub(crate) wish: PlayWish,
    /// What was chosen of it before.
    pub(crate) current: Option<Pick>,
    /// Whether probes can be sent with it.
    pub(crate) can_probe: bool,
    /// What it gets; none when nothing fits.
    pub(crate) granted: Option<Pick>,
    /// What of the budget it takes.
    charge: Bitrate,
    /// The same of its least picture.
    base: Bitrate,
}

/// What more would be of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextStep {
    /// Who is to send a probe for it.
    pub(crate) peer: PeerKey,
    /// From here on some video gets more.
    pub(crate) needed: Bitrate,
    /// As much as is worth looking for.
    pub(crate) wanted: Bitrate,
}

impl Demand {
    pub(crate) fn new(
        peer: PeerKey,
        (layers, count): ([LayerFacts; LAYERS_MAX], usize),
        wish: PlayWish,
        current: Option<Pick>,
    ) -> Self {
        let nothing = Bitrate::default();
        let (can_probe, granted) = (false, None);
        let (charge, base) = (nothing, nothing);
        Self { peer, layers, count, wish, current, can_probe, granted, charge, base }
    }

    fn layers(&self) -> &[LayerFacts] {
        &self.layers[..self.count]
    }

    /// Gives it what it can have within `limit` of what is left and what it has already.
    fn grant(&mut self, limit: Limit, left: &mut Bitrate) {
        let available = left.plus(self.charge);
        self.granted =
            choose(self.layers(), (self.wish.video, limit), Some(available), self.current);
        let rate = self.granted.map_or(Bitrate::default(), |pick| rate_of(self.layers(), pick));
        self.charge = rate.min(available);
        *left = available.minus(self.charge);
    }

    /// Whether all that was granted is there, or it is wanted whatever is there.
    fn fits(&self) -> bool {
        let takes = self.granted.map(|pick| rate_of(self.layers(), pick));
        takes.is_none_or(|rate| rate <= self.charge) || self.wish.video == VideoWish::Largest
    }

    /// The first in the order gets first: by priority, then by size as it is shown.
    fn order(&self) -> (Reverse<Priority>, Reverse<u16>, PeerKey) {
        let height = match self.wish.video {
            VideoWish::Height(height) => height,
            VideoWish::Best | VideoWish::Largest => u16::MAX,
            VideoWish::Smallest => 0,
        };
        (Reverse(self.wish.priority), Reverse(height), self.peer)
    }
}

/// Deals `budget` out; gives what of it is used and what more would be of use.
///
/// Those of one priority take turns, layer by layer; one of a lower priority gets more than its
/// least picture only when the higher ones have all that they can take.
pub(crate) fn deal(demands: &mut [Demand], budget: Bitrate) -> (Bitrate, Option<NextStep>) {
    demands.sort_unstable_by_key(Demand::order);
    let mut left = budget;
    for (at, demand) in demands.iter_mut().enumerate() {
        demand.charge = Bitrate::default();
        demand.grant(Limit::Least, &mut left);
        // One that stutters is better than none; beside others it would take their sound along.
        if at > 0 && !demand.fits() {
            left = left.plus(demand.charge);
            (demand.granted, demand.charge) = (None, Bitrate::default());
        }
        demand.base = demand.charge;
    }
    for class in demands.chunk_by_mut(|one, other| one.wish.priority == other.wish.priority) {
        for layer in 0..LAYERS_MAX {
            for demand in class.iter_mut().filter(|demand| demand.granted.is_some()) {
                demand.grant(Limit::UpTo(layer), &mut left);
            }
        }
    }
    (budget.minus(left), next_step(demands, budget))
}

/// The nearest budget at which some video gets more.
fn next_step(demands: &[Demand], budget: Bitrate) -> Option<NextStep> {
    let sum = |of: fn(&Demand) -> Bitrate, demands: &[Demand]| {
        demands.iter().map(of).fold(Bitrate::default(), Bitrate::plus)
    };
    let mut before = Bitrate::default();
    let mut bases_behind = sum(|demand| demand.base, demands);
    let mut nearest: Option<(Bitrate, PeerKey)> = None;
    for class in demands.chunk_by(|one, other| one.wish.priority == other.wish.priority) {
        bases_behind = bases_behind.minus(sum(|demand| demand.base, class));
        let own = sum(|demand| demand.charge, class);
        let fixed = before.plus(own).plus(bases_behind);
        for demand in class {
            let Some(rate) = wanted(demand.layers(), demand.wish.video, demand.granted) else {
                continue;
            };
            let needed = fixed.minus(demand.charge).plus(rate);
            if needed > budget && nearest.is_none_or(|(other, _)| needed < other) {
                nearest = Some((needed, demand.peer));
            }
        }
        before = before.plus(own);
    }
    let (needed, peer) = nearest?;
    let all = sum(|demand| most(demand.layers(), demand.wish.video), demands);
    let wanted = all.min(budget.percent(PROBED_PERCENT)).max(needed);
    let own = demands.iter().find(|demand| demand.peer == peer && demand.can_probe);
    let prober = own.or_else(|| demands.iter().find(|demand| demand.can_probe))?;
    Some(NextStep { peer: prober.peer, needed, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarder::LayerIndex;

    const KBPS: [u64; 3] = [150, 500, 1_500];

    const fn kilobits(kilobits: u64) -> Bitrate {
        Bitrate::from_kilobits_per_second(kilobits)
    }

    /// A video of three layers, of which the one at `current` is got.
    fn demand(peer: PeerKey, priority: Priority, current: Option<u8>) -> Demand {
        let layers = std::array::from_fn(|at| LayerFacts {
            pick: Pick::whole(LayerIndex(at as u8)),
            rate: Some(kilobits(KBPS[at])),
            reduced: [None; 2],
            is_available: true,
            height: Some(180 << at),
        });
        let wish = PlayWish { priority, ..PlayWish::default() };
        let current = current.map(|layer| Pick::whole(LayerIndex(layer)));
        let mut demand = Demand::new(peer, (layers, LAYERS_MAX), wish, current);
        demand.can_probe = true;
        demand
    }

    /// The layers that are got of so much, in the order of the peers.
    fn layers(demands: &mut [Demand], budget: u64) -> Vec<Option<u8>> {
        let (used, _) = deal(demands, kilobits(budget));
        assert!(used <= kilobits(budget), "{used:?}");
        demands.sort_unstable_by_key(|demand| demand.peer);
        demands.iter().map(|demand| demand.granted.map(|pick| pick.layer.0)).collect()
    }

    fn next(demands: &mut [Demand], budget: u64) -> Option<(u64, u64)> {
        let (_, next) = deal(demands, kilobits(budget));
        next.map(|next| [next.needed, next.wanted].map(|rate| rate.bits_per_second() / 1_000))
            .map(|[needed, wanted]| (needed, wanted))
    }

    #[test]
    fn each_has_a_picture_before_any_has_a_better_one_and_then_the_higher_go_first() {
        let four = [Priority::Low, Priority::High, Priority::Medium, Priority::Medium];
        let new = || [0, 1, 2, 3].map(|at| demand(at, four[at], Some(0)));
        for (budget, expected) in [
            (10_000, [Some(2), Some(2), Some(2), Some(2)]),
            (5_000, [Some(0), Some(2), Some(2), Some(2)]),
            (4_900, [Some(1), Some(2), Some(2), Some(1)]),
            (3_000, [Some(0), Some(2), Some(1), Some(1)]),
            (2_300, [Some(0), Some(2), Some(0), Some(0)]),
            (1_900, [Some(0), Some(1), Some(1), Some(1)]),
            (1_150, [Some(0), Some(1), Some(0), Some(0)]),
            (600, [Some(0); 4]),
            (599, [None, Some(0), Some(0), Some(0)]),
            (450, [None, Some(0), Some(0), Some(0)]),
            (160, [None, Some(0), None, None]),
            (50, [None; 4]),
        ] {
            assert_eq!(layers(&mut new(), budget), expected, "{budget}");
        }
    }

    #[test]
    fn those_of_one_priority_take_turns_and_what_one_cannot_use_another_has() {
        let new = |current| [0, 1, 2].map(|at| demand(at, Priority::Medium, Some(current)));
        assert_eq!(layers(&mut new(0), 1_799), [Some(1), Some(1), Some(1)]);
        assert_eq!(layers(&mut new(2), 2_500), [Some(2), Some(1), Some(1)]);
        let mut demands = new(0);
        demands[0].wish.video = VideoWish::Smallest;
        demands[1].wish.video = VideoWish::Height(360);
        assert_eq!(layers(&mut demands, 2_500), [Some(0), Some(1), Some(2)]);
        // As it is shown: the larger one first.
        let mut demands = new(0);
        demands[0].wish.video = VideoWish::Height(300);
        demands[2].wish.video = VideoWish::Height(700);
        assert_eq!(layers(&mut demands, 1_000), [Some(0), Some(1), Some(0)]);
        demands[1].wish.video = VideoWish::Height(400);
        assert_eq!(layers(&mut demands, 1_000), [Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn one_that_insists_on_the_largest_leaves_the_rest_to_the_others() {
        let mut demands = [0, 1].map(|at| demand(at, Priority::Medium, Some(0)));
        demands[1].wish.video = VideoWish::Largest;
        assert_eq!(layers(&mut demands, 2_000), [Some(0), Some(2)]);
        assert_eq!(layers(&mut demands, 700), [Some(0), Some(2)]);
        demands[1].wish.priority = Priority::High;
        assert_eq!(layers(&mut demands, 700), [None, Some(2)]);
    }

    #[test]
    fn to_go_up_there_has_to_be_more_room_than_to_stay() {
        let two =
            |currents: [u8; 2]| [0, 1].map(|at| demand(at, Priority::Medium, Some(currents[at])));
        assert_eq!(layers(&mut two([1, 0]), 740), [Some(1), Some(0)]);
        assert_eq!(layers(&mut two([0, 0]), 740), [Some(0), Some(0)]);
        assert_eq!(layers(&mut two([0, 0]), 750), [Some(1), Some(0)]);
        // One that is paused needs a fifth more as well.
        let mut paused = [demand(0, Priority::Medium, Some(0)), demand(1, Priority::Medium, None)];
        assert_eq!(layers(&mut paused, 329), [Some(0), None]);
        assert_eq!(layers(&mut paused, 330), [Some(0), Some(0)]);
    }

    #[test]
    fn the_next_step_is_the_nearest_one_and_what_is_looked_for_at_most_twice_what_is_known() {
        let mut demands = [0, 1].map(|at| demand(at, Priority::Medium, Some(0)));
        assert_eq!(next(&mut demands, 400), Some((750, 800)));
        demands[1].wish.priority = Priority::High;
        // The lower one's second layer is nearer than the higher one's third.
        demands[1].current = demands[1].granted.map(|_| Pick::whole(LayerIndex(1)));
        assert_eq!(next(&mut demands, 1_000), Some((1_100, 2_000)));
        assert_eq!(next(&mut demands, 10_000), None);
        demands.iter_mut().for_each(|demand| demand.can_probe = false);
        assert_eq!(next(&mut demands, 400), None);
    }

    #[test]
    fn a_hundred_videos_are_dealt_with_whatever_is_there() {
        let priorities = [Priority::VeryLow, Priority::Low, Priority::Medium, Priority::High];
        let new = || (0..100).map(|at| demand(at, priorities[at % 4], Some(at as u8 % 3)));
        let mut before = 0;
        for budget in (0..250_000).step_by(1_000) {
            let layers = layers(&mut new().collect::<Vec<_>>(), budget);
            let count = layers.iter().flatten().count();
            assert!(count >= before, "more room, fewer pictures at {budget}");
            before = count;
        }
        assert_eq!(before, 100);
    }
}
