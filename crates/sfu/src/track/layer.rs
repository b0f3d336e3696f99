//! A track as something to choose: what is known of it and of the layers inside it.

use std::time::Instant;

use super::Track;
use crate::forwarder::{LayerIndex, Pick};
use crate::layer_choice::LayerFacts;
use crate::layering::Layering;
use crate::selection::Selection;

impl Track {
    /// Whether one of the spatial layers inside it has gone since this was last asked.
    pub(crate) fn take_loss_of_layer(&mut self) -> bool {
        self.layers.layering_mut().is_some_and(Layering::take_loss_of_one)
    }

    /// What a viewer chooses by.
    pub(crate) fn layer_facts(&self, now: Instant) -> LayerFacts {
        let rates = self.layering().map(|layering| layering.rates(now, Selection::TOP));
        LayerFacts {
            pick: Pick::whole(LayerIndex(0)),
            rate: self.meter.rate(now),
            reduced: rates.unwrap_or_default(),
            is_available: self.meter.is_running(now),
            height: self.height,
        }
    }

    /// The layers inside it, if there are any.
    pub(crate) fn layering(&self) -> Option<&Layering> {
        self.layers.layering()
    }

    /// Whether a viewer that gets `current` comes to `next` without a key frame.
    pub(crate) fn can_turn(&self, current: Selection, next: Selection) -> bool {
        let is_nested = |layering: &Layering| layering.is_nested(current, next);
        current.spatial == next.spatial || self.layering().is_some_and(is_nested)
    }
}
