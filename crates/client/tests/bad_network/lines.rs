//! One session that plays four streams of three layers behind one narrow part of the network, which
//! becomes narrower and wider again, with one estimate for all of them and, to compare, with one
//! for each; and two sessions behind the same narrow part.

use std::time::Duration;

use odeum_sfu::{PlayTerms, PlayWish, Priority};
use odeum_types::{PeerId, SessionId};

use crate::link::LinkConfig;
use crate::scenarios::seeds;
use crate::world::{Sent, World};

/// Streams that a session plays.
const STREAMS: usize = 4;
/// In the order of the streams.
const PRIORITIES: [Priority; STREAMS] =
    [Priority::High, Priority::Medium, Priority::Medium, Priority::Low];
/// What the narrow part carries before, meanwhile and after, in bits per second.
const WIDE: u64 = 5_000_000;
const NARROW: u64 = 600_000;
/// Packets of a source's sound in a second.
const SOUNDS: f64 = 50.0;

/// Whether the streams of a session share an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Estimates {
    /// One for all.
    Shared,
    /// One for each, as if each stream were played by a session of its own.
    Each,
}

/// What was seen of each stream over some time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Phase {
    /// Decodable frames per second.
    frames: [f64; STREAMS],
    /// The longest time without a new picture, in milliseconds.
    freeze_ms: [u128; STREAMS],
    /// Payload that came, in kbit/s.
    kbps: [u64; STREAMS],
    /// The least sound in time, in per cent.
    sound_percent: f64,
    /// Lost in the narrow part's queue, in per cent of what came to it.
    overflowed_percent: f64,
}

fn at(capacity: u64) -> LinkConfig {
    LinkConfig { capacity: Some(capacity), delay: Duration::ZERO, ..LinkConfig::good() }
}

fn plays(estimates: Estimates, session: u64) -> [PlayTerms; STREAMS] {
    std::array::from_fn(|stream| PlayTerms {
        publisher: PeerId(stream as u64),
        session: (estimates == Estimates::Shared).then_some(SessionId(session)),
        wish: PlayWish { priority: PRIORITIES[stream], ..PlayWish::default() },
    })
}

/// Lets time pass and tells what the session in the seats from `first` on saw meanwhile.
fn watch(world: &mut World, first: usize, time: Duration) -> Phase {
    world.begin_measuring();
    let before = world.bottlenecks[0].faults;
    world.run(time);
    let after = world.bottlenecks[0].faults;
    let seconds = time.as_secs_f64();
    let seen: [_; STREAMS] =
        std::array::from_fn(|stream| world.seats[first + stream].playout.seen_until(world.now));
    assert!(seen.iter().all(|seen| seen.broken == 0), "bytes arrived that were not sent");
    let sounds = seen.iter().map(|seen| seen.sounds).min().unwrap_or_default();
    let carried = (after.carried - before.carried).max(1);
    Phase {
        frames: seen.map(|seen| seen.frames as f64 / seconds),
        freeze_ms: seen.map(|seen| seen.longest_freeze.as_millis()),
        kbps: seen.map(|seen| (seen.bytes as f64 * 8.0 / 1_000.0 / seconds) as u64),
        sound_percent: 100.0 * sounds as f64 / (SOUNDS * seconds),
        overflowed_percent: 100.0 * (after.overflowed - before.overflowed) as f64 / carried as f64,
    }
}

/// Payload that all seats from `first` on got in so much time, in kbit/s.
fn throughput(world: &mut World, first: usize, time: Duration) -> u64 {
    let bytes = |world: &World| -> u64 {
        world.seats[first..].iter().map(|seat| seat.playout.seen.bytes).sum()
    };
    let before = bytes(world);
    world.run(time);
    (bytes(world) - before) * 8 / time.as_millis() as u64
}

/// Time until the session gets 80 % of the wide way for a second.
fn until_used(world: &mut World) -> Duration {
    let began = world.now;
    let mut last = [0; 4];
    while world.now - began < Duration::from_secs(60) {
        last.rotate_left(1);
        last[3] = throughput(world, STREAMS, Duration::from_millis(250));
        if last.iter().sum::<u64>() / 4 >= WIDE / 1_000 * 8 / 10 {
            break;
        }
    }
    world.now - began
}

struct Run {
    narrow: Phase,
    falling: Phase,
    wide: Phase,
    used_after: Duration,
}

/// 5 Mbit/s, 600 kbit/s, 5 Mbit/s.
fn run(seed: u64, estimates: Estimates) -> Run {
    let mut world = World::behind_one(seed, STREAMS, &plays(estimates, 1), at(WIDE));
    world.run(Duration::from_secs(20));
    world.bottlenecks[0].config = at(NARROW);
    let falling = watch(&mut world, STREAMS, Duration::from_secs(5));
    let narrow = watch(&mut world, STREAMS, Duration::from_secs(25));
    world.bottlenecks[0].config = at(WIDE);
    let used_after = until_used(&mut world);
    let wide = watch(&mut world, STREAMS, Duration::from_secs(30));
    let run = Run { narrow, falling, wide, used_after };
    println!("| {estimates:?} | {seed} | falling | {} |", run.falling);
    println!("| {estimates:?} | {seed} | narrow | {} |", run.narrow);
    println!(
        "| {estimates:?} | {seed} | wide | {} | 80 % after {} ms |",
        run.wide,
        run.used_after.as_millis()
    );
    run
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1?} | {:?} | {:?} | {:.1} | {:.1}",
            self.frames, self.freeze_ms, self.kbps, self.sound_percent, self.overflowed_percent
        )
    }
}

