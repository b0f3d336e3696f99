//! The media planes of two workers in any order of operations: peers that come, connect, send sound
//! and damaged packets from their own and from forged addresses, in one size and in several,
//! report, ask, wish, restart ICE, fall silent and go; streams that are cut, and mirrored from the
//! first worker on the second.
//!
//! What must hold: no panic, not even a contained one; every peer is either live or told to be
//! closed; bytes go only to addresses from which a live peer has sent an authentic check; what is
//! sent to a peer it can open; a send fits the kernel's limits.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use odeum_rtp::PacketKind;
use odeum_rtp::rtcp::{ReportBlock, SenderInfo};
use odeum_rtp::sdp::Direction;
use odeum_sfu::{
    CutTracks, IceUfrag, LayerIndex, PlayTerms, PlayWish, Priority, Relayed, RelayedKind, Sfu,
    SfuConfig, SfuEvent, VideoWish,
};
use odeum_types::{PeerId, SessionId};

use client::{Client, Rtx};
use member::{Member, ssrc_of};
use operation::{Begin, Flip, Operation};

#[path = "../../crates/sfu/src/tests/client.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use more of it")]
mod client;
#[path = "sfu_operations/member.rs"]
mod member;
#[path = "sfu_operations/operation.rs"]
mod operation;

/// The worker that publishers are on.
const HOME: usize = 0;
/// The worker that has mirrors.
const OTHER: usize = 1;
/// Peers of one run; handshakes are what costs time here.
const PEERS_MAX: usize = 6;
/// Operations of one run.
const OPERATIONS_MAX: usize = 200;

