//! H.265's payload (RFC 7798 §4.4): where a key frame begins, and how large it is.

use super::PictureSize;
use super::nal::aggregated;

mod sequence_parameters;

use sequence_parameters::picture_size as size_of_parameters;

/// NAL unit types (H.265 table 7-1, RFC 7798 §4.4).
mod nal {
    /// The pictures that decoding can begin with: BLA, IDR and CRA.
    pub(super) const RANDOM_ACCESS: std::ops::RangeInclusive<u8> = 16..=21;
    pub(super) const VPS: u8 = 32;
    pub(super) const SPS: u8 = 33;
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

/// The size that a sequence parameter set in the payload says, be it alone or in an aggregate;
/// nobody sends one in fragments.
pub(super) fn picture_size(payload: &[u8]) -> Option<PictureSize> {
    match unit_type(payload)? {
        nal::SPS => size_of_parameters(payload),
        nal::AGGREGATE => {
            let mut units = aggregated(payload.get(HEADER_BYTES..)?);
            size_of_parameters(units.find(|unit| unit_type(unit) == Some(nal::SPS))?)
        }
        _ => None,
    }
}

fn unit_type(unit: &[u8]) -> Option<u8> {
    Some(unit.first()? >> 1 & 0x3F)
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
