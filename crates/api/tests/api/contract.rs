//! Every action knows its contract: the facts in `crates/api/contract/actions.json`, a copy of the
//! public contract's, are held against each action that is built, by real calls.
//!
//! Where a ruling gives the code, it stands in this file; nothing is read from the code under test.

mod facts;
mod scene;

use std::time::Duration;

use serde_json::Value;

use crate::backend::Backend;
use facts::{Facts, Parameter, action_facts};
use scene::{Call, prepare};

/// Rulings 8 and 22 and the media service's codes: the code of a parameter that is missing or
/// wrong.
fn bad(facts: &Facts, parameter: &Parameter) -> u64 {
    match (facts.is_media(), parameter.name.as_str(), parameter.is_list()) {
        (true, "StreamId", false) => 30009,
        (true, "StreamId", true) => 30006,
        _ => 2,
    }
}

fn too_long(facts: &Facts, parameter: &Parameter) -> u64 {
    match (facts.is_media(), parameter.name.as_str()) {
        (true, _) => bad(facts, parameter),
        (false, "MessageContent") => 50012,
        (false, _) => 3,
    }
}

fn too_many(action: &str, facts: &Facts, parameter: &Parameter) -> u64 {
    match action {
        "KickoutUser" | "SendCustomCommand" => 50011,
        _ => bad(facts, parameter),
    }
}

/// A text of so many bytes that the parameter takes.
fn text_of(bytes: usize) -> String {
    "a".repeat(bytes)
}

async fn code(backend: &Backend, call: &Call) -> u64 {
    // Beyond every window of a rate limit.
    backend.advance(Duration::from_secs(11));
    backend.code(&call.query()).await
}

/// Runs `check` for every action that is built, with a backend and a scene of its own.
async fn for_each_action<F: Future<Output = ()>>(check: impl Fn(Backend, String, Facts) -> F) {
    let mut checked = 0;
    for action in odeum_api::action_names() {
        let facts = action_facts(action)
            .unwrap_or_else(|| panic!("{action} has no entry in contract/actions.json"));
        check(Backend::start().await, action.to_owned(), facts).await;
        checked += 1;
    }
    assert!(checked > 20, "{checked} actions");
}

#[tokio::test]
async fn every_entry_of_the_contracts_copy_is_built() {
    let built: Vec<&str> = odeum_api::action_names().collect();
    let not_built: Vec<String> =
        facts::names().into_iter().filter(|name| !built.contains(&name.as_str())).collect();
    assert_eq!(not_built, [] as [&str; 0]);
}

#[tokio::test]
async fn a_good_call_succeeds_by_get_and_by_post_with_the_contracts_reply() {
    for_each_action(|backend, action, facts| async move {
        let mut scene = prepare(&backend, &action).await;
        for is_post in [false, true] {
            let call = scene.good_call(&facts);
            backend.advance(Duration::from_secs(11));
            let reply = match is_post {
                false => backend.call(&call.query()).await,
                true => {
                    let query = format!("{}&Action={action}", backend.signed());
                    backend.post(&query, &call.body()).await
                }
            };
            assert_eq!(reply["Code"], 0, "{action} {call:?}: {reply}");
            let keys: Vec<&String> = reply.as_object().unwrap().keys().collect();
            let has_data = facts.data.is_some();
            assert_eq!(keys.len(), 3 + usize::from(has_data), "{action}: {keys:?}");
            assert_eq!(reply["Message"], "success");
            assert!(reply["RequestId"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_digit()));
            if let Some(fields) = &facts.data {
                check_shape(&action, fields, &reply["Data"]);
            }
            scene = prepare(&backend, &action).await;
        }
    })
    .await;
}

/// Exactly the contract's fields, each of its type; lists have entries to look at.
fn check_shape(place: &str, fields: &[facts::Field], value: &Value) {
    let object = value.as_object().unwrap_or_else(|| panic!("{place} is no object: {value}"));
    let mut expected: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let mut found: Vec<&str> = object.keys().map(String::as_str).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "fields of {place}");
    for field in fields {
        let (place, value) = (format!("{place}.{}", field.name), &object[&field.name]);
        match field.kind.as_str() {
            "string" => assert!(value.is_string(), "{place}: {value}"),
            "integer" | "int32" | "uint32" | "int64" => {
                assert!(value.is_i64() || value.is_u64(), "{place}: {value}");
            }
            "array<int32>" => {
                let all = value.as_array().unwrap_or_else(|| panic!("{place}: {value}"));
                assert!(!all.is_empty() && all.iter().all(Value::is_i64), "{place}: {value}");
            }
            "array<object>" => {
                let all = value.as_array().unwrap_or_else(|| panic!("{place}: {value}"));
                assert!(!all.is_empty(), "{place} has no entry to look at");
                all.iter().for_each(|entry| check_shape(&place, &field.fields, entry));
            }
            other => panic!("{place}: an unknown type {other}"),
        }
    }
}

