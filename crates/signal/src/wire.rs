//! One WebSocket with what waits to be written to it. When a client reads slowly, the queue fills
//! up to a mark from which on nothing more is taken for it: not its requests, and not the room's
//! notices, which then fill the session's inbox up to its limit.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{Sink, Stream};

use crate::limits::{QUEUED_BYTES_HIGH, QUEUED_OVERHEAD_BYTES};

/// A WebSocket and its queue.
pub(crate) struct Wire {
    /// The socket, frames in and out.
    socket: WebSocket,
    /// What waits for the socket to take it, in order.
    queue: VecDeque<Utf8Bytes>,
    /// Bytes of the queue, overheads included.
    queued_bytes: usize,
    /// Whether the socket took something that it may not have sent yet.
    unflushed: bool,
}

/// Whether the client's next message is wanted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// It is.
    Wanted,
    /// A request is being answered, or the answers are not read; the next one waits in the network.
    Later,
}

/// What a WebSocket brought.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A message.
    Message(Message),
    /// The queue is under its mark again.
    Relieved,
    /// What came breaks the WebSocket protocol or its hard size limit, or the network failed.
    Broken,
    /// The other end has closed.
    Gone,
}

impl Wire {
    /// A WebSocket with an empty queue.
    pub(crate) fn new(socket: WebSocket) -> Self {
        Self { socket, queue: VecDeque::new(), queued_bytes: 0, unflushed: false }
    }

    /// Queues a text message behind all that waits.
    pub(crate) fn push(&mut self, text: Utf8Bytes) {
        self.queued_bytes += text.len() + QUEUED_OVERHEAD_BYTES;
        self.queue.push_back(text);
    }

    /// Whether so much waits that nothing more should be pushed.
    pub(crate) fn is_full(&self) -> bool {
        self.queued_bytes >= QUEUED_BYTES_HIGH
    }

    /// Writes what the socket takes and waits for what it brings. Cancelling loses nothing.
    pub(crate) async fn next(&mut self, read: Read) -> Arrival {
        let was_full = self.is_full();
        std::future::poll_fn(|context| {
            if self.poll_write(context).is_err() {
                return Poll::Ready(Arrival::Broken);
            }
            if was_full && !self.is_full() {
                return Poll::Ready(Arrival::Relieved);
            }
            if read == Read::Later {
                return Poll::Pending;
            }
            Pin::new(&mut self.socket).poll_next(context).map(|arrived| match arrived {
                Some(Ok(message)) => Arrival::Message(message),
                Some(Err(_)) => Arrival::Broken,
                None => Arrival::Gone,
            })
        })
        .await
    }

    /// Writes the queue, then a close with `code`, and waits until the other end has closed too. A
    /// client that does not take it in `timeout` is dropped without.
    pub(crate) async fn close(mut self, code: u16, reason: &'static str, timeout: Duration) {
        let farewell = async {
            let written = std::future::poll_fn(|context| match self.poll_write(context) {
                Err(error) => Poll::Ready(Err(error)),
                Ok(()) if self.queue.is_empty() => Poll::Ready(Ok(())),
                Ok(()) => Poll::Pending,
            });
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            // A socket that is gone needs no close.
            if written.await.is_err()
                || self.socket.send(Message::Close(Some(frame))).await.is_err()
            {
                return;
            }
            while let Some(Ok(_)) = self.socket.recv().await {}
        };
        // Late or not, the socket is dropped now.
        tokio::time::timeout(timeout, farewell).await.unwrap_or(());
    }

    /// Forgets what waits: the client will not read it.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Result<(), axum::Error> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.queue.is_empty() {
            match socket.as_mut().poll_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Ok(()),
            }
            let Some(text) = self.queue.pop_front() else { break };
            self.queued_bytes -= text.len() + QUEUED_OVERHEAD_BYTES;
            socket.as_mut().start_send(Message::Text(text))?;
            self.unflushed = true;
        }
        if self.unflushed
            && let Poll::Ready(flushed) = socket.poll_flush(context)
        {
            flushed?;
            self.unflushed = false;
            // A burst's capacity is not kept for an idle client.
            self.queue.shrink_to(4);
        }
        Ok(())
    }
}
