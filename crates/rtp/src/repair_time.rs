//! How long a retransmission takes to come, learnt from those that came (the smoothing is that of
//! RFC 6298 §2, with Karn's rule), so that a packet is asked for again when the answer should have
//! been there, and not while it is on its way (RFC 4585 §3.6 leaves the time to the receiver).

use std::time::Duration;

/// Assumed before anything was repaired, doubled with each attempt until something was. Later it is
/// what the time is doubled up to from the third attempt on: on a short way a mere moment of outage
/// would take all attempts along.
const UNKNOWN: Duration = Duration::from_millis(100);

/// Added at the least: servers and clients look at their timers so often.
const MARGIN: Duration = Duration::from_millis(10);

/// Bounds of the time: less asks for what is on its way, more is of no use to who plays.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(800);

/// What is known of a time: smoothed, and its variation.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Smoothed.
    time: Duration,
    /// How far single ones are from it.
    variation: Duration,
}

/// The time from a request to its answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct RepairTime {
    /// None before the first answer.
    known: Option<Known>,
}

impl RepairTime {
    /// When to ask again after so many attempts.
    pub fn wait(&self, attempts: u8) -> Duration {
        let wait = match self.known {
            Some(Known { time, variation }) => {
                let once = (time + (4 * variation).max(MARGIN)).max(SHORTEST);
                let more = once * (1 << attempts.saturating_sub(2).min(3));
                more.min(UNKNOWN.max(once))
            }
            None => UNKNOWN * (1 << attempts.saturating_sub(1).min(3)),
        };
        wait.clamp(SHORTEST, LONGEST)
    }

    /// A packet has come `age` after the last of so many attempts to get it.
    pub fn learn(&mut self, age: Duration, attempts: u8) {
        let time = match (attempts, self.known) {
            (0, _) => return,
            (1, _) => age,
            // Too early to be the answer to the last request: it is to the one before.
            (_, Some(known)) if age < known.time / 2 => age + self.wait(attempts - 1),
            // Rather too long than too short: the next one tells.
            (_, None) => age + self.wait(attempts - 1),
            // To which request it is the answer cannot be told.
            _ => return,
        };
        let time = time.min(LONGEST);
        self.known = Some(match self.known {
            None => Known { time, variation: time / 4 },
            Some(known) => Known {
                time: (known.time * 7 + time) / 8,
                variation: (known.variation * 3 + known.time.abs_diff(time)) / 4,
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// What each way of so long costs: how often a packet is asked for at the first loss and after
    /// forty, when nothing more is lost.
    fn asked(round_trip: Duration) -> (u32, u32) {
        let mut repair = RepairTime::default();
        let mut counts = (0..40).map(|_| {
            let (mut at, mut attempts) = (Duration::ZERO, 1);
            while at + repair.wait(attempts) <= round_trip {
                at += repair.wait(attempts);
                attempts += 1;
            }
            repair.learn(round_trip - at, attempts);
            u32::from(attempts)
        });
        (counts.next().unwrap(), counts.last().unwrap())
    }

    #[test]
    fn a_packet_is_not_asked_for_while_it_is_on_its_way() {
        for (round_trip, first) in [(5, 1), (40, 1), (95, 1), (150, 2), (290, 2), (600, 3)] {
            assert_eq!(asked(ms(round_trip)), (first, 1), "{round_trip} ms");
        }
    }

    #[test]
    fn a_packet_whose_answer_is_lost_is_soon_asked_for_again() {
        for (round_trip, longest) in [(5, 20), (40, 50), (150, 170), (600, 640)] {
            let mut repair = RepairTime::default();
            (0..40).for_each(|_| repair.learn(ms(round_trip), 1));
            let wait = repair.wait(1);
            assert!((ms(round_trip)..=ms(longest)).contains(&wait), "{round_trip}: {wait:?}");
        }
    }

    #[test]
    fn on_short_ways_eight_attempts_last_for_half_a_second_and_on_long_ones_none_waits_longer() {
        for (round_trip, all_ms) in [(5, 560), (10, 560), (40, 700), (150, 1_280), (600, 4_880)] {
            let mut repair = RepairTime::default();
            (0..80).for_each(|_| repair.learn(ms(round_trip), 1));
            let all: Duration = (1..=8).map(|attempts| repair.wait(attempts)).sum();
            assert_eq!(all.as_millis(), all_ms, "{round_trip} ms");
            assert_eq!(repair.wait(1), repair.wait(2), "{round_trip} ms");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_teaches_nothing_and_a_way_that_becomes_longer_is_noticed() {
        let mut repair = RepairTime::default();
        (0..40).for_each(|_| repair.learn(ms(40), 1));
        let before = repair.wait(1);
        repair.learn(ms(39), 2);
        repair.learn(ms(9), 0);
        assert_eq!(repair.wait(1), before);
        // The answer to the first request comes just behind the second one.
        repair.learn(ms(1), 2);
        assert!(repair.wait(1) > before);
    }

    #[test]
    fn the_wait_has_bounds_whatever_is_learnt() {
        let mut repair = RepairTime::default();
        assert_eq!(repair.wait(0), ms(100));
        assert_eq!(repair.wait(255), LONGEST);
        repair.learn(Duration::MAX, 1);
        assert_eq!(repair.wait(1), LONGEST);
        (0..60).for_each(|_| repair.learn(Duration::ZERO, 1));
        assert_eq!(repair.wait(1), SHORTEST);
    }
}
