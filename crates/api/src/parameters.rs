//! From texts and JSON values to domain types, as the action's declarations say (ruling 8).

use std::net::IpAddr;
use std::sync::Arc;

use odeum_room::{BackendSender, MessageCategory, MessageText, MessageTextError};
use odeum_types::{AppId, IdError, RoomId, StreamId, UserId, UserName};
use serde_json::Value;
use tracing::Span;

use crate::parameter::{Element, Kind, Need, Parameter};
use crate::query::{Fields, Given};
use crate::rate_limit::Column;
use crate::refusal::Refusal;
use crate::scalar::Scalar;

/// Longest Sequence, in digits: a 64-bit number.
const SEQUENCE_DIGITS_MAX: usize = 20;

/// An action's parameters. Names are the contract's; each must be declared by the action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameters<'a> {
    /// What the request says.
    fields: &'a Fields,
    /// What the action declares.
    declared: &'static [Parameter],
    /// Whose call.
    app: AppId,
    /// In which environment.
    column: Column,
}

impl<'a> Parameters<'a> {
    /// The parameters of a request for an action that declares these.
    ///
    /// # Errors
    /// Code 2 when its query or body cannot be read.
    pub(crate) fn new(
        fields: &'a Fields,
        declared: &'static [Parameter],
        app: AppId,
        column: Column,
    ) -> Result<Self, Refusal> {
        match fields.fault() {
            Some(fault) => Err(Refusal::bad(fault)),
            None => Ok(Self { fields, declared, app, column }),
        }
    }

    /// `RoomId`.
    pub(crate) fn room(self) -> Result<RoomId, Refusal> {
        let room = self.id(self.declared("RoomId"), RoomId::parse)?;
        Span::current().record("room", room.as_str());
        Ok(room)
    }

    /// `UserId`.
    pub(crate) fn user(self) -> Result<UserId, Refusal> {
        self.user_of("UserId")
    }

    /// The id of a user under another name.
    pub(crate) fn user_of(self, name: &'static str) -> Result<UserId, Refusal> {
        let user = self.id(self.declared(name), UserId::parse)?;
        Span::current().record("user", user.as_str());
        Ok(user)
    }

    /// `UserName`, empty by default.
    pub(crate) fn user_name(self) -> Result<UserName, Refusal> {
        let parameter = self.declared("UserName");
        let text = self.optional(parameter)?.unwrap_or_default();
        UserName::parse(&text).map_err(|error| refuse_id(parameter, &error))
    }

    /// `UserId` and `UserName` of somebody in whose name a message is sent.
    pub(crate) fn sender(self) -> Result<BackendSender, Refusal> {
        let user = self.user()?;
        let name = Some(self.user_name()?).filter(|name| !name.as_str().is_empty());
        Ok(BackendSender { user, name })
    }

    /// `MessageCategory`.
    pub(crate) fn message_category(self) -> Result<MessageCategory, Refusal> {
        match self.choice("MessageCategory")? {
            1 => Ok(MessageCategory::System),
            2 => Ok(MessageCategory::Chat),
            other => panic!("MessageCategory is declared as 1 or 2, not as {other}"),
        }
    }

    /// `MessageContent`.
    pub(crate) fn message(self) -> Result<MessageText, Refusal> {
        let parameter = self.declared("MessageContent");
        let text = self.text(parameter.name)?;
        MessageText::parse(&text).map_err(|error| {
            let code = match error {
                MessageTextError::Empty => parameter.empty.unwrap_or(parameter.bad),
                MessageTextError::TooLong => parameter.too_long,
            };
            Refusal::new(code, error.to_string())
        })
    }

    /// `StreamId`.
    pub(crate) fn stream(self) -> Result<StreamId, Refusal> {
        let parameter = self.declared("StreamId");
        let text = self.required(parameter)?;
        let stream = StreamId::parse(self.without_test_prefix(&text))
            .map_err(|error| refuse_id(parameter, &error))?;
        Span::current().record("stream", stream.as_str());
        Ok(stream)
    }

