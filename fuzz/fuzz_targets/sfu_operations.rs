//! The media plane of one worker in any order of operations: peers that come, connect, send sound
//! and damaged packets from their own and from forged addresses, report, ask, fall silent and go.
//!
//! What must hold: no panic, not even a contained one; every peer is either live or told to be
//! closed; bytes go only to addresses from which a live peer has sent an authentic check; what is
//! sent to a peer it can open; a send fits the kernel's limits.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use odeum_rtp::rtcp::{ReportBlock, SenderInfo};
use odeum_rtp::sdp::Direction;
use odeum_rtp::{HeaderWriter, Marker, PacketKind, RtpHeader};
use odeum_sfu::{Sfu, SfuConfig, SfuEvent};
use odeum_srtp::UnprotectError;
use odeum_types::PeerId;

use client::{Client, Rtx};

#[path = "../../crates/sfu/src/tests/client.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use more of it")]
mod client;

/// Peers of one run; handshakes are what costs time here.
const PEERS_MAX: usize = 6;
/// Operations of one run.
const OPERATIONS_MAX: usize = 200;

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Source {
    Audio,
    Video,
    Rtx,
    Foreign,
}

#[derive(Arbitrary, Debug)]
enum Operation {
    Publish,
    Play {
        publisher: u8,
        rtx: bool,
    },
    OfferBytes {
        bytes: Vec<u8>,
    },
    /// An offer with some bytes changed.
    OfferDamaged {
        changes: Vec<(u16, u8)>,
    },
    /// ICE and DTLS to the end.
    Connect {
        peer: u8,
    },
    /// Opens DTLS and forgets about it.
    HalfConnect {
        peer: u8,
    },
    Check {
        peer: u8,
        from: u8,
        nominates: bool,
    },
    Rtp {
        peer: u8,
        source: Source,
        distance: i16,
        key: bool,
        payload: Vec<u8>,
        flip: Flip,
    },
    /// Plain bytes of the peer's own making behind a sound header, extensions and padding included.
    RawRtp {
        peer: u8,
        bytes: Vec<u8>,
    },
    RawRtcp {
        peer: u8,
        bytes: Vec<u8>,
    },
    Nack {
        peer: u8,
        back: u8,
        count: u8,
    },
    Pli {
        peer: u8,
    },
    SenderReport {
        peer: u8,
        source: Source,
        ntp: u64,
        timestamp: u32,
    },
    Goodbye {
        peer: u8,
        source: Source,
    },
    Foreign {
        from: u8,
        bytes: Vec<u8>,
    },
    CloseDtls {
        peer: u8,
    },
    Close {
        peer: u8,
    },
    /// Time passes; many peers' worth of it with a large number.
    Pass {
        milliseconds: u16,
    },
    /// Lets what is queued wait: the next operation belongs to the same batch.
    Wait,
}

/// What happens to a packet on its way: from which address it comes, and what is damaged.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Flip {
    None,
    At(u16, u8),
    From(u8),
}

/// A client, and what it knows of what it sends and gets.
struct Member {
    client: Client,
    /// Addresses from which it has sent authentic checks.
    checked_from: BTreeSet<SocketAddr>,
    /// Next sequence numbers of audio, video and RTX.
    sequences: [u16; 4],
    /// Source and number of the last packet received.
    last: Option<(u32, u16)>,
}

