//! How much arrived, or was sent: bytes by that end's clock, over half a second.

use odeum_types::Bitrate;
use std::time::Duration;

/// Length of the buckets, and how many make the window.
const BUCKET_US: i64 = 50_000;
const BUCKETS: usize = 10;

/// How many whole ones say what arrives just now.
const RECENT_BUCKETS: usize = 4;

/// Bytes that arrived or were sent lately.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    /// Bytes in each bucket, as a ring.
    buckets: [u32; BUCKETS],
    /// The number of the newest bucket.
    newest: Option<i64>,
    /// Buckets since the first packet, at most all.
    filled: usize,
}

impl Acknowledged {
    /// A packet arrived.
    pub(crate) fn add(&mut self, arrival_us: i64, size: u16) {
        let bucket = arrival_us.div_euclid(BUCKET_US);
        let newest = *self.newest.get_or_insert(bucket);
        if bucket > newest {
            let steps = (bucket - newest).unsigned_abs();
            for step in 1..=steps.min(BUCKETS as u64) as i64 {
                self.buckets[Self::slot(bucket - step + 1)] = 0;
            }
            self.newest = Some(bucket);
            self.filled = (self.filled + steps.min(BUCKETS as u64) as usize).min(BUCKETS);
        } else if newest - bucket >= BUCKETS as i64 {
            return;
        }
        let bytes = &mut self.buckets[Self::slot(bucket)];
        *bytes = bytes.saturating_add(size.into());
    }

    /// The rate over the window; none before there is enough of it.
    pub(crate) fn rate(&self) -> Option<Bitrate> {
        if self.filled < BUCKETS / 2 {
            return None;
        }
        Some(self.rate_of(BUCKETS))
    }

    /// The rate over the last buckets of it alone; the same.
    pub(crate) fn recent(&self) -> Option<Bitrate> {
        self.rate().map(|_| self.rate_of(RECENT_BUCKETS + 1))
    }

    /// The rate over so many buckets, without the newest one, which is not full yet.
    fn rate_of(&self, buckets: usize) -> Bitrate {
        let newest = self.newest.unwrap_or_default();
        let whole = 1..self.filled.min(buckets) as i64;
        let bytes: u64 =
            whole.clone().map(|back| u64::from(self.buckets[Self::slot(newest - back)])).sum();
        let time = Duration::from_micros(BUCKET_US.unsigned_abs() * whole.count() as u64);
        Bitrate::of(bytes, time)
    }

    fn slot(bucket: i64) -> usize {
        bucket.rem_euclid(BUCKETS as i64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_half_second() {
        let mut acknowledged = Acknowledged::default();
        for n in 0..20 {
            acknowledged.add(n * 10_000, 1_000);
        }
        assert_eq!(acknowledged.rate(), None, "too early");
        for n in 20..200 {
            acknowledged.add(n * 10_000, 1_000);
        }
        assert_eq!(acknowledged.rate(), Some(Bitrate::from_kilobits_per_second(800)));
        (200..220).for_each(|n| acknowledged.add(n * 10_000, 500));
        let [whole, recent] = [acknowledged.rate(), acknowledged.recent()];
        assert_eq!(recent, Some(Bitrate::from_kilobits_per_second(500)), "a fifth of a second");
        assert!(whole > recent);
        // Three seconds of silence, then a packet.
        acknowledged.add(5_000_000, 1_000);
        assert_eq!(acknowledged.rate(), Some(Bitrate::default()));
        acknowledged.add(1_000_000, 1_000);
        assert_eq!(acknowledged.rate(), Some(Bitrate::default()), "too old to count");
    }
}
