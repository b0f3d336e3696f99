//! A packet's place among those of the selections.

use odeum_rtp::dependency_descriptor::{ActiveField, DecodeTargets};

use super::Layering;
use crate::frame_facts::FrameFacts;
use crate::selection::{SELECTIONS, Selection, TEMPORAL_MAX};

/// What became of a packet when its numbers were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It came in its turn, and has a number in the selections that it belongs to.
    InTurn,
    /// It has not come. Nobody knows whose it is, so that it has a number in all selections.
    Missing,
    /// It came later. Where it does not belong its number is used up by an empty packet.
    Late,
}

/// What is known of a packet and its numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The packet's number in the track.
    pub(super) sequence: u64,
    /// How it came.
    pub(super) arrival: Arrival,
    /// What its frame is to the selections.
    pub(super) frame: FrameFacts,
    /// The packet is its picture's first.
    pub(super) begins_picture: bool,
    /// Decoding can begin with it.
    pub(super) is_key: bool,
    /// By selection: its number, or for a packet that has none that of the next one.
    pub(super) numbers: [u64; SELECTIONS],
    /// By temporal layer: VP8's pictures that a selection up to it has left out before this one's.
    pub(super) left_out: [u16; TEMPORAL_MAX as usize],
    /// Where its dependency descriptor has the active decode targets, if it does.
    pub(super) active: Option<ActiveField>,
    /// Which table of decode targets it came under.
    pub(super) table: u8,
}

/// A packet among the layers of its track.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'a> {
    /// The layers.
    pub(super) layering: &'a Layering,
    /// What is known of the packet.
    pub(super) place: &'a Place,
}

/// How a packet appears in a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As it is.
    Whole,
    /// As it is, with the marker bit: it is the picture's last in this selection.
    EndsPicture,
    /// Without its payload: it is there for its number only.
    Empty,
}

impl Placed<'_> {
    /// The packet's number in a selection and how it appears there; none in one that leaves it out.
    pub(crate) fn in_selection(self, selection: Selection) -> Option<(u64, Shape)> {
        let Place { frame, arrival, .. } = self.place;
        let shape = match (frame.members.contains(selection), arrival) {
            (_, Arrival::Missing) | (false, Arrival::InTurn) => return None,
            (false, Arrival::Late) => Shape::Empty,
            (true, _) if frame.ends_frame && frame.spatial == selection.spatial => {
                Shape::EndsPicture
            }
            (true, _) => Shape::Whole,
        };
        Some((self.number(selection), shape))
    }

    /// The number in a selection of this packet or, if it has none, of the next one.
    pub(crate) fn number(self, selection: Selection) -> u64 {
        self.place.numbers[selection.index()]
    }

    /// How many of VP8's pictures a selection has left out before this one's.
    pub(crate) fn left_out(self, selection: Selection) -> u16 {
        self.place.left_out[usize::from(selection.temporal)]
    }

    /// Whether selections may change with it: it came in its turn and begins a frame.
    pub(crate) fn is_turn(self) -> bool {
        self.place.arrival == Arrival::InTurn && self.place.frame.begins_frame
    }

    /// What a viewer of `from` that is to get `wanted` can get from this packet on.
    pub(crate) fn step(self, from: Selection, wanted: Selection) -> Selection {
        self.layering.step(self.place, from, wanted)
    }

    /// The decode targets that are left in a selection, and where to say it.
    pub(crate) fn active(self, selection: Selection) -> Option<(ActiveField, DecodeTargets)> {
        let field = self.place.active.filter(|_| self.is_of_table())?;
        Some((field, self.layering.within[selection.index()]))
    }

    /// Whether the decode targets are those that it came under: what is sent again would differ.
    pub(crate) fn is_of_table(self) -> bool {
        self.place.table == self.layering.table_number
    }
}

impl Place {
    pub(super) fn has_number(&self, selection: Selection) -> bool {
        self.arrival != Arrival::InTurn || self.frame.members.contains(selection)
    }
}