#[test]
fn four_streams_behind_one_narrow_part_share_it_by_priority() {
    for seed in seeds() {
        let [shared, each] = [Estimates::Shared, Estimates::Each].map(|how| run(seed, how));
        assert!(shared.falling.overflowed_percent > 1.0, "seed {seed}: it was never narrow");
        // Sound and two pictures fit; the one that matters most comes whole.
        let Phase { frames, sound_percent, .. } = shared.narrow;
        assert!(frames[0] >= 25.0 && frames[0] > frames[3], "seed {seed}: {frames:?}");
        assert!(frames[0] > each.narrow.frames[0], "seed {seed}: {frames:?}");
        assert!(sound_percent >= 60.0, "seed {seed}: {sound_percent} % of the sound");
        assert!(shared.wide.kbps[0] >= 1_400, "seed {seed}: {:?}", shared.wide.kbps);
        assert!(shared.wide.frames.iter().all(|frames| *frames >= 15.0), "seed {seed}");
        assert!(shared.used_after < Duration::from_secs(25), "seed {seed}");
    }
}

#[test]
fn a_session_of_one_stream_keeps_its_picture_beside_one_of_four() {
    for estimates in [Estimates::Shared, Estimates::Each] {
        for seed in seeds() {
            let mut four = plays(estimates, 1).to_vec();
            // The other session plays one of them.
            four.push(PlayTerms { session: Some(SessionId(2)), ..PlayTerms::alone(PeerId(0)) });
            let mut world = World::behind_one(seed, STREAMS, &four, at(3_000_000));
            world.run(Duration::from_secs(20));
            let phase = watch(&mut world, STREAMS, Duration::from_secs(60));
            let other = world.seats[2 * STREAMS].playout.seen;
            let (kbps, frames) = (other.bytes * 8 / 60_000, other.frames as f64 / 60.0);
            println!("| {estimates:?} | {seed} | beside one | {phase} | {kbps} | {frames:.1} |");
            assert!(frames >= 20.0, "seed {seed}: {frames}");
        }
    }
}

/// Sounds of each stream that came in time in so much time.
fn heard(world: &mut World, time: Duration) -> [u64; STREAMS] {
    let sounds = |world: &World| -> [u64; STREAMS] {
        std::array::from_fn(|stream| world.seats[STREAMS + stream].playout.seen.sounds)
    };
    let before = sounds(world);
    world.run(time);
    let after = sounds(world);
    std::array::from_fn(|stream| after[stream] - before[stream])
}

/// What the server sent the session, media for the first time and all else, in bytes.
fn sent(world: &World) -> [u64; 2] {
    let sum = |of: fn(&Sent) -> u64| world.seats[STREAMS..].iter().map(|it| of(&it.sent)).sum();
    [sum(|sent| sent.media), sum(|sent| sent.retransmissions)]
}

/// How it goes is printed for each tenth of a second.
#[test]
fn sound_is_in_time_again_a_second_and_a_half_after_a_fall_to_an_eighth() {
    let tenth = Duration::from_millis(100);
    for seed in seeds() {
        let plays = plays(Estimates::Shared, 1);
        let mut world = World::behind_one(seed, STREAMS, &plays, at(WIDE));
        world.run(Duration::from_secs(20));
        world.bottlenecks[0].config = at(NARROW);
        let mut sounds = [0; STREAMS];
        for n in 1..=50 {
            let before = sent(&world);
            let heard = heard(&mut world, tenth);
            let queue_ms = world.bottlenecks[0].queue(world.now).as_millis();
            let [media, again] = sent(&world).map(|bytes| bytes * 8 / 100);
            let [media, again] = [media - before[0] * 8 / 100, again - before[1] * 8 / 100];
            println!(
                "| fall | {seed} | {} ms | {media} and again {again} kbit/s | queue {queue_ms} ms \
                 | sounds in time {heard:?} |",
                n * 100
            );
            if n > 15 {
                sounds = std::array::from_fn(|stream| sounds[stream] + heard[stream]);
            }
        }
        let least = *sounds.iter().min().expect("there are streams");
        println!("| fall | {seed} | from 1.5 to 5 s {sounds:?} of 175 sounds in time |");
        assert!(least * 100 >= 175 * 95, "seed {seed}: {sounds:?} of 175 sounds in time");
        let faults = world.bottlenecks[0].faults;
        assert!(faults.overflowed > 50, "seed {seed}: the queue was never full");
    }
}
