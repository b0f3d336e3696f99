//! Reading and writing numbers that are not made of whole bytes, highest bit first, without panics.

use crate::bytes::BufferTooSmall;

/// Fewer bits are left than a number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfBits;

/// What is left to read of a slice of bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BitReader<'a> {
    /// The bytes.
    bytes: &'a [u8],
    /// Bits read.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// Begins at the first bit.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The next bit.
    pub(crate) fn flag(&mut self) -> Result<bool, OutOfBits> {
        Ok(self.number(1)? == 1)
    }

    /// The next `width` bits, at most 32. When there are fewer, nothing is read.
    pub(crate) fn number(&mut self, width: u32) -> Result<u32, OutOfBits> {
        debug_assert!(width <= u32::BITS);
        let end = self.position + width as usize;
        let bytes = self.bytes.get(self.position / 8..end.div_ceil(8)).ok_or(OutOfBits)?;
        // At most five bytes: 32 bits that begin anywhere in the first.
        let whole = bytes.iter().fold(0u64, |whole, byte| whole << 8 | u64::from(*byte));
        let behind = 8 * bytes.len() - self.position % 8 - width as usize;
        self.position = end;
        Ok((whole >> behind & ((1 << width) - 1)) as u32)
    }

    /// A number below `count`, 1 to 2^31, of which the lower ones are a bit shorter: AV1's `ns(n)`
    /// (RTP Payload Format For AV1, A.8.2).
    pub(crate) fn below(&mut self, count: u32) -> Result<u32, OutOfBits> {
        let width = u32::BITS - count.leading_zeros();
        let short = (1 << width) - count;
        let value = self.number(width - 1)?;
        if value < short {
            return Ok(value);
        }
        Ok((value << 1) - short + self.number(1)?)
    }

    /// A number of unbounded length, `ue(v)` of H.264 and H.265 (9.1), below 2^32.
    pub(crate) fn exp_golomb(&mut self) -> Result<u32, OutOfBits> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(OutOfBits);
            }
        }
        Ok((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// The same with a sign, `se(v)` (9.1.1).
    pub(crate) fn signed_exp_golomb(&mut self) -> Result<i32, OutOfBits> {
        let code = self.exp_golomb()?;
        let magnitude = code.div_ceil(2) as i32;
        Ok(if code % 2 == 1 { magnitude } else { -magnitude })
    }

    /// Leaves out `count` bits.
    pub(crate) fn skip(&mut self, count: usize) -> Result<(), OutOfBits> {
        let end = self.position.checked_add(count).ok_or(OutOfBits)?;
        if end > 8 * self.bytes.len() {
            return Err(OutOfBits);
        }
        self.position = end;
        Ok(())
    }

    /// Leaves out the bits up to `position`, which must lie within the slice, behind what was read.
    pub(crate) fn skip_to(&mut self, position: usize) {
        debug_assert!((self.position..=8 * self.bytes.len()).contains(&position));
        self.position = position;
    }

    /// How many bits were read.
    pub(crate) fn position(&self) -> usize {
        self.position
    }
}

/// Appends bits to a slice.
#[derive(Debug)]
pub(crate) struct BitWriter<'a> {
    /// Where they go.
    buffer: &'a mut [u8],
    /// Bits written.
    position: usize,
}

impl<'a> BitWriter<'a> {
    /// Begins at the first bit.
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, position: 0 }
    }

    /// Appends the `width` lower bits of `value`, at most 32.
    pub(crate) fn put(&mut self, width: u32, value: u32) -> Result<(), BufferTooSmall> {
        for bit in (0..width).rev() {
            let byte = self.buffer.get_mut(self.position / 8).ok_or(BufferTooSmall)?;
            let place = 7 - self.position % 8;
            // What lay in the buffer goes with the first bit of each byte.
            *byte = if place == 7 { 0 } else { *byte } | ((value >> bit & 1) as u8) << place;
            self.position += 1;
        }
        Ok(())
    }

    /// How many bits were written.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// How many bytes have something written; the last one ends with zeros.
    pub(crate) fn bytes(&self) -> usize {
        self.position.div_ceil(8)
    }
}

