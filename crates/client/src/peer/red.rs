//! Sound with redundancy (RFC 2198): each packet brings the one before along.

use super::offer::OPUS;

/// F: another header follows.
const FOLLOWED: u8 = 0x80;
/// Largest distance in time and largest length that a header can say (RFC 2198 §3).
const DISTANCE_MAX: u32 = (1 << 14) - 1;
const LENGTH_MAX: usize = (1 << 10) - 1;

/// The packet before, at a sender.
#[derive(Debug, Default)]
pub(super) struct Redundancy {
    /// Its timestamp and payload.
    before: Option<(u32, Vec<u8>)>,
}

impl Redundancy {
    /// A payload with the one before in front of it.
    pub(super) fn pack(&mut self, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let before = self.before.replace((timestamp, payload.to_vec()));
        let mut packed = Vec::with_capacity(2 * payload.len() + 5);
        let before = before.and_then(|(time, before)| {
            let distance = timestamp.wrapping_sub(time);
            let fits = distance <= DISTANCE_MAX && before.len() <= LENGTH_MAX;
            fits.then_some((distance, before))
        });
        if let Some((distance, before)) = &before {
            packed.push(FOLLOWED | OPUS);
            let word = distance << 10 | before.len() as u32;
            packed.extend_from_slice(&word.to_be_bytes()[1..]);
        }
        packed.push(OPUS);
        packed.extend(before.iter().flat_map(|(_, before)| before));
        packed.extend_from_slice(payload);
        packed
    }
}

/// What a payload with redundancy brings: its own sound, and the last of the older ones.
pub(super) fn unpack(payload: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (mut headers, mut older, mut last) = (0, 0, None);
    loop {
        let first = *payload.get(headers)?;
        if first & FOLLOWED == 0 {
            let own = headers + 1 + older;
            let last: Option<usize> = last;
            let before = last.and_then(|length| payload.get(own - length..own));
            return Some((payload.get(own..)?, before));
        }
        let &[_, _, high, low] = payload[headers..].first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low])) & LENGTH_MAX;
        (older, last) = (older + length, Some(length));
        headers += 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_brings_the_one_before_along() {
        let mut redundancy = Redundancy::default();
        let first = redundancy.pack(u32::MAX - 100, b"first");
        assert_eq!(unpack(&first), Some((&b"first"[..], None)));
        let second = redundancy.pack(859, b"second");
        assert_eq!(unpack(&second), Some((&b"second"[..], Some(&b"first"[..]))));
        let late = redundancy.pack(20_000, b"late");
        assert_eq!(unpack(&late), Some((&b"late"[..], None)), "too far to say");
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let mut redundancy = Redundancy::default();
        redundancy.pack(0, b"first");
        let packed = redundancy.pack(960, b"");
        assert!(unpack(&packed).is_some());
        for length in 0..packed.len() {
            assert_eq!(unpack(&packed[..length]), None, "{length} bytes");
        }
    }
}
