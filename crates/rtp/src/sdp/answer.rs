//! The server's answer as our own client reads it.

use std::net::SocketAddr;

use super::attribute::{Fingerprint, IceCredentials, Setup};
use super::description::{Description, IceMode, Media};
use super::parse::SdpError;

/// An answer that a client can connect by.
#[derive(Debug, Clone)]
pub struct Answer {
    /// As it was read.
    description: Description,
    /// The server's ICE credentials.
    ice: IceCredentials,
    /// What the server's DTLS certificate must hash to.
    fingerprint: Fingerprint,
    /// Where the server is.
    candidates: Vec<SocketAddr>,
}

/// Why a client cannot use an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The text itself is wrong.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// Every line is rejected.
    #[error("the answer rejects every m-line")]
    Rejected,
    /// ice-ufrag or ice-pwd is missing.
    #[error("the answer has no ICE credentials")]
    NoIceCredentials,
    /// There is no fingerprint.
    #[error("the answer has no fingerprint")]
    NoFingerprint,
    /// The answerer does not take the passive role.
    #[error("the answerer is not passive")]
    Setup,
    /// There is no candidate that is an address.
    #[error("the answer has no candidate")]
    NoCandidate,
}

impl Answer {
    /// Reads and checks an answer.
    ///
    /// # Errors
    /// All of [`AnswerError`].
    pub fn parse(text: &str) -> Result<Self, AnswerError> {
        let description = Description::parse(text)?;
        let mut live = description.media.iter().filter(|media| !media.is_rejected());
        let first = live.next().ok_or(AnswerError::Rejected)?;
        let ice = first.ice.clone().ok_or(AnswerError::NoIceCredentials)?;
        let fingerprint = first.fingerprint.ok_or(AnswerError::NoFingerprint)?;
        if first.setup != Some(Setup::Passive) {
            return Err(AnswerError::Setup);
        }
        let candidates = first.candidates.clone();
        if candidates.is_empty() {
            return Err(AnswerError::NoCandidate);
        }
        Ok(Self { ice, fingerprint, candidates, description })
    }

    /// The server's ICE credentials: its ufrag is the first half of a check's username, its
    /// password makes the check's integrity.
    pub fn ice(&self) -> &IceCredentials {
        &self.ice
    }

    /// What the server's DTLS certificate must hash to.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Where the server is, the preferred first.
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }

    /// Whether the server only answers checks.
    pub fn ice_mode(&self) -> IceMode {
        self.description.ice_mode
    }

    /// The m-lines in the offer's order; [`Media::is_rejected`] says which are refused.
    pub fn media(&self) -> &[Media] {
        &self.description.media
    }
}
