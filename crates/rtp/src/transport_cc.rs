//! The receiver's half of transport-wide congestion control: arrival times by transport sequence
//! number, and the feedback that tells the sender of them.

use std::time::{Duration, Instant};

use crate::rtcp::{DELTA_UNIT, PacketStatus, REFERENCE_UNIT, RtcpWriter};
use crate::{BufferTooSmall, SequenceUnwrapper};

/// How many packets are remembered, and the most that one message reports on: 2 s at 8 Mbit/s.
const WINDOW: usize = 2048;
/// The most arrivals in one message, so that it stays below 1,200 bytes.
const ARRIVALS_MAX: usize = 250;
/// Units of deltas in one of the reference time.
const TICKS_PER_REFERENCE: u64 = (REFERENCE_UNIT.as_micros() / DELTA_UNIT.as_micros()) as u64;
/// Marks a packet that has not come.
const NEVER: u64 = u64::MAX;

/// Options of a [`TransportRecorder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportRecorderConfig {
    /// Time from an unreported arrival to its feedback, default 100 ms. Higher saves packets,
    /// lower lets the sender react faster.
    pub interval: Duration,
}

impl Default for TransportRecorderConfig {
    fn default() -> Self {
        Self { interval: Duration::from_millis(100) }
    }
}

/// Arrival times of one transport's packets, for feedback. Memory is fixed: 16 KiB.
#[derive(Debug, Clone)]
pub struct TransportRecorder {
    /// The options.
    config: TransportRecorderConfig,
    /// Where arrival times count from.
    origin: Instant,
    /// Numbers without wraps.
    unwrapper: SequenceUnwrapper,
    /// Arrival by number modulo the window, in units of 250 us from the origin; or [`NEVER`].
    arrivals: Box<[u64]>,
    /// The first number that the next message reports on.
    base: u64,
    /// When feedback is due.
    feedback_at: Option<Instant>,
    /// The next message's count.
    feedback_count: u8,
}

/// Whether one message said everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedbackLeft {
    /// Everything is reported.
    Nothing,
    /// Another message is due at once.
    More,
}

impl TransportRecorder {
    /// A recorder that has seen nothing; `now` becomes the origin of its times.
    pub fn new(now: Instant, config: TransportRecorderConfig) -> Self {
        Self {
            config,
            origin: now,
            unwrapper: SequenceUnwrapper::default(),
            arrivals: vec![NEVER; WINDOW].into_boxed_slice(),
            base: 0,
            feedback_at: None,
            feedback_count: 0,
        }
    }

    /// Records that the packet with this transport sequence number arrived. A duplicate, or one
    /// older than the window, is ignored; one that was reported as lost is reported again, as
    /// arrived.
    pub fn record(&mut self, now: Instant, sequence: u16) {
        let highest = self.unwrapper.highest();
        let sequence = self.unwrapper.unwrap(sequence);
        match highest {
            None => self.base = sequence,
            Some(highest) if sequence > highest => {
                let skipped = (sequence - highest).min(WINDOW as u64);
                (0..skipped).for_each(|back| *self.arrival_mut(sequence - back) = NEVER);
                self.base = self.base.max((sequence + 1).saturating_sub(WINDOW as u64));
            }
            Some(highest) if highest - sequence >= WINDOW as u64 => return,
            Some(_) => {}
        }
        let elapsed = now.saturating_duration_since(self.origin);
        let ticks = (elapsed.as_micros() / DELTA_UNIT.as_micros()) as u64;
        let arrival = self.arrival_mut(sequence);
        if *arrival != NEVER {
            return;
        }
        *arrival = ticks;
        self.base = self.base.min(sequence);
        self.feedback_at.get_or_insert(now + self.config.interval);
    }

