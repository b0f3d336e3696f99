//! A publisher's dependency descriptors: read with the structure that is in force, and written anew
//! for viewers, to whom each frame says which decode targets they can still expect.

use odeum_rtp::dependency_descriptor::{
    ActiveField, DecodeTargets, DependencyDescriptor, DependencyStructure, Indication,
};

use crate::frame_facts::FrameFacts;
use crate::selection::{SELECTIONS, SPATIAL_MAX, Selection, Selections, TEMPORAL_MAX};

/// Bytes of the longest value: as many as the length of a header extension can say.
pub(crate) const DESCRIPTOR_BYTES_MAX: usize = 255;

/// What a structure means to the selections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetTable {
    /// By selection: the decode targets within it.
    pub(crate) within: [DecodeTargets; SELECTIONS],
    /// By selection: those whose frames it has all of.
    pub(crate) nested: [Selections; SELECTIONS],
    /// By spatial layer: the rows of its pictures, when the structure says it.
    pub(crate) heights: [Option<u16>; SPATIAL_MAX as usize],
    /// By selection: the decode target that a viewer of it gets.
    targets: [usize; SELECTIONS],
}

impl TargetTable {
    /// None of a structure without a choice of layers. A selection whose highest decode target the
    /// publisher does not send now, for want of bandwidth, has the highest that it does.
    fn of(structure: &DependencyStructure, active: DecodeTargets) -> Option<Self> {
        if structure.decode_targets().len() < 2 {
            return None;
        }
        let mut table = Self {
            within: [DecodeTargets::default(); SELECTIONS],
            nested: [Selections::NONE; SELECTIONS],
            heights: std::array::from_fn(|at| structure.size(at as u8).map(|size| size.height)),
            targets: [0; SELECTIONS],
        };
        // What is above the third layer belongs to it.
        let whole = |layer: u8, layers: u8| if layer + 1 == layers { u8::MAX } else { layer };
        for selection in Selection::every() {
            let spatial = whole(selection.spatial, SPATIAL_MAX);
            let temporal = whole(selection.temporal, TEMPORAL_MAX);
            let within = structure.decode_targets_within(spatial, temporal);
            table.within[selection.index()] = within;
            let sent = DecodeTargets(within.0 & active.0);
            let highest = structure.highest_of(sent).or(structure.highest_of(within));
            // A structure whose lowest layers are no target: then the least there is.
            table.targets[selection.index()] =
                highest.unwrap_or(structure.decode_targets().len() - 1);
        }
        for from in Selection::every() {
            let other = table.targets[from.index()];
            let is_part = |to: Selection| structure.is_part_of(table.targets[to.index()], other);
            table.nested[from.index()] = Selections::of(is_part);
        }
        Some(table)
    }

    /// Whether a selection has another decode target than `before`, of the same structure, whose
    /// frames who got that one has not got: as a publisher of L3T3_KEY drops its highest spatial
    /// layer. One that only adds to what it was begins with a frame that allows it.
    fn breaks(&self, before: &Self, structure: &DependencyStructure) -> bool {
        self.targets.iter().zip(before.targets).any(|(target, old)| {
            !structure.is_part_of(*target, old) && !structure.is_part_of(old, *target)
        })
    }

    /// What a frame is to the selections.
    fn frame(&self, descriptor: &DependencyDescriptor) -> FrameFacts {
        let frame = &descriptor.frame;
        let indication = |at: Selection| frame.indication(self.targets[at.index()]);
        FrameFacts {
            spatial: frame.spatial_layer.min(SPATIAL_MAX - 1),
            temporal: frame.temporal_layer.min(TEMPORAL_MAX - 1),
            begins_frame: descriptor.begins_frame,
            ends_frame: descriptor.ends_frame,
            members: Selections::of(|at| indication(at) != Indication::NotPresent),
            opens: Selections::of(|at| indication(at) == Indication::Switch),
            ..FrameFacts::UNKNOWN
        }
    }
}

