//! The estimator on a way with a narrow part: a queue, loss, jitter, steps, a blackout. Seeded.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use odeum_rtp::rtcp::{self, RtcpPacket, RtcpWriter};
use odeum_rtp::{TransportRecorder, TransportRecorderConfig};
use odeum_types::Bitrate;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

const SEED: u64 = 20_261_127;
const STEP: Duration = Duration::from_millis(5);

/// What layers send, the smallest first.
const LAYERS_KBPS: [u64; 3] = [150, 500, 1_500];

/// A way: a queue before a narrow part, then a fixed delay and jitter.
struct Way {
    now: Instant,
    start: Instant,
    random: SmallRng,
    estimator: Estimator,
    recorder: TransportRecorder,
    /// What the narrow part carries.
    capacity: Bitrate,
    /// What somebody else puts into the same queue, as packets of 1,200 bytes, whatever is lost.
    rival: Bitrate,
    /// What the rival may still send, in bytes.
    rival_credit: u64,
    /// Share of packets lost at random.
    loss: f64,
    /// Random delay of each packet, at most.
    jitter: Duration,
    /// Added to the receiver's clock, in units of 64 ms.
    clock_64ms: i32,
    /// What waits longer in the queue is lost.
    queue_max: Duration,
    /// Nothing gets through.
    is_dark: bool,
    /// Bytes of media in a frame each 40 ms; what more is wanted is probed for.
    frame_bytes: usize,
    wanted: Option<Bitrate>,
    /// When the narrow part has carried what was handed to it.
    busy_until: Instant,
    /// Arrival and number of what is on its way, in order of arrival.
    flying: VecDeque<(Instant, u16)>,
    /// The longest that a packet waited in the queue, since it was last asked.
    longest: Duration,
}

