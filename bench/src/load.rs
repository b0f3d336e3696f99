//! One publisher and many viewers without a browser, driven by one thread.
//!
//! Every viewer is a whole WebRTC peer: it answers STUN, DTLS and RTCP. One in [`SAMPLED_EVERY`]
//! decrypts and checks every packet; the others read the RTP header, which is in the clear, and
//! count, so that one core carries hundreds.
//!
//! Nothing waits while a window is measured: a viewer that slept would have to be woken by whoever
//! sends to it, and that would be charged to the server.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use odeum_client::{
    CloseReason, Kind, PeerEvent, Stamp, VideoSource, VideoSourceConfig, WebRtcPeer,
};
use odeum_rtp::PacketKind;

use crate::percentiles::Percentiles;
use crate::sys::{Epoll, ReceiveBatch, ask_for_buffer, segment_sends};

/// Every how many viewers one decrypts everything.
pub(crate) const SAMPLED_EVERY: usize = 16;
/// Packets of a burst: a video frame.
pub(crate) const BURST_PACKETS: u32 = 10;
/// From one burst to the next: 25 a second.
pub(crate) const BURST_INTERVAL: Duration = Duration::from_millis(40);
/// Bytes of each datagram to a viewer: 250 of them a second are 2.4 Mbit/s.
pub(crate) const DATAGRAM_BYTES: usize = 1_200;
/// Of them, RTP header and GCM tag.
const OVERHEAD_BYTES: usize = 12 + 16;
/// How often every peer's timers are looked at.
const TIMERS_INTERVAL: Duration = Duration::from_millis(10);
/// How late a packet may be before it is lost.
const SETTLES_IN: Duration = Duration::from_millis(500);
/// Receive buffer of each socket: about two seconds of the stream.
const BUFFER_BYTES: i32 = 1 << 20;
/// The publisher's place in epoll.
const PUBLISHER: usize = usize::MAX;

/// How a publisher's burst leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sending {
    /// All ten in one call, as they come off a network card: together.
    Together,
    /// One system call for each: the server may wake up for the first and find one packet.
    Singly,
}

/// The publisher, the viewers, and what they saw.
pub(crate) struct Load {
    /// Of all sockets.
    epoll: Epoll,
    /// Buffers for reading.
    batch: ReceiveBatch,
    /// Who sends.
    publisher: Option<Publisher>,
    /// Who receives.
    viewers: Vec<Viewer>,
    /// What stamps count from.
    epoch: Instant,
    /// When timers are next looked at.
    timers_at: Instant,
    /// How bursts leave.
    sending: Sending,
    /// Delays at the sampled viewers, from the packet's making to its reading.
    pub(crate) delays: Percentiles,
}

/// The one who sends.
struct Publisher {
    /// Its transport.
    peer: WebRtcPeer,
    /// Its socket.
    socket: UdpSocket,
    /// Its picture.
    source: VideoSource,
    /// When the next burst leaves.
    burst_at: Instant,
}

/// One who receives.
struct Viewer {
    /// Its transport.
    peer: WebRtcPeer,
    /// Its socket.
    socket: UdpSocket,
    /// RTP packets from the server.
    received: u64,
    /// Datagrams of the floor.
    of_floor: u64,
    /// When the peer's timer is due.
    timer_at: Option<Instant>,
}

/// What arrived at all viewers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// RTP packets from the server.
    pub(crate) received: u64,
    /// Datagrams of the floor.
    pub(crate) of_floor: u64,
}

/// Whether bursts leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publishing {
    /// At their times.
    On,
    /// Not now.
    Paused,
}

