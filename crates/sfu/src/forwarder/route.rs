//! A stretch of packets that went to a subscriber under numbers that belong together.

use odeum_rtp::codec::PictureNumbers;

use super::{Decision, LayerIndex, Numbers, PacketFacts, Pick};
use crate::layering::{Layering, Placed, Shape};
use crate::selection::Selection;

/// How the publisher's numbers become the subscriber's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The first packet's number in the selection: the publisher's, when nothing is left out.
    pub(super) number_first: u64,
    /// The subscriber's number of the same.
    pub(super) target_first: u64,
    /// Added to timestamps, modulo 2^32.
    pub(super) timestamp_offset: u32,
    /// Added to VP8's and VP9's numbers.
    pub(super) picture_offset: PictureNumbers,
}

impl Mapping {
    /// The subscriber's timestamp for the publisher's.
    pub(crate) fn timestamp(&self, source: u32) -> u32 {
        source.wrapping_add(self.timestamp_offset)
    }

    /// The subscriber's number of the packet that is `number` in the selection; for one that is not
    /// older than the first.
    pub(super) fn sequence(&self, number: u64) -> u64 {
        self.target_first + (number - self.number_first)
    }
}

/// A stretch of one selection of one layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// Which layer.
    pub(crate) layer: LayerIndex,
    /// What of the layers inside it.
    pub(crate) selection: Selection,
    /// Its numbers.
    pub(crate) mapping: Mapping,
    /// The publisher's number of the first packet.
    pub(super) source_first: u64,
    /// The publisher's largest number that has one of the subscriber's.
    pub(super) source_last: u64,
    /// The subscriber's number of the same.
    pub(super) target_last: u64,
}

impl Route {
    pub(super) fn new(pick: Pick, mapping: Mapping, source: u64) -> Self {
        Self {
            layer: pick.layer,
            selection: pick.selection,
            mapping,
            source_first: source,
            source_last: source,
            target_last: mapping.target_first,
        }
    }

    pub(super) fn has(&self, layer: LayerIndex, source: u64) -> bool {
        self.layer == layer && (self.source_first..=self.source_last).contains(&source)
    }

    /// A packet of the stretch, where it has its place among the layers inside.
    pub(super) fn forward(&self, facts: &PacketFacts, placed: Option<Placed<'_>>) -> Decision {
        let number = match placed {
            Some(placed) => placed.in_selection(self.selection),
            None => Some((facts.sequence, Shape::Whole)),
        };
        let Some((number, shape)) = number else { return Decision::LeaveOut };
        let sequence = self.mapping.sequence(number);
        Decision::Forward(self.numbers(sequence, shape, facts, placed))
    }

    /// The numbers of a packet of the stretch that has been sent as `target`; none when its bytes
    /// would be others now.
    pub(crate) fn again(
        &self,
        target: u16,
        facts: &PacketFacts,
        placed: Option<Placed<'_>>,
    ) -> Option<Numbers> {
        let shape = match placed {
            Some(placed) => placed.in_selection(self.selection).filter(|_| placed.is_of_table())?.1,
            None => Shape::Whole,
        };
        Some(self.numbers(target.into(), shape, facts, placed))
    }

    fn numbers(
        &self,
        sequence: u64,
        shape: Shape,
        facts: &PacketFacts,
        placed: Option<Placed<'_>>,
    ) -> Numbers {
        let left_out = placed.map_or(0, |placed| placed.left_out(self.selection));
        Numbers {
            sequence,
            timestamp: self.mapping.timestamp(facts.timestamp),
            picture_offset: self.mapping.picture_offset.with_pictures_less(left_out),
            shape,
            active: placed.and_then(|placed| placed.active(self.selection)),
        }
    }

    /// The publisher's number of what is `number` in the selection.
    pub(crate) fn source(&self, number: u64, layering: Option<&Layering>) -> Option<u64> {
        let from_layering = |layering: &Layering| {
            layering.source_of(self.selection, number, (self.source_first, self.source_last))
        };
        layering.map_or(Some(number), from_layering)
    }
}
