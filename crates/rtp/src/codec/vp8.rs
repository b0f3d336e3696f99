//! VP8's payload descriptor (RFC 7741 §4.2): where a key frame begins, and the numbers that a
//! forwarder rewrites.

use super::{PictureId, PictureSize};

/// Whether `payload` is the first packet of a key frame.
pub(super) fn begins_key_frame(payload: &[u8]) -> bool {
    Vp8Descriptor::parse(payload).is_some_and(|descriptor| descriptor.begins_key_frame(payload))
}

/// The VP8 payload descriptor (RFC 7741 §4.2). Positions are offsets into the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// N: no other frame refers to this one, so it may be dropped.
    pub is_droppable: bool,
    /// S: a partition begins here.
    pub begins_partition: bool,
    /// PID: which partition.
    pub partition: u8,
    /// PictureID.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX and where it is.
    pub tl0_picture_index: Option<(usize, u8)>,
    /// TID: the temporal layer, 0 to 3.
    pub temporal_layer: Option<u8>,
    /// Y: the frame depends only on layer 0.
    pub layer_sync: bool,
    /// KEYIDX.
    pub key_index: Option<u8>,
    /// How many bytes the descriptor has.
    pub size: usize,
}

impl Vp8Descriptor {
    /// Reads the descriptor; None when the payload ends inside it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let mut descriptor = Self {
            is_droppable: first & 0x20 != 0,
            begins_partition: first & 0x10 != 0,
            partition: first & 0x07,
            picture_id: None,
            tl0_picture_index: None,
            temporal_layer: None,
            layer_sync: false,
            key_index: None,
            size: 1,
        };
        if first & 0x80 != 0 {
            descriptor.parse_extension(payload)?;
        }
        Some(descriptor)
    }

    /// Whether `payload`, which the descriptor was read from, is the first packet of a key frame:
    /// the first partition begins, and P, the lowest bit of the frame header, is 0 (RFC 7741
    /// §4.3).
    pub fn begins_key_frame(&self, payload: &[u8]) -> bool {
        let begins_frame = self.begins_partition && self.partition == 0;
        begins_frame && payload.get(self.size).is_some_and(|header| header & 1 == 0)
    }

    /// Width and height in pixels that the first packet of a key frame says (RFC 6386 §9.1).
    pub(super) fn picture_size(&self, payload: &[u8]) -> Option<PictureSize> {
        if !self.begins_key_frame(payload) {
            return None;
        }
        let header = payload.get(self.size + 3..self.size + 10)?;
        let [0x9d, 0x01, 0x2a, w0, w1, h0, h1] = header else { return None };
        Some(PictureSize {
            // The two upper bits say how a player scales it.
            width: u16::from_le_bytes([*w0, *w1]) & 0x3FFF,
            height: u16::from_le_bytes([*h0, *h1]) & 0x3FFF,
        })
    }

    fn parse_extension(&mut self, payload: &[u8]) -> Option<()> {
        let flags = *payload.get(1)?;
        let mut at = 2;
        if flags & 0x80 != 0 {
            let id = PictureId::parse(payload, at)?;
            self.picture_id = Some(id);
            at = id.end();
        }
        if flags & 0x40 != 0 {
            self.tl0_picture_index = Some((at, *payload.get(at)?));
            at += 1;
        }
        if flags & 0x30 != 0 {
            let byte = *payload.get(at)?;
            if flags & 0x20 != 0 {
                self.temporal_layer = Some(byte >> 6);
                self.layer_sync = byte & 0x20 != 0;
            }
            if flags & 0x10 != 0 {
                self.key_index = Some(byte & 0x1F);
            }
            at += 1;
        }
        self.size = at;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vp8_key_frame_begins_where_partition_0_does() {
        for (payload, expected) in [
            (&[0x10, 0x00][..], true),
            (&[0x10, 0x01], false),
            (&[0x00, 0x00], false),
            (&[0x11, 0x00], false),
            (&[0x10], false),
            (&[], false),
            (&[0x90, 0x80, 0x05, 0x50], true),
            (&[0x90, 0xE0, 0x81, 0x02, 0x07, 0x40, 0x50], true),
            (&[0x90, 0xE0, 0x81, 0x02, 0x07, 0x40, 0x51], false),
        ] {
            assert_eq!(begins_key_frame(payload), expected, "{payload:?}");
        }
    }

    #[test]
    fn a_key_frame_says_its_size() {
        let key_frame = [0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0xe0, 0x01];
        let size = |payload: &[u8]| Vp8Descriptor::parse(payload)?.picture_size(payload);
        assert_eq!(size(&key_frame), Some(PictureSize { width: 640, height: 480 }));
        assert_eq!(size(&key_frame[..10]), None);
        assert_eq!(size(&[0x10, 0x11, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0xe0, 0x01]), None);
    }

    #[test]
    fn a_full_vp8_descriptor_is_read_with_its_positions() {
        let payload = [0xB0, 0xF0, 0x81, 0x02, 0x07, 0xA5, 0x50];
        let descriptor = Vp8Descriptor::parse(&payload).unwrap();
        let expected = Vp8Descriptor {
            is_droppable: true,
            begins_partition: true,
            partition: 0,
            picture_id: Some(PictureId::Long { at: 2, value: 0x0102 }),
            tl0_picture_index: Some((4, 7)),
            temporal_layer: Some(2),
            layer_sync: true,
            key_index: Some(5),
            size: 6,
        };
        assert_eq!(descriptor, expected);
        for size in 0..6 {
            assert_eq!(Vp8Descriptor::parse(&payload[..size]), None);
        }
    }

    #[test]
    fn a_picture_id_is_rewritten_in_its_width() {
        for (mut payload, value, read) in [
            (vec![0x80, 0x80, 0x05], 0x0181, PictureId::Short { at: 2, value: 1 }),
            (vec![0x80, 0x80, 0x85, 0], 0x0181, PictureId::Long { at: 2, value: 0x0181 }),
        ] {
            let descriptor = Vp8Descriptor::parse(&payload).unwrap();
            descriptor.picture_id.unwrap().rewrite(&mut payload, value);
            assert_eq!(Vp8Descriptor::parse(&payload).unwrap().picture_id, Some(read));
        }
    }
}