impl Load {
    /// Nobody yet.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(crate) fn new(sending: Sending) -> anyhow::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            epoll: Epoll::new()?,
            batch: ReceiveBatch::new(),
            publisher: None,
            viewers: Vec::new(),
            epoch: now,
            timers_at: now,
            sending,
            delays: Percentiles::new(),
        })
    }

    /// Takes the publisher, whose answer has come, and connects it.
    pub(crate) fn add_publisher(&mut self, peer: WebRtcPeer) -> anyhow::Result<()> {
        let socket = bind()?;
        self.epoll.add(&socket, PUBLISHER)?;
        let payload_bytes = DATAGRAM_BYTES - OVERHEAD_BYTES;
        let bits = payload_bytes * 8 * BURST_PACKETS as usize;
        let source = VideoSource::new(
            Instant::now(),
            VideoSourceConfig {
                bits_per_second: (bits as f64 / BURST_INTERVAL.as_secs_f64()) as u32,
                payload_bytes,
                burst_packets: BURST_PACKETS,
                ..VideoSourceConfig::new(self.epoch)
            },
        );
        let burst_at = Instant::now();
        self.publisher = Some(Publisher { peer, socket, source, burst_at });
        self.connect(|load| load.publisher.as_ref().is_some_and(|one| one.peer.is_connected()))
    }

    /// Takes viewers whose answers have come, and connects them.
    pub(crate) fn add_viewers(
        &mut self,
        peers: impl IntoIterator<Item = WebRtcPeer>,
    ) -> anyhow::Result<()> {
        for peer in peers {
            let socket = bind()?;
            self.epoll.add(&socket, self.viewers.len())?;
            let timer_at = Some(Instant::now());
            self.viewers.push(Viewer { peer, socket, received: 0, of_floor: 0, timer_at });
        }
        self.connect(|load| load.viewers.iter().all(|viewer| viewer.peer.is_connected()))
    }

    fn connect(&mut self, is_done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(15);
        while !is_done(self) {
            ensure!(Instant::now() < deadline, "not every peer connected within 15 s");
            self.run(Instant::now() + Duration::from_millis(20), Publishing::On)?;
        }
        Ok(())
    }

    /// Drives everything until `until`.
    ///
    /// # Errors
    /// A peer that closed, a packet that is not what was sent, what the kernel says.
    pub(crate) fn run(&mut self, until: Instant, publishing: Publishing) -> anyhow::Result<()> {
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            if publishing == Publishing::On {
                self.send_burst(now)?;
            }
            if now >= self.timers_at {
                self.timers_at = now + TIMERS_INTERVAL;
                self.handle_timers(now)?;
            }
            let mut ready = [0; 64];
            let mut count = 0;
            for (slot, token) in ready.iter_mut().zip(self.epoll.wait(0)?) {
                *slot = token;
                count += 1;
            }
            for token in &ready[..count] {
                self.receive(*token)?;
            }
        }
    }

    /// Publishes `bursts` and returns right before the next one would leave, so that everything of
    /// these, and nothing else, has arrived or is lost.
    pub(crate) fn run_bursts(&mut self, bursts: u32) -> anyhow::Result<()> {
        let until = self.next_burst_at() + BURST_INTERVAL * bursts - Duration::from_millis(1);
        self.run(until, Publishing::On)
    }

    /// Publishes nothing and waits until as much as `due` has arrived: where others use the machine
    /// too, a burst may be late. What has not come after a while is lost.
    pub(crate) fn settle(&mut self, due: Counts) -> anyhow::Result<()> {
        let end = Instant::now() + SETTLES_IN;
        while Instant::now() < end {
            let counts = self.counts();
            if counts.received >= due.received && counts.of_floor >= due.of_floor {
                break;
            }
            self.run(Instant::now() + Duration::from_millis(1), Publishing::Paused)?;
        }
        Ok(())
    }

    /// Lets the next burst leave in one interval, after a pause.
    pub(crate) fn resume(&mut self) {
        if let Some(publisher) = &mut self.publisher {
            publisher.burst_at = Instant::now() + BURST_INTERVAL;
        }
    }

    fn next_burst_at(&self) -> Instant {
        self.publisher.as_ref().map_or_else(Instant::now, |publisher| publisher.burst_at)
    }

    fn send_burst(&mut self, now: Instant) -> anyhow::Result<()> {
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        if now < publisher.burst_at || !publisher.peer.is_connected() {
            return Ok(());
        }
        publisher.burst_at += BURST_INTERVAL;
        for _ in 0..BURST_PACKETS {
            // The source's own clock runs at most as fast as the bursts.
            let Some(packet) = publisher.source.poll_packet(Instant::now()) else { break };
            publisher.peer.send_rtp(&packet);
        }
        match self.sending {
            Sending::Singly => flush(&mut publisher.peer, &publisher.socket),
            Sending::Together => flush_together(&mut publisher.peer, &publisher.socket),
        }
    }

    fn handle_timers(&mut self, now: Instant) -> anyhow::Result<()> {
        if let Some(publisher) = &mut self.publisher
            && publisher.peer.poll_timeout().is_some_and(|at| at <= now)
        {
            publisher.peer.handle_timeout(now);
            flush(&mut publisher.peer, &publisher.socket)?;
        }
        for viewer in &mut self.viewers {
            if viewer.timer_at.is_some_and(|at| at <= now) {
                viewer.peer.handle_timeout(now);
                flush(&mut viewer.peer, &viewer.socket)?;
                viewer.timer_at = viewer.peer.poll_timeout();
            }
        }
        Ok(())
    }

    fn receive(&mut self, token: usize) -> anyhow::Result<()> {
        if token == PUBLISHER {
            let Some(publisher) = &mut self.publisher else { return Ok(()) };
            self.batch.receive(&publisher.socket)?;
            let now = Instant::now();
            for (source, bytes) in self.batch.datagrams() {
                publisher.peer.handle_datagram(now, source, bytes);
            }
            while let Some(event) = publisher.peer.poll_event() {
                match event {
                    PeerEvent::KeyFrameRequested => publisher.source.request_key_frame(),
                    PeerEvent::Connected { .. } => {}
                    PeerEvent::Closed(reason) => bail!("the publisher closed: {reason:?}"),
                }
            }
            return flush(&mut publisher.peer, &publisher.socket);
        }
        let viewer = &mut self.viewers[token];
        self.batch.receive(&viewer.socket)?;
        let now = Instant::now();
        let is_sampled = token.is_multiple_of(SAMPLED_EVERY);
        let remote = viewer.peer.remote();
        let mut is_media_only = true;
        for (source, bytes) in self.batch.datagrams() {
            if remote.is_some_and(|remote| remote != source) {
                viewer.of_floor += 1;
                continue;
            }
            let is_rtp = PacketKind::of(bytes) == PacketKind::Rtp;
            viewer.received += u64::from(is_rtp);
            is_media_only &= is_rtp;
            if is_rtp && !is_sampled {
                continue;
            }
            let Some(received) = viewer.peer.handle_datagram(now, source, bytes) else { continue };
            ensure!(Stamp::is_intact(received.payload), "a payload is not what was sent");
            if let Some(stamp) = Stamp::read(received.payload) {
                self.delays.record(stamp.age(now, self.epoch));
            }
        }
        if !is_media_only {
            while let Some(event) = viewer.peer.poll_event() {
                if let PeerEvent::Closed(reason) = event
                    && reason != CloseReason::Closed
                {
                    bail!("viewer {token} closed: {reason:?}");
                }
            }
            flush(&mut viewer.peer, &viewer.socket)?;
            viewer.timer_at = viewer.peer.poll_timeout();
        }
        Ok(())
    }

    /// What arrived so far.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for viewer in &self.viewers {
            sum.received += viewer.received;
            sum.of_floor += viewer.of_floor;
        }
        sum
    }

    /// Packets that the sampled viewers found missing, and all that they decrypted.
    pub(crate) fn sampled(&self) -> (u64, u64) {
        let statistics = (self.viewers.iter().step_by(SAMPLED_EVERY))
            .map(|viewer| viewer.peer.receive_statistics(Kind::Video));
        statistics.fold((0, 0), |(lost, packets), one| (lost + one.lost, packets + one.packets))
    }

    /// How many view.
    pub(crate) fn viewers(&self) -> usize {
        self.viewers.len()
    }

    /// Ports of the viewers' sockets, in the order in which the server serves them.
    pub(crate) fn viewer_ports(&self) -> anyhow::Result<Vec<u16>> {
        self.viewers.iter().map(|viewer| Ok(viewer.socket.local_addr()?.port())).collect()
    }

    /// The SRTP profile of the first viewer.
    pub(crate) fn profile(&self) -> String {
        let profile = self.viewers.first().and_then(|viewer| viewer.peer.profile());
        profile.map_or("none".to_owned(), |profile| format!("{profile:?}"))
    }
}

