//! H.264's sequence parameter set (7.3.2.1.1), as far as the size of the pictures: it stands behind
//! most of the rest.

use crate::bits::{BitReader, OutOfBits};
use crate::codec::PictureSize;
use crate::codec::nal::{PARAMETER_SET_BYTES_MAX, unescaped};

/// The profiles whose sets tell of chroma and scaling lists.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// `num_ref_frames_in_pic_order_cnt_cycle` is below that (7.4.2.1.1).
const CYCLE_MAX: u32 = 255;

/// What is read of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct SequenceParameters {
    /// Pictures that others refer to may be missing (`gaps_in_frame_num_value_allowed_flag`).
    pub(in crate::codec) allows_gaps: bool,
    /// The size of the pictures, less what is cut off them.
    pub(in crate::codec) size: Option<PictureSize>,
}

impl SequenceParameters {
    /// Reads a NAL unit.
    pub(in crate::codec) fn read(unit: &[u8]) -> Option<Self> {
        let mut buffer = [0; PARAMETER_SET_BYTES_MAX];
        read(&mut BitReader::new(unescaped(unit, &mut buffer))).ok()
    }
}

fn read(bits: &mut BitReader<'_>) -> Result<SequenceParameters, OutOfBits> {
    bits.skip(8)?;
    let profile = bits.number(8)?;
    // Constraints, level, and the set's id.
    bits.skip(16)?;
    bits.exp_golomb()?;
    let chroma = match HIGH_PROFILES.contains(&profile) {
        true => chroma_format(bits)?,
        false => 1,
    };
    bits.exp_golomb()?;
    skip_picture_order(bits)?;
    // Reference frames.
    bits.exp_golomb()?;
    let allows_gaps = bits.flag()?;
    let (across, down) = (bits.exp_golomb()?, bits.exp_golomb()?);
    // Fields have half of a frame's rows.
    let fields = 2 - u64::from(bits.flag()?);
    if fields == 2 {
        bits.flag()?;
    }
    bits.flag()?;
    let mut cut = [0; 4];
    if bits.flag()? {
        for side in &mut cut {
            *side = u64::from(bits.exp_golomb()?);
        }
    }
    let [left, right, top, bottom] = cut;
    // Table 6-1: luma samples of one of chroma.
    let (unit_width, unit_height) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let side = |units: u64, cut: u64| {
        units.checked_mul(16)?.checked_sub(cut).and_then(|size| u16::try_from(size).ok())
    };
    let width = side(u64::from(across) + 1, unit_width * (left + right));
    let height = side(fields * (u64::from(down) + 1), fields * unit_height * (top + bottom));
    let size = width.zip(height).map(|(width, height)| PictureSize { width, height });
    let size = size.filter(|size| size.width > 0 && size.height > 0);
    Ok(SequenceParameters { allows_gaps, size })
}

