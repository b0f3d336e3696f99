//! What a payload says about its frame without being decoded: does a key frame begin here, and
//! where are the numbers that a forwarder rewrites?

use odeum_types::Codec;

mod av1;
mod frame_layer;
mod h264;
mod h265;
mod nal;
mod parameter_sets;
mod picture_id;
mod vp8;
mod vp9;

pub use frame_layer::{FrameLayer, TemporalSwitch};
pub use parameter_sets::{
    ParameterSet, SetKind, SetName, aggregate, begins_random_access, has_slice,
};
pub use picture_id::PictureId;
pub use vp8::Vp8Descriptor;
pub use vp9::{Vp9Descriptor, Vp9Layers, Vp9Structure};

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

/// Width and height of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSize {
    /// Pixels in a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// The size that a packet which [`begins_key_frame`] says; of several spatial layers it is the
/// largest one's. None of one that does not say it: of H.264 and H.265 it stands in the sequence
/// parameter set, behind which the slices may come in packets of their own.
pub fn picture_size(codec: Codec, payload: &[u8]) -> Option<PictureSize> {
    match codec {
        Codec::Vp8 => Vp8Descriptor::parse(payload)?.picture_size(payload),
        Codec::Vp9 => Vp9Descriptor::parse(payload)?.structure?.largest(),
        Codec::H264 => h264::sequence_parameters(payload)?.size,
        Codec::H265 => h265::sequence_parameters(payload)?.size,
        Codec::Av1 => av1::picture_size(payload),
        Codec::Opus => None,
    }
}

/// What the sequence parameter set of a stream says of leaving out pictures; without one, nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThinningRules {
    /// H.264: pictures that others refer to may be left out with those others. Decoders take it for
    /// a loss where the set does not allow it.
    pub allows_gaps: bool,
    /// H.265: a viewer of some temporal layers can go up at any picture of the next one.
    pub is_nested: bool,
}

impl ThinningRules {
    /// Those of a payload, if it has a set.
    pub fn of(codec: Codec, payload: &[u8]) -> Option<Self> {
        match codec {
            Codec::H264 => {
                let allows_gaps = h264::sequence_parameters(payload)?.allows_gaps;
                Some(Self { allows_gaps, is_nested: false })
            }
            Codec::H265 => {
                let is_nested = h265::sequence_parameters(payload)?.is_nested;
                Some(Self { allows_gaps: false, is_nested })
            }
            Codec::Opus | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => None,
        }
    }
}

/// The numbers by which a decoder of VP8 or VP9 orders frames, which have to go on when a viewer's
/// packets come from another encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PictureNumbers {
    /// PictureID, 15 bits.
    pub picture_id: u16,
    /// TL0PICIDX.
    pub tl0_picture_index: u8,
}

/// Where a payload has them.
type NumberPlaces = (PictureId, Option<(usize, u8)>);

impl PictureNumbers {
    /// Those of a payload; `None` without a long picture id, and of other codecs.
    pub fn of(codec: Codec, payload: &[u8]) -> Option<Self> {
        let (PictureId::Long { value, .. }, tl0) = Self::places(codec, payload)? else {
            return None;
        };
        let tl0_picture_index = tl0.map_or(0, |(_, value)| value);
        Some(Self { picture_id: value, tl0_picture_index })
    }

    fn places(codec: Codec, payload: &[u8]) -> Option<NumberPlaces> {
        match codec {
            Codec::Vp8 => {
                let descriptor = Vp8Descriptor::parse(payload)?;
                Some((descriptor.picture_id?, descriptor.tl0_picture_index))
            }
            Codec::Vp9 => {
                let descriptor = Vp9Descriptor::parse(payload)?;
                Some((descriptor.picture_id?, descriptor.tl0_picture_index))
            }
            Codec::Opus | Codec::H264 | Codec::H265 | Codec::Av1 => None,
        }
    }

    /// What added to `self` gives `to`.
    pub fn offset(self, to: Self) -> Self {
        Self {
            picture_id: to.picture_id.wrapping_sub(self.picture_id) & 0x7FFF,
            tl0_picture_index: to.tl0_picture_index.wrapping_sub(self.tl0_picture_index),
        }
    }

    /// Both sums.
    #[must_use]
    pub fn plus(self, offset: Self) -> Self {
        Self {
            picture_id: self.picture_id.wrapping_add(offset.picture_id) & 0x7FFF,
            tl0_picture_index: self.tl0_picture_index.wrapping_add(offset.tl0_picture_index),
        }
    }

    /// An offset to what comes behind so many pictures more than are there.
    #[must_use]
    pub fn with_pictures_more(self, pictures: u16) -> Self {
        let picture_id = self.picture_id.wrapping_add(pictures) & 0x7FFF;
        Self { picture_id, ..self }
    }

    /// An offset to what comes behind so many pictures less than are there.
    #[must_use]
    pub fn with_pictures_less(self, pictures: u16) -> Self {
        self.with_pictures_more(pictures.wrapping_neg())
    }

    /// Adds `offset` to the numbers in a payload that has them.
    pub fn shift(codec: Codec, payload: &mut [u8], offset: Self) {
        let Some((id @ PictureId::Long { value, .. }, tl0)) = Self::places(codec, payload) else {
            return;
        };
        id.rewrite(payload, value.wrapping_add(offset.picture_id) & 0x7FFF);
        if let Some((at, value)) = tl0 {
            payload[at] = value.wrapping_add(offset.tl0_picture_index);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::Marker;

    proptest! {
        #[test]
        fn shifted_numbers_are_the_sums_and_nothing_else_changes(
            mut payload in proptest::collection::vec(any::<u8>(), 0..40),
            picture_id in 0..0x8000u16,
            tl0_picture_index in any::<u8>(),
            codec in prop_oneof![Just(Codec::Vp8), Just(Codec::Vp9)],
        ) {
            let before = (payload.clone(), PictureNumbers::of(codec, &payload));
            let offset = PictureNumbers { picture_id, tl0_picture_index };
            PictureNumbers::shift(codec, &mut payload, offset);
            match before.1 {
                None => prop_assert_eq!(payload, before.0),
                Some(numbers) => {
                    let shifted = PictureNumbers::of(codec, &payload).unwrap();
                    prop_assert_eq!(shifted.picture_id, numbers.plus(offset).picture_id);
                    PictureNumbers::shift(codec, &mut payload, shifted.offset(numbers));
                    prop_assert_eq!(payload.len(), before.0.len());
                    prop_assert_eq!(PictureNumbers::of(codec, &payload), Some(numbers));
                }
            }
        }

        #[test]
        fn arbitrary_payloads_never_panic(
            mut payload in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::H265, Codec::Av1] {
                let begins_key_frame = begins_key_frame(codec, &payload);
                picture_size(codec, &payload);
                if let Some(frame) = FrameLayer::of(codec, &payload, Marker::Set) {
                    let enters_lowest = frame.enters_spatial_layer && frame.spatial == 0;
                    prop_assert_eq!(enters_lowest, begins_key_frame);
                    prop_assert!(frame.spatial < 8 && frame.temporal < 8);
                }
            }
            if let Some(descriptor) = Vp9Descriptor::parse(&payload) {
                let (descriptor_bytes, _) = payload.split_at(descriptor.size);
                prop_assert_eq!(Vp9Descriptor::parse(descriptor_bytes), Some(descriptor));
                for size in 0..descriptor.size {
                    prop_assert_eq!(Vp9Descriptor::parse(&payload[..size]), None);
                }
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
