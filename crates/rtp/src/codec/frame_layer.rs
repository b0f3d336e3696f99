//! Which layers a payload's frame is of, and where a viewer can go up to more of them, as far as
//! payload descriptors say it.

use odeum_types::Codec;

use super::{Vp8Descriptor, Vp9Descriptor};
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
            Codec::Opus | Codec::H264 | Codec::H265 | Codec::Av1 => None,
        }
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
        for codec in [Codec::Opus, Codec::H264, Codec::H265, Codec::Av1] {
            assert_eq!(FrameLayer::of(codec, &[0x10, 0x00], Marker::Set), None);
        }
        assert_eq!(FrameLayer::of(Codec::Vp9, &[0xA0], Marker::Set), None);
    }
}
