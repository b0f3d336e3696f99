//! The Server API as OpenAPI 3.1, made of the declarations that requests are read by.
//!
//! All actions share one path and are told apart by `Action`, which OpenAPI cannot say in one
//! document: `/openapi/X.json` is a plain document of one action, and `/openapi.json` an index of
//! all, whose paths are `/?Action=X` by a convention of ours.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use odeum_proto::return_code::{Group, ReturnCode, TABLE, gateway};
use serde_json::{Map, Value, json};

use crate::parameter::{Element, Kind, Need, Parameter};
use crate::rate_limit::Limits;
use crate::{ACTIONS, Action, gateway as checks};

/// The index, as text.
static INDEX: LazyLock<String> = LazyLock::new(|| index().to_string());

/// Serves the index.
pub(crate) async fn serve_index() -> Response {
    json_text(INDEX.clone())
}

/// Serves the document of one action.
pub(crate) async fn serve_action(Path(file): Path<String>) -> Response {
    let name = file.strip_suffix(".json");
    match ACTIONS.iter().find(|action| Some(action.name) == name) {
        Some(action) => json_text(document(action).to_string()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn json_text(text: String) -> Response {
    // Pages of other origins may show it: it holds nothing of anybody.
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, text).into_response()
}

/// All actions.
fn index() -> Value {
    let paths: Map<String, Value> = ACTIONS
        .iter()
        .map(|action| (format!("/?Action={}", action.name), path_item(action)))
        .collect();
    let description = "Every action of the Server API. All share the path `/` and are told apart by \
                       the parameter Action: the paths here are a convention, not paths. A plain \
                       document of each action is at `/openapi/{Action}.json`.";
    json!({
        "openapi": "3.1.0",
        "info": info("Odeum Server API", description),
        "paths": paths,
        "components": components(),
    })
}

/// One action.
fn document(action: &Action) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": info(action.name, action.summary),
        "paths": { "/": path_item(action) },
        "components": components(),
    })
}

fn info(title: &str, description: &str) -> Value {
    json!({ "title": title, "version": env!("CARGO_PKG_VERSION"), "description": description })
}

/// What all actions share: the parameters of every request.
fn components() -> Value {
    let common = |name: &str, schema: Value, description: &str| {
        json!({
            "name": name,
            "in": "query",
            "required": true,
            "schema": schema,
            "description": description,
        })
    };
    let integer = |max: u64| json!({ "type": "integer", "minimum": 0, "maximum": max });
    json!({ "parameters": {
        "AppId": common("AppId", integer(u64::from(u32::MAX)), "The app."),
        "SignatureNonce": common(
            "SignatureNonce",
            json!({ "type": "string", "minLength": 1, "maxLength": 64 }),
            "Random, another one for each request.",
        ),
        "Timestamp": common(
            "Timestamp",
            integer(u64::from(u32::MAX)),
            "Unix seconds; at most 600 seconds off the server's clock.",
        ),
        "Signature": common(
            "Signature",
            json!({ "type": "string", "pattern": "^[0-9a-fA-F]{32}$" }),
            "MD5 of AppId, SignatureNonce, ServerSecret and Timestamp, joined, in hexadecimal.",
        ),
        "SignatureVersion": common(
            "SignatureVersion",
            json!({ "type": "string", "const": "2.0" }),
            "The version of the signature.",
        ),
        "IsTest": {
            "name": "IsTest",
            "in": "query",
            "required": false,
            "schema": { "type": "string", "enum": ["true", "false"] },
            "description": "Which environment; the app's own when it is left out.",
        },
    }})
}

/// GET and POST of one action.
fn path_item(action: &Action) -> Value {
    let common =
        ["AppId", "SignatureNonce", "Timestamp", "Signature", "SignatureVersion", "IsTest"];
    let shared: Vec<Value> = std::iter::once(json!({
        "name": "Action",
        "in": "query",
        "required": true,
        "schema": { "type": "string", "const": action.name },
        "description": "Which action.",
    }))
    .chain(common.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })))
    .collect();
    let description = format!("{} {}", action.summary, rate(&action.limits));
    let properties: Map<String, Value> = (action.parameters.iter())
        .map(|parameter| (parameter.name.to_owned(), described(parameter)))
        .collect();
    let required: Vec<&str> = (action.parameters.iter())
        .filter(|parameter| parameter.need == Need::Required)
        .map(|parameter| parameter.name)
        .collect();
    json!({
        "parameters": shared,
        "get": {
            "operationId": action.name,
            "summary": action.summary,
            "description": description,
            "parameters": action.parameters.iter().map(query_parameter).collect::<Vec<_>>(),
            "responses": responses(action),
        },
        "post": {
            "operationId": format!("{}Post", action.name),
            "summary": action.summary,
            "description": description,
            "requestBody": {
                "required": !required.is_empty(),
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "properties": properties,
                    "required": required,
                }}},
            },
            "responses": responses(action),
        },
    })
}

