//! The estimator on a way with a narrow part: a queue, loss, jitter, steps, a blackout. Seeded.

use std::time::{Duration, Instant};

use odeum_rtp::rtcp::{self, RtcpPacket};
use odeum_types::Bitrate;
use proptest::prelude::*;

use super::*;

mod shared;
mod way;

use way::{Way, recorder};

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
fn a_fall_to_an_eighth_is_known_soon_and_its_queue_is_emptied() {
    let mut way = Way::new(5_000, 4_000);
    way.queue_max = Duration::from_millis(300);
    way.run_s(10);
    let before = way.estimator.budget(way.now);
    assert_eq!(before, way.estimator.estimate(), "nothing waits");
    way.capacity = Bitrate::from_kilobits_per_second(600);
    let took = way.until(3, |kbps| kbps < 650);
    assert!(took < Duration::from_millis(700), "{took:?}");
    let narrow = Bitrate::from_kilobits_per_second(300);
    assert!(way.estimator.is_draining(way.now));
    assert!(way.estimator.budget(way.now) < narrow, "{:?}", way.estimator.budget(way.now));
    way.set_media(200);
    way.run_s(1);
    assert!(!way.estimator.has_standing_queue(), "it is empty");
    assert_eq!(way.estimator.budget(way.now), way.estimator.estimate());
}

#[test]
fn a_queue_that_stays_whatever_is_sent_takes_the_picture_for_a_moment_only() {
    let mut way = Way::new(5_000, 1_000);
    way.run_s(10);
    // Somebody else fills the queue and keeps it full, as one who never looks at delays.
    way.delay += Duration::from_millis(250);
    way.run_s(1);
    assert!(way.estimator.is_draining(way.now));
    way.run_s(3);
    assert!(way.estimator.has_standing_queue() && !way.estimator.is_draining(way.now));
    assert_eq!(way.estimator.budget(way.now), way.estimator.estimate());
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
    way.flows[0].1 = recorder(way.now);
    for at in [8_000_000, 5_000, 3_000_000] {
        way.clock_64ms = at;
        way.run_s(5);
        way.capacity = Bitrate::from_kilobits_per_second(700);
        way.until(5, |kbps| kbps < 700);
        way.capacity = Bitrate::from_kilobits_per_second(5_000);
        way.until(60, |kbps| kbps > 900);
    }
}

#[test]
fn a_way_that_is_longer_than_the_one_before_is_not_taken_for_a_queue() {
    let mut way = Way::new(5_000, 500);
    way.run_s(20);
    let before = way.kbps();
    way.delay += Duration::from_millis(200);
    way.flows[0].0.handle_move(way.now);
    way.run_s(1);
    assert!(way.kbps() >= before, "{} of {before}", way.kbps());
    way.set_media(2_000);
    let took = way.until(20, |kbps| kbps >= 2_500);
    assert!(took < Duration::from_secs(5), "{took:?}");
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
                    way.estimator.handle_feedback(way.now, &mut way.flows[0].0, &feedback);
                }
            }
            let estimate = way.estimator.estimate();
            prop_assert!((config.min..=config.max).contains(&estimate));
        }
    }
}
