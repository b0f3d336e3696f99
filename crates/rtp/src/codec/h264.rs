//! H.264's payload (RFC 6184 §5): where a key frame begins, and how large it is.

use super::nal::{Units, aggregated};
use super::parameter_sets::{SetKind, SetName};
use crate::bits::BitReader;

mod sequence_parameters;

pub(super) use sequence_parameters::SequenceParameters;

/// NAL unit types (RFC 6184 §5.2, §5.4).
mod nal {
    /// Slices, whole or in partitions; the last is IDR.
    pub(super) const SLICES: std::ops::RangeInclusive<u8> = 1..=5;
    pub(super) const IDR: u8 = 5;
    pub(super) const SPS: u8 = 7;
    pub(super) const PPS: u8 = 8;
    /// The last that is a unit by itself.
    pub(super) const SINGLE_LAST: u8 = 23;
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

/// The sequence parameter set in the payload, be it alone or in an aggregate; nobody sends one in
/// fragments.
pub(super) fn sequence_parameters(payload: &[u8]) -> Option<SequenceParameters> {
    match unit_type(payload)? {
        nal::SPS => SequenceParameters::read(payload),
        nal::STAP_A => {
            let mut units = aggregated(&payload[1..]);
            SequenceParameters::read(units.find(|unit| unit_type(unit) == Some(nal::SPS))?)
        }
        _ => None,
    }
}

/// What a payload is made of.
pub(super) fn units(payload: &[u8]) -> Units<'_> {
    match unit_type(payload) {
        Some(..=nal::SINGLE_LAST) => (Some(payload), &[]),
        Some(nal::STAP_A) => (None, &payload[1..]),
        _ => (None, &[]),
    }
}

/// The name of a parameter set; none of another unit, or when its id is none (7.4.2).
pub(super) fn set_name(unit: &[u8]) -> Option<SetName> {
    // Behind the header stands the id of a PPS, and behind profile, constraints and level that of
    // an SPS. Nothing of that is long enough to need emulation prevention.
    let (kind, before, id_max) = match unit_type(unit)? {
        nal::SPS => (SetKind::Sequence, 4, 31),
        nal::PPS => (SetKind::Picture, 1, 255),
        _ => return None,
    };
    let id = BitReader::new(unit.get(before..)?).exp_golomb().ok()?;
    let id = u8::try_from(id).ok().filter(|id| *id <= id_max)?;
    Some(SetName { kind, id })
}

/// The header of an aggregate of `units`: as important as the most important (RFC 6184 §5.7.1).
pub(super) fn aggregate_header(units: &[&[u8]]) -> Option<u8> {
    let importance = units.iter().map(|unit| unit.first().map(|header| header & 0x60));
    Some(importance.collect::<Option<Vec<_>>>()?.into_iter().max()? | nal::STAP_A)
}

/// What a payload says of the picture whose slice it has or begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// Other pictures may refer to it (`nal_ref_idc`); alike of all slices of a picture (7.4.1).
    pub(super) is_reference: bool,
    /// It is the picture's first.
    pub(super) is_first: bool,
    /// It is of an IDR picture, which decoding can begin with.
    pub(super) is_idr: bool,
}

/// The slice that a payload begins with; none in one of parameter sets and the like.
pub(super) fn slice(payload: &[u8]) -> Option<Slice> {
    let (header, rest) = payload.split_first()?;
    match header & 0x1F {
        nal::STAP_A => aggregated(rest).find_map(|unit| {
            let (header, body) = unit.split_first()?;
            slice_of(*header, body)
        }),
        nal::FU_A => {
            let (head, body) = rest.split_first()?;
            let slice = slice_of(header & 0x60 | head & 0x1F, body)?;
            Some(Slice { is_first: head & 0x80 != 0 && slice.is_first, ..slice })
        }
        _ => slice_of(*header, rest),
    }
}

/// The slice in a NAL unit of this header, with `body` behind.
fn slice_of(header: u8, body: &[u8]) -> Option<Slice> {
    if !nal::SLICES.contains(&(header & 0x1F)) {
        return None;
    }
    // first_mb_in_slice is an Exp-Golomb number (7.3.3): of one bit when it is zero. The second and
    // third partition of a slice have another number in that place.
    let has_number = !matches!(header & 0x1F, 3 | 4);
    let is_first = has_number && body.first().is_some_and(|byte| byte & 0x80 != 0);
    let is_idr = header & 0x1F == nal::IDR;
    Some(Slice { is_reference: header & 0x60 != 0, is_first, is_idr })
}

fn unit_type(unit: &[u8]) -> Option<u8> {
    Some(unit.first()? & 0x1F)
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
