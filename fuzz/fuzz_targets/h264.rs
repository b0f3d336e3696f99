//! Arbitrary bytes as an H.264 payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::codec::begins_key_frame;
use odeum_types::Codec;

fuzz_target!(|payload: &[u8]| {
    let key = begins_key_frame(Codec::H264, payload);
    // Bytes that are appended cannot take a found key frame away, but in an aggregate whose last
    // unit was cut.
    let mut longer = payload.to_vec();
    longer.push(0);
    if key {
        assert!(begins_key_frame(Codec::H264, &longer));
    }
});
