//! What a frame needs and who needs it, be it said by a template or by a frame's own descriptor.

use super::DependencyError;
use super::structure::DECODE_TARGETS_MAX;
use crate::bits::{BitReader, OutOfBits};

/// Chains of a structure: at most one for each decode target.
pub const CHAINS_MAX: usize = DECODE_TARGETS_MAX;

/// Frames that a frame refers to; a descriptor with more is refused. A decoder of H.264 keeps 16
/// at most (H.264 A.3.1), of AV1 and VP9 8.
pub const REFERRED_FRAMES_MAX: usize = 16;

/// What a frame needs and who needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameDependencies {
    /// The frame's spatial layer, 0 to 3.
    pub spatial_layer: u8,
    /// The frame's temporal layer, 0 to 7.
    pub temporal_layer: u8,
    /// What it is to each decode target: two bits each, the first target's are the lowest.
    indications: u64,
    /// How far back the frames are that it refers to; 0 beyond the last of them.
    referred_frames: [u16; REFERRED_FRAMES_MAX],
    /// How far back the last frame of each chain is; 0 beyond the structure's chains.
    chains: [u8; CHAINS_MAX],
}

/// What a frame is to a decode target (A.8.3, table A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indication {
    /// It is none of the target's.
    NotPresent,
    /// No other frame of the target needs it.
    Discardable,
    /// Who can decode it can decode all that follows of the target.
    Switch,
    /// Others of the target may need it, and older ones beside it.
    Required,
}

impl FrameDependencies {
    /// A frame of the first layers that needs nothing and that nobody needs.
    pub(super) const NONE: Self = Self {
        spatial_layer: 0,
        temporal_layer: 0,
        indications: 0,
        referred_frames: [0; REFERRED_FRAMES_MAX],
        chains: [0; CHAINS_MAX],
    };

    /// Takes `template_dti` or `frame_dtis`, of the first `targets` decode targets.
    pub(super) fn read_indications(
        &mut self,
        bits: &mut BitReader<'_>,
        targets: usize,
    ) -> Result<(), OutOfBits> {
        self.indications = 0;
        for target in 0..targets {
            self.indications |= u64::from(bits.number(2)?) << (2 * target);
        }
        Ok(())
    }

    /// Takes a template's `fdiff`s: four bits each, with a flag before each.
    pub(super) fn read_template_referred_frames(
        &mut self,
        bits: &mut BitReader<'_>,
    ) -> Result<(), DependencyError> {
        let mut count = 0;
        while bits.flag()? {
            self.refer_to(count, bits.number(4)?)?;
            count += 1;
        }
        Ok(())
    }

    /// Takes `frame_fdiffs` instead of the template's: with the size of each before it.
    pub(super) fn read_referred_frames(
        &mut self,
        bits: &mut BitReader<'_>,
    ) -> Result<(), DependencyError> {
        self.referred_frames = Self::NONE.referred_frames;
        let mut count = 0;
        loop {
            let size = bits.number(2)?;
            if size == 0 {
                return Ok(());
            }
            self.refer_to(count, bits.number(4 * size)?)?;
            count += 1;
        }
    }

    /// Takes `template_chain_fdiff` or `frame_chain_fdiff`, `width` bits each.
    pub(super) fn read_chains(
        &mut self,
        bits: &mut BitReader<'_>,
        chains: usize,
        width: u32,
    ) -> Result<(), OutOfBits> {
        for chain in &mut self.chains[..chains] {
            *chain = bits.number(width)? as u8;
        }
        Ok(())
    }

    /// What the frame is to a decode target; nothing to one that the structure does not have.
    pub fn indication(&self, target: usize) -> Indication {
        if target >= DECODE_TARGETS_MAX {
            return Indication::NotPresent;
        }
        match self.indications >> (2 * target) & 0b11 {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        }
    }

    /// Whether the frame is one of a decode target's.
    pub fn is_present(&self, target: usize) -> bool {
        self.indication(target) != Indication::NotPresent
    }

    /// How far back in decoding order the frames are that this one refers to, 1 to 4,096: its
    /// number less these, modulo 2^16, are theirs. Empty: it can be decoded alone.
    pub fn referred_frames(&self) -> &[u16] {
        let count = self.referred_frames.iter().position(|difference| *difference == 0);
        &self.referred_frames[..count.unwrap_or(REFERRED_FRAMES_MAX)]
    }

    /// How far back the last frame of a chain is: who has missed it has to get it before the
    /// chain's decode targets can go on. 0: the chain needs nothing older, or is not there.
    pub fn chain(&self, chain: usize) -> u8 {
        self.chains.get(chain).copied().unwrap_or(0)
    }

    fn refer_to(&mut self, place: usize, minus_one: u32) -> Result<(), DependencyError> {
        let difference = self.referred_frames.get_mut(place);
        *difference.ok_or(DependencyError::TooManyReferredFrames)? = minus_one as u16 + 1;
        Ok(())
    }
}
