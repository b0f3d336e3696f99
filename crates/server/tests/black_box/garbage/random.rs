//! Chance from a seed, and what it does to bytes.

/// SplitMix64: small, and the same on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another source, for another task.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `end` without it.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.take(length.div_ceil(8)).flatten().take(length).collect()
    }

    /// Text of `length` characters, some of them awkward.
    pub(crate) fn text(&mut self, length: usize) -> String {
        let awkward = ['\0', '"', '\\', '%', '&', '=', '\r', '\n', 'é', '中', '\u{202e}', '😀'];
        std::iter::repeat_with(|| match self.below(4) {
            0 => *self.pick(&awkward),
            _ => char::from(b' ' + self.below(95) as u8),
        })
        .take(length)
        .collect()
    }

    /// `original` with one to four faults; never the same as before.
    pub(crate) fn mutated(&mut self, original: &[u8]) -> Vec<u8> {
        loop {
            let mut bytes = original.to_vec();
            for _ in 0..=self.below(4) {
                self.mutate(&mut bytes);
            }
            if bytes != original {
                return bytes;
            }
        }
    }

    /// As [`Self::mutated`], for text.
    pub(crate) fn mutated_text(&mut self, original: &str) -> String {
        String::from_utf8_lossy(&self.mutated(original.as_bytes())).into_owned()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let end = at + self.below(bytes.len().saturating_sub(at).min(64) + 1);
        match self.below(8) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            2 if !bytes.is_empty() => bytes[at] = self.next() as u8,
            3 if bytes.len() >= at + 2 => {
                // Lengths and counts at their borders.
                let border = *self.pick(&[0u16, 1, 3, 4, 0x7FFF, 0x8000, 0xFFFC, 0xFFFF]);
                bytes[at..at + 2].copy_from_slice(&border.to_be_bytes());
            }
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let length = self.below(40);
                let more = self.bytes(length);
                bytes.splice(at..at, more);
            }
        }
    }
}
