//! A server, a publisher and its viewers, each at the end of a way of its own, in virtual time. One
//! step is a millisecond. Seeded are networks, media and clients; the keys of DTLS are not, so
//! that the bytes of a handshake differ and nothing that is measured afterwards.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_client::{
    AudioSource, Certificate, CloseReason, Direction, Kind, PeerConfig, PeerEvent, SoundRepair,
    Transmit, VideoSource, VideoSourceConfig, WebRtcPeer,
};
use odeum_rtp::PacketKind;
use odeum_sfu::{PlayTerms, Sfu, SfuConfig};
use odeum_types::PeerId;

use crate::link::{Link, LinkConfig};
use crate::playout::{FRAME_PACKETS, LAYERS, PAYLOAD_BYTES, Playout};

/// The resolution of time.
const STEP: Duration = Duration::from_millis(1);
/// Payload types of retransmissions in the clients' offers.
const RTX: [u8; 2] = [97, 112];

/// What left the server for a viewer, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Media sent for the first time.
    pub(crate) media: u64,
    /// Retransmissions and probes.
    pub(crate) retransmissions: u64,
}

/// A client and its way to the server.
pub(crate) struct Seat {
    /// The client.
    pub(crate) peer: WebRtcPeer,
    /// Its address, as the server sees it.
    pub(crate) address: SocketAddr,
    /// To the server.
    pub(crate) up: Link,
    /// From the server.
    pub(crate) down: Link,
    /// Which narrow part of the network all that it gets comes through before `down`.
    pub(crate) behind: Option<usize>,
    /// What it sees.
    pub(crate) playout: Playout,
    /// What the server sent it.
    pub(crate) sent: Sent,
    /// Why it ended.
    pub(crate) closed: Option<CloseReason>,
}

/// All of it.
pub(crate) struct World {
    /// The server.
    pub(crate) sfu: Sfu,
    /// The time.
    pub(crate) now: Instant,
    /// What stamps count from.
    epoch: Instant,
    /// The publisher, then the viewers.
    pub(crate) seats: Vec<Seat>,
    /// Narrow parts that several clients are behind.
    pub(crate) bottlenecks: Vec<Link>,
    /// What each publisher sends, by its seat.
    studios: Vec<Studio>,
    /// What clients offer.
    media: Vec<Kind>,
    /// How they make lost sound good.
    sound: SoundRepair,
    /// What flies, by arrival and order of leaving; bounded by the longest delay.
    flying: BTreeMap<(Instant, u64), Flight>,
    /// Packets that ever flew.
    flights: u64,
    /// Where all seeds come from.
    seed: u64,
}

/// A publisher's cameras, one for each layer, and its microphone.
struct Studio {
    /// The cameras.
    video: Vec<VideoSource>,
    /// The microphone.
    audio: AudioSource,
}

/// Who sits down.
#[derive(Debug, Clone, Copy)]
enum Role {
    /// One who sends, in so many layers.
    Publisher { layers: usize },
    /// One who plays.
    Viewer(PlayTerms),
}

/// A packet between two ends.
struct Flight {
    /// Where from.
    source: SocketAddr,
    /// Where to.
    destination: SocketAddr,
    /// Its bytes.
    bytes: Vec<u8>,
}

fn server() -> SocketAddr {
    ([10, 0, 0, 1], 7881).into()
}

impl World {
    /// A publisher and `viewers`, connected over good networks, two seconds after they began.
    pub(crate) fn new(seed: u64, viewers: usize) -> Self {
        let mut world = Self::empty(seed);
        world.join(Role::Publisher { layers: 1 });
        world.run(Duration::from_secs(1));
        (0..viewers).for_each(|_| world.join(Role::Viewer(PlayTerms::alone(PeerId(0)))));
        world.run(Duration::from_secs(1));
        world.begin_measuring();
        world
    }

    /// A publisher of nothing but sound and a viewer, both with this way to make good what is lost.
    pub(crate) fn of_sound(seed: u64, sound: SoundRepair) -> Self {
        let mut world = Self::empty(seed);
        (world.media, world.sound) = (vec![Kind::Audio], sound);
        world.join(Role::Publisher { layers: 1 });
        world.run(Duration::from_secs(1));
        world.join(Role::Viewer(PlayTerms::alone(PeerId(0))));
        world.run(Duration::from_secs(1));
        world.begin_measuring();
        world
    }

