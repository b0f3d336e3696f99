//! What a payload says about its frame without being decoded: does a key frame begin here, and
//! where are the numbers that a forwarder rewrites?

use odeum_types::Codec;

mod av1;
mod h264;
mod h265;
mod vp8;
mod vp9;

pub use vp8::{Vp8Descriptor, Vp8PictureId};

/// Whether a decoder can begin with this packet: the first of a key frame, its parameter sets
/// included; for audio every packet. `payload` is one RTP payload, of any content.
pub fn begins_key_frame(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus => true,
        Codec::Vp8 => vp8::begins_key_frame(payload),
        Codec::Vp9 => vp9::begins_key_frame(payload),
        Codec::H264 => h264::begins_key_frame(payload),
        Codec::H265 => h265::begins_key_frame(payload),
        Codec::Av1 => av1::begins_key_frame(payload),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_payloads_never_panic(
            mut payload in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::H265, Codec::Av1] {
                begins_key_frame(codec, &payload);
            }
            if let Some(descriptor) = Vp8Descriptor::parse(&payload) {
                prop_assert!(descriptor.size <= payload.len());
                if let Some(id) = descriptor.picture_id {
                    id.rewrite(&mut payload, 0x1234);
                    let size = Vp8Descriptor::parse(&payload).unwrap().size;
                    prop_assert_eq!(size, descriptor.size);
                }
            }
        }
    }
}
