//! Arbitrary bytes as a VP9 payload; a rewritten picture id changes nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::Marker;
use odeum_rtp::codec::{FrameLayer, PictureId, Vp9Descriptor, begins_key_frame};
use odeum_types::Codec;

fuzz_target!(|payload: &[u8]| {
    let key = begins_key_frame(Codec::Vp9, payload);
    let frame = FrameLayer::of(Codec::Vp9, payload, Marker::Clear);
    let Some(descriptor) = Vp9Descriptor::parse(payload) else {
        assert!(!key && frame.is_none());
        return;
    };
    assert!(descriptor.size <= payload.len());
    assert_eq!(Vp9Descriptor::parse(&payload[..descriptor.size]), Some(descriptor));
    assert_eq!(Vp9Descriptor::parse(&payload[..descriptor.size - 1]), None);
    let frame = frame.expect("the descriptor was read");
    assert_eq!(key, frame.enters_spatial_layer && frame.spatial == 0);
    let Some(id) = descriptor.picture_id else { return };
    let mut rewritten = payload.to_vec();
    id.rewrite(&mut rewritten, 0x1234);
    let mut again = Vp9Descriptor::parse(&rewritten).expect("the width is kept");
    assert!(matches!(
        again.picture_id,
        Some(PictureId::Short { value: 0x34, .. } | PictureId::Long { value: 0x1234, .. })
    ));
    again.picture_id = descriptor.picture_id;
    assert_eq!(again, descriptor);
    assert_eq!(FrameLayer::of(Codec::Vp9, &rewritten, Marker::Clear), Some(frame));
});
