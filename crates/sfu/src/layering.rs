//! The layers inside one stream: each selection of them is a stream of its own with numbers without
//! gaps, counted here once for all viewers. A viewer then pays for a selection what it pays for a
//! stream: a difference of two numbers.

use std::time::Instant;

use odeum_rtp::codec::{FrameLayer, Vp9Structure};
use odeum_rtp::dependency_descriptor::DecodeTargets;
use odeum_types::Bitrate;

use crate::descriptors::{Described, TargetTable};
use crate::forwarder::{FrameStart, PacketFacts, Pick};
use crate::frame_facts::FrameFacts;
use crate::layer_choice::{LAYERS_MAX, LayerFacts};
use crate::rate::RateMeter;
use crate::selection::{SELECTIONS, SPATIAL_MAX, Selection, Selections, TEMPORAL_MAX};
use crate::track::Track;

mod active_layers;
mod place;

use active_layers::ActiveLayers;
use place::{Arrival, Place};
pub(crate) use place::{Placed, Shape};

/// What is to become of the numbers of pictures that a viewer does not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PictureIds {
    /// VP8's decoders take a gap for a loss.
    WithoutGap,
    /// VP9's frames name those that they refer to by how far back they are, and AV1's have none.
    AsTheyAre,
}

/// The layers of one track.
pub(crate) struct Layering {
    /// Packets by the low bits of their numbers, as many as the ring has.
    places: Box<[Option<Place>]>,
    /// What becomes of picture ids.
    picture_ids: PictureIds,
    /// What the next packet is met with.
    next: Next,
    /// By selection: those whose frames it has all of, since the last key picture.
    nested: [Selections; SELECTIONS],
    /// By selection: the decode targets within it, with dependency descriptors.
    within: [DecodeTargets; SELECTIONS],
    /// How often that has changed.
    table_number: u8,
    /// Spatial layers, by their bits, of which a frame since the last key picture is for no higher
    /// one.
    unneeded: u8,
    /// The highest spatial layer since the last key picture.
    top: u8,
    /// Spatial layers, by their bits, that have had a frame which refers to earlier pictures since
    /// the last key picture; and those whose first such frame was for higher ones as well.
    followed: [u8; 2],
    /// By selection: what it takes.
    meters: [RateMeter; SELECTIONS],
    /// Which of the layers are sent now.
    active_layers: ActiveLayers,
    /// Rows of each spatial layer's pictures, when known.
    heights: [Option<u16>; SPATIAL_MAX as usize],
}

/// What the next packet is met with.
#[derive(Debug, Clone, Copy)]
struct Next {
    /// Its number in the track, if none is missing before it.
    sequence: u64,
    /// The same, by selection.
    numbers: [u64; SELECTIONS],
    /// VP8's pictures that were left out so far, by temporal layer.
    left_out: [u16; TEMPORAL_MAX as usize],
    /// The last of them.
    last_left_out: [Option<u16>; TEMPORAL_MAX as usize],
    /// The timestamp of the picture that runs.
    timestamp: Option<u32>,
    /// From which temporal layer on a viewer can go up with the next picture.
    rises_from: Option<u8>,
}

impl Layering {
    /// The layers of a track whose first layered packet is `first`, and whose ring has `packets`.
    pub(crate) fn new(first: u64, packets: usize, picture_ids: PictureIds) -> Self {
        let mut layering = Self {
            places: vec![None; packets].into_boxed_slice(),
            picture_ids,
            next: Next {
                sequence: first,
                numbers: [first; SELECTIONS],
                left_out: [0; TEMPORAL_MAX as usize],
                last_left_out: [None; TEMPORAL_MAX as usize],
                timestamp: None,
                rises_from: None,
            },
            nested: [Selections::NONE; SELECTIONS],
            within: [DecodeTargets::default(); SELECTIONS],
            table_number: 0,
            unneeded: 0,
            top: 0,
            followed: [0; 2],
            meters: std::array::from_fn(|_| RateMeter::default()),
            active_layers: ActiveLayers::default(),
            heights: [None; SPATIAL_MAX as usize],
        };
        layering.find_nested();
        layering
    }

    /// What a packet's frame is to the selections, by its payload descriptor; to be asked once, in
    /// the order of arrival.
    pub(crate) fn frame(&mut self, layer: &FrameLayer, frame: FrameStart) -> FrameFacts {
        if frame == FrameStart::Decodable {
            (self.top, self.followed) = (0, [0; 2]);
        }
        self.top = self.top.max(layer.spatial);
        let bit = 1 << layer.spatial.min(SPATIAL_MAX - 1);
        let [followed, kept] = &mut self.followed;
        if layer.begins_frame && !layer.enters_spatial_layer && *followed & bit == 0 {
            *followed |= bit;
            *kept |= if layer.is_needed_above { bit } else { 0 };
        }
        // Who gets a higher layer has had all of this one so far. When it is for nobody above any
        // more, the higher one has probably stopped, and it is what there is left to see.
        let is_needed_above = layer.is_needed_above || *kept & bit != 0;
        FrameFacts::of(&FrameLayer { is_needed_above, ..*layer }, self.top)
    }

