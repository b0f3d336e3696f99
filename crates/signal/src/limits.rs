//! The named limits of signalling: what a client may send and how far it may fall behind, and what
//! happens to one that goes beyond.

use std::time::Duration;

/// Largest message that a client may send, in bytes. An SDP offer of a browser with all its codecs
/// has 5 to 20 KB. Beyond: the WebSocket is closed, `PROTOCOL_ERROR`.
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// What a WebSocket reads at most of one message, in bytes: more than [`MESSAGE_BYTES_MAX`], so
/// that a client which is a little over it gets its close code and not a reset connection.
pub(crate) const MESSAGE_READ_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;

/// Messages that cannot be read, or come where they may not, before the WebSocket is closed,
/// `PROTOCOL_ERROR`. Each one before the last gets an `error`.
pub const FAULTS_MAX: u32 = 5;

/// Messages refused for coming too often before the WebSocket is closed, `PROTOCOL_ERROR`.
pub const TOO_OFTEN_MAX: u32 = 200;

/// Buffer with which a WebSocket reads, in bytes. Most messages are small; a larger one grows it.
pub(crate) const READ_BUFFER_BYTES: usize = 2 * 1024;

/// Bytes that a WebSocket gathers before it writes to the socket.
pub(crate) const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// Bytes waiting for a client from which on its requests and its notices are not taken. Notices
/// then wait in the session's inbox, up to `odeum_node::Limits::client_queue_bytes_max`; beyond
/// that the WebSocket is closed, `TOO_SLOW`, and the client may resume.
pub(crate) const QUEUED_BYTES_HIGH: usize = 32 * 1024;

/// What a queued message costs beside its text, in bytes: frame head and queue entry.
pub(crate) const QUEUED_OVERHEAD_BYTES: usize = 64;

/// Notices of which the JSON text is kept for the next session that is told the same.
pub(crate) const RENDERED_NOTICES: usize = 64;

/// The limits that an operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// WebSockets open at once; beyond it the upgrade is refused with 503. Default 200,000. Each
    /// costs about 10 KB and a file descriptor.
    pub connections_max: usize,
    /// How long a WebSocket may be open without a session; then it is closed, `SILENT`. Default 10
    /// s. Lower frees sockets of strangers sooner, and cuts slow networks that still log in.
    pub login_deadline: Duration,
    /// Messages per second that a WebSocket may send for long. Beyond it each gets the error
    /// 1109001. Default 50.
    pub messages_per_second: u32,
    /// Messages that may come at once after a quiet time. Default 100.
    pub messages_burst: u32,
    /// How long so much may wait for a client that nothing more is taken for it; then its
    /// WebSocket is closed, `TOO_SLOW`. Default 30 s. Its notices alone may cut it earlier,
    /// when its inbox is full.
    pub stall_timeout: Duration,
    /// Failed logins per second and source address (IPv6: per /64). Beyond it a login is refused
    /// before its token is looked at. Default 20 (ruling 25).
    pub failed_logins_per_second: u32,
    /// How long a WebSocket is given to take its last messages and the close. Default 2 s.
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 200_000,
            login_deadline: Duration::from_secs(10),
            messages_per_second: 50,
            messages_burst: 100,
            stall_timeout: Duration::from_secs(30),
            failed_logins_per_second: 20,
            close_timeout: Duration::from_secs(2),
        }
    }
}
