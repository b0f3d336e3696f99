//! Which of the layers inside a stream are active: sent by its publisher now.

use std::time::Instant;

use crate::frame_facts::FrameFacts;
use crate::rate::STOPPED_AFTER;
use crate::selection::{SPATIAL_MAX, TEMPORAL_MAX};

/// A spatial layer that is missing in three pictures in a row has stopped when a fourth one begins.
/// Encoders drop single frames, and viewers who leave a layer may need a key frame.
const PICTURES_WITHOUT_MAX: u8 = 4;

/// The layers that are sent now, by what has come.
#[derive(Debug, Default)]
pub(super) struct ActiveLayers {
    /// When each spatial layer last sent.
    spatial: [Option<Instant>; SPATIAL_MAX as usize],
    /// When each temporal layer last sent.
    temporal: [Option<Instant>; TEMPORAL_MAX as usize],
    /// Pictures that have begun since each spatial layer last sent.
    pictures_without: [u8; SPATIAL_MAX as usize],
    /// A spatial layer has stopped, and nobody was told.
    has_lost_one: bool,
}

impl ActiveLayers {
    /// A packet of a frame has come.
    pub(super) fn see(&mut self, now: Instant, frame: &FrameFacts) {
        self.spatial[usize::from(frame.spatial)] = Some(now);
        self.temporal[usize::from(frame.temporal)] = Some(now);
        self.pictures_without[usize::from(frame.spatial)] = 0;
    }

    /// A picture begins with a frame of the spatial layer `first`, which has come.
    pub(super) fn begin_picture(&mut self, first: u8) {
        for (at, without) in (0..).zip(&mut self.pictures_without) {
            let is_missing = at != first && self.spatial[usize::from(at)].is_some();
            *without = without.saturating_add(is_missing.into());
            self.has_lost_one |= is_missing && *without == PICTURES_WITHOUT_MAX;
        }
    }

    /// Whether a spatial layer has stopped since this was last asked.
    pub(super) fn take_loss(&mut self) -> bool {
        std::mem::take(&mut self.has_lost_one)
    }

    /// Whether a spatial layer is sent.
    pub(super) fn has_spatial(&self, now: Instant, layer: usize) -> bool {
        let is_there = self.pictures_without[layer] < PICTURES_WITHOUT_MAX;
        is_there && is_recent(now, self.spatial[layer])
    }

    /// The highest spatial layer that ever was there.
    pub(super) fn highest_spatial(&self) -> usize {
        self.spatial.iter().rposition(Option::is_some).unwrap_or(0)
    }

    /// The highest temporal layer that is sent.
    pub(super) fn highest_temporal(&self, now: Instant) -> Option<usize> {
        self.temporal.iter().rposition(|seen| is_recent(now, *seen))
    }
}

fn is_recent(now: Instant, seen: Option<Instant>) -> bool {
    seen.is_some_and(|at| now.saturating_duration_since(at) < STOPPED_AFTER)
}
