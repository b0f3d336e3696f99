//! The contract's facts, as they stand in `contract/actions.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    actions: BTreeMap<String, Facts>,
}

/// One action.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Facts {
    pub(super) group: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) data: Option<Vec<Field>>,
    pub(super) rate: Rate,
}

/// A number that no type of the contract holds.
const BEYOND_64_BITS: &str = "99999999999999999999";

/// One parameter.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) wire: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) required: bool,
    required_if: Option<BTreeMap<String, Vec<i64>>>,
    #[serde(rename = "enum")]
    pub(super) values: Option<Vec<i64>>,
    min: Option<i64>,
    max: Option<i64>,
    pub(super) max_bytes: Option<usize>,
    pub(super) max_items: Option<usize>,
}

/// A field of the reply.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Field {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) fields: Vec<Field>,
}

/// How often it may be called.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Rate {
    pub(super) prod_per_s: u32,
    pub(super) test_per_s: Option<u32>,
    pub(super) per_room: Option<PerRoom>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PerRoom {
    pub(super) count: u32,
    pub(super) per_seconds: u64,
}

fn file() -> File {
    serde_json::from_str(include_str!("../../../contract/actions.json")).unwrap()
}

/// Every action of the copy.
pub(super) fn names() -> Vec<String> {
    file().actions.into_keys().collect()
}

/// What the contract says of an action.
pub(super) fn action_facts(name: &str) -> Option<Facts> {
    file().actions.remove(name)
}

impl Facts {
    pub(super) fn is_media(&self) -> bool {
        self.group == "media-service"
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Parameters that a choice makes necessary: which choice, and which values of it.
    pub(super) fn conditional(&self) -> Vec<(&Parameter, &Parameter, Vec<String>)> {
        let mut found = Vec::new();
        for parameter in &self.parameters {
            for (choice, values) in parameter.required_if.iter().flatten() {
                let choice = self.parameter(choice).unwrap();
                let values = values.iter().map(i64::to_string).collect();
                found.push((parameter, choice, values));
            }
        }
        found
    }
}

impl Parameter {
    pub(super) fn is_list(&self) -> bool {
        self.kind.starts_with("array<")
    }

    fn is_number(&self) -> bool {
        matches!(self.kind.as_str(), "int32" | "uint32" | "int64" | "array<int32>")
    }

    /// Whether what is too large counts as the largest: the contract gives a least value alone.
    fn is_clamped(&self) -> bool {
        self.min.is_some() && self.max.is_none() && self.values.is_none()
    }

    /// Values at a range's ends, and one beyond each; true for what is beyond.
    pub(super) fn edges(&self) -> Vec<(String, bool)> {
        let mut edges = Vec::new();
        if let Some(min) = self.min.filter(|_| self.values.is_none()) {
            edges.extend([(min.to_string(), false), ((min - 1).to_string(), true)]);
        }
        if let Some(max) = self.max.filter(|_| self.values.is_none()) {
            edges.extend([(max.to_string(), false), ((max + 1).to_string(), true)]);
        }
        edges.extend(self.is_clamped().then(|| (BEYOND_64_BITS.to_owned(), false)));
        edges
    }

    /// Values outside the enum, and of another type.
    pub(super) fn wrong_values(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(values) = &self.values {
            let (least, largest) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            wrong.extend([(least - 1).to_string(), (largest + 1).to_string()]);
        }
        if self.is_number() {
            wrong.extend(["one", "1.5"].map(str::to_owned));
            wrong.extend((!self.is_clamped()).then(|| BEYOND_64_BITS.to_owned()));
        }
        if self.kind == "boolean" {
            wrong.extend(["1", "yes"].map(str::to_owned));
        }
        let is_id = matches!(self.name.as_str(), "RoomId" | "UserId" | "FromUserId" | "StreamId");
        if is_id || self.name == "ToUserId" {
            wrong.push("a b".to_owned());
        }
        match self.name.as_str() {
            "IP" => wrong.push("10.0.0".to_owned()),
            "Sequence" => wrong.push("-1".to_owned()),
            "Marker" => wrong.push("nonsense".to_owned()),
            _ => {}
        }
        wrong
    }
}
