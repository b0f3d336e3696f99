//! A media worker: one plain thread that owns one UDP socket and one `Sfu`. Packets that arrived
//! together are handled together and answered together; commands of the control plane come over a
//! queue.
//!
//! It shares nothing with other workers: what a large room needs of several crosses by value
//! (`mirrors.rs`). What it tells the control plane goes to the room worker
//! that owns the peer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use odeum_sfu::{OfferError, PlayTerms, Sfu, SfuConfig};
use odeum_types::PeerId;
use rustc_hash::FxHashMap;

use crate::gathering::Gathering;
use crate::limits::{
    BATCHES_PER_TURN_MAX, COMMANDS_PER_TURN_MAX, FLUSH_PACKETS_MAX, MEDIA_RESTARTS_MAX,
    RELAYED_PER_TURN_MAX,
};
use crate::load_meter::LoadMeter;
use crate::media_handle::{
    CreateRole, MediaHandle, MediaRequest, OfferAnswer, QueuedOffer, WorkerNumber, cut_tracks,
};
use crate::mirrors::{MirrorRequest, Mirrors, receive};
use crate::outer_address::StunAskers;
use crate::peer_notice::PeerChange;
use crate::plane::Plane;
use crate::statistics::{MediaStatistics, SocketStatistics};
use crate::tcp::{Rest, TcpPort};
use crate::udp::{ReceiveBatch, UdpSocket, wait};

/// Time over which the load is measured that places rooms. Shorter reacts faster to a storm of
/// joins and follows every key frame.
const LOAD_INTERVAL: Duration = Duration::from_secs(1);

/// Starts the thread of worker `number` of `workers` at `ports`, with the other end of its queue.
///
/// # Errors
/// What the kernel says: out of threads.
pub(crate) fn start(
    number: WorkerNumber,
    workers: &Arc<[MediaHandle]>,
    queue: Receiver<MediaRequest>,
    ports: MediaPorts,
    config: SfuConfig,
) -> io::Result<JoinHandle<()>> {
    let mut worker = MediaWorker::new(number, workers, queue, ports, config);
    thread::Builder::new().name(format!("media-{}", number.0)).spawn(move || {
        worker.run_guarded(number);
        worker.handle.alive.store(false, Ordering::Relaxed);
    })
}

/// Where clients reach a worker.
pub(crate) struct MediaPorts {
    /// The UDP socket.
    pub(crate) udp: UdpSocket,
    /// The TCP port, where there is one.
    pub(crate) tcp: Option<TcpPort>,
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
    /// What others know of this worker.
    handle: MediaHandle,
    /// How busy it is.
    load: LoadMeter,
    /// How long it lets packets gather.
    gathering: Gathering,
    /// Whether something may wait at a TCP connection that was told of already.
    tcp_rest: Rest,
    /// Panics survived.
    restarts: u32,
}

impl MediaWorker {
    /// One without peers.
    fn new(
        number: WorkerNumber,
        workers: &Arc<[MediaHandle]>,
        queue: Receiver<MediaRequest>,
        ports: MediaPorts,
        config: SfuConfig,
    ) -> Self {
        let now = Instant::now();
        let handle = workers[number.0].clone();
        let plane = Plane {
            sfu: Sfu::new(now, config.clone()),
            socket: ports.udp,
            tcp: ports.tcp,
            owners: FxHashMap::default(),
            mirrors: Mirrors::new(number, Arc::clone(workers)),
            handle: handle.clone(),
            counters: SocketStatistics::default(),
            stun_askers: StunAskers::default(),
        };
        Self {
            plane,
            config,
            batch: ReceiveBatch::new(),
            queue,
            handle,
            load: LoadMeter::new(now, LOAD_INTERVAL),
            gathering: Gathering::new(now),
            tcp_rest: Rest::None,
            restarts: 0,
        }
    }

