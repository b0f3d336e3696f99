//! Arbitrary bytes as an RTP packet; an accepted one is written again and read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::{HeaderWriter, RtpPacket};

fuzz_target!(|bytes: &[u8]| {
    let Ok(packet) = RtpPacket::parse(bytes) else { return };
    let header = packet.header();
    assert_eq!(header.size + packet.payload().len() + packet.padding(), bytes.len());
    let csrcs: Vec<u32> = packet.csrcs().collect();
    // Id 0 is padding with a length, which a writer refuses.
    let extensions: Vec<(u8, &[u8])> = packet.extensions().filter(|(id, _)| *id != 0).collect();
    let writer = HeaderWriter {
        marker: header.marker,
        payload_type: header.payload_type,
        sequence_number: header.sequence_number,
        timestamp: header.timestamp,
        ssrc: header.ssrc,
        csrcs: &csrcs,
    };
    let mut buffer = vec![0; bytes.len() * 2 + 64];
    let Ok(size) = writer.write(&mut buffer, &extensions) else { return };
    let again = RtpPacket::parse(&buffer[..size]).expect("own header is sound");
    assert_eq!(again.csrcs().collect::<Vec<_>>(), csrcs);
    assert_eq!(again.extensions().collect::<Vec<_>>(), extensions);
    assert_eq!(again.header().sequence_number, header.sequence_number);
});
