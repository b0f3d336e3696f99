//! What callbacks cost the Server API: the same calls on a server that tells a receiver and on one
//! that has none. Rounds of both take turns, on the same core, so that what else the machine does
//! meets both; medians are told.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};

use crate::crowd::{Client, Person, log_in};
use crate::http_load::{HttpLoad, Signer};
use crate::receiver::Receiver;
use odeum_load::{Machine, Server, ServerOptions, median};

/// Users of each room.
const ROOM: usize = 10;
/// Calls per second that the app may make: more than a core can.
const CALLS_PER_SECOND: u32 = 10_000_000;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct CallbacksArgs {
    /// Connections, each with one call under way.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Rounds of each server.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Users of each round.
    #[arg(long, default_value_t = 1_000)]
    users: usize,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the backend does in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// AddStream for each user, then DeleteStream: the contract has no callbacks for them.
    Streams,
    /// For each user a login, AddStream, DescribeUserNum, DeleteStream and KickoutUser: a user's
    /// life as a backend sees it.
    Lives,
    /// KickoutUser for each user: a room_logout each, a room_close for each ten.
    Kicks,
    /// CloseRoom for each ten users: a room_logout for each of them and a room_close.
    Closes,
}

/// A server and how its rounds went.
struct Side {
    /// The server.
    server: Server,
    /// Where its callbacks go; none sends none.
    receiver: Option<Receiver>,
    /// Signs its calls.
    signer: Signer,
    /// Rounds so far; every round has rooms and users of its own.
    rounds: usize,
}

/// What one round gave.
struct Round {
    /// Calls answered.
    calls: u64,
    /// Until the last reply had come and the receiver had the last callback: a backlog is work
    /// that is still to be done.
    elapsed: Duration,
    /// The server's CPU time for all of it.
    cpu: Duration,
    /// Callbacks that the receiver took.
    callbacks: u64,
    /// Commits of the store.
    commits: u64,
    /// The reply that took longest.
    longest_ms: f64,
}

/// What one kind of work gave.
struct Row {
    /// The work.
    work: Work,
    /// Rounds with callbacks and, at the same place, without.
    pairs: Vec<(Round, Round)>,
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, a call that is refused, a callback that does not come.
pub(crate) fn run(args: &CallbacksArgs) -> anyhow::Result<()> {
    let machine = Machine::read()?;
    ensure!(args.users.is_multiple_of(ROOM), "--users must be a multiple of {ROOM}");
    let (mut on, mut off) = (Side::start(Some(Receiver::start()?))?, Side::start(None)?);
    let mut rows = Vec::new();
    for work in [Work::Streams, Work::Lives, Work::Kicks, Work::Closes] {
        // One to warm up.
        on.round(work, args)?;
        off.round(work, args)?;
        let mut row = Row { work, pairs: Vec::new() };
        for number in 0..args.rounds {
            // Each goes first in every second pair: what a round leaves behind meets both.
            row.pairs.push(if number % 2 == 0 {
                (on.round(work, args)?, off.round(work, args)?)
            } else {
                let without = off.round(work, args)?;
                (on.round(work, args)?, without)
            });
        }
        rows.push(row);
    }
    println!(
        "| calls | callbacks per call | calls/s without | with | ratio | us of CPU per call \
         without | with | per callback | callbacks/s | commits/s |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    );
    rows.iter().for_each(Row::print);
    let longest_ms = rows.iter().map(Row::longest_ms).fold(0.0, f64::max);
    println!(
        "{} rounds of each, medians; the longest reply of all took {longest_ms:.0} ms\n{}",
        args.rounds,
        machine.line()
    );
    if let Some(file) = &args.json {
        machine.save(file, "callbacks", rows.iter().map(Row::to_json).collect())?;
    }
    Ok(())
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Streams => "AddStream, DeleteStream",
            Self::Lives => "login; AddStream, DescribeUserNum, DeleteStream, KickoutUser",
            Self::Kicks => "KickoutUser",
            Self::Closes => "CloseRoom of 10 users",
        }
    }

    /// Callbacks that `users` cause from the first login until all are out.
    fn callbacks(users: usize) -> u64 {
        (2 * users + 2 * (users / ROOM)) as u64
    }
}

impl Side {
    fn start(receiver: Option<Receiver>) -> anyhow::Result<Self> {
        let actions = ["AddStream", "DescribeUserNum", "DeleteStream", "KickoutUser", "CloseRoom"];
        let calls = actions.map(|action| (action, CALLS_PER_SECOND));
        let server = Server::start(&ServerOptions {
            calls_per_second: &calls,
            receiver: receiver.as_ref().map(|receiver| receiver.address),
            ..Default::default()
        })?;
        Ok(Self { server, receiver, signer: Signer::new(), rounds: 0 })
    }

    /// One round: users log in, the calls are made, everybody is out again.
    fn round(&mut self, work: Work, args: &CallbacksArgs) -> anyhow::Result<Round> {
        self.rounds += 1;
        let users = args.users;
        let before = self.told();
        let mut clients = Vec::new();
        if work != Work::Lives {
            clients = self.log_in(users)?;
            self.wait_until_told(before + Work::callbacks(users) - Self::of_the_end(users))?;
        }
        let mut load = HttpLoad::connect(self.server.http, args.connections)?;
        let measured = self.server.measured;
        let (told, commits) = (self.told(), self.commits()?);
        let (cpu, begin) = (measured.cpu_time()?, Instant::now());
        match work {
            Work::Streams => self.calls(&mut load, users, &["AddStream", "DeleteStream"])?,
            Work::Lives => {
                clients = self.log_in(users)?;
                let calls = ["AddStream", "DescribeUserNum", "DeleteStream", "KickoutUser"];
                self.calls(&mut load, users, &calls)?;
            }
            Work::Kicks => self.calls(&mut load, users, &["KickoutUser"])?,
            Work::Closes => self.calls(&mut load, users, &["CloseRoom"])?,
        }
        if work != Work::Streams {
            self.wait_until_told(before + Work::callbacks(users))?;
        }
        let round = Round {
            calls: load.replies,
            elapsed: begin.elapsed(),
            cpu: measured.cpu_time()?.saturating_sub(cpu),
            callbacks: self.told() - told,
            commits: self.commits()? - commits,
            longest_ms: load.delays.milliseconds(100.0),
        };
        if work == Work::Streams {
            self.calls(&mut load, users, &["CloseRoom"])?;
            self.wait_until_told(before + Work::callbacks(users))?;
        }
        drop(clients);
        Ok(round)
    }

