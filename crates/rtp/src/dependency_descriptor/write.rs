//! A descriptor for a viewer that gets part of the layers: the receiver has to be told which decode
//! targets it can still expect (A.4).

use super::{DecodeTargets, DependencyDescriptor, DependencyError, DependencyStructure};
use crate::bits::{BitReader, BitWriter};
use crate::bytes::BufferTooSmall;

/// Flags behind the mandatory fields when only active decode targets follow.
const ACTIVE_ONLY: u32 = 0b0_1000;

/// Bits of the mandatory fields.
const MANDATORY_BITS: usize = 24;

/// Bits of the mandatory fields and the flags.
const HEAD_BITS: usize = MANDATORY_BITS + 5;

/// Why a descriptor cannot be written for a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The publisher's cannot be read.
    #[error(transparent)]
    Unreadable(#[from] DependencyError),
    /// The new one does not fit: it is up to five bytes longer.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

/// Where a written value says its active decode targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveField {
    /// The field's first bit, counted from the value's begin.
    at: u16,
    /// How many decode targets it has.
    targets: u8,
}

impl ActiveField {
    /// Takes from the active decode targets of `value`, which has the field, those that are not
    /// among `others`.
    pub fn keep_only(self, value: &mut [u8], others: DecodeTargets) {
        let (at, targets) = (usize::from(self.at), usize::from(self.targets));
        for target in (0..targets).filter(|target| !others.contains(*target)) {
            // The first target's bit is the last.
            let bit = at + targets - 1 - target;
            if let Some(byte) = value.get_mut(bit / 8) {
                *byte &= !(0x80 >> (bit % 8));
            }
        }
    }
}

impl DependencyDescriptor {
    /// Writes the extension's value into `buffer` as it is, but for the active decode targets, and
    /// returns its length in bytes and where these are. `in_force` is as for [`Self::parse`]; of
    /// `active` what the structure does not have is left out.
    ///
    /// # Errors
    /// Both of [`WriteError`]; what `buffer` then holds is of no use.
    pub fn write_with_active(
        value: &[u8],
        in_force: &DependencyStructure,
        active: DecodeTargets,
        buffer: &mut [u8],
    ) -> Result<(usize, ActiveField), WriteError> {
        let (_, parts) = Self::read(value, in_force)?;
        let mut to = BitWriter::new(buffer);
        let mut from = BitReader::new(value);
        copy(&mut from, &mut to, MANDATORY_BITS)?;
        let has_flags = parts.structure_end >= HEAD_BITS;
        let flags = if has_flags { from.number(5).map_err(DependencyError::from)? } else { 0 };
        to.put(5, flags | ACTIVE_ONLY)?;
        copy(&mut from, &mut to, parts.structure_end)?;
        // A value has 255 bytes and a structure 32 targets at most.
        let field = ActiveField { at: to.position() as u16, targets: parts.targets as u8 };
        to.put(parts.targets as u32, active.0)?;
        from.skip_to(parts.active_end);
        copy(&mut from, &mut to, parts.end)?;
        Ok((to.bytes(), field))
    }
}

/// Copies the bits up to `end`.
fn copy(from: &mut BitReader<'_>, to: &mut BitWriter<'_>, end: usize) -> Result<(), WriteError> {
    while from.position() < end {
        let width = (end - from.position()).min(32) as u32;
        to.put(width, from.number(width).map_err(DependencyError::from)?)?;
    }
    Ok(())
}
