//! H.265's payload (RFC 7798 §4.4): where a key frame begins, and how large it is.

use super::nal::{PARAMETER_SET_BYTES_MAX, Units, aggregated, unescaped};
use super::parameter_sets::{SetKind, SetName};
use crate::bits::BitReader;

mod sequence_parameters;

pub(super) use sequence_parameters::SequenceParameters;

/// NAL unit types (H.265 table 7-1, RFC 7798 §4.4).
mod nal {
    /// All slices.
    pub(super) const SLICES: std::ops::RangeInclusive<u8> = 0..=31;
    /// Those of sub-layer non-reference pictures.
    pub(super) const UNREFERRED: [u8; 8] = [0, 2, 4, 6, 8, 10, 12, 14];
    /// Those of temporal sub-layer access pictures, stepwise or not.
    pub(super) const SWITCHES: std::ops::RangeInclusive<u8> = 2..=5;
    /// The pictures that decoding can begin with: BLA, IDR and CRA.
    pub(super) const RANDOM_ACCESS: std::ops::RangeInclusive<u8> = 16..=21;
    pub(super) const VPS: u8 = 32;
    pub(super) const SPS: u8 = 33;
    pub(super) const PPS: u8 = 34;
    /// The last that is a unit by itself.
    pub(super) const SINGLE_LAST: u8 = 47;
    pub(super) const AGGREGATE: u8 = 48;
    pub(super) const FRAGMENT: u8 = 49;
}

/// Bytes of a NAL unit's header.
const HEADER_BYTES: usize = 2;

fn is_key(unit_type: u8) -> bool {
    nal::RANDOM_ACCESS.contains(&unit_type) || matches!(unit_type, nal::VPS | nal::SPS)
}

/// A random access picture or a video or sequence parameter set, alone, in an aggregate, or as the
/// begin of fragments. Decoding order numbers are not expected: `sprop-max-don-diff` is 0 by
/// default, and no sender to a browser has another.
pub(super) fn begins_key_frame(payload: &[u8]) -> bool {
    let Some((header, rest)) = payload.split_at_checked(HEADER_BYTES) else { return false };
    match unit_type(header) {
        Some(nal::AGGREGATE) => aggregated(rest).any(|unit| unit_type(unit).is_some_and(is_key)),
        // S, E, and the type of the unit in six bits.
        Some(nal::FRAGMENT) => {
            rest.first().is_some_and(|head| head & 0x80 != 0 && is_key(head & 0x3F))
        }
        unit_type => unit_type.is_some_and(is_key),
    }
}

/// The sequence parameter set in the payload, be it alone or in an aggregate; nobody sends one in
/// fragments.
pub(super) fn sequence_parameters(payload: &[u8]) -> Option<SequenceParameters> {
    match unit_type(payload)? {
        nal::SPS => SequenceParameters::read(payload),
        nal::AGGREGATE => {
            let mut units = aggregated(payload.get(HEADER_BYTES..)?);
            SequenceParameters::read(units.find(|unit| unit_type(unit) == Some(nal::SPS))?)
        }
        _ => None,
    }
}

/// What a payload is made of.
pub(super) fn units(payload: &[u8]) -> Units<'_> {
    match unit_type(payload) {
        Some(..=nal::SINGLE_LAST) => (Some(payload), &[]),
        Some(nal::AGGREGATE) => (None, payload.get(HEADER_BYTES..).unwrap_or_default()),
        _ => (None, &[]),
    }
}

/// The name of a parameter set of the lowest layer; none of another unit, or when its id is none
/// (7.4.3).
pub(super) fn set_name(unit: &[u8]) -> Option<SetName> {
    let unit_type = unit_type(unit)?;
    if !(nal::VPS..=nal::PPS).contains(&unit_type) || layer(unit)? != 0 {
        return None;
    }
    let mut buffer = [0; PARAMETER_SET_BYTES_MAX];
    let mut bits = BitReader::new(unescaped(unit, &mut buffer).get(HEADER_BYTES..)?);
    let (kind, id, id_max) = match unit_type {
        nal::VPS => (SetKind::Video, bits.number(4), 15),
        nal::SPS => (SetKind::Sequence, sequence_parameters::id(&mut bits), 15),
        _ => (SetKind::Picture, bits.exp_golomb(), 63),
    };
    let id = u8::try_from(id.ok()?).ok().filter(|id| *id <= id_max)?;
    Some(SetName { kind, id })
}

