//! What it costs the server that clients come another way than UDP: over its own TURN relay, itself
//! over UDP, TCP or TLS, or over TCP. One stream and its viewers for each way; windows of all ways
//! take turns in one run, so that what else the machine does meets all. Only the stream whose
//! window it is flows.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use odeum_client::{
    Certificate, Direction, Events, LoginOptions, PeerConfig, PeerEvent, RequestError, Signalling,
    TurnCarrier, TurnServer, VideoSource, VideoSourceConfig, WebRtcPeer,
};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::soak::wire::{Link, Way};
use odeum_load::{APP, Machine, Reach, Server, ServerOptions, median, token};

/// Bits of video in a second.
const BITS_PER_SECOND: u32 = 2_400_000;
/// Packets of a frame.
const FRAME_PACKETS: u32 = 10;
/// How long a stream flows before its window, and what is on its way afterwards.
const SETTLES_IN: Duration = Duration::from_millis(200);
/// How long somebody may take to connect.
const CONNECTS_IN: Duration = Duration::from_secs(10);
/// How often a viewer asks for a stream that is about to enter the room.
const PLAY_ATTEMPTS_MAX: u32 = 50;
/// From one of these to the next; also how often a paused publisher looks whether it may go on.
const AGAIN_IN: Duration = Duration::from_millis(20);
/// The ways, with the one that the others are compared with first.
const WAYS: [(Way, &str, &str); 5] = [
    (Way::Udp, "udp", "UDP"),
    (Way::Turn(TurnCarrier::Udp), "turn-udp", "TURN relay over UDP"),
    (Way::Turn(TurnCarrier::Tcp), "turn-tcp", "TURN relay over TCP"),
    (Way::Turn(TurnCarrier::Tls), "turn-tls", "TURN relay over TLS"),
    (Way::Tcp, "ice-tcp", "ICE-TCP"),
];

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct WaysArgs {
    /// Viewers of each way.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=400))]
    viewers: u16,
    /// Windows of each way.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    windows: u32,
    /// Milliseconds of a window.
    #[arg(long, default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(100..=60_000))]
    window_ms: u64,
    /// Keep the results as JSON here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the tasks of one way share.
#[derive(Default)]
struct Flow {
    /// Whether the stream flows.
    is_on: Cell<bool>,
    /// Packets that the publisher has sent.
    sent: Cell<u64>,
    /// Packets that viewers have received.
    received: Cell<u64>,
    /// Who is connected.
    connected: Cell<usize>,
    /// What ended somebody.
    failure: RefCell<Option<anyhow::Error>>,
}

/// One way and its stream.
struct Side {
    name: &'static str,
    flow: Rc<Flow>,
    /// Sessions last as long as these.
    _sessions: Vec<(Signalling, Events)>,
    windows: Vec<Window>,
}

/// What one window gave.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// Packets that should have arrived.
    due: u64,
    /// Those that did.
    received: u64,
    /// The server's CPU time.
    cpu: Duration,
}

impl Window {
    fn us_per_packet(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.received.max(1) as f64
    }
}

/// Runs the measurement.
///
/// # Errors
/// A server that is not built or fails, somebody who does not connect or is turned out.
pub(crate) fn run(args: &WaysArgs) -> anyhow::Result<()> {
    let machine = Machine::read()?;
    let server = Server::start(&ServerOptions { reach: Reach::AllWays, ..Default::default() })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sides = LocalSet::new().block_on(&runtime, measure(&server, args))?;
    println!(
        "| way | packets/s | lost | us of CPU per packet | beside UDP |\n|---|---|---|---|---|"
    );
    let rows: Vec<Value> = sides.iter().map(|side| side.tell(&sides[0], args)).collect();
    println!(
        "{} viewers of each way, {} windows of {} ms of each in turn, medians\n{}",
        args.viewers,
        args.windows,
        args.window_ms,
        machine.line()
    );
    if let Some(file) = &args.json {
        machine.save(file, "ways", rows.into())?;
    }
    Ok(())
}

async fn measure(server: &Server, args: &WaysArgs) -> anyhow::Result<Vec<Side>> {
    let certificate = Certificate::generate()?;
    let mut sides = Vec::new();
    for (way, room, name) in WAYS {
        sides.push(Side::open(server, &certificate, way, (room, name), args.viewers).await?);
    }
    for _ in 0..args.windows {
        for side in &mut sides {
            side.measure(server, Duration::from_millis(args.window_ms)).await?;
        }
    }
    Ok(sides)
}