    /// When to call [`TransportRecorder::write_feedback`]; None while nothing is unreported.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.feedback_at
    }

    /// Appends one feedback message about what is unreported; nothing when that is nothing.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; then nothing counts as reported. 1,200 bytes always suffice.
    pub fn write_feedback(
        &mut self,
        writer: &mut RtcpWriter<'_>,
        sender_ssrc: u32,
        media_ssrc: u32,
    ) -> Result<FeedbackLeft, BufferTooSmall> {
        let (Some(highest), Some(_)) = (self.unwrapper.highest(), self.feedback_at) else {
            return Ok(FeedbackLeft::Nothing);
        };
        let range = self.base..=highest;
        let arrival = |sequence: u64| self.arrivals[sequence as usize % WINDOW];
        let first = range.clone().map(arrival).find(|arrival| *arrival != NEVER);
        let reference = first.expect("feedback is only due after an arrival in the range")
            / TICKS_PER_REFERENCE;
        let mut statuses = [PacketStatus::Lost; WINDOW];
        let (mut count, mut arrivals, mut clock) = (0, 0, reference * TICKS_PER_REFERENCE);
        for (status, arrival) in statuses.iter_mut().zip(range.map(arrival)) {
            if arrival != NEVER {
                let Some(delta_250us) = delta(clock, arrival) else { break };
                if arrivals == ARRIVALS_MAX {
                    break;
                }
                *status = PacketStatus::Received { delta_250us };
                (arrivals, clock) = (arrivals + 1, arrival);
            }
            count += 1;
        }
        writer.transport_feedback(
            (sender_ssrc, media_ssrc),
            self.base as u16,
            reference as i32,
            self.feedback_count,
            &statuses[..count],
        )?;
        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.base += count as u64;
        if self.base > highest {
            self.feedback_at = None;
            return Ok(FeedbackLeft::Nothing);
        }
        Ok(FeedbackLeft::More)
    }

    fn arrival_mut(&mut self, sequence: u64) -> &mut u64 {
        &mut self.arrivals[sequence as usize % WINDOW]
    }
}