    /// Any text, empty by default.
    pub(crate) fn text(self, name: &'static str) -> Result<Arc<str>, Refusal> {
        let parameter = self.declared(name);
        let Kind::Text { bytes_max } = parameter.kind else { undeclared(name) };
        let text = match parameter.need {
            Need::Required => self.required(parameter)?,
            Need::Optional | Need::RequiredIf(..) => self.optional(parameter)?.unwrap_or_default(),
        };
        if let Some(empty) = parameter.empty.filter(|_| text.is_empty()) {
            return Err(Refusal::new(empty, format!("{name} is empty")));
        }
        if text.len() > bytes_max {
            let message = format!("{name} is longer than {bytes_max} bytes");
            return Err(Refusal::new(parameter.too_long, message));
        }
        Ok(text.into())
    }

    /// A whole number in its range, as the type that holds the range.
    pub(crate) fn integer<T: TryFrom<i64>>(self, name: &'static str) -> Result<T, Refusal> {
        let parameter = self.declared(name);
        let Kind::Integer { min, max, default } = parameter.kind else { undeclared(name) };
        let number = self.number(parameter, default)?;
        if !(min..=max).contains(&number) {
            return Err(refuse(parameter, format!("{name} is not in {min} to {max}")));
        }
        T::try_from(number)
            .map_err(|_| refuse(parameter, format!("{name} is not in {min} to {max}")))
    }

    /// One of the declared numbers.
    pub(crate) fn choice(self, name: &'static str) -> Result<i64, Refusal> {
        let parameter = self.declared(name);
        let Kind::Choice { of, default } = parameter.kind else { undeclared(name) };
        let number = self.number(parameter, default)?;
        if of.iter().any(|(value, _)| *value == number) {
            return Ok(number);
        }
        Err(refuse(parameter, format!("{name} is none of {}", values(of))))
    }

    /// `true` or `false` in any case, `false` by default: `yes` or `no`.
    pub(crate) fn flag<T>(self, name: &'static str, yes: T, no: T) -> Result<T, Refusal> {
        let parameter = self.declared(name);
        match self.once(parameter)?.map_or(Some(false), Scalar::flag) {
            Some(true) => Ok(yes),
            Some(false) => Ok(no),
            None => Err(refuse(parameter, format!("{name} is neither true nor false"))),
        }
    }

    /// An IP address.
    pub(crate) fn ip(self, name: &'static str) -> Result<IpAddr, Refusal> {
        let parameter = self.declared(name);
        let text = self.required(parameter)?;
        text.parse().map_err(|_| refuse(parameter, format!("{name} is not an IP address")))
    }

    /// `Sequence`.
    pub(crate) fn sequence(self) -> Result<u64, Refusal> {
        let parameter = self.declared("Sequence");
        let text = match self.once(parameter)? {
            None => return Err(missing(parameter)),
            Some(Scalar::Text(text)) => text.to_owned(),
            // A backend may well send a number.
            Some(Scalar::Value(Value::Number(number))) => number.to_string(),
            Some(Scalar::Value(_)) => String::new(),
        };
        let is_number = (1..=SEQUENCE_DIGITS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number).ok_or_else(|| {
            refuse(parameter, "Sequence is not an unsigned 64-bit number".to_owned())
        })
    }

    /// A text that a reply gave before, `None` when nothing is given.
    pub(crate) fn marker(self, name: &'static str) -> Result<Option<String>, Refusal> {
        self.optional(self.declared(name))
    }

    /// A list of rooms.
    pub(crate) fn rooms(self, name: &'static str) -> Result<Vec<RoomId>, Refusal> {
        self.list(name, |parameter, text| {
            RoomId::parse(text).map_err(|error| refuse_id(parameter, &error))
        })
    }

    /// A list of users.
    pub(crate) fn users(self, name: &'static str) -> Result<Vec<UserId>, Refusal> {
        self.list(name, |parameter, text| {
            UserId::parse(text).map_err(|error| refuse_id(parameter, &error))
        })
    }