/// Reads the descriptors of one track.
pub(crate) struct Descriptors {
    /// The structure in force.
    structure: DependencyStructure,
    /// What it means to the selections; none when there is nothing to choose.
    table: Option<TargetTable>,
    /// The number of the packet that brought it.
    since: u64,
    /// The decode targets that the publisher sends.
    active: DecodeTargets,
    /// Viewers get another decode target without having what it refers to, and nobody was told.
    is_broken: bool,
    /// The number of the packet that said so.
    told: u64,
    /// The last value, as viewers get it.
    value: [u8; DESCRIPTOR_BYTES_MAX],
    /// Its length.
    length: u8,
}

/// What a packet's descriptor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Described {
    /// What its frame is to the selections.
    pub(crate) frame: FrameFacts,
    /// Where its value, as viewers get it, has the active decode targets, if it does.
    pub(crate) active: Option<ActiveField>,
}

impl Described {
    /// Nothing.
    pub(crate) const UNKNOWN: Self = Self { frame: FrameFacts::UNKNOWN, active: None };
}

impl Descriptors {
    pub(crate) fn new() -> Self {
        Self {
            structure: DependencyStructure::default(),
            table: None,
            since: 0,
            active: DecodeTargets::default(),
            is_broken: false,
            told: 0,
            value: [0; DESCRIPTOR_BYTES_MAX],
            length: 0,
        }
    }

    /// Reads the value of the packet `sequence`, which may come late. One that cannot be read goes
    /// on as it is: its frame is everybody's.
    pub(crate) fn read(&mut self, sequence: u64, value: &[u8]) -> Described {
        self.keep(value);
        if sequence < self.since {
            return Described::UNKNOWN;
        }
        let brought = DependencyStructure::parse(value).ok().flatten();
        let is_new = brought.is_some();
        if let Some(structure) = brought {
            (self.structure, self.since) = (structure, sequence);
        }
        let Ok(descriptor) = DependencyDescriptor::parse(value, &self.structure) else {
            return Described::UNKNOWN;
        };
        let told = descriptor.active.filter(|_| sequence >= self.told);
        if let Some(active) = told {
            (self.active, self.told) = (active, sequence);
        }
        if is_new || told.is_some() {
            let next = TargetTable::of(&self.structure, self.active);
            let before = std::mem::replace(&mut self.table, next);
            // A structure comes with a key picture.
            let tables = before.zip(next).filter(|_| !is_new);
            self.is_broken |=
                tables.is_some_and(|(one, other)| other.breaks(&one, &self.structure));
        }
        let Some(table) = &self.table else { return Described::UNKNOWN };
        let frame = table.frame(&descriptor);
        let active = descriptor.begins_frame.then(|| self.say_active(value)).flatten();
        Described { frame, active }
    }

    /// Whether viewers have come to lack what they refer to since this was last asked.
    pub(crate) fn take_break(&mut self) -> bool {
        std::mem::take(&mut self.is_broken)
    }

    /// Notes that the last packet has none.
    pub(crate) fn forget(&mut self) {
        self.length = 0;
    }

    /// What the structure in force means to the selections.
    pub(crate) fn table(&self) -> Option<&TargetTable> {
        self.table.as_ref()
    }

    /// The last value, as viewers get it.
    pub(crate) fn value(&self) -> &[u8] {
        &self.value[..usize::from(self.length)]
    }

    fn keep(&mut self, value: &[u8]) {
        // A header extension is no longer than that.
        let value = &value[..value.len().min(DESCRIPTOR_BYTES_MAX)];
        self.value[..value.len()].copy_from_slice(value);
        self.length = value.len() as u8;
    }

    /// Has the value say the active decode targets, with room for those of each viewer.
    fn say_active(&mut self, value: &[u8]) -> Option<ActiveField> {
        let (structure, buffer) = (&self.structure, &mut self.value);
        let written =
            DependencyDescriptor::write_with_active(value, structure, self.active, buffer);
        let Ok((length, field)) = written else {
            // It has become too long for an extension.
            self.keep(value);
            return None;
        };
        self.length = length as u8;
        Some(field)
    }
}

/// The value of a descriptor with the decode targets that a viewer can still expect, in `buffer`.
pub(crate) fn fewer_targets<'b>(
    value: &[u8],
    (field, left): (ActiveField, DecodeTargets),
    buffer: &'b mut [u8; DESCRIPTOR_BYTES_MAX],
) -> &'b [u8] {
    let own = &mut buffer[..value.len()];
    own.copy_from_slice(value);
    field.keep_only(own, left);
    own
}
