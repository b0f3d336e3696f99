//! The parameter sets of H.264 and H.265: those of a payload, and payloads of them.

use odeum_types::Codec;

use super::{h264, h265};

/// What a parameter set is of, in the order in which decoders need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetKind {
    /// All layers of a video; of H.265 alone.
    Video,
    /// The pictures from a key frame on.
    Sequence,
    /// Single pictures.
    Picture,
}

impl SetKind {
    /// Those without one of which a codec's pictures cannot be decoded; none of a codec that has no
    /// parameter sets.
    pub fn needed(codec: Codec) -> &'static [Self] {
        match codec {
            Codec::H264 => &[Self::Sequence, Self::Picture],
            Codec::H265 => &[Self::Video, Self::Sequence, Self::Picture],
            Codec::Opus | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => &[],
        }
    }
}

/// What pictures call a parameter set by: a later one of the same name takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetName {
    /// What it is of.
    pub kind: SetKind,
    /// Its id among those of the kind.
    pub id: u8,
}

/// A parameter set of the lowest layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterSet<'a> {
    /// Its name.
    pub name: SetName,
    /// The NAL unit.
    pub unit: &'a [u8],
}

impl<'a> ParameterSet<'a> {
    /// Those of a payload, alone or in an aggregate; nobody sends one in fragments.
    pub fn all(codec: Codec, payload: &'a [u8]) -> impl Iterator<Item = Self> {
        let units = match codec {
            Codec::H264 => Some(h264::units(payload)),
            Codec::H265 => Some(h265::units(payload)),
            Codec::Opus | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => None,
        };
        let (single, aggregate) = units.unwrap_or_default();
        let all = single.into_iter().chain(super::nal::aggregated(aggregate));
        all.filter_map(move |unit| Some(Self { name: SetName::of(codec, unit)?, unit }))
    }
}

impl SetName {
    /// That of a NAL unit; none of one that is no parameter set.
    fn of(codec: Codec, unit: &[u8]) -> Option<Self> {
        match codec {
            Codec::H264 => h264::set_name(unit),
            Codec::H265 => h265::set_name(unit),
            Codec::Opus | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => None,
        }
    }
}

/// One payload of several NAL units of the lowest layer (RFC 6184 §5.7.1, RFC 7798 §4.4.2); none
/// when there are none or one is too long, and of codecs that have no such thing.
pub fn aggregate(codec: Codec, units: &[&[u8]]) -> Option<Vec<u8>> {
    let mut payload = match codec {
        Codec::H264 => vec![h264::aggregate_header(units)?],
        Codec::H265 => h265::aggregate_header(units)?.to_vec(),
        Codec::Opus | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => return None,
    };
    for unit in units {
        payload.extend_from_slice(&u16::try_from(unit.len()).ok()?.to_be_bytes());
        payload.extend_from_slice(unit);
    }
    Some(payload)
}

/// Whether a payload has the begin of a picture that decoding can begin with, once its parameter
/// sets are known: the first slice of an IDR picture, or of any random access picture of H.265.
pub fn begins_random_access(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::H264 => h264::slice(payload).is_some_and(|slice| slice.is_idr && slice.is_first),
        Codec::H265 => h265::unit(payload).is_some_and(|u| u.is_random_access && u.is_first),
        Codec::Opus | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => false,
    }
}

