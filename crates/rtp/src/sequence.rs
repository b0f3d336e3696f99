//! A receiving end's arithmetic: sequence numbers without wraps, and the statistics of RFC 3550
//! (A.1, A.3 and A.8) for report blocks.

use std::time::{Duration, Instant};

use crate::rtcp::{ReportBlock, SenderInfo};

/// Turns 16-bit sequence numbers into 64-bit ones that do not wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SequenceUnwrapper {
    /// The highest number so far.
    highest: Option<u64>,
}

impl SequenceUnwrapper {
    /// The number nearest to the highest so far. The first is put into the second cycle (65,536 and
    /// up), so that packets from before it stay positive.
    pub fn unwrap(&mut self, sequence: u16) -> u64 {
        let unwrapped = self.peek(sequence);
        self.highest = Some(self.highest.map_or(unwrapped, |highest| highest.max(unwrapped)));
        unwrapped
    }

    /// As [`SequenceUnwrapper::unwrap`], without remembering it: for a packet that is not
    /// authenticated yet.
    pub fn peek(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else { return 0x1_0000 + u64::from(sequence) };
        let distance = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        // A first packet followed only by older ones cannot go below the first cycle by more than
        // half a cycle, which is still above zero.
        highest.saturating_add_signed(distance)
    }

    /// The highest number so far.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

/// Loss and jitter of one received source. There is no probation (A.1): packets are authenticated
/// before they come here, and SRTP does not let a source restart its numbers.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverStatistics {
    /// Ticks of the media clock per second.
    clock_rate: u32,
    /// Number without wraps.
    unwrapper: SequenceUnwrapper,
    /// The first number.
    base: u64,
    /// Packets received, duplicates included.
    received: u64,
    /// Expected and received at the report before.
    prior: (u64, u64),
    /// When the first packet came: the origin of arrival times.
    origin: Option<Instant>,
    /// Arrival time minus timestamp of the last packet, in ticks.
    transit: Option<u32>,
    /// Jitter in ticks, times 16.
    jitter_x16: u32,
    /// Middle bits of the last sender report's NTP time, and when it arrived.
    last_sender_report: Option<(u32, Instant)>,
}