    /// Callbacks of [`Work::callbacks`] that come when users go.
    fn of_the_end(users: usize) -> u64 {
        Work::callbacks(users) / 2
    }

    fn log_in(&self, users: usize) -> anyhow::Result<Vec<Client>> {
        let person = |number| Person {
            room: room(self.rounds, number),
            user: user(self.rounds, number),
            user_update: false,
        };
        log_in(self.server.http, &(0..users).map(person).collect::<Vec<_>>())
    }

    /// Makes each of these calls for every user, or for every room, one kind after the other.
    fn calls(&mut self, load: &mut HttpLoad, users: usize, actions: &[&str]) -> anyhow::Result<()> {
        let (round, signer) = (self.rounds, &mut self.signer);
        for action in actions {
            let step = if *action == "CloseRoom" { ROOM } else { 1 };
            let mut numbers = (0..users).step_by(step);
            load.run(|| {
                let number = numbers.next()?;
                let (room, user) = (room(round, number), user(round, number));
                let parameters = match *action {
                    "DescribeUserNum" => format!("&RoomId[]={room}"),
                    "KickoutUser" => format!("&RoomId={room}&UserId[]={user}"),
                    "CloseRoom" => format!("&RoomId={room}&RoomCloseCallback=true"),
                    _ => format!("&RoomId={room}&UserId=backend&StreamId=stream-of-{user}"),
                };
                Some(signer.request(action, &parameters))
            })?;
        }
        Ok(())
    }

    /// Callbacks that the receiver has taken.
    fn told(&self) -> u64 {
        self.receiver.as_ref().map_or(0, |receiver| receiver.counts().all)
    }

    fn wait_until_told(&self, all: u64) -> anyhow::Result<()> {
        if let Some(receiver) = &self.receiver {
            receiver.wait_for(all)?;
        }
        Ok(())
    }

    fn commits(&self) -> anyhow::Result<u64> {
        self.server.metric("odeum_store_commits_total")
    }
}

/// The room of a round's user.
fn room(round: usize, user: usize) -> String {
    format!("room-{round}-{}", user / ROOM)
}

/// The name of a round's user.
fn user(round: usize, user: usize) -> String {
    format!("user-{round}-{user}")
}

impl Round {
    fn per_second(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64()
    }

    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.calls as f64
    }
}

impl Row {
    fn with(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.pairs.iter().map(|(on, _)| figure(on)))
    }

    fn without(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.pairs.iter().map(|(_, off)| figure(off)))
    }

    /// With callbacks by without, in the middle of the pairs.
    fn ratio(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.pairs.iter().map(|(on, off)| figure(on) / figure(off)))
    }

    fn callbacks_per_call(&self) -> f64 {
        self.with(|round| round.callbacks as f64 / round.calls as f64)
    }

    /// The server's CPU time for a callback; none where there are none.
    fn cpu_us_per_callback(&self) -> Option<f64> {
        let per_call = self.callbacks_per_call();
        let more = self.with(Round::cpu_us) - self.without(Round::cpu_us);
        (per_call > 0.0).then(|| more / per_call)
    }

    fn callbacks_per_second(&self) -> f64 {
        self.with(|round| round.callbacks as f64 / round.elapsed.as_secs_f64())
    }

    /// The reply that took longest of all.
    fn longest_ms(&self) -> f64 {
        let rounds = self.pairs.iter().flat_map(|(on, off)| [on, off]);
        rounds.map(|round| round.longest_ms).fold(0.0, f64::max)
    }

    fn commits_per_second(&self) -> f64 {
        self.with(|round| round.commits as f64 / round.elapsed.as_secs_f64())
    }

    fn print(&self) {
        let per_callback = self.cpu_us_per_callback();
        println!(
            "| {} | {:.2} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} | {} | {:.0} | {:.0} |",
            self.work.name(),
            self.callbacks_per_call(),
            self.without(Round::per_second),
            self.with(Round::per_second),
            self.ratio(Round::per_second),
            self.without(Round::cpu_us),
            self.with(Round::cpu_us),
            per_callback.map_or("-".to_owned(), |us| format!("{us:.0}")),
            self.callbacks_per_second(),
            self.commits_per_second(),
        );
    }

    fn to_json(&self) -> Value {
        json!({
            "work": self.work.name(),
            "callbacks_per_call": self.callbacks_per_call(),
            "calls_per_second_without": self.without(Round::per_second),
            "calls_per_second_with": self.with(Round::per_second),
            "ratio": self.ratio(Round::per_second),
            "cpu_us_per_call_without": self.without(Round::cpu_us),
            "cpu_us_per_call_with": self.with(Round::cpu_us),
            "cpu_us_per_callback": self.cpu_us_per_callback(),
            "callbacks_per_second": self.callbacks_per_second(),
            "longest_ms": self.longest_ms(),
            "commits_per_second": self.commits_per_second(),
        })
    }
}
