//! H.264's payload (RFC 6184 §5): where a key frame begins, and how large it is.

use super::PictureSize;
use super::nal::aggregated;

mod sequence_parameters;

use sequence_parameters::picture_size as size_of_parameters;

/// NAL unit types (RFC 6184 §5.2, §5.4).
mod nal {
    pub(super) const IDR: u8 = 5;
    pub(super) const SPS: u8 = 7;
    pub(super) const STAP_A: u8 = 24;
    pub(super) const FU_A: u8 = 28;
}

/// An IDR slice or a sequence parameter set, alone, in an aggregate, or as the begin of fragments.
pub(super) fn begins_key_frame(payload: &[u8]) -> bool {
    let is_key = |header: u8| matches!(header & 0x1F, nal::IDR | nal::SPS);
    let Some((header, rest)) = payload.split_first() else { return false };
    match header & 0x1F {
        nal::STAP_A => {
            aggregated(rest).any(|unit| unit.first().is_some_and(|header| is_key(*header)))
        }
        nal::FU_A => rest.first().is_some_and(|header| header & 0x80 != 0 && is_key(*header)),
        _ => is_key(*header),
    }
}

/// The size that a sequence parameter set in the payload says, be it alone or in an aggregate;
/// nobody sends one in fragments.
pub(super) fn picture_size(payload: &[u8]) -> Option<PictureSize> {
    let unit_type = |unit: &[u8]| unit.first().map(|header| header & 0x1F);
    match unit_type(payload)? {
        nal::SPS => size_of_parameters(payload),
        nal::STAP_A => {
            let mut units = aggregated(&payload[1..]);
            size_of_parameters(units.find(|unit| unit_type(unit) == Some(nal::SPS))?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_h264_key_frame_begins_with_idr_or_sps_in_any_packaging() {
        for (payload, expected) in [
            (&[0x65, 1][..], true),
            (&[0x67, 1], true),
            (&[0x68, 1], false),
            (&[0x41, 1], false),
            (&[0x78, 0, 1, 0x68, 0, 1, 0x65], true),
            (&[0x78, 0, 1, 0x09, 0, 1, 0x41], false),
            (&[0x78, 0, 9, 0x65], false),
            (&[0x78, 0, 0, 0, 1, 0x67], true),
            (&[0x7C, 0x85, 1], true),
            (&[0x7C, 0x05, 1], false),
            (&[0x7C, 0x81, 1], false),
            (&[0x7C], false),
            (&[], false),
        ] {
            assert_eq!(begins_key_frame(payload), expected, "{payload:?}");
        }
    }
}
