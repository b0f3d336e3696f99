//! Rooms with media that come and go for as long as one likes, and end in every way there is: by a
//! goodbye, by a stream deleted over their heads, by a network that dies without a word, before
//! they were connected, in the middle of a handshake. They come by signalling, WHIP and WHEP, over
//! UDP that may lose packets, TCP and the server's relay, on several media workers, and a backend
//! is told of all of it. Do memory and descriptors of the server grow with those who are gone, and
//! does it forget them all in the end?

mod life;
mod person;
pub(crate) mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::slope::slope;
use life::{Counts, Stage};
use odeum_load::{Machine, Reach, Server, ServerOptions};

/// Share of the time after which slopes are taken: until then buffers, pools and those who died
/// without a word grow to what the churn keeps busy.
const WARM_UP: f64 = 0.3;
/// The shortest run that says something: in the rest of it those who died without a word come and
/// go twice.
const SECONDS_MIN: u64 = 300;
/// Growth after the warm-up that still counts as flat, in bytes for each transport made. One viewer
/// has about 12 KB: one forgotten in 40 would be seen.
const FLAT_BYTES: f64 = 256.0;
/// Growth of descriptors that still counts as flat, for each transport made.
const FLAT_DESCRIPTORS: f64 = 0.005;
/// Seconds after which a silent session is forgotten.
const HEARTBEAT_SECONDS: u64 = 20;
/// When everybody must be forgotten: the silence of a transport (30 s) and of a session, the grace
/// of a stream (5 s), and room for a machine that is busy with other things.
const FORGOTTEN_IN: Duration = Duration::from_secs(90);
/// Connections that the server may keep to the backend.
const KEPT_CONNECTIONS: usize = 32;
/// What the server must have none of in the end.
const GAUGES: [&str; 7] = [
    "odeum_media_peers",
    "odeum_turn_allocations",
    "odeum_sessions",
    "odeum_rooms",
    "odeum_streams",
    "odeum_websockets",
    "odeum_whip_sessions",
];
/// Events that the backend has to have been told of.
const EVENTS: [&str; 6] =
    ["room_create", "room_close", "room_login", "room_logout", "stream_create", "stream_close"];
/// Share of the transports meant to connect that must have.
const CONNECTED_MIN: f64 = 0.95;
/// Calls of the backend in a second: more than there are rooms.
const CALLS_PER_SECOND: u32 = 1_000;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// How long it goes on.
    #[arg(long, default_value_t = 1_200)]
    seconds: u64,
    /// Rooms that are there at once, each with a publisher and up to four viewers.
    #[arg(long, default_value_t = 6)]
    rooms: usize,
    /// Media workers, which share the one core; a room goes to the second with its third transport.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// How often memory and descriptors are read, evenly spread.
    #[arg(long, default_value_t = 120)]
    samples: u32,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the server had at some moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Time so far.
    elapsed: Duration,
    /// Transports made so far.
    made: u64,
    /// Transports that it has now.
    peers: u64,
    /// Resident memory.
    resident: u64,
    /// Open descriptors.
    descriptors: usize,
}

