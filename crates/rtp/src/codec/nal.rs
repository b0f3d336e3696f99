//! What NAL units of H.264 and H.265 have in common: how they are aggregated, and the bytes inside
//! them that keep them apart.

use crate::bytes::u16_at;

/// Bytes of a sequence parameter set that are looked at; one with all of its scaling lists is
/// shorter.
pub(super) const PARAMETER_SET_BYTES_MAX: usize = 1_024;

/// The units of an aggregate (RFC 6184 §5.7.1, RFC 7798 §4.4.2), up to one that is cut. `behind` is
/// what follows the aggregate's header.
pub(super) fn aggregated(behind: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = behind;
    std::iter::from_fn(move || {
        let size = u16_at(rest, 0)?;
        let unit = rest.get(2..2 + usize::from(size))?;
        rest = &rest[2 + unit.len()..];
        Some(unit)
    })
}

/// What a payload is made of when it is no fragment: a single unit, or those behind the header of
/// an aggregate.
pub(super) type Units<'a> = (Option<&'a [u8]>, &'a [u8]);

/// The unit without its emulation prevention bytes (7.4.1 of H.264, 7.4.2 of H.265), in `buffer`;
/// what it has no room for is left out.
pub(super) fn unescaped<'b>(
    unit: &[u8],
    buffer: &'b mut [u8; PARAMETER_SET_BYTES_MAX],
) -> &'b [u8] {
    let (mut length, mut zeros) = (0, 0);
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        let Some(place) = buffer.get_mut(length) else { break };
        *place = *byte;
        length += 1;
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
    }
    &buffer[..length]
}

/// The unit with emulation prevention bytes, as encoders write it.
#[cfg(test)]
pub(super) fn escaped(unit: &[u8]) -> Vec<u8> {
    let (mut bytes, mut zeros) = (Vec::new(), 0);
    for byte in unit {
        if zeros >= 2 && *byte <= 3 {
            bytes.push(3);
            zeros = 0;
        }
        bytes.push(*byte);
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
    }
    bytes
}

/// A unit from how it is written down.
#[cfg(test)]
pub(super) fn from_hex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threes_behind_two_zeros_are_left_out() {
        let mut buffer = [0; PARAMETER_SET_BYTES_MAX];
        let unit = [3, 0, 3, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3];
        assert_eq!(unescaped(&unit, &mut buffer), [3, 0, 3, 0, 0, 1, 0, 0, 0, 0, 3]);
        let long = [7; PARAMETER_SET_BYTES_MAX + 1];
        assert_eq!(unescaped(&long, &mut buffer), [7; PARAMETER_SET_BYTES_MAX]);
    }
}
