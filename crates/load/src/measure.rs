//! The measurement: for each size, windows of the server, of the floor and of the sealed floor take
//! turns, so that what else the machine does meets all; medians are told.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::CommonArgs;
use crate::chart;
use crate::drive::{Counts, Publishing, SAMPLED_EVERY};
use crate::floor::{Floor, Payload};
use crate::machine::Machine;
use crate::percentiles::median;
use crate::report::{Progress, Row, header};
use crate::server::CORE;
use crate::shape::Shape;
use crate::stage::Stage;
use crate::target::Target;

/// Published before memory is read: more than the track's ring keeps.
const RING_FILLS_IN: Duration = Duration::from_secs(5);
/// Published to new viewers before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// What the floor's process may take beyond a window.
const FLOOR_ENDS_IN: Duration = Duration::from_millis(50);

/// Runs the measurement of one shape.
///
/// # Errors
/// As [`crate::run`].
pub(crate) fn run(shape: &impl Shape, args: &CommonArgs) -> anyhow::Result<()> {
    let sizes = shape.sizes();
    ensure!(!sizes.is_empty() && !sizes.contains(&0), "sizes are numbers from 1 on");
    ensure!(sizes.is_sorted(), "sizes grow: {sizes:?} do not");
    open_as_many_files_as_allowed();
    let machine = Machine::read()?;
    if args.target.is_started_here() {
        leave_core_to_server()?;
    }
    let mut stage = Stage::new(args)?;
    let result = run_on(shape, args, &machine, &mut stage);
    stage.end();
    result
}

