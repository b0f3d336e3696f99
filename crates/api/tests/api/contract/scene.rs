//! A room in which every action has something to do, and calls that succeed there.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};

use super::facts::{Facts, Parameter};
use crate::backend::Backend;

/// Grows from call to call, in all tests of the process.
static SEQUENCE: AtomicU64 = AtomicU64::new(1);

/// Transports of the media plane, which none of these tests has.
static PEERS: AtomicU64 = AtomicU64::new(1);

/// The room `hall` with ann, who publishes `cam`, and rules about them.
pub(super) struct Scene {
    action: String,
    _inside: Vec<odeum_node::LoggedIn>,
}

/// A call before it is written down.
#[derive(Debug, Clone)]
pub(super) struct Call {
    action: String,
    values: Vec<(Parameter, Vec<String>)>,
}

/// Makes the scene that `action` needs.
pub(super) async fn prepare(backend: &Backend, action: &str) -> Scene {
    let ann = backend.login("hall", "ann").await;
    let peer = PEERS.fetch_add(1, Ordering::Relaxed);
    backend.publish(&ann, "cam", peer).await;
    backend.advance(std::time::Duration::from_secs(11));
    if action.contains("UserRule") && action != "SetForbidUserRule" {
        let set = "Action=SetForbidUserRule&RuleType=4&RoomId=elsewhere&UserId=eve\
                   &DisabledPrivilege[]=1&DisabledPrivilege[]=2&EffectiveTime=600";
        assert_eq!(backend.code(set).await, 0);
    }
    Scene { action: action.to_owned(), _inside: vec![ann] }
}

impl Scene {
    /// A call that succeeds.
    pub(super) fn good_call(&mut self, facts: &Facts) -> Call {
        let mut values = Vec::new();
        for parameter in &facts.parameters {
            if let Some(texts) = self.good_value(parameter) {
                values.push((parameter.clone(), texts));
            }
        }
        Call { action: self.action.clone(), values }
    }

    /// Entry `number` of a list.
    pub(super) fn entry(&self, parameter: &Parameter, number: usize) -> String {
        match &parameter.values {
            Some(values) => values[number % values.len()].to_string(),
            None => format!("entry-{number}"),
        }
    }

    fn good_value(&self, parameter: &Parameter) -> Option<Vec<String>> {
        let is_about_rules = self.action.contains("UserRule");
        let text = match (parameter.name.as_str(), self.action.as_str()) {
            ("RoomId", _) if is_about_rules => "elsewhere",
            ("UserId", _) if is_about_rules => "eve",
            ("RuleType", _) => "4",
            ("RoomId", _) => "hall",
            // One who is there and one who is not.
            ("ToUserId", _) => return Some(vec!["ann".to_owned(), "nobody".to_owned()]),
            ("UserId", "DescribeUsers" | "KickoutUser") => "ann",
            ("UserId" | "FromUserId", _) => "backend",
            ("StreamId", "AddStream") => "added",
            // A stream of its own: the scene's is to live.
            ("StreamId", "ForbidRTCStream" | "ForbidRTCStreams") => "other",
            ("StreamId", _) => "cam",
            ("MessageContent", _) => "hello",
            ("MessageCategory", _) => "2",
            ("DisabledPrivilege", _) => "1",
            ("EffectiveTime", _) => "60",
            ("DisableAudio", _) => "1",
            ("Sequence", _) => {
                return Some(vec![SEQUENCE.fetch_add(1, Ordering::Relaxed).to_string()]);
            }
            (_, _) if parameter.required => panic!("no good value for {}", parameter.name),
            (_, _) => return None,
        };
        Some(vec![text.to_owned()])
    }
}

impl Call {
    pub(super) fn without(mut self, parameter: &Parameter) -> Self {
        self.values.retain(|(other, _)| other.name != parameter.name);
        self
    }

    pub(super) fn with(self, parameter: &Parameter, texts: &[&str]) -> Self {
        let mut call = self.without(parameter);
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        call.values.push((parameter.clone(), texts));
        call
    }

    pub(super) fn in_room(mut self, room: &str) -> Self {
        for (parameter, texts) in &mut self.values {
            if parameter.name == "RoomId" {
                *texts = vec![room.to_owned()];
            }
        }
        self
    }

    pub(super) fn query(&self) -> String {
        let mut query = format!("Action={}", self.action);
        for (parameter, texts) in &self.values {
            for text in texts {
                query += &format!("&{}={}", parameter.wire, text.replace(' ', "%20"));
            }
        }
        query
    }

    pub(super) fn body(&self) -> String {
        let value = |parameter: &Parameter, text: &String| match parameter.kind.as_str() {
            "int32" | "uint32" | "int64" | "array<int32>" => {
                Value::from(text.parse::<i64>().unwrap())
            }
            _ => Value::from(text.as_str()),
        };
        let body: Map<String, Value> = (self.values.iter())
            .map(|(parameter, texts)| {
                let mut values = texts.iter().map(|text| value(parameter, text));
                let one =
                    if parameter.is_list() { values.collect() } else { values.next().unwrap() };
                (parameter.name.clone(), one)
            })
            .collect();
        Value::from(body).to_string()
    }
}