struct World {
    sfu: Sfu,
    now: Instant,
    config: Arc<dimpl::Config>,
    members: BTreeMap<PeerId, Member>,
    next_id: u64,
    /// Authentic checks of a peer that was told to be closed since the last drain.
    leaving: BTreeSet<SocketAddr>,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let candidates = vec![SocketAddr::from(([127, 0, 0, 1], 7881))];
        let mut config = SfuConfig::new(certificate, candidates, [42; 32]);
        config.peers_max = PEERS_MAX;
        config.subscribers_per_publisher_max = 3;
        config.video_ring_packets = 64;
        config.video_ring_bytes = 16 << 10;
        config.audio_ring_packets = 16;
        config.audio_ring_bytes = 2 << 10;
        Self {
            sfu: Sfu::new(now, config),
            now,
            config: Arc::new(dimpl::Config::builder().build().unwrap()),
            members: BTreeMap::new(),
            next_id: 0,
            leaving: BTreeSet::new(),
        }
    }

    fn nth(&self, peer: u8) -> Option<PeerId> {
        self.members.keys().nth(usize::from(peer) % self.members.len().max(1)).copied()
    }

    fn member(&mut self, peer: u8) -> Option<&mut Member> {
        let id = self.nth(peer)?;
        self.members.get_mut(&id)
    }

    fn address_of(&self, peer: u8) -> SocketAddr {
        match self.nth(peer) {
            Some(id) if peer < 250 => self.members[&id].client.address,
            _ => SocketAddr::from(([66, 6, 6, peer], 666)),
        }
    }

    fn new_client(&mut self) -> Client {
        self.next_id += 1;
        Client::new(self.now, self.next_id, Arc::clone(&self.config))
    }

    fn admit(&mut self, mut client: Client, answer: &str) {
        client.take_answer(answer);
        let sequences = [10, 65_530, 7, 9];
        let member = Member { client, checked_from: BTreeSet::new(), sequences, last: None };
        self.members.insert(member.client.id, member);
    }

    fn send(&mut self, source: SocketAddr, mut bytes: Vec<u8>) {
        self.sfu.handle_datagram(self.now, source, &mut bytes);
    }

    fn send_as(&mut self, peer: u8, bytes: Vec<u8>) {
        self.send(self.address_of(peer), bytes);
    }

    /// Takes everything out and looks at it. DTLS goes to `handshaking` only.
    fn drain(&mut self, handshaking: Option<PeerId>) {
        let mut sends = 0;
        while let Some(transmit) = self.sfu.poll_transmit() {
            sends += 1;
            assert!(sends < 20_000, "it does not end");
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            assert!(size > 0 && transmit.bytes.len() <= 64_000);
            assert!(transmit.bytes.len().div_ceil(size) <= 64);
            let to = transmit.destination;
            let owners = || self.members.values().filter(|m| m.checked_from.contains(&to));
            assert!(owners().next().is_some() || self.leaving.contains(&to), "bytes for {to}");
            let is_one = owners().count() == 1 && !self.leaving.contains(&to);
            let owner = self.members.values_mut().find(|m| m.checked_from.contains(&to));
            let Some(member) = owner.filter(|_| is_one) else { continue };
            for bytes in transmit.bytes.chunks(size) {
                if PacketKind::of(bytes) != PacketKind::Dtls {
                    member.take(bytes);
                } else if handshaking == Some(member.client.id) && member.client.inbound.is_none() {
                    member.client.handle_datagram(self.now, bytes);
                }
            }
        }
        self.leaving.clear();
        while let Some(event) = self.sfu.poll_event() {
            match event {
                SfuEvent::Connected { peer, .. } => assert!(self.members.contains_key(&peer)),
                SfuEvent::LayersWanted { publisher, .. } => {
                    assert!(self.members.contains_key(&publisher));
                }
                // There is no other worker here, and so no mirror.
                SfuEvent::KeyFrameWanted { publisher, .. } => panic!("{publisher} has no mirror"),
                SfuEvent::Closed { peer, .. } => {
                    let member = self.members.remove(&peer).expect("closed once, and was there");
                    drop(member);
                }
            }
        }
        let statistics = self.sfu.statistics();
        assert_eq!(statistics.panics, 0);
        assert_eq!(statistics.peers, self.members.len() as u64);
        assert!(self.members.len() <= PEERS_MAX);
        assert_eq!(self.sfu.poll_timeout().is_none(), self.members.is_empty());
    }

    fn connect(&mut self, peer: u8) {
        let Some(id) = self.nth(peer) else { return };
        let now = self.now;
        let member = self.members.get_mut(&id).unwrap();
        if member.client.outbound.is_some() {
            return;
        }
        let check = member.client.check();
        member.checked_from.insert(member.client.address);
        let address = member.client.address;
        self.send(address, check);
        self.drain(Some(id));
        if let Some(member) = self.members.get_mut(&id) {
            member.client.start_dtls(now);
        }
        for _ in 0..10 {
            let Some(member) = self.members.get_mut(&id) else { return };
            let outbox = std::mem::take(&mut member.client.outbox);
            if outbox.is_empty() {
                return;
            }
            for bytes in outbox {
                self.send(address, bytes);
            }
            self.drain(Some(id));
        }
    }

    /// Whether the queue is to be drained after it.
    fn step(&mut self, operation: Operation) -> bool {
        match operation {
            Operation::Publish => {
                let client = self.new_client();
                let offer = client.offer(Direction::SendOnly, Rtx::Offered);
                if let Ok(answer) = self.sfu.create_publisher(self.now, client.id, &offer) {
                    self.admit(client, &answer.sdp);
                }
            }
            Operation::Play { publisher, rtx } => {
                let Some(publisher) = self.nth(publisher) else { return false };
                let client = self.new_client();
                let rtx = if rtx { Rtx::Offered } else { Rtx::Left };
                let offer = client.offer(Direction::ReceiveOnly, rtx);
                let made = self.sfu.create_subscriber(self.now, client.id, publisher, &offer);
                if let Ok(answer) = made {
                    self.admit(client, &answer.sdp);
                }
            }
            Operation::OfferBytes { bytes } => self.offer(&String::from_utf8_lossy(&bytes)),
            Operation::OfferDamaged { changes } => {
                let mut offer = self.new_client().offer(Direction::SendOnly, Rtx::Left);
                for (at, byte) in changes {
                    let at = usize::from(at) % offer.len();
                    offer.replace_range(at..at + 1, &char::from(byte & 0x7f).to_string());
                }
                self.offer(&offer);
            }
            Operation::Connect { peer } => {
                self.drain(None);
                self.connect(peer);
            }
            Operation::HalfConnect { peer } => {
                let Some(id) = self.nth(peer) else { return false };
                let now = self.now;
                let member = self.members.get_mut(&id).unwrap();
                if member.client.outbound.is_none() && member.client.outbox.is_empty() {
                    member.client.start_dtls(now);
                    let outbox = std::mem::take(&mut member.client.outbox);
                    outbox.into_iter().for_each(|bytes| self.send_as(peer, bytes));
                }
            }
            Operation::Check { peer, from, nominates } => {
                let source = self.address_of(from);
                let Some(member) = self.member(peer) else { return false };
                let check =
                    if nominates { member.client.check() } else { member.client.plain_check() };
                member.checked_from.insert(source);
                self.send(source, check);
            }
            Operation::Rtp { peer, source, distance, key, payload, flip } => {
                let Some(member) = self.member(peer) else { return false };
                let Some(mut packet) = member.rtp(source, distance, key, &payload) else {
                    return false;
                };
                let mut from = peer;
                match flip {
                    Flip::None => {}
                    Flip::At(at, mask) => {
                        let at = usize::from(at) % packet.len();
                        packet[at] ^= mask;
                    }
                    Flip::From(other) => from = other,
                }
                self.send_as(from, packet);
            }
            Operation::RawRtp { peer, bytes } => {
                let Some(member) = self.member(peer) else { return false };
                if let Some(packet) = member.protect(PacketKind::Rtp, bytes) {
                    self.send_as(peer, packet);
                }
            }
            Operation::RawRtcp { peer, bytes } => self.send_rtcp(peer, bytes),
            Operation::Nack { peer, back, count } => {
                let Some((ssrc, newest)) = self.member(peer).and_then(|m| m.last) else {
                    return false;
                };
                let first = newest.wrapping_sub(u16::from(back));
                let asked = (0..u16::from(count)).map(|n| first.wrapping_add(n));
                self.write_rtcp(peer, |writer| writer.nack(1, ssrc, asked).unwrap());
            }
            Operation::Pli { peer } => {
                self.write_rtcp(peer, |writer| writer.picture_loss_indication(1, 2).unwrap());
            }
            Operation::SenderReport { peer, source, ntp, timestamp: rtp_timestamp } => {
                let ssrc = ssrc_of(source);
                let info = SenderInfo { ssrc, ntp, rtp_timestamp, packet_count: 1, octet_count: 1 };
                let block = ReportBlock { ssrc, ..ReportBlock::default() };
                self.write_rtcp(peer, |writer| writer.sender_report(&info, &[block]).unwrap());
            }
            Operation::Goodbye { peer, source } => {
                self.write_rtcp(peer, |writer| writer.goodbye(&[ssrc_of(source)]).unwrap());
            }
            Operation::Foreign { from, bytes } => self.send_as(from, bytes),
            Operation::CloseDtls { peer } => {
                let Some(id) = self.nth(peer) else { return false };
                let member = self.members.get_mut(&id).unwrap();
                if member.client.outbound.is_some() && !member.client.is_closed {
                    member.client.is_closed = true;
                    member.client.close_dtls();
                    let outbox = std::mem::take(&mut member.client.outbox);
                    outbox.into_iter().for_each(|bytes| self.send_as(peer, bytes));
                }
            }
            Operation::Close { peer } => {
                let Some(id) = self.nth(peer) else { return false };
                self.drain(None);
                if let Some(member) = self.members.get(&id) {
                    self.leaving.extend(&member.checked_from);
                    self.sfu.close_peer(self.now, id);
                }
            }
            Operation::Pass { milliseconds } => {
                self.drain(None);
                let end = self.now + Duration::from_millis(u64::from(milliseconds));
                while let Some(at) = self.sfu.poll_timeout().filter(|at| *at <= end) {
                    self.now = self.now.max(at);
                    self.sfu.handle_timeout(self.now);
                    self.drain(None);
                }
                self.now = end;
            }
            Operation::Wait => return false,
        }
        true
    }

    /// An offer that nobody holds on to: if it is taken, its peer is closed at once.
    fn offer(&mut self, offer: &str) {
        self.next_id += 1;
        let id = PeerId(self.next_id);
        self.drain(None);
        if self.sfu.create_publisher(self.now, id, offer).is_ok() {
            self.sfu.close_peer(self.now, id);
            let closed = self.sfu.poll_event();
            assert!(matches!(closed, Some(SfuEvent::Closed { peer, .. }) if peer == id));
        }
    }

    fn write_rtcp(&mut self, peer: u8, write: impl FnOnce(&mut odeum_rtp::rtcp::RtcpWriter<'_>)) {
        let Some(member) = self.member(peer).filter(|m| m.client.outbound.is_some()) else {
            return;
        };
        let packet = member.client.rtcp(write);
        self.send_as(peer, packet);
    }

    fn send_rtcp(&mut self, peer: u8, bytes: Vec<u8>) {
        let Some(member) = self.member(peer) else { return };
        if let Some(packet) = member.protect(PacketKind::Rtcp, bytes) {
            self.send_as(peer, packet);
        }
    }
}