fn run_on(
    shape: &impl Shape,
    args: &CommonArgs,
    machine: &Machine,
    stage: &mut Stage,
) -> anyhow::Result<()> {
    let mut progress = Progress::new();
    let mut rows = Vec::new();
    let mut base = None;
    let mut session_bytes = 0;
    println!("{}", header(shape.unit()));
    for size in shape.sizes() {
        let plan = shape.plan(*size);
        stage.publish(&plan, &mut progress)?;
        let resident = |stage: &Stage| stage.target.measured().map(|one| one.resident_bytes());
        if base.is_none() && stage.target.measured().is_some() {
            progress.say(format_args!("publishing"));
            stage.drive.run(Instant::now() + RING_FILLS_IN, Publishing::On)?;
            base = resident(stage).transpose()?;
        }
        let before = resident(stage).transpose()?.unwrap_or_default();
        stage.log_in_players(&plan)?;
        session_bytes += resident(stage).transpose()?.unwrap_or_default().saturating_sub(before);
        stage.play(&plan, &mut progress)?;
        stage.drive.run(Instant::now() + WARM_UP, Publishing::On)?;
        let mut row = measure(stage, args, *size, &mut progress)?;
        row.users = plan.users;
        if let (Some(base), Some(resident)) = (base, resident(stage).transpose()?) {
            row.viewer_bytes = Some(resident.saturating_sub(base) as f64 / row.plays as f64);
            row.session_bytes = Some(session_bytes as f64 / row.plays as f64);
        }
        progress.clear();
        println!("{}", row.line());
        rows.push(row);
    }
    let ((missing, packets), altered) = (stage.drive.sampled(), stage.drive.delays.altered);
    println!(
        "\n{} of {}; frames leave {:?}; workers {}; linger {} ms; {}; one viewer in {SAMPLED_EVERY} \
         decrypts and checks: {packets} packets, {missing} missing, {altered} not as sent\n{}",
        shape.name(),
        stage.target.name(),
        args.sending,
        args.own.workers,
        args.own.linger_ms,
        stage.drive.profile(),
        machine.line()
    );
    let is_odeum = !matches!(stage.target, Target::Http(_));
    ensure!(!is_odeum || altered == 0, "{altered} payloads are not what was sent");
    if let Some(file) = &args.json {
        let results = serde_json::json!({
            "target": stage.target.name(),
            "sending": format!("{:?}", args.sending).to_lowercase(),
            "workers": args.own.workers,
            "linger_ms": args.own.linger_ms,
            "profile": stage.drive.profile(),
            "packets_not_as_sent": altered,
            "rows": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        });
        machine.save(file, shape.name(), results)?;
    }
    if let Some(file) = &args.svg {
        let drawing = chart::draw(shape.name(), shape.unit(), &rows, &machine.line());
        std::fs::write(file, drawing).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn measure(
    stage: &mut Stage,
    args: &CommonArgs,
    size: usize,
    progress: &mut Progress,
) -> anyhow::Result<Row> {
    let has_floor = !args.no_floor && stage.target.is_own();
    let mut floor = match has_floor {
        true => Some(Floor::start(&stage.drive.floor_groups()?)?),
        false => None,
    };
    let (publishers, plays) = stage.drive.size();
    let mut row = Row::new(size, publishers, plays);
    let window = Duration::from_millis(args.window_ms);
    let (mut core_shares, mut rates) = (Vec::new(), Vec::new());
    stage.drive.delays.packets.clear();
    stage.drive.delays.frames.clear();
    stage.drive.delays.sends.clear();
    for number in 1..=args.windows {
        progress.say(format_args!("window {number} of {}", args.windows));
        let begin = Instant::now();
        let (counts, cpu) = server_window(stage, window)?;
        row.due += counts.due;
        row.lost += counts.due.saturating_sub(counts.received);
        rates.push(counts.received as f64 / window.as_secs_f64());
        if let Some(cpu) = cpu {
            core_shares.push(cpu.as_secs_f64() / begin.elapsed().as_secs_f64());
            row.server_us.push(cpu.as_secs_f64() * 1e6 / counts.received.max(1) as f64);
        }
        if let Some(floor) = &mut floor {
            for payload in [Payload::Plain, Payload::Sealed] {
                let (sent, received, cpu) = floor_window(stage, floor, payload, window)?;
                row.floor_lost += sent.saturating_sub(received);
                let us = cpu.as_secs_f64() * 1e6 / received.max(1) as f64;
                match payload {
                    Payload::Plain => row.floor_us.push(us),
                    Payload::Sealed => row.sealed_floor_us.push(us),
                }
            }
        }
    }
    row.packets_per_second = median(rates);
    row.core_share = (!core_shares.is_empty()).then(|| median(core_shares));
    row.delays = std::mem::take(&mut stage.drive.delays.packets);
    row.frame_delays = std::mem::take(&mut stage.drive.delays.frames);
    row.send_delays = std::mem::take(&mut stage.drive.delays.sends);
    stage.drive.resume();
    Ok(row)
}

/// What happened in a window, and the server's CPU time of it.
fn server_window(
    stage: &mut Stage,
    window: Duration,
) -> anyhow::Result<(Counts, Option<Duration>)> {
    let cpu_time = |stage: &Stage| stage.target.measured().map(|one| one.cpu_time()).transpose();
    let (before, cpu) = (stage.drive.counts(), cpu_time(stage)?);
    stage.drive.resume();
    stage.drive.run(Instant::now() + window, Publishing::On)?;
    let counts = stage.drive.settle(before, 0)?;
    let cpu = cpu_time(stage)?.zip(cpu).map(|(after, before)| after.saturating_sub(before));
    Ok((counts, cpu))
}

/// What the floor sent, what of it came, and its CPU time.
fn floor_window(
    stage: &mut Stage,
    floor: &mut Floor,
    payload: Payload,
    window: Duration,
) -> anyhow::Result<(u64, u64, Duration)> {
    let (before, cpu) = (stage.drive.counts(), floor.measured.cpu_time()?);
    floor.send(payload, window)?;
    stage.drive.run(Instant::now() + window + FLOOR_ENDS_IN, Publishing::Paused)?;
    let sent = floor.has_sent()?;
    let counts = stage.drive.settle(before, sent)?;
    let cpu = floor.measured.cpu_time()?.saturating_sub(cpu);
    Ok((sent, counts.of_floor, cpu))
}

/// A socket of each peer, and one of each session. A limit that cannot be raised is no error before
/// it is met.
pub(crate) fn open_as_many_files_as_allowed() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _stays_as_it_is = setrlimit(Resource::Nofile, raised);
}

/// The load runs on the other cores than the server, where there are others.
pub(crate) fn leave_core_to_server() -> anyhow::Result<()> {
    let mut cores = rustix::thread::sched_getaffinity(None)?;
    if cores.count() > 1 && cores.is_set(CORE) {
        cores.unset(CORE);
        rustix::thread::sched_setaffinity(None, &cores)?;
    }
    Ok(())
}
