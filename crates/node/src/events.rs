//! The way out for events: what rooms report goes to one receiver, which acknowledges each batch
//! once it is safe. Room tasks never wait for it; an API reply does (ruling 27).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use odeum_room::Event;
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

/// The events of one command, in order. Those of one room come in the order in which they happened.
#[derive(Debug)]
pub struct EventBatch {
    /// At least one.
    pub events: Vec<Event>,
    /// The span of the request that caused them, for the log lines about them; empty when no
    /// request did.
    pub span: Span,
    /// To be used once the events are safe; the caller of the command waits for it.
    pub acknowledge: oneshot::Sender<()>,
}

/// Where events come out; there is one.
#[derive(Debug)]
pub struct EventReceiver {
    /// Batches of all rooms.
    receiver: mpsc::UnboundedReceiver<EventBatch>,
    /// Events sent and not received.
    queued: Arc<AtomicUsize>,
}

/// Resolves when the events are safe.
pub(crate) type Acknowledged = oneshot::Receiver<()>;

/// The rooms' end. It never waits: admission is refused beyond the bound, by
/// [`EventSender::is_full`], before a command changes anything.
#[derive(Debug, Clone)]
pub(crate) struct EventSender {
    /// To the receiver.
    sender: mpsc::UnboundedSender<EventBatch>,
    /// Events sent and not received.
    queued: Arc<AtomicUsize>,
    /// From how many queued events on commands are refused.
    queued_max: usize,
}

/// A channel that refuses commands from `queued_max` waiting events on.
pub(crate) fn channel(queued_max: usize) -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let events = EventReceiver { receiver, queued: Arc::clone(&queued) };
    (EventSender { sender, queued, queued_max }, events)
}

impl EventReceiver {
    /// The next batch; none when the node is gone.
    pub async fn recv(&mut self) -> Option<EventBatch> {
        let batch = self.receiver.recv().await?;
        self.queued.fetch_sub(batch.events.len(), Ordering::Relaxed);
        Some(batch)
    }
}

impl EventSender {
    /// Whether a command that may cause events has to be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.queued() >= self.queued_max
    }

    /// Events that nobody has received yet.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Hands `events` over; none when there are none. A receiver that is gone counts as one that
    /// has acknowledged: nobody wants the events.
    pub(crate) fn send(&self, events: Vec<Event>) -> Option<Acknowledged> {
        if events.is_empty() {
            return None;
        }
        let (acknowledge, acknowledged) = oneshot::channel();
        self.queued.fetch_add(events.len(), Ordering::Relaxed);
        match self.sender.send(EventBatch { events, span: Span::current(), acknowledge }) {
            Ok(()) => Some(acknowledged),
            Err(refused) => {
                self.queued.fetch_sub(refused.0.events.len(), Ordering::Relaxed);
                None
            }
        }
    }
}
