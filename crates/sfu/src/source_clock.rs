//! The clock of a layer, as its publisher's sender reports tell it.

use std::time::Instant;

/// A publisher's last sender report for a track: its wall clock beside its RTP clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceClock {
    /// NTP time, 32.32 fixed point seconds.
    pub(crate) ntp: u64,
    /// The same moment on the RTP clock.
    pub(crate) rtp_timestamp: u32,
    /// When it arrived.
    pub(crate) arrived: Instant,
}

impl SourceClock {
    /// What added to a timestamp of `other` gives that of the same moment on this clock.
    pub(crate) fn ticks_ahead_of(&self, other: &Self, clock_rate: u32) -> u32 {
        // 32.32 fixed point seconds, and no two reports are a lifetime apart.
        let apart = other.ntp.wrapping_sub(self.ntp) as i64;
        let ticks = (i128::from(apart) * i128::from(clock_rate)) >> 32;
        self.rtp_timestamp.wrapping_add(ticks as u32).wrapping_sub(other.rtp_timestamp)
    }
}
