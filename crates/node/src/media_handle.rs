//! The queue to a media worker: what the control plane asks of it, and how it is asked.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use odeum_room::CutMedia;
use odeum_sfu::{Answer, CutTracks, OfferError, PlayWish};
use odeum_types::PeerId;
use tokio::sync::oneshot;

use crate::ice_restart::RestartIce;
use crate::mirrors::MirrorRequest;
use crate::peer_notice::PeerOwner;
use crate::placement::Load;
use crate::statistics::MediaStatistics;
use crate::udp::Waker;

/// What became of an offer.
pub(crate) type OfferAnswer = Result<Answer, OfferError>;

/// A media worker's place among the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WorkerNumber(pub(crate) usize);

/// What the control plane, or another worker, asks of a worker.
pub(crate) enum MediaRequest {
    /// A new transport.
    Create(QueuedOffer),
    /// End a transport; unknown means already gone.
    Close(PeerId),
    /// Cut what a transport publishes; unknown means already gone.
    Cut(PeerId, CutTracks),
    /// What is wanted of what a transport plays; unknown means already gone.
    PlayWish(PeerId, PlayWish),
    /// Restart the ICE of a transport; the place among the offers is given back after it.
    RestartIce(PeerId, RestartIce, OfferSlot),
    /// Of another worker, about this publisher.
    Mirror(PeerId, MirrorRequest),
    /// Ask this STUN server how it sees the socket.
    AskStun(SocketAddr, oneshot::Sender<Option<SocketAddr>>),
    /// Copy the counters out.
    Statistics(oneshot::Sender<MediaStatistics>),
    /// End the thread.
    Stop,
    /// Break down, as a defect of the worker itself would.
    #[cfg(test)]
    Panic,
}

/// A new transport for an offer.
pub(crate) struct CreatePeer {
    /// Its id, new.
    pub(crate) peer: PeerId,
    /// What it is for.
    pub(crate) role: CreateRole,
    /// Who hears of it.
    pub(crate) owner: PeerOwner,
    /// The client's SDP.
    pub(crate) offer: String,
    /// Gets the SDP answer.
    pub(crate) reply: oneshot::Sender<OfferAnswer>,
}

/// An offer that waits, and its place among those that may.
pub(crate) struct QueuedOffer {
    /// The offer.
    pub(crate) create: CreatePeer,
    /// Given back when the offer is answered, or lost with a worker that broke down.
    pub(crate) slot: OfferSlot,
}

/// One of the offers that may wait for a worker.
pub(crate) struct OfferSlot(Arc<AtomicUsize>);

impl OfferSlot {
    fn take(offers: &Arc<AtomicUsize>) -> Self {
        offers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(offers))
    }
}

impl Drop for OfferSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a new transport is for.
pub(crate) enum CreateRole {
    /// It publishes.
    Publisher {
        /// What of it is cut from the beginning.
        cut: Option<CutMedia>,
        /// How long the packets of a video frame may wait for the rest of it.
        linger: Duration,
    },
    /// It plays what a transport publishes.
    Subscriber {
        /// Which.
        publisher: PeerId,
        /// The worker that one is on.
        home: WorkerNumber,
        /// What is wanted of it.
        wish: PlayWish,
    },
}

/// What the media plane is to cut.
pub(crate) fn cut_tracks(media: Option<CutMedia>) -> CutTracks {
    CutTracks {
        audio: media.is_some_and(CutMedia::audio),
        video: media.is_some_and(CutMedia::video),
    }
}

/// The queue to one worker.
#[derive(Clone)]
pub(crate) struct MediaHandle {
    /// To the thread.
    pub(crate) requests: Sender<MediaRequest>,
    /// Offers that wait.
    pub(crate) offers: Arc<AtomicUsize>,
    /// Offers that may wait.
    pub(crate) offers_max: usize,
    /// Ends the thread's sleep.
    pub(crate) waker: Arc<Waker>,
    /// Cleared when the thread has given up.
    pub(crate) alive: Arc<AtomicBool>,
    /// Share of its core that the thread used in the last second, in thousandths.
    pub(crate) load: Arc<AtomicU16>,
    /// How STUN servers see the worker's socket. A lock, since it outlives the worker's sfu and is
    /// read by others a few times a minute.
    outer_addresses: Arc<Mutex<Vec<SocketAddr>>>,
}

/// The worker's queue of offers is full, or the worker is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MediaBusy;

impl MediaHandle {
    /// The two ends of a new worker's queue, before its thread is started.
    ///
    /// # Errors
    /// What the kernel says: out of file descriptors.
    pub(crate) fn new(offers_max: usize) -> io::Result<(Self, Receiver<MediaRequest>)> {
        let (requests, queue) = channel();
        let handle = Self {
            requests,
            offers: Arc::default(),
            offers_max,
            waker: Arc::new(Waker::new()?),
            alive: Arc::new(AtomicBool::new(true)),
            load: Arc::default(),
            outer_addresses: Arc::default(),
        };
        Ok((handle, queue))
    }

