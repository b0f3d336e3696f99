//! From texts and JSON values to domain types, with the codes of ruling 8: 2 for what is missing,
//! of the wrong type, out of range or has a bad character, 3 for what is too long.

use std::ops::RangeInclusive;
use std::sync::Arc;

use odeum_proto::return_code::{ReturnCode, room};
use odeum_types::{IdError, RoomId, StreamId, UserId, UserName};
use serde_json::Value;
use tracing::Span;

use crate::query::{Fields, Given};
use crate::refusal::Refusal;

/// An action's parameters. Names are the contract's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameters<'a>(&'a Fields);

impl<'a> Parameters<'a> {
    /// The parameters of a request.
    ///
    /// # Errors
    /// Code 2 when its query or body cannot be read.
    pub(crate) fn new(fields: &'a Fields) -> Result<Self, Refusal> {
        match fields.fault() {
            Some(fault) => Err(Refusal::bad(fault)),
            None => Ok(Self(fields)),
        }
    }

    /// `RoomId`, required.
    pub(crate) fn room(self) -> Result<RoomId, Refusal> {
        let room = RoomId::parse(&self.required("RoomId")?)?;
        Span::current().record("room", room.as_str());
        Ok(room)
    }

    /// `UserId`, required.
    pub(crate) fn user(self) -> Result<UserId, Refusal> {
        let user = UserId::parse(&self.required("UserId")?)?;
        Span::current().record("user", user.as_str());
        Ok(user)
    }

    /// `UserName`, empty by default.
    pub(crate) fn user_name(self) -> Result<UserName, Refusal> {
        Ok(UserName::parse(&self.optional("UserName")?.unwrap_or_default())?)
    }

    /// `StreamId`, required.
    pub(crate) fn stream(self) -> Result<StreamId, Refusal> {
        let stream = StreamId::parse(&self.required("StreamId")?)?;
        Span::current().record("stream", stream.as_str());
        Ok(stream)
    }

    /// Any text of up to `bytes_max` bytes, empty by default.
    pub(crate) fn text(self, name: &str, bytes_max: usize) -> Result<Arc<str>, Refusal> {
        let text = self.optional(name)?.unwrap_or_default();
        if text.len() > bytes_max {
            let message = format!("{name} is longer than {bytes_max} bytes");
            return Err(Refusal::new(room::PARAMETER_TOO_LONG, message));
        }
        Ok(text.into())
    }

    /// A whole number in `range`.
    pub(crate) fn integer(
        self,
        name: &str,
        range: RangeInclusive<i32>,
        default: i32,
    ) -> Result<i32, Refusal> {
        let number = match self.once(name)? {
            None => return Ok(default),
            Some(Scalar::Text(text)) => text.parse().ok(),
            Some(Scalar::Value(Value::Number(number))) => {
                number.as_i64().and_then(|number| i32::try_from(number).ok())
            }
            Some(Scalar::Value(_)) => None,
        };
        let number =
            number.ok_or_else(|| Refusal::bad(format!("{name} is not a 32-bit whole number")))?;
        if !range.contains(&number) {
            let (min, max) = range.into_inner();
            return Err(Refusal::bad(format!("{name} is not in {min} to {max}")));
        }
        Ok(number)
    }

    /// One of two numbers, `0` by default: `zero` or `one`.
    pub(crate) fn choice<T>(self, name: &str, zero: T, one: T) -> Result<T, Refusal> {
        match self.integer(name, i32::MIN..=i32::MAX, 0)? {
            0 => Ok(zero),
            1 => Ok(one),
            _ => Err(Refusal::bad(format!("{name} is neither 0 nor 1"))),
        }
    }

    /// `true` or `false` in any case, `false` by default: `yes` or `no`.
    pub(crate) fn flag<T>(self, name: &str, yes: T, no: T) -> Result<T, Refusal> {
        let given = match self.once(name)? {
            None => Some(false),
            Some(Scalar::Text(text)) => parse_flag(text),
            Some(Scalar::Value(Value::Bool(value))) => Some(*value),
            Some(Scalar::Value(_)) => None,
        };
        match given {
            Some(true) => Ok(yes),
            Some(false) => Ok(no),
            None => Err(Refusal::bad(format!("{name} is neither true nor false"))),
        }
    }

