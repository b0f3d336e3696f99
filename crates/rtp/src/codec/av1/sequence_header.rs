//! AV1's sequence header (AV1 5.5), as far as the size of the pictures, and where a packet has it.

use crate::bits::{BitReader, OutOfBits};
use crate::codec::PictureSize;

/// OBU_SEQUENCE_HEADER (AV1 6.2.2).
const SEQUENCE_HEADER: u8 = 1;

/// OBUs of a packet that are looked at: the header is the first one (RTP Payload Format For AV1
/// §5), behind a temporal delimiter at most.
const OBUS_MAX: usize = 4;

/// The largest size of the pictures that the sequence has, of all its spatial layers. `payload` is
/// that of a packet that begins one.
pub(in crate::codec) fn picture_size(payload: &[u8]) -> Option<PictureSize> {
    let (aggregation, mut rest) = payload.split_first()?;
    // W: how many OBU elements there are; of the last one the length is not said (§4.4).
    let count = usize::from(*aggregation >> 4 & 3);
    for at in 1..=OBUS_MAX {
        let element = match at == count {
            true => std::mem::take(&mut rest),
            false => {
                let (length, behind) = leb128(rest)?;
                let (element, behind) = behind.split_at_checked(length)?;
                rest = behind;
                element
            }
        };
        if let Some(header) = sequence_header(element) {
            return read(&mut BitReader::new(header)).ok();
        }
    }
    None
}

/// What is behind the header of an OBU, if it is a sequence header (AV1 5.3.2).
fn sequence_header(obu: &[u8]) -> Option<&[u8]> {
    let header = *obu.first()?;
    let (kind, has_extension, has_size) = (header >> 3 & 0xF, header & 4 != 0, header & 2 != 0);
    let body = obu.get(1 + usize::from(has_extension)..)?;
    let body = if has_size { leb128(body)?.1 } else { body };
    (kind == SEQUENCE_HEADER).then_some(body)
}

/// A number (AV1 4.10.5) and what is behind it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

fn read(bits: &mut BitReader<'_>) -> Result<PictureSize, OutOfBits> {
    // The profile, and whether it is a still picture.
    bits.skip(4)?;
    let is_reduced = bits.flag()?;
    match is_reduced {
        true => bits.skip(5)?,
        false => skip_operating_points(bits)?,
    }
    let (width_bits, height_bits) = (bits.number(4)? + 1, bits.number(4)? + 1);
    let mut side = |width| bits.number(width).map(|less_one| (less_one + 1).min(u16::MAX.into()));
    let (width, height) = (side(width_bits)?, side(height_bits)?);
    Ok(PictureSize { width: width as u16, height: height as u16 })
}

