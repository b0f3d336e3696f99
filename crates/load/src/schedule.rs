//! When a track's packets leave.

use std::time::{Duration, Instant};

use crate::args::Sending;

/// From one frame to the next: 25 a second.
pub(crate) const FRAME_INTERVAL: Duration = Duration::from_millis(40);
/// From one packet of sound to the next: 50 a second.
pub(crate) const SOUND_INTERVAL: Duration = Duration::from_millis(20);
/// From one packet of a frame to the next of one that is paced.
const PACE: Duration = Duration::from_micros(400);

/// When a track's packets leave: so many of each burst, burst after burst.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// From one burst to the next.
    interval: Duration,
    /// Packets of a burst.
    packets: u32,
    /// From one packet of a burst to the next.
    pace: Duration,
    /// When the current burst began, or the next one begins.
    burst_at: Instant,
    /// Packets of the current burst that have left.
    left: u32,
}

impl Schedule {
    /// Of a video track with `packets` in each frame.
    pub(crate) fn video(packets: u32, sending: Sending, begin: Instant) -> Self {
        let pace = match sending {
            Sending::Together | Sending::Singly => Duration::ZERO,
            Sending::Paced => PACE.min(FRAME_INTERVAL / (packets + 1)),
        };
        Self { interval: FRAME_INTERVAL, packets, pace, burst_at: begin, left: 0 }
    }

    /// Of a track of sound.
    pub(crate) fn sound(begin: Instant) -> Self {
        let pace = Duration::ZERO;
        Self { interval: SOUND_INTERVAL, packets: 1, pace, burst_at: begin, left: 0 }
    }

    /// Begins anew with a whole burst at `begin`, after a pause.
    pub(crate) fn begin_at(&mut self, begin: Instant) {
        (self.burst_at, self.left) = (begin, 0);
    }

    /// When the next packet leaves.
    pub(crate) fn next_at(&self) -> Instant {
        self.burst_at + self.pace * self.left
    }

    /// How many packets leave now.
    pub(crate) fn take_due(&mut self, now: Instant) -> u32 {
        let mut due = 0;
        while self.next_at() <= now {
            due += 1;
            self.left += 1;
            if self.left == self.packets {
                self.burst_at += self.interval;
                self.left = 0;
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_or_packet_by_packet() {
        let begin = Instant::now();
        let mut together = Schedule::video(10, Sending::Together, begin);
        assert_eq!(together.take_due(begin), 10);
        assert_eq!(together.take_due(begin + FRAME_INTERVAL / 2), 0);
        assert_eq!(together.next_at(), begin + FRAME_INTERVAL);
        let mut paced = Schedule::video(10, Sending::Paced, begin);
        assert_eq!(paced.take_due(begin), 1);
        assert_eq!(paced.take_due(begin + PACE * 4), 4);
        assert_eq!(paced.take_due(begin + PACE * 9), 5);
        assert_eq!(paced.next_at(), begin + FRAME_INTERVAL);
    }

    #[test]
    fn a_second_has_25_frames_and_50_packets_of_sound() {
        let begin = Instant::now();
        let end = begin + Duration::from_millis(999);
        assert_eq!(Schedule::video(10, Sending::Paced, begin).take_due(end), 250);
        assert_eq!(Schedule::sound(begin).take_due(end), 50);
    }
}