    /// A required list of 1 to `count_max` ids; a longer one is refused with `too_many`. An id that
    /// stands twice is given once.
    pub(crate) fn list<T: PartialEq>(
        self,
        name: &str,
        count_max: usize,
        too_many: ReturnCode,
        parse: fn(&str) -> Result<T, IdError>,
    ) -> Result<Vec<T>, Refusal> {
        let texts = self.texts(name)?;
        if texts.is_empty() {
            return Err(missing(name));
        }
        if texts.len() > count_max {
            let message = format!("{name} names more than {count_max}");
            return Err(Refusal::new(too_many, message));
        }
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts {
            let id = parse(text)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// A text, `None` when nothing is given.
    pub(crate) fn optional(self, name: &str) -> Result<Option<String>, Refusal> {
        match self.once(name)? {
            None => Ok(None),
            Some(Scalar::Text(text)) => Ok(Some(text.to_owned())),
            Some(Scalar::Value(_)) => Err(Refusal::bad(format!("{name} is not a text"))),
        }
    }

    fn required(self, name: &str) -> Result<String, Refusal> {
        self.optional(name)?.ok_or_else(|| missing(name))
    }

    fn once(self, name: &str) -> Result<Option<Scalar<'a>>, Refusal> {
        match self.0.given(name) {
            None => Ok(None),
            Some(Given::Query([text])) => Ok(Some(Scalar::Text(text))),
            Some(Given::Query(_)) => Err(Refusal::bad(format!("{name} is given more than once"))),
            Some(Given::Body(Value::String(text))) => Ok(Some(Scalar::Text(text))),
            Some(Given::Body(value)) => Ok(Some(Scalar::Value(value))),
        }
    }

    fn texts(self, name: &str) -> Result<Vec<&'a str>, Refusal> {
        let not_a_list = || Refusal::bad(format!("{name} is not a list of texts"));
        match self.0.given(name) {
            None => Ok(Vec::new()),
            Some(Given::Query(texts)) => Ok(texts.iter().map(String::as_str).collect()),
            Some(Given::Body(Value::String(text))) => Ok(vec![text]),
            Some(Given::Body(Value::Array(values))) => {
                values.iter().map(|value| value.as_str().ok_or_else(not_a_list)).collect()
            }
            Some(Given::Body(_)) => Err(not_a_list()),
        }
    }
}

/// A single value: a text of either place, or another value of the body.
enum Scalar<'a> {
    Text(&'a str),
    Value(&'a Value),
}

/// `true` or `false` in any case.
pub(crate) fn parse_flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::bad(format!("{name} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `read` over the same parameter in a query and, where `body` is given, in a body.
    fn check<T: std::fmt::Debug + PartialEq>(
        query: &str,
        body: &str,
        read: impl Fn(Parameters<'_>) -> Result<T, Refusal>,
        expected: Result<T, u32>,
    ) {
        for fields in [Fields::parse(query, None), Fields::parse("", Some(body.as_bytes()))] {
            let read = Parameters::new(&fields).and_then(&read);
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
        let text = |parameters: Parameters<'_>| parameters.text("T", 3);
        check("T=%E4%B8%AD", r#"{"T":"\u4e2d"}"#, text, Ok("中".into()));
        check("T=%E4%B8%ADx", r#"{"T":"中x"}"#, text, Err(3));
        check("", "{}", text, Ok("".into()));
        check("T=abc", r#"{"T":"abc"}"#, text, Ok("abc".into()));
    }

    #[test]
    fn whole_numbers_have_a_range_and_a_default() {
        let limit = |parameters: Parameters<'_>| parameters.integer("L", 0..=200, 9);
        check("L=200", r#"{"L":200}"#, limit, Ok(200));
        check("L=0", r#"{"L":"0"}"#, limit, Ok(0));
        check("", "{}", limit, Ok(9));
        check("L=201", r#"{"L":201}"#, limit, Err(2));
        check("L=-1", r#"{"L":-1}"#, limit, Err(2));
        check("L=", r#"{"L":""}"#, limit, Err(2));
        check("L=1.0", r#"{"L":1.5}"#, limit, Err(2));
        check("L=99999999999", r#"{"L":99999999999}"#, limit, Err(2));
        check("L=x", r#"{"L":true}"#, limit, Err(2));
    }

    #[test]
    fn a_choice_is_0_or_1() {
        let mode = |parameters: Parameters<'_>| parameters.choice("M", 'a', 'b');
        check("", "{}", mode, Ok('a'));
        check("M=0", r#"{"M":0}"#, mode, Ok('a'));
        check("M=1", r#"{"M":"1"}"#, mode, Ok('b'));
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
    fn lists_have_a_size_and_name_each_id_once() {
        let users = |parameters: Parameters<'_>| {
            let users = parameters.list("U", 2, room::TOO_MANY_USERS, UserId::parse)?;
            Ok(users.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let a_and_b = Ok(vec!["a".to_owned(), "b".to_owned()]);
        check("U[]=a&U[]=b", r#"{"U":["a","b"]}"#, users, a_and_b);
        check("U=a", r#"{"U":"a"}"#, users, Ok(vec!["a".to_owned()]));
        check("U=a&U=a", r#"{"U":["a","a"]}"#, users, Ok(vec!["a".to_owned()]));
        check("U=a&U=b&U=c", r#"{"U":["a","b","c"]}"#, users, Err(50011));
        check("", r#"{"U":[]}"#, users, Err(2));
        check("U[]=", r#"{"U":[""]}"#, users, Err(2));
        check("U=a%20", r#"{"U":[1]}"#, users, Err(2));
        check("U=a%20", r#"{"U":{"a":1}}"#, users, Err(2));
        let long = "u".repeat(64);
        check(&format!("U[]={long}"), &format!(r#"{{"U":["{long}"]}}"#), users, Err(3));
    }
}