#[cfg(test)]
impl BitWriter<'_> {
    /// Appends what [`BitReader::exp_golomb`] reads.
    pub(crate) fn put_exp_golomb(&mut self, value: u32) {
        let bits = (value + 1).ilog2();
        self.put(bits, 0).unwrap();
        self.put(bits + 1, value + 1).unwrap();
    }

    /// Appends what [`BitReader::signed_exp_golomb`] reads.
    pub(crate) fn put_signed_exp_golomb(&mut self, value: i32) {
        self.put_exp_golomb(2 * value.unsigned_abs() - u32::from(value > 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_across_the_borders_of_bytes() {
        let mut bits = BitReader::new(&[0b1010_0111, 0b1000_0001, 0xFF, 0x00, 0xFF, 0x0F]);
        assert_eq!(bits.flag(), Ok(true));
        assert_eq!(bits.number(0), Ok(0));
        assert_eq!(bits.number(2), Ok(0b01));
        assert_eq!(bits.number(6), Ok(0b00_1111));
        assert_eq!(bits.number(32), Ok(0b0000_0011_1111_1110_0000_0001_1111_1110));
        assert_eq!(bits.number(8), Err(OutOfBits));
        assert_eq!(bits.number(7), Ok(0b000_1111));
        assert_eq!((bits.flag(), bits.number(0)), (Err(OutOfBits), Ok(0)));
    }

    #[test]
    fn what_is_written_is_read_and_lies_over_what_was_there() {
        let mut buffer = [0xFF; 5];
        let mut bits = BitWriter::new(&mut buffer);
        assert_eq!(bits.bytes(), 0);
        assert_eq!(bits.put(3, 0b101), Ok(()));
        assert_eq!(bits.put(32, 0x8001_7FF1), Ok(()));
        assert_eq!(bits.put(0, 1), Ok(()));
        assert_eq!(bits.bytes(), 5);
        assert_eq!(bits.put(6, 0), Err(BufferTooSmall));
        let mut bits = BitReader::new(&buffer);
        assert_eq!((bits.number(3), bits.number(32)), (Ok(0b101), Ok(0x8001_7FF1)));
        assert_eq!((bits.position(), bits.number(5)), (35, Ok(0)));
    }

    #[test]
    fn numbers_without_a_fixed_length_begin_with_as_many_zeros_as_they_have_bits_behind_the_first()
    {
        // 1, 010, 011, 00100, 00111.
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0011, 0b1000_0000]);
        for expected in [0, 1, 2, 3, 6] {
            assert_eq!(bits.exp_golomb(), Ok(expected));
        }
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0011, 0b1000_0000]);
        for expected in [0, 1, -1, 2, -3] {
            assert_eq!(bits.signed_exp_golomb(), Ok(expected));
        }
        let longest = [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(BitReader::new(&longest).exp_golomb(), Ok(u32::MAX - 1));
        assert_eq!(BitReader::new(&longest).signed_exp_golomb(), Ok(-i32::MAX));
        for bytes in [&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0b0000_0100], &[0]] {
            assert_eq!(BitReader::new(bytes).exp_golomb(), Err(OutOfBits));
        }
        let mut bits = BitReader::new(&[0, 1]);
        assert_eq!((bits.skip(15), bits.flag()), (Ok(()), Ok(true)));
        assert_eq!(
            (bits.skip(0), bits.skip(1), bits.skip(usize::MAX)),
            (Ok(()), Err(OutOfBits), Err(OutOfBits))
        );
    }

    #[test]
    fn the_lower_numbers_below_a_count_are_shorter() {
        // The five numbers of A.8.2: 00, 01, 10, 110, 111; then of 1, 2 and 16.
        let mut bits = BitReader::new(&[0b0001_1011, 0b0111_1111]);
        for expected in 0..5 {
            assert_eq!(bits.below(5), Ok(expected));
        }
        assert_eq!(bits.below(1), Ok(0));
        assert_eq!(bits.below(2), Ok(1));
        assert_eq!(bits.below(16), Err(OutOfBits));
    }
}
