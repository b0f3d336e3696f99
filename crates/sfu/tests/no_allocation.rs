//! The packet path does not allocate once its buffers have grown: an allocator that counts stands
//! under several publishers, sound and video, reports, viewers that ask again, and sessions whose
//! bandwidth is dealt out.

use counting::{allocations, charge};
use stage::narrow::NarrowWays;
use stage::{PACKETS_PER_ROUND, Stage};

#[path = "../src/tests/client.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use more of it")]
mod client;
#[allow(dead_code, reason = "shared with the test of memory, which counts bytes")]
mod counting;
mod stage;

const PUBLISHERS: usize = 3;
const VIEWERS_EACH: usize = 20;
const VIEWERS: u64 = (PUBLISHERS * VIEWERS_EACH) as u64;
const WARM_UP_ROUNDS: u16 = 120;
const MEASURED_ROUNDS: u16 = 90;
/// Rounds between two changes of a narrow way: a second.
const ROUNDS_PER_CHANGE: u16 = 30;
/// Less than two of the videos that a session plays take, and more: each takes 2.7 Mbit/s.
const NARROW_KBPS: [u64; 2] = [4_000, 7_000];

#[test]
fn neither_packets_nor_reports_nor_retransmissions_allocate_after_the_first_seconds() {
    let mut stage = Stage::new();
    (0..PUBLISHERS).for_each(|_| stage.publish());
    for publisher in 0..PUBLISHERS {
        (0..VIEWERS_EACH).for_each(|_| stage.view(publisher));
    }
    let first = stage.round(0);
    stage.play_and_receive(first);
    // What is missing is always the sixth from behind of the ten packets of the round before.
    let mut rounds = Vec::new();
    for number in 1..=WARM_UP_ROUNDS + MEASURED_ROUNDS {
        let mut round = stage.round(number);
        stage.viewers_answer(&mut round, number, (10 * (number - 1)).wrapping_sub(5));
        rounds.push(round);
    }
    let (warm_up, measured) = rounds.split_at_mut(usize::from(WARM_UP_ROUNDS));
    stage.play(warm_up);
    let before = (allocations(), stage.statistics());

    stage.play(measured);
    let after = stage.statistics();
    assert_eq!(allocations() - before.0, 0);
    let rounds = u64::from(MEASURED_ROUNDS);
    let forwarded = after.rtp_forwarded - before.1.rtp_forwarded;
    assert_eq!(forwarded, VIEWERS * PACKETS_PER_ROUND * rounds);
    assert_eq!(after.retransmitted - before.1.retransmitted, VIEWERS * rounds);

    charge(|| drop(std::hint::black_box(Box::new(forwarded))));
    assert_eq!(allocations() - before.0, 1, "the allocator counts");
}

#[test]
fn dealing_out_what_reaches_sessions_that_play_several_videos_does_not_allocate() {
    let mut stage = Stage::new();
    (0..PUBLISHERS).for_each(|_| stage.publish());
    (0..VIEWERS_EACH).for_each(|at| stage.view(at % PUBLISHERS));
    let mut ways = NarrowWays::new(&stage);
    let mut play = |stage: &mut Stage, rounds: std::ops::Range<u16>| {
        for number in rounds {
            let round = stage.round(number);
            let kbps = NARROW_KBPS[usize::from(number / ROUNDS_PER_CHANGE) % 2];
            ways.play(stage, round, kbps);
        }
    };
    // Two changes to and fro.
    let (warm_up, measured) = (4 * ROUNDS_PER_CHANGE, 6 * ROUNDS_PER_CHANGE);
    play(&mut stage, 0..warm_up);
    let (before, counted) = (stage.statistics(), allocations());
    play(&mut stage, warm_up..warm_up + measured);
    assert_eq!(allocations() - counted, 0);
    let after = stage.statistics();
    let sessions = VIEWERS_EACH as u64 / 4;
    // Each 100 ms at the most, and hardly less often.
    let deals = after.bandwidth_deals - before.bandwidth_deals;
    assert!(deals >= sessions * u64::from(measured) / 6, "{deals} deals");
    assert!(after.layer_changes - before.layer_changes >= 2 * sessions, "{after:?}");
    assert!(after.probe_packets > before.probe_packets, "{after:?}");
}
