//! Delays, and what is said of them.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The largest delay that is told apart, one minute in microseconds; larger ones count as this.
const LARGEST_US: u64 = 60_000_000;

/// Delays in microseconds, to three digits.
#[derive(Debug)]
pub struct Percentiles(Histogram<u64>);

impl Default for Percentiles {
    /// None yet.
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LARGEST_US, 3).expect("a range and three digits"))
    }
}

impl Percentiles {
    /// Notes one delay.
    pub fn record(&mut self, delay: Duration) {
        self.0.saturating_record(delay.as_micros() as u64);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The delay in milliseconds that `percent` of all do not exceed.
    pub fn milliseconds(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1_000.0
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// p50, p99 and the largest, in milliseconds.
    pub fn to_json(&self) -> Value {
        json!({
            "count": self.count(),
            "p50_ms": self.milliseconds(50.0),
            "p95_ms": self.milliseconds(95.0),
            "p99_ms": self.milliseconds(99.0),
            "max_ms": self.milliseconds(100.0),
        })
    }
}

/// The middle one; the mean of the two middle ones of an even number. 0 of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_middle_two() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }
}
