//! The client error codes that signalling answers with, by name (contract, client error codes).
//! Those about tokens are in [`odeum_auth::client_code`].

/// The WebSocket has no session, or not in this room.
pub(crate) const NOT_LOGGED_IN: u32 = 1_000_002;
/// A stream id is over 256 bytes.
pub(crate) const STREAM_ID_TOO_LONG: u32 = 1_000_014;
/// A stream id is empty.
pub(crate) const STREAM_ID_EMPTY: u32 = 1_000_015;
/// A stream id has a character beside `[0-9A-Za-z_-]`.
pub(crate) const STREAM_ID_CHARACTERS: u32 = 1_000_016;
/// No such app here.
pub(crate) const APP_REFUSED: u32 = 1_001_004;
/// The WebSocket has a session in another room.
pub(crate) const TOO_MANY_ROOMS: u32 = 1_002_001;
/// The session is gone: it cannot be resumed, log in anew.
pub(crate) const SESSION_GONE: u32 = 1_002_002;
/// A user id is empty.
pub(crate) const USER_ID_EMPTY: u32 = 1_002_005;
/// A user id has a character that is not allowed.
pub(crate) const USER_ID_CHARACTERS: u32 = 1_002_006;
/// A user id is over 63 bytes.
pub(crate) const USER_ID_TOO_LONG: u32 = 1_002_007;
/// A user name has a control character.
pub(crate) const USER_NAME_CHARACTERS: u32 = 1_002_009;
/// A user name is over 255 bytes.
pub(crate) const USER_NAME_TOO_LONG: u32 = 1_002_010;
/// A room id is empty.
pub(crate) const ROOM_ID_EMPTY: u32 = 1_002_011;
/// A room id has a character that is not allowed.
pub(crate) const ROOM_ID_CHARACTERS: u32 = 1_002_012;
/// A room id is over 127 bytes.
pub(crate) const ROOM_ID_TOO_LONG: u32 = 1_002_013;
/// The key of a room's extra info is over 10 bytes.
pub(crate) const ROOM_EXTRA_INFO_KEY_TOO_LONG: u32 = 1_002_015;
/// The value of a room's extra info is over 128 bytes.
pub(crate) const ROOM_EXTRA_INFO_VALUE_TOO_LONG: u32 = 1_002_016;
/// The room's extra info has another key.
pub(crate) const ROOM_EXTRA_INFO_SECOND_KEY: u32 = 1_002_017;
/// The room holds as many users as it may.
pub(crate) const ROOM_FULL: u32 = 1_002_034;
/// The same user logged in again and took the session's place.
pub(crate) const LOGGED_IN_ELSEWHERE: u32 = 1_002_050;
/// Removed by the backend: KickoutUser or CloseRoom.
pub(crate) const KICKED: u32 = 1_002_055;
/// A ban rule of the backend takes the right to log in from this user.
pub(crate) const LOGIN_FORBIDDEN: u32 = 1_002_066;
/// A second login over a WebSocket that has a session in that room.
pub(crate) const LOGGED_IN_TWICE: u32 = 1_002_056;
/// A publication was ended by the backend.
pub(crate) const PUBLISH_STOPPED: u32 = 1_003_025;
/// The stream id is published already, here or in another room of the app.
pub(crate) const STREAM_EXISTS: u32 = 1_003_028;
/// A stream's extra info is over 1,024 bytes.
pub(crate) const EXTRA_INFO_TOO_LONG: u32 = 1_003_051;
/// No such stream in the room.
pub(crate) const STREAM_UNKNOWN: u32 = 1_004_002;
/// A play was interrupted and may be tried again.
pub(crate) const PLAY_INTERRUPTED: u32 = 1_004_020;
/// A played stream was ended by the backend.
pub(crate) const PLAY_STOPPED: u32 = 1_004_025;
/// A message has no text.
pub(crate) const MESSAGE_EMPTY: u32 = 1_009_001;
/// A message is over 1,024 bytes.
pub(crate) const MESSAGE_TOO_LONG: u32 = 1_009_002;
/// One user broadcasts too often.
pub(crate) const BROADCAST_TOO_OFTEN: u32 = 1_009_015;
/// A message has a wrong shape, an unknown type or an unknown version.
pub(crate) const BAD_PARAMETER: u32 = 1_100_001;
/// The server had no time for it; try again.
pub(crate) const TIMED_OUT: u32 = 1_100_002;
/// A fault of the server.
pub(crate) const INTERNAL: u32 = 1_100_999;
/// Publishing: a limit of the room or the session.
pub(crate) const PUBLISH_TOO_MANY: u32 = 1_103_001;
/// Publishing: the SDP offer cannot be used.
pub(crate) const PUBLISH_OFFER: u32 = 1_103_003;
/// Publishing: the media connection did not come about, or was lost.
pub(crate) const PUBLISH_CONNECTION: u32 = 1_103_004;
/// The session does not publish that stream.
pub(crate) const NOT_PUBLISHING: u32 = 1_103_055;
/// Playing: a limit of the session.
pub(crate) const PLAY_TOO_MANY: u32 = 1_104_001;
/// Playing: the SDP offer cannot be used.
pub(crate) const PLAY_OFFER: u32 = 1_104_003;
/// Playing: the media connection did not come about, or was lost.
pub(crate) const PLAY_CONNECTION: u32 = 1_104_004;
/// The session does not play that stream.
pub(crate) const NOT_PLAYING: u32 = 1_104_005;
/// Messages come too often.
pub(crate) const TOO_OFTEN: u32 = 1_109_001;