    /// Asks for a new transport; the owner's room worker is the only one who asks for its peers, so
    /// a later [`MediaHandle::close`] cannot overtake it.
    pub(crate) fn create(&self, create: CreatePeer) -> Result<(), MediaBusy> {
        let slot = self.offer_slot()?;
        self.send(MediaRequest::Create(QueuedOffer { create, slot })).map_err(|()| MediaBusy)
    }

    /// Restarts the ICE of a transport; waits among the offers.
    pub(crate) fn restart_ice(&self, peer: PeerId, restart: RestartIce) -> Result<(), MediaBusy> {
        let slot = self.offer_slot()?;
        self.send(MediaRequest::RestartIce(peer, restart, slot)).map_err(|()| MediaBusy)
    }

    fn offer_slot(&self) -> Result<OfferSlot, MediaBusy> {
        if self.offers.load(Ordering::Relaxed) >= self.offers_max || !self.is_alive() {
            return Err(MediaBusy);
        }
        Ok(OfferSlot::take(&self.offers))
    }

    /// Ends a transport. Never refused: the transports that exist bound it.
    pub(crate) fn close(&self, peer: PeerId) {
        // A worker that is gone has no transports.
        self.send(MediaRequest::Close(peer)).unwrap_or(());
    }

    /// Cuts what a transport publishes, or gives it back.
    pub(crate) fn cut(&self, peer: PeerId, media: Option<CutMedia>) {
        // A worker that is gone has no transports.
        self.send(MediaRequest::Cut(peer, cut_tracks(media))).unwrap_or(());
    }

    /// What is wanted of what a transport plays.
    pub(crate) fn set_play_wish(&self, peer: PeerId, wish: PlayWish) {
        // A worker that is gone has no transports.
        self.send(MediaRequest::PlayWish(peer, wish)).unwrap_or(());
    }

    /// The counters; none when the worker is gone.
    pub(crate) async fn statistics(&self) -> Option<MediaStatistics> {
        let (reply, answer) = oneshot::channel();
        self.send(MediaRequest::Statistics(reply)).ok()?;
        answer.await.ok()
    }

    /// Ends the thread after what is queued.
    pub(crate) fn stop(&self) {
        self.send(MediaRequest::Stop).unwrap_or(());
    }

    /// How busy it is.
    pub(crate) fn load(&self) -> Load {
        Load(self.load.load(Ordering::Relaxed))
    }

    /// How STUN servers see the worker's socket: at most one address of each IP version.
    pub(crate) fn outer_addresses(&self) -> Vec<SocketAddr> {
        self.outer_addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what STUN servers say.
    pub(crate) fn set_outer_addresses(&self, found: &[SocketAddr]) {
        let mut kept = self.outer_addresses.lock().unwrap_or_else(PoisonError::into_inner);
        found.clone_into(&mut kept);
    }

    /// Whether the worker serves.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    pub(crate) fn send(&self, request: MediaRequest) -> Result<(), ()> {
        self.requests.send(request).map_err(|_| ())?;
        self.waker.wake();
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use odeum_types::{AppId, RoomId, SessionId, StreamId};
    use tokio::sync::mpsc;

    use super::*;
    use crate::peer_notice::PeerRole;

    /// An offer that no worker takes, and where its refusal comes.
    pub(crate) fn queued_offer(peer: u64) -> (QueuedOffer, oneshot::Receiver<OfferAnswer>) {
        let (reply, answer) = oneshot::channel();
        let owner = PeerOwner {
            app: AppId(1),
            room: RoomId::parse("lobby").unwrap(),
            session: SessionId(1),
            stream: StreamId::parse("camera").unwrap(),
            role: PeerRole::Publisher,
            notices: mpsc::unbounded_channel().0,
        };
        let role = CreateRole::Publisher { cut: None, linger: Duration::ZERO };
        let peer = PeerId(peer);
        let create = CreatePeer { peer, role, owner, offer: "nonsense".into(), reply };
        (QueuedOffer { create, slot: OfferSlot::take(&Arc::default()) }, answer)
    }

    #[test]
    fn an_offer_gives_its_place_back_however_it_ends() {
        let (handle, queue) = MediaHandle::new(1).unwrap();
        handle.create(queued_offer(1).0.create).unwrap();
        assert_eq!(handle.create(queued_offer(2).0.create), Err(MediaBusy));
        drop(queue.try_recv());
        handle.create(queued_offer(3).0.create).unwrap();
    }
}
