//! Sound on a way that loses packets: as it is, with redundancy (RED, RFC 2198), with
//! retransmissions (RTX, RFC 4588), and with both; what of it can be played in time, and what that
//! costs in bytes.

use std::time::Duration;

use odeum_client::SoundRepair;

use crate::link::{LinkConfig, Loss};
use crate::scenarios::seeds;
use crate::world::{Sent, World};

/// How long each network is watched.
const WATCHED: Duration = Duration::from_secs(60);
/// Packets of sound that are sent meanwhile.
const SOUNDS: f64 = 3_000.0;
const VIEWER: usize = 1;

const NOTHING: SoundRepair = SoundRepair { redundancy: false, retransmission: false };
const RED: SoundRepair = SoundRepair { redundancy: true, retransmission: false };
const RTX: SoundRepair = SoundRepair { redundancy: false, retransmission: true };
const BOTH: SoundRepair = SoundRepair { redundancy: true, retransmission: true };

/// Sound that a viewer cannot play in time, in per cent, and bytes sent to it per second.
fn watch(seed: u64, repair: SoundRepair, loss: Loss) -> (f64, f64) {
    let mut world = World::of_sound(seed, repair);
    let link = LinkConfig::lossy(loss);
    world.seats[VIEWER].up.config = link;
    world.seats[VIEWER].down.config = link;
    world.run(WATCHED);
    let seat = &world.seats[VIEWER];
    let seen = seat.playout.seen;
    assert_eq!(seen.broken, 0, "bytes arrived that were not sent");
    let faults = seat.down.faults;
    assert!(loss == Loss::None || faults.lost * 25 > faults.carried, "seed {seed}: {faults:?}");
    let Sent { media, retransmissions } = seat.sent;
    let lost = (100.0 * (1.0 - seen.sounds as f64 / SOUNDS)).max(0.0);
    (lost, (media + retransmissions) as f64 / WATCHED.as_secs_f64())
}

/// The sound missing at the most, in per cent, for each way to make it good.
#[track_caller]
fn check(name: &str, loss: Loss, missing_max: [f64; 4]) {
    for seed in seeds() {
        let results = [NOTHING, RED, RTX, BOTH].map(|repair| watch(seed, repair, loss));
        let shown = results.map(|(lost, bytes)| format!("{lost:.2} % missing, {bytes:.0} B/s"));
        println!("| {name} | {seed} | {} |", shown.join(" | "));
        let missing = results.map(|(lost, _)| lost);
        let is_within = missing.iter().zip(missing_max).all(|(missing, most)| *missing <= most);
        assert!(is_within, "{name}, seed {seed}: {missing:?}");
        let [plain, red, rtx, _] = results.map(|(_, bytes)| bytes);
        // Twice the sound, but headers once; and retransmissions as often as packets are lost.
        assert!((1.5..1.9).contains(&(red / plain)), "{name}, seed {seed}: {red} {plain}");
        assert!((1.0..1.6).contains(&(rtx / plain)), "{name}, seed {seed}: {rtx} {plain}");
        if loss != Loss::None {
            let [plain, red, rtx, both] = missing;
            assert!(red < plain && rtx < plain && both <= red, "{name}, seed {seed}: {missing:?}");
        }
    }
}

#[test]
fn sound_that_loses_nothing_needs_nothing() {
    check("none", Loss::None, [0.1; 4]);
}

#[test]
fn sound_that_loses_five_percent() {
    check("5 % lost", Loss::Random(0.05), [7.5, 1.0, 1.0, 0.2]);
}

#[test]
fn sound_that_loses_ten_percent() {
    check("10 % lost", Loss::Random(0.1), [13.5, 2.5, 2.5, 0.7]);
}

#[test]
fn sound_that_loses_twenty_percent() {
    check("20 % lost", Loss::Random(0.2), [25.0, 7.0, 9.0, 3.0]);
}

#[test]
fn sound_that_loses_bursts_of_eight_packets() {
    // Redundancy of one packet brings back the last of each burst alone.
    check("bursts, 8 % lost", Loss::Bursts { begins: 0.011, ends: 0.125 }, [16.0, 14.0, 9.0, 9.0]);
}
