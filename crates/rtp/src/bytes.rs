//! Reading and writing big-endian numbers inside slices without panics: every parser here stands on
//! it.

/// The caller's buffer cannot hold what was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the buffer is too small")]
pub struct BufferTooSmall;

/// The two bytes at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let slice = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([slice[0], slice[1]]))
}

/// The three bytes at `at`.
pub(crate) fn u24_at(bytes: &[u8], at: usize) -> Option<u32> {
    let slice = bytes.get(at..at.checked_add(3)?)?;
    Some(u32::from_be_bytes([0, slice[0], slice[1], slice[2]]))
}

/// The four bytes at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let slice = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([slice[0], slice[1], slice[2], slice[3]]))
}

/// The eight bytes at `at`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32_at(bytes, at)?) << 32 | u64::from(u32_at(bytes, at + 4)?))
}

/// Appends to a slice and says when it is full.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    /// Where the bytes go.
    buffer: &'a mut [u8],
    /// How many are written.
    length: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), BufferTooSmall> {
        let end = self.length + bytes.len();
        self.buffer.get_mut(self.length..end).ok_or(BufferTooSmall)?.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    pub(crate) fn put_u8(&mut self, value: u8) -> Result<(), BufferTooSmall> {
        self.put(&[value])
    }

    pub(crate) fn put_u16(&mut self, value: u16) -> Result<(), BufferTooSmall> {
        self.put(&value.to_be_bytes())
    }

    pub(crate) fn put_u32(&mut self, value: u32) -> Result<(), BufferTooSmall> {
        self.put(&value.to_be_bytes())
    }

    pub(crate) fn put_u64(&mut self, value: u64) -> Result<(), BufferTooSmall> {
        self.put(&value.to_be_bytes())
    }

    /// Zeros up to the next multiple of four.
    pub(crate) fn pad_to_word(&mut self) -> Result<(), BufferTooSmall> {
        while !self.length.is_multiple_of(4) {
            self.put_u8(0)?;
        }
        Ok(())
    }

    /// Replaces two bytes written before.
    pub(crate) fn set_u16(&mut self, at: usize, value: u16) {
        self.buffer[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }

    /// Forgets what was written after `length`.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    pub(crate) fn written(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }
}