    /// `StreamId[]`.
    pub(crate) fn streams(self) -> Result<Vec<StreamId>, Refusal> {
        self.list("StreamId", |parameter, text| {
            StreamId::parse(self.without_test_prefix(text))
                .map_err(|error| refuse_id(parameter, &error))
        })
    }

    /// A list of the declared numbers.
    pub(crate) fn choices(self, name: &'static str) -> Result<Vec<i64>, Refusal> {
        let Kind::List { of: Element::Choice(of), .. } = self.declared(name).kind else {
            undeclared(name)
        };
        self.list(name, |parameter, text| {
            let number = text.parse().ok();
            number.filter(|number| of.iter().any(|(value, _)| value == number)).ok_or_else(|| {
                refuse(parameter, format!("{name} has an entry that is none of {}", values(of)))
            })
        })
    }

    /// A required list with at least one entry; an entry that stands twice is given once. One that
    /// may be left out is empty then.
    fn list<T: PartialEq>(
        self,
        name: &'static str,
        parse: impl Fn(&'static Parameter, &str) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let parameter = self.declared(name);
        let Kind::List { count_max, .. } = parameter.kind else { undeclared(name) };
        let texts = self.texts(parameter)?;
        if texts.is_empty() && parameter.need == Need::Required {
            return Err(missing(parameter));
        }
        if texts.len() > count_max {
            let message = format!("{name} has more than {count_max} entries");
            return Err(Refusal::new(parameter.too_many, message));
        }
        let mut entries = Vec::with_capacity(texts.len());
        for text in texts {
            let entry = parse(parameter, &text)?;
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The declaration of a parameter that is about to be read. A name that the action does not
    /// declare is a defect of the action, and each action's tests read all of its parameters.
    fn declared(self, name: &'static str) -> &'static Parameter {
        let found = self.declared.iter().find(|parameter| parameter.name == name);
        found.unwrap_or_else(|| undeclared(name))
    }

    fn id<T>(
        self,
        parameter: &'static Parameter,
        parse: fn(&str) -> Result<T, IdError>,
    ) -> Result<T, Refusal> {
        let text = self.required(parameter)?;
        parse(&text).map_err(|error| refuse_id(parameter, &error))
    }

    fn number(self, parameter: &Parameter, default: Option<i64>) -> Result<i64, Refusal> {
        let number = match (self.once(parameter)?, default) {
            (None, Some(default)) => return Ok(default),
            (None, None) => return Err(missing(parameter)),
            (Some(scalar), _) => scalar.whole_number(),
        };
        number.ok_or_else(|| refuse(parameter, format!("{} is not a whole number", parameter.name)))
    }

    /// A text, `None` when nothing is given.
    fn optional(self, parameter: &Parameter) -> Result<Option<String>, Refusal> {
        match self.once(parameter)? {
            None => Ok(None),
            Some(Scalar::Text(text)) => Ok(Some(text.to_owned())),
            Some(Scalar::Value(_)) => {
                Err(refuse(parameter, format!("{} is not a text", parameter.name)))
            }
        }
    }

    fn required(self, parameter: &Parameter) -> Result<String, Refusal> {
        self.optional(parameter)?.ok_or_else(|| missing(parameter))
    }

    fn once(self, parameter: &Parameter) -> Result<Option<Scalar<'a>>, Refusal> {
        match self.fields.given(parameter.name) {
            None => Ok(None),
            Some(Given::Query([text])) => Ok(Some(Scalar::Text(text))),
            Some(Given::Query(_)) => {
                Err(refuse(parameter, format!("{} is given more than once", parameter.name)))
            }
            Some(Given::Body(Value::String(text))) => Ok(Some(Scalar::Text(text))),
            Some(Given::Body(value)) => Ok(Some(Scalar::Value(value))),
        }
    }

    fn texts(self, parameter: &Parameter) -> Result<Vec<String>, Refusal> {
        let not_a_list =
            || refuse(parameter, format!("{} is not a list of texts or numbers", parameter.name));
        let entry = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(not_a_list()),
        };
        match self.fields.given(parameter.name) {
            None => Ok(Vec::new()),
            Some(Given::Query(texts)) => Ok(texts.to_vec()),
            Some(Given::Body(Value::Array(values))) => values.iter().map(entry).collect(),
            Some(Given::Body(value)) => Ok(vec![entry(value)?]),
        }
    }

    /// A stream id without the prefix that the test environment's ids carry (ruling 6). The room
    /// groups have none.
    fn without_test_prefix(self, text: &str) -> &str {
        let is_media = self.declared.iter().any(|parameter| parameter.name == "Sequence");
        match self.column {
            Column::Test if is_media => {
                let prefix = format!("zegotest-{}-", self.app);
                text.strip_prefix(prefix.as_str()).unwrap_or(text)
            }
            Column::Test | Column::Production => text,
        }
    }
}

fn values(of: &[(i64, &str)]) -> String {
    of.iter().map(|(value, _)| value.to_string()).collect::<Vec<_>>().join(", ")
}

fn missing(parameter: &Parameter) -> Refusal {
    refuse(parameter, format!("{} is missing", parameter.name))
}

fn refuse(parameter: &Parameter, message: String) -> Refusal {
    Refusal::new(parameter.bad, message)
}

fn refuse_id(parameter: &Parameter, error: &IdError) -> Refusal {
    let code = match error {
        IdError::Empty { .. } | IdError::BadCharacter { .. } => parameter.bad,
        IdError::TooLong { .. } => parameter.too_long,
    };
    // The id's own words name its kind; the parameter's name may be another one.
    let message = error.to_string();
    let about = message.split_once(' ').map_or(message.as_str(), |(_, about)| about);
    Refusal::new(code, format!("{} {about}", parameter.name))
}

/// A parameter is read that the action does not declare as what it is read.
fn undeclared(name: &str) -> ! {
    panic!("an action declares each parameter that it reads, not so {name}")
}

#[cfg(test)]
mod tests {
    use odeum_proto::return_code::room;

    use super::*;
    use crate::parameter::{CUSTOM_REASON, MEDIA_STREAM_ID, ROOM_ID, SEQUENCE, STREAM_ID};

    const MODE: Kind = Kind::Choice { of: &[(0, "up"), (1, "down")], default: Some(0) };
    const DECLARED: &[Parameter] = &[
        ROOM_ID,
        Parameter::new("UserId", Kind::User, "."),
        STREAM_ID,
        Parameter::new("T", Kind::Text { bytes_max: 3 }, ".").optional(),
        Parameter::new("L", Kind::Integer { min: 0, max: 200, default: Some(9) }, ".").optional(),
        Parameter::new("E", Kind::Integer { min: 1, max: i64::MAX, default: None }, "."),
        Parameter::new("M", MODE, ".").optional(),
        Parameter::new("F", Kind::Flag, ".").optional(),
        Parameter::new("U", Kind::List { of: Element::User, count_max: 2 }, ".")
            .too_many(room::TOO_MANY_USERS),
        Parameter::new(
            "C",
            Kind::List { of: Element::Choice(&[(1, ""), (2, "")]), count_max: 9 },
            ".",
        ),
        Parameter::new("IP", Kind::Ip, "."),
        CUSTOM_REASON,
    ];

    fn parameters(fields: &Fields) -> Result<Parameters<'_>, Refusal> {
        Parameters::new(fields, DECLARED, AppId(7), Column::Production)
    }

    /// Runs `read` over the same parameter in a query and in a body.
    fn check<T: std::fmt::Debug + PartialEq>(
        query: &str,
        body: &str,
        read: impl Fn(Parameters<'_>) -> Result<T, Refusal>,
        expected: Result<T, u32>,
    ) {
        for fields in [Fields::parse(query, None), Fields::parse("", Some(body.as_bytes()))] {
            let read = parameters(&fields).and_then(&read);
            let read = read.map_err(|refusal| refusal.code.number);
            assert_eq!(read, expected, "{query} {body}");
        }
    }

    #[test]
    fn ids_are_required_and_checked() {
        let room = |parameters: Parameters<'_>| parameters.room();
        check("RoomId=r", r#"{"RoomId":"r"}"#, room, Ok(RoomId::parse("r").unwrap()));
        check("", "{}", room, Err(2));
        check("", r#"{"RoomId":null}"#, room, Err(2));
        check("RoomId=", r#"{"RoomId":""}"#, room, Err(2));
        check("RoomId=a%20b", r#"{"RoomId":"a b"}"#, room, Err(2));
        check("RoomId=a&RoomId=b", r#"{"RoomId":["a"]}"#, room, Err(2));
        check("RoomId=a%4", r#"{"RoomId":"a""#, room, Err(2));
        let long = "r".repeat(128);
        let body = format!(r#"{{"RoomId":"{long}"}}"#);
        check(&format!("RoomId={long}"), &body, room, Err(3));
        let user = |parameters: Parameters<'_>| parameters.user();
        check("UserId=a%2Fb", r#"{"UserId":7}"#, user, Err(2));
        let stream = |parameters: Parameters<'_>| parameters.stream();
        check("StreamId=a.b", r#"{"StreamId":{}}"#, stream, Err(2));
    }

    #[test]
    fn lengths_are_bytes_after_decoding() {
        let text = |parameters: Parameters<'_>| parameters.text("T");
        check("T=%E4%B8%AD", r#"{"T":"\u4e2d"}"#, text, Ok("中".into()));
        check("T=%E4%B8%ADx", r#"{"T":"中x"}"#, text, Err(3));
        check("", "{}", text, Ok("".into()));
        check("T=abc", r#"{"T":"abc"}"#, text, Ok("abc".into()));
    }

    #[test]
    fn whole_numbers_have_a_range_and_a_default() {
        let limit = |parameters: Parameters<'_>| parameters.integer::<u16>("L");
        check("L=200", r#"{"L":200}"#, limit, Ok(200));
        check("L=0", r#"{"L":"0"}"#, limit, Ok(0));
        check("", "{}", limit, Ok(9));
        check("L=201", r#"{"L":201}"#, limit, Err(2));
        check("L=-1", r#"{"L":-1}"#, limit, Err(2));
        check("L=", r#"{"L":""}"#, limit, Err(2));
        check("L=1.0", r#"{"L":1.5}"#, limit, Err(2));
        check("L=99999999999999999999", r#"{"L":99999999999999999999}"#, limit, Err(2));
        check("L=x", r#"{"L":true}"#, limit, Err(2));
    }

    #[test]
    fn digits_beyond_64_bits_are_the_largest_number() {
        let time = |parameters: Parameters<'_>| parameters.integer::<i64>("E");
        for digits in ["9223372036854775808", "18446744073709551616", "99999999999999999999999"] {
            check(&format!("E={digits}"), &format!(r#"{{"E":{digits}}}"#), time, Ok(i64::MAX));
        }
        check("E=99999999999999999999x", r#"{"E":"99999999999999999999x"}"#, time, Err(2));
        check("E=-99999999999999999999", r#"{"E":-99999999999999999999}"#, time, Err(2));
        check("E=1e30", r#"{"E":1.5}"#, time, Err(2));
    }

    #[test]
    fn a_choice_is_one_of_its_numbers() {
        let mode = |parameters: Parameters<'_>| parameters.choice("M");
        check("", "{}", mode, Ok(0));
        check("M=0", r#"{"M":0}"#, mode, Ok(0));
        check("M=1", r#"{"M":"1"}"#, mode, Ok(1));
        check("M=2", r#"{"M":-1}"#, mode, Err(2));
    }

    #[test]
    fn a_flag_is_true_or_false_in_any_case() {
        let flag = |parameters: Parameters<'_>| parameters.flag("F", 'y', 'n');
        check("", "{}", flag, Ok('n'));
        check("F=true", r#"{"F":true}"#, flag, Ok('y'));
        check("F=TRUE", r#"{"F":"True"}"#, flag, Ok('y'));
        check("F=False", r#"{"F":false}"#, flag, Ok('n'));
        check("F=1", r#"{"F":1}"#, flag, Err(2));
        check("F=", r#"{"F":""}"#, flag, Err(2));
        check("F=yes", r#"{"F":"yes"}"#, flag, Err(2));
    }

    #[test]
    fn lists_have_a_size_and_name_each_entry_once() {
        let users = |parameters: Parameters<'_>| {
            let users = parameters.users("U")?;
            Ok(users.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let a_and_b = Ok(vec!["a".to_owned(), "b".to_owned()]);
        check("U[]=a&U[]=b", r#"{"U":["a","b"]}"#, users, a_and_b);
        check("U=a", r#"{"U":"a"}"#, users, Ok(vec!["a".to_owned()]));
        check("U=a&U=a", r#"{"U":["a","a"]}"#, users, Ok(vec!["a".to_owned()]));
        check("U=a&U=b&U=c", r#"{"U":["a","b","c"]}"#, users, Err(50011));
        check("", r#"{"U":[]}"#, users, Err(2));
        check("U[]=", r#"{"U":[""]}"#, users, Err(2));
        check("U=a%20", r#"{"U":[true]}"#, users, Err(2));
        check("U=a%20", r#"{"U":{"a":1}}"#, users, Err(2));
        let long = "u".repeat(64);
        check(&format!("U[]={long}"), &format!(r#"{{"U":["{long}"]}}"#), users, Err(3));
        let choices = |parameters: Parameters<'_>| parameters.choices("C");
        check("C[]=1&C[]=2", r#"{"C":[1,"2"]}"#, choices, Ok(vec![1, 2]));
        check("C=3", r#"{"C":[3]}"#, choices, Err(2));
        check("C=x", r#"{"C":["x"]}"#, choices, Err(2));
    }

    #[test]
    fn an_address_is_of_either_version() {
        let ip = |parameters: Parameters<'_>| parameters.ip("IP");
        check("IP=1.2.3.4", r#"{"IP":"1.2.3.4"}"#, ip, Ok([1, 2, 3, 4].into()));
        check("IP=::1", r#"{"IP":"::1"}"#, ip, Ok(std::net::Ipv6Addr::LOCALHOST.into()));
        check("IP=1.2.3", r#"{"IP":"localhost"}"#, ip, Err(2));
    }

    #[test]
    fn in_the_media_service_codes_differ_and_test_ids_lose_their_prefix() {
        const MEDIA: &[Parameter] = &[MEDIA_STREAM_ID, SEQUENCE];
        let read = |query: &str, column| {
            let fields = Fields::parse(query, None);
            let parameters = Parameters::new(&fields, MEDIA, AppId(7), column)?;
            Ok((parameters.stream()?.to_string(), parameters.sequence()?))
        };
        let code = |query: &str| {
            let read: Result<_, Refusal> = read(query, Column::Production);
            read.map_err(|refusal| refusal.code.number)
        };
        assert_eq!(code("StreamId=a&Sequence=7"), Ok(("a".to_owned(), 7)));
        assert_eq!(code("Sequence=7"), Err(30009));
        assert_eq!(code("StreamId=a.b&Sequence=7"), Err(30009));
        assert_eq!(code("StreamId=a"), Err(2));
        for bad in ["-1", "+1", "", "x", "18446744073709551616", "000000000000000000001"] {
            assert_eq!(code(&format!("StreamId=a&Sequence={bad}")), Err(2), "{bad}");
        }
        let prefixed = "StreamId=zegotest-7-a&Sequence=7";
        assert_eq!(read(prefixed, Column::Test).unwrap().0, "a");
        assert_eq!(read(prefixed, Column::Production).unwrap().0, "zegotest-7-a");
    }
}
