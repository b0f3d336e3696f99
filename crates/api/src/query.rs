//! What a request says, as texts: the parts of its query and the values of its body (ruling 1).
//!
//! `Key[]=a`, `Key%5B%5D=a` and a repeated `Key=a` are all the same list under `Key`. A part whose
//! percent-encoding is bad makes the request faulty, but is told only where parameters are checked,
//! so that the gateway's own checks come first.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Map, Value};

/// A request's fields, as they came.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// The query's values by key, each key's in their order.
    query: BTreeMap<String, Vec<String>>,
    /// The body's values by key; empty for a GET.
    body: Map<String, Value>,
    /// What is wrong with the query or the body as a whole.
    fault: Option<String>,
    /// Tells this request from another one under the same nonce.
    digest: Digest,
}

/// A digest of everything that a request says (ruling 5).
pub(crate) type Digest = [u8; 32];

/// What is given under a name that may be given once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Once<'a> {
    /// Nothing, or an empty text.
    Missing,
    /// A text.
    Text(&'a str),
    /// More than one text.
    Many,
}

/// What is given under a parameter's name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Given<'a> {
    /// Texts of the query; at least one.
    Query(&'a [String]),
    /// A value of the body; never null.
    Body(&'a Value),
}

impl Fields {
    /// Reads the query of a URL and, of a POST, the body.
    pub(crate) fn parse(query: &str, body: Option<&[u8]>) -> Self {
        let mut fields = Self::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            fields.add_part(part);
        }
        if let Some(body) = body.filter(|body| !body.trim_ascii().is_empty()) {
            fields.add_body(body);
        }
        fields.digest = fields.digest_with(body.unwrap_or_default());
        fields
    }

    /// A parameter that every request has: taken from the query only.
    pub(crate) fn common(&self, name: &str) -> Once<'_> {
        match self.query.get(name).map(Vec::as_slice) {
            None | Some([]) => Once::Missing,
            Some([text]) if text.is_empty() => Once::Missing,
            Some([text]) => Once::Text(text),
            Some(_) => Once::Many,
        }
    }

    /// A parameter of the action: the query's, else the body's.
    pub(crate) fn given(&self, name: &str) -> Option<Given<'_>> {
        if let Some(texts) = self.query.get(name) {
            return Some(Given::Query(texts));
        }
        match self.body.get(name) {
            None | Some(Value::Null) => None,
            Some(value) => Some(Given::Body(value)),
        }
    }

    /// What is wrong with the request as a whole, if anything is.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// See [`Digest`].
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    fn add_part(&mut self, part: &str) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let decoded = decode(key).zip(decode(value));
        let (key, value) = decoded.unwrap_or_else(|| {
            self.fault = Some("the query has a bad percent-encoding".to_owned());
            (key.to_owned(), value.to_owned())
        });
        self.query.entry(list_name(&key).to_owned()).or_default().push(value);
    }

    fn add_body(&mut self, body: &[u8]) {
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => {
                self.body = object
                    .into_iter()
                    .map(|(key, value)| (list_name(&key).to_owned(), value))
                    .collect();
            }
            Ok(
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_),
            ) => self.fault = Some("the body is not a JSON object".to_owned()),
            Err(_) => self.fault = Some("the body is not JSON".to_owned()),
        }
    }

    /// Every text goes in with its length before it, so that no two requests give the same bytes.
    fn digest_with(&self, body: &[u8]) -> Digest {
        let mut context = Context::new(&SHA256);
        let mut add = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        };
        for (key, values) in &self.query {
            add(key.as_bytes());
            add(&(values.len() as u64).to_be_bytes());
            values.iter().for_each(|value| add(value.as_bytes()));
        }
        add(body);
        context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

/// A list's name without its brackets.
fn list_name(key: &str) -> &str {
    key.strip_suffix("[]").unwrap_or(key)
}

/// Percent-decodes a part of a query; `+` is a space. `None` when an escape is bad or the bytes are
/// not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                bytes.push(hex(digits[0])? << 4 | hex(digits[1])?);
                rest = after;
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    // The cast keeps the value: a hexadecimal digit is below 16.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn list(query: &str) -> Vec<String> {
        match Fields::parse(query, None).given("Key") {
            Some(Given::Query(texts)) => texts.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_list_may_be_written_in_three_ways_and_mixed() {
        for query in
            ["Key[]=a&Key[]=b", "Key%5B%5D=a&Key%5b%5d=b", "Key=a&Key=b", "Key=a&Other=x&Key%5B]=b"]
        {
            assert_eq!(list(query), ["a", "b"], "{query}");
        }
    }

    #[test]
    fn texts_are_percent_decoded() {
        assert_eq!(list("Key=%E4%B8%AD+%2B%25"), ["中 +%"]);
        assert_eq!(list("Key=a=b"), ["a=b"]);
        assert_eq!(list("Key"), [""]);
        assert_eq!(list("&&Key=a&"), ["a"]);
    }

    #[test]
    fn a_bad_escape_is_a_fault_and_does_not_hide_the_rest() {
        for query in ["Key=%", "Key=%4", "Key=%zz", "Key=%ff", "%4=a&Key=b", "Key=%+1"] {
            let fields = Fields::parse(&format!("Action=X&{query}"), None);
            assert!(fields.fault().is_some(), "{query}");
            assert_eq!(fields.common("Action"), Once::Text("X"));
        }
    }

    #[test]
    fn the_query_wins_over_the_body() {
        let body = br#"{"Key":"body","Other":[1,2],"None":null,"List[]":["a"]}"#;
        let fields = Fields::parse("Key=query", Some(body));
        assert_eq!(fields.given("Key"), Some(Given::Query(&["query".to_owned()])));
        assert_eq!(fields.given("Other"), Some(Given::Body(&json!([1, 2]))));
        assert_eq!(fields.given("List"), Some(Given::Body(&json!(["a"]))));
        assert_eq!(fields.given("None"), None);
        assert_eq!(fields.common("Other"), Once::Missing);
        assert!(fields.fault().is_none());
    }

    #[test]
    fn a_body_must_be_a_json_object_or_empty() {
        for body in ["[]", "1", "\"a\"", "null", "{", "a=b", "{}x"] {
            assert!(Fields::parse("", Some(body.as_bytes())).fault().is_some(), "{body}");
        }
        for body in ["", " \r\n", "{}"] {
            assert!(Fields::parse("", Some(body.as_bytes())).fault().is_none(), "{body}");
        }
    }

    #[test]
    fn a_name_that_comes_once_may_not_come_twice() {
        let fields = Fields::parse("A=1&B=1&B=1&C=", None);
        assert_eq!(fields.common("A"), Once::Text("1"));
        assert_eq!(fields.common("B"), Once::Many);
        assert_eq!(fields.common("C"), Once::Missing);
        assert_eq!(fields.common("D"), Once::Missing);
    }

    #[test]
    fn digests_differ_wherever_requests_differ() {
        let digest = |query: &str, body: &str| Fields::parse(query, Some(body.as_bytes())).digest();
        let one = digest("A=1&B=2", "{}");
        assert_eq!(one, digest("B=2&A=1", "{}"), "the order of names says nothing");
        for (query, body) in
            [("A=1&B=3", "{}"), ("A=1", "{}"), ("A=1&B=2&B=2", "{}"), ("A=1&B=2", "{ }"), ("", "")]
        {
            assert_ne!(one, digest(query, body), "{query} {body}");
        }
        assert_ne!(digest("A=1&A=2", ""), digest("A=2&A=1", ""));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(query in ".{0,200}", body: Vec<u8>) {
            Fields::parse(&query, Some(&body));
        }
    }
}
