//! Which layer a viewer gets: the best that fits what it wants to see and what reaches it. Pure.

use odeum_types::Bitrate;

use crate::forwarder::Pick;
use crate::selection::{Selection, TEMPORAL_MAX};

/// Share of the layer's rate that has to be there before a viewer goes up to it, so that it does
/// not go to and fro.
const UP_PERCENT: u64 = 120;

/// Share of the lowest layer's rate below which a viewer gets none, so that its sound arrives. A
/// picture that stutters is better than none, and estimates err.
const PAUSE_PERCENT: u64 = 40;

/// What a viewer wants to see of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VideoWish {
    /// The best that reaches it.
    #[default]
    Best,
    /// The largest layer, whatever reaches it.
    Largest,
    /// The smallest layer.
    Smallest,
    /// It shows this many rows of pixels: no more than the layer that has them.
    Height(u16),
}

/// What is known of a layer: a stream of its own, or a spatial layer inside one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerFacts {
    /// How all of it is picked.
    pub(crate) pick: Pick,
    /// What it sends, or sent when it last did; none before its first packet.
    pub(crate) rate: Option<Bitrate>,
    /// What its lowest temporal layer takes, and its two lowest; none of what it does not have.
    pub(crate) reduced: [Option<Bitrate>; REDUCED],
    /// Whether it can be had: it is being sent, or rests because nobody wanted it.
    pub(crate) is_available: bool,
    /// Rows of its picture, when known.
    pub(crate) height: Option<u16>,
}

/// Selections of a layer's temporal layers that leave some out.
const REDUCED: usize = TEMPORAL_MAX as usize - 1;

impl LayerFacts {
    /// What it takes up to a temporal layer; none when there are none to leave out above it.
    fn rate_up_to(&self, temporal: u8) -> Option<Bitrate> {
        match self.reduced.get(usize::from(temporal)) {
            Some(reduced) => *reduced,
            None => Some(self.rate.unwrap_or_default()),
        }
    }

    fn up_to(&self, temporal: u8) -> Pick {
        let selection = Selection { temporal, ..self.pick.selection };
        Pick { selection, ..self.pick }
    }

    /// The least of it, and what that takes.
    fn least(&self) -> (u8, Bitrate) {
        let mut temporal = 0..TEMPORAL_MAX;
        let least = temporal.find_map(|temporal| Some((temporal, self.rate_up_to(temporal)?)));
        least.unwrap_or_default()
    }

    /// All of it but the highest temporal layer, if it has several.
    fn one_less(&self) -> u8 {
        let reduced = self.reduced.iter().rposition(Option::is_some);
        reduced.map_or(TEMPORAL_MAX - 1, |temporal| temporal as u8)
    }

    /// Whether a pick is of this layer.
    fn has(&self, pick: Pick) -> bool {
        self.up_to(pick.selection.temporal) == pick
    }
}

/// How far up a choice may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The fewest pictures of the smallest layer.
    Least,
    /// The layer at this place of those that can be had, the smallest first.
    UpTo(usize),
}

impl Limit {
    /// All layers.
    pub(crate) const NONE: Self = Self::UpTo(LAYERS_MAX);
}

