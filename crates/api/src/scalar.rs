//! A single value of a parameter, and what a text or a JSON value may stand for.

use serde_json::Value;

/// The least number that `i64` does not hold: 2^63.
const BEYOND_I64: f64 = 9_223_372_036_854_775_808.0;

/// A single value: a text of query or body, or another value of the body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scalar<'a> {
    /// A text.
    Text(&'a str),
    /// A value of the body that is no text.
    Value(&'a Value),
}

impl Scalar<'_> {
    /// `true` or `false`.
    pub(crate) fn flag(self) -> Option<bool> {
        match self {
            Self::Text(text) => parse_flag(text),
            Self::Value(Value::Bool(value)) => Some(*value),
            Self::Value(_) => None,
        }
    }

    /// A whole number. Digits beyond 64 bits are the largest one: out of most ranges, and clamped
    /// where a number is (ruling 22).
    pub(crate) fn whole_number(self) -> Option<i64> {
        match self {
            Self::Text(text) => {
                let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse().ok().or(is_digits.then_some(i64::MAX))
            }
            // Such digits in JSON have become a float.
            Self::Value(Value::Number(number)) => {
                let is_beyond = number.as_f64().is_some_and(|number| number >= BEYOND_I64);
                number.as_i64().or(is_beyond.then_some(i64::MAX))
            }
            Self::Value(_) => None,
        }
    }
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
