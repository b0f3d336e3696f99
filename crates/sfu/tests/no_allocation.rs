//! The packet path does not allocate once its buffers have grown: an allocator that counts stands
//! under several publishers, sound and video, reports, viewers that ask again, and sessions whose
//! bandwidth is dealt out.

use counting::{allocations, charge};
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
