//! Two real clients that go on all the time: one publishes sound and picture, the other one plays.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use odeum_client::{
    AudioSource, Certificate, ConnectOptions, Direction, Event, Events, Kind, LoginOptions,
    PeerConfig, PeerEvent, Signalling, VideoSource, VideoSourceConfig, WebRtcPeer,
};
use odeum_rtp::PacketKind;

use crate::process::{APP, PATIENCE, Server, token};

/// Their room, which no garbage names.
const ROOM: &str = "live";
/// Their stream.
const STREAM: &str = "live";
/// Packets of each kind that must arrive to show that media flows: a second's worth.
const PACKETS_AWAITED: u64 = 40;
/// Datagrams of each kind that are kept of each client, to be mutated.
const SAMPLES_PER_KIND: usize = 40;

/// The two clients.
pub(crate) struct Pair {
    shared: Arc<Shared>,
    driver: Option<JoinHandle<()>>,
    /// Sessions last as long as these.
    _signalling: [Signalling; 2],
    /// Their sockets, publisher first, to send garbage from.
    pub(crate) sockets: [UdpSocket; 2],
    /// `<server's ufrag>:<client's>` of the publisher.
    pub(crate) username: String,
    /// The password that its checks are signed with.
    pub(crate) password: String,
    /// An offer to publish and one to play.
    pub(crate) offers: [String; 2],
}

/// Between the thread of the clients and the test.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Packets by kind that arrived at the player, and those that it missed.
    received: [AtomicU64; 2],
    lost: [AtomicU64; 2],
    /// What must not have happened.
    faults: Mutex<Vec<String>>,
    /// Datagrams that the clients sent, by kind, as they were.
    samples: Mutex<HashMap<PacketKind, Vec<Vec<u8>>>>,
}

