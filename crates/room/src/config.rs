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
    /// Broadcast messages and commands kept per session after the bounds above have dropped them
    /// from the replay: a client that resumes gets them beside its snapshot. Beyond it the oldest
    /// are lost, and the client is told how many. Default 4,096. More survive a longer absence in
    /// a busy room, at 16 bytes each beside the text, which the sessions of a room share.
    pub missed_messages_max: usize,
    /// Estimated bytes of these messages per session; beyond it as above. Default 1 MiB. Also what
    /// one resumption sends at most of them.
    pub missed_message_bytes_max: usize,
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
    /// Least time between two notices of the count of users, which go out when it has changed.
    /// Default 30 s. A shorter one follows the room more closely and is a message more for
    /// everyone.
    pub user_count_interval: Duration,
    /// Broadcast messages per second of all clients of the room; beyond it
    /// [`crate::BroadcastError::RoomTooOften`]. Default 10, the contract's. A backend's do not
    /// count. More cost users times messages.
    pub broadcasts_per_second_max: usize,
    /// Broadcast messages per second of one client; beyond it
    /// [`crate::BroadcastError::UserTooOften`]. Default 2, the contract's.
    pub broadcasts_per_user_per_second_max: usize,
    /// Barrage messages per second of all clients of the room; beyond it
    /// [`crate::BarrageError::TooOften`]. Default 20, the contract's. A backend's do not count.
    pub barrages_per_second_max: usize,
    /// Custom commands to one user per second of all clients of the room; beyond it
    /// [`crate::SendCommandError::TooOften`]. Default 200, the contract's.
    pub commands_per_second_max: usize,
    /// Custom commands to several users or all per second of all clients of the room; beyond it as
    /// above. Default 10, the contract's.
    pub wide_commands_per_second_max: usize,
    /// Users that a client's custom command may name; beyond it
    /// [`crate::SendCommandError::TooManyTargets`]. Default 500. An empty list, which means
    /// everyone, reaches more.
    pub command_targets_max: usize,
    /// How often per second the room's extra info may be set; beyond it
    /// [`crate::SetRoomExtraInfoError::TooOften`]. Default 10, the contract's.
    pub room_extra_infos_per_second_max: usize,
    /// How often per second one client may set extra infos of its streams; beyond it
    /// [`crate::SetStreamExtraInfoError::TooOften`]. Default 10. Each is told to everyone.
    pub stream_extra_infos_per_user_per_second_max: usize,
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
            missed_messages_max: 4_096,
            missed_message_bytes_max: 1024 * 1024,
            streams_per_user_max: 10,
            plays_per_user_max: 100,
            added_streams_max: 1_000,
            user_notices_max: 500,
            user_count_interval: Duration::from_secs(30),
            broadcasts_per_second_max: 10,
            broadcasts_per_user_per_second_max: 2,
            barrages_per_second_max: 20,
            commands_per_second_max: 200,
            wide_commands_per_second_max: 10,
            command_targets_max: 500,
            room_extra_infos_per_second_max: 10,
            stream_extra_infos_per_user_per_second_max: 10,
            delete_stream: DeleteStreamMode::Stop,
            kick_on_token_expiry: false,
        }
    }
}