/// What the samples say.
#[derive(Debug)]
struct Verdict {
    /// Growth of memory after the warm-up, bytes for each transport made.
    bytes: f64,
    /// Growth of descriptors after the warm-up, for each transport made.
    descriptors: f64,
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, or is not flat, or does not forget everybody.
pub(crate) fn run(args: &SoakArgs) -> anyhow::Result<()> {
    ensure!(args.samples >= 10 && args.rooms > 0, "too few samples or rooms");
    ensure!(args.seconds >= SECONDS_MIN, "less than {SECONDS_MIN} s say nothing");
    let machine = Machine::read()?;
    let receiver = Receiver::start()?;
    let server = Server::start(&ServerOptions {
        calls_per_second: &[("DeleteStream", CALLS_PER_SECOND)],
        receiver: Some(receiver.address),
        heartbeat_timeout_s: HEARTBEAT_SECONDS,
        workers: args.workers,
        room_peers_per_worker: 2,
        reach: Reach::AllWays,
        ..Default::default()
    })?;
    let idle = server.measured.descriptors()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stage = Arc::new(Stage::new(&server)?);
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let rooms: Vec<_> =
        (0..args.rooms).map(|_| runtime.spawn(life::rooms(Arc::clone(&stage), end))).collect();
    let samples = watch(&server, &stage, args)?;
    for room in rooms {
        runtime.block_on(room)?;
    }
    let counts = stage.counts();
    let verdict = Verdict::of(&samples);
    verdict.print();
    counts.print(&samples);
    println!("{}", machine.line());
    let left = forgotten(&server, idle)?;
    println!(
        "{:.1} s after the last one left, the server has forgotten everybody and told of all",
        left.as_secs_f64()
    );
    let told = receiver.counts();
    println!("the backend was told {} times: {:?}", told.all, told.by_event);
    if let Some(file) = &args.json {
        let results = json!({
            "callbacks": told.by_event,
            "workers": args.workers,
            "samples": samples.iter().map(|sample| sample.to_json()).collect::<Vec<_>>(),
            "bytes_per_transport": verdict.bytes,
            "descriptors_per_transport": verdict.descriptors,
            "is_flat": verdict.is_flat(),
            "counts": counts.to_json(),
        });
        machine.save(file, "soak", results)?;
    }
    ensure!(counts.is_real(CONNECTED_MIN), "too few connected: {counts:?}");
    let untold = EVENTS.into_iter().find(|event| !told.by_event.contains_key(*event));
    ensure!(untold.is_none(), "the backend was never told of {untold:?}");
    let crossed = server.metric_sum("odeum_relay_packets_total")?;
    ensure!(args.workers == 1 || crossed > 0, "no packet crossed between workers");
    ensure!(server.metric_sum("odeum_media_restarts_total")? == 0, "a media worker panicked");
    ensure!(verdict.is_flat(), "it grows");
    Ok(())
}

/// Reads memory and descriptors until the time is over.
fn watch(server: &Server, stage: &Stage, args: &SoakArgs) -> anyhow::Result<Vec<Sample>> {
    let begin = Instant::now();
    println!("| s | transports made | transports now | memory KB | descriptors |");
    println!("|---|---|---|---|---|");
    let mut samples = Vec::with_capacity(args.samples as usize);
    for number in 1..=args.samples {
        let due = Duration::from_secs(args.seconds) * number / args.samples;
        // The churn is driven by another thread; this one has nothing to do until then.
        std::thread::park_timeout(due.saturating_sub(begin.elapsed()));
        let sample = Sample {
            elapsed: begin.elapsed(),
            made: stage.counts().made,
            peers: server.metric_sum("odeum_media_peers")?,
            resident: server.measured.resident_bytes()?,
            descriptors: server.measured.descriptors()?,
        };
        sample.print();
        samples.push(sample);
    }
    Ok(samples)
}

/// Waits until nobody is left on the server, and no more descriptors than when it was new but for
/// the connections to the backend.
fn forgotten(server: &Server, idle: usize) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    loop {
        let mut left = Vec::new();
        for gauge in GAUGES {
            let value = server.metric_sum(gauge)?;
            if value > 0 {
                left.push((gauge, value));
            }
        }
        let callbacks = |what: &str| server.metric_sum(&format!("odeum_callbacks_{what}_total"));
        let (stored, delivered) = (callbacks("stored")?, callbacks("delivered")?);
        if stored > delivered {
            left.push(("callbacks", stored - delivered));
        }
        let descriptors = server.measured.descriptors()?;
        if left.is_empty() && descriptors <= idle + KEPT_CONNECTIONS {
            return Ok(begin.elapsed());
        }
        let is_late = begin.elapsed() > FORGOTTEN_IN;
        ensure!(!is_late, "not forgotten: {left:?}, {descriptors} descriptors, {idle} before");
        std::thread::park_timeout(Duration::from_millis(500));
    }
}

