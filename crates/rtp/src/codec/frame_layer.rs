//! Which layers a payload's frame is of, and where a viewer can go up to more of them, as far as
//! payload descriptors say it.

use odeum_types::Codec;

use super::{Vp8Descriptor, Vp9Descriptor, h264, h265};
use crate::packet::Marker;

/// What a payload says of its frame's place among the layers of its stream. A frame is one spatial
/// layer of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLayer {
    /// The spatial layer, 0 to 7; 0 when the stream has one only.
    pub spatial: u8,
    /// The temporal layer, 0 to 7; 0 when the stream has one only.
    pub temporal: u8,
    /// The packet is the frame's first.
    pub begins_frame: bool,
    /// The packet is the frame's last. It is the picture's last for a viewer that gets no higher
    /// spatial layer, whose packet then needs the marker bit.
    pub ends_frame: bool,
    /// The packet is the first of a frame that refers to no earlier picture: a viewer that gets the
    /// spatial layer below can go up to this one with it, and one that gets nothing to the lowest.
    pub enters_spatial_layer: bool,
    /// Higher spatial layers may refer to the frame.
    pub is_needed_above: bool,
    /// Whether a viewer can go up to more temporal layers here.
    pub temporal_switch: TemporalSwitch,
}

/// Where a viewer that gets some temporal layers of a stream can go up to higher ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemporalSwitch {
    /// Not here, as far as the sender says.
    No,
    /// Who gets the layer below this frame's can go up to this frame's, with this frame: of earlier
    /// pictures it refers only to one of layer 0.
    WithFrame,
    /// Who gets this frame's layer can go up to all higher ones, with the next picture: they refer
    /// to nothing above this frame's layer from before it.
    AfterPicture,
}

impl FrameLayer {
    /// What `payload`, of a packet with this marker bit, says. None when it cannot be read, and of
    /// codecs whose payload does not say it: a [dependency descriptor] may.
    ///
    /// [dependency descriptor]: crate::dependency_descriptor
    pub fn of(codec: Codec, payload: &[u8], marker: Marker) -> Option<Self> {
        match codec {
            Codec::Vp8 => Some(Self::of_vp8(&Vp8Descriptor::parse(payload)?, payload, marker)),
            Codec::Vp9 => Some(Self::of_vp9(&Vp9Descriptor::parse(payload)?)),
            Codec::H264 => Self::of_h264(payload, marker),
            Codec::H265 => Self::of_h265(payload, marker),
            Codec::Opus | Codec::Av1 => None,
        }
    }

    /// H.264 has no temporal layers of its own (its Annex G has, which no browser knows). Pictures
    /// that no other refers to are taken as the second of two.
    fn of_h264(payload: &[u8], marker: Marker) -> Option<Self> {
        if payload.is_empty() {
            return None;
        }
        let slice = h264::slice(payload);
        let is_unreferred = slice.is_some_and(|slice| !slice.is_reference);
        let mut facts = Self::of_single(marker, h264::begins_key_frame(payload));
        // Parameter sets and the like stand before the slices.
        facts.begins_frame = slice.is_none_or(|slice| slice.is_first);
        Some(if is_unreferred { facts.with_temporal(1).with_switch() } else { facts })
    }

    /// Of a stream in one temporal layer, pictures that no other refers to are taken as a second.
    fn of_h265(payload: &[u8], marker: Marker) -> Option<Self> {
        let unit = h265::unit(payload)?;
        let mut facts = Self::of_single(marker, h265::begins_key_frame(payload));
        facts.begins_frame = unit.is_before_slices || unit.is_first;
        if unit.temporal == 0 && unit.is_unreferred {
            return Some(facts.with_temporal(1).with_switch());
        }
        let facts = facts.with_temporal(unit.temporal);
        Some(if unit.is_switch { facts.with_switch() } else { facts })
    }

    /// A packet of a stream in one spatial layer.
    fn of_single(marker: Marker, begins_key_frame: bool) -> Self {
        Self {
            spatial: 0,
            temporal: 0,
            begins_frame: false,
            // RFC 6184 §5.1 and RFC 7798 §4.1: the last packet of an access unit has it.
            ends_frame: marker == Marker::Set,
            enters_spatial_layer: begins_key_frame,
            is_needed_above: true,
            temporal_switch: TemporalSwitch::No,
        }
    }

    fn with_temporal(self, temporal: u8) -> Self {
        Self { temporal, ..self }
    }

