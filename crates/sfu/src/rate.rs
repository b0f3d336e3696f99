//! How much a layer sends: measured over half seconds, and remembered while it rests.

use std::time::{Duration, Instant};

use odeum_types::Bitrate;

/// Time over which a rate is measured. Shorter follows single key frames, longer the choice of
/// layers is late.
const WINDOW: Duration = Duration::from_millis(500);

/// Without a packet for so long a layer is taken to have stopped: three frames at 5 per second.
pub(crate) const STOPPED_AFTER: Duration = Duration::from_millis(700);

/// Counts one layer's bytes.
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    /// When the running window began; none before the first packet.
    began: Option<Instant>,
    /// Bytes in it.
    bytes: u64,
    /// When the last packet came.
    last: Option<Instant>,
    /// The rate of the windows before, the newer ones weighing more.
    rate: Option<Bitrate>,
}

impl RateMeter {
    /// A packet of `size` bytes came.
    pub(crate) fn add(&mut self, now: Instant, size: usize) {
        let began = *self.began.get_or_insert(now);
        let elapsed = now.saturating_duration_since(began);
        if elapsed >= WINDOW {
            self.close_window(now, elapsed);
        }
        self.last = Some(now);
        self.bytes += size as u64;
    }

    /// The rate, in what running and past windows say; none before the first packet.
    pub(crate) fn rate(&self, now: Instant) -> Option<Bitrate> {
        let elapsed = now.saturating_duration_since(self.began?).max(WINDOW / 4);
        // Before the first window has ended, what it has so far says more than nothing.
        Some(self.rate.unwrap_or_else(|| Bitrate::of(self.bytes, elapsed)))
    }

    /// Whether packets still come.
    pub(crate) fn is_running(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < STOPPED_AFTER)
    }

    fn close_window(&mut self, now: Instant, elapsed: Duration) {
        // A pause says nothing of the rate that the layer will have again.
        if elapsed < WINDOW + STOPPED_AFTER {
            let measured = Bitrate::of(self.bytes, elapsed);
            self.rate = Some(self.rate.map_or(measured, |before| before.mean(measured)));
        }
        (self.began, self.bytes) = (Some(now), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_measured_and_remembered_over_a_pause() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
        let start = Instant::now();
        let mut meter = RateMeter::default();
        assert_eq!(meter.rate(start), None);
        assert!(!meter.is_running(start));
        let at = |millis| start + Duration::from_millis(millis);
        // 1,000 bytes every 10 ms are 800 kbit/s.
        (0..300).for_each(|n| meter.add(at(n * 10), 1_000));
        let rate = meter.rate(at(3_000)).unwrap().bits_per_second();
        assert!((780_000..820_000).contains(&rate), "{rate}");
        assert!(meter.is_running(at(3_600)) && !meter.is_running(at(3_700)));
        // It rests for a minute, and sends a little more than before.
        (0..300).for_each(|n| meter.add(at(60_000 + n * 10), 1_000));
        let rate = meter.rate(at(60_010)).unwrap().bits_per_second();
        assert!((780_000..820_000).contains(&rate), "{rate}");
    }
}
