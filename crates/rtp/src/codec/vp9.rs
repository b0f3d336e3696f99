//! VP9's payload descriptor (RFC 9628 §4.2): where a key frame begins, which layer a frame is of,
//! where layers can be changed, and the numbers that a forwarder rewrites.

use super::{PictureId, PictureSize};
use crate::bytes::u16_at;

/// Flags of the descriptor's first byte.
mod flag {
    /// I: a picture id follows.
    pub(super) const PICTURE_ID: u8 = 0x80;
    /// P: the frame refers to earlier pictures.
    pub(super) const INTER_PREDICTED: u8 = 0x40;
    /// L: layer indices follow.
    pub(super) const LAYER_INDICES: u8 = 0x20;
    /// F: flexible mode, each frame names the pictures that it refers to.
    pub(super) const FLEXIBLE: u8 = 0x10;
    /// B: a frame, of one layer, begins here.
    pub(super) const BEGINS_FRAME: u8 = 0x08;
    /// E: it ends here.
    pub(super) const ENDS_FRAME: u8 = 0x04;
    /// V: a scalability structure follows.
    pub(super) const STRUCTURE: u8 = 0x02;
    /// Z: higher spatial layers do not refer to this one.
    pub(super) const NOT_REFERRED_ABOVE: u8 = 0x01;
}

/// Spatial layers of a stream: as many as the three bits of SID can say.
const SPATIAL_LAYERS_MAX: usize = 8;

/// Pictures that a frame in flexible mode names; with more the descriptor is not one of VP9.
const REFERRED_PICTURES_MAX: usize = 3;

/// Whether `payload` is the first packet of a key frame: a frame begins that refers to nothing
/// earlier, and it is the lowest spatial layer's. The higher ones of a key picture refer to nothing
/// earlier either, but to the layer below, so decoding cannot begin with them.
pub(super) fn begins_key_frame(payload: &[u8]) -> bool {
    Vp9Descriptor::parse(payload).is_some_and(|descriptor| {
        let spatial_layer = descriptor.layers.map_or(0, |layers| layers.spatial);
        descriptor.begins_frame && !descriptor.is_inter_predicted && spatial_layer == 0
    })
}

/// The VP9 payload descriptor. Positions are offsets into the payload. A frame is one spatial layer
/// of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp9Descriptor {
    /// B: the packet is the frame's first.
    pub begins_frame: bool,
    /// E: the packet is the frame's last.
    pub ends_frame: bool,
    /// P: the frame refers to earlier pictures. One of a higher spatial layer that does not can be
    /// decoded by who has the layer below of the same picture.
    pub is_inter_predicted: bool,
    /// Not Z: higher spatial layers may refer to this one, in this picture or a following one.
    pub is_referred_above: bool,
    /// The picture's id.
    pub picture_id: Option<PictureId>,
    /// The frame's layers; None: there is one layer only, or the sender does not say.
    pub layers: Option<Vp9Layers>,
    /// TL0PICIDX, of pictures of the lowest temporal layer, and where it is; never in flexible
    /// mode.
    pub tl0_picture_index: Option<(usize, u8)>,
    /// The stream's layers, which come with key frames and when they change.
    pub structure: Option<Vp9Structure>,
    /// How many bytes the descriptor has.
    pub size: usize,
}

/// A frame's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp9Layers {
    /// TID, 0 to 7.
    pub temporal: u8,
    /// SID, 0 to 7.
    pub spatial: u8,
    /// U: pictures of higher temporal layers that follow do not refer to any of a higher temporal
    /// layer than this frame's from before this picture.
    pub is_switching_point: bool,
    /// D: the frame refers to the spatial layer below, in the same picture.
    pub refers_below: bool,
}

/// The scalability structure (RFC 9628 §4.2.1), less its description of picture groups: each
/// payload says its temporal layer itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp9Structure {
    /// How many spatial layers there are, 1 to 8.
    pub spatial_layers: u8,
    /// Their sizes, of so many as there are; None when the structure does not say them.
    pub sizes: Option<[PictureSize; SPATIAL_LAYERS_MAX]>,
}

impl Vp9Descriptor {
    /// Reads the descriptor; None when the payload ends inside it or names too many pictures.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let flags = *payload.first()?;
        let is_set = |flag| flags & flag != 0;
        let mut descriptor = Self {
            begins_frame: is_set(flag::BEGINS_FRAME),
            ends_frame: is_set(flag::ENDS_FRAME),
            is_inter_predicted: is_set(flag::INTER_PREDICTED),
            is_referred_above: !is_set(flag::NOT_REFERRED_ABOVE),
            picture_id: None,
            layers: None,
            tl0_picture_index: None,
            structure: None,
            size: 1,
        };
        if is_set(flag::PICTURE_ID) {
            let id = PictureId::parse(payload, descriptor.size)?;
            descriptor.picture_id = Some(id);
            descriptor.size = id.end();
        }
        if is_set(flag::LAYER_INDICES) {
            descriptor.layers = Some(Vp9Layers::of(descriptor.next(payload)?));
            if !is_set(flag::FLEXIBLE) {
                let at = descriptor.size;
                descriptor.tl0_picture_index = Some((at, descriptor.next(payload)?));
            }
        }
        if is_set(flag::FLEXIBLE) && is_set(flag::INTER_PREDICTED) {
            descriptor.skip_referred_pictures(payload)?;
        }
        if is_set(flag::STRUCTURE) {
            descriptor.parse_structure(payload)?;
        }
        Some(descriptor)
    }

    fn skip_referred_pictures(&mut self, payload: &[u8]) -> Option<()> {
        for _ in 0..REFERRED_PICTURES_MAX {
            // P_DIFF in seven bits, and N: another one follows.
            if self.next(payload)? & 1 == 0 {
                return Some(());
            }
        }
        None
    }

    fn parse_structure(&mut self, payload: &[u8]) -> Option<()> {
        // N_S in three bits, Y, G, three reserved.
        let head = self.next(payload)?;
        let spatial_layers = (head >> 5) + 1;
        let mut structure = Vp9Structure { spatial_layers, sizes: None };
        if head & 0x10 != 0 {
            let none = PictureSize { width: 0, height: 0 };
            let sizes = structure.sizes.insert([none; SPATIAL_LAYERS_MAX]);
            for size in &mut sizes[..usize::from(spatial_layers)] {
                size.width = u16_at(payload, self.size)?;
                size.height = u16_at(payload, self.size + 2)?;
                self.size += 4;
            }
        }
        if head & 0x08 != 0 {
            for _ in 0..self.next(payload)? {
                // TID in three bits, U, R in two; then R bytes of P_DIFF.
                let referred = self.next(payload)? >> 2 & 0b11;
                for _ in 0..referred {
                    self.next(payload)?;
                }
            }
        }
        self.structure = Some(structure);
        Some(())
    }

    /// The byte behind what was read.
    fn next(&mut self, payload: &[u8]) -> Option<u8> {
        let byte = *payload.get(self.size)?;
        self.size += 1;
        Some(byte)
    }
}