    /// The same, where a viewer of the temporal layer below can go up with the frame.
    #[must_use]
    pub fn with_switch(self) -> Self {
        Self { temporal_switch: TemporalSwitch::WithFrame, ..self }
    }

    fn of_vp8(descriptor: &Vp8Descriptor, payload: &[u8], marker: Marker) -> Self {
        let temporal = descriptor.temporal_layer.unwrap_or(0);
        // RFC 7741 §4.2: Y says so of the frame; layer 0 is everybody's.
        let is_switch = descriptor.layer_sync && temporal > 0;
        Self {
            spatial: 0,
            temporal,
            begins_frame: descriptor.begins_partition && descriptor.partition == 0,
            // RFC 7741 §4.1: the marker bit is set on the last packet of a frame.
            ends_frame: marker == Marker::Set,
            enters_spatial_layer: descriptor.begins_key_frame(payload),
            is_needed_above: true,
            temporal_switch: match is_switch {
                true => TemporalSwitch::WithFrame,
                false => TemporalSwitch::No,
            },
        }
    }

    fn of_vp9(descriptor: &Vp9Descriptor) -> Self {
        let layers = descriptor.layers;
        let is_switch = layers.is_some_and(|layers| layers.is_switching_point);
        Self {
            spatial: layers.map_or(0, |layers| layers.spatial),
            temporal: layers.map_or(0, |layers| layers.temporal),
            begins_frame: descriptor.begins_frame,
            ends_frame: descriptor.ends_frame,
            enters_spatial_layer: descriptor.begins_frame && !descriptor.is_inter_predicted,
            is_needed_above: descriptor.is_referred_above,
            temporal_switch: match is_switch {
                true => TemporalSwitch::AfterPicture,
                false => TemporalSwitch::No,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of what is expected: layers S and T, then B and E, then the switches.
    fn row(codec: Codec, payload: &[u8], marker: Marker) -> Option<String> {
        let frame = FrameLayer::of(codec, payload, marker)?;
        let shown = |is_shown, letter| if is_shown { letter } else { "-" };
        Some(format!(
            "S{} T{} {}{}{} {}",
            frame.spatial,
            frame.temporal,
            shown(frame.begins_frame, "B"),
            shown(frame.ends_frame, "E"),
            shown(frame.enters_spatial_layer, "K"),
            match frame.temporal_switch {
                TemporalSwitch::No => "no",
                TemporalSwitch::WithFrame => "with frame",
                TemporalSwitch::AfterPicture => "after picture",
            }
        ))
    }

    /// The first bytes of what Chromium 156 sent, L1T3 of VP8 and L2T3_KEY of VP9.
    #[test]
    fn what_chromium_sends_is_known_by_its_layers() {
        use Marker::{Clear, Set};
        for (codec, payload, marker, expected) in [
            (Codec::Vp8, "90e0caa4c520f012", Set, "S0 T0 BEK no"),
            (Codec::Vp8, "b0e0caa5c5a01108", Set, "S0 T2 BE- with frame"),
            (Codec::Vp8, "90e0caa6c5605108", Set, "S0 T1 BE- with frame"),
            (Codec::Vp8, "b0e0caa7c5801109", Set, "S0 T2 BE- no"),
            (Codec::Vp8, "90e0caaac6401108", Set, "S0 T1 BE- no"),
            (Codec::Vp9, "bef86d1030014000b402800168834983", Clear, "S0 T0 BEK after picture"),
            (Codec::Vp9, "b9f86d138702020004fe", Clear, "S1 T0 B-K after picture"),
            (Codec::Vp9, "b5f86d13ee7ccc98e907", Set, "S1 T0 -E- after picture"),
            (Codec::Vp9, "fdf86e50028700000002", Clear, "S0 T2 BE- after picture"),
            (Codec::Vp9, "fdf86f32048708260004", Set, "S1 T1 BE- after picture"),
        ] {
            let payload: Vec<_> = (0..payload.len() / 2)
                .map(|at| u8::from_str_radix(&payload[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            assert_eq!(row(codec, &payload, marker).as_deref(), Some(expected), "{payload:x?}");
        }
    }

    /// What Chromium 156 packs of OpenH264's L1T3, with what else RFC 6184 allows.
    #[test]
    fn pictures_of_h264_that_no_other_refers_to_are_the_second_layer() {
        for (payload, expected) in [
            (&[0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68, 0, 2, 0x65, 0xB8][..], "S0 T0 BEK no"),
            (&[0x01, 0x9A], "S0 T1 BE- with frame"),
            (&[0x21, 0x9A], "S0 T0 BE- no"),
            (&[0x61, 0x9A], "S0 T0 BE- no"),
            // Another slice of the picture.
            (&[0x01, 0x4A], "S0 T1 -E- with frame"),
            (&[0x1C, 0x81, 0x9A], "S0 T1 BE- with frame"),
            (&[0x1C, 0x81, 0x4A], "S0 T1 -E- with frame"),
            (&[0x1C, 0x01, 0x9A], "S0 T1 -E- with frame"),
            (&[0x7C, 0x41, 0x9A], "S0 T0 -E- no"),
            // A delimiter and supplemental information, then the slice.
            (&[0x18, 0, 2, 0x09, 0xF0, 0, 2, 0x06, 5, 0, 2, 0x01, 0x9A], "S0 T1 BE- with frame"),
            (&[0x06, 5, 1], "S0 T0 BE- no"),
            (&[0x18, 0, 9, 0x01], "S0 T0 BE- no"),
        ] {
            let found = row(Codec::H264, payload, Marker::Set);
            assert_eq!(found.as_deref(), Some(expected), "{payload:x?}");
        }
        assert_eq!(row(Codec::H264, &[], Marker::Set), None);
    }

    /// The headers of H.265 in temporal layers and of x265 in one, in all that RFC 7798 allows.
    #[test]
    fn temporal_layers_of_h265_stand_in_its_headers() {
        for (payload, expected) in [
            (&[19 << 1, 1, 0xAC][..], "S0 T0 BEK no"),
            (&[1 << 1, 1, 0xD0], "S0 T0 BE- no"),
            (&[1 << 1, 2, 0xD0], "S0 T1 BE- no"),
            (&[3 << 1, 2, 0xD0], "S0 T1 BE- with frame"),
            (&[2 << 1, 3, 0xE0], "S0 T2 BE- with frame"),
            (&[4 << 1, 3, 0xE0], "S0 T2 BE- with frame"),
            (&[2 << 1, 3, 0x60], "S0 T2 -E- with frame"),
            // A picture that nobody refers to, of a stream in one layer.
            (&[0, 1, 0xE0], "S0 T1 BE- with frame"),
            (&[0, 2, 0xE0], "S0 T1 BE- no"),
            (&[49 << 1, 2, 0x80 | 3, 0xD0], "S0 T1 BE- with frame"),
            (&[49 << 1, 2, 3, 0xD0], "S0 T1 -E- with frame"),
            (&[48 << 1, 1, 0, 3, 32 << 1, 1, 0, 0, 3, 19 << 1, 1, 0xAC], "S0 T0 BEK no"),
            (&[48 << 1, 2, 0, 3, 39 << 1, 2, 0, 0, 3, 2 << 1, 2, 0xE0], "S0 T1 BE- with frame"),
            (&[35 << 1, 3, 0x50], "S0 T2 BE- no"),
        ] {
            let found = row(Codec::H265, payload, Marker::Set);
            assert_eq!(found.as_deref(), Some(expected), "{payload:x?}");
        }
        for payload in [&[][..], &[2], &[2, 0, 0xE0], &[48 << 1, 1], &[49 << 1, 1]] {
            assert_eq!(row(Codec::H265, payload, Marker::Set), None, "{payload:x?}");
        }
    }

    #[test]
    fn without_layers_all_is_of_the_lowest() {
        for (codec, payload, expected) in [
            (Codec::Vp8, &[0x10, 0x00][..], "S0 T0 B-K no"),
            (Codec::Vp8, &[0x11, 0x00], "S0 T0 --- no"),
            // Y says nothing of a frame of layer 0.
            (Codec::Vp8, &[0x90, 0x20, 0x20, 0x01], "S0 T0 B-- no"),
            (Codec::Vp9, &[0x0C, 0x00], "S0 T0 BEK no"),
            (Codec::Vp9, &[0x44, 0x00], "S0 T0 -E- no"),
        ] {
            assert_eq!(row(codec, payload, Marker::Clear).as_deref(), Some(expected));
        }
        for codec in [Codec::Opus, Codec::Av1] {
            assert_eq!(FrameLayer::of(codec, &[0x10, 0x00], Marker::Set), None);
        }
        assert_eq!(FrameLayer::of(Codec::Vp9, &[0xA0], Marker::Set), None);
    }
}
