//! Arbitrary bytes as a payload of VP9, H.265 and AV1.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::codec::begins_key_frame;
use odeum_types::Codec;

fuzz_target!(|payload: &[u8]| {
    let mut longer = payload.to_vec();
    longer.push(0);
    for codec in [Codec::Vp9, Codec::H265, Codec::Av1] {
        // Bytes that are appended cannot take a found key frame away.
        if begins_key_frame(codec, payload) {
            assert!(begins_key_frame(codec, &longer));
        }
    }
});
