//! Headers written by hand, round trips, and arbitrary bytes.

use proptest::prelude::*;

use super::*;

const PLAIN: [u8; 14] = [0x80, 0xE0, 0x12, 0x34, 0, 0, 0, 100, 0xDE, 0xAD, 0xBE, 0xEF, 0x01, 0x02];

fn with_block(profile: [u8; 2], block: &[u8]) -> Vec<u8> {
    let mut bytes = PLAIN[..12].to_vec();
    bytes[0] |= 0x10;
    bytes.extend(profile);
    bytes.extend(((block.len() / 4) as u16).to_be_bytes());
    bytes.extend(block);
    bytes
}

#[test]
fn a_plain_header_is_read() {
    let packet = RtpPacket::parse(&PLAIN).unwrap();
    let header = packet.header();
    assert_eq!(header.marker, Marker::Set);
    assert_eq!(header.payload_type, 96);
    assert_eq!(header.sequence_number, 0x1234);
    assert_eq!(header.timestamp, 100);
    assert_eq!(header.ssrc, 0xDEAD_BEEF);
    assert_eq!(header.size, 12);
    assert_eq!(packet.payload(), [1, 2]);
    assert_eq!(packet.extensions().count(), 0);
}

#[test]
fn contributing_sources_lie_before_the_payload() {
    let mut bytes = PLAIN[..12].to_vec();
    bytes[0] |= 2;
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 9]);
    let packet = RtpPacket::parse(&bytes).unwrap();
    assert_eq!(packet.csrcs().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(packet.payload(), [9]);
}

#[test]
fn one_byte_extensions_skip_padding_and_stop_at_15() {
    let bytes = with_block([0xBE, 0xDE], &[0x10, 0xAA, 0, 0x31, 1, 2, 0xF0, 0x10]);
    let packet = RtpPacket::parse(&bytes).unwrap();
    let all: Vec<_> = packet.extensions().collect();
    assert_eq!(all, [(1, &[0xAA][..]), (3, &[1, 2])]);
    assert_eq!(packet.extension(3), Some(&[1, 2][..]));
    assert_eq!(packet.extension(4), None);
}

#[test]
fn two_byte_extensions_may_be_empty_and_have_large_ids() {
    let bytes = with_block([0x10, 0x05], &[200, 0, 1, 3, 7, 8, 9, 0]);
    let packet = RtpPacket::parse(&bytes).unwrap();
    let all: Vec<_> = packet.extensions().collect();
    assert_eq!(all, [(200, &[][..]), (1, &[7, 8, 9])]);
}

#[test]
fn a_foreign_profile_is_skipped_over() {
    let mut bytes = with_block([0x12, 0x34], &[1, 2, 3, 4]);
    bytes.push(5);
    let packet = RtpPacket::parse(&bytes).unwrap();
    assert_eq!(packet.header().extension_profile, Some(ExtensionProfile::Other(0x1234)));
    assert_eq!(packet.extensions().count(), 0);
    assert_eq!(packet.payload(), [5]);
}

#[test]
fn padding_is_taken_off_the_payload() {
    let mut bytes = PLAIN.to_vec();
    bytes[0] |= 0x20;
    bytes.extend([0, 0, 3]);
    let packet = RtpPacket::parse(&bytes).unwrap();
    assert_eq!((packet.payload(), packet.padding()), (&[1, 2][..], 3));
    *bytes.last_mut().unwrap() = 6;
    assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Padding { padding: 6 }));
    *bytes.last_mut().unwrap() = 0;
    assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Padding { padding: 0 }));
}

#[test]
fn each_kind_of_damage_has_its_error() {
    assert_eq!(RtpHeader::parse(&PLAIN[..11]), Err(RtpError::Truncated));
    let mut bytes = PLAIN;
    bytes[0] = 0x40;
    assert_eq!(RtpHeader::parse(&bytes), Err(RtpError::Version { version: 1 }));
    bytes[0] = 0x8F;
    assert_eq!(RtpHeader::parse(&bytes), Err(RtpError::Truncated));
    bytes[0] = 0x90;
    assert_eq!(RtpHeader::parse(&bytes), Err(RtpError::Truncated));
    let long = with_block([0xBE, 0xDE], &[0x1F, 0, 0, 0]);
    assert_eq!(RtpHeader::parse(&long), Err(RtpError::Extension { id: 1 }));
    let cut = with_block([0x10, 0x00], &[1, 1, 0, 9]);
    assert_eq!(RtpHeader::parse(&cut), Err(RtpError::Extension { id: 9 }));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let writer = HeaderWriter {
        marker: Marker::Clear,
        payload_type: 96,
        sequence_number: 0,
        timestamp: 0,
        ssrc: 0,
        csrcs: &[0; 16],
    };
    let mut buffer = [0; 400];
    assert_eq!(writer.write(&mut buffer, &[]), Err(HeaderError::Csrcs { count: 16 }));
    let writer = HeaderWriter { csrcs: &[], ..writer };
    let refused = Err(HeaderError::Extension { id: 0 });
    assert_eq!(writer.write(&mut buffer, &[(0, &[1])]), refused);
    assert_eq!(writer.write(&mut buffer[..11], &[]), Err(BufferTooSmall.into()));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(packet) = RtpPacket::parse(&bytes) {
            prop_assert!(packet.payload().len() + packet.padding() <= bytes.len());
            prop_assert!(packet.extensions().count() <= bytes.len());
        }
    }

    #[test]
    fn a_written_header_is_read_back(
        marker in any::<bool>(),
        payload_type in 0u8..128,
        sequence_number in any::<u16>(),
        timestamp in any::<u32>(),
        ssrc in any::<u32>(),
        csrcs in proptest::collection::vec(any::<u32>(), 0..15),
        values in proptest::collection::vec(
            (1u8..=255, proptest::collection::vec(any::<u8>(), 0..20)), 0..6),
        payload in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let marker = if marker { Marker::Set } else { Marker::Clear };
        let writer =
            HeaderWriter { marker, payload_type, sequence_number, timestamp, ssrc, csrcs: &csrcs };
        let extensions: Vec<(u8, &[u8])> = values.iter().map(|(id, v)| (*id, &v[..])).collect();
        let mut buffer = [0; 512];
        let size = writer.write(&mut buffer, &extensions).unwrap();
        buffer[size..size + payload.len()].copy_from_slice(&payload);
        let packet = RtpPacket::parse(&buffer[..size + payload.len()]).unwrap();
        let header = packet.header();
        prop_assert_eq!(header.size, size);
        prop_assert_eq!(header.marker, marker);
        prop_assert_eq!(header.payload_type, payload_type);
        prop_assert_eq!(header.sequence_number, sequence_number);
        prop_assert_eq!(header.timestamp, timestamp);
        prop_assert_eq!(header.ssrc, ssrc);
        prop_assert_eq!(packet.csrcs().collect::<Vec<_>>(), csrcs);
        prop_assert_eq!(packet.extensions().collect::<Vec<_>>(), extensions);
        prop_assert_eq!(packet.payload(), payload);
    }
}