    /// Publishers of three layers, and after a second those who play what `plays` say through one
    /// narrow part, all at once.
    pub(crate) fn behind_one(
        seed: u64,
        publishers: usize,
        plays: &[PlayTerms],
        bottleneck: LinkConfig,
    ) -> Self {
        let mut world = Self::empty(seed);
        (0..publishers).for_each(|_| world.join(Role::Publisher { layers: LAYERS.len() }));
        world.run(Duration::from_secs(1));
        let mut narrow = Link::new(world.now, seed.wrapping_mul(1_000) + 999);
        narrow.config = bottleneck;
        world.bottlenecks.push(narrow);
        for terms in plays {
            world.join(Role::Viewer(*terms));
            let seat = world.seats.last_mut().expect("it has just been taken");
            seat.behind = Some(0);
        }
        world.run(Duration::from_secs(1));
        world.begin_measuring();
        world
    }

    fn empty(seed: u64) -> Self {
        let now = Instant::now();
        let certificate = odeum_sfu::DtlsCertificate::generate().unwrap();
        let config = SfuConfig::new(certificate, vec![server()], [seed as u8; 32]);
        Self {
            sfu: Sfu::new(now, config),
            now,
            epoch: now,
            seats: Vec::new(),
            bottlenecks: Vec::new(),
            studios: Vec::new(),
            media: vec![Kind::Audio, Kind::Video],
            sound: SoundRepair::default(),
            flying: BTreeMap::new(),
            flights: 0,
            seed,
        }
    }

