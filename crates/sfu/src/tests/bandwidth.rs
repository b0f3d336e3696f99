//! A viewer behind a narrow way: which layer it gets as the way changes, and that its sound and the
//! other viewers do not suffer. Virtual time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_rtp::{RtpPacket, TransportRecorder, TransportRecorderConfig};

use super::client::{AUDIO_PT, RIDS, Rtx, VIDEO_PT, layer_frame, layer_key_frame};
use super::net::Net;

const STEP: Duration = Duration::from_millis(5);
const HEIGHTS: [u16; 3] = [180, 360, 720];
/// Bytes of a frame of each layer every 40 ms: 150, 500 and 1,500 kbit/s.
const FRAME_BYTES: [usize; 3] = [750, 2_500, 7_500];
const PACKET_BYTES: usize = 1_100;

/// A publisher of three layers and sound, and a viewer behind a queue.
struct Stage {
    net: Net,
    publisher: usize,
    viewer: usize,
    /// What the narrow part carries, kbit/s; nothing gets through at zero.
    capacity_kbps: u64,
    busy_until: Instant,
    flying: VecDeque<(Instant, Vec<u8>)>,
    recorder: TransportRecorder,
    /// What packets take behind the narrow part.
    delay: Duration,
    /// Packets of the viewer's that were recorded.
    seen: usize,
    /// The longest that sound waited since it was last asked.
    longest: Duration,
    steps: u64,
    frames: u16,
    sequences: [u16; 3],
    sound: u16,
    /// How many packets the viewer says that it misses, every 100 ms.
    missed: u16,
    /// Its client sends no feedback, for all that it has offered to.
    is_mute: bool,
}

impl Stage {
    fn new(capacity_kbps: u64) -> Self {
        let mut net = Net::new();
        let publisher = net.simulcast_publisher();
        let viewer = net.viewer(publisher, Rtx::Offered);
        net.holds = Some(net.clients[viewer].address);
        Self {
            publisher,
            viewer,
            capacity_kbps,
            busy_until: net.now,
            flying: VecDeque::new(),
            recorder: TransportRecorder::new(net.now, TransportRecorderConfig::default()),
            delay: Duration::from_millis(20),
            seen: 0,
            longest: Duration::ZERO,
            steps: 0,
            frames: 0,
            sequences: [0; 3],
            sound: 0,
            missed: 0,
            is_mute: false,
            net,
        }
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(4) {
            self.sound += 1;
            let packet = self.net.clients[self.publisher].audio(self.sound, &[7; 100]);
            self.net.send(self.publisher, packet);
        }
        if self.steps.is_multiple_of(8) {
            self.publish_frame();
        }
        self.net.pass(STEP);
        self.carry();
        if self.steps.is_multiple_of(20) {
            self.report();
        }
    }

    /// The viewer's client nominates another address, over which packets take so much longer.
    fn move_viewer(&mut self, longer: Duration) {
        let elsewhere = SocketAddr::from(([10, 9, 9, 9], 1_234));
        let client = &mut self.net.clients[self.viewer];
        client.address = elsewhere;
        let check = client.check();
        self.net.send(self.viewer, check);
        self.net.holds = Some(elsewhere);
        self.delay += longer;
    }

    fn publish_frame(&mut self) {
        self.frames += 1;
        for layer in 0..3 {
            // A key frame each second stands for all requests.
            let is_key = self.frames % 25 == 1;
            let numbers = (self.frames, self.frames as u8);
            let mut left = FRAME_BYTES[layer];
            let mut is_first = true;
            while left > 0 {
                let size = left.clamp(20, PACKET_BYTES);
                let mut payload = match is_key && is_first {
                    true => layer_key_frame(HEIGHTS[layer], numbers.0, numbers.1),
                    false => layer_frame(numbers.0, numbers.1),
                };
                payload.resize(size, 0);
                let at = (self.sequences[layer], u32::from(self.frames) * 3_600);
                let client = &mut self.net.clients[self.publisher];
                let packet = client.layer_video(layer, Some(RIDS[layer]), at, &payload);
                self.sequences[layer] = self.sequences[layer].wrapping_add(1);
                self.net.send(self.publisher, packet);
                (left, is_first) = (left.saturating_sub(size), false);
            }
        }
        self.net.settle();
    }

