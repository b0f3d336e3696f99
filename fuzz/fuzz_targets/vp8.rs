//! Arbitrary bytes as a VP8 payload; a rewritten picture id changes nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::codec::{PictureId, Vp8Descriptor, begins_key_frame};
use odeum_types::Codec;

fuzz_target!(|payload: &[u8]| {
    let key = begins_key_frame(Codec::Vp8, payload);
    let Some(descriptor) = Vp8Descriptor::parse(payload) else {
        assert!(!key);
        return;
    };
    assert!(descriptor.size <= payload.len());
    let Some(id) = descriptor.picture_id else { return };
    let mut rewritten = payload.to_vec();
    id.rewrite(&mut rewritten, 0x1234);
    let mut again = Vp8Descriptor::parse(&rewritten).expect("the width is kept");
    assert!(matches!(
        again.picture_id,
        Some(PictureId::Short { value: 0x34, .. } | PictureId::Long { value: 0x1234, .. })
    ));
    again.picture_id = descriptor.picture_id;
    assert_eq!(again, descriptor);
    assert_eq!(begins_key_frame(Codec::Vp8, &rewritten), key);
});
