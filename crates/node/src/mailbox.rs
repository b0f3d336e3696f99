//! The queues of a room worker: bounded for what clients and backends ask, unbounded for what must
//! not be lost.

use odeum_types::{AppId, RoomId};
use tokio::sync::mpsc;

use crate::peer_notice::PeerNotice;
use crate::room_worker::RoomWorker;

/// What is sent to a worker: it runs there, alone.
pub(crate) type Job = Box<dyn FnOnce(&mut RoomWorker) + Send>;

/// Where a room is found: names are unique inside an app.
pub(crate) type RoomKey = (AppId, RoomId);

/// The queues to one worker.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    /// Bounded: commands of clients and backends.
    pub(crate) jobs: mpsc::Sender<Job>,
    /// What media workers tell; see [`crate::peer_notice::PeerOwner`].
    pub(crate) notices: mpsc::UnboundedSender<PeerNotice>,
}

/// The reading ends of a [`Mailbox`].
pub(crate) struct MailboxReceiver {
    /// Commands.
    pub(crate) jobs: mpsc::Receiver<Job>,
    /// Of media workers.
    pub(crate) notices: mpsc::UnboundedReceiver<PeerNotice>,
}

/// A mailbox for at most `commands_max` waiting commands.
pub(crate) fn mailbox(commands_max: usize) -> (Mailbox, MailboxReceiver) {
    let (jobs, job_receiver) = mpsc::channel(commands_max);
    let (notices, notice_receiver) = mpsc::unbounded_channel();
    (Mailbox { jobs, notices }, MailboxReceiver { jobs: job_receiver, notices: notice_receiver })
}