    /// Counts what is seen from now on.
    pub(crate) fn begin_measuring(&mut self) {
        let (now, seed) = (self.now, self.seed);
        assert!(self.seats.iter().all(|seat| seat.peer.is_connected()), "seed {seed}");
        for seat in &mut self.seats {
            seat.playout.begin_measuring(now);
            seat.sent = Sent::default();
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now += STEP;
            self.arrive();
            self.produce();
            let now = self.now;
            if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
                self.sfu.handle_timeout(now);
            }
            for seat in &mut self.seats {
                if seat.peer.poll_timeout().is_some_and(|at| at <= now) {
                    seat.peer.handle_timeout(now);
                }
            }
            self.depart();
        }
    }

    /// Gives a client another address, as a NAT does that forgot it: what flies to the old one is
    /// lost.
    pub(crate) fn change_address(&mut self, at: usize) {
        let port = self.seats[at].address.port();
        self.seats[at].address.set_port(port + 1_000);
    }

    fn join(&mut self, role: Role) {
        let at = self.seats.len() as u64;
        let seed = self.seed.wrapping_mul(1_000) + at * 10;
        let (direction, layers) = match role {
            Role::Publisher { layers } => (Direction::Send, layers),
            Role::Viewer(_) => (Direction::Receive, 1),
        };
        let config = PeerConfig::new(direction, Certificate::generate().unwrap(), seed);
        let mut peer = WebRtcPeer::new(PeerConfig {
            layers,
            media: self.media.clone(),
            sound: self.sound,
            ..config
        });
        let (now, id) = (self.now, PeerId(at));
        let answer = match role {
            Role::Publisher { layers } => {
                self.studios.push(Studio::new(now, self.epoch, layers));
                self.sfu.create_publisher(now, id, &peer.offer())
            }
            Role::Viewer(terms) => self.sfu.create_subscriber(now, id, terms, &peer.offer()),
        };
        peer.accept_answer(now, &answer.unwrap().sdp).unwrap();
        self.seats.push(Seat {
            peer,
            address: ([10, 0, 1, 1], 4_000 + at as u16).into(),
            up: Link::new(now, seed + 1),
            down: Link::new(now, seed + 2),
            behind: None,
            playout: Playout::new(self.epoch),
            sent: Sent::default(),
            closed: None,
        });
    }

    fn arrive(&mut self) {
        let later = self.flying.split_off(&(self.now + Duration::from_nanos(1), 0));
        for (_, mut flight) in std::mem::replace(&mut self.flying, later) {
            if flight.destination == server() {
                self.sfu.handle_datagram(self.now, flight.source, &mut flight.bytes);
                continue;
            }
            let seat = self.seats.iter_mut().find(|seat| seat.address == flight.destination);
            let Some(seat) = seat else { continue };
            if let Some(received) =
                seat.peer.handle_datagram(self.now, flight.source, &mut flight.bytes)
            {
                seat.playout.handle(self.now, &received);
            }
        }
    }

    /// The publishers' media, and what clients say about what they see.
    fn produce(&mut self) {
        let now = self.now;
        let publishers = self.studios.len();
        for (studio, seat) in self.studios.iter_mut().zip(&mut self.seats) {
            studio.send(now, &mut seat.peer);
        }
        for (at, seat) in self.seats.iter_mut().enumerate() {
            if at >= publishers && seat.peer.is_connected() && seat.playout.asks_for_key_frame(now)
            {
                seat.peer.request_key_frame();
            }
            while let Some(event) = seat.peer.poll_event() {
                match event {
                    PeerEvent::Connected { .. } => {}
                    PeerEvent::KeyFrameRequested => {
                        self.studios[at].video.iter_mut().for_each(VideoSource::request_key_frame);
                    }
                    PeerEvent::Closed(reason) => seat.closed = Some(reason),
                }
            }
        }
    }

    fn depart(&mut self) {
        let now = self.now;
        let (flying, flights) = (&mut self.flying, &mut self.flights);
        let mut fly = |at: Instant, link: &mut Link, source, destination, bytes: &[u8]| {
            for arrives in link.carry(at, bytes.len()).into_iter().flatten() {
                *flights += 1;
                let bytes = bytes.to_vec();
                flying.insert((arrives, *flights), Flight { source, destination, bytes });
            }
        };
        for seat in &mut self.seats {
            while let Some(Transmit { destination, bytes }) = seat.peer.poll_transmit() {
                fly(now, &mut seat.up, seat.address, destination, &bytes);
            }
        }
        while let Some(transmit) = self.sfu.poll_transmit() {
            let destination = transmit.destination.socket;
            let seat = self.seats.iter_mut().find(|seat| seat.address == destination);
            let Some(seat) = seat else { continue };
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            for bytes in transmit.bytes.chunks(size) {
                seat.sent.note(bytes);
                let through = match seat.behind {
                    Some(at) => self.bottlenecks[at].carry(now, bytes.len()),
                    None => [Some(now), None],
                };
                for at in through.into_iter().flatten() {
                    fly(at, &mut seat.down, server(), destination, bytes);
                }
            }
        }
        while self.sfu.poll_event().is_some() {}
    }
}

impl Studio {
    fn new(now: Instant, epoch: Instant, layers: usize) -> Self {
        let camera = |layer: usize, packets: u64, payload_bytes: usize| {
            // Thirty frames a second.
            let bits_per_second = (packets * payload_bytes as u64 * 8 * 30) as u32;
            let burst_packets = packets as u32;
            let config =
                VideoSourceConfig { bits_per_second, payload_bytes, burst_packets, layer, epoch };
            VideoSource::new(now, config)
        };
        let video = match layers {
            1 => vec![camera(0, FRAME_PACKETS, PAYLOAD_BYTES)],
            _ => (0..).zip(LAYERS).map(|(at, (count, bytes))| camera(at, count, bytes)).collect(),
        };
        Self { video, audio: AudioSource::new(now, epoch) }
    }

    fn send(&mut self, now: Instant, peer: &mut WebRtcPeer) {
        for camera in &mut self.video {
            while let Some(packet) = camera.poll_packet(now) {
                peer.send_rtp(&packet);
            }
        }
        while let Some(packet) = self.audio.poll_packet(now) {
            peer.send_rtp(&packet);
        }
    }
}

impl Sent {
    /// Notes a datagram; the first bytes of SRTP are in the clear (RFC 3711 §3.1).
    fn note(&mut self, bytes: &[u8]) {
        if PacketKind::of(bytes) != PacketKind::Rtp {
            return;
        }
        let size_bytes = bytes.len() as u64;
        match bytes[1] & 0x7F {
            retransmitted if RTX.contains(&retransmitted) => self.retransmissions += size_bytes,
            _ => self.media += size_bytes,
        }
    }
}
