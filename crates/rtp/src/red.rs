//! Redundant audio (RFC 2198): a packet's payload together with those of packets before it, so that
//! what is lost comes again without being asked for.

/// F: another header follows, and this one is of an older payload and four bytes long.
const FOLLOWED: u8 = 0x80;
/// Bytes of the header of an older payload: F, payload type, 14 bits of time, 10 of length (§3).
const OLDER_HEADER_BYTES: usize = 4;

/// Bytes in front of the primary payload (headers and older payloads); what is behind them is what
/// the packet would have been without redundancy. None when `payload` is malformed, has nothing
/// primary, or has anything else in it than `payload_type`.
pub fn redundancy_bytes(payload: &[u8], payload_type: u8) -> Option<usize> {
    let (mut headers, mut older) = (0, 0);
    loop {
        let first = *payload.get(headers)?;
        if first & !FOLLOWED != payload_type {
            return None;
        }
        if first & FOLLOWED == 0 {
            let front = headers + 1 + older;
            return (front < payload.len()).then_some(front);
        }
        let &[_, _, high, low] = payload[headers..].first_chunk::<OLDER_HEADER_BYTES>()?;
        older += usize::from(u16::from_be_bytes([high, low]) & 0x03FF);
        headers += OLDER_HEADER_BYTES;
    }
}

/// Writes `payload_type` into all headers of a payload that [`redundancy_bytes`] has taken.
pub fn set_payload_type(payload: &mut [u8], payload_type: u8) {
    let mut headers = 0;
    while let Some(first) = payload.get_mut(headers) {
        let followed = *first & FOLLOWED;
        *first = followed | payload_type & !FOLLOWED;
        if followed == 0 {
            return;
        }
        headers += OLDER_HEADER_BYTES;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A packet with `older` payloads, as RFC 2198 §3 draws it.
    fn packet(payload_type: u8, older: &[&[u8]], primary: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (back, payload) in older.iter().enumerate() {
            let time = 960 * (older.len() - back) as u32;
            bytes.push(FOLLOWED | payload_type);
            bytes.extend(&(time << 10 | payload.len() as u32).to_be_bytes()[1..]);
        }
        bytes.push(payload_type);
        older.iter().for_each(|payload| bytes.extend(*payload));
        bytes.extend(primary);
        bytes
    }

    #[test]
    fn the_primary_payload_is_what_follows_the_older_ones() {
        let largest = &[7; 1023][..];
        let lists: [&[&[u8]]; 4] = [&[], &[b"old"], &[b"older", b"old"], &[b"", largest]];
        for older in lists {
            let bytes = packet(111, older, b"new");
            let front = redundancy_bytes(&bytes, 111).unwrap();
            assert_eq!(&bytes[front..], b"new", "{older:?}");
        }
    }

    #[test]
    fn what_is_cut_off_or_of_another_type_is_refused() {
        let bytes = packet(111, &[b"older", b"old"], b"n");
        assert!(redundancy_bytes(&bytes, 111).is_some());
        for length in 0..bytes.len() {
            assert_eq!(redundancy_bytes(&bytes[..length], 111), None, "{length} bytes");
        }
        assert_eq!(redundancy_bytes(&bytes, 110), None);
        let mut mixed = bytes;
        mixed[4] = FOLLOWED | 13;
        assert_eq!(redundancy_bytes(&mixed, 111), None);
    }

    #[test]
    fn another_payload_type_changes_nothing_else() {
        let mut bytes = packet(111, &[b"\x6f\x6f", b"\x6f"], b"\x6f\xff");
        set_payload_type(&mut bytes, 96);
        assert_eq!(bytes, packet(96, &[b"\x6f\x6f", b"\x6f"], b"\x6f\xff"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(mut bytes in prop::collection::vec(any::<u8>(), 0..64), to: u8) {
            for own in 0..128 {
                let front = redundancy_bytes(&bytes, own);
                prop_assert!(front.is_none_or(|front| 0 < front && front < bytes.len()));
            }
            set_payload_type(&mut bytes, to);
        }
    }
}
