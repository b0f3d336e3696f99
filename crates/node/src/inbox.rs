//! What waits to be written to one client: a queue bounded in messages and bytes, between a room
//! worker, which never waits, and the task that owns the client's WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use odeum_room::Notice;
use tokio::sync::{Notify, mpsc};

/// Something for a client's WebSocket.
#[derive(Debug, Clone, PartialEq)]
pub enum Outgoing {
    /// A notice of the room.
    Notice {
        /// Its number in the session.
        sequence: u64,
        /// What is told.
        notice: Arc<Notice>,
    },
    /// A notice without a number, of those that may be lost.
    Unnumbered {
        /// What is told.
        notice: Arc<Notice>,
    },
    /// The last thing: close the WebSocket.
    Close {
        /// Why.
        reason: CloseReason,
    },
}

/// Why a WebSocket is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The session resumed over another WebSocket.
    Replaced,
    /// The session is over; a Kickout notice before it said why.
    SessionOver,
    /// The client reads too slowly: its queue was full. It may resume.
    TooSlow,
    /// The server is going down.
    ServerClosing,
    /// The room broke down and is gone; log in anew.
    RoomFailed,
}

/// What the two ends share.
#[derive(Debug, Default)]
struct Shared {
    /// Estimated bytes of the notices that wait.
    bytes: AtomicUsize,
    /// Notices that wait.
    messages: AtomicUsize,
    /// Set once the queue was full.
    cut: AtomicBool,
    /// Told when `cut` is set.
    was_cut: Notify,
}

/// The reading end: belongs to the task that owns the WebSocket.
#[derive(Debug)]
pub struct Inbox {
    /// The queue.
    receiver: mpsc::UnboundedReceiver<Outgoing>,
    /// Counts and the cut.
    shared: Arc<Shared>,
}

/// Resolves when the queue of an [`Inbox`] was full, also while its owner is busy writing.
#[derive(Debug, Clone)]
pub struct CutSignal(Arc<Shared>);

/// The writing end: belongs to the room worker.
#[derive(Debug)]
pub(crate) struct InboxSender {
    /// The queue.
    sender: mpsc::UnboundedSender<Outgoing>,
    /// Counts and the cut.
    shared: Arc<Shared>,
    /// Notices that may wait.
    messages_max: usize,
    /// Estimated bytes that may wait.
    bytes_max: usize,
}

/// The queue is full or its reader is gone: the connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The queue is full; the reader was told.
    Full,
    /// The reader is gone.
    Gone,
}

/// What became of something that may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is queued.
    Queued,
    /// The queue is more than half full: left out, to leave the rest to what may not be lost.
    Thinned,
}

/// A queue for at most `messages_max` notices of at most `bytes_max` estimated bytes in all.
pub(crate) fn inbox(messages_max: usize, bytes_max: usize) -> (InboxSender, Inbox) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::default());
    let inbox = Inbox { receiver, shared: Arc::clone(&shared) };
    (InboxSender { sender, shared, messages_max, bytes_max }, inbox)
}

impl Inbox {
    /// The next thing to write; none when the session has ended and nothing is left. Once the queue
    /// was full, what waits in it is skipped: a resumed session gets it again. Cancelling loses
    /// nothing.
    pub async fn recv(&mut self) -> Option<Outgoing> {
        // A queue is cut only while something waits in it, so a sleeping receiver is woken by that.
        let outgoing = self.receiver.recv().await;
        self.taken(outgoing)
    }

    /// As [`Inbox::recv`], none when nothing waits now.
    pub fn try_recv(&mut self) -> Option<Outgoing> {
        let outgoing = self.receiver.try_recv().ok();
        self.taken(outgoing)
    }

    /// For waiting for the cut while a write to the WebSocket blocks.
    pub fn cut_signal(&self) -> CutSignal {
        CutSignal(Arc::clone(&self.shared))
    }

    fn taken(&mut self, outgoing: Option<Outgoing>) -> Option<Outgoing> {
        if self.shared.cut.load(Ordering::Acquire) {
            self.receiver.close();
            while self.receiver.try_recv().is_ok() {}
            return outgoing.map(|_| Outgoing::Close { reason: CloseReason::TooSlow });
        }
        if let Some(Outgoing::Notice { notice, .. } | Outgoing::Unnumbered { notice }) = &outgoing {
            self.shared.messages.fetch_sub(1, Ordering::Relaxed);
            self.shared.bytes.fetch_sub(notice.bytes_estimate(), Ordering::Relaxed);
        }
        outgoing
    }
}

impl CutSignal {
    /// Waits until the queue was full; for ever when that does not happen.
    pub async fn cut(&self) {
        loop {
            let told = self.0.was_cut.notified();
            if self.0.cut.load(Ordering::Acquire) {
                return;
            }
            told.await;
        }
    }
}

impl InboxSender {
    /// Queues a notice without waiting.
    pub(crate) fn push(&self, sequence: u64, notice: Arc<Notice>) -> Result<(), PushError> {
        let size = notice.bytes_estimate();
        let shared = &self.shared;
        let full = shared.messages.load(Ordering::Relaxed) >= self.messages_max
            || shared.bytes.load(Ordering::Relaxed).saturating_add(size) > self.bytes_max;
        // One notice larger than the whole bound still goes to a client that has nothing else to
        // read.
        if full && shared.messages.load(Ordering::Relaxed) > 0 {
            shared.cut.store(true, Ordering::Release);
            shared.was_cut.notify_waiters();
            return Err(PushError::Full);
        }
        self.queue(size, Outgoing::Notice { sequence, notice })
    }