fn query_parameter(parameter: &Parameter) -> Value {
    let is_list = matches!(parameter.kind, Kind::List { .. });
    let mut shape = json!({
        "name": parameter.wire(),
        "in": "query",
        "required": parameter.need == Need::Required,
        "schema": schema(parameter.kind),
        "description": described_need(parameter),
    });
    if is_list {
        shape["style"] = json!("form");
        shape["explode"] = json!(true);
    }
    shape
}

/// A parameter as a property of a body.
fn described(parameter: &Parameter) -> Value {
    let mut schema = schema(parameter.kind);
    schema["description"] = json!(described_need(parameter));
    schema
}

fn described_need(parameter: &Parameter) -> String {
    match parameter.need {
        Need::Required | Need::Optional => parameter.meaning.to_owned(),
        Need::RequiredIf(choice, values) => {
            let values: Vec<String> = values.iter().map(i64::to_string).collect();
            format!("{} Required when {choice} is {}.", parameter.meaning, values.join(" or "))
        }
    }
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Room => json!({ "type": "string", "minLength": 1, "maxLength": 127,
            "pattern": "^[0-9A-Za-z~!@#$%^&*()_+=\\-`;',.<>/]+$" }),
        Kind::User => json!({ "type": "string", "minLength": 1, "maxLength": 63,
            "pattern": "^[0-9A-Za-z~!@#$%^&*()_+=\\-`;',.]+$" }),
        Kind::UserName => json!({ "type": "string", "maxLength": 255 }),
        Kind::Stream => json!({ "type": "string", "minLength": 1, "maxLength": 256,
            "pattern": "^[0-9A-Za-z_-]+$" }),
        Kind::Text { bytes_max } => json!({ "type": "string", "maxLength": bytes_max }),
        Kind::Integer { min, max, default } => {
            let mut integer = json!({ "type": "integer", "minimum": min });
            // The largest number is no bound: digits beyond it count as it.
            if max < i64::MAX {
                integer["maximum"] = max.into();
            }
            with_default(integer, default)
        }
        Kind::Choice { of, default } => with_default(choice(of), default),
        Kind::Flag => json!({ "type": "boolean", "default": false }),
        Kind::Ip => {
            json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
        }
        Kind::Sequence => json!({ "type": "string", "pattern": "^[0-9]{1,20}$" }),
        Kind::List { of, count_max } => {
            let items = match of {
                Element::Room => schema(Kind::Room),
                Element::User => schema(Kind::User),
                Element::Stream => schema(Kind::Stream),
                Element::Choice(of) => choice(of),
            };
            json!({ "type": "array", "items": items, "minItems": 1, "maxItems": count_max })
        }
    }
}

fn choice(of: &[(i64, &str)]) -> Value {
    let values: Vec<i64> = of.iter().map(|(value, _)| *value).collect();
    let meanings: Vec<String> =
        of.iter().map(|(value, meaning)| format!("{value} {meaning}")).collect();
    json!({ "type": "integer", "enum": values, "description": meanings.join(", ") })
}

fn with_default(mut schema: Value, default: Option<i64>) -> Value {
    if let Some(default) = default {
        schema["default"] = json!(default);
    }
    schema
}

