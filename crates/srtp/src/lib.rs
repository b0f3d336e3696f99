//! SRTP and SRTCP (RFC 3711, RFC 7714): protects what the media plane sends and opens what it
//! receives, in place, without allocating per packet.
//!
//! - [`Profile`]: which cipher; its key lengths and the bytes that it adds to a packet.
//! - [`DtlsKeys`]: the master keys of both directions, cut from DTLS keying material (RFC 5764
//!   §4.2).
//! - [`Outbound`]: protects RTP and RTCP; never uses a packet index twice.
//! - [`Inbound`]: opens RTP and RTCP; refuses what is forged, replayed or too old.
//!
//! The invariants: a nonce is used once per key; state changes only after a packet has been
//! authenticated; the number of SSRCs that a context remembers is bounded by [`SSRCS_MAX`].
//!
//! ```
//! use odeum_srtp::{DtlsKeys, Inbound, Outbound, Profile};
//!
//! let profile = Profile::AeadAes128Gcm;
//! let keys = DtlsKeys::split(profile, &[7; 56]).unwrap();
//! let mut client = Outbound::new(profile, &keys.client);
//! let mut server = Inbound::new(profile, &keys.client);
//!
//! let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, b'h', b'i'];
//! packet.resize(packet.len() + profile.rtp_overhead_bytes(), 0);
//! client.protect_rtp(&mut packet).unwrap();
//! let length = server.unprotect_rtp(&mut packet).unwrap();
//! assert_eq!(&packet[12..length], b"hi");
//! ```

mod inbound;
mod outbound;
mod profile;
mod session_keys;
mod window;

pub use inbound::{Inbound, UnprotectError};
pub use outbound::{Outbound, ProtectError};
pub use profile::{DtlsKeys, KeyingMaterialLengthError, MasterKey, Profile};
pub use window::{REPLAY_WINDOW_PACKETS, SSRCS_MAX};

/// Length of the RTP header of `packet`, CSRCs and extension included (RFC 3550 §5.1, §5.3.1), and
/// its SSRC and sequence number; `None` when it is no RTP packet or ends inside its header.
fn rtp_header(packet: &[u8]) -> Option<RtpHeader> {
    let fixed = packet.first_chunk::<12>()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let mut length = 12 + 4 * usize::from(fixed[0] & 0x0f);
    if fixed[0] & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (length <= packet.len()).then(|| RtpHeader {
        length,
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
    })
}

/// What SRTP needs of an RTP header.
#[derive(Clone, Copy)]
struct RtpHeader {
    /// Bytes that stay in the clear.
    length: usize,
    /// The low 16 bits of the packet index.
    sequence: u16,
    /// The stream that the index belongs to.
    ssrc: u32,
}

/// Bytes of an RTCP packet that stay in the clear: the first header and its SSRC (RFC 3711 §3.4).
const RTCP_CLEAR_BYTES: usize = 8;

/// The sender's SSRC of a compound RTCP packet; `None` when it is none.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let head = packet.first_chunk::<RTCP_CLEAR_BYTES>()?;
    (head[0] >> 6 == 2).then(|| u32::from_be_bytes([head[4], head[5], head[6], head[7]]))
}
