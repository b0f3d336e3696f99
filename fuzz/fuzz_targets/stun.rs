//! Arbitrary bytes as a STUN message, and the same bytes made well formed and signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::stun::{IntegrityKey, Message};

fuzz_target!(|bytes: &[u8]| {
    let key = IntegrityKey::new(b"a password of some length");
    check(bytes, &key);
    // Most inputs fail at length or cookie; mend both so that attributes are reached.
    let mut mended = bytes.to_vec();
    mended.truncate(60_000);
    mended.resize(mended.len().max(20).next_multiple_of(4), 0);
    let length = (mended.len() - 20) as u16;
    mended[..2].copy_from_slice(&[0, 1]);
    mended[2..4].copy_from_slice(&length.to_be_bytes());
    mended[4..8].copy_from_slice(&0x2112_A442u32.to_be_bytes());
    check(&mended, &key);
});

fn check(bytes: &[u8], key: &IntegrityKey) {
    if let Ok(message) = Message::parse(bytes) {
        assert!(message.verify(key).is_err(), "nobody guesses an HMAC");
        assert!(message.unknown.as_slice().iter().all(|kind| *kind < 0x8000));
        message.ufrags();
    }
}
