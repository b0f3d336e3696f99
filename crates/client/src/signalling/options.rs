//! What a login and a resumption say.

use std::time::Duration;

/// What a login says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginOptions {
    /// The app.
    pub app_id: u32,
    /// The room.
    pub room_id: String,
    /// The user.
    pub user_id: String,
    /// What others see. Default: empty.
    pub user_name: String,
    /// A token for this user.
    pub token: String,
    /// Whether to be told of users who come and go. Default: yes.
    pub user_update: bool,
    /// Users that the room may hold, if this login begins it; 0 is no limit. Default: 0.
    pub max_member_count: u32,
}

/// What a resumption says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeOptions {
    /// The app.
    pub app_id: u32,
    /// The room.
    pub room_id: String,
    /// The user.
    pub user_id: String,
    /// From `logged_in`.
    pub session_id: u64,
    /// From `logged_in` or the last `resumed`.
    pub resume_secret: String,
    /// The last notice seen: [`crate::RoomView::sequence`].
    pub last_sequence: u64,
    /// A token that is valid now.
    pub token: String,
    /// How often to heartbeat: `heartbeat_interval_ms` of `logged_in`.
    pub heartbeat_interval: Duration,
}

impl LoginOptions {
    /// A login of `user_id` with the defaults for the rest.
    pub fn new(app_id: u32, room_id: &str, user_id: &str, token: impl Into<String>) -> Self {
        Self {
            app_id,
            room_id: room_id.to_owned(),
            user_id: user_id.to_owned(),
            user_name: String::new(),
            token: token.into(),
            user_update: true,
            max_member_count: 0,
        }
    }
}
