//! H.265's sequence parameter set (7.3.2.2.1), as far as the size of the pictures.

use crate::bits::{BitReader, OutOfBits};
use crate::codec::PictureSize;
use crate::codec::nal::{PARAMETER_SET_BYTES_MAX, unescaped};

/// Bits of a profile, tier and its flags (7.3.3), less the level.
const PROFILE_BITS: usize = 88;

/// Bits of a level.
const LEVEL_BITS: usize = 8;

/// What is read of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct SequenceParameters {
    /// Who gets some temporal layers can go up to more at any picture of theirs
    /// (`sps_temporal_id_nesting_flag`).
    pub(in crate::codec) is_nested: bool,
    /// The size of the pictures, less what is cut off them.
    pub(in crate::codec) size: Option<PictureSize>,
}

impl SequenceParameters {
    /// Reads a NAL unit; none of one for a layer above the lowest, as its set is another.
    pub(in crate::codec) fn read(unit: &[u8]) -> Option<Self> {
        let mut buffer = [0; PARAMETER_SET_BYTES_MAX];
        read(&mut BitReader::new(unescaped(unit, &mut buffer))).ok().flatten()
    }
}

fn read(bits: &mut BitReader<'_>) -> Result<Option<SequenceParameters>, OutOfBits> {
    bits.skip(7)?;
    let layer = bits.number(6)?;
    bits.skip(3)?;
    if layer != 0 {
        return Ok(None);
    }
    // The id of the video parameter set.
    bits.skip(4)?;
    let sub_layers = bits.number(3)?;
    let is_nested = bits.flag()?;
    skip_profile_tier_level(bits, sub_layers)?;
    bits.exp_golomb()?;
    let format = bits.exp_golomb()?;
    if format == 3 {
        // Whether the planes are apart.
        bits.skip(1)?;
    }
    let (width, height) = (bits.exp_golomb()?, bits.exp_golomb()?);
    let mut cut = [0; 4];
    if bits.flag()? {
        for side in &mut cut {
            *side = u64::from(bits.exp_golomb()?);
        }
    }
    let [left, right, top, bottom] = cut;
    // Table 6-1: luma samples of one of chroma.
    let (unit_width, unit_height) = match format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let side = |size: u32, cut: u64| {
        u64::from(size).checked_sub(cut).and_then(|size| u16::try_from(size).ok())
    };
    let width = side(width, unit_width * (left + right));
    let height = side(height, unit_height * (top + bottom));
    let size = width.zip(height).map(|(width, height)| PictureSize { width, height });
    let size = size.filter(|size| size.width > 0 && size.height > 0);
    Ok(Some(SequenceParameters { is_nested, size }))
}

/// Reads the set's id, of what stands behind the unit's header.
pub(in crate::codec) fn id(bits: &mut BitReader<'_>) -> Result<u32, OutOfBits> {
    bits.skip(4)?;
    let sub_layers = bits.number(3)?;
    bits.skip(1)?;
    skip_profile_tier_level(bits, sub_layers)?;
    bits.exp_golomb()
}

