//! Whether the queue on the way grows: the slope of the delay over the last bursts, held against a
//! threshold that follows what is usual on this way (draft-ietf-rmcat-gcc-02 §5.3 and §5.4, with
//! the linear regression that took the place of the Kalman filter).

use crate::groups::Delta;

/// Bursts that the slope is taken over.
const WINDOW: usize = 20;

/// Weight of what was before in the smoothed delay.
const SMOOTHING: f64 = 0.9;

/// The slope is multiplied by this and by the number of bursts, at most [`COUNT_MAX`], before it is
/// compared: few bursts prove less.
const GAIN: f64 = 4.0;
const COUNT_MAX: u32 = 60;

/// Bounds of the threshold, and where it begins, in milliseconds.
const THRESHOLD_MS: std::ops::RangeInclusive<f64> = 6.0..=600.0;
const THRESHOLD_START_MS: f64 = 12.5;

/// How fast the threshold follows, per millisecond: slowly up, so that a rival that fills the queue
/// does not take everything, and more slowly down.
const FOLLOW_UP: f64 = 0.0087;
const FOLLOW_DOWN: f64 = 0.039;

/// A peak so far beyond the threshold does not move it.
const PEAK_MS: f64 = 15.0;

/// The queue has to grow for so long before it counts.
const OVERUSE_MS: f64 = 10.0;

/// What the delays say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Usage {
    /// As much arrives as is sent.
    #[default]
    Normal,
    /// The queue grows.
    Over,
    /// The queue shrinks.
    Under,
}

/// Watches the delays.
#[derive(Debug)]
pub(crate) struct Trendline {
    /// Arrival and smoothed delay of the last bursts, in milliseconds, as a ring.
    points: [(f64, f64); WINDOW],
    /// Bursts so far.
    count: u32,
    /// The first arrival: what the others are counted from.
    origin_ms: Option<f64>,
    /// Sum of all delay variations.
    accumulated_ms: f64,
    /// The same, smoothed.
    smoothed_ms: f64,
    /// What the slope is held against.
    threshold_ms: f64,
    /// For how long it has been above.
    over_ms: f64,
    /// The last value compared.
    last_ms: f64,
    /// When the threshold last followed.
    followed_ms: Option<f64>,
    /// What it says.
    usage: Usage,
}

impl Trendline {
    pub(crate) fn new() -> Self {
        Self {
            points: [(0.0, 0.0); WINDOW],
            count: 0,
            origin_ms: None,
            accumulated_ms: 0.0,
            smoothed_ms: 0.0,
            threshold_ms: THRESHOLD_START_MS,
            over_ms: 0.0,
            last_ms: 0.0,
            followed_ms: None,
            usage: Usage::Normal,
        }
    }

    /// Forgets the bursts, but not what is usual on this way.
    pub(crate) fn begin_anew(&mut self) {
        *self = Self { threshold_ms: self.threshold_ms, ..Self::new() };
    }

    /// Takes what a burst says.
    pub(crate) fn add(&mut self, delta: &Delta) {
        let origin_ms = *self.origin_ms.get_or_insert(delta.arrival_ms);
        let at_ms = delta.arrival_ms - origin_ms;
        self.accumulated_ms += delta.delay_ms;
        self.smoothed_ms = SMOOTHING * self.smoothed_ms + (1.0 - SMOOTHING) * self.accumulated_ms;
        self.points[self.count as usize % WINDOW] = (at_ms, self.smoothed_ms);
        self.count = self.count.saturating_add(1);
        if (self.count as usize) < WINDOW {
            return;
        }
        let compared_ms = f64::from(self.count.min(COUNT_MAX)) * self.slope() * GAIN;
        self.compare(compared_ms, delta.send_ms);
        self.follow(compared_ms, at_ms);
        self.last_ms = compared_ms;
    }

    /// Whether the queue grows.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Least squares over the window.
    fn slope(&self) -> f64 {
        let count = WINDOW as f64;
        let sum = |of: fn(&(f64, f64)) -> f64| self.points.iter().map(of).sum::<f64>() / count;
        let (mean_x, mean_y) = (sum(|point| point.0), sum(|point| point.1));
        let (mut numerator, mut denominator) = (0.0, 0.0);
        for (x, y) in &self.points {
            numerator += (x - mean_x) * (y - mean_y);
            denominator += (x - mean_x) * (x - mean_x);
        }
        // All arrived at once: nothing can be said.
        if denominator < f64::EPSILON { 0.0 } else { numerator / denominator }
    }

    fn compare(&mut self, compared_ms: f64, send_ms: f64) {
        if compared_ms > self.threshold_ms {
            self.over_ms += send_ms;
            if self.over_ms > OVERUSE_MS && compared_ms >= self.last_ms {
                self.over_ms = 0.0;
                self.usage = Usage::Over;
            }
            return;
        }
        self.over_ms = 0.0;
        self.usage = if compared_ms < -self.threshold_ms { Usage::Under } else { Usage::Normal };
    }

    fn follow(&mut self, compared_ms: f64, at_ms: f64) {
        let followed_ms = self.followed_ms.replace(at_ms).unwrap_or(at_ms);
        let distance = compared_ms.abs() - self.threshold_ms;
        if distance > PEAK_MS {
            return;
        }
        let rate = if distance < 0.0 { FOLLOW_DOWN } else { FOLLOW_UP };
        let elapsed_ms = (at_ms - followed_ms).clamp(0.0, 100.0);
        let threshold_ms = self.threshold_ms + rate * distance * elapsed_ms;
        self.threshold_ms = threshold_ms.clamp(*THRESHOLD_MS.start(), *THRESHOLD_MS.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bursts every 40 ms, each delayed by so much more than the one before.
    fn usage_after(delays_ms: impl Iterator<Item = f64>) -> Usage {
        let mut trendline = Trendline::new();
        let mut arrival_ms = 0.0;
        for delay_ms in delays_ms {
            arrival_ms += 40.0 + delay_ms;
            trendline.add(&Delta { delay_ms, arrival_ms, send_ms: 40.0 });
        }
        trendline.usage()
    }

    #[test]
    fn a_queue_that_grows_is_seen_and_one_that_only_swings_is_not() {
        assert_eq!(usage_after((0..60).map(|_| 0.0)), Usage::Normal);
        assert_eq!(usage_after((0..60).map(|n| if n < 40 { 0.0 } else { 8.0 })), Usage::Over);
        assert_eq!(usage_after((0..60).map(|n| if n < 40 { 0.0 } else { -8.0 })), Usage::Under);
        let jitter = (0..200).map(|n| if n % 2 == 0 { 5.0 } else { -5.0 });
        assert_eq!(usage_after(jitter), Usage::Normal);
    }

    #[test]
    fn too_few_bursts_say_nothing() {
        assert_eq!(usage_after((0..19).map(|_| 30.0)), Usage::Normal);
    }
}
