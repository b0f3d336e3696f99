//! Packets that leave together are judged together: by the first of each burst, for it meets the
//! queue that the bursts before have left, while those behind it wait for the first.

/// Packets that leave within this many microseconds of a burst's first are of the same burst.
const BURST_US: u64 = 5_000;

/// How two bursts' first packets differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Delta {
    /// By how much the later one was slower, in milliseconds: the queue has grown by that.
    pub(crate) delay_ms: f64,
    /// When the later one arrived, in milliseconds of the receiver's clock.
    pub(crate) arrival_ms: f64,
    /// How far apart they were sent, in milliseconds.
    pub(crate) send_ms: f64,
}

/// The first packet of the last burst.
#[derive(Debug, Default)]
pub(crate) struct Bursts {
    /// When it was sent and when it arrived, in microseconds of either end's clock.
    first: Option<(u64, i64)>,
}

impl Bursts {
    /// Takes a packet; gives what it says if it begins a burst.
    pub(crate) fn add(&mut self, sent_us: u64, arrival_us: i64) -> Option<Delta> {
        let Some((before_us, before_arrival_us)) = self.first else {
            self.first = Some((sent_us, arrival_us));
            return None;
        };
        // Of this burst, or of one before it that was overtaken.
        let apart_us = sent_us.checked_sub(before_us).filter(|apart| *apart > BURST_US)?;
        self.first = Some((sent_us, arrival_us));
        let send_ms = apart_us as f64 / 1_000.0;
        Some(Delta {
            delay_ms: (arrival_us - before_arrival_us) as f64 / 1_000.0 - send_ms,
            arrival_ms: arrival_us as f64 / 1_000.0,
            send_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_of_a_burst_stands_for_it() {
        let mut bursts = Bursts::default();
        assert_eq!(bursts.add(0, 1_000), None);
        assert_eq!(bursts.add(100, 9_000), None, "it waited for the first");
        let delta = bursts.add(40_000, 43_000).unwrap();
        assert_eq!((delta.delay_ms, delta.arrival_ms, delta.send_ms), (2.0, 43.0, 40.0));
        assert_eq!(bursts.add(3_000, 50_000), None, "late, of another burst");
        assert_eq!(bursts.add(80_000, 83_000).unwrap().delay_ms, 0.0);
    }
}