impl Vp9Layers {
    fn of(byte: u8) -> Self {
        Self {
            temporal: byte >> 5,
            is_switching_point: byte & 0x10 != 0,
            spatial: byte >> 1 & 0x07,
            refers_below: byte & 0x01 != 0,
        }
    }
}

impl Vp9Structure {
    /// The size of the highest spatial layer.
    pub(super) fn largest(&self) -> Option<PictureSize> {
        Some(self.sizes?[usize::from(self.spatial_layers) - 1])
    }
}

#[cfg(test)]
mod tests {
    use odeum_types::Codec;

    use super::super::picture_size;
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
            // Layer indices behind no, a short and a long picture id: TID, U, SID, D; TL0PICIDX.
            (&[0x28, 0x00, 0x07], true),
            (&[0x28, 0xF1, 0x07], true),
            (&[0x28, 0x02, 0x07], false),
            (&[0xA8, 0x05, 0x10, 0x07], true),
            (&[0xA8, 0x05, 0x03, 0x07], false),
            (&[0xA8, 0x85, 0x03, 0x10, 0x07], true),
            (&[0xA8, 0x85, 0x00, 0x04, 0x07], false),
            // No TL0PICIDX in flexible mode.
            (&[0x38, 0x00], true),
            (&[0xB8, 0x85, 0x03, 0x10], true),
            (&[0xA8, 0x85, 0x00], false),
            (&[0x28], false),
            (&[], false),
        ] {
            assert_eq!(begins_key_frame(payload), expected, "{payload:x?}");
        }
    }

    #[test]
    fn a_descriptor_with_everything_is_read_with_its_positions() {
        let layers =
            Vp9Layers { temporal: 5, spatial: 5, is_switching_point: true, refers_below: true };
        let expected = Vp9Descriptor {
            begins_frame: true,
            ends_frame: false,
            is_inter_predicted: true,
            is_referred_above: true,
            picture_id: Some(PictureId::Long { at: 1, value: 0x0102 }),
            layers: Some(layers),
            tl0_picture_index: Some((4, 9)),
            structure: Some(Vp9Structure {
                spatial_layers: 2,
                sizes: Some(std::array::from_fn(|layer| match layer {
                    0 => PictureSize { width: 320, height: 180 },
                    1 => PictureSize { width: 640, height: 360 },
                    _ => PictureSize { width: 0, height: 0 },
                })),
            }),
            size: 20,
        };
        let payload = [
            // I P L, not F, B, not E, V, not Z; picture id; TID 5, U, SID 5, D; TL0PICIDX.
            0xEA, 0x81, 0x02, 0xBB, 9, //
            // N_S 1, Y, G; two sizes.
            0x38, 1, 64, 0, 180, 2, 128, 1, 104, //
            // Two pictures of a group: one refers to one, one to two; then the frame.
            2, 0x14, 1, 0x38, 1, 2, 0x83, 0x49,
        ];
        assert_eq!(Vp9Descriptor::parse(&payload), Some(expected));
        for size in 0..expected.size {
            assert_eq!(Vp9Descriptor::parse(&payload[..size]), None);
        }
        assert_eq!(
            picture_size(Codec::Vp9, &payload),
            Some(PictureSize { width: 640, height: 360 })
        );
    }

    #[test]
    fn a_frame_in_flexible_mode_names_up_to_three_pictures() {
        // I P L F; TID 2, U; P_DIFF and N.
        for (payload, size) in [
            (&[0xF0, 0x05, 0x50, 0x02, 0x87][..], Some(4)),
            (&[0xF0, 0x05, 0x50, 0x03, 0x05, 0x08, 0x87], Some(6)),
            (&[0xF0, 0x05, 0x50, 0x03, 0x05, 0x09, 0x87], None),
            (&[0xF0, 0x05, 0x50, 0x03], None),
            // Without P it names none.
            (&[0xB0, 0x05, 0x50, 0x03], Some(3)),
        ] {
            let read = Vp9Descriptor::parse(payload).map(|descriptor| descriptor.size);
            assert_eq!(read, size, "{payload:x?}");
        }
    }
}
