//! A way with a narrow part, in virtual time: a queue, loss, jitter, a rival, a blackout. Seeded.

use std::collections::VecDeque;

use odeum_rtp::rtcp::RtcpWriter;
use odeum_rtp::{TransportRecorder, TransportRecorderConfig};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

const SEED: u64 = 20_261_127;
const STEP: Duration = Duration::from_millis(5);

/// What layers send, the smallest first.
const LAYERS_KBPS: [u64; 3] = [150, 500, 1_500];

/// A way: a queue before a narrow part, then a fixed delay and jitter.
pub(super) struct Way {
    pub(super) now: Instant,
    pub(super) start: Instant,
    pub(super) random: SmallRng,
    pub(super) estimator: Estimator,
    /// The flows that share the way, and who counts their arrivals.
    pub(super) flows: Vec<(Flow, TransportRecorder)>,
    /// What the narrow part carries.
    pub(super) capacity: Bitrate,
    /// What somebody else puts into the same queue, as packets of 1,200 bytes, whatever is lost.
    pub(super) rival: Bitrate,
    /// What the rival may still send, in bytes.
    pub(super) rival_credit: u64,
    /// Share of packets lost at random.
    pub(super) loss: f64,
    /// What each packet takes behind the narrow part.
    pub(super) delay: Duration,
    /// Random delay of each packet, at most.
    pub(super) jitter: Duration,
    /// Added to the receiver's clock, in units of 64 ms.
    pub(super) clock_64ms: i32,
    /// What waits longer in the queue is lost.
    pub(super) queue_max: Duration,
    /// Nothing gets through.
    pub(super) is_dark: bool,
    /// Bytes of media in a frame each 40 ms; what more is wanted is probed for.
    pub(super) frame_bytes: usize,
    pub(super) wanted: Option<Bitrate>,
    /// When the narrow part has carried what was handed to it.
    pub(super) busy_until: Instant,
    /// Arrival, flow and number of what is on its way, in order of arrival.
    pub(super) flying: VecDeque<(Instant, usize, u16)>,
    /// The longest that a packet waited in the queue, since it was last asked.
    pub(super) longest: Duration,
}

impl Way {
    pub(super) fn new(capacity_kbps: u64, media_kbps: u64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant")]
        let now = Instant::now();
        let mut estimator = Estimator::new(now, EstimatorConfig::default());
        Self {
            now,
            start: now,
            random: SmallRng::seed_from_u64(SEED),
            flows: vec![(estimator.add_flow(), recorder(now))],
            estimator,
            capacity: Bitrate::from_kilobits_per_second(capacity_kbps),
            rival: Bitrate::default(),
            rival_credit: 0,
            loss: 0.0,
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            clock_64ms: 0,
            queue_max: Duration::from_secs(1),
            is_dark: false,
            frame_bytes: (media_kbps * 1_000 / 8 / 25) as usize,
            wanted: None,
            busy_until: now,
            flying: VecDeque::new(),
            longest: Duration::ZERO,
        }
    }

    /// A way that has been sent more than it carries for a while, as one that is not known yet.
    pub(super) fn overrun(capacity_kbps: u64) -> Self {
        let mut way = Self::new(capacity_kbps, 1_000);
        way.run_s(4);
        way
    }

    /// One more flow, which sends as much as each of the others.
    pub(super) fn add_flow(&mut self) {
        let flow = self.estimator.add_flow();
        self.flows.push((flow, recorder(self.now)));
    }

    pub(super) fn send(&mut self, flow: usize, size: usize, purpose: Purpose) {
        let number = self.flows[flow].0.sent(self.now, size, purpose);
        let queued = self.busy_until.saturating_duration_since(self.now);
        if self.is_dark || queued > self.queue_max || self.random.random_bool(self.loss) {
            return;
        }
        self.longest = self.longest.max(queued);
        self.occupy(size);
        let jitter = self.jitter.mul_f64(self.random.random());
        let arrival = self.busy_until + self.delay + jitter;
        let at = self.flying.partition_point(|(other, ..)| *other <= arrival);
        self.flying.insert(at, (arrival, flow, number));
    }

    /// The narrow part carries so many bytes.
    pub(super) fn occupy(&mut self, size: usize) {
        let time =
            Duration::from_secs_f64(size as f64 * 8.0 / self.capacity.bits_per_second() as f64);
        self.busy_until = self.busy_until.max(self.now) + time;
    }