/// 7.3.3, of `sub_layers` temporal layers below the highest.
fn skip_profile_tier_level(bits: &mut BitReader<'_>, sub_layers: u32) -> Result<(), OutOfBits> {
    bits.skip(PROFILE_BITS + LEVEL_BITS)?;
    let mut skipped = 0;
    for _ in 0..sub_layers {
        skipped += if bits.flag()? { PROFILE_BITS } else { 0 };
        skipped += if bits.flag()? { LEVEL_BITS } else { 0 };
    }
    if sub_layers > 0 {
        // The flags are filled up to those of eight layers.
        bits.skip(2 * (8 - sub_layers as usize))?;
    }
    bits.skip(skipped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bits::BitWriter;
    use crate::codec::nal::{escaped, from_hex};

    fn picture_size(unit: &[u8]) -> Option<PictureSize> {
        SequenceParameters::read(unit)?.size
    }

    /// What x265 (Debian's 4.1) writes.
    #[test]
    fn the_size_is_what_the_encoder_was_given() {
        for (unit, size) in [
            (
                "420101016000000300900000030000030078a003c08010e596566924cafff000100016a0202020800000\
                 03008000000f04",
                (1920, 1080),
            ),
            (
                "42010101600000030090000003000003003fa00a480b9c9596566924cafff000100016a0c0c0c0800000\
                 03008000000f04",
                (322, 182),
            ),
            (
                "42010101600000030090000003000003003fa00502016965959a4932bffc00040005a830303020000003\
                 002000000303c1",
                (640, 360),
            ),
        ] {
            let unit = from_hex(unit);
            let found = picture_size(&unit).map(|size| (size.width, size.height));
            assert_eq!(found, Some(size));
            for length in 0..20 {
                assert_eq!(picture_size(&unit[..length]), None);
            }
            let mut other_layer = unit;
            other_layer[1] |= 0x08;
            assert_eq!(picture_size(&other_layer), None);
        }
    }

    /// A set with everything that stands before its size.
    #[derive(Debug, Clone)]
    struct Set {
        sub_layers: Vec<(bool, bool)>,
        format: u32,
        size: (u32, u32),
        cut: Option<[u32; 4]>,
    }

    impl Set {
        fn written(&self) -> Vec<u8> {
            let mut buffer = [0; 512];
            let mut bits = BitWriter::new(&mut buffer);
            let mut put = |width, value| bits.put(width, value).unwrap();
            put(16, 33 << 9 | 1);
            put(4, 2);
            put(3, self.sub_layers.len() as u32);
            put(1, 1);
            let level = |put: &mut dyn FnMut(u32, u32)| put(8, 93);
            let profile = |put: &mut dyn FnMut(u32, u32)| {
                [32, 32, 24].iter().for_each(|width| put(*width, 1))
            };
            profile(&mut put);
            level(&mut put);
            for (has_profile, has_level) in &self.sub_layers {
                put(1, (*has_profile).into());
                put(1, (*has_level).into());
            }
            if !self.sub_layers.is_empty() {
                (self.sub_layers.len()..8).for_each(|_| put(2, 0));
            }
            for (has_profile, has_level) in &self.sub_layers {
                if *has_profile {
                    profile(&mut put);
                }
                if *has_level {
                    level(&mut put);
                }
            }
            bits.put_exp_golomb(1);
            bits.put_exp_golomb(self.format);
            if self.format == 3 {
                bits.put(1, 0).unwrap();
            }
            bits.put_exp_golomb(self.size.0);
            bits.put_exp_golomb(self.size.1);
            bits.put(1, self.cut.is_some().into()).unwrap();
            self.cut.iter().flatten().for_each(|side| bits.put_exp_golomb(*side));
            let length = bits.bytes();
            escaped(&buffer[..length])
        }

        fn cut_size(&self) -> Option<PictureSize> {
            let (sub_width, sub_height) = [(1, 1), (2, 2), (2, 1), (1, 1)][self.format as usize];
            let [left, right, top, bottom] = self.cut.unwrap_or_default().map(i64::from);
            let width = i64::from(self.size.0) - sub_width * (left + right);
            let height = i64::from(self.size.1) - sub_height * (top + bottom);
            let size =
                PictureSize { width: width.try_into().ok()?, height: height.try_into().ok()? };
            (size.width > 0 && size.height > 0).then_some(size)
        }
    }

    proptest! {
        #[test]
        fn a_set_of_any_form_has_the_size_that_was_written(
            sub_layers in proptest::collection::vec(any::<(bool, bool)>(), 0..7),
            format in 0..4u32,
            size in (0..70_000u32, 0..70_000u32),
            cut in proptest::option::of(proptest::array::uniform4(0..40u32)),
        ) {
            let set = Set { sub_layers, format, size, cut };
            prop_assert_eq!(picture_size(&set.written()), set.cut_size());
        }

        #[test]
        fn arbitrary_bytes_never_panic(unit in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(size) = picture_size(&unit) {
                prop_assert!(size.width > 0 && size.height > 0);
            }
        }
    }
}
