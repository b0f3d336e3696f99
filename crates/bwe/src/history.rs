//! What was sent under which transport-wide number, until feedback tells of it.

/// Packets remembered: two seconds of 2.4 Mbit/s. Feedback on an older one is ignored.
const PACKETS_MAX: usize = 512;

/// The unit of the times kept, in microseconds: 32 bits of it last for a day.
const UNIT_US: u64 = 16;

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

/// A packet as it is kept: eight bytes.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// When it was sent, in [`UNIT_US`], wrapping.
    at: u32,
    /// Bytes.
    size: u16,
    /// What for.
    purpose: Purpose,
    /// Whether it is still to be told of.
    is_open: bool,
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
        let none = Entry { at: 0, size: 0, purpose: Purpose::Media, is_open: false };
        Self { entries: Box::new([none; PACKETS_MAX]), last: 0 }
    }

    /// Notes a packet and gives its number.
    pub(crate) fn push(&mut self, at_us: u64, size: usize, purpose: Purpose) -> u64 {
        self.last += 1;
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        let at = (at_us / UNIT_US) as u32;
        self.entries[self.slot(self.last)] = Entry { at, size, purpose, is_open: true };
        self.last
    }

    /// The packet that feedback calls `number`, once.
    pub(crate) fn take(&mut self, now_us: u64, number: u16) -> Option<Sent> {
        let back = (self.last as u16).wrapping_sub(number);
        let number = self.last.checked_sub(u64::from(back)).filter(|number| *number > 0)?;
        if usize::from(back) >= PACKETS_MAX {
            return None;
        }
        let slot = self.slot(number);
        let entry = &mut self.entries[slot];
        if !std::mem::take(&mut entry.is_open) {
            return None;
        }
        let age = ((now_us / UNIT_US) as u32).wrapping_sub(entry.at);
        let at_us = now_us.saturating_sub(u64::from(age) * UNIT_US);
        Some(Sent { number, at_us, size: entry.size, purpose: entry.purpose })
    }

    fn slot(&self, number: u64) -> usize {
        number as usize % PACKETS_MAX
    }
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
        assert_eq!(history.take(now_us, ((70_000 - 512) & 0xFFFF) as u16), None, "too old");
        assert!(history.take(now_us, ((70_000 - 511) & 0xFFFF) as u16).is_some());
        assert_eq!(history.take(now_us, (70_001 & 0xFFFF) as u16), None, "not sent yet");
    }
}
