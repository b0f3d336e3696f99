//! Every limit of the node in one place, each with its unit and what happens when it is hit. What a
//! room itself limits (users, streams, plays, replay) is `odeum_room::RoomConfig`.

use std::time::Duration;

/// Limits that an operator may change. The defaults suit one machine with 16 GB of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rooms of one app at once; beyond it a login that would begin a room is refused
    /// ([`crate::LoginFailed::TooManyRooms`]). Default 100,000.
    pub rooms_per_app_max: usize,
    /// Users of one app logged in or about to be; beyond it a login is refused
    /// ([`crate::LoginFailed::TooManyUsers`]). Default 1,000,000.
    pub users_per_app_max: usize,
    /// Commands waiting for one room worker; beyond it a command is refused
    /// ([`crate::CommandError::Overloaded`]). Default 4,096.
    pub mailbox_commands_max: usize,
    /// Offers waiting for one media worker; beyond it a publish or play is refused
    /// ([`crate::CommandError::Overloaded`]). Closing a transport always passes. Default 1,024.
    pub media_commands_max: usize,
    /// Estimated bytes of events and rules that are not stored yet, in memory: the spill while the
    /// store is away. Beyond it commands and logins are refused before anything changes
    /// ([`crate::CommandError::EventsFull`], ruling 27). What clients end by leaving always
    /// passes: users that are in bound it. Default 64 MiB.
    pub journal_bytes_max: usize,
    /// Notices queued for one client; beyond it its connection is cut
    /// ([`crate::CloseReason::TooSlow`]) and the room goes on without waiting. Default 1,024.
    pub client_queue_messages_max: usize,
    /// Estimated bytes queued for one client; as above. Default 1 MiB.
    pub client_queue_bytes_max: usize,
    /// How long a command may take, waiting included; beyond it
    /// [`crate::CommandError::DeadlinePassed`]. One that has not begun by then never does. Default
    /// 5 s.
    pub command_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms_per_app_max: 100_000,
            users_per_app_max: 1_000_000,
            mailbox_commands_max: 4_096,
            media_commands_max: 1_024,
            journal_bytes_max: 64 * 1024 * 1024,
            client_queue_messages_max: 1_024,
            client_queue_bytes_max: 1024 * 1024,
            command_deadline: Duration::from_secs(5),
        }
    }
}

/// Buffers that one read of a media socket fills at most; more waits in the kernel.
pub(crate) const RECEIVE_BATCH_MAX: usize = 32;

/// Bytes of one such buffer: the largest datagram, or GRO's joined ones, that the kernel hands
/// over.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_536;

/// Batches that a media worker reads before it looks at commands and timers again.
pub(crate) const BATCHES_PER_TURN_MAX: usize = 8;

/// Packets of one batch handed to the media plane before its sends are flushed: GRO can bring 2,048
/// in one batch, and the fan-out of that many would not fit its queues.
pub(crate) const FLUSH_PACKETS_MAX: usize = 256;

/// Bytes of the ring that carries media from one worker to another: 40 ms at 800 Mbit/s. Beyond it
/// packets are lost to the mirrors as in a network.
pub(crate) const RELAY_RING_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the largest packet that crosses; one that is larger was not taken from its client.
pub(crate) const RELAYED_PACKET_BYTES_MAX: usize = 1_500;

/// Packets that a media worker takes from the rings before it looks at commands and its socket
/// again.
pub(crate) const RELAYED_PER_TURN_MAX: usize = 2_048;

/// Commands that a media worker carries out before it reads its socket again.
pub(crate) const COMMANDS_PER_TURN_MAX: usize = 32;

/// Bytes asked for each way in the kernel's buffers of a media socket. It grants less when
/// `net.core.rmem_max` says so, which is logged. Beyond it packets are lost as in a network.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// TCP connections of media that one worker holds. One more takes the place of the oldest that ICE
/// has not let in; when there is none it is refused. Memory for each: 5 KB, and what is queued.
pub(crate) const TCP_CONNECTIONS_MAX: usize = 4_096;

/// How long a TCP connection of media may be without a peer: before the first authentic check, and
/// after its peer has ended. Then it is closed.
pub(crate) const TCP_STRANGER_MAX: Duration = Duration::from_secs(10);

/// Frames that come over a TCP connection before ICE has let it in; with one more it is closed.
pub(crate) const TCP_STRANGER_FRAMES_MAX: u32 = 16;

/// Bytes of one frame; a connection that announces a longer one is closed. No packet that the media
/// plane takes is longer than a datagram of the common MTU.
pub(crate) const TCP_FRAME_BYTES_MAX: u16 = 2_048;

/// Bytes queued for one client that reads its TCP connection slowly: half a second of 2.4 Mbit/s.
/// Packets that find no room are dropped whole, as a full router would, and NACK asks for them.
pub(crate) const TCP_QUEUE_BYTES_MAX: usize = 160 * 1024;

/// TCP connections of media that are accepted before the media worker does something else.
pub(crate) const TCP_ACCEPTS_PER_TURN_MAX: usize = 64;

/// Bytes of one datagram of a client of TURN, or of a media port to it; longer ones are cut off and
/// lost.
pub(crate) const TURN_DATAGRAM_BYTES_MAX: usize = 2_048;

/// Packets of one client of TURN over UDP that wait for its task; what is more is lost.
pub(crate) const TURN_QUEUE_PACKETS_MAX: usize = 256;

/// How long a TURN client's connection may be without an allocation; then it is closed.
pub(crate) const TURN_IDLE_MAX: Duration = Duration::from_secs(30);

/// How long a TURN client's connection may take nothing; then it is closed.
pub(crate) const TURN_WRITE_MAX: Duration = Duration::from_secs(5);

/// How often it is looked whether the session of a TURN allocation goes on: how long one outlives
/// its session at most.
pub(crate) const TURN_SESSION_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Time from one question to the STUN server to the next: an address that changes is announced
/// within it, and a NAT whose mapping ends with silence keeps it.
pub(crate) const STUN_INTERVAL: Duration = Duration::from_secs(180);

/// How long an answer of the STUN server, or of the resolver that is to find it, is waited for. The
/// media plane gives up after 7.5 seconds.
pub(crate) const STUN_WAIT: Duration = Duration::from_secs(8);

/// Addresses announced to clients, but for what a STUN server says. When the media socket is bound
/// to all of this machine, the rest is left out; more that are configured are refused.
pub(crate) const ANNOUNCED_ADDRESSES_MAX: usize = 8;

/// Times that a login turns out a session of the same user elsewhere before it gives up
/// ([`crate::LoginFailed::Overtaken`]): another login races with it.
pub(crate) const EVICTIONS_MAX: usize = 3;

/// Restarts of one media worker after panics of its own; beyond it the worker stays down and the
/// node reports itself unhealthy.
pub(crate) const MEDIA_RESTARTS_MAX: u32 = 16;

/// How long `statistics` waits for a media worker; one that does not answer counts as zero.
pub(crate) const STATISTICS_WAIT: Duration = Duration::from_secs(1);
