//! How much is sent in a time.

use std::fmt;
use std::time::Duration;

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Bitrate(u64);

impl Bitrate {
    /// So many bits per second.
    pub const fn from_bits_per_second(bits: u64) -> Self {
        Self(bits)
    }

    /// So many kbit/s.
    pub const fn from_kilobits_per_second(kilobits: u64) -> Self {
        Self(kilobits * 1_000)
    }

    /// The rate of `bytes` in `time`; the largest one when no time has passed.
    pub fn of(bytes: u64, time: Duration) -> Self {
        let bits = u128::from(bytes) * 8_000_000;
        let rate = bits.checked_div(time.as_micros()).unwrap_or(u128::MAX);
        Self(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// In bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// How many bytes that is in `time`.
    pub fn bytes_in(self, time: Duration) -> u64 {
        let bytes = u128::from(self.0) * time.as_micros() / 8_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// So many per cent of it.
    #[must_use]
    pub fn percent(self, percent: u64) -> Self {
        Self((u128::from(self.0) * u128::from(percent) / 100).try_into().unwrap_or(u64::MAX))
    }

    /// The mean of two rates.
    #[must_use]
    pub fn mean(self, other: Self) -> Self {
        Self(self.0.midpoint(other.0))
    }

    /// The sum of two rates.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of it when `other` is taken.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s", self.0 / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_bits_by_time_and_never_overflows() {
        let second = Duration::from_secs(1);
        assert_eq!(Bitrate::of(1_000, second), Bitrate::from_kilobits_per_second(8));
        assert_eq!(Bitrate::of(1, Duration::ZERO).bits_per_second(), u64::MAX);
        assert_eq!(Bitrate::of(u64::MAX, Duration::from_micros(1)).bits_per_second(), u64::MAX);
        assert_eq!(Bitrate::from_kilobits_per_second(8).bytes_in(second / 2), 500);
        assert_eq!(Bitrate::from_bits_per_second(u64::MAX).percent(200).0, u64::MAX);
        assert_eq!(Bitrate::from_bits_per_second(100).percent(85).0, 85);
        assert_eq!(Bitrate::from_kilobits_per_second(64).to_string(), "64 kbit/s");
    }
}
