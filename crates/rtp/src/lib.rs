//! The bytes of real-time media: STUN, RTP, RTCP and SDP, read as views and written into the
//! caller's buffers. Nothing here knows a socket, a clock or a key exchange.
//!
//! - [`PacketKind::of`] says by the first bytes of a datagram whose it is (RFC 7983, RFC 5761).
//! - [`stun`]: Binding requests and responses with their integrity, both ends.
//! - [`RtpHeader`] and [`RtpPacket`]: one packet's header, extensions and payload; [`HeaderWriter`]
//!   makes the header that a subscriber gets. [`ExtensionMap`] knows what an extension id means.
//! - [`rtcp`]: compound packets, iterated and written; reports, NACK, PLI, FIR, REMB, transport-cc.
//! - [`SequenceUnwrapper`], [`ReceiverStatistics`], [`NackGenerator`], [`TransportRecorder`]: the
//!   state of a receiving end, each bounded.
//! - [`codec`]: is this payload the start of a key frame, and of which layer?
//! - [`red`]: what a packet of redundant audio would be without the redundancy.
//! - [`dependency_descriptor`]: which frames a packet's frame needs, and which layers need it.
//! - [`framing`]: where packets begin and end in a TCP stream.
//! - [`sdp`] and [`negotiate`]: a browser's offer, our answer, and which codec both can use.
//!
//! The invariant: foreign bytes give a value or a typed error, never a panic; and apart from SDP
//! nothing allocates once it is constructed.
//!
//! ```
//! use odeum_rtp as rtp;
//! let mut buffer = [0; 64];
//! let header = rtp::HeaderWriter {
//!     marker: rtp::Marker::Set,
//!     payload_type: 96,
//!     sequence_number: 7,
//!     timestamp: 90_000,
//!     ssrc: 0x1234,
//!     csrcs: &[],
//! };
//! let length = header.write(&mut buffer, &[(3, b"0")]).unwrap();
//! buffer[length] = 0xAB;
//! let packet = rtp::RtpPacket::parse(&buffer[..length + 1]).unwrap();
//! assert_eq!(packet.header().sequence_number, 7);
//! assert_eq!(packet.extension(3), Some(&b"0"[..]));
//! assert_eq!(packet.payload(), [0xAB]);
//! ```

mod bits;
mod bytes;
pub mod codec;
pub mod dependency_descriptor;
mod extension;
pub mod framing;
mod kind;
mod nack;
pub mod negotiate;
mod packet;
pub mod red;
mod repair_time;
pub mod rtcp;
pub mod sdp;
mod sequence;
pub mod stun;
mod transport_cc;

pub use bytes::BufferTooSmall;
pub use extension::{AudioLevel, ExtensionKind, ExtensionMap, abs_send_time};
pub use kind::PacketKind;
pub use nack::{Came, NackConfig, NackGenerator, NackOutcome};
pub use packet::{
    ExtensionProfile, Extensions, HeaderError, HeaderWriter, Marker, RtpError, RtpHeader, RtpPacket,
};
pub use repair_time::RepairTime;
pub use sequence::{ReceiverStatistics, SequenceUnwrapper};
pub use transport_cc::{FeedbackLeft, TransportRecorder, TransportRecorderConfig};