struct World {
    /// The workers.
    sfus: [Sfu; 2],
    /// Publishers that the other worker mirrors.
    mirrors: BTreeSet<PeerId>,
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
        let certificate = odeum_sfu::DtlsCertificate::generate().unwrap();
        let candidates = vec![SocketAddr::from(([127, 0, 0, 1], 7881))];
        let mut config = SfuConfig::new(certificate, candidates, [42; 32]);
        config.peers_max = PEERS_MAX;
        config.subscribers_per_publisher_max = 3;
        config.video_ring_packets = 64;
        config.video_ring_bytes = 16 << 10;
        config.audio_ring_packets = 16;
        config.audio_ring_bytes = 2 << 10;
        let mut second = config.clone();
        second.seed = [43; 32];
        Self {
            sfus: [Sfu::new(now, config), Sfu::new(now, second)],
            mirrors: BTreeSet::new(),
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

    fn admit(&mut self, worker: usize, mut client: Client, answer: &str) {
        client.take_answer(answer);
        let member = Member::new(client, worker);
        self.members.insert(member.client.id, member);
    }

    fn worker_of(&self, peer: u8) -> usize {
        self.nth(peer).map_or(HOME, |id| self.members[&id].worker)
    }

    fn send(&mut self, worker: usize, source: SocketAddr, mut bytes: Vec<u8>) {
        self.sfus[worker].handle_datagram(self.now, source, &mut bytes);
    }

    fn send_as(&mut self, peer: u8, bytes: Vec<u8>) {
        self.send(self.worker_of(peer), self.address_of(peer), bytes);
    }

    /// Takes everything out and looks at it. DTLS goes to `handshaking` only.
    fn drain(&mut self, handshaking: Option<PeerId>) {
        let now = self.now;
        let [home, other] = &mut self.sfus;
        while let Some(relayed) = home.poll_relayed() {
            other.handle_relayed(now, relayed);
        }
        for worker in [HOME, OTHER] {
            self.drain_datagrams(worker, handshaking);
        }
        self.leaving.clear();
        for worker in [HOME, OTHER] {
            self.drain_events(worker);
        }
        assert!(self.sfus[OTHER].poll_relayed().is_none(), "a mirror is not mirrored");
        for (worker, sfu) in self.sfus.iter().enumerate() {
            let statistics = sfu.statistics();
            assert_eq!(statistics.panics, 0);
            let here = self.members.values().filter(|member| member.worker == worker).count();
            let mirrors = if worker == OTHER { self.mirrors.len() } else { 0 };
            assert_eq!(statistics.peers, (here + mirrors) as u64);
            assert!(here + mirrors <= PEERS_MAX);
            assert_eq!(sfu.poll_timeout().is_none(), here + mirrors == 0);
        }
    }

    fn drain_datagrams(&mut self, worker: usize, handshaking: Option<PeerId>) {
        let mut sends = 0;
        while let Some(transmit) = self.sfus[worker].poll_transmit() {
            sends += 1;
            assert!(sends < 20_000, "it does not end");
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            assert!(size > 0 && transmit.bytes.len() <= 64_000);
            assert!(transmit.bytes.len().div_ceil(size) <= 64);
            let to = transmit.destination.socket;
            let is_owner = |m: &Member| m.worker == worker && m.checked_from.contains(&to);
            let owners = self.members.values().filter(|m| is_owner(m)).count();
            assert!(owners > 0 || self.leaving.contains(&to), "bytes for {to}");
            let is_one = owners == 1 && !self.leaving.contains(&to);
            let owner = self.members.values_mut().find(|m| is_owner(m));
            let Some(member) = owner.filter(|_| is_one) else { continue };
            for bytes in transmit.bytes.chunks(size) {
                if PacketKind::of(bytes) != PacketKind::Dtls {
                    member.take(bytes);
                } else if handshaking == Some(member.client.id) && member.client.inbound.is_none() {
                    member.client.handle_datagram(self.now, bytes);
                }
            }
        }
    }

    fn drain_events(&mut self, worker: usize) {
        while let Some(event) = self.sfus[worker].poll_event() {
            match event {
                SfuEvent::Connected { peer, .. } => assert!(self.members.contains_key(&peer)),
                SfuEvent::LayersWanted { publisher, .. } => {
                    assert_eq!(self.members[&publisher].worker, worker, "its client is told");
                }
                SfuEvent::KeyFrameWanted { publisher, layer } => {
                    assert_eq!(worker, OTHER, "{publisher} is at home");
                    self.sfus[HOME].want_key_frame(self.now, publisher, layer);
                }
                SfuEvent::StunEnded { .. } => unreachable!("nobody was asked"),
                SfuEvent::Closed { peer, .. } if worker == OTHER && self.mirrors.remove(&peer) => {}
                SfuEvent::Closed { peer, .. } => {
                    let member = self.members.remove(&peer).expect("closed once, and was there");
                    assert_eq!(member.worker, worker);
                }
            }
        }
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
        let (address, worker) = (member.client.address, member.worker);
        self.send(worker, address, check);
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
                self.send(worker, address, bytes);
            }
            self.drain(Some(id));
        }
    }

    /// Whether the queue is to be drained after it.
    fn step(&mut self, operation: Operation) -> bool {
        match operation {
            Operation::Publish => {
                self.publish(|client| client.offer(Direction::SendOnly, Rtx::Offered))
            }
            Operation::PublishLayers => self.publish(Client::simulcast_offer),
            Operation::Play { publisher, rtx } => self.play(HOME, publisher, rtx),
            Operation::PlayMirror { peer, rtx } => self.play(OTHER, peer, rtx),
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
                let worker = member.worker;
                self.send(worker, source, check);
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
            Operation::Layer { peer, layer, names_it, distance, key } => {
                let Some(member) = self.member(peer) else { return false };
                let packet = member.layer(usize::from(layer % 3), names_it, distance, key);
                let Some(packet) = packet else { return false };
                self.send_as(peer, packet);
            }
            Operation::Wish { peer, wish } => {
                let priority = match wish % 4 {
                    0 => Priority::VeryLow,
                    1 => Priority::Low,
                    2 => Priority::Medium,
                    _ => Priority::High,
                };
                let video = match wish {
                    0..=9 => VideoWish::Best,
                    10..=19 => VideoWish::Largest,
                    20..=29 => VideoWish::Smallest,
                    rows => VideoWish::Height(rows),
                };
                let (Some(id), worker) = (self.nth(peer), self.worker_of(peer)) else {
                    return false;
                };
                self.sfus[worker].set_wish(self.now, id, PlayWish { video, priority });
            }
            Operation::Cut { peer, audio, video } => {
                let Some(id) = self.nth(peer) else { return false };
                for sfu in &mut self.sfus {
                    sfu.cut(self.now, id, CutTracks { audio, video });
                }
            }
            Operation::RestartIce { peer, ufrag } => self.restart_ice(peer, ufrag),
            Operation::Mirror { peer } => {
                let Some(id) = self.nth(peer) else { return false };
                let Some(terms) = self.sfus[HOME].begin_relay(id) else { return false };
                if self.sfus[OTHER].create_mirror(self.now, id, &terms).is_ok() {
                    assert!(self.mirrors.insert(id), "there was one");
                }
            }
            Operation::EndRelay { peer } => {
                let Some(id) = self.nth(peer) else { return false };
                self.sfus[HOME].end_relay(id);
            }
            Operation::CloseMirror { peer } => {
                let mirror = self.mirrors.iter().nth(usize::from(peer) % PEERS_MAX).copied();
                let Some(id) = mirror else { return false };
                self.drain(None);
                let viewers = self.members.values().filter(|member| member.worker == OTHER);
                self.leaving.extend(viewers.flat_map(|member| &member.checked_from));
                self.sfus[OTHER].close_peer(self.now, id);
            }
            Operation::Relayed { peer, worker, is_rtp, bytes } => {
                let publisher = self.nth(peer).unwrap_or(PeerId(u64::from(peer)));
                let kind = if is_rtp { RelayedKind::Rtp } else { RelayedKind::Rtcp };
                let relayed = Relayed { publisher, kind, bytes: &bytes };
                self.sfus[usize::from(worker)].handle_relayed(self.now, relayed);
            }
            Operation::WantKeyFrame { peer, layer } => {
                let publisher = self.nth(peer).unwrap_or(PeerId(u64::from(peer)));
                self.sfus[HOME].want_key_frame(self.now, publisher, LayerIndex(layer));
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
                    self.sfus[member.worker].close_peer(self.now, id);
                }
            }
            Operation::Pass { milliseconds } => self.pass(milliseconds),
            Operation::Wait => return false,
        }
        true
    }

    fn pass(&mut self, milliseconds: u16) {
        self.drain(None);
        let end = self.now + Duration::from_millis(u64::from(milliseconds));
        loop {
            let next = self.sfus.iter().filter_map(Sfu::poll_timeout).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for sfu in &mut self.sfus {
                sfu.handle_timeout(self.now);
            }
            self.drain(None);
        }
        self.now = end;
    }

    fn publish(&mut self, offer: impl FnOnce(&Client) -> String) {
        let client = self.new_client();
        let offer = offer(&client);
        if let Ok(answer) = self.sfus[HOME].create_publisher(self.now, client.id, &offer) {
            self.admit(HOME, client, &answer.sdp);
        }
    }

    fn play(&mut self, worker: usize, publisher: u8, rtx: bool) {
        let Some(publisher) = self.nth(publisher) else { return };
        let client = self.new_client();
        let rtx = if rtx { Rtx::Offered } else { Rtx::Left };
        let offer = client.offer(Direction::ReceiveOnly, rtx);
        let sfu = &mut self.sfus[worker];
        // Those with even ids play for one session.
        let session = (client.id.0 % 2 == 0).then_some(SessionId(1));
        let terms = PlayTerms { session, ..PlayTerms::alone(publisher) };
        if let Ok(answer) = sfu.create_subscriber(self.now, client.id, terms, &offer) {
            self.admit(worker, client, &answer.sdp);
        }
    }

    fn restart_ice(&mut self, peer: u8, ufrag: u8) {
        let Some(id) = self.nth(peer) else { return };
        let ufrag = format!("again{ufrag:03}");
        let parsed = IceUfrag::parse(&ufrag).expect("eight letters and digits");
        let worker = self.worker_of(peer);
        if let Ok(credentials) = self.sfus[worker].restart_ice(self.now, id, &parsed) {
            let member = self.members.get_mut(&id).expect("it was there a moment ago");
            member.client.restarted(&ufrag, credentials);
        }
    }

    /// An offer that nobody holds on to: if it is taken, its peer is closed at once.
    fn offer(&mut self, offer: &str) {
        self.next_id += 1;
        let id = PeerId(self.next_id);
        self.drain(None);
        let sfu = &mut self.sfus[HOME];
        if sfu.create_publisher(self.now, id, offer).is_ok() {
            sfu.close_peer(self.now, id);
            let closed = sfu.poll_event();
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

fuzz_target!(|input: (Begin, Vec<Operation>)| {
    // Contained panics are what this looks for: they must not end in silence.
    let (begin, operations) = input;
    let mut world = World::new();
    // Handshakes cost the most: two of them, and the first operation has somebody to meet.
    let (publish, play) = match begin {
        Begin::Plain => (Operation::Publish, Operation::Play { publisher: 0, rtx: true }),
        Begin::Layers => (Operation::PublishLayers, Operation::Play { publisher: 0, rtx: true }),
        Begin::Mirror => (Operation::PublishLayers, Operation::PlayMirror { peer: 0, rtx: true }),
    };
    world.step(publish);
    world.connect(0);
    world.step(Operation::Mirror { peer: 0 });
    world.step(play);
    world.connect(1);
    for operation in operations.into_iter().take(OPERATIONS_MAX) {
        if world.step(operation) {
            world.drain(None);
        }
    }
    world.drain(None);
});
