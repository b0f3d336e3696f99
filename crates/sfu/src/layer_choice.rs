//! Which layer a viewer gets: the best that fits what it wants to see and what reaches it. Pure.

use odeum_types::Bitrate;

use crate::forwarder::LayerIndex;

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

/// What is known of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerFacts {
    /// What it sends, or sent when it last did; none before its first packet.
    pub(crate) rate: Option<Bitrate>,
    /// Whether it can be had: it is being sent, or rests because nobody wanted it.
    pub(crate) is_available: bool,
    /// Rows of its picture, when known.
    pub(crate) height: Option<u16>,
}

/// Chooses of `layers` for a viewer that gets `current` and that `available` reaches (none: no
/// limit is known). `None`: nothing fits, and nothing is sent.
pub(crate) fn choose(
    layers: &[LayerFacts],
    wish: VideoWish,
    available: Option<Bitrate>,
    current: Option<LayerIndex>,
) -> Option<LayerIndex> {
    let rate = |index: usize| layers[index].rate.unwrap_or_default();
    let (order, count) = rising(layers);
    let candidates = &order[..count];
    let ceiling = ceiling(layers, candidates, wish)?;
    let as_index = |at: usize| Some(LayerIndex(u8::try_from(candidates[at]).unwrap_or(u8::MAX)));
    let available = match (wish, available) {
        (VideoWish::Largest, _) | (_, None) => return as_index(ceiling),
        (_, Some(available)) => available,
    };
    let fits = |at: &usize| {
        let index = candidates[*at];
        let is_upwards = current.is_none_or(|current| rate(index) > rate(current.0.into()));
        let needed = if is_upwards { rate(index).percent(UP_PERCENT) } else { rate(index) };
        needed <= available
    };
    if let Some(best) = (0..=ceiling).rev().find(fits) {
        return as_index(best);
    }
    let is_enough = rate(candidates[0]).percent(PAUSE_PERCENT) <= available;
    // One that was paused needs the full rate again, which `fits` has denied.
    if is_enough && current.is_some() { as_index(0) } else { None }
}

/// The rate that has to reach a viewer before it gets more than `current`, as [`choose`] chooses;
/// none when there is nothing more that it has use for.
pub(crate) fn wanted(
    layers: &[LayerFacts],
    wish: VideoWish,
    current: Option<LayerIndex>,
) -> Option<Bitrate> {
    let (order, count) = rising(layers);
    let candidates = &order[..count];
    let next = match current {
        None => 0,
        Some(current) => candidates.iter().position(|at| *at == usize::from(current.0))? + 1,
    };
    if next > ceiling(layers, candidates, wish)? {
        return None;
    }
    Some(layers[*candidates.get(next)?].rate?.percent(UP_PERCENT))
}

/// The layers that can be had, the smallest first, and how many they are.
fn rising(layers: &[LayerFacts]) -> ([usize; LAYERS_MAX], usize) {
    // By size where it is known: of a still picture all layers take alike little.
    let has_heights = layers.iter().all(|layer| layer.height.is_some());
    let mut order: [usize; LAYERS_MAX] = std::array::from_fn(|at| at);
    let known = &mut order[..layers.len().min(LAYERS_MAX)];
    known.sort_unstable_by_key(|at| {
        let LayerFacts { rate, is_available, height } = layers[*at];
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

    fn layer(kilobits: u64, height: u16) -> LayerFacts {
        let rate = Some(Bitrate::from_kilobits_per_second(kilobits));
        LayerFacts { rate, is_available: true, height: Some(height) }
    }

    /// Not in the order of their rates: an SDP may name the largest first.
    fn layers() -> [LayerFacts; 3] {
        [layer(1_500, 720), layer(150, 180), layer(500, 360)]
    }

    fn check(wish: VideoWish, kilobits: Option<u64>, current: Option<u8>) -> Option<u8> {
        let available = kilobits.map(Bitrate::from_kilobits_per_second);
        choose(&layers(), wish, available, current.map(LayerIndex)).map(|layer| layer.0)
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
        let mut layers = [layer(20, 720), layer(21, 180), layer(19, 360)];
        let smallest = |layers: &[LayerFacts]| choose(layers, VideoWish::Smallest, None, None);
        assert_eq!(smallest(&layers), Some(LayerIndex(1)));
        layers[2].height = None;
        assert_eq!(smallest(&layers), Some(LayerIndex(2)), "sizes of all, or of none");
    }

    #[test]
    fn more_is_wanted_up_to_what_a_viewer_has_use_for() {
        let wanted = |wish, current: Option<u8>| {
            super::wanted(&layers(), wish, current.map(LayerIndex))
                .map(|rate| rate.bits_per_second())
        };
        assert_eq!(wanted(VideoWish::Best, None), Some(180_000));
        assert_eq!(wanted(VideoWish::Best, Some(1)), Some(600_000));
        assert_eq!(wanted(VideoWish::Best, Some(2)), Some(1_800_000));
        assert_eq!(wanted(VideoWish::Best, Some(0)), None);
        assert_eq!(wanted(VideoWish::Height(360), Some(2)), None);
        assert_eq!(wanted(VideoWish::Smallest, None), Some(180_000));
        assert_eq!(super::wanted(&[], VideoWish::Best, None), None);
    }

    #[test]
    fn a_layer_that_has_stopped_is_left() {
        let mut layers = layers();
        layers[0].is_available = false;
        assert_eq!(
            choose(&layers, VideoWish::Best, None, Some(LayerIndex(0))),
            Some(LayerIndex(2))
        );
        for layer in &mut layers {
            layer.is_available = false;
        }
        let none = choose(&layers, VideoWish::Best, None, None);
        assert!(none.is_some(), "something is wanted, for something may come");
        assert_eq!(choose(&[], VideoWish::Best, None, None), None);
    }
}