impl Pair {
    /// Logs in, publishes, plays, and returns when media flows.
    pub(crate) async fn start(server: &Server) -> Self {
        let shared = Arc::new(Shared::default());
        let certificate = Certificate::generate().expect("a certificate");
        let config = |direction, seed| PeerConfig::new(direction, certificate.clone(), seed);
        let mut publisher = Peer::new(config(Direction::Send, 1));
        let player = Peer::new(config(Direction::Receive, 2));
        let offers = [publisher.peer.offer(), player.peer.offer()];

        let publishing = login(server, "live-publisher", ROOM, &shared).await;
        let sdp = publishing.publish(ROOM, STREAM, "", &offers[0]).await.expect("a good offer");
        publisher.peer.accept_answer(Instant::now(), &sdp).expect("a good answer");
        let attribute = |sdp: &str, name: &str| {
            let value = sdp.lines().find_map(|line| line.strip_prefix(name));
            value.unwrap_or_else(|| panic!("{name} in {sdp}")).to_owned()
        };
        let ufrags = [&sdp, &offers[0]].map(|sdp| attribute(sdp, "a=ice-ufrag:"));
        let password = attribute(&sdp, "a=ice-pwd:");
        let (media, sockets) = (Media::new(), [publisher.socket(), player.socket()]);
        let peers = [publisher, player];
        let driver = Driver { peers, media, shared: Arc::clone(&shared) };
        let (accept, accepted) = std::sync::mpsc::channel();
        let driver = std::thread::spawn(move || driver.run(&accepted));

        let playing = login(server, "live-player", ROOM, &shared).await;
        let began = Instant::now();
        // The stream is in the room's list once its media is connected.
        let sdp = loop {
            match playing.play(ROOM, STREAM, &offers[1]).await {
                Ok(sdp) => break sdp,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}; {}", server.report()),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        accept.send(sdp).expect("the driver runs");
        let pair = Self {
            shared,
            driver: Some(driver),
            _signalling: [publishing, playing],
            sockets,
            username: ufrags.join(":"),
            password,
            offers,
        };
        while pair.samples().len() < 4 || pair.received().contains(&0) {
            let state = (pair.samples().len(), pair.received());
            assert!(began.elapsed() < PATIENCE, "no media: {state:?}; {}", server.report());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        pair
    }

    /// Somebody else logs in.
    pub(crate) async fn login(server: &Server, user: &str, room: &str) -> Signalling {
        login(server, user, room, &Arc::default()).await
    }

    /// Packets that arrived so far: audio, video.
    pub(crate) fn received(&self) -> [u64; 2] {
        [0, 1].map(|kind| self.shared.received[kind].load(Ordering::Relaxed))
    }

    /// Datagrams that they sent themselves, by kind.
    pub(crate) fn samples(&self) -> HashMap<PacketKind, Vec<Vec<u8>>> {
        self.shared.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails when a session or a transport of theirs ended, when nothing more arrives, or when a
    /// tenth of what is sent now gets lost.
    pub(crate) async fn assert_alive(&self, when: &str) {
        let lost = || [0, 1].map(|kind| self.shared.lost[kind].load(Ordering::Relaxed));
        let (lost_before, received_before) = (lost(), self.received());
        let began = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let (lost, received) = (lost(), self.received());
            let received = [0, 1].map(|kind| received[kind] - received_before[kind]);
            if received.iter().all(|received| *received >= PACKETS_AWAITED) {
                for kind in [0, 1] {
                    let lost = lost[kind].saturating_sub(lost_before[kind]);
                    assert!(
                        lost * 9 <= received[kind],
                        "{when}: {lost} lost, {received:?} arrived"
                    );
                }
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{when}: only {received:?} packets arrived");
        }
        let faults = self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(faults.is_empty(), "{when}: {faults:?}");
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(driver) = self.driver.take() {
            // A panic of the driver was printed, and media did not arrive.
            drop(driver.join());
        }
    }
}

async fn login(server: &Server, user: &str, room: &str, shared: &Arc<Shared>) -> Signalling {
    let options = ConnectOptions::new(server.signal_url());
    let (signalling, events) = Signalling::connect(&options).await.expect("it takes WebSockets");
    let login = LoginOptions::new(APP.0, room, user, token(user));
    signalling.login(login).await.expect("a good token");
    tokio::spawn(watch(user.to_owned(), events, Arc::clone(shared)));
    signalling
}

/// Notes what must not happen to a session.
async fn watch(user: String, mut events: Events, shared: Arc<Shared>) {
    while let Some(event) = events.next().await {
        if matches!(event, Event::Closed { .. } | Event::Gap(_) | Event::Error(_)) {
            shared.fault(format!("{user}: {event:?}"));
        }
    }
}

impl Shared {
    fn fault(&self, fault: String) {
        if !self.stop.load(Ordering::Relaxed) {
            self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
        }
    }

    fn keep(&self, datagram: &[u8]) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = samples.entry(PacketKind::of(datagram)).or_default();
        if kept.len() < SAMPLES_PER_KIND {
            kept.push(datagram.to_vec());
        }
    }
}

/// A client's transport.
struct Peer {
    peer: WebRtcPeer,
    socket: UdpSocket,
}

impl Peer {
    fn new(config: PeerConfig) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        socket.set_nonblocking(true).expect("every socket can");
        Self { peer: WebRtcPeer::new(config), socket }
    }

    fn socket(&self) -> UdpSocket {
        self.socket.try_clone().expect("a descriptor is free")
    }
}

/// What is published.
struct Media {
    audio: AudioSource,
    video: VideoSource,
}

impl Media {
    fn new() -> Self {
        let epoch = Instant::now();
        let config = VideoSourceConfig {
            bits_per_second: 400_000,
            burst_packets: 4,
            ..VideoSourceConfig::new(epoch)
        };
        Self { audio: AudioSource::new(epoch, epoch), video: VideoSource::new(epoch, config) }
    }
}

/// Drives both transports on a thread of its own.
struct Driver {
    peers: [Peer; 2],
    media: Media,
    shared: Arc<Shared>,
}

impl Driver {
    #[expect(clippy::disallowed_methods, reason = "a thread of its own that paces media")]
    fn run(mut self, player_answer: &std::sync::mpsc::Receiver<String>) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            if let Ok(sdp) = player_answer.try_recv() {
                let player = &mut self.peers[1].peer;
                player.accept_answer(Instant::now(), &sdp).expect("a good answer");
            }
            self.publish();
            for index in 0..self.peers.len() {
                self.turn(index);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn publish(&mut self) {
        let now = Instant::now();
        let publisher = &mut self.peers[0].peer;
        while let Some(packet) = self.media.audio.poll_packet(now) {
            publisher.send_rtp(&packet);
        }
        while let Some(packet) = self.media.video.poll_packet(now) {
            publisher.send_rtp(&packet);
        }
    }

    fn turn(&mut self, index: usize) {
        let Peer { peer, socket } = &mut self.peers[index];
        let mut buffer = [0; 2_048];
        while let Ok((length, source)) = socket.recv_from(&mut buffer) {
            peer.handle_datagram(Instant::now(), source, &mut buffer[..length]);
        }
        let now = Instant::now();
        if peer.poll_timeout().is_some_and(|at| at <= now) {
            peer.handle_timeout(now);
        }
        while let Some(transmit) = peer.poll_transmit() {
            self.shared.keep(&transmit.bytes);
            // What the socket does not take is lost, as in a network.
            drop(socket.send_to(&transmit.bytes, transmit.destination));
        }
        if index == 1 {
            for (slot, kind) in [Kind::Audio, Kind::Video].into_iter().enumerate() {
                let statistics = peer.receive_statistics(kind);
                self.shared.received[slot].store(statistics.packets, Ordering::Relaxed);
                self.shared.lost[slot].store(statistics.lost, Ordering::Relaxed);
            }
        }
        while let Some(event) = peer.poll_event() {
            match event {
                PeerEvent::Connected { .. } => {}
                PeerEvent::KeyFrameRequested => self.media.video.request_key_frame(),
                PeerEvent::Closed(reason) => self.shared.fault(format!("transport {reason:?}")),
            }
        }
    }
}
