//! Arbitrary bytes as a payload of redundant audio.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::red::{redundancy_bytes, set_payload_type};

fuzz_target!(|input: (u8, u8, Vec<u8>)| {
    let (from, to, mut payload) = input;
    let (from, to) = (from & 0x7F, to & 0x7F);
    let Some(front) = redundancy_bytes(&payload, from) else {
        set_payload_type(&mut payload, to);
        return;
    };
    assert!(0 < front && front < payload.len());
    // It is the same packet under another type, and comes back.
    let before = payload.clone();
    set_payload_type(&mut payload, to);
    assert_eq!(redundancy_bytes(&payload, to), Some(front));
    assert_eq!(payload[front..], before[front..]);
    set_payload_type(&mut payload, from);
    assert_eq!(payload, before);
});
