//! Arbitrary queries and bodies at the Server API, read as the gateway and its actions read them.
//!
//! What must hold: what is given once comes back as that; lists keep their bounds and have no id
//! twice; two requests have one digest only when they say the same.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use odeum_types::AppId;

use parameter::{Element, Kind, Parameter};
use parameters::Parameters;
use query::{Fields, Given, Once};
use rate_limit::Column;

#[path = "../../crates/api/src/parameter.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod parameter;
#[path = "../../crates/api/src/parameters.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod parameters;
#[path = "../../crates/api/src/query.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod query;
#[path = "../../crates/api/src/rate_limit.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod rate_limit;
#[path = "../../crates/api/src/refusal.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod refusal;
#[path = "../../crates/api/src/scalar.rs"]
#[allow(dead_code, reason = "the gateway uses more of it")]
mod scalar;

/// A parameter of each kind.
static DECLARED: [Parameter; 12] = [
    Parameter::new("RoomId", Kind::Room, ""),
    Parameter::new("UserId", Kind::User, ""),
    Parameter::new("UserName", Kind::UserName, "").optional(),
    Parameter::new("StreamId", Kind::Stream, ""),
    Parameter::new("ExtraInfo", Kind::Text { bytes_max: 16 }, "").optional(),
    Parameter::new("Limit", Kind::Integer { min: 0, max: 200, default: Some(7) }, ""),
    Parameter::new("Mode", Kind::Choice { of: &[(0, ""), (1, "")], default: Some(0) }, ""),
    Parameter::new("IsTest", Kind::Flag, "").optional(),
    Parameter::new("IP", Kind::Ip, "").required_if("Mode", &[1]),
    Parameter::new("Sequence", Kind::Sequence, ""),
    Parameter::new("Users", Kind::List { of: Element::User, count_max: 10 }, ""),
    Parameter::new("Marker", Kind::Text { bytes_max: 64 }, "").optional(),
];

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
    for column in [Column::Production, Column::Test] {
        let Ok(parameters) = Parameters::new(&fields, &DECLARED, AppId(7), column) else {
            assert!(fields.fault().is_some());
            return;
        };
        let integer: Result<i64, _> = parameters.integer("Limit");
        assert!(integer.is_err() || integer.is_ok_and(|number| (0..=200).contains(&number)));
        let text = parameters.text("ExtraInfo");
        assert!(text.is_err() || text.is_ok_and(|text| text.len() <= 16));
        let choice = parameters.choice("Mode");
        assert!(choice.is_err() || choice.is_ok_and(|choice| [0, 1].contains(&choice)));
        if let Ok(ids) = parameters.users("Users") {
            assert!((1..=10).contains(&ids.len()));
            assert!(ids.iter().enumerate().all(|(index, id)| !ids[..index].contains(id)));
        }
        // What they refuse is theirs; that they return is enough.
        drop((parameters.room(), parameters.user(), parameters.user_name(), parameters.stream()));
        drop((parameters.flag("IsTest", true, false), parameters.ip("IP"), parameters.sequence()));
        drop(parameters.marker("Marker"));
    }
});
