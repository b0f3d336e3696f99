//! What an action declares about its parameters: the one table from which they are read, documented
//! and tested. A parameter that is not declared cannot be read.

use odeum_proto::return_code::{ReturnCode, media_service, room};

/// One parameter of an action.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// The contract's name; a list is `Name[]` in a query.
    pub(crate) name: &'static str,
    /// What it may be.
    pub(crate) kind: Kind,
    /// Whether it must be there.
    pub(crate) need: Need,
    /// What it means, as a sentence.
    pub(crate) meaning: &'static str,
    /// The code for one that is missing, of a wrong type, out of range or has a bad character.
    pub(crate) bad: ReturnCode,
    /// The code for a text that is there and empty, where that is not `bad`.
    pub(crate) empty: Option<ReturnCode>,
    /// The code for one, or an entry of it, that is too long.
    pub(crate) too_long: ReturnCode,
    /// The code for a list of too many entries.
    pub(crate) too_many: ReturnCode,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A room's id.
    Room,
    /// A user's id.
    User,
    /// A user's name; empty by default.
    UserName,
    /// A stream's id. In the media service it may carry `zegotest-<AppId>-` when IsTest is true.
    Stream,
    /// Any text; empty by default.
    Text {
        /// The longest, in bytes after url-decoding.
        bytes_max: usize,
    },
    /// A whole number.
    Integer {
        /// The least.
        min: i64,
        /// The largest; `i64::MAX` is no bound, and digits beyond it count as it.
        max: i64,
        /// What it is when it is not given; none when it must be.
        default: Option<i64>,
    },
    /// One of some whole numbers.
    Choice {
        /// Each with what it means.
        of: &'static [(i64, &'static str)],
        /// What it is when it is not given; none when it must be.
        default: Option<i64>,
    },
    /// `true` or `false` in any case, `false` by default.
    Flag,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A number that grows from call to call, as a text of up to 20 digits.
    Sequence,
    /// Several, each once.
    List {
        /// What each is.
        of: Element,
        /// How many at most.
        count_max: usize,
    },
}

/// What an entry of a list may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Element {
    /// A room's id.
    Room,
    /// A user's id.
    User,
    /// A stream's id.
    Stream,
    /// One of some whole numbers, each with what it means.
    Choice(&'static [(i64, &'static str)]),
}

/// Whether a parameter must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Always.
    Required,
    /// Never.
    Optional,
    /// When the choice of this name is one of these.
    RequiredIf(&'static str, &'static [i64]),
}

impl Parameter {
    /// A required parameter with the room groups' codes (ruling 8).
    pub(crate) const fn new(name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self {
            name,
            kind,
            need: Need::Required,
            meaning,
            bad: room::PARAMETER_BAD,
            empty: None,
            too_long: room::PARAMETER_TOO_LONG,
            too_many: room::PARAMETER_BAD,
        }
    }

    /// It may be left out.
    pub(crate) const fn optional(self) -> Self {
        Self { need: Need::Optional, ..self }
    }

    /// It may be left out unless `choice` is one of `values`.
    pub(crate) const fn required_if(self, choice: &'static str, values: &'static [i64]) -> Self {
        Self { need: Need::RequiredIf(choice, values), ..self }
    }

    /// What is too long has this code.
    pub(crate) const fn too_long(self, code: ReturnCode) -> Self {
        Self { too_long: code, ..self }
    }

    /// A list of too many entries has this code.
    pub(crate) const fn too_many(self, code: ReturnCode) -> Self {
        Self { too_many: code, ..self }
    }

    /// What is there and empty has this code.
    pub(crate) const fn empty(self, code: ReturnCode) -> Self {
        Self { empty: Some(code), ..self }
    }

    /// Whatever is wrong with it has this code.
    const fn always(self, code: ReturnCode) -> Self {
        Self { bad: code, too_long: code, too_many: code, ..self }
    }

    /// The key in a query.
    pub(crate) fn wire(&self) -> String {
        match self.kind {
            Kind::List { .. } => format!("{}[]", self.name),
            Kind::Room
            | Kind::User
            | Kind::UserName
            | Kind::Stream
            | Kind::Text { .. }
            | Kind::Integer { .. }
            | Kind::Choice { .. }
            | Kind::Flag
            | Kind::Ip
            | Kind::Sequence => self.name.to_owned(),
        }
    }
}

/// `RoomId` as nearly every action has it.
pub(crate) const ROOM_ID: Parameter = Parameter::new("RoomId", Kind::Room, "The room.");

/// `StreamId` of the room groups.
pub(crate) const STREAM_ID: Parameter = Parameter::new("StreamId", Kind::Stream, "The stream.");

/// `CustomReason` of the actions that take users out.
pub(crate) const CUSTOM_REASON: Parameter = Parameter::new(
    "CustomReason",
    Kind::Text { bytes_max: 256 },
    "Free text for the clients that are taken out.",
)
.optional();

/// `MessageContent` of the actions that send a message.
pub(crate) const MESSAGE_CONTENT: Parameter =
    Parameter::new("MessageContent", Kind::Text { bytes_max: 1_024 }, "The message.")
        .empty(room::MESSAGE_EMPTY)
        .too_long(room::MESSAGE_TOO_LONG);

/// `MessageCategory` of the actions that send a message to all.
pub(crate) const MESSAGE_CATEGORY: Parameter = Parameter::new(
    "MessageCategory",
    Kind::Choice { of: &[(1, "system"), (2, "chat")], default: None },
    "What kind of message it is.",
);

/// `UserId` of the actions that send a message to all.
pub(crate) const SENDER: Parameter = Parameter::new(
    "UserId",
    Kind::User,
    "In whose name; need not be in the room, and does not get the message.",
);

/// `UserName` of the actions that send a message to all.
pub(crate) const SENDER_NAME: Parameter =
    Parameter::new("UserName", Kind::UserName, "That user's name; as in the room by default.")
        .optional();

/// `StreamId` of the media service.
pub(crate) const MEDIA_STREAM_ID: Parameter =
    Parameter::new("StreamId", Kind::Stream, "The stream, in the whole app.")
        .always(media_service::STREAM_ID_MALFORMED);

/// `StreamId[]` of the media service.
pub(crate) const MEDIA_STREAM_IDS: Parameter = Parameter::new(
    "StreamId",
    Kind::List { of: Element::Stream, count_max: 20 },
    "The streams, in the whole app.",
)
.always(media_service::STREAM_LIST_BAD);

/// `Sequence` of the media service.
pub(crate) const SEQUENCE: Parameter = Parameter::new(
    "Sequence",
    Kind::Sequence,
    "Puts calls about one stream in order: inside 10 seconds it must grow. Unix milliseconds will do.",
)
.always(media_service::PARAMETER_BAD);
