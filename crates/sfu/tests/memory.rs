//! What a viewer and a publisher hold, in bytes, against a bound: an allocator that counts stands
//! under the media plane alone.

use counting::live_bytes;
use stage::{PACKETS_PER_ROUND, ROUNDS_PER_KEY_FRAME, Stage};

#[path = "../src/tests/client.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use more of it")]
mod client;
#[allow(dead_code, reason = "shared with the test of allocations, which counts calls")]
mod counting;
#[allow(dead_code, reason = "shared with the test of allocations, where viewers answer")]
mod stage;

const VIEWERS: usize = 200;
const PUBLISHERS: usize = 20;
/// Of one viewer that is connected and plays. OpenSSL, whose memory is not counted here, has let go
/// of all that it had for it.
const VIEWER_BYTES_MAX: i64 = 16 << 10;
/// Of one publisher of sound and video: its rings (1 MiB and 32 KiB, and their slots) and this.
const PUBLISHER_BYTES_MAX: i64 = (1 << 20) + (32 << 10) + (160 << 10);

/// Of the layers inside one stream, over what a stream without has.
const LAYERS_BYTES_MAX: i64 = 144 << 10;

/// Sends `rounds` beginning with `first`; far more than a buffer needs in order to grow.
fn warm_up(stage: &mut Stage, first: u16) {
    let mut rounds: Vec<_> =
        (first..first + ROUNDS_PER_KEY_FRAME).map(|number| stage.round(number)).collect();
    stage.play(&mut rounds);
}

#[test]
fn a_viewer_that_plays_holds_less_than_16_kib() {
    let mut stage = Stage::new();
    stage.publish();
    warm_up(&mut stage, 0);
    let before = live_bytes();
    (0..VIEWERS).for_each(|_| stage.view(0));
    warm_up(&mut stage, ROUNDS_PER_KEY_FRAME);
    let each = (live_bytes() - before) / VIEWERS as i64;
    println!("{each} bytes a viewer");
    let packets = PACKETS_PER_ROUND * u64::from(ROUNDS_PER_KEY_FRAME);
    assert_eq!(stage.statistics().rtp_forwarded, VIEWERS as u64 * packets, "it plays");
    assert!((1 << 10..=VIEWER_BYTES_MAX).contains(&each), "{each} bytes");
}

#[test]
fn a_publisher_holds_its_rings_and_less_than_160_kib_beside() {
    let mut stage = Stage::new();
    let before = live_bytes();
    (0..PUBLISHERS).for_each(|_| stage.publish());
    warm_up(&mut stage, 0);
    let each = (live_bytes() - before) / PUBLISHERS as i64;
    println!("{each} bytes a publisher");
    assert!((1 << 20..=PUBLISHER_BYTES_MAX).contains(&each), "{each} bytes");
}

#[test]
fn the_layers_inside_a_stream_hold_less_than_144_kib() {
    let mut stage = Stage::new();
    stage.layered = 0;
    (0..PUBLISHERS).for_each(|_| stage.publish());
    warm_up(&mut stage, 0);
    let before = live_bytes();
    warm_up(&mut stage, ROUNDS_PER_KEY_FRAME);
    assert_eq!(live_bytes(), before, "without layers nothing grows");
    stage.layered = PUBLISHERS;
    warm_up(&mut stage, 2 * ROUNDS_PER_KEY_FRAME);
    let each = (live_bytes() - before) / PUBLISHERS as i64;
    println!("{each} bytes of layers");
    assert!((64 << 10..=LAYERS_BYTES_MAX).contains(&each), "{each} bytes");
}
