//! Bodies of callbacks: the contract's events with its spellings and types. What each attempt makes
//! anew (`timestamp`, `nonce`, `signature`) is not here: it is put in front when a body is sent.
//!
//! Numbers are JSON numbers in `room_create` and `room_close` and texts everywhere else, as the
//! contract has it. 64-bit numbers are written exactly: a receiver must not read them as floats.

use serde::Serialize;

/// `room_create`: a room's life began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomCreate<'a> {
    /// `room_create`.
    pub event: &'static str,
    /// The app.
    pub appid: u32,
    /// The room.
    pub room_id: &'a str,
    /// This life of the room; below 2^63.
    pub room_session_id: u64,
    /// When, Unix milliseconds.
    pub room_create_time: String,
    /// The user of the first login.
    pub id_name: &'a str,
}

/// `room_close`: a room's life ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomClose<'a> {
    /// `room_close`.
    pub event: &'static str,
    /// The app.
    pub appid: u32,
    /// The room.
    pub room_id: &'a str,
    /// This life of the room; below 2^63.
    pub room_session_id: u64,
    /// 0 normal, 1 last user timed out, 2 server restart, 3 last user kicked.
    pub close_reason: u32,
    /// When, Unix milliseconds.
    pub room_close_time: String,
}

/// `room_login`: a user logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomLogin<'a> {
    /// `room_login`.
    pub event: &'static str,
    /// The app.
    pub appid: String,
    /// The room.
    pub room_id: &'a str,
    /// The room's id again (ruling 21).
    pub room_name: &'a str,
    /// This life of the room.
    pub room_seq: String,
    /// The user.
    pub user_account: &'a str,
    /// What the user is called.
    pub user_nickname: &'a str,
    /// This login.
    pub session_id: String,
    /// When, Unix milliseconds.
    pub login_time: String,
    /// `2`: everyone is audience (ruling 21).
    pub user_role: &'static str,
    /// 0 no token, 3 or 4 its version.
    pub auth_level: String,
    /// 0 first, 1 the user was in the room already.
    pub relogin: &'static str,
    /// The room's user list counter.
    pub user_update_seq: String,
    /// Empty: no client of this server gives any.
    pub callback_data: &'static str,
    /// 6 web, 32 unknown.
    pub term_type: String,
}

/// `room_logout`: a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomLogout<'a> {
    /// `room_logout`.
    pub event: &'static str,
    /// The app.
    pub appid: String,
    /// The room.
    pub room_id: &'a str,
    /// This life of the room.
    pub room_seq: String,
    /// The user.
    pub user_account: &'a str,
    /// What the user is called.
    pub user_nickname: &'a str,
    /// The login that ended.
    pub session_id: String,
    /// When it began, Unix milliseconds.
    pub login_time: String,
    /// When it ended, Unix milliseconds.
    pub logout_time: String,
    /// 0 logged out, 1 heartbeat, 2 server restart, 3 relogin, kick or close, 4 token expiry.
    pub reason: String,
    /// `2`: everyone is audience (ruling 21).
    pub user_role: &'static str,
    /// The room's user list counter.
    pub user_update_seq: String,
}

/// `stream_create`: a user's stream has media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamCreate<'a> {
    /// `stream_create`.
    pub event: &'static str,
    /// The app.
    pub appid: String,
    /// The room.
    pub room_id: &'a str,
    /// This life of the room.
    pub room_session_id: String,
    /// The publisher.
    pub user_id: &'a str,
    /// What the publisher is called.
    pub user_name: &'a str,
    /// The room's id again (ruling 21).
    pub channel_id: &'a str,
    /// The stream.
    pub stream_id: &'a str,
    /// `s-<room_session_id>-<number>` (ruling 21).
    pub stream_sid: String,
    /// Title.
    pub title: &'a str,
    /// The stream's id again.
    pub stream_alias: &'a str,
    /// `{"cid":n}` as a text; left out for codecs that the contract has no number for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_attr: Option<String>,
    /// The room's stream list counter.
    pub stream_seq: String,
    /// When, Unix seconds.
    pub create_time: String,
    /// When, Unix milliseconds.
    pub create_time_ms: String,
    /// The stream's extra info.
    pub extra_info: &'a str,
    /// 0 new, 1 the server still had it.
    pub recreate: &'static str,
    /// The publisher again.
    pub publish_id: &'a str,
    /// What the publisher is called, again.
    pub publish_name: &'a str,
    /// Play URLs; none in this version.
    pub rtmp_url: [&'static str; 0],
    /// Play URLs; none in this version.
    pub hls_url: [&'static str; 0],
    /// Play URLs; none in this version.
    pub hdl_url: [&'static str; 0],
    /// Snapshot URLs; none in this version.
    pub pic_url: [&'static str; 0],
}

/// `stream_close`: a stream that had a `stream_create` is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamClose<'a> {
    /// `stream_close`.
    pub event: &'static str,
    /// The app.
    pub appid: String,
    /// The room.
    pub room_id: &'a str,
    /// This life of the room.
    pub room_session_id: String,
    /// The publisher.
    pub user_id: &'a str,
    /// What the publisher is called.
    pub user_name: &'a str,
    /// The room's id again (ruling 21).
    pub channel_id: &'a str,
    /// 0 stopped, 1 heartbeat, 2 relogin, 3 kick or token expiry, 4 media or server lost, 5
    /// CloseRoom, 100 DeleteStream.
    #[serde(rename = "type")]
    pub kind: String,
    /// The stream's id again.
    pub stream_alias: &'a str,
    /// The stream.
    pub stream_id: &'a str,
    /// `s-<room_session_id>-<number>` (ruling 21).
    pub stream_sid: String,
    /// The room's stream list counter.
    pub stream_seq: String,
    /// Empty: no client of this server gives any.
    pub third_define_data: &'static str,
    /// When it was created, Unix milliseconds.
    pub create_time_ms: String,
    /// When it closed, Unix milliseconds.
    pub destroy_timemillis: String,
}