/// Whether a payload has something of a picture itself, of H.264 and H.265.
pub fn has_slice(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::H264 => h264::slice(payload).is_some(),
        Codec::H265 => h265::unit(payload).is_some_and(|unit| !unit.is_before_slices),
        Codec::Opus | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::SetKind::{Picture, Sequence, Video};
    use super::*;
    use crate::codec::nal::from_hex;

    fn names(codec: Codec, payload: &[u8]) -> Vec<(SetKind, u8)> {
        let sets = ParameterSet::all(codec, payload);
        sets.map(|set| (set.name.kind, set.name.id)).collect()
    }

    /// Those of OpenH264 and x265, and what else the formats allow.
    #[test]
    fn sets_are_known_by_kind_and_id() {
        let sps = from_hex("6742c01f8c8d40501ed350606060784423500000");
        let pps = [0x68, 0xCE, 0x3C, 0x80];
        assert_eq!(names(Codec::H264, &sps), [(Sequence, 0)]);
        assert_eq!(names(Codec::H264, &pps), [(Picture, 0)]);
        // Ids 1 and 255; ones out of bounds; an extension; nothing.
        assert_eq!(names(Codec::H264, &[0x67, 66, 0, 30, 0b0100_0000]), [(Sequence, 1)]);
        assert_eq!(names(Codec::H264, &[0x68, 0, 0x80, 0x40]), [(Picture, 255)]);
        let wrong = [
            &[0x67, 66, 0, 30, 0b0000_0100, 0b0010_0000][..],
            &[0x68, 0, 0x80, 0x80],
            &[0x6D, 1],
            &[0x67],
            &[0x68],
            &[0x65, 0x88],
            &[0x7C, 0x87, 66, 0, 30, 0x80],
            &[],
        ];
        for payload in wrong {
            assert_eq!(names(Codec::H264, payload), [], "{payload:x?}");
        }
        let payload = aggregate(Codec::H264, &[&sps, &pps, &[0x65, 0x88]]).unwrap();
        assert_eq!(names(Codec::H264, &payload), [(Sequence, 0), (Picture, 0)]);

        let vps = from_hex("40010c01ffff016000000300900000030000030078959809");
        let sps = from_hex("420101016000000300900000030000030078a003c08010e596566924cafff000");
        let pps = [68, 1, 0xC1, 0x72];
        let names_of = |unit: &[u8]| names(Codec::H265, unit);
        assert_eq!((names_of(&vps), names_of(&sps)), (vec![(Video, 0)], vec![(Sequence, 0)]));
        assert_eq!(names_of(&pps), [(Picture, 0)]);
        assert_eq!(names_of(&[64, 1, 0x3C]), [(Video, 3)]);
        assert_eq!(names_of(&[68, 1, 0b0110_0000]), [(Picture, 2)]);
        // Of a higher layer, of too high an id, fragments, nothing.
        let wrong = [
            &[64, 9, 0x3C][..],
            &[68, 1, 0b0000_0010, 0b0000_1000],
            &[98, 1, 0xA0, 0],
            &[64, 1],
            &[],
        ];
        for payload in wrong {
            assert_eq!(names_of(payload), [], "{payload:x?}");
        }
        let payload = aggregate(Codec::H265, &[&vps, &sps, &pps]).unwrap();
        assert_eq!(names_of(&payload), [(Video, 0), (Sequence, 0), (Picture, 0)]);
    }

    #[test]
    fn an_aggregate_has_the_header_that_its_units_ask_for() {
        let of = |codec, units: &[&[u8]]| aggregate(codec, units);
        let h264 = of(Codec::H264, &[&[0x27, 1], &[0x48, 2, 3]]).unwrap();
        assert_eq!(h264, [0x58, 0, 2, 0x27, 1, 0, 3, 0x48, 2, 3]);
        let h265 = of(Codec::H265, &[&[64, 3, 1], &[68, 2]]).unwrap();
        assert_eq!(h265, [96, 2, 0, 3, 64, 3, 1, 0, 2, 68, 2]);
        let long = vec![0x67; 65_536];
        for codec in [Codec::H264, Codec::H265, Codec::Vp8] {
            assert_eq!(of(codec, &[&long]), None);
            assert_eq!(of(codec, &[]), None);
        }
        assert_eq!(of(Codec::H265, &[&[64]]), None);
    }

    #[test]
    fn pictures_to_begin_with_are_known_by_their_first_slice() {
        for (codec, payload, begins, is_slice) in [
            (Codec::H264, &[0x65, 0x88][..], true, true),
            (Codec::H264, &[0x65, 0x48], false, true),
            (Codec::H264, &[0x41, 0x9A], false, true),
            (Codec::H264, &[0x7C, 0x85, 0x88], true, true),
            (Codec::H264, &[0x7C, 0x05, 0x88], false, true),
            (Codec::H264, &[0x78, 0, 2, 0x09, 0xF0, 0, 2, 0x65, 0x88], true, true),
            (Codec::H264, &[0x67, 0x42], false, false),
            (Codec::H264, &[0x06, 5], false, false),
            (Codec::H264, &[], false, false),
            (Codec::H265, &[19 << 1, 1, 0xAC], true, true),
            (Codec::H265, &[21 << 1, 1, 0xAC], true, true),
            (Codec::H265, &[19 << 1, 1, 0x2C], false, true),
            (Codec::H265, &[1 << 1, 1, 0xD0], false, true),
            (Codec::H265, &[49 << 1, 1, 0x80 | 19, 0xAC], true, true),
            (Codec::H265, &[49 << 1, 1, 19, 0xAC], false, true),
            (Codec::H265, &[33 << 1, 1, 0xAC], false, false),
            (Codec::H265, &[39 << 1, 1, 0x80], false, false),
            (Codec::Vp8, &[0x10, 0], false, false),
        ] {
            assert_eq!(begins_random_access(codec, payload), begins, "{codec:?} {payload:x?}");
            assert_eq!(has_slice(codec, payload), is_slice, "{codec:?} {payload:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_aggregated_is_found_again(
            bodies in prop::collection::vec(prop::collection::vec(0x80..=255u8, 4..60), 1..6),
        ) {
            for (codec, header) in [(Codec::H264, &[0x68][..]), (Codec::H265, &[68, 1])] {
                let units: Vec<_> = bodies.iter().map(|body| [header, body].concat()).collect();
                let units: Vec<_> = units.iter().map(|unit| &unit[..]).collect();
                let payload = aggregate(codec, &units).unwrap();
                let found: Vec<_> = ParameterSet::all(codec, &payload).map(|s| s.unit).collect();
                prop_assert_eq!(found, units);
            }
        }

        #[test]
        fn arbitrary_payloads_never_panic_and_have_what_they_are_made_of(
            payload in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            for codec in [Codec::H264, Codec::H265, Codec::Vp8] {
                for set in ParameterSet::all(codec, &payload) {
                    prop_assert!(payload.windows(set.unit.len()).any(|part| part == set.unit));
                }
                if begins_random_access(codec, &payload) {
                    prop_assert!(has_slice(codec, &payload));
                    prop_assert!(super::super::begins_key_frame(codec, &payload));
                }
            }
        }
    }
}
