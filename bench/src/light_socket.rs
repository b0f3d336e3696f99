//! A WebSocket client that costs next to nothing, so that a thousand share a thread: text frames
//! out, text frames in, nothing else (RFC 6455 §5).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::http_load::find;

/// Bytes read at once.
const READ_BYTES: usize = 4 * 1024;
/// How long a socket that blocks waits for the server.
const PATIENCE: Duration = Duration::from_secs(10);
/// First byte of a text frame that is whole.
const TEXT: u8 = 0x81;
/// First byte of a close frame.
const CLOSE: u8 = 0x88;

/// An open WebSocket.
pub(crate) struct LightSocket {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Bytes of a frame that is not whole yet.
    buffer: Vec<u8>,
}

/// Where a frame's parts are.
struct Frame {
    /// Its first byte: whole or not, and the opcode.
    kind: u8,
    /// Bytes before the payload.
    head_bytes: usize,
    /// Bytes of the payload.
    payload_bytes: usize,
}

/// Whether the server goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It does.
    Open,
    /// It sent a close frame.
    Closes,
}

impl LightSocket {
    /// Asks over `stream` for a WebSocket at `path`; [`LightSocket::handle_opening`] comes next.
    ///
    /// # Errors
    /// What the network says.
    pub(crate) fn open(mut stream: TcpStream, path: &str) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: odeum\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Waits until the WebSocket is open; the socket blocks until [`LightSocket::stop_blocking`].
    ///
    /// # Errors
    /// The server does not switch protocols.
    pub(crate) fn handle_opening(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                ensure!(self.buffer.starts_with(b"HTTP/1.1 101"), "the server opens no WebSocket");
                self.buffer.drain(..at + 4);
                return Ok(());
            }
            ensure!(self.read()? > 0, "the server closed instead of opening a WebSocket");
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
    pub(crate) fn receive(&mut self, on_text: impl FnMut(&[u8])) -> anyhow::Result<()> {
        match self.read() {
            Ok(0) => bail!("the server closed a WebSocket"),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let is_open = self.take_frames(on_text)? == End::Open;
        ensure!(is_open, "the server closes a WebSocket");
        Ok(())
    }

    /// Reads until the server closes, hands each text to `on_text`, and closes in turn; the socket
    /// blocks. The server ends the TCP connection first (RFC 6455 §7.1.1).
    ///
    /// # Errors
    /// A connection that ends without a close, a frame that is neither text nor close.
    pub(crate) fn read_to_close(mut self, mut on_text: impl FnMut(&[u8])) -> anyhow::Result<()> {
        while self.take_frames(&mut on_text)? == End::Open {
            ensure!(self.read()? > 0, "the server ended a WebSocket without closing it");
        }
        self.stream.write_all(&[CLOSE, 0x80, 0, 0, 0, 0])?;
        while self.read()? > 0 {}
        Ok(())
    }

    fn read(&mut self) -> std::io::Result<usize> {
        let mut bytes = [0; READ_BYTES];
        let length = self.stream.read(&mut bytes)?;
        self.buffer.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn take_frames(&mut self, mut on_text: impl FnMut(&[u8])) -> anyhow::Result<End> {
        let (mut taken, mut end) = (0, End::Open);
        while let Some(frame) = Frame::read(&self.buffer[taken..])? {
            let begin = taken + frame.head_bytes;
            let Some(payload) = self.buffer.get(begin..begin + frame.payload_bytes) else { break };
            match frame.kind {
                TEXT => on_text(payload),
                CLOSE => end = End::Closes,
                kind => bail!("a frame of kind {kind:#x}: {:?}", String::from_utf8_lossy(payload)),
            }
            taken = begin + frame.payload_bytes;
        }
        self.buffer.drain(..taken);
        Ok(end)
    }
}

impl Frame {
    /// The frame that begins here, once its head is whole.
    fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let [kind, short, rest @ ..] = bytes else { return Ok(None) };
        let frame = |head_bytes, payload_bytes| Self { kind: *kind, head_bytes, payload_bytes };
        Ok(match short {
            0..126 => Some(frame(2, usize::from(*short))),
            126 => rest.first_chunk().map(|length| frame(4, u16::from_be_bytes(*length).into())),
            _ => bail!("a frame of more than 65,535 bytes, or a masked one"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_measured_once_their_heads_are_whole() {
        let measured = |bytes: &[u8]| {
            let frame = Frame::read(bytes).unwrap()?;
            Some((frame.kind, frame.head_bytes, frame.payload_bytes))
        };
        assert_eq!(measured(&[TEXT]), None);
        assert_eq!(measured(&[TEXT, 5, b'h']), Some((TEXT, 2, 5)));
        assert_eq!(measured(&[TEXT, 126, 1]), None);
        assert_eq!(measured(&[TEXT, 126, 1, 2]), Some((TEXT, 4, 258)));
        assert_eq!(measured(&[CLOSE, 2, 0x0f, 0xa0]), Some((CLOSE, 2, 2)));
        assert!(Frame::read(&[TEXT, 127]).is_err());
    }
}