impl ReceiverStatistics {
    /// Statistics of a source whose media clock has `clock_rate` ticks per second.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            unwrapper: SequenceUnwrapper::default(),
            base: 0,
            received: 0,
            prior: (0, 0),
            origin: None,
            transit: None,
            jitter_x16: 0,
            last_sender_report: None,
        }
    }

    /// Counts one packet and gives its number without wraps.
    pub fn receive(&mut self, now: Instant, sequence: u16, timestamp: u32) -> u64 {
        let unwrapped = self.unwrapper.unwrap(sequence);
        let origin = *self.origin.get_or_insert(now);
        self.base = if self.received == 0 { unwrapped } else { self.base.min(unwrapped) };
        self.received += 1;
        let transit = self.ticks(now.saturating_duration_since(origin)).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            // RFC 3550 A.8, with a bound: a jump of the clock is not jitter of hours.
            let distance = (transit.wrapping_sub(before) as i32).unsigned_abs();
            let distance = distance.min(self.clock_rate);
            self.jitter_x16 += distance;
            self.jitter_x16 -= (self.jitter_x16 - distance + 8) >> 4;
        }
        unwrapped
    }

    /// Remembers a sender report, for the round trip that the sender computes from the answer.
    pub fn receive_sender_report(&mut self, now: Instant, info: &SenderInfo) {
        self.last_sender_report = Some(((info.ntp >> 16) as u32, now));
    }

    /// The report block about `ssrc`; the fraction lost is that since the call before. None before
    /// the first packet.
    pub fn report(&mut self, now: Instant, ssrc: u32) -> Option<ReportBlock> {
        let highest = self.unwrapper.highest()?;
        let expected = self.expected();
        let (expected_before, received_before) = self.prior;
        self.prior = (expected, self.received);
        let expected_interval = expected - expected_before;
        let lost_interval =
            expected_interval.saturating_sub(self.received.saturating_sub(received_before));
        // RFC 3550 A.3: duplicates can make the loss negative, which counts as none.
        let fraction_lost = match expected_interval {
            0 => 0,
            interval => (lost_interval * 256 / interval).min(255) as u8,
        };
        let (last_sender_report, delay) = match self.last_sender_report {
            Some((middle, at)) => (middle, now.saturating_duration_since(at)),
            None => (0, Duration::ZERO),
        };
        let delay_65536ths = (delay.as_micros() << 16) / 1_000_000;
        Some(ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: self.lost(),
            // The cycle count begins at zero on the wire.
            extended_highest_sequence: (highest - (self.base & !0xFFFF)) as u32,
            jitter: self.jitter(),
            last_sender_report,
            delay_since_last_sender_report: u32::try_from(delay_65536ths).unwrap_or(u32::MAX),
        })
    }

    /// Packets lost since the begin; negative when duplicates outnumber them.
    pub fn lost(&self) -> i32 {
        let lost = self.expected() as i64 - self.received as i64;
        lost.clamp(-0x80_0000, 0x7F_FFFF) as i32
    }

    /// Packets received, duplicates included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Interarrival jitter in ticks of the media clock.
    pub fn jitter(&self) -> u32 {
        self.jitter_x16 >> 4
    }

    fn expected(&self) -> u64 {
        self.unwrapper.highest().map_or(0, |highest| highest - self.base + 1)
    }

    fn ticks(&self, elapsed: Duration) -> u32 {
        let rate = u64::from(self.clock_rate);
        let fraction = u64::from(elapsed.subsec_nanos()) * rate / 1_000_000_000;
        elapsed.as_secs().wrapping_mul(rate).wrapping_add(fraction) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nack::tests::start;

    #[test]
    fn numbers_wrap_forwards_and_backwards() {
        let mut unwrapper = SequenceUnwrapper::default();
        assert_eq!(unwrapper.unwrap(65_535), 0x1_FFFF);
        assert_eq!(unwrapper.peek(1), 0x2_0001);
        assert_eq!(unwrapper.unwrap(0), 0x2_0000);
        assert_eq!(unwrapper.unwrap(65_534), 0x1_FFFE);
        assert_eq!(unwrapper.highest(), Some(0x2_0000));
        assert_eq!(unwrapper.unwrap(32_767), 0x2_7FFF);
    }

    #[test]
    fn packets_before_the_first_stay_positive() {
        let mut unwrapper = SequenceUnwrapper::default();
        assert_eq!(unwrapper.unwrap(0), 0x1_0000);
        assert_eq!(unwrapper.unwrap(32_768), 0x8000);
    }

    #[test]
    fn loss_is_reported_since_the_report_before_and_since_the_begin() {
        let now = start();
        let mut statistics = ReceiverStatistics::new(90_000);
        assert_eq!(statistics.report(now, 1), None);
        for sequence in [65_534, 65_535, 0, 1] {
            statistics.receive(now, sequence, 0);
        }
        let report = statistics.report(now, 1).unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 0));
        assert_eq!(report.extended_highest_sequence, 0x1_0001);
        for sequence in [3, 5] {
            statistics.receive(now, sequence, 0);
        }
        let report = statistics.report(now, 1).unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost), (128, 2));
        let report = statistics.report(now, 1).unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 2));
    }

    #[test]
    fn duplicates_make_the_loss_negative_and_the_fraction_zero() {
        let now = start();
        let mut statistics = ReceiverStatistics::new(90_000);
        for sequence in [7, 7, 7] {
            statistics.receive(now, sequence, 0);
        }
        let report = statistics.report(now, 1).unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost), (0, -2));
    }

    #[test]
    fn steady_packets_have_no_jitter_and_uneven_ones_have() {
        let origin = start();
        let mut even = ReceiverStatistics::new(48_000);
        let mut uneven = ReceiverStatistics::new(48_000);
        for index in 0..100u16 {
            let at = origin + Duration::from_millis(20 * u64::from(index));
            let late = Duration::from_millis(u64::from(index % 2) * 10);
            even.receive(at, index, u32::from(index) * 960);
            uneven.receive(at + late, index, u32::from(index) * 960);
        }
        assert_eq!(even.jitter(), 0);
        // The distance is always 10 ms, 480 ticks, which the average approaches.
        assert!((470..=480).contains(&uneven.jitter()), "{}", uneven.jitter());
    }

    #[test]
    fn a_sender_report_comes_back_with_its_delay() {
        let now = start();
        let mut statistics = ReceiverStatistics::new(90_000);
        statistics.receive(now, 1, 0);
        let info = SenderInfo { ntp: 0x1122_3344_5566_7788, ..SenderInfo::default() };
        statistics.receive_sender_report(now, &info);
        let report = statistics.report(now + Duration::from_millis(1500), 1).unwrap();
        assert_eq!(report.last_sender_report, 0x3344_5566);
        assert_eq!(report.delay_since_last_sender_report, 0x1_8000);
    }
}