impl Verdict {
    fn of(samples: &[Sample]) -> Self {
        let warm = (samples.len() as f64 * WARM_UP).ceil() as usize;
        let of = |value: fn(&Sample) -> f64| {
            let points = samples[warm..].iter().map(|sample| (sample.made as f64, value(sample)));
            slope(&points.collect::<Vec<_>>())
        };
        Self {
            bytes: of(|sample| sample.resident as f64),
            descriptors: of(|sample| sample.descriptors as f64),
        }
    }

    fn is_flat(&self) -> bool {
        // A slope that is not a number, because nothing was made, is not flat either.
        self.bytes <= FLAT_BYTES && self.descriptors <= FLAT_DESCRIPTORS
    }

    fn print(&self) {
        let word = if self.is_flat() { "flat" } else { "NOT flat" };
        println!(
            "{word}: after {:.0} % of the time memory grows by {:.1} bytes for each transport \
             made (bound {FLAT_BYTES}), descriptors by {:.5} (bound {FLAT_DESCRIPTORS})",
            WARM_UP * 100.0,
            self.bytes,
            self.descriptors,
        );
    }
}

impl Sample {
    fn print(&self) {
        println!(
            "| {:.0} | {} | {} | {} | {} |",
            self.elapsed.as_secs_f64(),
            self.made,
            self.peers,
            self.resident / 1024,
            self.descriptors,
        );
    }

    fn to_json(self) -> Value {
        json!({
            "elapsed_s": self.elapsed.as_secs_f64(),
            "made": self.made,
            "peers": self.peers,
            "resident_bytes": self.resident,
            "descriptors": self.descriptors,
        })
    }
}

impl Counts {
    fn print(&self, samples: &[Sample]) {
        let most = samples.iter().map(|sample| sample.peers).max().unwrap_or_default();
        println!(
            "{} rooms, {} transports made, at most {most} at once; {} connected, {} gave up; {} by \
             TCP, {:?} by the relay over UDP, TCP and TLS, {} given back to it and {} not; {} by \
             WHIP and WHEP; {} packets played, {} lost on their way; ended: {} by goodbye, {} by a \
             deleted stream, {} without a word, {} before they were connected, {} in their \
             handshake",
            self.rooms,
            self.made,
            self.connected,
            self.gave_up,
            self.by_tcp,
            self.by_turn,
            self.given_back,
            self.kept,
            self.by_http,
            self.played,
            self.lost,
            self.goodbyes,
            self.deleted,
            self.vanished,
            self.abandoned,
            self.died,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(residents: impl Fn(u64) -> u64, descriptors: impl Fn(u64) -> usize, is_flat: bool) {
        let samples = (0..40).map(|number| Sample {
            elapsed: Duration::from_secs(number),
            made: number * 50,
            peers: 20,
            resident: residents(number),
            descriptors: descriptors(number),
        });
        let verdict = Verdict::of(&samples.collect::<Vec<_>>());
        assert_eq!(verdict.is_flat(), is_flat, "{verdict:?}");
    }

    #[test]
    fn what_is_kept_of_those_who_are_gone_is_seen_and_what_comes_and_goes_is_not() {
        let (flat, few) = (|n| 30_000_000 + n % 3 * 50_000, |n| 40 + n as usize % 5);
        check(flat, few, true);
        // A fiftieth of all viewers.
        check(|n| flat(n) + n * 20_000, few, false);
        // A descriptor of each hundredth.
        check(flat, |n| few(n) + n as usize / 2, false);
        // What grows only while it warms up.
        check(|n| flat(n) - 20_000_000 / (1 + n * n), few, true);
    }

    #[test]
    fn a_soak_in_which_nothing_happened_is_not_flat() {
        let sample =
            Sample { elapsed: Duration::ZERO, made: 0, peers: 0, resident: 1, descriptors: 1 };
        assert!(!Verdict::of(&[sample; 20]).is_flat());
    }
}