    pub(super) fn send_rival(&mut self) {
        self.rival_credit += self.rival.bytes_in(STEP);
        while self.rival_credit >= 1_200 {
            self.rival_credit -= 1_200;
            let queued = self.busy_until.saturating_duration_since(self.now);
            if queued <= self.queue_max {
                self.occupy(1_200);
            }
        }
    }

    pub(super) fn step(&mut self) {
        self.now += STEP;
        self.send_rival();
        let elapsed_ms = (self.now - self.start).as_millis();
        for flow in 0..self.flows.len() {
            // Not all at once: each has a camera of its own.
            if (elapsed_ms + flow as u128 * 15).is_multiple_of(40) {
                self.send_frame(flow);
            }
            self.probe(flow);
        }
        while let Some((arrival, flow, number)) =
            self.flying.pop_front_if(|(at, ..)| *at <= self.now)
        {
            // One that has ended hears of it no more.
            if let Some((_, recorder)) = self.flows.get_mut(flow) {
                recorder.record(arrival, number);
            }
        }
        if elapsed_ms.is_multiple_of(100) {
            self.report();
        }
        if elapsed_ms.is_multiple_of(1_000) {
            for (flow, _) in &mut self.flows {
                self.estimator.handle_timeout(self.now, flow);
            }
        }
    }

    pub(super) fn send_frame(&mut self, flow: usize) {
        let mut left = self.frame_bytes;
        while left > 0 {
            let size = left.min(1_200);
            self.send(flow, size, Purpose::Media);
            left -= size;
        }
    }

    pub(super) fn probe(&mut self, at: usize) {
        let flow = &mut self.flows[at].0;
        let probe = |wanted| self.estimator.poll_probe(self.now, flow, wanted, wanted);
        if let Some(burst) = self.wanted.and_then(probe) {
            (0..burst.bytes.div_ceil(1_000)).for_each(|_| self.send(at, 1_000, Purpose::Probe));
        }
    }

    pub(super) fn report(&mut self) {
        (0..self.flows.len()).for_each(|flow| self.report_of(flow));
    }

    pub(super) fn report_of(&mut self, at: usize) {
        let (flow, recorder) = &mut self.flows[at];
        while recorder.poll_timeout().is_some_and(|at| at <= self.now) {
            let mut buffer = [0; 1_200];
            let mut writer = RtcpWriter::new(&mut buffer);
            recorder.write_feedback(&mut writer, 1, 2).unwrap();
            let size = writer.size();
            if self.is_dark {
                continue;
            }
            for packet in rtcp::packets(&buffer[..size]) {
                let Ok(RtcpPacket::TransportFeedback(mut feedback)) = packet else { panic!() };
                feedback.reference_time_64ms += self.clock_64ms;
                self.estimator.handle_feedback(self.now, flow, &feedback);
            }
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    pub(super) fn run_s(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    /// Runs until the estimate fits, at most so long; gives how long it took.
    pub(super) fn until(&mut self, seconds_max: u64, fits: impl Fn(u64) -> bool) -> Duration {
        let began = self.now;
        while !fits(self.kbps()) {
            self.step();
            let taken = self.now - began;
            assert!(taken < Duration::from_secs(seconds_max), "{} kbit/s", self.kbps());
        }
        self.now - began
    }

    pub(super) fn kbps(&self) -> u64 {
        self.estimator.estimate().bits_per_second() / 1_000
    }

    pub(super) fn set_media(&mut self, kbps: u64) {
        self.frame_bytes = (kbps * 1_000 / 8 / 25) as usize;
    }

    /// Sends the largest layer that fits for so many seconds, as whoever uses the estimate does;
    /// gives the seconds that each was sent.
    pub(super) fn play_layers(&mut self, seconds: u64) -> [u64; 3] {
        let mut sent_ms = [0; 3];
        let mut layer = 0;
        for _ in 0..seconds * 10 {
            let fits = |at: &usize| {
                let margin = if *at > layer { 120 } else { 100 };
                LAYERS_KBPS[*at] * margin / 100 <= self.kbps()
            };
            layer = (0..3).rev().find(fits).unwrap_or(0);
            self.set_media(LAYERS_KBPS[layer]);
            let next = LAYERS_KBPS.get(layer + 1);
            self.wanted = next.map(|kbps| Bitrate::from_kilobits_per_second(kbps * 120 / 100));
            self.run(Duration::from_millis(100));
            sent_ms[layer] += 100;
        }
        sent_ms.map(|ms| ms / 1_000)
    }
}

pub(super) fn recorder(now: Instant) -> TransportRecorder {
    TransportRecorder::new(now, TransportRecorderConfig::default())
}
