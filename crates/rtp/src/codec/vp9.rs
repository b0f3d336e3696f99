//! VP9's payload descriptor (RFC 9628 §4.2): where a key frame begins.

/// I: a picture id follows.
const PICTURE_ID: u8 = 0x80;
/// P: the picture refers to an earlier one.
const INTER_PREDICTED: u8 = 0x40;
/// L: layer indices follow.
const LAYER_INDICES: u8 = 0x20;
/// B: a frame, of one layer, begins here.
const BEGINS_FRAME: u8 = 0x08;
/// M, in the picture id's first byte: it has fifteen bits.
const LONG_PICTURE_ID: u8 = 0x80;

/// Whether `payload` is the first packet of a key frame: a frame begins that refers to nothing
/// earlier, and it is the lowest spatial layer's. The higher ones of a key picture refer to nothing
/// earlier either, but to the layer below, so decoding cannot begin with them.
pub(super) fn begins_key_frame(payload: &[u8]) -> bool {
    let Some(&flags) = payload.first() else { return false };
    if flags & BEGINS_FRAME == 0 || flags & INTER_PREDICTED != 0 {
        return false;
    }
    spatial_layer(flags, payload) == Some(0)
}

/// SID; 0 without layer indices. None when the payload ends before it.
fn spatial_layer(flags: u8, payload: &[u8]) -> Option<u8> {
    if flags & LAYER_INDICES == 0 {
        return Some(0);
    }
    let mut at = 1;
    if flags & PICTURE_ID != 0 {
        at += if payload.get(at)? & LONG_PICTURE_ID == 0 { 1 } else { 2 };
    }
    Some(payload.get(at)? >> 1 & 0x07)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_begins_with_the_lowest_layer_of_a_picture_that_refers_to_nothing_earlier() {
        for (payload, expected) in [
            (&[0x08, 0x00][..], true),
            (&[0x88, 0x05, 0x00], true),
            (&[0x8C, 0x81, 0x05, 0x00], true),
            (&[0x00, 0x00], false),
            (&[0x48, 0x00], false),
            (&[0x84, 0x05, 0x00], false),
            // Layer indices behind no, a short and a long picture id: TID, U, SID, D.
            (&[0x28, 0x00], true),
            (&[0x28, 0xF1], true),
            (&[0x28, 0x02], false),
            (&[0xA8, 0x05, 0x10], true),
            (&[0xA8, 0x05, 0x03], false),
            (&[0xA8, 0x85, 0x03, 0x10], true),
            (&[0xA8, 0x85, 0x00, 0x04], false),
            (&[0xA8, 0x85, 0x00], false),
            (&[0x28], false),
            (&[], false),
        ] {
            assert_eq!(begins_key_frame(payload), expected, "{payload:x?}");
        }
    }
}