fn ssrc_of(source: Source) -> u32 {
    match source {
        Source::Audio => client::AUDIO_SSRC,
        Source::Video => client::VIDEO_SSRC,
        Source::Rtx => client::VIDEO_RTX_SSRC,
        Source::Foreign => 0x4444,
    }
}

impl Member {
    /// Opens what came for it.
    fn take(&mut self, bytes: &[u8]) {
        let Some(inbound) = &mut self.client.inbound else { return };
        let mut plain = bytes.to_vec();
        let opened = match PacketKind::of(bytes) {
            PacketKind::Rtp => inbound.unprotect_rtp(&mut plain),
            PacketKind::Rtcp => inbound.unprotect_rtcp(&mut plain),
            PacketKind::Stun => return,
            PacketKind::Dtls | PacketKind::Unknown => panic!("what is this? {bytes:02x?}"),
        };
        match opened {
            Ok(_) => {}
            // Sent again without RTX: the same bytes.
            Err(UnprotectError::Replayed { .. }) => return,
            Err(error) => panic!("it cannot open what was sent: {error}"),
        }
        if PacketKind::of(bytes) == PacketKind::Rtp {
            let header = RtpHeader::parse(&plain).expect("a sound header");
            if header.payload_type != client::RTX_PT {
                self.last = Some((header.ssrc, header.sequence_number));
            }
        }
    }

