//! The networks, and the bounds that a viewer's picture and sound keep on each.

use std::ops::Range;
use std::time::Duration;

use odeum_client::CloseReason;

use crate::link::{LinkConfig, Loss};
use crate::report::Report;
use crate::world::World;

/// Seeds of one run of the tests; `make sim` asks for others and more, as `ODEUM_SEEDS=FROM..TO`.
const SEEDS: Range<u64> = 1..4;
/// How long each network is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// The viewer whose network is bad, and the one beside it.
const SUFFERER: usize = 1;
/// One whose network is good.
const NEIGHBOUR: usize = 2;

/// Whose network is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Viewer,
    Publisher,
}

/// What a viewer gets at least.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    frames_per_second_min: f64,
    longest_freeze_max: Duration,
    /// Nobody repairs sound here, so that it is lost as often as packets are.
    sound_lost_percent_max: f64,
    retransmitted_percent_max: f64,
}

fn bounds(frames: f64, freeze_ms: u64, sound_percent: f64, again_percent: f64) -> Bounds {
    Bounds {
        frames_per_second_min: frames,
        longest_freeze_max: Duration::from_millis(freeze_ms),
        sound_lost_percent_max: sound_percent,
        retransmitted_percent_max: again_percent,
    }
}

pub(crate) fn seeds() -> Range<u64> {
    let Some(asked) = option_env!("ODEUM_SEEDS") else { return SEEDS };
    let (from, to) = asked.split_once("..").expect("ODEUM_SEEDS is FROM..TO");
    from.parse().expect("FROM is a number")..to.parse().expect("TO is a number")
}

/// A world with a network that is bad both ways, watched.
fn watch(seed: u64, whose: Whose, link: LinkConfig) -> World {
    let mut world = World::new(seed, 2);
    let at = match whose {
        Whose::Viewer => SUFFERER,
        Whose::Publisher => 0,
    };
    world.seats[at].up.config = link;
    world.seats[at].down.config = link;
    world.run(WATCHED);
    world
}

#[track_caller]
fn keeps(report: &Report, bounds: Bounds, seed: u64, name: &str) {
    println!("| {name} | {seed} | {report}");
    let shown = format!("{name}, seed {seed}: {report:?}");
    assert!(report.frames_per_second >= bounds.frames_per_second_min, "frames: {shown}");
    assert!(report.longest_freeze <= bounds.longest_freeze_max, "freeze: {shown}");
    assert!(report.sound_lost_percent <= bounds.sound_lost_percent_max, "sound: {shown}");
    assert!(report.retransmitted_percent <= bounds.retransmitted_percent_max, "again: {shown}");
}

#[track_caller]
fn check(name: &str, whose: Whose, link: LinkConfig, expected: Bounds) {
    for seed in seeds() {
        let world = watch(seed, whose, link);
        let report = Report::of(&world, SUFFERER, WATCHED);
        keeps(&report, expected, seed, name);
        let faults = report.faults;
        let is_lossy = link.loss != Loss::None;
        assert!(!is_lossy || faults.lost * 400 > faults.carried, "{name} {seed}: {faults:?}");
        assert!(link.duplication == 0.0 || faults.duplicated > 20, "{name} {seed}: {faults:?}");
        assert!(link.jitter.is_zero() || faults.reordered > 20, "{name} {seed}: {faults:?}");
        if whose == Whose::Viewer {
            let beside = Report::of(&world, NEIGHBOUR, WATCHED);
            keeps(&beside, bounds(29.9, 40, 0.1, 20.0), seed, "beside it");
        }
    }
}

#[test]
fn a_good_network_loses_nothing() {
    check("none", Whose::Viewer, LinkConfig::good(), bounds(29.9, 40, 0.1, 20.0));
}

#[test]
fn a_viewer_that_loses_one_percent_sees_everything() {
    let link = LinkConfig::lossy(Loss::Random(0.01));
    check("1 % lost", Whose::Viewer, link, bounds(29.5, 250, 3.0, 5.0));
}

#[test]
fn a_viewer_that_loses_five_percent_sees_nearly_everything() {
    let link = LinkConfig::lossy(Loss::Random(0.05));
    check("5 % lost", Whose::Viewer, link, bounds(29.5, 500, 8.0, 10.0));
}

#[test]
fn a_viewer_that_loses_ten_percent_sees_nearly_everything() {
    let link = LinkConfig::lossy(Loss::Random(0.1));
    check("10 % lost", Whose::Viewer, link, bounds(29.0, 600, 14.0, 22.0));
}

#[test]
fn a_viewer_that_loses_twenty_percent_still_has_a_picture() {
    let link = LinkConfig::lossy(Loss::Random(0.2));
    check("20 % lost", Whose::Viewer, link, bounds(26.0, 1_200, 26.0, 50.0));
}

#[test]
fn a_viewer_that_loses_thirty_percent_still_has_a_picture_most_of_the_time() {
    // The estimate takes so much loss for a narrow way: now and then the picture is left out.
    let link = LinkConfig::lossy(Loss::Random(0.3));
    check("30 % lost", Whose::Viewer, link, bounds(18.0, 6_200, 37.0, 60.0));
}

#[test]
fn a_viewer_that_loses_bursts_sees_nearly_everything() {
    // A burst of eight packets on average, a twelfth of all.
    let link = LinkConfig::lossy(Loss::Bursts { begins: 0.011, ends: 0.125 });
    check("bursts, 8 % lost", Whose::Viewer, link, bounds(28.0, 1_100, 16.0, 20.0));
}

