//! Packet indices per SSRC: rollover estimation (RFC 3711 §3.3.1) and replay windows (§3.3.2).

use odeum_types::prefetch;

/// Packets behind the newest one that a window still knows: a packet older than this is refused.
/// 448 packets are 180 ms of a 30 Mbit/s stream. RFC 3711 §3.3.2 asks for at least 64.
pub const REPLAY_WINDOW_PACKETS: u64 = (WORDS as u64 - 1) * 64;

/// SSRCs that one context remembers; a packet of one more is refused. A publisher of two tracks
/// has four; the rest is room for layers and for SSRCs that change.
pub const SSRCS_MAX: usize = 32;

const WORDS: usize = 8;

/// Largest 48-bit packet index of SRTP.
const INDEX_MAX: u64 = (1 << 48) - 1;

/// Which indices have been used, the newest [`REPLAY_WINDOW_PACKETS`] of them. A ring of words: a
/// newer index clears the words that it skips (RFC 6479 §2).
#[derive(Default)]
pub(crate) struct ReplayWindow {
    /// Newest index used; `None` before the first.
    newest: Option<u64>,
    /// One bit per index, at its place modulo the ring.
    words: [u64; WORDS],
}

/// What a window knows of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Not used yet.
    Fresh,
    /// Used already.
    Used,
    /// Before the window: nobody can tell.
    TooOld,
}

impl ReplayWindow {
    /// Remembers that `index` has been used.
    pub(crate) fn mark(&mut self, index: u64) {
        let word = index / 64;
        let newest = self.newest.unwrap_or(index);
        if index >= newest {
            let skipped = (word - newest / 64).min(WORDS as u64);
            for step in 0..skipped {
                self.words[((word - step) % WORDS as u64) as usize] = 0;
            }
            self.newest = Some(index);
        }
        self.words[(word % WORDS as u64) as usize] |= 1 << (index % 64);
    }

    pub(crate) fn freshness(&self, index: u64) -> Freshness {
        let Some(newest) = self.newest else { return Freshness::Fresh };
        if index > newest {
            return Freshness::Fresh;
        }
        if newest - index >= REPLAY_WINDOW_PACKETS {
            return Freshness::TooOld;
        }
        let word = self.words[((index / 64) % WORDS as u64) as usize];
        match word >> (index % 64) & 1 {
            0 => Freshness::Fresh,
            _ => Freshness::Used,
        }
    }

    /// The 48-bit index that `sequence` most likely means (RFC 3711 §3.3.1, appendix A). `None`
    /// when that would lie before the first packet of all or beyond the last index.
    pub(crate) fn estimate(&self, sequence: u16) -> Option<u64> {
        let Some(newest) = self.newest else { return Some(u64::from(sequence)) };
        let distance = i64::from(sequence.wrapping_sub(newest as u16) as i16);
        newest.checked_add_signed(distance).filter(|index| *index <= INDEX_MAX)
    }
}

/// The windows of a context, by SSRC.
#[derive(Default)]
pub(crate) struct Windows {
    /// A handful of SSRCs: a scan is faster than a hash.
    entries: Vec<(u32, ReplayWindow)>,
}

/// A context already knows [`SSRCS_MAX`] SSRCs.
#[derive(Debug)]
pub(crate) struct Full;

impl Windows {
    pub(crate) fn get(&self, ssrc: u32) -> Option<&ReplayWindow> {
        self.entries.iter().find(|(known, _)| *known == ssrc).map(|(_, window)| window)
    }

    /// Brings those of sound and video near, which a viewer gets first and most.
    pub(crate) fn prefetch(&self) {
        prefetch(&self.entries[..self.entries.len().min(2)]);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= SSRCS_MAX
    }

    /// The window of `ssrc`, new if need be.
    pub(crate) fn get_or_add(&mut self, ssrc: u32) -> Result<&mut ReplayWindow, Full> {
        match self.entries.iter().position(|(known, _)| *known == ssrc) {
            Some(at) => Ok(&mut self.entries[at].1),
            None if self.is_full() => Err(Full),
            None => {
                self.entries.push((ssrc, ReplayWindow::default()));
                Ok(&mut self.entries.last_mut().expect("one was just pushed").1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window_at(newest: u64) -> ReplayWindow {
        let mut window = ReplayWindow::default();
        window.mark(newest);
        window
    }

    #[test]
    fn an_index_is_fresh_once() {
        let mut window = window_at(1000);
        assert_eq!(window.freshness(1000), Freshness::Used);
        assert_eq!(window.freshness(999), Freshness::Fresh);
        window.mark(999);
        assert_eq!(window.freshness(999), Freshness::Used);
        assert_eq!(window.freshness(1001), Freshness::Fresh);
    }

    #[test]
    fn what_lies_behind_the_window_is_too_old() {
        let window = window_at(10_000);
        assert_eq!(window.freshness(10_000 - REPLAY_WINDOW_PACKETS + 1), Freshness::Fresh);
        assert_eq!(window.freshness(10_000 - REPLAY_WINDOW_PACKETS), Freshness::TooOld);
    }

    #[test]
    fn a_jump_ahead_forgets_only_what_left_the_window() {
        let mut window = window_at(100);
        window.mark(100 + 200);
        assert_eq!(window.freshness(100), Freshness::Used);
        assert_eq!(window.freshness(101), Freshness::Fresh);
        window.mark(100_000);
        for index in 100_000 - REPLAY_WINDOW_PACKETS + 1..100_000 {
            assert_eq!(window.freshness(index), Freshness::Fresh);
        }
    }

    #[test]
    fn the_index_rolls_over_and_back() {
        let window = window_at(0xfffe);
        assert_eq!(window.estimate(3), Some(0x1_0003));
        assert_eq!(window.estimate(0xfff0), Some(0xfff0));
        let window = window_at(0x1_0003);
        assert_eq!(window.estimate(0xffff), Some(0xffff));
        assert_eq!(window.estimate(4), Some(0x1_0004));
    }

    #[test]
    fn no_index_lies_before_the_first_or_after_the_last() {
        assert_eq!(window_at(3).estimate(0xfff0), None);
        assert_eq!(window_at(INDEX_MAX).estimate(0), None);
        assert_eq!(window_at(INDEX_MAX - 1).estimate(0xffff), Some(INDEX_MAX));
    }
}