/// The signed distance in ticks, when a message can say it.
fn delta(from: u64, to: u64) -> Option<i16> {
    i16::try_from(to as i64 - from as i64).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nack::tests::start;
    use crate::rtcp::{self, RtcpPacket};

    /// One message: its count, and of each packet number and arrival in ticks from the origin.
    fn feedback(recorder: &mut TransportRecorder) -> (u8, Vec<(u16, Option<i64>)>, FeedbackLeft) {
        let mut buffer = [0; 1200];
        let mut writer = RtcpWriter::new(&mut buffer);
        let left = recorder.write_feedback(&mut writer, 1, 2).unwrap();
        let size = writer.size();
        let packet = rtcp::packets(&buffer[..size]).next().unwrap().unwrap();
        let RtcpPacket::TransportFeedback(feedback) = packet else { panic!("{packet:?}") };
        let mut clock = i64::from(feedback.reference_time_64ms) * 256;
        let statuses = feedback.statuses().map(|(sequence, status)| match status {
            PacketStatus::Lost => (sequence, None),
            PacketStatus::Received { delta_250us } => {
                clock += i64::from(delta_250us);
                (sequence, Some(clock))
            }
        });
        (feedback.feedback_count, statuses.collect(), left)
    }

    #[test]
    fn arrivals_and_losses_are_told_across_the_wrap() {
        let origin = start();
        let mut recorder = TransportRecorder::new(origin, TransportRecorderConfig::default());
        assert_eq!(recorder.poll_timeout(), None);
        let at = |ms| origin + Duration::from_millis(ms);
        recorder.record(at(1000), 65_534);
        recorder.record(at(1010), 0);
        recorder.record(at(1005), 1);
        assert_eq!(recorder.poll_timeout(), Some(at(1100)));
        let (count, statuses, left) = feedback(&mut recorder);
        assert_eq!((count, left), (0, FeedbackLeft::Nothing));
        let expected = [(65_534, Some(4000)), (65_535, None), (0, Some(4040)), (1, Some(4020))];
        assert_eq!(statuses, expected);
        assert_eq!(recorder.poll_timeout(), None);
        recorder.record(at(1200), 2);
        let (count, statuses, _) = feedback(&mut recorder);
        assert_eq!((count, statuses), (1, vec![(2, Some(4800))]));
    }

    #[test]
    fn a_packet_reported_as_lost_is_reported_again_when_it_comes() {
        let origin = start();
        let mut recorder = TransportRecorder::new(origin, TransportRecorderConfig::default());
        recorder.record(origin, 1);
        recorder.record(origin, 3);
        assert_eq!(feedback(&mut recorder).1[1], (2, None));
        recorder.record(origin + Duration::from_millis(1), 2);
        assert_eq!(feedback(&mut recorder).1, [(2, Some(4)), (3, Some(0))]);
        recorder.record(origin + Duration::from_millis(9), 2);
        assert_eq!(recorder.poll_timeout(), None, "a duplicate says nothing");
    }

    #[test]
    fn a_pause_too_long_for_a_delta_begins_another_message() {
        let origin = start();
        let mut recorder = TransportRecorder::new(origin, TransportRecorderConfig::default());
        recorder.record(origin, 1);
        recorder.record(origin + Duration::from_secs(9), 2);
        let (_, statuses, left) = feedback(&mut recorder);
        assert_eq!((statuses, left), (vec![(1, Some(0))], FeedbackLeft::More));
        let (_, statuses, left) = feedback(&mut recorder);
        assert_eq!((statuses, left), (vec![(2, Some(36_000))], FeedbackLeft::Nothing));
    }

    #[test]
    fn a_jump_beyond_the_window_forgets_what_was_before() {
        let origin = start();
        let mut recorder = TransportRecorder::new(origin, TransportRecorderConfig::default());
        recorder.record(origin, 1);
        recorder.record(origin, 10_000);
        let (_, statuses, left) = feedback(&mut recorder);
        assert_eq!((statuses.len(), left), (WINDOW, FeedbackLeft::Nothing));
        assert_eq!(statuses.iter().filter(|(_, arrival)| arrival.is_some()).count(), 1);
        assert_eq!(statuses.last(), Some(&(10_000, Some(0))));
    }

    #[test]
    fn many_arrivals_with_large_deltas_are_split_into_small_messages() {
        let origin = start();
        let mut recorder = TransportRecorder::new(origin, TransportRecorderConfig::default());
        for index in 0..700u16 {
            let at = origin + Duration::from_millis(100 * u64::from(index));
            recorder.record(at, index * 2);
        }
        let mut arrivals = Vec::new();
        loop {
            // `feedback` gives each message 1,200 bytes.
            let (_, statuses, left) = feedback(&mut recorder);
            arrivals.push(statuses.iter().filter(|(_, arrival)| arrival.is_some()).count());
            if left == FeedbackLeft::Nothing {
                break;
            }
        }
        assert_eq!(arrivals, [250, 250, 200]);
    }

    proptest! {
        #[test]
        fn every_arrival_is_told_once_and_messages_stay_small(
            steps in proptest::collection::vec((-3i32..40, 0u64..20_000), 1..600),
        ) {
            let origin = start();
            let mut recorder = TransportRecorder::new(origin, TransportRecorderConfig::default());
            let (mut now, mut sequence) = (origin, 1000u16);
            let mut sent = std::collections::BTreeSet::new();
            let mut told = std::collections::BTreeSet::new();
            for (step, wait) in steps {
                now += Duration::from_micros(wait);
                sequence = sequence.wrapping_add_signed(step as i16);
                sent.insert(sequence);
                recorder.record(now, sequence);
                if recorder.poll_timeout().is_some_and(|at| at <= now) {
                    while feedback_into(&mut recorder, &mut told) == FeedbackLeft::More {}
                }
            }
            while recorder.poll_timeout().is_some() {
                feedback_into(&mut recorder, &mut told);
            }
            prop_assert_eq!(told, sent);
        }
    }

    fn feedback_into(
        recorder: &mut TransportRecorder,
        told: &mut std::collections::BTreeSet<u16>,
    ) -> FeedbackLeft {
        let (_, statuses, left) = feedback(recorder);
        told.extend(statuses.iter().filter(|status| status.1.is_some()).map(|status| status.0));
        left
    }
}
