//! Publishers and viewers without a browser, driven by one thread.
//!
//! Every viewer is a whole WebRTC peer: it answers STUN, DTLS and RTCP, and says what reached it
//! ten times a second. One in [`SAMPLED_EVERY`] decrypts and checks every packet; the others read
//! the RTP header, which is in the clear, so that one core carries hundreds.
//!
//! Nothing waits while a window is measured: a viewer that slept would have to be woken by whoever
//! sends to it, and that would be charged to the server.

mod publisher;
mod viewer;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::ensure;
use odeum_client::{Kind, WebRtcPeer};

use crate::args::Sending;
use crate::floor::FloorGroup;
use crate::percentiles::Percentiles;
use crate::shape::Media;
use crate::sys::{Epoll, ReceiveBatch, ask_for_buffer};
pub(crate) use publisher::Publisher;
use viewer::Viewer;

/// Every how many viewers one decrypts everything.
pub(crate) const SAMPLED_EVERY: usize = 16;
/// How often every peer's timers are looked at, and in how many parts: what viewers say comes to
/// the server spread over the time, as it does from viewers who do not know of each other.
const TIMERS_INTERVAL: Duration = Duration::from_millis(10);
const TIMERS_PARTS: usize = 100;
/// How late a packet may be before it is lost.
const SETTLES_IN: Duration = Duration::from_millis(500);
/// How long joining peers have to connect.
const CONNECTS_IN: Duration = Duration::from_secs(15);
/// Receive buffer of each socket: about two seconds of 2.4 Mbit/s.
const BUFFER_BYTES: i32 = 1 << 20;
/// Publishers begin their bursts one after the other, spread over an interval by the golden
/// section.
const PHASE_STEP: f64 = 0.618_033_988_749_895;

/// Publishers, viewers, and what the viewers saw.
pub(crate) struct Drive {
    /// Of all sockets; tokens are [`Token`]s.
    epoll: Epoll,
    /// Buffers for reading.
    batch: ReceiveBatch,
    /// Who sends.
    publishers: Vec<Publisher>,
    /// Who receives.
    viewers: Vec<Viewer>,
    /// When each publisher sends next.
    sends: BinaryHeap<Reverse<(Instant, usize)>>,
    /// When timers are next looked at.
    timers_at: Instant,
    /// Of which part of the peers.
    timers_part: usize,
    /// How frames leave.
    sending: Sending,
    /// What the sampled viewers saw.
    pub(crate) delays: Delays,
}

/// Delays at the sampled viewers, from a packet's making to its coming to the viewer's socket.
pub(crate) struct Delays {
    /// What stamps count from.
    epoch: Instant,
    /// Of all packets.
    pub(crate) packets: Percentiles,
    /// Of the last packet of each video frame: what a picture waits for.
    pub(crate) frames: Percentiles,
    /// How much later than planned publishers sent: of a machine that lets the load wait, the
    /// others say little.
    pub(crate) sends: Percentiles,
    /// Packets whose payload was not what was sent: some servers cut pictures anew.
    pub(crate) altered: u64,
}

/// Whose socket it is, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Publisher(usize),
    Viewer(usize),
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Packets that viewers should have: each publisher's, as often as it is played.
    pub(crate) due: u64,
    /// Those that came.
    pub(crate) received: u64,
    /// Datagrams of the floor that came.
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