/// Chooses of `layers` for a viewer that gets `current` and that `available` reaches (none: no
/// limit is known). `None`: nothing fits, and nothing is sent. [`VideoWish::Largest`] has no limit.
///
/// Fewer pictures per second are chosen of two layers only: of the one that the viewer gets, as
/// that takes effect at once and needs no key frame, and then all but the highest temporal layer;
/// and of the smallest, before there is none at all.
pub(crate) fn choose(
    layers: &[LayerFacts],
    (wish, limit): (VideoWish, Limit),
    available: Option<Bitrate>,
    current: Option<Pick>,
) -> Option<Pick> {
    let (order, count) = rising(layers);
    let candidates = &order[..count];
    let ceiling = ceiling(layers, candidates, wish)?;
    let available = match (wish, available) {
        (VideoWish::Largest, _) | (_, None) => return Some(layers[candidates[ceiling]].pick),
        (_, Some(available)) => available,
    };
    let now = current.and_then(|pick| {
        let layer = layers.iter().find(|layer| layer.has(pick))?;
        layer.rate_up_to(pick.selection.temporal).or(layer.rate)
    });
    let fits = |layer: &LayerFacts, temporal: u8| {
        let rate = layer.rate_up_to(temporal)?;
        let is_upwards = now.is_none_or(|now| rate > now);
        let needed = if is_upwards { rate.percent(UP_PERCENT) } else { rate };
        (needed <= available).then(|| layer.up_to(temporal))
    };
    let places = match limit {
        Limit::Least => 0..0,
        Limit::UpTo(place) => 0..ceiling.min(place) + 1,
    };
    for at in places.rev() {
        let layer = &layers[candidates[at]];
        let is_current = current.is_some_and(|pick| layer.has(pick));
        let least = match (at, is_current) {
            (0, _) => 0,
            (_, true) => layer.one_less(),
            (_, false) => TEMPORAL_MAX - 1,
        };
        if let Some(pick) = (least..TEMPORAL_MAX).rev().find_map(|t| fits(layer, t)) {
            return Some(pick);
        }
    }
    let lowest = &layers[candidates[0]];
    let (temporal, rate) = lowest.least();
    if limit == Limit::Least
        && let Some(pick) = fits(lowest, temporal)
    {
        return Some(pick);
    }
    // One that was paused needs the full rate again, which `fits` has denied.
    let is_enough = current.is_some() && rate.percent(PAUSE_PERCENT) <= available;
    is_enough.then(|| lowest.up_to(temporal))
}

/// What a pick takes.
pub(crate) fn rate_of(layers: &[LayerFacts], pick: Pick) -> Bitrate {
    let layer = layers.iter().find(|layer| layer.has(pick));
    let rate = layer.and_then(|layer| layer.rate_up_to(pick.selection.temporal).or(layer.rate));
    rate.unwrap_or_default()
}

/// The rate that has to reach a viewer before it gets all that it has use for.
pub(crate) fn most(layers: &[LayerFacts], wish: VideoWish) -> Bitrate {
    let (order, count) = rising(layers);
    let ceiling = ceiling(layers, &order[..count], wish);
    let rate = ceiling.and_then(|at| layers[order[at]].rate);
    rate.unwrap_or_default().percent(UP_PERCENT)
}

/// The rate that has to reach a viewer before it gets more than `current`, as [`choose`] chooses;
/// none when there is nothing more that it has use for.
pub(crate) fn wanted(
    layers: &[LayerFacts],
    wish: VideoWish,
    current: Option<Pick>,
) -> Option<Bitrate> {
    let (order, count) = rising(layers);
    let candidates = &order[..count];
    let ceiling = ceiling(layers, candidates, wish)?;
    let Some(current) = current else {
        let lowest = &layers[*candidates.first()?];
        let rate = if lowest.reduced == [None; REDUCED] { lowest.rate? } else { lowest.least().1 };
        return Some(rate.percent(UP_PERCENT));
    };
    let at = candidates.iter().position(|at| layers[*at].has(current))?;
    if at > ceiling {
        return None;
    }
    let mut above = current.selection.temporal + 1..TEMPORAL_MAX;
    let more = above.find_map(|temporal| layers[candidates[at]].rate_up_to(temporal));
    let next = || layers[*candidates[..=ceiling].get(at + 1)?].rate;
    Some(more.or_else(next)?.percent(UP_PERCENT))
}

/// The layers that can be had, the smallest first, and how many they are.
fn rising(layers: &[LayerFacts]) -> ([usize; LAYERS_MAX], usize) {
    // By size where it is known: of a still picture all layers take alike little.
    let has_heights = layers.iter().all(|layer| layer.height.is_some());
    let mut order: [usize; LAYERS_MAX] = std::array::from_fn(|at| at);
    let known = &mut order[..layers.len().min(LAYERS_MAX)];
    known.sort_unstable_by_key(|at| {
        let LayerFacts { rate, is_available, height, .. } = layers[*at];
        (!is_available, height.filter(|_| has_heights), rate)
    });
    let count = known.iter().filter(|at| layers[**at].is_available).count();
    // Before anything was heard of any layer the first one is as good as another.
    (order, count.max(layers.len().min(1)))
}

