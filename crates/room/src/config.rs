//! A room's limits and the choices an operator has.

use std::time::Duration;

/// Limits and choices of one room; fixed for its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomConfig {
    /// How long a session may be silent before it is timed out. Default 100 s. Lower notices a
    /// dead client sooner and forgives a bad network less.
    pub heartbeat_timeout: Duration,
    /// How long a listed stream whose media connection ended keeps its place in the list and waits
    /// for its publisher. Default 5 s. Longer hides slower reconnections from the others, and
    /// leaves them longer before a stream that does not come back; zero takes the stream off the
    /// list at once.
    pub media_grace: Duration,
    /// How long before a token's expiry its client is told. Default 30 s.
    pub token_warning: Duration,
    /// Users in the room at once; beyond it a login is refused ([`crate::LoginError::RoomFull`]).
    /// Default 10,000. The first login may lower it for the room's life, never raise it.
    pub users_max: usize,
    /// Notices kept per session for resumption. Default 256. More survive a longer drop of the
    /// socket and cost memory; fewer mean a full snapshot more often.
    pub replay_messages_max: usize,
    /// Estimated bytes of notices kept per session for resumption. Default 64 KiB. The newest
    /// notice is kept whatever its size.
    pub replay_bytes_max: usize,
    /// Streams that one session may publish at once; beyond it
    /// [`crate::PublishError::TooManyStreams`]. Default 10.
    pub streams_per_user_max: usize,
    /// Streams that one session may play at once; beyond it [`crate::PlayError::TooManyPlays`].
    /// Default 100.
    pub plays_per_user_max: usize,
    /// Streams added by the server and not published, in the room at once; beyond it
    /// [`crate::AddStreamError::TooManyStreams`]. Default 1,000.
    pub added_streams_max: usize,
    /// Users up to which join and leave notices are complete (ruling 24). Default 500. Notices
    /// cost users times users.
    pub user_notices_max: usize,
    /// Least time between two notices of the count of users, which go out beyond
    /// `user_notices_max`. Default 30 s. A shorter one follows the room more closely and is a
    /// message more for everyone.
    pub user_count_interval: Duration,
    /// What DeleteStream does to the media (rulings 11 and 12). Default stop.
    pub delete_stream: DeleteStreamMode,
    /// Whether an expired token removes its user (ruling 25). Default false.
    pub kick_on_token_expiry: bool,
}

/// What DeleteStream does to the media of the stream that it takes out of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeleteStreamMode {
    /// Forwarding ends at once, to everyone (ruling 11).
    Stop,
    /// Media goes on until the publisher stops (ruling 12).
    Notify,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            heartbeat_timeout: Duration::from_secs(100),
            media_grace: Duration::from_secs(5),
            token_warning: Duration::from_secs(30),
            users_max: 10_000,
            replay_messages_max: 256,
            replay_bytes_max: 64 * 1024,
            streams_per_user_max: 10,
            plays_per_user_max: 100,
            added_streams_max: 1_000,
            user_notices_max: 500,
            user_count_interval: Duration::from_secs(30),
            delete_stream: DeleteStreamMode::Stop,
            kick_on_token_expiry: false,
        }
    }
}