    /// Queues a notice that may be lost, unless the queue is more than half full. Never cuts.
    pub(crate) fn push_unnumbered(&self, notice: Arc<Notice>) -> Result<Pushed, PushError> {
        let size = notice.bytes_estimate();
        let bytes = self.shared.bytes.load(Ordering::Relaxed).saturating_add(size);
        if self.shared.messages.load(Ordering::Relaxed) >= self.messages_max / 2
            || bytes > self.bytes_max / 2
        {
            return Ok(Pushed::Thinned);
        }
        self.queue(size, Outgoing::Unnumbered { notice })?;
        Ok(Pushed::Queued)
    }

    /// Queues the end, after all that waits. A reader that is gone needs none.
    pub(crate) fn close(self, reason: CloseReason) {
        let _reader_may_be_gone = self.sender.send(Outgoing::Close { reason });
    }

    fn queue(&self, size: usize, outgoing: Outgoing) -> Result<(), PushError> {
        self.shared.messages.fetch_add(1, Ordering::Relaxed);
        self.shared.bytes.fetch_add(size, Ordering::Relaxed);
        self.sender.send(outgoing).map_err(|_| PushError::Gone)
    }
}

#[cfg(test)]
mod tests {
    use odeum_room::KickoutReason;

    use super::*;

    fn notice() -> Arc<Notice> {
        let reason = KickoutReason::Kicked;
        Arc::new(Notice::Kickout { reason, custom_reason: "".into() })
    }

    #[tokio::test]
    async fn notices_come_in_order_and_the_close_last() {
        let (sender, mut inbox) = inbox(4, 10_000);
        sender.push(1, notice()).unwrap();
        sender.push(2, notice()).unwrap();
        sender.close(CloseReason::SessionOver);
        assert_eq!(inbox.recv().await, Some(Outgoing::Notice { sequence: 1, notice: notice() }));
        assert_eq!(inbox.recv().await, Some(Outgoing::Notice { sequence: 2, notice: notice() }));
        assert_eq!(inbox.recv().await, Some(Outgoing::Close { reason: CloseReason::SessionOver }));
        assert_eq!(inbox.recv().await, None);
    }

    #[tokio::test]
    async fn a_reader_that_keeps_up_is_never_cut() {
        let (sender, mut inbox) = inbox(2, 10_000);
        for sequence in 0..100 {
            sender.push(sequence, notice()).unwrap();
            assert!(matches!(inbox.recv().await, Some(Outgoing::Notice { .. })));
        }
    }

    #[track_caller]
    fn check_cut_after(messages_max: usize, bytes_max: usize, pushed: usize) -> Inbox {
        let (sender, inbox) = inbox(messages_max, bytes_max);
        for sequence in 0..pushed {
            sender.push(sequence as u64, notice()).unwrap();
        }
        assert_eq!(sender.push(99, notice()), Err(PushError::Full));
        inbox
    }

    #[tokio::test]
    async fn a_full_queue_is_cut_by_messages_and_by_bytes() {
        check_cut_after(3, 1_000_000, 3);
        let size = notice().bytes_estimate();
        let mut inbox = check_cut_after(1_000, 2 * size, 2);
        inbox.cut_signal().cut().await;
        assert_eq!(inbox.recv().await, Some(Outgoing::Close { reason: CloseReason::TooSlow }));
        assert_eq!(inbox.recv().await, None);
    }

    #[tokio::test]
    async fn a_notice_beyond_the_bound_reaches_a_client_with_an_empty_queue() {
        let (sender, mut inbox) = inbox(10, 1);
        sender.push(1, notice()).unwrap();
        assert!(matches!(inbox.recv().await, Some(Outgoing::Notice { sequence: 1, .. })));
    }

    #[tokio::test]
    async fn what_may_be_lost_leaves_half_of_the_queue_to_what_may_not() {
        let (sender, mut inbox) = inbox(4, 1_000_000);
        assert_eq!(sender.push_unnumbered(notice()), Ok(Pushed::Queued));
        sender.push(1, notice()).unwrap();
        assert_eq!(sender.push_unnumbered(notice()), Ok(Pushed::Thinned));
        sender.push(2, notice()).unwrap();
        sender.push(3, notice()).unwrap();
        assert_eq!(sender.push_unnumbered(notice()), Ok(Pushed::Thinned));
        assert_eq!(inbox.recv().await, Some(Outgoing::Unnumbered { notice: notice() }));
        for sequence in 1..=3 {
            let told = Outgoing::Notice { sequence, notice: notice() };
            assert_eq!(inbox.recv().await, Some(told));
        }
        assert_eq!(sender.push_unnumbered(notice()), Ok(Pushed::Queued));
    }

    #[test]
    fn what_may_be_lost_is_thinned_by_bytes_as_well() {
        let size = notice().bytes_estimate();
        let (sender, _inbox) = inbox(1_000, 3 * size);
        assert_eq!(sender.push_unnumbered(notice()), Ok(Pushed::Queued));
        assert_eq!(sender.push_unnumbered(notice()), Ok(Pushed::Thinned));
    }

    #[test]
    fn a_reader_that_is_gone_is_noticed() {
        let (sender, inbox) = inbox(10, 10_000);
        drop(inbox);
        assert_eq!(sender.push(1, notice()), Err(PushError::Gone));
    }
}
