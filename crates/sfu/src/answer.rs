//! What becomes of an offer: the answer, or why there is none.

use std::fmt;

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
    /// The offer receives, and has none of the publisher's codecs.
    #[error("the offer takes none of the stream's codecs: {}", Listed(codecs))]
    NothingTaken {
        /// The codecs.
        codecs: Vec<Codec>,
    },
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

impl OfferError {
    /// That of an offer of which nothing is taken: it has lines for media of these codecs.
    pub(crate) fn of_subscriber(codecs: Vec<Codec>) -> Self {
        match codecs.is_empty() {
            true => Self::NothingInCommon,
            false => Self::NothingTaken { codecs },
        }
    }
}

/// Codecs with commas between.
struct Listed<'a>(&'a [Codec]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, codec) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{codec}")?;
        }
        Ok(())
    }
}
