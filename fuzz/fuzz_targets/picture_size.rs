//! Arbitrary bytes as a payload whose picture's size is asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::codec::picture_size;
use odeum_types::Codec;

fuzz_target!(|payload: &[u8]| {
    for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::H265, Codec::Av1] {
        let Some(size) = picture_size(codec, payload) else { continue };
        // What H.264, H.265 and AV1 call a size has pixels, and bytes behind it change nothing.
        if matches!(codec, Codec::H264 | Codec::H265 | Codec::Av1) {
            assert!(size.width > 0 && size.height > 0);
            let longer = [payload, &[0; 4]].concat();
            assert_eq!(picture_size(codec, &longer), Some(size), "{codec:?}");
        }
    }
});
