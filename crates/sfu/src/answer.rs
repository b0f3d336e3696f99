//! What becomes of an offer: the answer, or why there is none.

use odeum_rtp::sdp;
use odeum_types::{Codec, PeerId};

/// What the client that made the offer gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The SDP answer: ICE-lite, passive, host candidates and no trickle.
    pub sdp: String,
    /// Codecs of the publisher's that a subscriber's offer has a line for and cannot take: nothing
    /// of that track will come.
    pub untaken: Vec<Codec>,
}

/// Why an offer was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The SDP itself is not acceptable.
    #[error(transparent)]
    Sdp(#[from] sdp::OfferError),
    /// The offer has nothing that is forwarded here: no codec of Odeum's, or the wrong
    /// direction.
    #[error("nothing of the offer can be forwarded")]
    NothingInCommon,
    /// Reading the offer panicked; nothing else was touched.
    #[error("the offer could not be handled")]
    Panicked,
    /// The id is in use.
    #[error("peer {peer} exists already")]
    PeerExists {
        /// The id.
        peer: PeerId,
    },
    /// The worker has as many peers as it may.
    #[error("the worker has {peers_max} peers already")]
    PeersMax {
        /// The limit.
        peers_max: usize,
    },
    /// The publisher has as many subscribers as it may.
    #[error("the publisher has {subscribers_max} subscribers already")]
    SubscribersMax {
        /// The limit.
        subscribers_max: usize,
    },
    /// There is no such publisher.
    #[error("peer {publisher} does not publish")]
    NoPublisher {
        /// The id asked for.
        publisher: PeerId,
    },
}
