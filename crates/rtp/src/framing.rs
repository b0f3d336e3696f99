//! Packets in a TCP stream: each stands behind its length (RFC 4571 §2), as ICE over TCP has it
//! (RFC 6544 §3).

/// Bytes before each packet: its length.
pub const LENGTH_BYTES: usize = 2;

/// What came of a stream and is not whole packets yet. The buffer holds two of the longest frames,
/// is made once, and never grows.
#[derive(Debug)]
pub struct FrameReader {
    /// What came.
    buffer: Box<[u8]>,
    /// Where the first frame begins that was not given out.
    start: usize,
    /// Where what came ends.
    end: usize,
    /// Bytes of the longest packet that is taken.
    packet_bytes_max: u16,
}

/// A length that no packet has: the stream is something else, and has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes is too long")]
pub struct FrameTooLong(pub u16);

/// The packet is longer than a frame can be: 65,535 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {0} bytes fits into no frame")]
pub struct PacketTooLong(pub usize);

impl FrameReader {
    /// A reader of packets of at most `packet_bytes_max` bytes.
    pub fn new(packet_bytes_max: u16) -> Self {
        let size = 2 * (LENGTH_BYTES + usize::from(packet_bytes_max));
        let buffer = vec![0; size].into_boxed_slice();
        Self { buffer, start: 0, end: 0, packet_bytes_max }
    }

    /// Where the stream's next bytes go. Never empty once [`Self::next_packet`] has given none.
    pub fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        &mut self.buffer[self.end..]
    }

    /// Takes the first `size` bytes of the room as come, as many as there are.
    pub fn commit(&mut self, size: usize) {
        self.end = self.buffer.len().min(self.end + size);
    }

    /// The next whole packet, to be worked on in place; it may be empty.
    ///
    /// # Errors
    /// [`FrameTooLong`], from then on always.
    pub fn next_packet(&mut self) -> Result<Option<&mut [u8]>, FrameTooLong> {
        let Some(&[high, low]) = self.buffer[self.start..self.end].first_chunk() else {
            return Ok(None);
        };
        let size = u16::from_be_bytes([high, low]);
        if size > self.packet_bytes_max {
            return Err(FrameTooLong(size));
        }
        let begin = self.start + LENGTH_BYTES;
        let end = begin + usize::from(size);
        if end > self.end {
            return Ok(None);
        }
        self.start = end;
        Ok(Some(&mut self.buffer[begin..end]))
    }
}

/// Appends `packet` as a frame.
///
/// # Errors
/// [`PacketTooLong`]; nothing is appended then.
pub fn write_frame(output: &mut Vec<u8>, packet: &[u8]) -> Result<(), PacketTooLong> {
    let size = u16::try_from(packet.len()).map_err(|_| PacketTooLong(packet.len()))?;
    output.extend_from_slice(&size.to_be_bytes());
    output.extend_from_slice(packet);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `stream` in pieces of `size`; what came out.
    fn read(stream: &[u8], size: usize) -> Result<Vec<Vec<u8>>, FrameTooLong> {
        let mut reader = FrameReader::new(100);
        let (mut packets, mut rest) = (Vec::new(), stream);
        while !rest.is_empty() {
            let room = reader.room();
            let taken = size.min(rest.len()).min(room.len());
            room[..taken].copy_from_slice(&rest[..taken]);
            reader.commit(taken);
            rest = &rest[taken..];
            while let Some(packet) = reader.next_packet()? {
                packets.push(packet.to_vec());
            }
        }
        Ok(packets)
    }

    #[test]
    fn packets_come_whole_however_the_stream_is_cut() {
        let packets = [vec![1; 100], vec![], vec![2], vec![3; 99], vec![4; 100]];
        let mut stream = Vec::new();
        packets.iter().for_each(|packet| write_frame(&mut stream, packet).unwrap());
        for size in 1..=stream.len() {
            assert_eq!(read(&stream, size).unwrap(), packets, "pieces of {size}");
        }
    }

    #[test]
    fn a_length_that_no_packet_has_is_refused_before_its_bytes_come() {
        assert_eq!(read(&[0, 1, 7, 0, 101], 1), Err(FrameTooLong(101)));
        let mut reader = FrameReader::new(100);
        reader.room()[..2].copy_from_slice(&[0xff, 0xff]);
        reader.commit(2);
        for _ in 0..2 {
            assert_eq!(reader.next_packet(), Err(FrameTooLong(65_535)));
        }
    }

    #[test]
    fn there_is_room_while_the_longest_packet_is_not_whole() {
        let mut reader = FrameReader::new(100);
        for _ in 0..3 {
            // Two frames but for the last byte.
            let room = reader.room();
            let size = room.len() - 1;
            room.fill(0);
            for begin in (0..size).step_by(102) {
                room[begin + 1] = 100;
            }
            reader.commit(size);
            assert_eq!(reader.next_packet().unwrap().map(|packet| packet.len()), Some(100));
            assert_eq!(reader.next_packet(), Ok(None));
            reader.room()[0] = 0;
            reader.commit(1);
            assert_eq!(reader.next_packet().unwrap().map(|packet| packet.len()), Some(100));
        }
    }

    #[test]
    fn a_packet_that_fits_into_no_frame_leaves_the_stream_as_it_was() {
        let mut stream = vec![7];
        assert_eq!(write_frame(&mut stream, &[0; 65_536]), Err(PacketTooLong(65_536)));
        assert_eq!(stream, [7]);
        write_frame(&mut stream, &[0; 65_535]).unwrap();
    }
}
