//! A media worker: one plain thread that owns one UDP socket and one `Sfu`. Packets that arrived
//! together are handled together and answered together; commands of the control plane come over a
//! queue.
//!
//! It shares nothing with other workers. What it tells the control plane goes to the room worker
//! that owns the peer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Instant;
use std::{io, thread};

use odeum_sfu::{Sfu, SfuConfig, SfuEvent};
use odeum_types::PeerId;
use rustc_hash::FxHashMap;

use crate::limits::{
    BATCHES_PER_TURN_MAX, COMMANDS_PER_TURN_MAX, FLUSH_PACKETS_MAX, MEDIA_RESTARTS_MAX,
};
use crate::media_handle::{CreatePeer, CreateRole, MediaHandle, MediaRequest, cut_tracks};
use crate::peer_notice::{PeerChange, PeerOwner};
use crate::statistics::{MediaStatistics, SocketStatistics};
use crate::udp::{ReceiveBatch, Sent, UdpSocket, Waker, wait};

/// Starts the thread of worker `number` on `socket`.
///
/// # Errors
/// What the kernel says: out of threads or file descriptors.
pub(crate) fn start(
    number: usize,
    socket: UdpSocket,
    config: SfuConfig,
    offers_max: usize,
) -> io::Result<(MediaHandle, JoinHandle<()>)> {
    let (requests, queue) = channel();
    let waker = Arc::new(Waker::new()?);
    let alive = Arc::new(AtomicBool::new(true));
    let offers = Arc::new(AtomicUsize::new(0));
    let handle = MediaHandle {
        requests,
        offers: Arc::clone(&offers),
        offers_max,
        waker: Arc::clone(&waker),
        alive: Arc::clone(&alive),
    };
    let plane = Plane {
        sfu: Sfu::new(Instant::now(), config.clone()),
        socket,
        owners: FxHashMap::default(),
        counters: SocketStatistics::default(),
    };
    let batch = ReceiveBatch::new();
    let mut worker = MediaWorker { plane, config, batch, queue, offers, waker, restarts: 0 };
    let thread = thread::Builder::new().name(format!("media-{number}")).spawn(move || {
        worker.run_guarded(number);
        alive.store(false, Ordering::Relaxed);
    })?;
    Ok((handle, thread))
}

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Turn {
    Again,
    Stop,
}

/// The thread's state.
struct MediaWorker {
    /// The media plane and its socket.
    plane: Plane,
    /// For a new sfu after a panic.
    config: SfuConfig,
    /// Buffers for reading.
    batch: ReceiveBatch,
    /// From the control plane.
    queue: Receiver<MediaRequest>,
    /// Offers in `queue`.
    offers: Arc<AtomicUsize>,
    /// Ends the sleep.
    waker: Arc<Waker>,
    /// Panics survived.
    restarts: u32,
}

/// The media plane and what its outputs need.
struct Plane {
    /// The media plane itself.
    sfu: Sfu,
    /// The one socket.
    socket: UdpSocket,
    /// Who hears of each transport; as many as the sfu has peers.
    owners: FxHashMap<PeerId, PeerOwner>,
    /// What the socket did.
    counters: SocketStatistics,
}

impl MediaWorker {
    /// Runs until told to stop. A panic that the sfu did not contain ends all peers of this worker,
    /// tells their rooms, and begins anew with an empty sfu on the same socket.
    fn run_guarded(&mut self, number: usize) {
        loop {
            let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run())) else { return };
            self.restarts += 1;
            tracing::error!(
                worker = number,
                peers = self.plane.owners.len(),
                restarts = self.restarts,
                reason = crate::room_worker::panic_text(&*panic),
                "a media worker panicked; its peers are lost",
            );
            for (peer, owner) in self.plane.owners.drain() {
                owner.tell(peer, PeerChange::Lost);
            }
            if self.restarts > MEDIA_RESTARTS_MAX {
                tracing::error!(
                    worker = number,
                    "the media worker panicked too often and stays down"
                );
                return;
            }
            // Another seed than the last one's: the same secrets must not come twice.
            rand::Rng::fill(&mut rand::rng(), &mut self.config.seed[..]);
            self.plane.sfu = Sfu::new(Instant::now(), self.config.clone());
            // Requests that came with the one that panicked have been waited for already.
            self.waker.wake();
        }
    }

    fn run(&mut self) {
        loop {
            let now = Instant::now();
            let timeout = self.plane.sfu.poll_timeout().map(|at| at.saturating_duration_since(now));
            if let Err(error) = wait(&self.plane.socket, &self.waker, timeout) {
                tracing::error!(%error, "a media worker cannot wait for its socket");
                return;
            }
            self.waker.clear();
            if self.carry_out_requests() == Turn::Stop {
                return;
            }
            self.receive();
            let now = Instant::now();
            if self.plane.sfu.poll_timeout().is_some_and(|at| at <= now) {
                self.plane.sfu.handle_timeout(now);
                self.plane.flush();
            }
        }
    }

    fn carry_out_requests(&mut self) -> Turn {
        for _ in 0..COMMANDS_PER_TURN_MAX {
            let Ok(request) = self.queue.try_recv() else { return Turn::Again };
            match request {
                MediaRequest::Create(create) => self.create(create),
                MediaRequest::Close(peer) => {
                    self.plane.owners.remove(&peer);
                    self.plane.sfu.close_peer(Instant::now(), peer);
                    self.plane.flush();
                }
                MediaRequest::Cut(peer, cut) => {
                    self.plane.sfu.cut(Instant::now(), peer, cut);
                    self.plane.flush();
                }
                MediaRequest::Statistics(reply) => {
                    let statistics = MediaStatistics {
                        sfu: *self.plane.sfu.statistics(),
                        socket: self.plane.counters,
                        restarts: self.restarts.into(),
                    };
                    // The asker may have given up.
                    reply.send(statistics).unwrap_or(());
                }
                MediaRequest::Stop => return Turn::Stop,
                #[cfg(test)]
                MediaRequest::Panic => panic!("a broken invariant"),
            }
        }
        // More may wait: the next sleep has to end at once.
        self.waker.wake();
        Turn::Again
    }

    fn create(&mut self, create: CreatePeer) {
        self.offers.fetch_sub(1, Ordering::Relaxed);
        let CreatePeer { peer, role, owner, offer, reply } = create;
        let now = Instant::now();
        // Known before the sfu runs, so that a panic in it still reaches the room.
        self.plane.owners.insert(peer, owner);
        let result = match role {
            CreateRole::Publisher(cut) => {
                let created = self.plane.sfu.create_publisher(now, peer, &offer);
                // Before its first packet.
                self.plane.sfu.cut(now, peer, cut_tracks(cut));
                created
            }
            CreateRole::Subscriber(publisher) => {
                self.plane.sfu.create_subscriber(now, peer, publisher, &offer)
            }
        };
        if result.is_err()
            && let Some(owner) = self.plane.owners.remove(&peer)
        {
            // Before the reply, so that the room knows when the client asks again.
            owner.tell(peer, PeerChange::OfferRefused);
        }
        // A caller that is gone leaves a transport that ends by its connect timeout.
        reply.send(result).unwrap_or(());
        self.plane.flush();
    }

    fn receive(&mut self) {
        for _ in 0..BATCHES_PER_TURN_MAX {
            let more = match self.batch.receive(&self.plane.socket) {
                Ok(more) => more,
                Err(error) => {
                    self.plane.counters.receive_errors += 1;
                    tracing::warn!(%error, "a media worker cannot read its socket");
                    return;
                }
            };
            let now = Instant::now();
            for (number, (source, bytes)) in self.batch.datagrams().enumerate() {
                if number % FLUSH_PACKETS_MAX == FLUSH_PACKETS_MAX - 1 {
                    self.plane.flush();
                }
                self.plane.counters.packets_received += 1;
                self.plane.counters.bytes_received += bytes.len() as u64;
                self.plane.sfu.handle_datagram(now, source, bytes);
            }
            self.plane.flush();
            if !more {
                return;
            }
        }
    }
}