    /// Runs until told to stop. A panic that the sfu did not contain ends all peers of this worker,
    /// tells their rooms, and begins anew with an empty sfu on the same socket.
    fn run_guarded(&mut self, number: WorkerNumber) {
        loop {
            let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run())) else { return };
            self.restarts += 1;
            tracing::error!(
                worker = number.0,
                peers = self.plane.owners.len(),
                restarts = self.restarts,
                reason = crate::room_worker::panic_text(&*panic),
                "a media worker panicked; its peers are lost",
            );
            for (peer, owner) in self.plane.owners.drain() {
                owner.tell(peer, PeerChange::Lost);
            }
            self.plane.mirrors.all_lost();
            if self.restarts > MEDIA_RESTARTS_MAX {
                tracing::error!(
                    worker = number.0,
                    "the media worker panicked too often and stays down"
                );
                return;
            }
            // Another seed than the last one's: the same secrets must not come twice.
            rand::Rng::fill(&mut rand::rng(), &mut self.config.seed[..]);
            // Clients are told of it at once, and not when the STUN server is asked again.
            self.config.outer_addresses = self.handle.outer_addresses();
            self.plane.sfu = Sfu::new(Instant::now(), self.config.clone());
            // Requests that came with the one that panicked have been waited for already.
            self.handle.waker.wake();
        }
    }

    fn run(&mut self) {
        loop {
            let now = self.gathering.pause(self.plane.poll_timeout());
            let timeout = self.plane.poll_timeout().map(|at| at.saturating_duration_since(now));
            let tcp = self.plane.tcp.as_ref().map(TcpPort::descriptor);
            let ready = match wait(&self.plane.socket, &self.handle.waker, tcp, timeout) {
                Ok(ready) => ready,
                Err(error) => {
                    tracing::error!(%error, "a media worker cannot wait for its socket");
                    return;
                }
            };
            if ready.waker {
                self.handle.waker.clear();
                if self.carry_out_requests() == Turn::Stop {
                    return;
                }
            }
            if ready.socket {
                self.receive();
            }
            if ready.tcp || self.tcp_rest == Rest::More {
                self.receive_tcp();
            }
            self.receive_relayed();
            let now = Instant::now();
            if let Some(tcp) = &mut self.plane.tcp {
                tcp.handle_timeout(now, &self.plane.sfu);
            }
            if self.plane.sfu.poll_timeout().is_some_and(|at| at <= now) {
                self.plane.sfu.handle_timeout(now);
                self.plane.flush();
            }
            if let Some(load) = self.load.measure(now) {
                self.handle.load.store(load.0, Ordering::Relaxed);
            }
        }
    }

    fn carry_out_requests(&mut self) -> Turn {
        for _ in 0..COMMANDS_PER_TURN_MAX {
            let Ok(request) = self.queue.try_recv() else { return Turn::Again };
            match request {
                MediaRequest::Create(create) => self.create(create),
                MediaRequest::Close(peer) => self.close(peer),
                MediaRequest::PlayWish(peer, wish) => {
                    self.plane.sfu.set_wish(Instant::now(), peer, wish);
                    self.plane.flush();
                }
                MediaRequest::RestartIce(peer, restart, _slot) => {
                    let sfu = &mut self.plane.sfu;
                    let result = sfu.restart_ice(Instant::now(), peer, &restart.remote_ufrag);
                    // Whoever asked may have given up: the old credentials are good as well.
                    drop(restart.reply.send(result));
                }
                MediaRequest::Mirror(publisher, request) => self.mirror(publisher, request),
                MediaRequest::Cut(peer, cut) => {
                    self.plane.sfu.cut(Instant::now(), peer, cut);
                    self.plane.flush();
                }
                MediaRequest::AskStun(server, reply) => {
                    self.plane.stun_askers.add(server, reply);
                    self.plane.sfu.ask_stun(Instant::now(), server);
                    self.plane.flush();
                }
                MediaRequest::Statistics(reply) => {
                    let statistics = MediaStatistics {
                        sfu: *self.plane.sfu.statistics(),
                        socket: self.plane.counters,
                        relay: self.plane.mirrors.statistics(),
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
        self.go_on_at_once();
        Turn::Again
    }

    fn create(&mut self, offer: QueuedOffer) {
        let create = &offer.create;
        // Known before the sfu runs, so that a panic in it still reaches the room.
        self.plane.owners.insert(create.peer, create.owner.clone());
        let admitted = match create.role {
            CreateRole::Publisher { .. } => Some(offer),
            CreateRole::Subscriber { publisher, home, .. } => {
                self.plane.mirrors.admit(publisher, home, offer)
            }
        };
        if let Some(offer) = admitted {
            self.create_admitted(offer);
        }
    }

    fn create_admitted(&mut self, offer: QueuedOffer) {
        let create = &offer.create;
        let now = Instant::now();
        let result = match create.role {
            CreateRole::Publisher { cut, linger } => {
                let created = self.plane.sfu.create_publisher(now, create.peer, &create.offer);
                // Before its first packet.
                self.plane.sfu.cut(now, create.peer, cut_tracks(cut));
                self.plane.sfu.set_linger(create.peer, linger);
                created
            }
            CreateRole::Subscriber { publisher, wish, .. } => {
                let terms = PlayTerms { publisher, session: Some(create.owner.session), wish };
                self.plane.sfu.create_subscriber(now, create.peer, terms, &create.offer)
            }
        };
        self.answer(offer, result);
        self.plane.flush();
    }

    fn answer(&mut self, offer: QueuedOffer, answer: OfferAnswer) {
        let QueuedOffer { create, slot } = offer;
        if answer.is_err()
            && let Some(owner) = self.plane.owners.remove(&create.peer)
        {
            // Before the reply, so that the room knows when the client asks again.
            owner.tell(create.peer, PeerChange::OfferRefused);
        }
        drop(slot);
        // A caller that is gone leaves a transport that ends by its connect timeout.
        create.reply.send(answer).unwrap_or(());
    }

    fn close(&mut self, peer: PeerId) {
        self.plane.owners.remove(&peer);
        if let Some(offer) = self.plane.mirrors.withdraw(peer)
            && let CreateRole::Subscriber { publisher, .. } = offer.create.role
        {
            self.answer(offer, Err(OfferError::NoPublisher { publisher }));
        }
        self.plane.sfu.close_peer(Instant::now(), peer);
        self.plane.flush();
    }

    /// What another worker says or wants of a publisher.
    fn mirror(&mut self, publisher: PeerId, request: MirrorRequest) {
        let now = Instant::now();
        let Plane { sfu, mirrors, .. } = &mut self.plane;
        match request {
            MirrorRequest::Begin { from } => mirrors.begin(sfu, publisher, from),
            MirrorRequest::End { from } => mirrors.end(sfu, publisher, from),
            MirrorRequest::Gone => sfu.close_peer(now, publisher),
            MirrorRequest::KeyFrame(layer) => sfu.want_key_frame(now, publisher, layer),
            MirrorRequest::Terms { terms, ring } => {
                let (waiting, result) = mirrors.take_terms(sfu, now, publisher, terms, ring);
                for offer in waiting {
                    match &result {
                        Ok(()) => self.create_admitted(offer),
                        Err(error) => self.answer(offer, Err(error.clone())),
                    }
                }
            }
        }
        self.plane.flush();
    }

    /// Takes what other workers have put into their rings to this one.
    fn receive_relayed(&mut self) {
        let mut left = RELAYED_PER_TURN_MAX;
        while let Some(receiver) = self.plane.mirrors.receiver() {
            let now = Instant::now();
            let sfu = &mut self.plane.sfu;
            left -= receive(receiver, left.min(FLUSH_PACKETS_MAX), |relayed| {
                sfu.handle_relayed(now, relayed);
            });
            self.plane.flush();
            if left == 0 {
                return self.go_on_at_once();
            }
        }
    }

    /// Takes what has come over TCP.
    fn receive_tcp(&mut self) {
        for _ in 0..BATCHES_PER_TURN_MAX {
            let Plane { sfu, tcp: Some(tcp), counters, .. } = &mut self.plane else { return };
            let received = tcp.receive(Instant::now(), sfu, counters);
            self.plane.flush();
            self.tcp_rest = received.unwrap_or_else(|error| {
                self.plane.counters.receive_errors += 1;
                tracing::warn!(%error, "a media worker cannot read its TCP connections");
                Rest::None
            });
            if self.tcp_rest == Rest::None {
                return;
            }
        }
        self.go_on_at_once();
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
        self.go_on_at_once();
    }

    /// More waits, or may wait, than one turn takes: the next one begins without a pause.
    fn go_on_at_once(&mut self) {
        self.gathering.skip_next();
        self.handle.waker.wake();
    }
}

#[cfg(test)]
mod tests;
