//! Where messages end in a TCP or TLS stream (RFC 8656 §3.1, §12.5).

use crate::message::HEADER_BYTES;

/// Bytes of the longest frame that is taken: a full datagram in a Send indication.
const FRAME_BYTES_MAX: usize = 2_048;

/// The stream is not TURN, or a frame is too long: the connection has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream is not TURN")]
pub struct FrameError;

/// Bytes of the frame that `bytes` begin with, its padding included; none while that cannot be told
/// yet.
///
/// # Errors
/// [`FrameError`].
pub fn frame_length(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(head) = bytes.get(..4) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let total = match head[0] >> 6 {
        0b00 => HEADER_BYTES + length,
        // ChannelData; in a stream it is padded.
        0b01 => (4 + length).next_multiple_of(4),
        _ => return Err(FrameError),
    };
    if total > FRAME_BYTES_MAX { Err(FrameError) } else { Ok(Some(total)) }
}
