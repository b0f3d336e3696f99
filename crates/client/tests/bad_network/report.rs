//! One line of results: what a viewer saw of a publisher over some time.

use std::fmt;
use std::time::Duration;

use crate::link::Faults;
use crate::world::World;

/// Sounds of the source in a second.
const SOUNDS_PER_SECOND: f64 = 50.0;

/// What one viewer got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    /// Decodable frames per second; the source has 30.
    pub(crate) frames_per_second: f64,
    /// The longest time without a new picture.
    pub(crate) longest_freeze: Duration,
    /// Sound that did not come in time, of all that was sent.
    pub(crate) sound_lost_percent: f64,
    /// Bytes of retransmissions and probes by those of media.
    pub(crate) retransmitted_percent: f64,
    /// Key frames that the viewer asked for.
    pub(crate) key_frames_asked: u64,
    /// What its network and the publisher's did.
    pub(crate) faults: Faults,
}

impl Report {
    /// Of the viewer at `at` after `duration` of measuring.
    pub(crate) fn of(world: &World, at: usize, duration: Duration) -> Self {
        let seat = &world.seats[at];
        let seen = seat.playout.seen_until(world.now);
        assert_eq!(seen.broken, 0, "bytes arrived that were not sent");
        let seconds = duration.as_secs_f64();
        let sounds = seconds * SOUNDS_PER_SECOND;
        let publisher = &world.seats[0];
        let links = [&publisher.up, &publisher.down, &seat.up, &seat.down];
        let mut faults = Faults::default();
        for one in links.map(|link| link.faults) {
            faults.carried += one.carried;
            faults.lost += one.lost;
            faults.overflowed += one.overflowed;
            faults.duplicated += one.duplicated;
            faults.reordered += one.reordered;
        }
        Self {
            frames_per_second: seen.frames as f64 / seconds,
            longest_freeze: seen.longest_freeze,
            sound_lost_percent: (100.0 * (1.0 - seen.sounds as f64 / sounds)).max(0.0),
            retransmitted_percent: 100.0 * seat.sent.retransmissions as f64
                / seat.sent.media.max(1) as f64,
            key_frames_asked: seen.key_frames_asked,
            faults,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} | {} | {:.1} | {:.1} | {} | {} of {} |",
            self.frames_per_second,
            self.longest_freeze.as_millis(),
            self.sound_lost_percent,
            self.retransmitted_percent,
            self.key_frames_asked,
            self.faults.lost + self.faults.overflowed,
            self.faults.carried,
        )
    }
}