/// The layers of a track at most.
pub(crate) const LAYERS_MAX: usize = 3;

/// The place of the largest candidate that the viewer has use for.
fn ceiling(layers: &[LayerFacts], candidates: &[usize], wish: VideoWish) -> Option<usize> {
    let largest = candidates.len().checked_sub(1)?;
    match wish {
        VideoWish::Best | VideoWish::Largest => Some(largest),
        VideoWish::Smallest => Some(0),
        VideoWish::Height(height) => {
            let is_enough =
                |index: &usize| layers[*index].height.is_some_and(|rows| rows >= height);
            Some(candidates.iter().position(is_enough).unwrap_or(largest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarder::LayerIndex;

    fn layer(kilobits: u64, height: u16) -> LayerFacts {
        let rate = Some(Bitrate::from_kilobits_per_second(kilobits));
        let pick = Pick::whole(LayerIndex(0));
        LayerFacts { pick, rate, reduced: [None; 2], is_available: true, height: Some(height) }
    }

    fn indexed<const N: usize>(mut layers: [LayerFacts; N]) -> [LayerFacts; N] {
        for (layer, index) in layers.iter_mut().zip(0..) {
            layer.pick = Pick::whole(LayerIndex(index));
        }
        layers
    }

    fn whole(index: u8) -> Option<Pick> {
        Some(Pick::whole(LayerIndex(index)))
    }

    /// Not in the order of their rates: an SDP may name the largest first.
    fn layers() -> [LayerFacts; 3] {
        indexed([layer(1_500, 720), layer(150, 180), layer(500, 360)])
    }

    fn check(wish: VideoWish, kilobits: Option<u64>, current: Option<u8>) -> Option<u8> {
        let available = kilobits.map(Bitrate::from_kilobits_per_second);
        let current = current.map(|index| Pick::whole(LayerIndex(index)));
        choose(&layers(), (wish, Limit::NONE), available, current).map(|pick| pick.layer.0)
    }

    #[test]
    fn the_best_that_fits_is_chosen_with_a_margin_upwards() {
        for (available, current, expected) in [
            (None, None, Some(0)),
            (Some(1_799), Some(2), Some(2)),
            (Some(1_800), Some(2), Some(0)),
            (Some(1_500), Some(0), Some(0)),
            (Some(1_499), Some(0), Some(2)),
            (Some(499), Some(0), Some(1)),
            (Some(599), Some(1), Some(1)),
            (Some(600), Some(1), Some(2)),
            (Some(60), Some(1), Some(1)),
            (Some(59), Some(1), None),
            (Some(179), None, None),
            (Some(180), None, Some(1)),
        ] {
            assert_eq!(check(VideoWish::Best, available, current), expected, "{available:?}");
        }
    }

    #[test]
    fn a_viewer_gets_no_more_than_it_has_use_for() {
        for (wish, expected) in [
            (VideoWish::Height(180), 1),
            (VideoWish::Height(181), 2),
            (VideoWish::Height(400), 0),
            (VideoWish::Height(2_000), 0),
            (VideoWish::Smallest, 1),
            (VideoWish::Largest, 0),
        ] {
            assert_eq!(check(wish, None, None), Some(expected), "{wish:?}");
        }
        assert_eq!(check(VideoWish::Largest, Some(100), None), Some(0), "it asked for that");
        assert_eq!(check(VideoWish::Smallest, Some(50), Some(1)), None);
    }

    #[test]
    fn layers_of_a_still_picture_are_told_apart_by_their_size() {
        let mut layers = indexed([layer(20, 720), layer(21, 180), layer(19, 360)]);
        let smallest =
            |layers: &[LayerFacts]| choose(layers, (VideoWish::Smallest, Limit::NONE), None, None);
        assert_eq!(smallest(&layers), whole(1));
        layers[2].height = None;
        assert_eq!(smallest(&layers), whole(2), "sizes of all, or of none");
    }

    #[test]
    fn more_is_wanted_up_to_what_a_viewer_has_use_for() {
        let wanted = |wish, current: Option<u8>| {
            let current = current.and_then(whole);
            super::wanted(&layers(), wish, current).map(|rate| rate.bits_per_second())
        };
        assert_eq!(wanted(VideoWish::Best, None), Some(180_000));
        assert_eq!(wanted(VideoWish::Best, Some(1)), Some(600_000));
        assert_eq!(wanted(VideoWish::Best, Some(2)), Some(1_800_000));
        assert_eq!(wanted(VideoWish::Best, Some(0)), None);
        assert_eq!(wanted(VideoWish::Height(360), Some(2)), None);
        assert_eq!(wanted(VideoWish::Smallest, None), Some(180_000));
        assert_eq!(super::wanted(&[], VideoWish::Best, None), None);
    }

    /// Rates of a layer in three temporal ones: 40, 60 and 100 %, as libvpx divides them.
    fn in_three(layer: LayerFacts) -> LayerFacts {
        let share = |percent| layer.rate.map(|rate| rate.percent(percent));
        LayerFacts { reduced: [share(40), share(60)], ..layer }
    }

    #[test]
    fn fewer_pictures_are_chosen_of_the_layer_that_is_got_and_of_the_smallest() {
        let layers = indexed([layer(150, 180), layer(500, 360), layer(1_500, 720)]).map(in_three);
        let pick = |layer, temporal| Pick {
            layer: LayerIndex(layer),
            selection: Selection { temporal, ..Selection::TOP },
        };
        for (kilobits, current, expected) in [
            (1_500, Some((2, 2)), Some((2, 2))),
            (1_499, Some((2, 2)), Some((2, 1))),
            (900, Some((2, 2)), Some((2, 1))),
            // No less of it than that: the next one has more pictures.
            (899, Some((2, 2)), Some((1, 2))),
            (1_799, Some((2, 1)), Some((2, 1))),
            (1_800, Some((2, 1)), Some((2, 2))),
            (299, Some((1, 1)), Some((0, 2))),
            (149, Some((0, 2)), Some((0, 1))),
            (89, Some((0, 2)), Some((0, 0))),
            (107, Some((0, 0)), Some((0, 0))),
            (108, Some((0, 0)), Some((0, 1))),
            (180, Some((0, 0)), Some((0, 2))),
            (24, Some((0, 0)), Some((0, 0))),
            (23, Some((0, 0)), None),
            (71, None, None),
            (72, None, Some((0, 0))),
        ] {
            let available = Some(Bitrate::from_kilobits_per_second(kilobits));
            let current = current.map(|(layer, temporal)| pick(layer, temporal));
            let chosen = choose(&layers, (VideoWish::Best, Limit::NONE), available, current);
            let expected = expected.map(|(layer, temporal)| pick(layer, temporal));
            assert_eq!(chosen, expected, "{kilobits} {current:?}");
        }
        for (current, kilobits) in [
            (None, Some(72)),
            (Some((0, 0)), Some(108)),
            (Some((0, 1)), Some(180)),
            (Some((0, 2)), Some(600)),
            (Some((2, 1)), Some(1_800)),
            (Some((2, 2)), None),
        ] {
            let current = current.map(|(layer, temporal)| pick(layer, temporal));
            let rate = super::wanted(&layers, VideoWish::Best, current);
            let kilobits = kilobits.map(Bitrate::from_kilobits_per_second);
            assert_eq!(rate, kilobits, "{current:?}");
        }
    }

    #[test]
    fn a_layer_that_has_stopped_is_left() {
        let mut layers = layers();
        layers[0].is_available = false;
        assert_eq!(choose(&layers, (VideoWish::Best, Limit::NONE), None, whole(0)), whole(2));
        for layer in &mut layers {
            layer.is_available = false;
        }
        let none = choose(&layers, (VideoWish::Best, Limit::NONE), None, None);
        assert!(none.is_some(), "something is wanted, for something may come");
        assert_eq!(choose(&[], (VideoWish::Best, Limit::NONE), None, None), None);
    }
}
