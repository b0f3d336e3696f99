//! What comes over a TCP connection of media: however the stream is cut, the same packets come out,
//! there is room for the next bytes until the stream is refused, and what is written is read back.
//!
//! The first four bytes say how the rest is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::framing::{FrameReader, FrameTooLong, LENGTH_BYTES, write_frame};

/// As long as packets may be at the server (`TCP_FRAME_BYTES_MAX` of `node`).
const PACKET_BYTES_MAX: u16 = 2_048;

/// What a stream holds: its packets, and how it ends.
type Packets = (Vec<Vec<u8>>, Result<(), FrameTooLong>);

fuzz_target!(|bytes: &[u8]| {
    let Some((cuts, stream)) = bytes.split_first_chunk::<4>() else { return };
    // Two bytes each, so that long pieces come as well as short ones.
    let cuts = [[cuts[0], cuts[1]], [cuts[2], cuts[3]]].map(u16::from_be_bytes);
    let (packets, end) = read(stream, cuts.map(usize::from));
    assert_eq!((&packets, end), (&whole(stream).0, whole(stream).1));
    let mut written = Vec::new();
    packets.iter().for_each(|packet| write_frame(&mut written, packet).unwrap());
    assert_eq!(written[..], stream[..written.len()]);
    if end.is_ok() {
        let rest = stream.len() - written.len();
        assert!(rest < LENGTH_BYTES + usize::from(PACKET_BYTES_MAX), "a whole frame was kept back");
    }
});

/// As the server reads: pieces of the sizes of `cuts` in turn, and everything whole after each.
fn read(mut stream: &[u8], cuts: [usize; 2]) -> Packets {
    let mut reader = FrameReader::new(PACKET_BYTES_MAX);
    let mut packets = Vec::new();
    for cut in cuts.into_iter().cycle() {
        let room = reader.room();
        assert!(!room.is_empty(), "reading nothing looks like the end of the stream");
        let size = cut.clamp(1, room.len()).min(stream.len());
        room[..size].copy_from_slice(&stream[..size]);
        reader.commit(size);
        stream = &stream[size..];
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => packets.push(packet.to_vec()),
                Ok(None) => break,
                Err(error) => return (packets, Err(error)),
            }
        }
        if stream.is_empty() {
            break;
        }
    }
    (packets, Ok(()))
}

/// The same, told from the whole stream at once.
fn whole(mut stream: &[u8]) -> Packets {
    let mut packets = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let length = u16::from_be_bytes(*length);
        if length > PACKET_BYTES_MAX {
            return (packets, Err(FrameTooLong(length)));
        }
        let Some((packet, rest)) = rest.split_at_checked(length.into()) else { break };
        packets.push(packet.to_vec());
        stream = rest;
    }
    (packets, Ok(()))
}