fn skip_operating_points(bits: &mut BitReader<'_>) -> Result<(), OutOfBits> {
    let mut delay_bits = None;
    if bits.flag()? {
        // timing_info.
        bits.skip(64)?;
        if bits.flag()? {
            skip_uvlc(bits)?;
        }
        if bits.flag()? {
            // decoder_model_info.
            delay_bits = Some(bits.number(5)? as usize + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let has_display_delays = bits.flag()?;
    let points = bits.number(5)? + 1;
    for _ in 0..points {
        bits.skip(12)?;
        let level = bits.number(5)?;
        if level > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_display_delays && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Ok(())
}

/// AV1 4.10.3: as many zeros as there are bits behind the one; of 32 and more there are none.
fn skip_uvlc(bits: &mut BitReader<'_>) -> Result<(), OutOfBits> {
    let mut zeros = 0;
    while !bits.flag()? {
        zeros += 1;
    }
    bits.skip(if zeros < 32 { zeros } else { 0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bits::BitWriter;
    use crate::codec::nal::from_hex;

    /// What libaom (Debian's 3.12) writes, behind an OBU's header without and with a size.
    #[test]
    fn the_size_is_what_the_encoder_was_given() {
        for (header, size) in [
            ("00000042abbfc37e0657c802", (1920, 1080)),
            ("0000000cc4ff67e06d7c8020", (640, 360)),
            ("000000043d06d781b5f20080", (322, 182)),
        ] {
            let header = from_hex(header);
            let frame = [0x30, 1, 2, 3];
            for payload in [
                [&[0x18, 0x08][..], &header].concat(),
                [&[0x28, 14, 0x0A, 12], &header[..], &frame].concat(),
                // Behind a temporal delimiter, and with all lengths said.
                [&[0x08, 2, 0x12, 0, 14, 0x0C, 0x40], &header[..], &[4], &frame].concat(),
            ] {
                let found = picture_size(&payload).map(|size| (size.width, size.height));
                assert_eq!(found, Some(size), "{payload:x?}");
                for length in 0..8 {
                    assert_eq!(picture_size(&payload[..length]), None);
                }
            }
        }
        assert_eq!(picture_size(&[0x18, 0x30, 1, 2, 3]), None, "a frame");
    }

    /// An operating point: level, delays of the decoder's buffer, delay of the display.
    type Point = (u32, bool, bool);

    /// A header with everything that stands before its size.
    #[derive(Debug, Clone)]
    struct Header {
        is_reduced: bool,
        /// Whether all pictures take so many ticks, and the bits of a delay.
        timing: Option<(Option<u32>, Option<u32>)>,
        has_display_delays: bool,
        points: Vec<Point>,
        size: (u32, u32),
    }

    impl Header {
        fn written(&self) -> Vec<u8> {
            let mut buffer = [0; 1_024];
            let mut bits = BitWriter::new(&mut buffer);
            bits.put(4, 0).unwrap();
            bits.put(1, self.is_reduced.into()).unwrap();
            match self.is_reduced {
                true => bits.put(5, 8).unwrap(),
                false => self.write_points(&mut bits),
            }
            let (width, height) = (self.size.0 - 1, self.size.1 - 1);
            let width_of = |less_one: u32| less_one.checked_ilog2().unwrap_or(0);
            bits.put(4, width_of(width)).unwrap();
            bits.put(4, width_of(height)).unwrap();
            bits.put(width_of(width) + 1, width).unwrap();
            bits.put(width_of(height) + 1, height).unwrap();
            let length = bits.bytes();
            [&[0x18, 0x08], &buffer[..length]].concat()
        }

        fn write_points(&self, bits: &mut BitWriter<'_>) {
            bits.put(1, self.timing.is_some().into()).unwrap();
            let mut delay_bits = None;
            if let Some((ticks, delay)) = self.timing {
                bits.put(32, 1).unwrap();
                bits.put(32, 30).unwrap();
                bits.put(1, ticks.is_some().into()).unwrap();
                if let Some(ticks) = ticks {
                    // uvlc is the same code as Exp-Golomb's.
                    bits.put_exp_golomb(ticks);
                }
                bits.put(1, delay.is_some().into()).unwrap();
                if let Some(delay) = delay {
                    bits.put(5, delay - 1).unwrap();
                    bits.put(32, 5).unwrap();
                    bits.put(10, 99).unwrap();
                }
                delay_bits = delay;
            }
            bits.put(1, self.has_display_delays.into()).unwrap();
            bits.put(5, self.points.len() as u32 - 1).unwrap();
            for (level, has_buffer, has_display) in &self.points {
                bits.put(12, 0x101).unwrap();
                bits.put(5, *level).unwrap();
                if *level > 7 {
                    bits.put(1, 1).unwrap();
                }
                if let Some(delay) = delay_bits {
                    bits.put(1, (*has_buffer).into()).unwrap();
                    if *has_buffer {
                        [delay, delay, 1].iter().for_each(|width| bits.put(*width, 1).unwrap());
                    }
                }
                if self.has_display_delays {
                    bits.put(1, (*has_display).into()).unwrap();
                    if *has_display {
                        bits.put(4, 9).unwrap();
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_header_of_any_form_has_the_size_that_was_written(
            is_reduced in any::<bool>(),
            timing in proptest::option::of(
                (proptest::option::of(0..70_000u32), proptest::option::of(1..=32u32)),
            ),
            has_display_delays in any::<bool>(),
            points in proptest::collection::vec((0..32u32, any::<bool>(), any::<bool>()), 1..=32),
            size in (1..=65_536u32, 1..=65_536u32),
        ) {
            let header = Header { is_reduced, timing, has_display_delays, points, size };
            let found = picture_size(&header.written()).unwrap();
            let most = |side: u32| side.min(u16::MAX.into());
            prop_assert_eq!(u32::from(found.width), most(size.0));
            prop_assert_eq!(u32::from(found.height), most(size.1));
        }

        #[test]
        fn arbitrary_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(size) = picture_size(&payload) {
                prop_assert!(size.width > 0 && size.height > 0);
            }
        }
    }
}
