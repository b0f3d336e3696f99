//! What carries messages to a relay and back: datagrams, or a stream (RFC 8656 §3.1).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::UdpSocket;

use super::message::HEADER_BYTES;
use crate::signalling::{ByteStream, ConnectError, Tls, open_stream};

/// Most bytes that wait for a stream; what is more is lost.
const OUTPUT_BYTES_MAX: usize = 256 << 10;

/// See the module.
pub(super) enum Line {
    /// Connected to the relay.
    Udp(UdpSocket),
    /// TCP or TLS.
    Stream(Box<Stream>),
}

/// A stream of messages.
pub(super) struct Stream {
    /// Where they come from.
    reader: ReadHalf<Box<dyn ByteStream>>,
    /// Where they go.
    writer: WriteHalf<Box<dyn ByteStream>>,
    /// What came and is not whole yet.
    input: Vec<u8>,
    /// What waits to be written, at most [`OUTPUT_BYTES_MAX`].
    output: Vec<u8>,
    /// Whether all that was written has left.
    is_flushed: bool,
}

impl Line {
    pub(super) async fn udp(relay: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect(relay).await?;
        // Before that a socket is not known to take anything.
        socket.writable().await?;
        Ok(Self::Udp(socket))
    }

    pub(super) async fn stream(relay: SocketAddr, tls: Option<&Tls>) -> Result<Self, ConnectError> {
        let stream = open_stream(&relay.ip().to_string(), relay.port(), tls).await?;
        let (reader, writer) = tokio::io::split(stream);
        let (input, output) = (Vec::new(), Vec::new());
        Ok(Self::Stream(Box::new(Stream { reader, writer, input, output, is_flushed: true })))
    }

    /// Sends a message, or has it wait until something is received; what does not fit is lost.
    pub(super) fn send(&mut self, message: &[u8]) {
        match self {
            Self::Udp(socket) => {
                let _lost = socket.try_send(message);
            }
            Self::Stream(stream) if stream.output.len() > OUTPUT_BYTES_MAX => {}
            Self::Stream(stream) => {
                stream.output.extend_from_slice(message);
                // ChannelData is padded in a stream (RFC 8656 §12.5); STUN is so by itself.
                let padding = message.len().next_multiple_of(4) - message.len();
                stream.output.extend_from_slice(&[0; 3][..padding]);
            }
        }
    }

    /// Bytes of the next message, of which `buffer` gets as many as it has room for. Cancelling
    /// loses nothing.
    pub(super) async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.recv(buffer).await,
            Self::Stream(stream) => stream.receive(buffer).await,
        }
    }
}

impl Stream {
    /// Writes what waits until a message has come.
    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(length) = self.message_length() {
                let taken = length.min(buffer.len());
                buffer[..taken].copy_from_slice(&self.input[..taken]);
                self.input.drain(..length);
                return Ok(taken);
            }
            let Self { reader, writer, input, output, is_flushed } = self;
            let is_waiting = !output.is_empty();
            let write = async {
                if is_waiting {
                    writer.write(output).await
                } else {
                    writer.flush().await.map(|()| 0)
                }
            };
            tokio::select! {
                read = reader.read_buf(input) => {
                    if read? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                written = write, if is_waiting || !*is_flushed => {
                    output.drain(..written?);
                    *is_flushed = !is_waiting;
                }
            }
        }
    }

    /// Bytes of the message that the input begins with, padding included, once it is whole.
    fn message_length(&self) -> Option<usize> {
        let head = self.input.first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let is_data = head[0] >> 6 == 1;
        let all = if is_data { (4 + length).next_multiple_of(4) } else { HEADER_BYTES + length };
        (all <= self.input.len()).then_some(all)
    }
}
