//! Arbitrary text as an answer; any description that is read is written and read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::sdp::{Answer, Description};

fuzz_target!(|text: &str| {
    if let Ok(answer) = Answer::parse(text) {
        assert!(!answer.candidates().is_empty());
    }
    if let Ok(description) = Description::parse(text) {
        let written = description.to_string();
        let read = Description::parse(&written).expect("own description is sound");
        assert_eq!(read.to_string(), written);
    }
});
