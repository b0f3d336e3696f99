//! What media workers tell room workers of the transports that rooms own.

use odeum_sfu::{CloseReason, MediaFacts};
use odeum_types::{AppId, LayerSet, PeerId, RoomId, SessionId, StreamId};
use tokio::sync::mpsc;

/// Where a transport belongs.
#[derive(Debug, Clone)]
pub(crate) struct PeerOwner {
    /// The app.
    pub(crate) app: AppId,
    /// The room.
    pub(crate) room: RoomId,
    /// The session that it was made for.
    pub(crate) session: SessionId,
    /// The stream that it publishes or plays.
    pub(crate) stream: StreamId,
    /// What it does.
    pub(crate) role: PeerRole,
    /// To the room's worker. Unbounded, for it must not be lost: a transport makes two notices at
    /// most, and two a second of its layers, and the media workers limit transports.
    pub(crate) notices: mpsc::UnboundedSender<PeerNotice>,
}

/// What a transport does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerRole {
    /// It publishes.
    Publisher,
    /// It plays.
    Player,
}

/// Something happened to a transport.
#[derive(Debug)]
pub(crate) struct PeerNotice {
    /// Where it belongs.
    pub(crate) owner: PeerOwner,
    /// Which.
    pub(crate) peer: PeerId,
    /// What.
    pub(crate) change: PeerChange,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PeerChange {
    /// The media plane takes no such offer; there is no transport.
    OfferRefused,
    /// Media can flow.
    Connected(MediaFacts),
    /// What of its video's layers it need send.
    LayersWanted(LayerSet),
    /// It is gone.
    Closed(CloseReason),
    /// Its worker broke down.
    Lost,
}

impl PeerOwner {
    /// Tells the room's worker; one that is gone needs to hear nothing.
    pub(crate) fn tell(&self, peer: PeerId, change: PeerChange) {
        let notice = PeerNotice { owner: self.clone(), peer, change };
        self.notices.send(notice).unwrap_or(());
    }
}
