//! A WebSocket client that costs next to nothing, so that a thousand share a thread: text frames
//! out, text frames in, nothing else (RFC 6455 §5).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::http_load::find;

/// Bytes read at once.
const READ_BYTES: usize = 4 * 1024;
/// Opcode of a text frame that is whole.
const TEXT: u8 = 0x81;

/// An open WebSocket.
pub(crate) struct LightSocket {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Bytes of a frame that is not whole yet.
    buffer: Vec<u8>,
}

impl LightSocket {
    /// Opens `path`; the socket blocks until [`LightSocket::stop_blocking`].
    ///
    /// # Errors
    /// The server does not switch protocols.
    pub(crate) fn connect(server: SocketAddr, path: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: odeum\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let mut buffer = Vec::new();
        loop {
            let mut bytes = [0; READ_BYTES];
            let length = stream.read(&mut bytes)?;
            ensure!(length > 0, "the server closed instead of opening a WebSocket");
            buffer.extend_from_slice(&bytes[..length]);
            if let Some(at) = find(&buffer, b"\r\n\r\n") {
                ensure!(buffer.starts_with(b"HTTP/1.1 101"), "the server opens no WebSocket");
                buffer.drain(..at + 4);
                return Ok(Self { stream, buffer });
            }
        }
    }

    /// From now on a read takes only what is there.
    pub(crate) fn stop_blocking(&self) -> anyhow::Result<()> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// Sends a text. The mask is zero: it protects proxies, and there is none.
    ///
    /// # Errors
    /// What the network says; a small text always fits the socket's buffer.
    pub(crate) fn send(&mut self, text: &str) -> anyhow::Result<()> {
        let mut frame = vec![TEXT];
        match u8::try_from(text.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(text.len()).context("a long text")?.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.write_all(&frame)?;
        Ok(())
    }

    /// Reads what is there and hands each text to `on_text`.
    ///
    /// # Errors
    /// A connection that closed, a frame that is no text.
    pub(crate) fn receive(&mut self, mut on_text: impl FnMut(&[u8])) -> anyhow::Result<()> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => bail!("the server closed a WebSocket"),
            Ok(length) => self.buffer.extend_from_slice(&bytes[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut taken = 0;
        while let Some((head, length)) = frame(&self.buffer[taken..])? {
            let begin = taken + head;
            let Some(text) = self.buffer.get(begin..begin + length) else { break };
            on_text(text);
            taken = begin + length;
        }
        self.buffer.drain(..taken);
        Ok(())
    }
}

/// Bytes of the head and of the text of the frame that begins here, once its head is whole.
fn frame(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let [kind, short, rest @ ..] = bytes else { return Ok(None) };
    ensure!(*kind == TEXT, "a frame of kind {kind:#x}: {:?}", String::from_utf8_lossy(rest));
    Ok(match short {
        0..126 => Some((2, usize::from(*short))),
        126 => rest.first_chunk().map(|length| (4, usize::from(u16::from_be_bytes(*length)))),
        _ => bail!("a frame of more than 65,535 bytes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_measured_once_their_heads_are_whole() {
        assert_eq!(frame(&[TEXT]).unwrap(), None);
        assert_eq!(frame(&[TEXT, 5, b'h']).unwrap(), Some((2, 5)));
        assert_eq!(frame(&[TEXT, 126, 1]).unwrap(), None);
        assert_eq!(frame(&[TEXT, 126, 1, 2]).unwrap(), Some((4, 258)));
        assert!(frame(&[0x88, 0]).is_err());
    }
}
