//! What all handles and room workers of a node share.

use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustc_hash::FxBuildHasher;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::watch;

use crate::claims::AppRegistry;
use crate::clock::Clock;
use crate::error::CommandError;
use crate::identity::Identities;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::mailbox::{Job, Mailbox, RoomKey};
use crate::media_handle::{MediaHandle, WorkerNumber};
use crate::start::MediaPortNames;
use crate::statistics::{ControlCounters, count};
use crate::turn::PermittedPeers;

/// The node. Everything here is fixed after the start, or a counter, or documents its own lock.
pub(crate) struct Shared {
    /// The one clock.
    pub(crate) clock: Clock,
    /// Limits of the node.
    pub(crate) limits: Limits,
    /// How long a session may be silent.
    pub(crate) heartbeat_timeout: Duration,
    /// Ids given out.
    pub(crate) ids: Identities,
    /// The apps and their claims.
    pub(crate) apps: AppRegistry,
    /// To the room workers.
    pub(crate) rooms: Vec<Mailbox>,
    /// Sessions of each room worker.
    pub(crate) sessions: Vec<Arc<AtomicU64>>,
    /// To the media workers.
    pub(crate) media: Arc<[MediaHandle]>,
    /// Where the media workers are bound.
    pub(crate) media_addresses: Vec<SocketAddr>,
    /// The UDP ports of media: as clients are told of them, and as they are bound.
    pub(crate) media_ports: MediaPortNames,
    /// What clients of the TURN relay may send to. Behind a lock of its own: it changes with what
    /// STUN servers say, and is read for each packet that is relayed.
    pub(crate) permitted_peers: watch::Sender<Arc<PermittedPeers>>,
    /// Asked for the addresses beyond a NAT, `host:port`.
    pub(crate) stun_server: Option<String>,
    /// Transports of one room on its own media worker before the next go elsewhere.
    pub(crate) room_peers_per_worker: usize,
    /// To whoever makes things durable.
    pub(crate) journal: Journal,
    /// What is counted.
    pub(crate) counters: ControlCounters,
    /// Set once by the shutdown; from then on commands are refused.
    pub(crate) closing: AtomicBool,
}

impl Shared {
    /// The mailbox of the worker that owns the room.
    pub(crate) fn mailbox(&self, key: &RoomKey) -> &Mailbox {
        &self.rooms[worker_of(key, self.rooms.len())]
    }

    /// The room's own media worker: all its transports are on this one while it has room.
    pub(crate) fn home_of(&self, key: &RoomKey) -> WorkerNumber {
        WorkerNumber(worker_of(key, self.media.len()))
    }

    /// The queue to a media worker.
    pub(crate) fn media(&self, worker: WorkerNumber) -> &MediaHandle {
        &self.media[worker.0]
    }

    /// What clients of the TURN relay may send to now.
    pub(crate) fn permitted_peers(&self) -> Arc<PermittedPeers> {
        Arc::clone(&self.permitted_peers.borrow())
    }

    /// Whether the shutdown has begun.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Refuses work when the node takes none. For what makes no events, or only those of a client
    /// that leaves: heartbeats that were refused would end sessions, which makes more events
    /// than it saves.
    pub(crate) fn admit_without_events(&self) -> Result<(), CommandError> {
        if self.is_closing() { Err(CommandError::ShuttingDown) } else { Ok(()) }
    }

    /// Refuses work that could change a room, when the node takes none or cannot keep its events.
    pub(crate) fn admit(&self) -> Result<(), CommandError> {
        self.admit_without_events()?;
        if self.journal.is_full() {
            count(&self.counters.events_refusals);
            return Err(CommandError::EventsFull);
        }
        Ok(())
    }

    /// Queues `job` for the worker that owns the room, without waiting.
    pub(crate) fn post(&self, key: &RoomKey, job: Job) -> Result<(), CommandError> {
        self.mailbox(key).jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => {
                count(&self.counters.mailbox_refusals);
                CommandError::Overloaded
            }
            TrySendError::Closed(_) => CommandError::ShuttingDown,
        })
    }
}

fn worker_of(key: &RoomKey, workers: usize) -> usize {
    // The upper half: this hash is weakest in its low bits.
    (FxBuildHasher.hash_one(key) >> 32) as usize % workers
}
