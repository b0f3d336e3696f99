//! A server, a publisher and its viewers, each at the end of a way of its own, in virtual time. One
//! step is a millisecond. Seeded are networks, media and clients; the keys of DTLS are not, so
//! that the bytes of a handshake differ and nothing that is measured afterwards.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_client::{
    AudioSource, Certificate, CloseReason, Direction, PeerConfig, PeerEvent, Transmit, VideoSource,
    VideoSourceConfig, WebRtcPeer,
};
use odeum_rtp::PacketKind;
use odeum_sfu::{PlayTerms, Sfu, SfuConfig};
use odeum_types::PeerId;

use crate::link::Link;
use crate::playout::{FRAME_PACKETS, Playout};

/// The resolution of time.
const STEP: Duration = Duration::from_millis(1);
/// Payload type of retransmissions in the clients' offers.
const RTX: u8 = 97;
/// Thirty frames a second of four packets with 900 bytes.
const VIDEO_BITS_PER_SECOND: u32 = 864_000;

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
    /// The publisher, then the viewers.
    pub(crate) seats: Vec<Seat>,
    /// The publisher's camera.
    pub(crate) video: VideoSource,
    /// The publisher's microphone.
    pub(crate) audio: AudioSource,
    /// What flies, by arrival and order of leaving; bounded by the longest delay.
    flying: BTreeMap<(Instant, u64), Flight>,
    /// Packets that ever flew.
    flights: u64,
    /// Where all seeds come from.
    seed: u64,
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
        let now = Instant::now();
        let certificate = odeum_sfu::DtlsCertificate::generate().unwrap();
        let config = SfuConfig::new(certificate, vec![server()], [seed as u8; 32]);
        let video = VideoSourceConfig {
            bits_per_second: VIDEO_BITS_PER_SECOND,
            payload_bytes: 900,
            burst_packets: FRAME_PACKETS as u32,
            epoch: now,
        };
        let mut world = Self {
            sfu: Sfu::new(now, config),
            now,
            seats: Vec::new(),
            video: VideoSource::new(now, video),
            audio: AudioSource::new(now, now),
            flying: BTreeMap::new(),
            flights: 0,
            seed,
        };
        world.join(Direction::Send);
        world.run(Duration::from_secs(1));
        (0..viewers).for_each(|_| world.join(Direction::Receive));
        world.run(Duration::from_secs(1));
        assert!(world.seats.iter().all(|seat| seat.peer.is_connected()), "seed {seed}");
        let now = world.now;
        for seat in &mut world.seats {
            seat.playout.begin_measuring(now);
            seat.sent = Sent::default();
        }
        world
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

    fn join(&mut self, direction: Direction) {
        let at = self.seats.len() as u64;
        let seed = self.seed.wrapping_mul(1_000) + at * 10;
        let config = PeerConfig::new(direction, Certificate::generate().unwrap(), seed);
        let mut peer = WebRtcPeer::new(config);
        let (now, id) = (self.now, PeerId(at));
        let answer = match direction {
            Direction::Send => self.sfu.create_publisher(now, id, &peer.offer()),
            Direction::Receive => {
                self.sfu.create_subscriber(now, id, PlayTerms::alone(PeerId(0)), &peer.offer())
            }
        };
        peer.accept_answer(now, &answer.unwrap().sdp).unwrap();
        self.seats.push(Seat {
            peer,
            address: ([10, 0, 1, 1], 4_000 + at as u16).into(),
            up: Link::new(now, seed + 1),
            down: Link::new(now, seed + 2),
            playout: Playout::new(self.video_epoch()),
            sent: Sent::default(),
            closed: None,
        });
    }

    /// Everything began before the first seat was taken.
    fn video_epoch(&self) -> Instant {
        self.seats.first().map_or(self.now, |publisher| publisher.playout.epoch())
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

    /// The publisher's media, and what clients say about what they see.
    fn produce(&mut self) {
        let now = self.now;
        let publisher = &mut self.seats[0].peer;
        while let Some(packet) = self.video.poll_packet(now) {
            publisher.send_rtp(&packet);
        }
        while let Some(packet) = self.audio.poll_packet(now) {
            publisher.send_rtp(&packet);
        }
        for (at, seat) in self.seats.iter_mut().enumerate() {
            if at > 0 && seat.peer.is_connected() && seat.playout.asks_for_key_frame(now) {
                seat.peer.request_key_frame();
            }
            while let Some(event) = seat.peer.poll_event() {
                match event {
                    PeerEvent::Connected { .. } => {}
                    PeerEvent::KeyFrameRequested => self.video.request_key_frame(),
                    PeerEvent::Closed(reason) => seat.closed = Some(reason),
                }
            }
        }
    }

    fn depart(&mut self) {
        let now = self.now;
        let (flying, flights) = (&mut self.flying, &mut self.flights);
        let mut fly = |link: &mut Link, source, destination, bytes: &[u8]| {
            for arrives in link.carry(now, bytes.len()).into_iter().flatten() {
                *flights += 1;
                let bytes = bytes.to_vec();
                flying.insert((arrives, *flights), Flight { source, destination, bytes });
            }
        };
        for seat in &mut self.seats {
            while let Some(Transmit { destination, bytes }) = seat.peer.poll_transmit() {
                fly(&mut seat.up, seat.address, destination, &bytes);
            }
        }
        while let Some(transmit) = self.sfu.poll_transmit() {
            let destination = transmit.destination.socket;
            let seat = self.seats.iter_mut().find(|seat| seat.address == destination);
            let Some(seat) = seat else { continue };
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            for bytes in transmit.bytes.chunks(size) {
                seat.sent.note(bytes);
                fly(&mut seat.down, server(), destination, bytes);
            }
        }
        while self.sfu.poll_event().is_some() {}
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
            RTX => self.retransmissions += size_bytes,
            _ => self.media += size_bytes,
        }
    }
}