#[test]
fn jitter_with_disorder_and_duplicates_costs_no_picture() {
    let jitter = Duration::from_millis(60);
    let link = LinkConfig { jitter, duplication: 0.02, ..LinkConfig::good() };
    check("60 ms jitter, 2 % twice", Whose::Viewer, link, bounds(29.5, 200, 0.5, 75.0));
}

#[test]
fn what_a_publisher_loses_is_mended_for_its_viewers() {
    let link = LinkConfig::lossy(Loss::Random(0.1));
    check("publisher, 10 % lost", Whose::Publisher, link, bounds(28.0, 800, 14.0, 40.0));
}

#[test]
fn a_picture_comes_back_soon_after_a_blackout() {
    let (dark, after) = (Duration::from_secs(20), Duration::from_secs(10));
    for seed in seeds() {
        let mut world = World::new(seed, 2);
        let good = LinkConfig::good();
        set_both(&mut world, LinkConfig { loss: Loss::All, ..good });
        world.run(dark);
        set_both(&mut world, good);
        let back = world.now;
        let before = world.seats[SUFFERER].playout.seen.frames;
        while world.seats[SUFFERER].playout.seen.frames == before && world.now < back + after {
            world.run(Duration::from_millis(10));
        }
        let took = world.now - back;
        world.run(after);
        println!("| 20 s blackout | {seed} | a picture after {} ms |", took.as_millis());
        assert!(took < Duration::from_millis(2_500), "seed {seed}: {took:?}");
        assert!(world.seats[SUFFERER].down.faults.lost > 100, "seed {seed}");
        let frames = world.seats[SUFFERER].playout.seen.frames - before;
        assert!(frames > 270, "seed {seed}: {frames} frames in ten seconds");
        let report = Report::of(&world, NEIGHBOUR, dark + after + took);
        keeps(&report, bounds(29.8, 40, 0.1, 20.0), seed, "beside it");
    }
}

#[test]
fn a_blackout_beyond_the_silence_timeout_ends_the_peer_at_both_ends() {
    for seed in seeds() {
        let mut world = World::new(seed, 2);
        set_both(&mut world, LinkConfig { loss: Loss::All, ..LinkConfig::good() });
        world.run(Duration::from_secs(38));
        assert_eq!(world.seats[SUFFERER].closed, Some(CloseReason::Silent), "seed {seed}");
        assert_eq!(world.sfu.statistics().peers, 2, "seed {seed}");
    }
}

#[test]
fn a_viewer_whose_address_changes_is_followed() {
    for seed in seeds() {
        let mut world = World::new(seed, 2);
        world.run(Duration::from_secs(5));
        world.change_address(SUFFERER);
        world.run(Duration::from_secs(25));
        let report = Report::of(&world, SUFFERER, WATCHED);
        // The way back opens with the client's next consent check, six seconds later at most.
        keeps(&report, bounds(23.0, 7_500, 22.0, 20.0), seed, "new address");
    }
}

/// Sound of 40 kbit/s fits where the picture's 900 do not: the server leaves the picture out.
#[test]
fn when_the_way_narrows_sound_goes_on_and_the_picture_returns_with_the_room() {
    for seed in seeds() {
        let mut world = World::new(seed, 2);
        let at = |capacity| LinkConfig { capacity: Some(capacity), ..LinkConfig::good() };
        world.seats[SUFFERER].down.config = at(5_000_000);
        world.run(Duration::from_secs(10));
        world.seats[SUFFERER].down.config = at(300_000);
        // What the queue holds and the estimate needs to fall.
        world.run(Duration::from_secs(5));
        let sounds_before = world.seats[SUFFERER].playout.seen.sounds;
        let narrow = Duration::from_secs(15);
        world.run(narrow);
        let sounds = world.seats[SUFFERER].playout.seen.sounds - sounds_before;
        world.seats[SUFFERER].down.config = at(5_000_000);
        let (wide_at, before) = (world.now, world.seats[SUFFERER].playout.seen.frames);
        while world.seats[SUFFERER].playout.seen.frames < before + 30
            && world.now < wide_at + Duration::from_secs(40)
        {
            world.run(Duration::from_millis(10));
        }
        let took = world.now - wide_at;
        let faults = world.seats[SUFFERER].down.faults;
        println!(
            "| 5 Mbit/s, 300 kbit/s, 5 Mbit/s | {seed} | {sounds} of 750 sounds while narrow; \
             a second of pictures {} ms after | {faults:?} |",
            took.as_millis()
        );
        assert!(faults.overflowed > 10, "seed {seed}: the queue was never full");
        assert!(sounds > 700, "seed {seed}: {sounds} of 750 sounds");
        assert!(took < Duration::from_secs(8), "seed {seed}: {took:?}");
        let duration = world.now - (wide_at - narrow - Duration::from_secs(15));
        let report = Report::of(&world, NEIGHBOUR, duration);
        keeps(&report, bounds(29.5, 40, 0.1, 20.0), seed, "beside it");
    }
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let link = LinkConfig::lossy(Loss::Random(0.1));
    let reports = [0, 1].map(|_| {
        let world = watch(7, Whose::Viewer, link);
        Report::of(&world, SUFFERER, WATCHED)
    });
    assert_eq!(reports[0], reports[1]);
    let other = Report::of(&watch(8, Whose::Viewer, link), SUFFERER, WATCHED);
    assert_ne!(reports[0], other);
}

fn set_both(world: &mut World, link: LinkConfig) {
    world.seats[SUFFERER].up.config = link;
    world.seats[SUFFERER].down.config = link;
}
