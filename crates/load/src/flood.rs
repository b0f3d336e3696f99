//! What bad packets cost a server that has calls, and what the calls lose of them: windows with and
//! without take turns, one kind at a time, all paced to the millisecond.
//!
//! A bad packet is charged what the server used more than in the windows beside, so that waking up
//! for it is in it. Loopback's way to the server's socket is charged to who sends.

mod attacker;
mod forged;
mod halfway;
mod kind;

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::args::{FloodArgs, Sending};
use crate::drive::{Counts, Publishing};
use crate::machine::Machine;
use crate::measure::{leave_core_to_server, open_as_many_files_as_allowed};
use crate::percentiles::median;
use crate::report::Progress;
use crate::server::ServerOptions;
use crate::shape::{Media, Plan, PlayPlan, StreamPlan};
use crate::stage::Stage;
use crate::target::Target;
use attacker::{Attacker, HALFWAY, UNWATCHED, VICTIM, halfway_users};
use kind::Kind;

/// How often bad packets leave.
const TICK: Duration = Duration::from_millis(1);
/// How late a tick may be and the next ones still catch up. After a longer stall they all come
/// later: what it missed would come as one burst, and overflow the server's socket.
const LATE_MAX: Duration = Duration::from_millis(10);
/// What the server may take to answer the last hello of a window.
const ANSWERS_END_IN: Duration = Duration::from_secs(5);
/// Published before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// Packets of a frame of the stream that is played.
const FRAME_PACKETS: u32 = 10;

/// What one kind gave.
struct Row {
    /// The kind.
    kind: Kind,
    /// Packets that left.
    sent: u64,
    /// Of them, those that the server counted as what they are; none where it has no counter.
    counted: Option<u64>,
    /// Microseconds of the server for each, by window.
    us: Vec<f64>,
    /// Packets that viewers should have had meanwhile.
    due: u64,
    /// Those that they had not.
    lost: u64,
}

/// Runs the measurement.
///
/// # Errors
/// As [`crate::run`].
pub(crate) fn run(args: &FloodArgs) -> anyhow::Result<()> {
    open_as_many_files_as_allowed();
    let machine = Machine::read()?;
    leave_core_to_server()?;
    // Against none but a server of our own.
    let target = Target::started(&ServerOptions::default())?;
    let mut stage = Stage::of(Sending::Together, target)?;
    let mut progress = Progress::new();
    let plan = plan(args.viewers.into());
    stage.publish(&plan, &mut progress)?;
    stage.log_in_players(&plan)?;
    stage.play(&plan, &mut progress)?;
    stage.log_in_all(&plan.streams[VICTIM].room, &halfway_users())?;
    let mut attacker = Attacker::new(&mut stage)?;
    stage.drive.run(Instant::now() + WARM_UP, Publishing::On)?;
    let (mut rows, mut quiet_us, mut quiet) = (Vec::new(), Vec::new(), Counts::default());
    println!("| kind | sent | counted | us/packet | of a good one | calls lost | of |");
    println!("|---|---|---|---|---|---|---|");
    for kind in Kind::ALL {
        let mut row = Row { kind, sent: 0, counted: None, us: Vec::new(), due: 0, lost: 0 };
        for number in 1..=args.windows {
            progress.say(format_args!("{}: window {number} of {}", kind.name(), args.windows));
            attacker.prepare(&mut stage, &plan.streams[VICTIM], kind)?;
            let (counts, base) = window(&mut stage, args, |_| Ok(()))?;
            quiet_us.push(base * 1e6 / counts.received.max(1) as f64);
            quiet.due += counts.due;
            quiet.received += counts.received;
            row.measure(&mut stage, args, &mut attacker, base)?;
        }
        progress.clear();
        rows.push(row);
        println!("{}", rows[rows.len() - 1].line(&rows[0]));
    }
    let panics = stage.target.counter("odeum_peer_panics_total")?;
    let delivered_us = median(quiet_us);
    println!(
        "\n{} viewers, {} bad packets/s, a delivered packet of the calls {delivered_us:.2} us; \
         without bad packets lost {} of {}\n{}",
        args.viewers,
        args.packets_per_second,
        quiet.due.saturating_sub(quiet.received),
        quiet.due,
        machine.line()
    );
    if let Some(file) = &args.json {
        let results = json!({
            "viewers": args.viewers,
            "packets_per_second": args.packets_per_second,
            "delivered_us_per_packet": delivered_us,
            "quiet_packets_due": quiet.due,
            "quiet_packets_lost": quiet.due.saturating_sub(quiet.received),
            "rows": rows.iter().map(|row| row.to_json(&rows[0])).collect::<Vec<_>>(),
        });
        machine.save(file, "flood", results)?;
    }
    ensure!(panics == 0, "{panics} peers panicked");
    Ok(())
}