    /// Carries what was sent to the viewer through the queue.
    fn carry(&mut self) {
        let now = self.net.now;
        for packet in std::mem::take(&mut self.net.held) {
            let queued = self.busy_until.saturating_duration_since(now);
            if self.capacity_kbps == 0 || queued > Duration::from_secs(1) {
                continue;
            }
            let bits = packet.len() as u64 * 8;
            self.busy_until =
                self.busy_until.max(now) + Duration::from_micros(bits * 1_000 / self.capacity_kbps);
            if packet.len() < 150 {
                self.longest = self.longest.max(queued);
            }
            self.flying.push_back((self.busy_until + self.delay, packet));
        }
        while let Some((at, packet)) = self.flying.pop_front_if(|(at, _)| *at <= now) {
            self.net.clients[self.viewer].handle_datagram(now, &packet);
            for bytes in &self.net.clients[self.viewer].rtp[self.seen..] {
                let packet = RtpPacket::parse(bytes).unwrap();
                let number = packet.extension(3).expect("every packet is numbered");
                self.recorder.record(at, u16::from_be_bytes(number.try_into().unwrap()));
            }
            self.seen = self.net.clients[self.viewer].rtp.len();
        }
    }

    fn report(&mut self) {
        while self.recorder.poll_timeout().is_some_and(|at| at <= self.net.now) {
            let recorder = &mut self.recorder;
            let feedback = self.net.clients[self.viewer].rtcp(|writer| {
                recorder.write_feedback(writer, 1, 2).unwrap();
            });
            if self.capacity_kbps > 0 && !self.is_mute {
                self.net.send(self.viewer, feedback);
            }
        }
        if self.missed > 0 {
            self.miss();
        }
        self.net.settle();
    }

    /// The viewer says that it misses the last packets of its video.
    fn miss(&mut self) {
        let client = &mut self.net.clients[self.viewer];
        let newest = client.received(VIDEO_PT).last().expect("it has seen something").0;
        let of_video = client.rtp.iter().map(|bytes| *RtpPacket::parse(bytes).unwrap().header());
        let mut of_video = of_video.rev().filter(|header| header.payload_type == VIDEO_PT);
        let ssrc = of_video.next().unwrap().ssrc;
        let missed = (0..self.missed).map(|back| newest.wrapping_sub(back));
        let nack = client.rtcp(|writer| writer.nack(1, ssrc, missed).unwrap());
        self.net.send(self.viewer, nack);
    }

    fn run_s(&mut self, seconds: u64) {
        (0..seconds * 200).for_each(|_| self.step());
    }

    /// Video that a viewer got in the last second, kbit/s.
    fn kbps(&mut self, viewer: usize) -> usize {
        let bytes = |stage: &Self| -> usize {
            let packets = stage.net.clients[viewer].received(VIDEO_PT);
            packets.iter().map(|packet| packet.2.len()).sum()
        };
        let before = bytes(self);
        self.run_s(1);
        (bytes(self) - before) * 8 / 1_000
    }

    /// Runs until the viewer gets so much video; gives the seconds that it took.
    fn until(&mut self, seconds_max: u64, fits: impl Fn(usize) -> bool) -> u64 {
        for second in 1..=seconds_max {
            let kbps = self.kbps(self.viewer);
            if fits(kbps) {
                return second;
            }
        }
        panic!("not within {seconds_max} s; the last second: {} kbit/s", self.kbps(self.viewer));
    }
}

