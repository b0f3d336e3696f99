//! The sending direction: protects packets in place and never uses an index twice.

use odeum_types::prefetch;

use crate::profile::{MasterKey, Profile};
use crate::session_keys::SessionKeys;
use crate::window::{Freshness, SSRCS_MAX, Windows};
use crate::{RTCP_CLEAR_BYTES, rtcp_ssrc, rtp_header};

/// Last SRTCP index (RFC 3711 §3.4).
const RTCP_INDEX_MAX: u32 = (1 << 31) - 1;

/// Protects what one side of a DTLS association sends.
pub struct Outbound {
    /// Keys for RTP.
    rtp: SessionKeys,
    /// Keys for RTCP.
    rtcp: SessionKeys,
    /// The profile, for its overheads.
    profile: Profile,
    /// RTP indices used, by SSRC.
    windows: Windows,
    /// The next SRTCP index. One counter for all SSRCs: the nonce holds the SSRC as well, and a
    /// receiver only asks that indices grow.
    rtcp_index: u32,
}

impl Outbound {
    /// Derives the session keys of `master`.
    pub fn new(profile: Profile, master: &MasterKey) -> Self {
        Self {
            rtp: SessionKeys::rtp(master),
            rtcp: SessionKeys::rtcp(master),
            profile,
            windows: Windows::default(),
            rtcp_index: 0,
        }
    }

    /// Brings near what the next RTP packets need, but for what [`Self::prefetch_windows`] does.
    pub fn prefetch(&self) {
        prefetch(&self.rtp);
        prefetch(&self.windows);
    }

    /// Brings near which indices were used; where they are is known once [`Self::prefetch`] has
    /// had its time.
    pub fn prefetch_windows(&self) {
        self.windows.prefetch();
    }

    /// Protects an RTP packet in place. The last [`Profile::rtp_overhead_bytes`] of `packet` are
    /// room for the tag. Packets may come out of order inside the replay window; each sequence
    /// number may come once.
    ///
    /// # Errors
    /// See [`ProtectError`]; `packet` and the state are then unchanged.
    pub fn protect_rtp(&mut self, packet: &mut [u8]) -> Result<(), ProtectError> {
        let plain = packet
            .len()
            .checked_sub(self.profile.rtp_overhead_bytes())
            .ok_or(ProtectError::Malformed)?;
        let header = rtp_header(&packet[..plain]).ok_or(ProtectError::Malformed)?;
        let window = self
            .windows
            .get_or_add(header.ssrc)
            .map_err(|_| ProtectError::TooManySsrcs { ssrc: header.ssrc })?;
        let index = window.estimate(header.sequence).ok_or(ProtectError::IndexExhausted)?;
        match window.freshness(index) {
            Freshness::Fresh => {}
            Freshness::Used | Freshness::TooOld => return Err(ProtectError::IndexUsed { index }),
        }
        window.mark(index);
        self.rtp.seal_rtp(packet, header.length, header.ssrc, index);
        Ok(())
    }

    /// Protects once more a packet that was protected before, for a retransmission without RTX.
    ///
    /// The packet must be, byte for byte, what was given to [`Self::protect_rtp`] under this
    /// sequence number: then the result too is byte for byte what was sent, and nothing is learnt
    /// from the nonce's second use. Another packet under an index used before would give the
    /// authentication key away (RFC 7714 §10.1).
    ///
    /// # Errors
    /// [`ProtectError::Malformed`], or [`ProtectError::NotSent`] when that index was never sent or
    /// has left the window.
    pub fn protect_rtp_again(&mut self, packet: &mut [u8]) -> Result<(), ProtectError> {
        let plain = packet
            .len()
            .checked_sub(self.profile.rtp_overhead_bytes())
            .ok_or(ProtectError::Malformed)?;
        let header = rtp_header(&packet[..plain]).ok_or(ProtectError::Malformed)?;
        let index = self
            .windows
            .get(header.ssrc)
            .and_then(|window| {
                let index = window.estimate(header.sequence)?;
                (window.freshness(index) == Freshness::Used).then_some(index)
            })
            .ok_or(ProtectError::NotSent)?;
        self.rtp.seal_rtp(packet, header.length, header.ssrc, index);
        Ok(())
    }

    /// Protects a compound RTCP packet in place. The last [`Profile::rtcp_overhead_bytes`] of
    /// `packet` are room for the tag and the index.
    ///
    /// # Errors
    /// [`ProtectError::Malformed`] or [`ProtectError::IndexExhausted`].
    pub fn protect_rtcp(&mut self, packet: &mut [u8]) -> Result<(), ProtectError> {
        let shortest = RTCP_CLEAR_BYTES + self.profile.rtcp_overhead_bytes();
        let ssrc = rtcp_ssrc(packet)
            .filter(|_| packet.len() >= shortest)
            .ok_or(ProtectError::Malformed)?;
        if self.rtcp_index > RTCP_INDEX_MAX {
            return Err(ProtectError::IndexExhausted);
        }
        let index = self.rtcp_index;
        self.rtcp_index += 1;
        self.rtcp.seal_rtcp(packet, ssrc, index);
        Ok(())
    }

    /// The profile that this context protects with.
    pub fn profile(&self) -> Profile {
        self.profile
    }
}

/// Why a packet was not protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtectError {
    /// Not an RTP or RTCP packet with room for the tag.
    #[error("not a packet with room for its tag")]
    Malformed,
    /// This index has been used, or is so old that nobody can tell.
    #[error("packet index {index} has been used")]
    IndexUsed {
        /// The 48-bit index.
        index: u64,
    },
    /// A repetition was asked of a packet that was not sent.
    #[error("the packet to repeat was not sent")]
    NotSent,
    /// The index space of this key is used up; a new DTLS association is needed.
    #[error("no packet index is left under this key")]
    IndexExhausted,
    /// The context already sends [`SSRCS_MAX`] SSRCs.
    #[error("SSRC {ssrc:08x} would be one more than {SSRCS_MAX}")]
    TooManySsrcs {
        /// The SSRC refused.
        ssrc: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DtlsKeys;

    #[test]
    fn the_last_rtcp_index_is_not_passed() {
        let profile = Profile::AeadAes128Gcm;
        let keys = DtlsKeys::split(profile, &[1; 56]).unwrap();
        let mut outbound = Outbound::new(profile, &keys.client);
        outbound.rtcp_index = RTCP_INDEX_MAX;
        let mut packet = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
        packet.resize(8 + profile.rtcp_overhead_bytes(), 0);
        assert_eq!(outbound.protect_rtcp(&mut packet.clone()), Ok(()));
        assert_eq!(outbound.protect_rtcp(&mut packet), Err(ProtectError::IndexExhausted));
    }
}