impl Side {
    /// Brings a publisher and its viewers in.
    async fn open(
        server: &Server,
        certificate: &Certificate,
        way: Way,
        (room, name): (&'static str, &'static str),
        viewers: u16,
    ) -> anyhow::Result<Self> {
        let flow = Rc::new(Flow::default());
        let mut sessions = Vec::new();
        for number in 0..=viewers {
            let user = format!("{room}-{number}");
            let (signalling, events) = Signalling::connect(&server.connect_options()).await?;
            let mut login = LoginOptions::new(APP.0, room, &user, token(&user)?);
            login.user_update = false;
            let relay = TurnServer::named_by(&signalling.login(login).await?.ice_servers);
            // The stream comes by UDP in each case: what is compared is the way out.
            let (direction, way) =
                if number == 0 { (Direction::Send, Way::Udp) } else { (Direction::Receive, way) };
            let config = PeerConfig::new(direction, certificate.clone(), rand::random());
            let peer = WebRtcPeer::new(config);
            let offer = peer.offer();
            let answer = match number {
                0 => signalling.publish(room, room, "", &offer).await?,
                _ => play(&signalling, room, &offer).await?,
            };
            let link = Link::open(peer, way, &answer, relay.as_ref()).await?;
            let source = (number == 0).then(|| {
                let config = VideoSourceConfig {
                    bits_per_second: BITS_PER_SECOND,
                    burst_packets: FRAME_PACKETS,
                    ..VideoSourceConfig::new(Instant::now())
                };
                VideoSource::new(Instant::now(), config)
            });
            tokio::task::spawn_local(serve(link, source, Rc::clone(&flow)));
            flow.until_connected(usize::from(number) + 1).await?;
            sessions.push((signalling, events));
        }
        Ok(Self { name, flow, _sessions: sessions, windows: Vec::new() })
    }

    async fn measure(&mut self, server: &Server, window: Duration) -> anyhow::Result<()> {
        let flow = &self.flow;
        flow.is_on.set(true);
        tokio::time::sleep(SETTLES_IN).await;
        let (sent, received) = (flow.sent.get(), flow.received.get());
        let cpu = server.measured.cpu_time()?;
        tokio::time::sleep(window).await;
        let viewers = (flow.connected.get() - 1) as u64;
        self.windows.push(Window {
            due: (flow.sent.get() - sent) * viewers,
            received: flow.received.get() - received,
            cpu: server.measured.cpu_time()?.saturating_sub(cpu),
        });
        flow.is_on.set(false);
        tokio::time::sleep(SETTLES_IN).await;
        flow.check()
    }

    /// Prints its row and gives it as data.
    fn tell(&self, beside: &Self, args: &WaysArgs) -> Value {
        let cpu_us = median(self.windows.iter().map(Window::us_per_packet));
        let pairs = self.windows.iter().zip(&beside.windows);
        let ratio = median(pairs.map(|(own, other)| own.us_per_packet() / other.us_per_packet()));
        let sum = |figure: fn(&Window) -> u64| self.windows.iter().map(figure).sum::<u64>();
        let (due, received) = (sum(|window| window.due), sum(|window| window.received));
        let seconds = f64::from(args.windows) * args.window_ms as f64 / 1e3;
        let per_second = received as f64 / seconds;
        // At the borders of a window a frame may be sent in one and arrive in the other.
        let lost = 1.0 - (received as f64 / due.max(1) as f64).min(1.0);
        let (name, lost_percent) = (self.name, 100.0 * lost);
        println!("| {name} | {per_second:.0} | {lost_percent:.2} % | {cpu_us:.2} | {ratio:.2} |");
        json!({
            "way": name,
            "viewers": args.viewers,
            "packets_per_second": per_second,
            "lost": lost,
            "cpu_us_per_packet": cpu_us,
            "beside_udp": ratio,
        })
    }
}

impl Flow {
    async fn until_connected(&self, count: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + CONNECTS_IN;
        while self.connected.get() < count {
            ensure!(Instant::now() < deadline, "somebody did not connect");
            self.check()?;
            tokio::time::sleep(AGAIN_IN).await;
        }
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        self.failure.borrow_mut().take().map_or(Ok(()), Err)
    }
}

/// Asks for the stream, which has its room's name, and enters it a moment after its publisher is
/// connected.
async fn play(signalling: &Signalling, room: &str, offer: &str) -> anyhow::Result<String> {
    for _ in 0..PLAY_ATTEMPTS_MAX {
        match signalling.play(room, room, offer).await {
            Err(RequestError::Refused { .. }) => tokio::time::sleep(AGAIN_IN).await,
            answer => return answer.context("play"),
        }
    }
    bail!("the stream does not enter its room")
}

/// Drives one transport until it fails.
async fn serve(link: Link, source: Option<VideoSource>, flow: Rc<Flow>) {
    if let Err(error) = drive(link, source, &flow).await {
        *flow.failure.borrow_mut() = Some(error);
    }
}

async fn drive(mut link: Link, mut source: Option<VideoSource>, flow: &Flow) -> anyhow::Result<()> {
    loop {
        let mut wake = Instant::now() + AGAIN_IN;
        if let Some(source) = &mut source {
            while let Some(packet) = source.poll_packet(Instant::now()) {
                // What is due while the stream is off is never sent.
                if flow.is_on.get() {
                    link.peer.send_rtp(&packet);
                    flow.sent.set(flow.sent.get() + 1);
                }
            }
            wake = wake.min(source.poll_timeout());
        }
        tokio::select! {
            result = link.next() => result?,
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        let happened = link.take();
        flow.received.set(flow.received.get() + happened.played);
        for event in happened.events {
            match event {
                PeerEvent::Connected { .. } => flow.connected.set(flow.connected.get() + 1),
                PeerEvent::Closed(reason) => bail!("somebody was turned out: {reason:?}"),
                PeerEvent::KeyFrameRequested => {
                    source.iter_mut().for_each(VideoSource::request_key_frame);
                }
            }
        }
    }
}
