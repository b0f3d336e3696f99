//! What was sent under which transport-wide number, until feedback tells of it.

use odeum_types::prefetch;

/// Packets remembered: four seconds of 2.4 Mbit/s, half a second of 20. Feedback on an older one is
/// ignored.
const PACKETS_MAX: usize = 1_024;

/// The unit of the times kept, in microseconds, half of what feedback tells times in.
const UNIT_US: u64 = 128;

/// Bits of such a time: it wraps after 268 seconds, and feedback comes within one.
const TIME_BITS: u32 = 21;

/// The unit of the sizes kept, in bytes, and their bits: up to 2,044 bytes.
const SIZE_UNIT: usize = 4;
const SIZE_BITS: u32 = 9;

/// What a packet is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is wanted.
    Media,
    /// It belongs to a [`crate::Burst`].
    Probe,
}

/// A packet that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Its number, extended.
    pub(crate) number: u64,
    /// When, in microseconds since the estimator began.
    pub(crate) at_us: u64,
    /// Bytes.
    pub(crate) size: u16,
    /// What for.
    pub(crate) purpose: Purpose,
}

/// A packet as it is kept, in four bytes: from the lowest bit on its time, its size, whether it is
/// of a probe, and whether it is still to be told of.
#[derive(Debug, Clone, Copy, Default)]
struct Entry(u32);

impl Entry {
    const PROBE: u32 = 1 << (TIME_BITS + SIZE_BITS);
    const OPEN: u32 = 1 << (TIME_BITS + SIZE_BITS + 1);

    fn new(at_us: u64, size: usize, purpose: Purpose) -> Self {
        let time = (at_us / UNIT_US) as u32 & mask(TIME_BITS);
        let size = u32::try_from(size.div_ceil(SIZE_UNIT)).unwrap_or(u32::MAX);
        let probe = if purpose == Purpose::Probe { Self::PROBE } else { 0 };
        Self(time | size.min(mask(SIZE_BITS)) << TIME_BITS | probe | Self::OPEN)
    }

    /// When it was sent, if that is not longer ago than the time's bits tell.
    fn at_us(self, now_us: u64) -> u64 {
        let age = ((now_us / UNIT_US) as u32).wrapping_sub(self.0) & mask(TIME_BITS);
        now_us.saturating_sub(u64::from(age) * UNIT_US)
    }

    fn size(self) -> u16 {
        (self.0 >> TIME_BITS & mask(SIZE_BITS)) as u16 * SIZE_UNIT as u16
    }

    fn purpose(self) -> Purpose {
        if self.0 & Self::PROBE == 0 { Purpose::Media } else { Purpose::Probe }
    }
}

/// The last packets of a transport.
#[derive(Debug)]
pub(crate) struct SendHistory {
    /// By number modulo the length.
    entries: Box<[Entry; PACKETS_MAX]>,
    /// The number of the last packet; none was sent while it is zero.
    last: u64,
}

impl SendHistory {
    pub(crate) fn new() -> Self {
        Self { entries: Box::new([Entry::default(); PACKETS_MAX]), last: 0 }
    }

    /// Brings the next entries near: of a cache line or two, which are 16 packets or more.
    pub(crate) fn prefetch(&self) {
        for ahead in [1, 16] {
            prefetch(&self.entries[(self.last as usize + ahead) % PACKETS_MAX]);
        }
    }

    /// Notes a packet and gives its number.
    pub(crate) fn push(&mut self, at_us: u64, size: usize, purpose: Purpose) -> u64 {
        self.last += 1;
        self.entries[self.last as usize % PACKETS_MAX] = Entry::new(at_us, size, purpose);
        self.last
    }

    /// The packet that feedback calls `number`, once.
    pub(crate) fn take(&mut self, now_us: u64, number: u16) -> Option<Sent> {
        let back = (self.last as u16).wrapping_sub(number);
        let number = self.last.checked_sub(u64::from(back)).filter(|number| *number > 0)?;
        if usize::from(back) >= PACKETS_MAX {
            return None;
        }
        let entry = &mut self.entries[number as usize % PACKETS_MAX];
        if entry.0 & Entry::OPEN == 0 {
            return None;
        }
        entry.0 &= !Entry::OPEN;
        let (at_us, size) = (entry.at_us(now_us), entry.size());
        Some(Sent { number, at_us, size, purpose: entry.purpose() })
    }
}

/// So many bits, all set.
const fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_found_once_and_only_while_it_is_remembered() {
        let mut history = SendHistory::new();
        assert_eq!(history.take(0, 0), None);
        assert_eq!(history.take(0, 1), None);
        for n in 1..=70_000u64 {
            assert_eq!(history.push(n * 1_000, 100, Purpose::Media), n);
        }
        let now_us = 70_000_100;
        let sent = history.take(now_us, (69_999 & 0xFFFF) as u16).unwrap();
        assert_eq!((sent.number, sent.size), (69_999, 100));
        assert!(sent.at_us.abs_diff(69_999_000) <= UNIT_US);
        assert_eq!(history.take(now_us, (69_999 & 0xFFFF) as u16), None, "once");
        assert_eq!(history.take(now_us, ((70_000 - 1_024) & 0xFFFF) as u16), None, "too old");
        assert!(history.take(now_us, ((70_000 - 1_023) & 0xFFFF) as u16).is_some());
        assert_eq!(history.take(now_us, (70_001 & 0xFFFF) as u16), None, "not sent yet");
    }

    #[test]
    fn a_packet_keeps_its_size_its_purpose_and_its_time() {
        for (at_us, size, purpose, kept) in [
            (0, 0, Purpose::Media, 0),
            (1_000_000, 101, Purpose::Probe, 104),
            (267_000_000, 1_500, Purpose::Media, 1_500),
            (3_600_000_000, 70_000, Purpose::Probe, 2_044),
        ] {
            let mut history = SendHistory::new();
            history.push(at_us, size, purpose);
            let sent = history.take(at_us + 500_000, 1).unwrap();
            assert_eq!((sent.size, sent.purpose), (kept, purpose));
            assert!(sent.at_us.abs_diff(at_us) <= UNIT_US, "{}", sent.at_us);
        }
    }
}