#[tokio::test]
async fn each_required_parameter_is_required() {
    for_each_action(|backend, action, facts| async move {
        let mut scene = prepare(&backend, &action).await;
        for parameter in facts.parameters.iter().filter(|parameter| parameter.required) {
            let call = scene.good_call(&facts).without(parameter);
            let expected = bad(&facts, parameter);
            assert_eq!(
                code(&backend, &call).await,
                expected,
                "{action} without {}",
                parameter.name
            );
            let empty = scene.good_call(&facts).with(parameter, &[""]);
            let expected = match parameter.name.as_str() {
                "MessageContent" => 1008,
                _ => expected,
            };
            assert_eq!(
                code(&backend, &empty).await,
                expected,
                "{action}: {} empty",
                parameter.name
            );
        }
        for (parameter, choice, values) in facts.conditional() {
            for value in values {
                let call = scene.good_call(&facts).without(parameter).with(choice, &[&value]);
                let message =
                    format!("{action} {}={value} without {}", choice.name, parameter.name);
                assert_eq!(code(&backend, &call).await, 2, "{message}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn each_limit_holds_at_one_over_and_not_at_the_limit() {
    for_each_action(|backend, action, facts| async move {
        let mut scene = prepare(&backend, &action).await;
        for parameter in &facts.parameters {
            if let Some(bytes_max) = parameter.max_bytes {
                let expected = too_long(&facts, parameter);
                for (bytes, is_over) in [(bytes_max, false), (bytes_max + 1, true)] {
                    let call = scene.good_call(&facts).with(parameter, &[&text_of(bytes)]);
                    let code = code(&backend, &call).await;
                    let place = format!("{action}: {} of {bytes} bytes", parameter.name);
                    assert_eq!(code == expected, is_over, "{place}: {code}");
                }
            }
            if let Some(items_max) = parameter.max_items {
                let expected = too_many(&action, &facts, parameter);
                for (items, is_over) in [(items_max, false), (items_max + 1, true)] {
                    let texts: Vec<String> =
                        (0..items).map(|n| scene.entry(parameter, n)).collect();
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    let call = scene.good_call(&facts).with(parameter, &texts);
                    let code = code(&backend, &call).await;
                    let place = format!("{action}: {items} entries of {}", parameter.name);
                    assert_eq!(code == expected, is_over, "{place}: {code}");
                }
            }
            for (value, is_over) in parameter.edges() {
                let call = scene.good_call(&facts).with(parameter, &[&value]);
                let code = code(&backend, &call).await;
                let place = format!("{action}: {}={value}", parameter.name);
                assert_eq!(code == bad(&facts, parameter), is_over, "{place}: {code}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_in_an_enum_or_of_another_type_is_refused() {
    for_each_action(|backend, action, facts| async move {
        let mut scene = prepare(&backend, &action).await;
        for parameter in &facts.parameters {
            for value in parameter.wrong_values() {
                let mut call = scene.good_call(&facts).with(parameter, &[&value]);
                if let ("IP", Some(kind)) = (parameter.name.as_str(), facts.parameter("RuleType")) {
                    call = call.with(kind, &["1"]);
                }
                let expected = bad(&facts, parameter);
                let place = format!("{action}: {}={value}", parameter.name);
                assert_eq!(code(&backend, &call).await, expected, "{place}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn each_rate_limit_is_the_contracts_in_both_environments() {
    for_each_action(|backend, action, facts| async move {
        let limited = if facts.is_media() { 30002 } else { 206 };
        let mut scene = prepare(&backend, &action).await;
        let production = facts.rate.prod_per_s;
        for (environment, per_second) in
            [("", production), ("&IsTest=true", facts.rate.test_per_s.unwrap_or(production))]
        {
            backend.advance(Duration::from_secs(11));
            for number in 0..=per_second {
                // Where a room has a limit of its own, each call is about another one.
                let call = match &facts.rate.per_room {
                    Some(_) => scene.good_call(&facts).in_room(&format!("room-{number}")),
                    None => scene.good_call(&facts),
                };
                let code = backend.code(&format!("{}{environment}", call.query())).await;
                let place = format!("call {number} of {action}{environment}");
                assert_eq!(code == limited, number == per_second, "{place}: {code}");
            }
        }
        if let Some(limit) = &facts.rate.per_room {
            backend.advance(Duration::from_secs(11));
            let call = scene.good_call(&facts).query();
            for number in 0..=limit.count {
                assert_eq!(backend.code(&call).await == 207, number == limit.count, "{action}");
            }
            backend.advance(Duration::from_millis(limit.per_seconds * 1_000 - 1));
            assert_eq!(backend.code(&call).await, 207, "{action}");
            backend.advance(Duration::from_millis(1));
            assert_eq!(backend.code(&call).await, 0, "{action}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_openapi_documents_declare_the_contracts_parameters() {
    for_each_action(|backend, action, facts| async move {
        let document = backend.get_json(&format!("/openapi/{action}.json")).await;
        assert_eq!(document["openapi"], "3.1.0");
        let declared = document["paths"]["/"]["get"]["parameters"].as_array().unwrap().clone();
        let mut names: Vec<(String, bool)> = (declared.iter())
            .map(|one| (one["name"].as_str().unwrap().to_owned(), one["required"] == true))
            .collect();
        let mut expected: Vec<(String, bool)> = (facts.parameters.iter())
            .map(|parameter| (parameter.wire.clone(), parameter.required))
            .collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected, "{action}");
        let schema = &document["paths"]["/"]["get"]["responses"]["200"]["content"]
            ["application/json"]["schema"]["properties"];
        assert_eq!(schema["Data"].is_object(), facts.data.is_some(), "{action}");
    })
    .await;
    let backend = Backend::start().await;
    let index = backend.get_json("/openapi.json").await;
    assert_eq!(index["paths"].as_object().unwrap().len(), odeum_api::action_names().count());
    assert_eq!(backend.status("/openapi/Dance.json").await, 404);
}
