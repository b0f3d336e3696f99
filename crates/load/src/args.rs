//! The command line of `odeum bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Measure a server: what media costs it, and what arrives.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  odeum bench fanout --viewers 1,50,200
  odeum bench rooms --rooms 5,10 --users 8 --json rooms.json --svg rooms.svg
  odeum bench fanout --signal-url ws://10.0.0.5:7880/signal --app-id 1234567890
  odeum bench flood --packets-per-second 50000
  odeum bench fanout --whip http://127.0.0.1:8889/{stream}/whip \\
      --whep http://127.0.0.1:8889/{stream}/whep --pid $(pidof mediamtx)

Without --signal-url or --whip a server of this binary is started on core 0, and the load takes the
other cores. Loopback and virtual machines are noisy: compare ratios within one run.")]
pub struct BenchArgs {
    /// Who is in which room, and plays what.
    #[command(subcommand)]
    pub(crate) shape: Shape,
}

/// Who is in which room, and plays what.
#[derive(Debug, Subcommand)]
pub(crate) enum Shape {
    /// One publisher of video, many viewers.
    Fanout(FanoutArgs),
    /// Rooms in which everybody publishes sound and video and plays everybody else.
    Rooms(RoomsArgs),
    /// One room, sound only: a few speak, everybody plays all of them.
    Audio(AudioArgs),
    /// Bad packets of every kind against a server of its own that has calls: what each costs it,
    /// and what the calls lose.
    Flood(FloodArgs),
    /// What the others compare with: sends bursts without encryption. Reads commands from stdin.
    #[command(hide = true)]
    Floor,
}

/// One publisher, many viewers.
#[derive(Debug, Args)]
pub(crate) struct FanoutArgs {
    /// Numbers of viewers, growing.
    #[arg(long, value_delimiter = ',', default_value = "1,50,200,400")]
    pub(crate) viewers: Vec<usize>,
    /// Packets of a video frame of 1,200 bytes each, 25 frames a second: 10 are 2.4 Mbit/s.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) frame_packets: u32,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Rooms in which everybody publishes and plays.
#[derive(Debug, Args)]
pub(crate) struct RoomsArgs {
    /// Numbers of rooms, growing.
    #[arg(long, value_delimiter = ',', default_value = "5,10,20,50")]
    pub(crate) rooms: Vec<usize>,
    /// Users of each.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) users: u16,
    /// Packets of a video frame of 1,200 bytes each, 25 frames a second: 2 are 480 kbit/s.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) frame_packets: u32,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Few speakers, many listeners.
#[derive(Debug, Args)]
pub(crate) struct AudioArgs {
    /// Numbers of listeners, growing.
    #[arg(long, value_delimiter = ',', default_value = "50,100,200,400")]
    pub(crate) listeners: Vec<usize>,
    /// How many speak.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) speakers: u16,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// A call, and bad packets beside it.
#[derive(Debug, Args)]
pub(crate) struct FloodArgs {
    /// Viewers of the one stream, of 2.4 Mbit/s.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) viewers: u16,
    /// Bad packets in a second, of one kind at a time.
    #[arg(long, default_value_t = 20_000,
          value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    pub(crate) packets_per_second: u32,
    /// Windows with bad packets of each kind, and as many without.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) windows: u32,
    /// Milliseconds of a window.
    #[arg(long, default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub(crate) window_ms: u64,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What every shape has.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Windows of the server, and as many of each floor, for each size.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) windows: u32,
    /// Milliseconds of a window.
    #[arg(long, default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub(crate) window_ms: u64,
    /// How the packets of a video frame leave their publisher.
    #[arg(long, value_enum, default_value_t = Sending::Together)]
    pub(crate) sending: Sending,
    /// Leave the floors out.
    #[arg(long)]
    pub(crate) no_floor: bool,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Draw CPU against size here.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) own: OwnServerArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// How a server of this binary is started.
#[derive(Debug, Args)]
pub(crate) struct OwnServerArgs {
    /// Media workers of the server that is started, all on its one core: what it costs that packets
    /// cross.
    #[arg(long, default_value_t = 1, conflicts_with_all = ["signal_url", "whip"])]
    pub(crate) workers: u16,
    /// Transports of a room on its first worker, before others are used.
    #[arg(long, requires = "workers", default_value_t = 500)]
    pub(crate) room_peers_per_worker: usize,
    /// linger_ms of the app of the server that is started.
    #[arg(long, default_value_t = 0, conflicts_with_all = ["signal_url", "whip"])]
    pub(crate) linger_ms: u8,
}

/// A server that runs already.
#[derive(Debug, Default, Args)]
pub(crate) struct TargetArgs {
    /// An Odeum server's signalling, for example `ws://10.0.0.5:7880/signal`.
    #[arg(long, value_name = "URL", requires = "app_id")]
    pub(crate) signal_url: Option<String>,
    /// The app at that server.
    #[arg(long, env = "ODEUM_APP_ID", value_name = "NUMBER")]
    pub(crate) app_id: Option<u32>,
    /// The app's server secret: makes the tokens of users. Better given in the environment.
    #[arg(long, env = "ODEUM_SERVER_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub(crate) server_secret: Option<String>,
    /// Where to publish, of any server: {room} and {stream} are replaced.
    #[arg(long, value_name = "URL", requires = "whep", conflicts_with = "signal_url")]
    pub(crate) whip: Option<String>,
    /// Where to play: {room} and {stream} are replaced.
    #[arg(long, value_name = "URL", requires = "whip")]
    pub(crate) whep: Option<String>,
    /// Sent as Bearer token to WHIP and WHEP. Without it a token04 is made for each user if app and
    /// secret are given, and none is sent otherwise.
    #[arg(long, env = "ODEUM_BENCH_BEARER", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) bearer: Option<String>,
    /// The process of a server on this machine, whose CPU time and memory are told.
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
}

impl TargetArgs {
    /// Whether no server was named, so that one of this binary is started.
    pub(crate) fn is_started_here(&self) -> bool {
        self.signal_url.is_none() && self.whip.is_none()
    }
}

/// How the packets of a frame leave their publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sending {
    /// All in one call, as they come off a network card: together.
    Together,
    /// One system call for each, one right after the other: the server may wake up for the first
    /// and find one packet.
    Singly,
    /// 0.4 ms from one to the next, as a pacing sender does it.
    Paced,
}