/// The header of an aggregate of `units` of the lowest layer: of their lowest temporal layer
/// (RFC 7798 §4.4.2).
pub(super) fn aggregate_header(units: &[&[u8]]) -> Option<[u8; HEADER_BYTES]> {
    let temporal = units.iter().map(|unit| unit.get(1).map(|byte| byte & 7));
    let lowest = temporal.collect::<Option<Vec<_>>>()?.into_iter().min()?;
    Some([nal::AGGREGATE << 1, lowest])
}

/// What a payload's NAL unit is to the temporal layers of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// Its TemporalId, 0 to 6: who gets lower layers alone does not need it (H.265 10).
    pub(super) temporal: u8,
    /// It is no slice but a parameter set or the like, which stands before them.
    pub(super) is_before_slices: bool,
    /// It is the first slice of its picture.
    pub(super) is_first: bool,
    /// No picture of its own temporal layer refers to its picture (table 7-1).
    pub(super) is_unreferred: bool,
    /// Decoding can begin with its picture.
    pub(super) is_random_access: bool,
    /// Neither it nor what follows refers to earlier pictures of its layer (TSA, STSA; 7.4.2.2).
    pub(super) is_switch: bool,
}

/// The NAL unit of a payload, or the first slice of an aggregate; none of what is no such thing.
pub(super) fn unit(payload: &[u8]) -> Option<Unit> {
    let (header, rest) = payload.split_at_checked(HEADER_BYTES)?;
    match unit_type(header)? {
        nal::AGGREGATE => {
            let units = || {
                aggregated(rest).filter_map(|unit| {
                    let (header, body) = unit.split_at_checked(HEADER_BYTES)?;
                    unit_of(unit_type(header)?, header, body)
                })
            };
            units().find(|unit| !unit.is_before_slices).or_else(|| units().next())
        }
        nal::FRAGMENT => {
            let (head, body) = rest.split_first()?;
            let unit = unit_of(head & 0x3F, header, body)?;
            Some(Unit { is_first: head & 0x80 != 0 && unit.is_first, ..unit })
        }
        unit_type => unit_of(unit_type, header, rest),
    }
}

fn unit_of(unit_type: u8, header: &[u8], body: &[u8]) -> Option<Unit> {
    let is_slice = nal::SLICES.contains(&unit_type);
    // first_slice_segment_in_pic_flag is the first bit (7.3.6.1).
    let is_first = is_slice && body.first().is_some_and(|byte| byte & 0x80 != 0);
    Some(Unit {
        temporal: (header.get(1)? & 7).checked_sub(1)?,
        is_before_slices: !is_slice,
        is_first,
        is_unreferred: nal::UNREFERRED.contains(&unit_type),
        is_random_access: nal::RANDOM_ACCESS.contains(&unit_type),
        is_switch: nal::SWITCHES.contains(&unit_type),
    })
}

fn unit_type(unit: &[u8]) -> Option<u8> {
    Some(unit.first()? >> 1 & 0x3F)
}

/// `nuh_layer_id`.
fn layer(unit: &[u8]) -> Option<u8> {
    Some((unit.first()? & 1) << 5 | unit.get(1)? >> 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_begins_with_random_access_or_parameter_sets_in_any_packaging() {
        for (payload, expected) in [
            (&[19 << 1, 1, 0][..], true),
            (&[21 << 1, 1, 0], true),
            (&[32 << 1, 1, 0], true),
            (&[33 << 1, 1, 0], true),
            (&[34 << 1, 1, 0], false),
            (&[1 << 1, 1, 0], false),
            (&[22 << 1, 1, 0], false),
            (&[48 << 1, 1, 0, 2, 34 << 1, 1, 0, 2, 19 << 1, 1], true),
            (&[48 << 1, 1, 0, 2, 35 << 1, 1, 0, 2, 1 << 1, 1], false),
            (&[48 << 1, 1, 0, 9, 19 << 1, 1], false),
            (&[48 << 1, 1, 0, 0, 0, 2, 33 << 1, 1], true),
            (&[49 << 1, 1, 0x80 | 19, 0], true),
            (&[49 << 1, 1, 19, 0], false),
            (&[49 << 1, 1, 0x80 | 1, 0], false),
            (&[49 << 1, 1], false),
            (&[19 << 1], false),
            (&[], false),
        ] {
            assert_eq!(begins_key_frame(payload), expected, "{payload:?}");
        }
    }
}