    /// Takes a packet of `size` bytes that is not older than the ring, when it comes first.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        packet: &PacketFacts,
        described: Described,
        size: usize,
    ) {
        let Described { frame, active } = described;
        self.measure(now, &frame, size);
        if packet.sequence < self.next.sequence {
            let slot = self.slot_of(packet.sequence);
            let place = self.places[slot].as_mut();
            if let Some(place) = place.filter(|place| place.sequence == packet.sequence) {
                (place.arrival, place.frame, place.active) = (Arrival::Late, frame, active);
                place.table = self.table_number;
            }
            return;
        }
        self.pass_over(packet.sequence);
        let is_key = packet.frame == FrameStart::Decodable;
        let begins_picture = frame.begins_frame && self.next.timestamp != Some(packet.timestamp);
        let mut place = Place {
            sequence: packet.sequence,
            arrival: Arrival::InTurn,
            frame,
            begins_picture,
            is_key,
            numbers: self.next.numbers,
            left_out: self.next.left_out,
            active,
            table: self.table_number,
        };
        if begins_picture {
            self.active_layers.begin_picture(frame.spatial);
            let rise = self.next.rises_from.map(|from| (from, TEMPORAL_MAX - 1));
            place.frame.rise = place.frame.rise.or(rise);
        }
        self.follow_references(&place);
        self.count(packet, &place);
        let slot = self.slot_of(packet.sequence);
        self.places[slot] = Some(place);
    }

    /// Takes the structure of VP9's layers.
    pub(crate) fn take_structure(&mut self, structure: &Vp9Structure) {
        let sizes = structure.sizes.iter().flatten().take(structure.spatial_layers.into());
        for (height, size) in self.heights.iter_mut().zip(sizes) {
            *height = Some(size.height);
        }
    }

    /// Takes what the structure of dependency descriptors means.
    pub(crate) fn set_table(&mut self, table: &TargetTable) {
        (self.heights, self.nested) = (table.heights, table.nested);
        if self.within != table.within {
            self.within = table.within;
            self.table_number = self.table_number.wrapping_add(1);
        }
    }

    /// Whether a spatial layer has gone since this was last asked.
    pub(crate) fn take_loss_of_one(&mut self) -> bool {
        self.active_layers.take_loss()
    }

    /// What is known of a packet, if its number is not too old.
    pub(crate) fn place(&self, sequence: u64) -> Option<Placed<'_>> {
        let place = self.places[self.slot_of(sequence)].as_ref();
        let place = place.filter(|place| place.sequence == sequence)?;
        Some(Placed { layering: self, place })
    }

    /// What a viewer of `from` that is to get `wanted` can get from `place` on.
    fn step(&self, place: &Place, from: Selection, wanted: Selection) -> Selection {
        let temporal_first = Selection { temporal: wanted.temporal, ..from };
        let spatial_first = Selection { spatial: wanted.spatial, ..from };
        let steps = [wanted, temporal_first, spatial_first].into_iter();
        let mut allowed = steps.filter(|step| *step != from && self.leads(place, from, *step));
        if let Some(step) = allowed.next() {
            return step;
        }
        let mut step = from;
        if let Some((least, most)) = place.frame.rise
            && from.temporal >= least
        {
            step.temporal = from.temporal.max(wanted.temporal.min(most));
        }
        let is_next = place.frame.spatial == from.spatial + 1 && wanted.spatial > from.spatial;
        if place.frame.enters_spatial && is_next && place.frame.temporal <= from.temporal {
            step.spatial = place.frame.spatial;
        }
        step
    }

    /// Whether who gets `from` gets all that `to` needs.
    pub(crate) fn is_nested(&self, from: Selection, to: Selection) -> bool {
        self.nested[from.index()].contains(to)
    }

    /// The track's number of the packet with `number` in a selection, which is one of `first` to
    /// `last`.
    pub(crate) fn source_of(
        &self,
        selection: Selection,
        number: u64,
        (first, last): (u64, u64),
    ) -> Option<u64> {
        let oldest = self.next.sequence.saturating_sub(self.places.len() as u64);
        let (mut low, mut high) = (first.max(oldest), last.min(self.next.sequence.checked_sub(1)?));
        // Numbers do not fall; of packets with the same one only the last has it.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match self.place(middle).is_some_and(|placed| placed.number(selection) <= number) {
                true => low = middle,
                false => high = middle - 1,
            }
        }
        let placed = self.place(low)?;
        let has_one = placed.place.has_number(selection);
        let is_it = placed.number(selection) == number && has_one;
        is_it.then_some(low)
    }

    /// What viewers choose by when the layers are those inside a publisher's only `track`, and how
    /// many spatial ones there are.
    pub(crate) fn facts(&self, now: Instant, track: &Track) -> ([LayerFacts; LAYERS_MAX], usize) {
        let highest = self.active_layers.highest_spatial();
        let whole = track.layer_facts(now);
        let facts = |at: usize| {
            // The highest one's selection is all there is.
            let spatial = if at < highest { at as u8 } else { SPATIAL_MAX - 1 };
            let selection = Selection { spatial, ..Selection::TOP };
            LayerFacts {
                pick: Pick { selection, ..whole.pick },
                rate: self.meters[selection.index()].rate(now),
                reduced: self.rates(now, selection),
                is_available: self.active_layers.has_spatial(now, at),
                height: if highest == 0 { whole.height } else { self.heights[at] },
            }
        };
        (std::array::from_fn(facts), highest + 1)
    }

    /// What those below the highest temporal layer take, up to a spatial one.
    pub(crate) fn rates(&self, now: Instant, of: Selection) -> [Option<Bitrate>; 2] {
        let highest = self.active_layers.highest_temporal(now);
        std::array::from_fn(|temporal| {
            let selection = Selection { temporal: temporal as u8, ..of };
            let rate = self.meters[selection.index()].rate(now);
            rate.filter(|_| Some(temporal) < highest)
        })
    }

    fn measure(&mut self, now: Instant, frame: &FrameFacts, size: usize) {
        self.active_layers.see(now, frame);
        for selection in Selection::every().filter(|at| frame.members.contains(*at)) {
            self.meters[selection.index()].add(now, size);
        }
    }

    /// Gives what is missing before `sequence` its numbers.
    fn pass_over(&mut self, sequence: u64) {
        let first = self.next.sequence;
        if sequence > first {
            // What follows may be of another picture than the next one.
            self.next.rises_from = None;
        }
        let kept = sequence.saturating_sub(self.places.len() as u64).max(first);
        for missing in kept..sequence {
            let slot = self.slot_of(missing);
            self.places[slot] = Some(Place {
                sequence: missing,
                arrival: Arrival::Missing,
                frame: FrameFacts::UNKNOWN,
                begins_picture: false,
                is_key: false,
                numbers: self.next.numbers.map(|number| number + (missing - first)),
                left_out: self.next.left_out,
                active: None,
                table: self.table_number,
            });
        }
        self.next.numbers = self.next.numbers.map(|number| number + (sequence - first));
        self.next.sequence = sequence;
    }

    /// Notes what following pictures may refer to.
    fn follow_references(&mut self, place: &Place) {
        let frame = &place.frame;
        if !frame.begins_frame {
            return;
        }
        let rises_from = frame.rises_after.then_some(frame.temporal);
        self.next.rises_from = match place.begins_picture {
            true => rises_from,
            false => self.next.rises_from.zip(rises_from).map(|(one, other)| one.max(other)),
        };
        let before = self.unneeded;
        if place.is_key {
            self.unneeded = 0;
        }
        self.unneeded |= u8::from(!frame.is_needed_above) << frame.spatial;
        if self.unneeded != before {
            self.find_nested();
        }
    }

    fn find_nested(&mut self) {
        let unneeded = self.unneeded;
        for from in Selection::every() {
            let has_all = |to: Selection| {
                let is_passed = to.spatial < from.spatial && unneeded >> to.spatial & 1 == 0;
                to.temporal <= from.temporal && (to.spatial == from.spatial || is_passed)
            };
            self.nested[from.index()] = Selections::of(has_all);
        }
    }

    /// Counts a packet that came in its turn.
    fn count(&mut self, packet: &PacketFacts, place: &Place) {
        for selection in Selection::every().filter(|at| place.frame.members.contains(*at)) {
            self.next.numbers[selection.index()] += 1;
        }
        let is_renumbered = self.picture_ids == PictureIds::WithoutGap;
        let picture = packet.picture.filter(|_| is_renumbered).map(|numbers| numbers.picture_id);
        for temporal in 0..usize::from(place.frame.temporal) {
            if picture.is_some() && self.next.last_left_out[temporal] != picture {
                self.next.left_out[temporal] = self.next.left_out[temporal].wrapping_add(1);
                self.next.last_left_out[temporal] = picture;
            }
        }
        self.next.sequence += 1;
        self.next.timestamp = Some(packet.timestamp);
    }

    fn leads(&self, place: &Place, from: Selection, to: Selection) -> bool {
        let is_opened = place.frame.members.contains(from) && place.frame.opens.contains(to);
        place.is_key || is_opened || place.begins_picture && self.is_nested(from, to)
    }

    fn slot_of(&self, sequence: u64) -> usize {
        (sequence as usize) & (self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests;