/// One stream with viewers, and one that nobody plays.
fn plan(viewers: usize) -> Plan {
    let stream = |user: &str, frame_packets| StreamPlan {
        room: "flood".to_owned(),
        stream: user.to_owned(),
        user: user.to_owned(),
        media: Media { audio: false, frame_packets: Some(frame_packets) },
    };
    let mut streams = vec![stream("victim", FRAME_PACKETS)];
    streams.insert(UNWATCHED, stream("unwatched", 1));
    let plays = (0..viewers).map(|at| PlayPlan { stream: VICTIM, user: format!("viewer-{at}") });
    Plan { streams, plays: plays.collect(), users: viewers + 2 }
}

/// A window in which `also` is done in every tick; what the calls had, and the server's CPU time in
/// seconds.
fn window(
    stage: &mut Stage,
    args: &FloodArgs,
    mut also: impl FnMut(&mut Stage) -> anyhow::Result<()>,
) -> anyhow::Result<(Counts, f64)> {
    let cpu_time = |stage: &Stage| match stage.target.measured() {
        Some(measured) => measured.cpu_time(),
        None => Ok(Duration::ZERO),
    };
    stage.drive.resume();
    let (before, cpu) = (stage.drive.counts(), cpu_time(stage)?);
    let mut next = Instant::now();
    for _ in 0..args.window_ms / TICK.as_millis() as u64 {
        also(stage)?;
        next = next_tick(next, Instant::now());
        stage.drive.run(next, Publishing::On)?;
    }
    let counts = stage.drive.settle(before, 0)?;
    Ok((counts, cpu_time(stage)?.saturating_sub(cpu).as_secs_f64()))
}

/// The tick after that of `last`, when it is `now`.
fn next_tick(last: Instant, now: Instant) -> Instant {
    let next = last + TICK;
    if now.saturating_duration_since(next) > LATE_MAX { now } else { next }
}

impl Row {
    /// A window with bad packets; `base` is what the server used in one without, in seconds.
    fn measure(
        &mut self,
        stage: &mut Stage,
        args: &FloodArgs,
        attacker: &mut Attacker,
        base: f64,
    ) -> anyhow::Result<()> {
        let counter =
            |stage: &Stage| self.kind.counter().map(|name| stage.target.counter(name)).transpose();
        let (kind, counted) = (self.kind, counter(stage)?);
        let per_second = self.kind.per_second(args.packets_per_second, HALFWAY, args.window_ms);
        let (mut sent, mut due) = (0, 0.0);
        let (counts, cpu) = window(stage, args, |stage| {
            due += per_second * TICK.as_secs_f64();
            let now = due as u64;
            due -= now as f64;
            sent += attacker.send(&mut stage.drive, kind, now)?;
            Ok(())
        })?;
        if let Some((before, after)) = counted.zip(counter(stage)?) {
            self.counted = Some(self.counted.unwrap_or_default() + (after - before));
        }
        let mut answers = attacker.take_answers()?;
        let is_answered = kind == Kind::OtherHello;
        // The last ones may still be on their way.
        let limit = Instant::now() + ANSWERS_END_IN;
        while is_answered && answers < sent && Instant::now() < limit {
            stage.drive.run(Instant::now() + TICK, Publishing::Paused)?;
            answers += attacker.take_answers()?;
        }
        ensure!(!is_answered || answers >= sent, "{answers} of {sent} hellos were answered");
        self.sent += sent;
        self.us.push((cpu - base) * 1e6 / sent.max(1) as f64);
        self.due += counts.due;
        self.lost += counts.due.saturating_sub(counts.received);
        Ok(())
    }

    fn us(&self) -> f64 {
        median(self.us.iter().copied())
    }

    fn line(&self, good: &Self) -> String {
        format!(
            "| {} | {} | {} | {:.2} | {:.2} | {} | {} |",
            self.kind.name(),
            self.sent,
            self.counted.map_or("-".to_owned(), |counted| counted.to_string()),
            self.us(),
            self.us() / good.us(),
            self.lost,
            self.due,
        )
    }

    fn to_json(&self, good: &Self) -> Value {
        json!({
            "kind": self.kind.name(),
            "sent": self.sent,
            "counted": self.counted,
            "us_per_packet": self.us(),
            "us_per_packet_by_window": self.us,
            "of_a_good_one": self.us() / good.us(),
            "packets_due": self.due,
            "packets_lost": self.lost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_tick_is_caught_up_with_and_a_stall_is_not() {
        let last = Instant::now();
        let after = |late: Duration| next_tick(last, last + TICK + late);
        assert_eq!(after(Duration::ZERO), last + TICK);
        assert_eq!(after(LATE_MAX), last + TICK);
        let stall = Duration::from_secs(2);
        assert_eq!(after(stall), last + TICK + stall);
    }
}
