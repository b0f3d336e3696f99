//! The receiving direction: refuses forged, replayed and too old packets, opens the rest in place.

use crate::profile::{MasterKey, Profile};
use crate::session_keys::{RtcpEncryption, SessionKeys};
use crate::window::{Freshness, ReplayWindow, SSRCS_MAX, Windows};
use crate::{RTCP_CLEAR_BYTES, rtcp_ssrc, rtp_header};

/// Opens what the other side of a DTLS association sends.
pub struct Inbound {
    /// Keys for RTP.
    rtp: SessionKeys,
    /// Keys for RTCP.
    rtcp: SessionKeys,
    /// The profile, for its overheads.
    profile: Profile,
    /// RTP indices seen, by SSRC.
    rtp_windows: Windows,
    /// RTCP indices seen, by the sender's SSRC.
    rtcp_windows: Windows,
}

impl Inbound {
    /// Derives the session keys of `master`.
    pub fn new(profile: Profile, master: &MasterKey) -> Self {
        Self {
            rtp: SessionKeys::rtp(master),
            rtcp: SessionKeys::rtcp(master),
            profile,
            rtp_windows: Windows::default(),
            rtcp_windows: Windows::default(),
        }
    }

    /// Opens an RTP packet in place and gives the length of the plain packet.
    ///
    /// # Errors
    /// See [`UnprotectError`]; the state is then unchanged, the bytes may not be.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        let plain = packet
            .len()
            .checked_sub(self.profile.rtp_overhead_bytes())
            .ok_or(UnprotectError::Malformed)?;
        let header = rtp_header(&packet[..plain]).ok_or(UnprotectError::Malformed)?;
        let index = match self.rtp_windows.get(header.ssrc) {
            Some(window) => {
                let index = window.estimate(header.sequence).ok_or(UnprotectError::TooOld)?;
                refuse_replay(window, index)?;
                index
            }
            None => u64::from(header.sequence),
        };
        self.rtp
            .open_rtp(packet, header.length, header.ssrc, index)
            .map_err(|_| UnprotectError::Forged)?;
        self.rtp_windows
            .get_or_add(header.ssrc)
            .map_err(|_| UnprotectError::TooManySsrcs { ssrc: header.ssrc })?
            .mark(index);
        Ok(plain)
    }

    /// Opens a compound RTCP packet in place and gives the length of the plain packet.
    ///
    /// # Errors
    /// See [`UnprotectError`]; the state is then unchanged, the bytes may not be.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        let plain = packet
            .len()
            .checked_sub(self.profile.rtcp_overhead_bytes())
            .filter(|plain| *plain >= RTCP_CLEAR_BYTES)
            .ok_or(UnprotectError::Malformed)?;
        let ssrc = rtcp_ssrc(packet).ok_or(UnprotectError::Malformed)?;
        let (encryption, index) = self.rtcp.rtcp_index(packet);
        if encryption == RtcpEncryption::None {
            return Err(UnprotectError::NotEncrypted);
        }
        if let Some(window) = self.rtcp_windows.get(ssrc) {
            refuse_replay(window, u64::from(index))?;
        }
        self.rtcp.open_rtcp(packet, ssrc, index).map_err(|_| UnprotectError::Forged)?;
        self.rtcp_windows
            .get_or_add(ssrc)
            .map_err(|_| UnprotectError::TooManySsrcs { ssrc })?
            .mark(u64::from(index));
        Ok(plain)
    }
}

fn refuse_replay(window: &ReplayWindow, index: u64) -> Result<(), UnprotectError> {
    match window.freshness(index) {
        Freshness::Fresh => Ok(()),
        Freshness::Used => Err(UnprotectError::Replayed { index }),
        Freshness::TooOld => Err(UnprotectError::TooOld),
    }
}

/// Why a packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnprotectError {
    /// Too short, or not RTP or RTCP.
    #[error("not a protected packet")]
    Malformed,
    /// The tag is wrong.
    #[error("the packet is not authentic")]
    Forged,
    /// This index was received before.
    #[error("packet index {index} was received before")]
    Replayed {
        /// The 48-bit index of RTP, or the 31-bit one of RTCP.
        index: u64,
    },
    /// The packet lies behind the replay window.
    #[error("the packet lies behind the replay window")]
    TooOld,
    /// The context already knows [`SSRCS_MAX`] SSRCs.
    #[error("SSRC {ssrc:08x} would be one more than {SSRCS_MAX}")]
    TooManySsrcs {
        /// The SSRC refused.
        ssrc: u32,
    },
    /// SRTCP without encryption, which WebRTC does not have.
    #[error("RTCP that is not encrypted")]
    NotEncrypted,
}
