//! Arbitrary queries and bodies at the Server API, read as the gateway and its actions read them.
//!
//! What must hold: what is given once comes back as that; lists keep their bounds and have no id
//! twice; two requests have one digest only when they say the same.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use odeum_proto::return_code::room;
use odeum_types::UserId;

use parameters::Parameters;
use query::{Fields, Given, Once};

#[path = "../../crates/api/src/parameters.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod parameters;
#[path = "../../crates/api/src/query.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod query;
#[path = "../../crates/api/src/refusal.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod refusal;

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    query: &'a str,
    body: Option<&'a [u8]>,
}

/// Names that actions ask for.
const NAMES: [&str; 7] = ["Action", "Mode", "Limit", "Marker", "IsTest", "ExtraInfo", "x"];

fuzz_target!(|request: Request<'_>| {
    let fields = Fields::parse(request.query, request.body);
    let again = Fields::parse(&format!("&{}&", request.query), request.body);
    assert_eq!(fields.digest(), again.digest(), "empty parts say nothing");
    let more = Fields::parse(&format!("{}&more=1", request.query), request.body);
    assert_ne!(fields.digest(), more.digest());
    for name in NAMES {
        match (fields.common(name), fields.given(name)) {
            (Once::Missing, None | Some(Given::Body(_))) => {}
            (Once::Missing, Some(Given::Query(texts))) => assert_eq!(texts, [""]),
            (Once::Text(text), Some(Given::Query(texts))) => assert_eq!(texts, [text]),
            (Once::Many, Some(Given::Query(texts))) => assert!(texts.len() > 1),
            (common, given) => panic!("{common:?} {given:?}"),
        }
    }
    let Ok(parameters) = Parameters::new(&fields) else {
        assert!(fields.fault().is_some());
        return;
    };
    let integer = parameters.integer("Limit", 0..=200, 7);
    assert!(integer.is_err() || integer.is_ok_and(|number| (0..=200).contains(&number)));
    let text = parameters.text("ExtraInfo", 16);
    assert!(text.is_err() || text.is_ok_and(|text| text.len() <= 16));
    if let Ok(ids) = parameters.list("UserId", 10, room::PARAMETER_TOO_LONG, UserId::parse) {
        assert!((1..=10).contains(&ids.len()));
        assert!(ids.iter().enumerate().all(|(index, id)| !ids[..index].contains(id)));
    }
    // What they refuse is theirs; that they return is enough.
    drop((parameters.room(), parameters.user(), parameters.user_name(), parameters.stream()));
    drop((parameters.choice("Mode", 0, 1), parameters.flag("IsTest", true, false)));
});
