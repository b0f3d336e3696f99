//! Users and rooms that come and go, each told of in callbacks: do memory and descriptors of the
//! server grow with those who are gone? Both are read when everybody is out and every callback has
//! been taken, so what is left is what the server keeps.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};

use crate::crowd::{Person, log_in, log_out};
use crate::receiver::Receiver;
use crate::slope::slope;
use odeum_load::{Machine, Server, ServerOptions};

/// Users of each room.
const ROOM: u64 = 10;
/// Rooms that are there at once.
const ROOMS_AT_ONCE: u64 = 10;
/// Callbacks of a room's life: it opens, its users come and go, it closes.
const CALLBACKS: u64 = 2 * ROOM + 2;
/// Callbacks that may be under way when the next rooms are made: a backlog would be memory that
/// the churn did not ask for.
const BACKLOG_MAX: u64 = 1_000;
/// Share of the logins after which the slope is taken.
const WARM_UP: f64 = 0.3;
/// Growth after the warm-up that still counts as flat, in bytes for each login and logout. A user
/// who is in has about 9 KB (`make bench-users`): one forgotten in 600 would be seen.
const FLAT_BYTES: f64 = 16.0;
/// Growth of descriptors that still counts as flat: connections to the receiver of callbacks are
/// kept for the next ones, up to 32.
const FLAT_DESCRIPTORS: usize = 32;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct ChurnArgs {
    /// Logins, and as many logouts. One room for each ten.
    #[arg(long, default_value_t = 100_000)]
    logins: u64,
    /// How often memory is read, evenly spread.
    #[arg(long, default_value_t = 20)]
    samples: u64,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the server had when nobody was in.
struct Sample {
    /// Logins so far.
    logins: u64,
    /// Time so far.
    elapsed: Duration,
    /// Resident memory.
    resident: u64,
    /// Open descriptors.
    descriptors: usize,
    /// Bytes of its files.
    stored: u64,
}

/// What the samples say.
struct Verdict {
    /// Growth of memory after the warm-up, bytes for each login and logout.
    slope: f64,
    /// Descriptors of the last sample beyond those of the first after the warm-up.
    descriptors: i64,
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, a login or logout that is refused, a callback that does
/// not come.
pub(crate) fn run(args: &ChurnArgs) -> anyhow::Result<()> {
    let machine = Machine::read()?;
    let receiver = Receiver::start()?;
    let server =
        Server::start(&ServerOptions { receiver: Some(receiver.address), ..Default::default() })?;
    let rooms = args.logins / ROOM;
    ensure!(rooms >= args.samples && args.samples > 3, "too few logins or samples");
    let (cpu, begin) = (server.measured.cpu_time()?, Instant::now());
    let sample = |made: u64| -> anyhow::Result<Sample> {
        receiver.wait_for(made * CALLBACKS)?;
        Ok(Sample {
            logins: made * ROOM,
            elapsed: begin.elapsed(),
            resident: server.measured.resident_bytes()?,
            descriptors: server.measured.descriptors()?,
            stored: server.stored_bytes()?,
        })
    };
    let mut samples = vec![sample(0)?];
    println!("| logins and logouts | s | memory KB | descriptors | on disk KB |");
    println!("|---|---|---|---|---|");
    samples[0].print();
    let mut made = 0;
    while made < rooms {
        let next = rooms * samples.len() as u64 / args.samples;
        while made < next {
            let some = ROOMS_AT_ONCE.min(next - made);
            log_out(log_in(server.http, &people(made..made + some))?)?;
            made += some;
            receiver.wait_for((made * CALLBACKS).saturating_sub(BACKLOG_MAX))?;
        }
        samples.push(sample(made)?);
        samples[samples.len() - 1].print();
    }
    let elapsed = begin.elapsed();
    let cpu = server.measured.cpu_time()?.saturating_sub(cpu);
    let by_event = receiver.counts().by_event;
    for (event, count) in [("room_create", rooms), ("room_login", rooms * ROOM)] {
        let came = by_event.get(event).copied().unwrap_or_default();
        ensure!(came == count, "{came} callbacks {event}, not {count}");
    }
    let cpu_us = cpu.as_secs_f64() * 1e6 / (rooms * ROOM) as f64;
    let verdict = Verdict::of(&samples);
    verdict.print();
    println!(
        "{rooms} rooms of {ROOM}; {} callbacks taken, {by_event:?}; {:.0} logins and logouts a \
         second, {cpu_us:.0} us of the server's CPU for each, its callbacks included\n{}",
        receiver.counts().all,
        (rooms * ROOM) as f64 / elapsed.as_secs_f64(),
        machine.line()
    );
    if let Some(file) = &args.json {
        let results = json!({
            "samples": samples.iter().map(Sample::to_json).collect::<Vec<_>>(),
            "callbacks": by_event,
            "bytes_per_login": verdict.slope,
            "is_flat": verdict.is_flat(),
            "cpu_us_per_login": cpu_us,
        });
        machine.save(file, "churn", results)?;
    }
    Ok(())
}

/// Everybody of these rooms.
fn people(rooms: std::ops::Range<u64>) -> Vec<Person> {
    let person = |number: u64| Person {
        room: format!("room-{}", number / ROOM),
        user: format!("user-{number}"),
        user_update: true,
    };
    (rooms.start * ROOM..rooms.end * ROOM).map(person).collect()
}

impl Verdict {
    fn of(samples: &[Sample]) -> Self {
        let warm = (samples.len() as f64 * WARM_UP).ceil() as usize;
        let points: Vec<(f64, f64)> = samples[warm..]
            .iter()
            .map(|sample| (sample.logins as f64, sample.resident as f64))
            .collect();
        let first = samples[warm].descriptors as i64;
        let last = samples[samples.len() - 1].descriptors as i64;
        Self { slope: slope(&points), descriptors: last - first }
    }

    fn is_flat(&self) -> bool {
        self.slope <= FLAT_BYTES && self.descriptors <= FLAT_DESCRIPTORS as i64
    }

    fn print(&self) {
        let word = if self.is_flat() { "flat" } else { "NOT flat" };
        println!(
            "{word}: after {:.0} % of the logins memory grows by {:.1} bytes for each (bound \
             {FLAT_BYTES}), descriptors by {} (bound {FLAT_DESCRIPTORS})",
            WARM_UP * 100.0,
            self.slope,
            self.descriptors,
        );
    }
}

impl Sample {
    fn print(&self) {
        println!(
            "| {} | {:.1} | {} | {} | {} |",
            self.logins,
            self.elapsed.as_secs_f64(),
            self.resident / 1024,
            self.descriptors,
            self.stored / 1024,
        );
    }

    fn to_json(&self) -> Value {
        json!({
            "logins": self.logins,
            "elapsed_s": self.elapsed.as_secs_f64(),
            "resident_bytes": self.resident,
            "descriptors": self.descriptors,
            "stored_bytes": self.stored,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(residents: &[u64], descriptors: &[usize], is_flat: bool) {
        let samples = residents.iter().zip(descriptors).enumerate().map(|(number, one)| Sample {
            logins: number as u64 * 1_000,
            elapsed: Duration::ZERO,
            resident: *one.0,
            descriptors: *one.1,
            stored: 0,
        });
        let verdict = Verdict::of(&samples.collect::<Vec<_>>());
        assert_eq!(verdict.is_flat(), is_flat, "{residents:?} {descriptors:?}");
    }

    #[test]
    fn growth_after_the_warm_up_is_seen_and_growth_in_it_is_not() {
        check(&[0, 90_000, 100_000, 100_000, 100_000], &[9, 60, 60, 60, 60], true);
        check(&[0, 20_000, 40_000, 60_000, 80_000], &[9, 60, 60, 60, 60], false);
        check(&[0, 90_000, 100_000, 100_000, 100_000], &[9, 60, 60, 100, 140], false);
    }
}
