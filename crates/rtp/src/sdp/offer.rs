//! An offer that suits the server's end (one bundled transport, RTP and RTCP on one port, the
//! offerer opens DTLS), and the answer to it.

use super::attribute::{Direction, Fingerprint, IceCredentials, Setup};
use super::description::{Description, IceMode, Media, MediaSection, Transport};
use super::parse::SdpError;

/// The transport that every browser offers; others are refused.
const PROTOCOL: &str = "UDP/TLS/RTP/SAVPF";

/// A description that [`Offer::parse`] found to be answerable.
#[derive(Debug, Clone)]
pub struct Offer {
    /// As it was read.
    description: Description,
    /// The offerer's ICE credentials.
    ice: IceCredentials,
    /// What the offerer's DTLS certificate must hash to.
    fingerprint: Fingerprint,
}

/// Why an offer cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The text itself is wrong.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// There is no audio or video line that is not stopped.
    #[error("the offer has no audio or video")]
    NoMedia,
    /// A line has no mid, or another has the same.
    #[error("m-line {index} has no mid of its own")]
    Mid {
        /// Which m-line, from 0.
        index: usize,
    },
    /// Several audio and video lines, but one is not in the BUNDLE group.
    #[error("m-line {mid} is not bundled")]
    NotBundled {
        /// Its mid.
        mid: String,
    },
    /// Another transport than DTLS-SRTP with feedback over UDP.
    #[error("m-line {mid} is not {PROTOCOL}")]
    Protocol {
        /// Its mid.
        mid: String,
    },
    /// RTCP on a port of its own is not supported.
    #[error("m-line {mid} has no rtcp-mux")]
    NoRtcpMux {
        /// Its mid.
        mid: String,
    },
    /// ice-ufrag or ice-pwd is missing.
    #[error("m-line {mid} has no ICE credentials")]
    NoIceCredentials {
        /// Its mid.
        mid: String,
    },
    /// There is no fingerprint.
    #[error("m-line {mid} has no fingerprint")]
    NoFingerprint {
        /// Its mid.
        mid: String,
    },
    /// The offerer wants us to open DTLS, or says nothing.
    #[error("m-line {mid} does not offer to open DTLS")]
    Setup {
        /// Its mid.
        mid: String,
    },
    /// The offerer is ICE-lite as we are: nobody would send checks.
    #[error("the offerer is ICE-lite")]
    IceLite,
}

impl Offer {
    /// Reads and checks an offer.
    ///
    /// # Errors
    /// All of [`OfferError`].
    pub fn parse(text: &str) -> Result<Self, OfferError> {
        let description = Description::parse(text)?;
        if description.ice_mode == IceMode::Lite {
            return Err(OfferError::IceLite);
        }
        check_mids(&description)?;
        let live = || description.media.iter().filter(|media| is_live(media));
        let first = live().next().ok_or(OfferError::NoMedia)?;
        let is_alone = live().count() == 1;
        for media in live() {
            if media.protocol != PROTOCOL {
                return Err(OfferError::Protocol { mid: media.mid.clone() });
            }
            if !is_alone && !description.bundle.contains(&media.mid) {
                return Err(OfferError::NotBundled { mid: media.mid.clone() });
            }
        }
        check_transport(first)?;
        let mid = || first.mid.clone();
        let ice = first.ice.clone().ok_or_else(|| OfferError::NoIceCredentials { mid: mid() })?;
        let fingerprint =
            first.fingerprint.ok_or_else(|| OfferError::NoFingerprint { mid: mid() })?;
        Ok(Self { ice, fingerprint, description })
    }

    /// The offerer's ICE credentials: its ufrag is the second half of its checks' username.
    pub fn ice(&self) -> &IceCredentials {
        &self.ice
    }

    /// What the offerer's DTLS certificate must hash to.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// All m-lines, in order; answer each, or reject it.
    pub fn media(&self) -> &[Media] {
        &self.description.media
    }

    /// The answer. `sections` are for the m-lines in order; None rejects, and so does a missing
    /// one. Lines that are not audio or video, or were stopped by the offerer, are rejected
    /// anyhow.
    pub fn answer(&self, transport: &Transport, sections: &[Option<MediaSection>]) -> Description {
        let mut answer = Description {
            session_id: transport.session_id,
            session_version: 1,
            ice_mode: IceMode::Lite,
            extmap_allow_mixed: self.description.extmap_allow_mixed,
            bundle: Vec::new(),
            media: Vec::new(),
        };
        for (index, offered) in self.media().iter().enumerate() {
            let section = sections.get(index).and_then(Option::as_ref).filter(|_| is_live(offered));
            let mut media =
                Media::new(offered.kind.clone(), 0, &offered.protocol, &offered.format_list);
            media.mid = offered.mid.clone();
            media.direction = Direction::Inactive;
            if let Some(section) = section {
                media.fill(section, transport, Setup::Passive);
                media.extensions = section.extensions.mirrored();
                media.port = transport.candidates.first().map_or(9, |address| address.port());
                media.rtcp_rsize = offered.rtcp_rsize;
                // RFC 8843 §9: candidates belong to the first line of the group only.
                if answer.media.iter().all(Media::is_rejected) {
                    media.candidates = transport.candidates.clone();
                    media.tcp_candidates = transport.tcp_candidates.clone();
                    media.end_of_candidates = true;
                }
                if self.description.bundle.contains(&offered.mid) {
                    answer.bundle.push(offered.mid.clone());
                }
            }
            answer.media.push(media);
        }
        answer
    }
}

fn is_live(media: &Media) -> bool {
    media.is_rtp() && !media.is_rejected()
}

fn check_mids(description: &Description) -> Result<(), OfferError> {
    for (index, media) in description.media.iter().enumerate() {
        let is_double = description.media[..index].iter().any(|other| other.mid == media.mid);
        if media.mid.is_empty() || is_double {
            return Err(OfferError::Mid { index });
        }
    }
    Ok(())
}

/// The first line speaks for all that are bundled with it; those may leave its attributes out
/// (RFC 8829 §5.2.1).
fn check_transport(first: &Media) -> Result<(), OfferError> {
    if !first.rtcp_mux {
        return Err(OfferError::NoRtcpMux { mid: first.mid.clone() });
    }
    match first.setup {
        Some(Setup::ActPass | Setup::Active) => Ok(()),
        Some(Setup::Passive) | None => Err(OfferError::Setup { mid: first.mid.clone() }),
    }
}