/// The one reply: HTTP 200 whatever the outcome is (ruling 2).
fn responses(action: &Action) -> Value {
    let codes = codes(action);
    let numbers: Vec<u32> = codes.iter().map(|(number, _)| *number).collect();
    let meanings: Vec<String> =
        codes.iter().map(|(number, meaning)| format!("{number}: {meaning}")).collect();
    let mut properties = json!({
        "Code": { "type": "integer", "enum": numbers, "description": meanings.join("\n") },
        "Message": { "type": "string",
            "description": "success, or a sentence that names what is at fault." },
        "RequestId": { "type": "string", "pattern": "^[0-9]+$",
            "description": "On every log line of the request." },
    });
    if let Some(data) = action.data {
        let mut data = Value::from(data());
        if let Some(object) = data.as_object_mut() {
            object.remove("$schema");
        }
        properties["Data"] = data;
    }
    json!({ "200": {
        "description": "The outcome is in Code: 0 for success.",
        "content": { "application/json": { "schema": {
            "type": "object",
            "properties": properties,
            "required": ["Code", "Message", "RequestId"],
            "additionalProperties": false,
        }}},
    }})
}

/// Every code that the action can answer with, each with its meaning, by number.
fn codes(action: &Action) -> Vec<(u32, &'static str)> {
    let of_parameters = action.parameters.iter().flat_map(|parameter| {
        [Some(parameter.bad), Some(parameter.too_long), Some(parameter.too_many), parameter.empty]
    });
    let never = [gateway::HOST_NOT_ACCEPTED, gateway::APP_NOT_CONFIGURED];
    let of_gateway =
        TABLE.iter().copied().filter(|code| code.group == Group::Gateway && !never.contains(code));
    let room_limit =
        action.limits.per_room.map(|_| odeum_proto::return_code::room::ROOM_RATE_LIMIT);
    let others = [
        Some(checks::is_test_code(action.group)),
        Some(checks::rate_limit_code(action.group)),
        room_limit,
        Some(odeum_proto::return_code::room::PARAMETER_BAD),
        Some(odeum_proto::return_code::room::FAILED),
    ];
    let all: BTreeSet<(u32, &'static str)> = of_gateway
        .chain(others.into_iter().flatten())
        .chain(of_parameters.flatten())
        .chain(action.codes.iter().copied())
        .map(|code: ReturnCode| (code.number, code.meaning))
        .collect();
    let mut all: Vec<_> = all.into_iter().collect();
    all.dedup_by_key(|(number, _)| *number);
    all
}

fn rate(limits: &Limits) -> String {
    let mut text = format!("At most {} calls a second for an AppId", limits.per_second);
    if let Some(test) = limits.per_second_test {
        text += &format!(", {test} in the test environment");
    }
    if let Some(room) = limits.per_room {
        text += &format!(", and {} in {} s for a room", room.count, room.window.as_secs());
    }
    text + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_has_every_action_and_each_has_a_document() {
        let index = index();
        assert_eq!(index["paths"].as_object().unwrap().len(), ACTIONS.len());
        for action in ACTIONS {
            let document = document(action);
            let get = &document["paths"]["/"]["get"];
            assert_eq!(get["operationId"], action.name);
            assert_eq!(*get, index["paths"][format!("/?Action={}", action.name)]["get"]);
            let codes = &get["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
                ["Code"]["enum"];
            assert!(codes.as_array().unwrap().contains(&json!(0)), "{}", action.name);
        }
    }

    #[test]
    fn a_document_says_what_requests_are_read_by() {
        let kickout = ACTIONS.iter().find(|action| action.name == "KickoutUser").unwrap();
        let document = document(kickout);
        let users = &document["paths"]["/"]["get"]["parameters"][1];
        assert_eq!(users["name"], "UserId[]");
        assert_eq!(users["schema"]["maxItems"], 5);
        let body = &document["paths"]["/"]["post"]["requestBody"]["content"]["application/json"];
        assert_eq!(body["schema"]["required"], json!(["RoomId", "UserId"]));
    }

    #[test]
    fn a_number_that_is_clamped_has_no_maximum() {
        let time_of = |action: &str| {
            let action = ACTIONS.iter().find(|one| one.name == action).unwrap();
            let document = document(action);
            let parameters = document["paths"]["/"]["get"]["parameters"].as_array().unwrap();
            let time = parameters.iter().find(|one| one["name"] == "EffectiveTime").unwrap();
            time["schema"].clone()
        };
        assert_eq!(time_of("SetForbidUserRule")["maximum"], 86_400);
        assert_eq!(time_of("SetForbidStreamRule")["maximum"], Value::Null);
        assert_eq!(time_of("SetForbidStreamRule")["minimum"], 1);
    }
}
