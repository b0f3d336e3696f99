//! The dependency descriptor (RTP Payload Format For AV1, appendix A): a header extension that says
//! of a packet's frame which others it needs and who needs it, so that a forwarder can choose
//! layers without a look at the payload. AV1 brought it; senders of other codecs use it too.
//!
//! What frames have in common comes once, in a [`DependencyStructure`] with the first packet of a
//! coded video sequence; each [`DependencyDescriptor`] refers to it.

mod frame;
mod structure;
#[cfg(test)]
mod tests;
mod write;

pub use frame::{CHAINS_MAX, FrameDependencies, Indication, REFERRED_FRAMES_MAX};
pub use structure::{DECODE_TARGETS_MAX, DecodeTarget, DependencyStructure, TEMPLATES_MAX};
pub use write::{ActiveField, WriteError};

use crate::bits::{BitReader, OutOfBits};
use crate::codec::PictureSize;

/// Bytes of a descriptor that adds nothing to its template.
const SHORT_BYTES: usize = 3;

/// What one packet says of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DependencyDescriptor {
    /// The packet is the first of the frame, which is one spatial layer of a picture.
    pub begins_frame: bool,
    /// The packet is the last of the frame.
    pub ends_frame: bool,
    /// The frame's number in decoding order, modulo 2^16.
    pub frame_number: u16,
    /// What the frame needs and who needs it.
    pub frame: FrameDependencies,
    /// The decode targets that are sent from this packet on; None: the same as before.
    pub active: Option<DecodeTargets>,
    /// The largest picture of the frame's spatial layer, when the structure says it.
    pub size: Option<PictureSize>,
}

impl DependencyDescriptor {
    /// Reads the extension's value with the structure that is in force, at first
    /// [`DependencyStructure::default`]. One that comes with the value goes before it; the caller
    /// finds that one with [`DependencyStructure::parse`].
    ///
    /// # Errors
    /// Each of [`DependencyError`].
    pub fn parse(value: &[u8], in_force: &DependencyStructure) -> Result<Self, DependencyError> {
        Self::read(value, in_force).map(|(descriptor, _)| descriptor)
    }

    /// Reads the value, and where its parts are.
    fn read(
        value: &[u8],
        in_force: &DependencyStructure,
    ) -> Result<(Self, Parts), DependencyError> {
        let (head, mut bits) = Head::read(value)?;
        let own;
        let (structure, mut active) = if head.brings_structure {
            own = DependencyStructure::read(&mut bits)?;
            (&own, Some(DecodeTargets::first(own.decode_targets().len())))
        } else {
            (in_force, None)
        };
        let targets = structure.decode_targets().len();
        let structure_end = bits.position();
        if head.brings_active {
            active = Some(DecodeTargets(bits.number(targets as u32)?));
        }
        let active_end = bits.position();
        let template = structure.template(head.template_id);
        let unknown = DependencyError::UnknownTemplate { id: head.template_id };
        let mut frame = *template.ok_or(unknown)?;
        if head.brings_indications {
            frame.read_indications(&mut bits, targets)?;
        }
        if head.brings_referred_frames {
            frame.read_referred_frames(&mut bits)?;
        }
        if head.brings_chains {
            frame.read_chains(&mut bits, structure.chain_count(), 8)?;
        }
        let descriptor = Self {
            begins_frame: head.begins_frame,
            ends_frame: head.ends_frame,
            frame_number: head.frame_number,
            size: structure.size(frame.spatial_layer),
            frame,
            active,
        };
        Ok((descriptor, Parts { targets, structure_end, active_end, end: bits.position() }))
    }
}

/// Where the parts of a value are, in bits from its begin.
#[derive(Debug, Clone, Copy)]
struct Parts {
    /// How many decode targets its structure has.
    targets: usize,
    /// Behind the structure, or where it would be.
    structure_end: usize,
    /// Behind the active decode targets, or where they would be.
    active_end: usize,
    /// Behind the last field; the rest is padding.
    end: usize,
}

/// A set of decode targets by their places in the structure; the lowest bit is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeTargets(pub u32);

impl DecodeTargets {
    fn first(count: usize) -> Self {
        Self(((1u64 << count) - 1) as u32)
    }

    /// Puts a target into the set; one that no structure can have is left out.
    fn insert(&mut self, target: usize) {
        if target < DECODE_TARGETS_MAX {
            self.0 |= 1 << target;
        }
    }

    /// Whether the target is in the set.
    pub fn contains(self, target: usize) -> bool {
        target < DECODE_TARGETS_MAX && self.0 >> target & 1 == 1
    }
}

/// Why a dependency descriptor cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// It ends inside a field.
    #[error("the dependency descriptor ends inside a field")]
    Truncated,
    /// Its template is not in the structure: the packet that brought the right one was lost, or
    /// this one is late.
    #[error("the dependency structure has no template {id}")]
    UnknownTemplate {
        /// The template's id.
        id: u8,
    },
    /// The structure has more than [`TEMPLATES_MAX`] templates.
    #[error("the dependency structure has more than {TEMPLATES_MAX} templates")]
    TooManyTemplates,
    /// The structure has more spatial or temporal layers than a codec can number.
    #[error("the dependency structure has more than 4 spatial or 8 temporal layers")]
    TooManyLayers,
    /// A frame refers to more than [`REFERRED_FRAMES_MAX`] others.
    #[error("a frame refers to more than {REFERRED_FRAMES_MAX} others")]
    TooManyReferredFrames,
}

impl From<OutOfBits> for DependencyError {
    fn from(_: OutOfBits) -> Self {
        Self::Truncated
    }
}

/// What comes before all that is optional (A.8.2): the mandatory fields and, in a descriptor of
/// more than three bytes, the flags of what follows.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// `start_of_frame`.
    begins_frame: bool,
    /// `end_of_frame`.
    ends_frame: bool,
    /// `frame_dependency_template_id`.
    template_id: u8,
    /// `frame_number`.
    frame_number: u16,
    /// `template_dependency_structure_present_flag`.
    brings_structure: bool,
    /// `active_decode_targets_present_flag`.
    brings_active: bool,
    /// `custom_dtis_flag`.
    brings_indications: bool,
    /// `custom_fdiffs_flag`.
    brings_referred_frames: bool,
    /// `custom_chains_flag`.
    brings_chains: bool,
}

impl Head {
    /// Reads it and leaves the reader behind it.
    fn read(value: &[u8]) -> Result<(Self, BitReader<'_>), OutOfBits> {
        let mut bits = BitReader::new(value);
        let mut head = Self {
            begins_frame: bits.flag()?,
            ends_frame: bits.flag()?,
            template_id: bits.number(6)? as u8,
            frame_number: bits.number(16)? as u16,
            brings_structure: false,
            brings_active: false,
            brings_indications: false,
            brings_referred_frames: false,
            brings_chains: false,
        };
        if value.len() > SHORT_BYTES {
            head.brings_structure = bits.flag()?;
            head.brings_active = bits.flag()?;
            head.brings_indications = bits.flag()?;
            head.brings_referred_frames = bits.flag()?;
            head.brings_chains = bits.flag()?;
        }
        Ok((head, bits))
    }
}