    fn rtp(&mut self, source: Source, distance: i16, key: bool, payload: &[u8]) -> Option<Vec<u8>> {
        let payload = &payload[..payload.len().min(1_600)];
        let (payload_type, place) = match source {
            Source::Audio => (client::AUDIO_PT, 0),
            Source::Video => (client::VIDEO_PT, 1),
            Source::Rtx => (client::RTX_PT, 2),
            Source::Foreign => (client::VIDEO_PT, 3),
        };
        // Mostly the next one.
        let distance = if distance % 4 == 0 { distance } else { 1 };
        self.sequences[place] = self.sequences[place].wrapping_add_signed(distance);
        let header = HeaderWriter {
            marker: Marker::Set,
            payload_type,
            sequence_number: self.sequences[place],
            timestamp: u32::from(self.sequences[place]).wrapping_mul(3_000),
            ssrc: ssrc_of(source),
            csrcs: &[],
        };
        let mut packet = vec![0; 64];
        let number = self.sequences[place].to_be_bytes();
        let length = header.write(&mut packet, &[(1, &[5]), (3, &number)]).ok()?;
        packet.truncate(length);
        match source {
            Source::Rtx => {
                // Of something near the newest video.
                let original = self.sequences[1].wrapping_sub(u16::from(payload.len() as u8 % 80));
                packet.extend(original.to_be_bytes());
                packet.extend(client::inter_frame(payload));
            }
            Source::Video if key => packet.extend(client::key_frame(payload)),
            Source::Video => packet.extend(client::inter_frame(payload)),
            Source::Audio | Source::Foreign => packet.extend(payload),
        }
        self.protect(PacketKind::Rtp, packet)
    }

    fn protect(&mut self, kind: PacketKind, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let outbound = self.client.outbound.as_mut()?;
        packet.truncate(3_000);
        let profile = outbound.profile();
        let protected = match kind {
            PacketKind::Rtcp => {
                packet.resize(packet.len() + profile.rtcp_overhead_bytes(), 0);
                outbound.protect_rtcp(&mut packet)
            }
            _ => {
                packet.resize(packet.len() + profile.rtp_overhead_bytes(), 0);
                outbound.protect_rtp(&mut packet)
            }
        };
        protected.ok()?;
        Some(packet)
    }
}

fuzz_target!(|operations: Vec<Operation>| {
    // Contained panics are what this looks for: they must not end in silence.
    let mut world = World::new();
    for operation in [Operation::Publish, Operation::Play { publisher: 0, rtx: true }] {
        world.step(operation);
    }
    world.connect(0);
    world.connect(1);
    for operation in operations.into_iter().take(OPERATIONS_MAX) {
        if world.step(operation) {
            world.drain(None);
        }
    }
    world.drain(None);
});