impl Drive {
    /// Nobody yet.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(crate) fn new(sending: Sending) -> anyhow::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            epoll: Epoll::new()?,
            batch: ReceiveBatch::new(),
            publishers: Vec::new(),
            viewers: Vec::new(),
            sends: BinaryHeap::new(),
            timers_at: now,
            timers_part: 0,
            sending,
            delays: Delays {
                epoch: now,
                packets: Percentiles::default(),
                frames: Percentiles::default(),
                sends: Percentiles::default(),
                altered: 0,
            },
        })
    }

    /// Takes publishers whose answers have come, and connects them.
    pub(crate) fn add_publishers(
        &mut self,
        peers: impl IntoIterator<Item = (WebRtcPeer, Media)>,
    ) -> anyhow::Result<()> {
        for (peer, media) in peers {
            let index = self.publishers.len();
            let phase = (index as f64 * PHASE_STEP).fract();
            let one = Publisher::new(peer, media, self.sending, self.delays.epoch, phase)?;
            self.epoll.add(&one.socket, Token::Publisher(index).number())?;
            self.publishers.push(one);
        }
        self.resume();
        self.connect(|drive| drive.publishers.iter().all(|one| one.peer.is_connected()))
    }

    /// Takes viewers whose answers have come, each with the place of its publisher, and connects
    /// them.
    pub(crate) fn add_viewers(
        &mut self,
        peers: impl IntoIterator<Item = (WebRtcPeer, usize)>,
    ) -> anyhow::Result<()> {
        for (peer, publisher) in peers {
            let index = self.viewers.len();
            let viewer = Viewer::new(peer, publisher, index.is_multiple_of(SAMPLED_EVERY))?;
            self.epoll.add(&viewer.socket, Token::Viewer(index).number())?;
            self.publishers[publisher].viewers += 1;
            self.viewers.push(viewer);
        }
        self.connect(|drive| drive.viewers.iter().all(|viewer| viewer.peer.is_connected()))
    }

    fn connect(&mut self, is_done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + CONNECTS_IN;
        while !is_done(self) {
            let seconds = CONNECTS_IN.as_secs();
            ensure!(Instant::now() < deadline, "not every peer connected within {seconds} s");
            self.run(Instant::now() + Duration::from_millis(20), Publishing::On)?;
        }
        Ok(())
    }

    /// Drives everything until `until`.
    ///
    /// # Errors
    /// A peer that closed, what the kernel says.
    pub(crate) fn run(&mut self, until: Instant, publishing: Publishing) -> anyhow::Result<()> {
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            if publishing == Publishing::On {
                self.send_due(now)?;
            }
            if now >= self.timers_at {
                self.timers_at = now + TIMERS_INTERVAL / TIMERS_PARTS as u32;
                self.handle_timers(now)?;
            }
            let mut ready = [0; 64];
            let mut count = 0;
            for (slot, token) in ready.iter_mut().zip(self.epoll.wait(0)?) {
                *slot = token;
                count += 1;
            }
            for number in &ready[..count] {
                match Token::of(*number) {
                    Token::Publisher(at) => self.publishers[at].receive(&mut self.batch)?,
                    Token::Viewer(at) => {
                        let viewer = &mut self.viewers[at];
                        let sizes = &mut self.publishers[viewer.publisher].datagram_bytes;
                        viewer.receive(&mut self.batch, sizes, &mut self.delays)?;
                    }
                }
            }
        }
    }

    /// Publishes nothing and waits until everything that is due has arrived, and `of_floor` of the
    /// floor: where others use the machine too, a burst may be late. What has not come after a
    /// while is lost.
    pub(crate) fn settle(&mut self, before: Counts, of_floor: u64) -> anyhow::Result<Counts> {
        let end = Instant::now() + SETTLES_IN;
        loop {
            let now = self.counts();
            let counts = Counts {
                due: now.due - before.due,
                received: now.received - before.received,
                of_floor: now.of_floor - before.of_floor,
            };
            let is_all = counts.received >= counts.due && counts.of_floor >= of_floor;
            if is_all || Instant::now() >= end {
                return Ok(counts);
            }
            self.run(Instant::now() + Duration::from_millis(1), Publishing::Paused)?;
        }
    }

    /// Lets the next bursts leave within an interval of each track, after a pause.
    pub(crate) fn resume(&mut self) {
        let now = Instant::now();
        self.sends.clear();
        for (at, publisher) in self.publishers.iter_mut().enumerate() {
            publisher.resume(now);
            self.sends.extend(publisher.next_at().map(|next| Reverse((next, at))));
        }
    }

    fn send_due(&mut self, now: Instant) -> anyhow::Result<()> {
        while let Some(Reverse((at, index))) = self.sends.peek().copied()
            && at <= now
        {
            self.sends.pop();
            self.delays.sends.record(now - at);
            let publisher = &mut self.publishers[index];
            publisher.send_due(now, self.sending)?;
            self.sends.extend(publisher.next_at().map(|next| Reverse((next, index))));
        }
        Ok(())
    }

    fn handle_timers(&mut self, now: Instant) -> anyhow::Result<()> {
        let part = self.timers_part;
        self.timers_part = (part + 1) % TIMERS_PARTS;
        for publisher in self.publishers.iter_mut().skip(part).step_by(TIMERS_PARTS) {
            if publisher.peer.poll_timeout().is_some_and(|at| at <= now) {
                publisher.peer.handle_timeout(now);
                flush(&mut publisher.peer, &publisher.socket)?;
            }
        }
        for viewer in self.viewers.iter_mut().skip(part).step_by(TIMERS_PARTS) {
            viewer.handle_timer(now)?;
        }
        Ok(())
    }

    /// What happened so far.
    pub(crate) fn counts(&self) -> Counts {
        let due = self.publishers.iter().map(|publisher| publisher.sent * publisher.viewers).sum();
        let mut sum = Counts { due, ..Counts::default() };
        for viewer in &self.viewers {
            sum.received += viewer.received;
            sum.of_floor += viewer.of_floor;
        }
        sum
    }

    /// Packets that the sampled viewers found missing, and all that they decrypted.
    pub(crate) fn sampled(&self) -> (u64, u64) {
        let sampled = self.viewers.iter().step_by(SAMPLED_EVERY);
        let statistics = sampled.flat_map(|viewer| {
            [Kind::Audio, Kind::Video].map(|kind| viewer.peer.receive_statistics(kind))
        });
        statistics.fold((0, 0), |(lost, packets), one| (lost + one.lost, packets + one.packets))
    }

    /// A publisher.
    pub(crate) fn publisher(&mut self, at: usize) -> &mut Publisher {
        &mut self.publishers[at]
    }

    /// How many publish, and how many play.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.publishers.len(), self.viewers.len())
    }

    /// What the floor has to send: each publisher's bursts, to the sockets of those who play it, in
    /// the order in which the server serves them.
    pub(crate) fn floor_groups(&self) -> anyhow::Result<Vec<FloorGroup>> {
        let mut ports = vec![Vec::new(); self.publishers.len()];
        for viewer in &self.viewers {
            ports[viewer.publisher].push(viewer.socket.local_addr()?.port());
        }
        let all = self.publishers.iter().zip(ports);
        Ok(all.flat_map(|(publisher, ports)| publisher.floor_groups(ports)).collect())
    }

    /// The SRTP profile of the first viewer.
    pub(crate) fn profile(&self) -> String {
        let profile = self.viewers.first().and_then(|viewer| viewer.peer.profile());
        profile.map_or("none".to_owned(), |profile| format!("{profile:?}"))
    }
}

impl Delays {
    fn record(&mut self, age: Duration, ends_frame: bool) {
        self.packets.record(age);
        if ends_frame {
            self.frames.record(age);
        }
    }
}

impl Token {
    fn number(self) -> usize {
        match self {
            Self::Publisher(at) => at << 1,
            Self::Viewer(at) => (at << 1) | 1,
        }
    }

    fn of(number: usize) -> Self {
        match number & 1 {
            0 => Self::Publisher(number >> 1),
            _ => Self::Viewer(number >> 1),
        }
    }
}

fn bind() -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_nonblocking(true)?;
    ask_for_buffer(&socket, BUFFER_BYTES)?;
    Ok(socket)
}

fn flush(peer: &mut WebRtcPeer, socket: &UdpSocket) -> anyhow::Result<()> {
    while let Some(transmit) = peer.poll_transmit() {
        // Of a server's candidates some may be out of reach, of another family for example.
        if peer.is_connected() {
            socket.send_to(&transmit.bytes, transmit.destination)?;
        } else {
            let _unreachable = socket.send_to(&transmit.bytes, transmit.destination);
        }
    }
    Ok(())
}
