//! What the node counts, for the metrics page: copies of plain counters, made when asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::udp::SendTally;

/// Everything the node counts, at one moment. Counters start at zero with the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeStatistics {
    /// Rooms now.
    pub rooms: u64,
    /// Users now: logged in or about to be.
    pub users: u64,
    /// Sessions now.
    pub sessions: u64,
    /// Streams now: published, about to be, or added by the server.
    pub streams: u64,
    /// Entries of the journal that are not stored yet.
    pub journal_entries: u64,
    /// Their estimated bytes.
    pub journal_bytes: u64,
    /// What room workers and the handle counted.
    pub control: ControlStatistics,
    /// One entry per media worker; one that did not answer is all zero.
    pub media: Vec<MediaStatistics>,
}

/// Counters of the control plane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ControlStatistics {
    /// Logins that succeeded.
    pub logins: u64,
    /// Commands refused because a room worker's mailbox was full.
    pub mailbox_refusals: u64,
    /// Publishes and plays refused because a media worker's queue was full.
    pub media_refusals: u64,
    /// Commands and logins refused because too many events wait.
    pub events_refusals: u64,
    /// Commands given up at their deadline.
    pub deadlines_passed: u64,
    /// Clients cut because they read too slowly.
    pub clients_cut: u64,
    /// Notices handed to clients' queues.
    pub notices: u64,
    /// Barrage messages not handed to a client that was behind with reading.
    pub barrages_thinned: u64,
    /// Rooms dropped because handling them panicked.
    pub room_panics: u64,
    /// Panics of room workers outside their rooms.
    pub worker_panics: u64,
}

/// Counters of one media worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaStatistics {
    /// Of the media plane.
    pub sfu: odeum_sfu::Statistics,
    /// Of the socket.
    pub socket: SocketStatistics,
    /// Of what crossed to other workers.
    pub relay: RelayStatistics,
    /// Times that the worker began anew after a panic.
    pub restarts: u64,
}

/// Counters of the rings from one media worker to the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayStatistics {
    /// Packets put into a ring.
    pub packets_sent: u64,
    /// Packets lost because the ring was full.
    pub dropped_ring_full: u64,
}

/// Counters of one media socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketStatistics {
    /// Packets read.
    pub packets_received: u64,
    /// Bytes of them.
    pub bytes_received: u64,
    /// Packets that the kernel took.
    pub packets_sent: u64,
    /// Bytes of them.
    pub bytes_sent: u64,
    /// Packets lost because the send buffer was full.
    pub dropped_buffer_full: u64,
    /// Packets that the kernel refused to send.
    pub dropped_refused: u64,
    /// Reads that failed.
    pub receive_errors: u64,
}

impl SocketStatistics {
    /// Counts what became of packets that went to the UDP socket.
    pub(crate) fn count_udp(&mut self, tally: SendTally) {
        let SendTally { packets_sent, bytes_sent, dropped_buffer_full, dropped_refused } = tally;
        self.packets_sent += packets_sent;
        self.bytes_sent += bytes_sent;
        self.dropped_buffer_full += dropped_buffer_full;
        self.dropped_refused += dropped_refused;
    }

    /// Counts one send over TCP of `packets` with `size` bytes in all, of which `taken` found room;
    /// none when there is no such connection any more.
    pub(crate) fn count_tcp(&mut self, packets: usize, size: usize, taken: Option<usize>) {
        let Some(taken) = taken else {
            self.dropped_refused += packets as u64;
            return;
        };
        self.packets_sent += taken as u64;
        self.bytes_sent += (size * taken / packets.max(1)) as u64;
        self.dropped_buffer_full += (packets - taken) as u64;
    }
}

macro_rules! control_counters {
    ($($name:ident),* $(,)?) => {
        /// The live counters behind [`ControlStatistics`]. Shared by all room workers and callers
        /// of the handle: one relaxed addition each, where a message would cost more than the
        /// thing counted.
        #[derive(Debug, Default)]
        pub(crate) struct ControlCounters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl ControlCounters {
            /// A copy.
            pub(crate) fn copy(&self) -> ControlStatistics {
                ControlStatistics { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

control_counters! {
    logins,
    mailbox_refusals,
    media_refusals,
    events_refusals,
    deadlines_passed,
    clients_cut,
    notices,
    barrages_thinned,
    room_panics,
    worker_panics,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