impl Way {
    fn new(capacity_kbps: u64, media_kbps: u64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant")]
        let now = Instant::now();
        Self {
            now,
            start: now,
            random: SmallRng::seed_from_u64(SEED),
            estimator: Estimator::new(now, EstimatorConfig::default()),
            recorder: TransportRecorder::new(now, TransportRecorderConfig::default()),
            capacity: Bitrate::from_kilobits_per_second(capacity_kbps),
            rival: Bitrate::default(),
            rival_credit: 0,
            loss: 0.0,
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
    fn overrun(capacity_kbps: u64) -> Self {
        let mut way = Self::new(capacity_kbps, 1_000);
        way.run_s(4);
        way
    }

    fn send(&mut self, size: usize, purpose: Purpose) {
        let number = self.estimator.sent(self.now, size, purpose);
        let queued = self.busy_until.saturating_duration_since(self.now);
        if self.is_dark || queued > self.queue_max || self.random.random_bool(self.loss) {
            return;
        }
        self.longest = self.longest.max(queued);
        self.occupy(size);
        let jitter = self.jitter.mul_f64(self.random.random());
        let arrival = self.busy_until + Duration::from_millis(20) + jitter;
        let at = self.flying.partition_point(|(other, _)| *other <= arrival);
        self.flying.insert(at, (arrival, number));
    }

    /// The narrow part carries so many bytes.
    fn occupy(&mut self, size: usize) {
        let time =
            Duration::from_secs_f64(size as f64 * 8.0 / self.capacity.bits_per_second() as f64);
        self.busy_until = self.busy_until.max(self.now) + time;
    }

    fn send_rival(&mut self) {
        self.rival_credit += self.rival.bytes_in(STEP);
        while self.rival_credit >= 1_200 {
            self.rival_credit -= 1_200;
            let queued = self.busy_until.saturating_duration_since(self.now);
            if queued <= self.queue_max {
                self.occupy(1_200);
            }
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        self.send_rival();
        let elapsed_ms = (self.now - self.start).as_millis();
        if elapsed_ms.is_multiple_of(40) {
            let mut left = self.frame_bytes;
            while left > 0 {
                let size = left.min(1_200);
                self.send(size, Purpose::Media);
                left -= size;
            }
        }
        if let Some(burst) =
            self.wanted.and_then(|wanted| self.estimator.poll_probe(self.now, wanted))
        {
            (0..burst.bytes.div_ceil(1_000)).for_each(|_| self.send(1_000, Purpose::Probe));
        }
        while let Some((arrival, number)) = self.flying.pop_front_if(|(at, _)| *at <= self.now) {
            self.recorder.record(arrival, number);
        }
        if elapsed_ms.is_multiple_of(100) {
            self.report();
        }
        if elapsed_ms.is_multiple_of(1_000) {
            self.estimator.handle_timeout(self.now);
        }
    }

    fn report(&mut self) {
        while self.recorder.poll_timeout().is_some_and(|at| at <= self.now) {
            let mut buffer = [0; 1_200];
            let mut writer = RtcpWriter::new(&mut buffer);
            self.recorder.write_feedback(&mut writer, 1, 2).unwrap();
            let size = writer.size();
            if self.is_dark {
                continue;
            }
            for packet in rtcp::packets(&buffer[..size]) {
                let Ok(RtcpPacket::TransportFeedback(mut feedback)) = packet else { panic!() };
                feedback.reference_time_64ms += self.clock_64ms;
                self.estimator.handle_feedback(self.now, &feedback);
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    fn run_s(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    /// Runs until the estimate fits, at most so long; gives how long it took.
    fn until(&mut self, seconds_max: u64, fits: impl Fn(u64) -> bool) -> Duration {
        let began = self.now;
        while !fits(self.kbps()) {
            self.step();
            let taken = self.now - began;
            assert!(taken < Duration::from_secs(seconds_max), "{} kbit/s", self.kbps());
        }
        self.now - began
    }

    fn kbps(&self) -> u64 {
        self.estimator.estimate().bits_per_second() / 1_000
    }

    fn set_media(&mut self, kbps: u64) {
        self.frame_bytes = (kbps * 1_000 / 8 / 25) as usize;
    }

    /// Sends the largest layer that fits for so many seconds, as whoever uses the estimate does;
    /// gives the seconds that each was sent.
    fn play_layers(&mut self, seconds: u64) -> [u64; 3] {
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

#[test]
fn a_wide_way_keeps_the_estimate_above_what_is_sent() {
    let mut way = Way::new(20_000, 1_000);
    way.run_s(20);
    assert!(way.kbps() >= 1_500, "{}", way.kbps());
}

#[test]
fn a_way_that_becomes_narrow_is_seen_in_time_and_the_queue_empties() {
    let mut way = Way::new(5_000, 1_500);
    way.run_s(10);
    way.capacity = Bitrate::from_kilobits_per_second(300);
    let took = way.until(3, |kbps| kbps < 400);
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    // Whoever chooses layers goes down to one of 200 kbit/s.
    way.set_media(200);
    way.run_s(10);
    way.longest = Duration::ZERO;
    way.run_s(20);
    assert!((200..330).contains(&way.kbps()), "{}", way.kbps());
    assert!(way.longest < Duration::from_millis(100), "{:?}", way.longest);
}

#[test]
fn a_way_that_becomes_wide_again_is_found_by_probing() {
    let mut way = Way::overrun(300);
    way.set_media(200);
    way.wanted = Some(Bitrate::from_kilobits_per_second(600));
    way.run_s(30);
    assert!(way.kbps() < 400, "{}", way.kbps());
    way.capacity = Bitrate::from_kilobits_per_second(5_000);
    let took = way.until(40, |kbps| kbps >= 600);
    // Probes in vain have become as rare as they get: 16 s, and the time to hear of it.
    assert!(took < Duration::from_secs(18), "{took:?}");
    way.set_media(500);
    way.wanted = Some(Bitrate::from_kilobits_per_second(1_800));
    let took = way.until(10, |kbps| kbps >= 1_800);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_narrow_way_is_not_taken_for_a_wide_one_by_any_probe() {
    let mut way = Way::overrun(300);
    way.set_media(150);
    way.wanted = Some(Bitrate::from_kilobits_per_second(600));
    way.run_s(5);
    for _ in 0..120 {
        way.run_s(1);
        assert!(way.kbps() < 400, "{}", way.kbps());
    }
}

#[test]
fn random_loss_of_a_twentieth_and_jitter_do_not_starve_it() {
    let mut way = Way::new(5_000, 1_000);
    (way.loss, way.jitter) = (0.05, Duration::from_millis(10));
    way.run_s(60);
    assert!(way.kbps() >= 1_000, "{}", way.kbps());
}

#[test]
fn random_loss_of_a_tenth_does_not_cost_the_largest_layer() {
    let mut way = Way::new(5_000, 0);
    way.play_layers(10);
    way.loss = 0.10;
    let seconds = way.play_layers(120);
    assert!(seconds[2] >= 90, "{seconds:?}");
}

#[test]
fn loss_by_a_policer_is_not_taken_for_random_loss() {
    // Nothing waits: what is more than 700 kbit/s is lost.
    let mut way = Way::new(700, 0);
    way.queue_max = Duration::from_millis(12);
    way.play_layers(20);
    way.longest = Duration::ZERO;
    let seconds = way.play_layers(120);
    assert!(seconds[2] <= 12, "{seconds:?}");
}

#[test]
fn a_rival_that_comes_takes_its_room_and_gives_it_back() {
    let mut way = Way::new(2_500, 0);
    let before = way.play_layers(20);
    assert!(before[2] >= 15, "{before:?}");
    way.rival = Bitrate::from_kilobits_per_second(1_700);
    way.play_layers(10);
    way.longest = Duration::ZERO;
    let beside = way.play_layers(60);
    assert!(beside[2] <= 5, "{beside:?}");
    assert!(beside[1] >= 50, "{beside:?}");
    assert!(way.longest < Duration::from_millis(300), "{:?}", way.longest);
    way.rival = Bitrate::default();
    let after = way.play_layers(40);
    assert!(after[2] >= 20, "{after:?}");
}

#[test]
fn heavy_random_loss_lowers_it_to_what_arrives_and_no_further() {
    let mut way = Way::new(5_000, 1_000);
    way.loss = 0.25;
    way.run_s(60);
    assert!((600..900).contains(&way.kbps()), "{}", way.kbps());
    way.loss = 0.0;
    way.run_s(30);
    assert!(way.kbps() >= 1_000, "{}", way.kbps());
}

#[test]
fn after_a_blackout_of_30_seconds_it_comes_back() {
    let mut way = Way::new(5_000, 500);
    way.run_s(10);
    way.is_dark = true;
    way.run_s(30);
    assert_eq!(way.kbps(), 50, "nothing is heard, nothing is assumed");
    way.is_dark = false;
    way.set_media(50);
    way.wanted = Some(Bitrate::from_kilobits_per_second(600));
    let took = way.until(30, |kbps| kbps >= 600);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_receiver_whose_clock_jumps_is_believed_from_then_on() {
    let mut way = Way::new(5_000, 1_000);
    way.run_s(10);
    way.recorder = TransportRecorder::new(way.now, TransportRecorderConfig::default());
    for at in [8_000_000, 5_000, 3_000_000] {
        way.clock_64ms = at;
        way.run_s(5);
        way.capacity = Bitrate::from_kilobits_per_second(700);
        way.until(5, |kbps| kbps < 700);
        way.capacity = Bitrate::from_kilobits_per_second(5_000);
        way.until(60, |kbps| kbps > 900);
    }
}

proptest! {
    #[test]
    fn feedback_of_any_content_keeps_the_estimate_within_its_bounds(
        messages in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 8..60), any::<u16>(), 0..60u16, 0..2_000u64),
            1..60,
        ),
    ) {
        let mut way = Way::new(1_000, 800);
        let config = EstimatorConfig::default();
        for (bytes, base, count, wait_ms) in messages {
            way.run(Duration::from_millis(wait_ms - wait_ms % 5));
            // A feedback with these chunks and deltas, on numbers that were sent or were not.
            let mut message = vec![0x8F, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
            message.extend_from_slice(&(base % 1_000).to_be_bytes());
            message.extend_from_slice(&count.to_be_bytes());
            message.extend_from_slice(&bytes);
            message.resize(message.len().next_multiple_of(4), 0);
            let words = (message.len() / 4 - 1) as u16;
            message[2..4].copy_from_slice(&words.to_be_bytes());
            for packet in rtcp::packets(&message).map_while(Result::ok) {
                if let RtcpPacket::TransportFeedback(feedback) = packet {
                    way.estimator.handle_feedback(way.now, &feedback);
                }
            }
            let estimate = way.estimator.estimate();
            prop_assert!((config.min..=config.max).contains(&estimate));
        }
    }
}