fn bind() -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    ask_for_buffer(&socket, BUFFER_BYTES)?;
    Ok(socket)
}

fn flush(peer: &mut WebRtcPeer, socket: &UdpSocket) -> anyhow::Result<()> {
    while let Some(transmit) = peer.poll_transmit() {
        socket.send_to(&transmit.bytes, transmit.destination)?;
    }
    Ok(())
}

/// Sends packets of one size in one call.
fn flush_together(peer: &mut WebRtcPeer, socket: &UdpSocket) -> anyhow::Result<()> {
    let mut run: Option<(SocketAddr, usize)> = None;
    let mut bytes = Vec::with_capacity(BURST_PACKETS as usize * DATAGRAM_BYTES);
    loop {
        let next = peer.poll_transmit();
        let continues = match (&next, run) {
            (Some(next), Some(run)) => run == (next.destination, next.bytes.len()),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if let (false, Some((destination, size))) = (continues, run) {
            segment_sends(socket, u16::try_from(size)?)?;
            socket.send_to(&bytes, destination)?;
            segment_sends(socket, 0)?;
            bytes.clear();
        }
        let Some(next) = next else { return Ok(()) };
        run = Some((next.destination, next.bytes.len()));
        bytes.extend_from_slice(&next.bytes);
    }
}
