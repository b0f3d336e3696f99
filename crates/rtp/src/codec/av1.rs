//! AV1's aggregation header (RTP Payload Format For AV1 §4.4): where a key frame begins, and the
//! sequence header that stands there.

mod sequence_header;

pub(super) use sequence_header::picture_size;

/// Z: the packet begins with the rest of an OBU.
const CONTINUES: u8 = 0x80;
/// N: the packet is the first of a coded video sequence.
const BEGINS_SEQUENCE: u8 = 0x08;

/// Whether `payload` is the first packet of a key frame, which is where a coded video sequence
/// begins. The header says so itself, so no OBU is looked at.
pub(super) fn begins_key_frame(payload: &[u8]) -> bool {
    // An empty OBU element follows no header; Z beside N is against §4.4.
    payload.len() > 1 && payload[0] & (BEGINS_SEQUENCE | CONTINUES) == BEGINS_SEQUENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_begins_where_a_coded_video_sequence_does() {
        for (payload, expected) in [
            (&[0x18, 0x0A][..], true),
            (&[0x68, 0x0A], true),
            (&[0x10, 0x0A], false),
            (&[0x98, 0x0A], false),
            (&[0x18], false),
            (&[], false),
        ] {
            assert_eq!(begins_key_frame(payload), expected, "{payload:x?}");
        }
    }
}