#[test]
fn a_viewer_goes_down_with_the_way_and_up_again_and_its_sound_never_stops() {
    let mut stage = Stage::new(5_000);
    stage.run_s(5);
    assert!(stage.kbps(stage.viewer) >= 1_400, "the largest fits");
    stage.capacity_kbps = 300;
    stage.until(5, |kbps| kbps < 200);
    stage.run_s(3);
    stage.longest = Duration::ZERO;
    let sound = stage.net.clients[stage.viewer].received(AUDIO_PT).len();
    for _ in 0..20 {
        let kbps = stage.kbps(stage.viewer);
        assert!((100..300).contains(&kbps), "the smallest, and no probe mistaken: {kbps}");
    }
    let sound = stage.net.clients[stage.viewer].received(AUDIO_PT).len() - sound;
    assert!((998..=1_002).contains(&sound), "50 a second: {sound}");
    // A probe holds the queue for its own length and no more.
    assert!(stage.longest < Duration::from_millis(350), "{:?}", stage.longest);
    stage.capacity_kbps = 5_000;
    let took_s = stage.until(30, |kbps| kbps >= 1_400);
    assert!(took_s <= 25, "{took_s}");
}

#[test]
fn when_no_picture_fits_the_sound_goes_on_alone_and_the_picture_comes_back() {
    let mut stage = Stage::new(5_000);
    stage.run_s(5);
    stage.capacity_kbps = 100;
    stage.until(15, |kbps| kbps == 0);
    stage.run_s(5);
    stage.longest = Duration::ZERO;
    stage.run_s(2);
    assert!(stage.longest < Duration::from_millis(500), "{:?}", stage.longest);
    stage.capacity_kbps = 5_000;
    stage.until(30, |kbps| kbps >= 100);
}

#[test]
fn after_a_blackout_the_picture_comes_back() {
    let mut stage = Stage::new(5_000);
    stage.run_s(5);
    stage.capacity_kbps = 0;
    stage.run_s(20);
    stage.capacity_kbps = 5_000;
    let took_s = stage.until(30, |kbps| kbps >= 1_400);
    assert!(took_s <= 20, "{took_s}");
}

#[test]
fn a_viewer_that_moves_to_a_longer_way_gets_more_as_soon_as_there_is_room() {
    let mut stage = Stage::new(300);
    stage.run_s(20);
    assert!(stage.kbps(stage.viewer) < 300, "the smallest");
    stage.move_viewer(Duration::from_millis(200));
    stage.capacity_kbps = 5_000;
    let took_s = stage.until(30, |kbps| kbps >= 1_400);
    assert!(took_s <= 13, "{took_s}");
}

#[test]
fn the_narrow_way_of_one_viewer_takes_nothing_from_another() {
    let mut stage = Stage::new(200);
    let other = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.run_s(4);
    for _ in 0..10 {
        let kbps = stage.kbps(other);
        assert!((1_450..1_550).contains(&kbps), "{kbps}");
    }
    assert!(stage.kbps(stage.viewer) < 250);
}

#[test]
fn who_has_the_best_is_not_probed() {
    let mut stage = Stage::new(5_000);
    stage.run_s(20);
    assert_eq!(stage.net.sfu.statistics().probe_packets, 0);
}

#[test]
fn what_is_sent_again_leaves_less_for_the_picture() {
    let mut stage = Stage::new(800);
    stage.run_s(20);
    assert!(stage.kbps(stage.viewer) > 400, "the middle one fits");
    let before = stage.net.sfu.statistics().retransmitted;
    // Five packets of a kilobyte each 100 ms: 440 kbit/s.
    stage.missed = 5;
    stage.run_s(5);
    let kbps = stage.kbps(stage.viewer);
    assert!((100..300).contains(&kbps), "the smallest: {kbps}");
    let again = stage.net.sfu.statistics().retransmitted - before;
    assert!(again >= 150, "{again} of 300");
    stage.missed = 0;
    stage.until(20, |kbps| kbps > 400);
}

#[test]
fn who_sends_no_feedback_is_sent_again_what_it_misses() {
    let mut stage = Stage::new(5_000);
    stage.is_mute = true;
    stage.run_s(10);
    let before = stage.net.sfu.statistics().retransmitted;
    stage.missed = 5;
    stage.run_s(5);
    let again = stage.net.sfu.statistics().retransmitted - before;
    assert!(again >= 240, "{again} of 250");
}
