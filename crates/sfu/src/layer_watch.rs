//! Which layers anybody watches: what nobody does need not be sent. Pure.

use std::time::{Duration, Instant};

use odeum_types::LayerSet;

use crate::layer_choice::LAYERS_MAX;

/// A layer that nobody has watched for so long is not asked for any more. Shorter saves more of the
/// publisher's line, and lets it start an encoder for each viewer that goes to and fro.
const REST_AFTER: Duration = Duration::from_secs(5);

/// A layer that is wanted again and does not come for so long is taken not to.
const STARTS_WITHIN: Duration = Duration::from_secs(3);

/// What is known of who watches a publisher's layers.
#[derive(Debug)]
pub(crate) struct LayerWatch {
    /// What the publisher was last told to send: everything, before it was told anything.
    wanted: LayerSet,
    /// When each layer was last watched.
    watched: [Option<Instant>; LAYERS_MAX],
    /// When each layer was last wanted again.
    started: [Option<Instant>; LAYERS_MAX],
}

impl LayerWatch {
    pub(crate) fn new(layers: usize) -> Self {
        let count = u8::try_from(layers).unwrap_or(u8::MAX);
        Self {
            wanted: LayerSet::all(count),
            watched: [None; LAYERS_MAX],
            started: [None; LAYERS_MAX],
        }
    }

    /// Takes which layers are watched now; gives what the publisher is to send if that has changed.
    pub(crate) fn update(&mut self, now: Instant, watched: LayerSet) -> Option<LayerSet> {
        let count = watched.iter().count();
        let mut wanted = LayerSet::none(u8::try_from(count).unwrap_or(u8::MAX));
        for (at, layer) in (0..count.min(LAYERS_MAX)).zip(0..) {
            if watched.contains(layer) {
                self.watched[at] = Some(now);
            }
            let last = *self.watched[at].get_or_insert(now);
            if now.saturating_duration_since(last) < REST_AFTER {
                wanted.insert(layer);
                if !self.wanted.contains(layer) {
                    self.started[at] = Some(now);
                }
            }
        }
        let before = std::mem::replace(&mut self.wanted, wanted);
        (before != wanted).then_some(wanted)
    }

    /// Whether a layer that does not come could be had: it rests, or is about to start.
    pub(crate) fn can_come(&self, now: Instant, layer: u8) -> bool {
        let started = self.started.get(usize::from(layer)).copied().flatten();
        let starts = started.is_some_and(|at| now.saturating_duration_since(at) < STARTS_WITHIN);
        !self.wanted.contains(layer) || starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(layers: &[u8]) -> LayerSet {
        let mut set = LayerSet::none(3);
        layers.iter().for_each(|layer| set.insert(*layer));
        set
    }

    #[test]
    fn a_layer_rests_when_nobody_has_watched_it_for_a_while_and_starts_at_once() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut watch = LayerWatch::new(3);
        assert_eq!(watch.update(at(0), set(&[0])), None, "all are sent, and none rests yet");
        assert_eq!(watch.update(at(4_999), set(&[0])), None);
        assert_eq!(watch.update(at(5_000), set(&[0])), Some(set(&[0])));
        assert!(watch.can_come(at(5_000), 1) && watch.can_come(at(5_000), 2));
        assert!(!watch.can_come(at(5_000), 0), "it is asked for: it comes or it does not");
        assert_eq!(watch.update(at(6_000), set(&[0, 2])), Some(set(&[0, 2])));
        assert!(watch.can_come(at(8_999), 2), "it is starting");
        assert!(!watch.can_come(at(9_000), 2), "it did not");
        assert_eq!(watch.update(at(10_000), set(&[0])), None);
        assert_eq!(watch.update(at(10_999), set(&[2])), None);
        assert_eq!(watch.update(at(15_000), set(&[2])), Some(set(&[2])));
    }
}
