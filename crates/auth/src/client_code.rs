//! The numbers with which a web client is refused for what it may not do, by name (ruling 25).

/// The token cannot be read: none, an unknown prefix, not base64, wrong lengths.
pub const TOKEN_FORMAT: u32 = 1_102_016;
/// The token is genuine and agrees with the login, but its time is over.
pub const TOKEN_EXPIRED: u32 = 1_102_018;
/// The token is refused; why is not told.
pub const LOGIN_REFUSED: u32 = 1_102_020;
/// The token does not give the right to publish, or not this stream.
pub const PUBLISH_REFUSED: u32 = 1_103_019;
/// Playing is refused: the session's token is over.
pub const PLAY_REFUSED: u32 = 1_104_046;
/// The user is taken out because its token expired (`kick_on_token_expiry`).
pub const TOKEN_EXPIRY_KICKOUT: u32 = 1_002_056;