impl Plane {
    /// Sends what the sfu has to send and tells rooms what it has to tell.
    fn flush(&mut self) {
        while let Some(transmit) = self.sfu.poll_transmit() {
            let size = transmit.bytes.len();
            let packets = transmit.segment_size.map_or(1, |segment| size.div_ceil(segment.max(1)));
            match self.socket.send(transmit.destination, transmit.bytes, transmit.segment_size) {
                Sent::All => {
                    self.counters.packets_sent += packets as u64;
                    self.counters.bytes_sent += size as u64;
                }
                Sent::BufferFull => self.counters.dropped_buffer_full += packets as u64,
                Sent::Refused => self.counters.dropped_refused += packets as u64,
            }
        }
        while let Some(event) = self.sfu.poll_event() {
            match event {
                SfuEvent::Connected { peer, facts } => {
                    if let Some(owner) = self.owners.get(&peer) {
                        owner.tell(peer, PeerChange::Connected(facts));
                    }
                }
                SfuEvent::Closed { peer, reason } => {
                    // Without an owner it was the room that asked for the end.
                    if let Some(owner) = self.owners.remove(&peer) {
                        owner.tell(peer, PeerChange::Closed(reason));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use odeum_types::{AppId, RoomId, SessionId, StreamId};
    use tokio::sync::{mpsc, oneshot};

    use super::*;
    use crate::media_handle::{MediaBusy, OfferAnswer};
    use crate::peer_notice::PeerRole;

    fn worker() -> (MediaHandle, JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 16).unwrap();
        let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let config = SfuConfig::new(certificate, vec![socket.local()], [1; 32]);
        start(0, socket, config, 2).unwrap()
    }

    fn refused_offer() -> (CreatePeer, oneshot::Receiver<OfferAnswer>) {
        let (reply, answer) = oneshot::channel();
        let owner = PeerOwner {
            app: AppId(1),
            room: RoomId::parse("lobby").unwrap(),
            session: SessionId(1),
            stream: StreamId::parse("camera").unwrap(),
            role: PeerRole::Publisher,
            notices: mpsc::unbounded_channel().0,
        };
        let role = CreateRole::Publisher(None);
        (CreatePeer { peer: PeerId(1), role, owner, offer: "nonsense".into(), reply }, answer)
    }

    #[tokio::test]
    async fn a_worker_that_panics_begins_anew_on_the_same_socket() {
        let (handle, thread) = worker();
        handle.send(MediaRequest::Panic).unwrap();
        let statistics = handle.statistics().await.expect("it serves again");
        assert_eq!(statistics.restarts, 1);
        let (create, answer) = refused_offer();
        handle.create(create).unwrap();
        assert!(answer.await.unwrap().is_err(), "it looks at offers");
        handle.stop();
        thread.join().unwrap();
        assert!(!handle.is_alive());
    }

    #[test]
    fn a_worker_that_panics_too_often_stays_down_and_refuses() {
        let (handle, thread) = worker();
        for _ in 0..=MEDIA_RESTARTS_MAX {
            handle.send(MediaRequest::Panic).unwrap();
        }
        thread.join().unwrap();
        assert!(!handle.is_alive());
        assert_eq!(handle.create(refused_offer().0), Err(MediaBusy));
    }
}