/// ChromaArrayType, behind which stands the frame's number.
fn chroma_format(bits: &mut BitReader<'_>) -> Result<u32, OutOfBits> {
    let format = bits.exp_golomb()?;
    let is_separate = format == 3 && bits.flag()?;
    // Bit depths of luma and chroma, and lossless coding.
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    bits.flag()?;
    if bits.flag()? {
        let lists = if format == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Ok(if is_separate { 0 } else { format })
}

/// 7.3.2.1.1.1: a scale of zero ends the list.
fn skip_scaling_list(bits: &mut BitReader<'_>, size: u8) -> Result<(), OutOfBits> {
    let mut scale = 8u8;
    for _ in 0..size {
        // Modulo 256.
        scale = scale.wrapping_add(bits.signed_exp_golomb()? as u8);
        if scale == 0 {
            return Ok(());
        }
    }
    Ok(())
}

fn skip_picture_order(bits: &mut BitReader<'_>) -> Result<(), OutOfBits> {
    match bits.exp_golomb()? {
        0 => bits.exp_golomb().map(drop),
        1 => {
            bits.flag()?;
            bits.exp_golomb()?;
            bits.exp_golomb()?;
            let cycle = bits.exp_golomb()?;
            if cycle > CYCLE_MAX {
                return Err(OutOfBits);
            }
            (0..cycle).try_for_each(|_| bits.exp_golomb().map(drop))
        }
        _ => Ok(()),
    }
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

    /// L1T1 and L1T3 of Chromium 156, whose OpenH264 allows gaps where there are three temporal
    /// layers.
    #[test]
    fn gaps_are_allowed_where_the_encoder_says_so() {
        for (unit, allows_gaps) in [
            ("6742c01f8c8d40501ed350606060784423500000", false),
            ("6742c01f8c8d70501ed350606060784423700000", true),
        ] {
            let parameters = SequenceParameters::read(&from_hex(unit)).unwrap();
            assert_eq!(parameters.allows_gaps, allows_gaps);
            assert_eq!(parameters.size, Some(PictureSize { width: 640, height: 480 }));
        }
    }

    /// What x264 (Debian's 0.164, also interlaced) and OpenH264 (2.6) write.
    #[test]
    fn the_size_is_what_encoders_were_given() {
        for (unit, size) in [
            ("67640028acb200f0044fcb80b501010140000003004000000f23c60c92", (1920, 1080)),
            ("67640014acb202a33c44d80b5060606a50000003001000000303c8f142a480", (322, 182)),
            ("6764001eacb201405ff2e02d418181a940000003004000000f23c58b92", (640, 360)),
            ("67640028acd940780227e5c05a808080a0000003002000000791e30632c0", (1920, 1080)),
            ("6742c0288c8d403c0113f2c03c2211a8", (1920, 1080)),
            ("6742c00d8c8d40a8cb113403c2211a80", (322, 182)),
        ] {
            let unit = from_hex(unit);
            let found = picture_size(&unit).map(|size| (size.width, size.height));
            assert_eq!(found, Some(size));
            // The size is read long before the end, and of less nothing is made up.
            for length in 0..8 {
                assert_eq!(picture_size(&unit[..length]), None);
            }
        }
    }

    /// A set in every form that its syntax has.
    #[derive(Debug, Clone)]
    struct Set {
        profile: u32,
        chroma: u32,
        planes: bool,
        lists: Vec<Option<Vec<i32>>>,
        order: (u32, Vec<i32>),
        across: u32,
        down: u32,
        is_interlaced: bool,
        cut: Option<[u32; 4]>,
    }

    impl Set {
        fn is_high(&self) -> bool {
            HIGH_PROFILES.contains(&self.profile)
        }

        fn written(&self) -> Vec<u8> {
            let mut buffer = [0; 4_096];
            let mut bits = BitWriter::new(&mut buffer);
            bits.put(8, 0x67).unwrap();
            bits.put(8, self.profile).unwrap();
            bits.put(16, 31).unwrap();
            bits.put_exp_golomb(3);
            if self.is_high() {
                bits.put_exp_golomb(self.chroma);
                if self.chroma == 3 {
                    bits.put(1, self.planes.into()).unwrap();
                }
                bits.put_exp_golomb(2);
                bits.put_exp_golomb(2);
                bits.put(2, 1).unwrap();
                for at in 0..if self.chroma == 3 { 12 } else { 8 } {
                    self.write_list(&mut bits, at);
                }
            }
            bits.put_exp_golomb(4);
            let (kind, cycle) = &self.order;
            bits.put_exp_golomb(*kind);
            match kind {
                0 => bits.put_exp_golomb(6),
                1 => {
                    bits.put(1, 1).unwrap();
                    bits.put_signed_exp_golomb(-5);
                    bits.put_signed_exp_golomb(5);
                    bits.put_exp_golomb(cycle.len() as u32);
                    cycle.iter().for_each(|offset| bits.put_signed_exp_golomb(*offset));
                }
                _ => {}
            }
            bits.put_exp_golomb(4);
            bits.put(1, 0).unwrap();
            bits.put_exp_golomb(self.across);
            bits.put_exp_golomb(self.down);
            bits.put(1, (!self.is_interlaced).into()).unwrap();
            if self.is_interlaced {
                bits.put(1, 1).unwrap();
            }
            bits.put(1, 1).unwrap();
            bits.put(1, self.cut.is_some().into()).unwrap();
            self.cut.iter().flatten().for_each(|side| bits.put_exp_golomb(*side));
            bits.put(1, 0).unwrap();
            let length = bits.bytes();
            escaped(&buffer[..length])
        }

        fn write_list(&self, bits: &mut BitWriter<'_>, at: usize) {
            let Some(Some(list)) = self.lists.get(at) else {
                bits.put(1, 0).unwrap();
                return;
            };
            bits.put(1, 1).unwrap();
            let mut scale = 8u8;
            for delta in list.iter().cycle().take(if at < 6 { 16 } else { 64 }) {
                bits.put_signed_exp_golomb(*delta);
                scale = scale.wrapping_add(*delta as u8);
                if scale == 0 {
                    return;
                }
            }
        }

        /// What 7.4.2.1.1 makes of it.
        fn size(&self) -> Option<PictureSize> {
            let (chroma, planes) =
                if self.is_high() { (self.chroma, self.planes) } else { (1, false) };
            let array = if chroma == 3 && planes { 0 } else { chroma };
            let (sub_width, sub_height) = [(1, 1), (2, 2), (2, 1), (1, 1)][array as usize];
            let fields = 1 + i64::from(self.is_interlaced);
            let [left, right, top, bottom] = self.cut.unwrap_or_default().map(i64::from);
            let width = 16 * (i64::from(self.across) + 1) - sub_width * (left + right);
            let height = fields * (16 * (i64::from(self.down) + 1) - sub_height * (top + bottom));
            let size =
                PictureSize { width: width.try_into().ok()?, height: height.try_into().ok()? };
            (size.width > 0 && size.height > 0).then_some(size)
        }
    }

    fn set() -> impl Strategy<Value = Set> {
        let profile = prop_oneof![Just(66), Just(77), proptest::sample::select(&HIGH_PROFILES[..])];
        let list = proptest::option::of(proptest::collection::vec(-9..9, 1..64));
        let order = (0..3u32, proptest::collection::vec(-70_000..70_000, 0..6));
        (
            (profile, 0..4u32, any::<bool>(), proptest::collection::vec(list, 0..12), order),
            (
                0..5_000u32,
                0..5_000u32,
                any::<bool>(),
                proptest::option::of(proptest::array::uniform4(0..40u32)),
            ),
        )
            .prop_map(|(first, (across, down, is_interlaced, cut))| {
                let (profile, chroma, planes, lists, order) = first;
                Set { profile, chroma, planes, lists, order, across, down, is_interlaced, cut }
            })
    }

    proptest! {
        #[test]
        fn a_set_of_any_form_has_the_size_that_was_written(set in set()) {
            let unit = set.written();
            prop_assume!(unit.len() <= PARAMETER_SET_BYTES_MAX);
            prop_assert_eq!(picture_size(&unit), set.size());
        }

        #[test]
        fn arbitrary_bytes_never_panic(unit in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(size) = picture_size(&unit) {
                prop_assert!(size.width > 0 && size.height > 0);
            }
        }
    }
}
