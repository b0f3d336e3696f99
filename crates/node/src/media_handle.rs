//! The queue to a media worker: what the control plane asks of it, and how it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use odeum_room::CutMedia;
use odeum_sfu::{Answer, CutTracks, OfferError};
use odeum_types::PeerId;
use tokio::sync::oneshot;

use crate::peer_notice::PeerOwner;
use crate::statistics::MediaStatistics;
use crate::udp::Waker;

/// What became of an offer.
pub(crate) type OfferAnswer = Result<Answer, OfferError>;

/// What the control plane asks of a worker.
pub(crate) enum MediaRequest {
    /// A new transport.
    Create(CreatePeer),
    /// End a transport; unknown means already gone.
    Close(PeerId),
    /// Cut what a transport publishes; unknown means already gone.
    Cut(PeerId, CutTracks),
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

/// What a new transport is for.
pub(crate) enum CreateRole {
    /// It publishes, and this of it is cut from the beginning.
    Publisher(Option<CutMedia>),
    /// It plays what this transport publishes.
    Subscriber(PeerId),
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
}

/// The worker's queue of offers is full, or the worker is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MediaBusy;

impl MediaHandle {
    /// Asks for a new transport; the owner's room worker is the only one who asks for its peers, so
    /// a later [`MediaHandle::close`] cannot overtake it.
    pub(crate) fn create(&self, create: CreatePeer) -> Result<(), MediaBusy> {
        if self.offers.load(Ordering::Relaxed) >= self.offers_max || !self.is_alive() {
            return Err(MediaBusy);
        }
        self.offers.fetch_add(1, Ordering::Relaxed);
        self.send(MediaRequest::Create(create)).map_err(|()| MediaBusy)
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
