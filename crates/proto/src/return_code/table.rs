//! The table of return codes: number, group, name and meaning, each written down once.
//!
//! A number is read within the group of its action: several mean different things in two groups.

use super::{Group, ReturnCode};

/// One module of constants per group, and all of them in one table.
macro_rules! groups {
    ($($(#[$doc:meta])* $module:ident $group:ident {
        $($name:ident = $number:literal, $meaning:literal;)+
    })+) => {
        $($(#[$doc])* pub mod $module {
            use super::{Group, ReturnCode};
            $(#[doc = $meaning]
            pub const $name: ReturnCode = ReturnCode {
                number: $number,
                group: Group::$group,
                name: stringify!($name),
                meaning: $meaning,
            };)+
        })+
        /// Every return code, in the order of its group and number.
        pub const TABLE: &[ReturnCode] = &[$($($module::$name,)+)+];
    };
}

groups! {
    /// Before any action: who calls, and may they.
    gateway Gateway {
        OK = 0, "The call succeeded.";
        HOST_NOT_ACCEPTED = 100_000_000,
            "The Host header is not accepted. Never returned: any Host is.";
        APP_ID_MALFORMED = 100_000_001, "AppId is missing or not an unsigned 32-bit number.";
        TIMESTAMP_MISSING = 100_000_002, "Timestamp is missing.";
        TIMESTAMP_MALFORMED = 100_000_003, "Timestamp is not a whole number.";
        TIMESTAMP_OUTSIDE_WINDOW = 100_000_004,
            "Timestamp is more than 600 seconds off the server's clock.";
        SIGNATURE_WRONG = 100_000_005,
            "Signature does not fit, or SignatureNonce was used by another request.";
        ACTION_MISSING = 100_000_006, "Action is missing.";
        ACTION_UNKNOWN = 100_000_007, "There is no such Action, or this version does not have it.";
        NONCE_MISSING = 100_000_008,
            "SignatureNonce is missing or not 1 to 64 printable characters.";
        SIGNATURE_MISSING = 100_000_009, "Signature is missing.";
        APP_UNKNOWN = 100_000_010, "The server has no secret for this AppId.";
        APP_NOT_CONFIGURED = 100_000_011,
            "The AppId has no configuration. Never returned: 100000010 says it.";
        SIGNATURE_VERSION_MISSING = 100_000_013, "SignatureVersion is missing.";
        SIGNATURE_VERSION_UNKNOWN = 100_000_014, "SignatureVersion is not 2.0.";
        OVERLOADED = 100_000_015,
            "The server could not answer in time: a full mailbox, or 5 seconds passed.";
        WRONG_ENVIRONMENT = 100_000_016, "IsTest names an environment that the app does not have.";
        SERVICE_NOT_ENABLED = 100_000_017, "The app may not call this group of actions.";
    }
    /// Rooms, users, streams, messages and bans.
    room Room {
        FAILED = 1, "An internal failure; the log has it under the RequestId.";
        PARAMETER_BAD = 2,
            "A parameter is missing, of a wrong type, out of range or has a bad character.";
        PARAMETER_TOO_LONG = 3, "A parameter is too long.";
        DECODE_FAILED = 8, "The request could not be decoded.";
        FEATURE_NOT_ENABLED = 9, "The feature is not enabled. Never returned: 100000017 says it.";
        ROOM_UNKNOWN = 104, "There is no such room.";
        USER_UNKNOWN = 105, "There is no such user.";
        BROADCAST_NOT_STORED = 121, "The broadcast message could not be stored.";
        BROADCAST_ID_NOT_MADE = 122, "The broadcast message could not be given an id.";
        STREAM_NOT_SET = 123, "The stream could not be put into the room's list.";
        STREAM_NOT_DELETED = 124, "The deletion could not be made durable and was not done.";
        STREAM_UNKNOWN = 138, "The room has no such stream.";
        BROADCAST_NOT_PUSHED = 151, "The broadcast message could not be sent.";
        LIST_NOT_READ = 154, "The list could not be read.";
        APP_RATE_LIMIT = 206, "Too many calls of this action for the AppId.";
        ROOM_RATE_LIMIT = 207, "Too many calls of this action for the room.";
        MESSAGE_EMPTY = 1008, "MessageContent is empty.";
        STREAM_OF_ANOTHER_USER = 1012, "Another user has this stream id, or somebody publishes it.";
        ROOM_IN_TRANSITION = 5018,
            "The room is being moved or the server is shutting down: try again.";
        CLOSE_ROOM_UNKNOWN = 5024, "There is no such room (CloseRoom).";
        BROADCAST_NOT_ENCODED = 5201, "The broadcast message could not be encoded.";
        BROADCAST_NUMBER_NOT_MADE = 5202, "The broadcast message could not be given a number.";
        DESCRIBE_ROOM_UNKNOWN = 50001, "There is no such room (DescribeUsers).";
        USER_OFFLINE = 50003, "The user, or every user named, is not in the room.";
        TOO_MANY_USERS = 50011, "The list names too many users.";
        MESSAGE_TOO_LONG = 50012, "MessageContent is too long.";
        COMMAND_NOT_SENT = 50013, "The custom command could not be sent.";
        TOO_MANY_RULES = 50123, "The app has too many ban rules in force.";
        RULE_UNKNOWN = 50124, "There is no such ban rule to delete.";
    }
    /// Live streams and their distribution.
    media_service MediaService {
        FAILED = 1, "An internal failure.";
        PARAMETER_BAD = 2, "A parameter is bad.";
        AUTHENTICATION_FAILED = 3, "The caller is not authenticated.";
        DISPATCH_FAILED = 1001, "No address could be given out.";
        NO_PUBLISH_NODE = 1002, "There is no node to publish to.";
        NO_PLAY_NODE = 1003, "There is no node to play from.";
        APP_NOT_ONLINE = 1005, "The app is not in service.";
        DISPATCH_PARAMETER_BAD = 1006, "A parameter of the dispatch is bad.";
        DISPATCH_RATE_LIMIT = 1010, "Too many dispatches.";
        APP_INVALID = 3000, "The app is not valid here.";
        INTERNAL_3001 = 3001, "An internal failure.";
        TIMESTAMP_BAD = 3002, "The time is bad.";
        APP_WITHOUT_TOKEN = 3003, "The app has no token.";
        INTERNAL_5000 = 5000, "An internal failure.";
        INTERNAL_5001 = 5001, "An internal failure.";
        INTERNAL_5002 = 5002, "An internal failure.";
        RULE_AUTHENTICATION_FAILED = 5003, "The caller is not authenticated.";
        RULE_URL_BAD = 5004, "The CDN address is bad.";
        REQUEST_INVALID = 5005, "The request is not valid.";
        INTERNAL_5006 = 5006, "An internal failure.";
        RULE_RATE_LIMIT = 5007, "Too many calls for rules.";
        URL_BAD = 30001, "The CDN address is bad.";
        RATE_LIMIT = 30002, "Too many calls of this action.";
        INTERNAL_30003 = 30003, "An internal failure.";
        IS_TEST_BAD = 30004, "IsTest is bad.";
        APP_ID_BAD = 30005, "AppId is bad.";
        STREAM_LIST_BAD = 30006, "The list of stream ids is bad.";
        STREAM_ID_MALFORMED = 30009, "StreamId is malformed.";
        DISPATCH_TYPE_BAD = 30010, "The dispatch Type is bad.";
        CLIENT_IP_BAD = 30011, "ClientIP is bad.";
        NOT_AUTHENTICATED = 40005, "The caller is not authenticated.";
        LIVE_NOT_STORED = 41001, "The live stream could not be stored.";
        CHANNEL_NOT_STORED = 41002, "The channel could not be stored.";
        LIVE_UNKNOWN = 41003, "There is no such live stream.";
        STREAM_UNKNOWN = 41004, "There is no such stream.";
        STREAM_CLOSED = 41006, "The stream is known and closed.";
        FORBID_FAILED = 42001, "The stream could not be forbidden.";
        RESUME_FAILED = 42002, "The stream could not be resumed.";
        FORBID_ALL_FAILED = 42003, "The streams could not be forbidden.";
        RESUME_ALL_FAILED = 42004, "The streams could not be resumed.";
        RECORDING_INDEX_FAILED = 43001, "The recording's index could not be made.";
    }
    /// Recorded files.
    media_file MediaFile {
        PARAMETER_BAD = 2, "A parameter is bad.";
        FEATURE_NOT_ENABLED = 3, "The feature is not enabled.";
        VENDOR_BAD = 4, "The CDN vendor is wrong.";
        CONFIGURATION_BAD = 5, "The configuration is wrong.";
        RATE_LIMIT = 6, "Too many calls of this action.";
        AUTHENTICATION_FAILED = 7, "The caller is not authenticated.";
        AUTHENTICATION_UNREADABLE = 8, "The configuration of the authentication could not be read.";
        FAILED = 1000, "An internal failure.";
        FILE_UNKNOWN = 41003, "There is no such file.";
    }
    /// Mixing and transcoding.
    mix Mix {
        FAILED = 110_200_001, "An internal failure.";
        PARAMETER_BAD = 110_200_002, "A parameter is bad.";
        AUTHENTICATION_FAILED = 110_200_003, "The caller is not authenticated.";
        PARAMETERS_UNREADABLE = 110_200_004, "The parameters could not be read.";
        START_BUSY = 110_200_005, "Another start of the same UserId is under way.";
        STOP_BUSY = 110_200_006, "Another stop of the same UserId is under way.";
        REQUEST_NOT_UPDATED = 110_200_007, "The request could not be updated.";
        START_NOT_CONVERTED = 110_200_008, "The start could not be converted.";
        OTHER_TASKS_NOT_CLOSED = 110_200_012, "The owner's other tasks could not be closed.";
        OWNER_NOT_UPDATED = 110_200_013, "The owner could not be updated.";
        STOP_NOT_CONVERTED = 110_200_014, "The stop could not be converted.";
        STOP_NOT_FORWARDED = 110_200_015, "The stop could not be forwarded.";
        INPUT_IS_OUTPUT = 110_200_140, "An input and an output share a stream id.";
        PICTURE_SCHEME_BAD = 110_200_141,
            "The picture's address is neither https, http nor preset-id.";
        PICTURE_NOT_FETCHED = 110_200_142, "The picture could not be fetched, or is over 1 MB.";
        INPUT_MISSING = 110_200_150, "An input stream does not exist.";
        TASK_FAILED = 110_200_151, "The task failed.";
        INPUT_BAD = 110_200_153, "An input is bad.";
        OUTPUT_BAD = 110_200_154, "An output is bad.";
        INPUT_FORMAT_BAD = 110_200_155, "An input's format is bad.";
        OUTPUT_FORMAT_BAD = 110_200_156, "An output's format is bad.";
        NOT_ENABLED = 110_200_157, "Mixing is not enabled.";
        TOO_MANY_INPUTS = 110_200_158, "There are too many inputs.";
        DISPATCH_FAILED = 110_200_159, "The task could not be given to a mixer.";
        NOT_THE_OWNER = 110_200_160, "Only the owner may stop the task.";
        WIDTH_OUT_OF_RANGE = 110_200_161, "Width is not in 0 to 3000.";
        WATERMARK_BAD = 110_200_170, "The watermark is bad.";
        WATERMARK_EMPTY = 110_200_171, "The watermark is empty.";
        EXTENDED_PARAMETER_BAD = 110_200_172, "An extended parameter is bad.";
        INPUT_TWICE = 110_200_175, "An input is there twice.";
        OUTPUT_TWICE = 110_200_176, "An output is there twice.";
        TOO_MANY_FOCUS_VOICES = 110_200_177, "More than four voices are in focus.";
        TOO_MANY_OUTPUTS = 110_200_178, "There are too many outputs.";
        TEXT_BAD = 110_200_179, "A text overlay is bad.";
        START_UNREADABLE = 110_200_184, "The parameters of the start could not be read.";
        STOP_UNREADABLE = 110_200_185, "The parameters of the stop could not be read.";
        START_RATE_LIMIT = 110_200_190, "Too many starts.";
        STOP_RATE_LIMIT = 110_200_191, "Too many stops.";
        RATE_LIMIT = 110_200_194, "Too many calls of this action.";
        TARGET_ROOM_REFUSED = 110_200_197, "The output stream could not be put into TargetRoom.";
        TASK_UNKNOWN = 110_209_001, "There is no such task.";
        TOKEN_ILLEGAL = 110_240_002, "The token is not valid.";
    }
    /// Moderation; the room group's codes come here too.
    moderation Moderation {
        UPSTREAM_FAILED_50006 = 50006, "The provider could not be reached.";
        UPSTREAM_FAILED_50007 = 50007, "The provider could not be reached.";
        FAILED = 50009, "The moderation failed.";
        PROVIDER_NOT_ENABLED = 50117, "The provider is not enabled.";
    }
    /// Cloud recording.
    recording Recording {
        TIMESTAMP_OUTSIDE_WINDOW = 100_000_004, "The signature is too old.";
        SIGNATURE_WRONG = 100_000_005, "The signature does not fit.";
        NOT_ENABLED = 300_000_002, "Recording is not enabled.";
        RATE_LIMIT = 300_000_003, "Too many calls of this action.";
        PARAMETER_BAD = 300_000_004, "A parameter is bad.";
        GATEWAY_CHECK_FAILED = 300_000_005, "The gateway's check failed.";
        TOO_MANY_TASKS = 300_000_006, "The app has too many tasks at once.";
        TASK_UNKNOWN = 300_001_000, "There is no such task.";
        TASK_ENDED = 300_001_001, "The task has ended already.";
        TASK_NOT_PAUSED = 300_001_004, "The task is not paused.";
        FAILED = 300_010_000, "An internal failure.";
    }
    /// Scene templates.
    scene Scene {
        TEMPLATE_ID_TAKEN = 340_004_003, "The template's id is taken.";
        PARAMETER_BAD = 340_006_003, "A parameter is bad.";
    }
    /// What a client is told; not part of a Server API reply.
    client Client {
        ALREADY_IN_A_ROOM = 1_002_001, "The client is in a room already and may be in one only.";
        LOGIN_FAILED = 1_002_033, "The login failed (native numbering).";
        ROOM_FULL = 1_002_034, "The room is full.";
        LOGGED_IN_ELSEWHERE = 1_002_050, "The same user id logged in again.";
        RECONNECT_GAVE_UP = 1_002_053, "The client could not reconnect in time.";
        KICKED = 1_002_055, "A backend took the user out of the room.";
        KICKED_BY_TOKEN_EXPIRY = 1_002_056, "The user was taken out because its token expired.";
        SESSION_FAULT = 1_002_057, "The session is out of step with the server.";
        LOGIN_BANNED = 1_002_066, "A ban rule refuses the login.";
        TOKEN_INTERNAL = 1_002_074, "The token could not be checked.";
        TOKEN_PAYLOAD_NOT_JSON = 1_002_075, "The token's payload is not JSON (native numbering).";
        TOKEN_OTHER_APP = 1_002_076, "The token is for another app (native numbering).";
        TOKEN_OTHER_USER = 1_002_077, "The token is for another user (native numbering).";
        TOKEN_EXPIRED_NATIVE = 1_002_078, "The token expired (native numbering).";
        TOKEN_VERSION_BAD = 1_002_079, "The token's version is not known (native numbering).";
        TOKEN_NONCE_BAD = 1_002_080, "The token's nonce has the wrong type (native numbering).";
        TOKEN_WITHOUT_PUBLISH = 1_002_082,
            "The renewed token lacks the right to publish (native numbering).";
        STREAM_BANNED = 1_003_025, "The server ended or refuses the published stream.";
        STREAM_ID_TAKEN = 1_003_028, "Somebody publishes under this stream id already.";
        PUBLISH_REFUSED_NATIVE = 1_003_072,
            "The token does not let the user publish or play (native numbering).";
        PLAYED_STREAM_UNKNOWN = 1_004_002, "There is no stream of this id to play.";
        PLAYED_STREAM_BANNED = 1_004_025, "The server ended or refuses the played stream.";
        MESSAGE_EMPTY = 1_009_001, "The message is empty.";
        MESSAGE_TOO_LONG = 1_009_002, "The message is too long.";
        MESSAGE_OUTSIDE_ROOM = 1_009_005, "The message is for a room that the client is not in.";
        MESSAGE_NOT_SENT = 1_009_010, "The message could not be sent.";
        MESSAGE_OVER_LENGTH = 1_009_013, "The message could not be sent: too long.";
        BROADCAST_RATE_LIMIT = 1_009_015, "More than two broadcast messages a second.";
        HEARTBEAT_TIMEOUT = 1_102_001, "The client was silent for too long.";
        TOKEN_FORMAT = 1_102_016, "The token cannot be read.";
        TOKEN_EXPIRED = 1_102_018, "The token expired.";
        LOGIN_REFUSED = 1_102_020, "The token is refused; why is not told.";
        PUBLISH_REFUSED = 1_103_019, "The token does not let the user publish this stream.";
        PLAY_REFUSED = 1_104_046, "The user may not play: its token is over.";
        MESSAGE_RATE_LIMIT = 1_109_001, "Messages are sent too often.";
        LIVE_ROOM_STREAM_BANNED = 12_301_011, "The stream is banned (LiveRoom).";
    }
}
