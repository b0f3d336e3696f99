//! Media that nobody has to encode: packets with the outside of VP8 and Opus and a stamp inside.

use std::time::{Duration, Instant};

use crate::peer::Kind;

/// First bytes of a stamp.
const STAMP_MAGIC: &[u8; 8] = b"OdeumSt1";
/// Bytes of a stamp, at the end of a payload.
const STAMP_BYTES: usize = 24;
/// Bytes before the filler that a server may rewrite: VP8 payload descriptor and frame header.
const HEAD_BYTES: usize = 4 + 10;
/// Bytes of an Opus packet here: 40 kbit/s.
const OPUS_BYTES: usize = 100;
/// An Opus packet's length in time.
const OPUS_PACKET: Duration = Duration::from_millis(20);

/// When a packet left and which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Time from the source's epoch to when the packet was made.
    pub sent: Duration,
    /// Counts the source's packets from 0.
    pub number: u64,
}

/// One packet of a source, ready for [`crate::WebRtcPeer::send_rtp`].
#[derive(Debug)]
pub struct MediaPacket<'a> {
    /// Audio or video.
    pub kind: Kind,
    /// Which of the layers that are sent (simulcast), the smallest being 0.
    pub layer: usize,
    /// Whether it ends a frame.
    pub marker: bool,
    /// The frame's timestamp, 90 kHz or 48 kHz.
    pub timestamp: u32,
    /// The payload.
    pub payload: &'a [u8],
}

/// What a video source makes.
#[derive(Debug, Clone)]
pub struct VideoSourceConfig {
    /// Bits per second of payload. Default 2,400,000.
    pub bits_per_second: u32,
    /// Bytes of each payload, at least 64. Default 1,160: 1,200 with RTP header and extensions.
    pub payload_bytes: usize,
    /// Packets per frame, which leave together. Default 10.
    pub burst_packets: u32,
    /// Which layer it is of those that its peer sends. Default 0.
    pub layer: usize,
    /// What [`Stamp::sent`] counts from; one for all of a process.
    pub epoch: Instant,
}

/// Makes frames that look like VP8: a key frame first and whenever one is asked for.
#[derive(Debug)]
pub struct VideoSource {
    /// What to make.
    config: VideoSourceConfig,
    /// When the next frame is due.
    next_at: Instant,
    /// Frames made.
    frames: u64,
    /// Packets made.
    packets: u64,
    /// Packets of the current frame that are still to come.
    frame_left: u32,
    /// Whether the current frame is a key frame.
    frame_is_key: bool,
    /// Whether the next frame is to be one.
    key_frame_wanted: bool,
    /// Key frames made.
    key_frames: u64,
    /// The packet that was made last.
    payload: Vec<u8>,
}

/// Makes 20 ms packets that look like Opus.
#[derive(Debug)]
pub struct AudioSource {
    /// What [`Stamp::sent`] counts from.
    epoch: Instant,
    /// When the next packet is due.
    next_at: Instant,
    /// Packets made.
    packets: u64,
    /// The packet that was made last.
    payload: Vec<u8>,
}

impl Stamp {
    /// The stamp of a payload, if it has one.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (_, stamp) = payload.split_last_chunk::<STAMP_BYTES>()?;
        let micros = u64::from_be_bytes(stamp[8..16].try_into().ok()?);
        let number = u64::from_be_bytes(stamp[16..].try_into().ok()?);
        stamp.starts_with(STAMP_MAGIC).then(|| Self { sent: Duration::from_micros(micros), number })
    }

    /// Whether all of a stamped payload that a server has no business to change is as it was sent.
    pub fn is_intact(payload: &[u8]) -> bool {
        let Some(stamp) = Self::read(payload) else { return false };
        let filler = payload.get(HEAD_BYTES..payload.len() - STAMP_BYTES).unwrap_or(&[]);
        filler.iter().enumerate().all(|(index, byte)| *byte == filler_byte(stamp.number, index))
    }

    /// How long ago it left.
    pub fn age(&self, now: Instant, epoch: Instant) -> Duration {
        now.saturating_duration_since(epoch).saturating_sub(self.sent)
    }

    fn write(self, payload: &mut [u8]) {
        let filler_end = payload.len() - STAMP_BYTES;
        for (index, byte) in payload[HEAD_BYTES..filler_end].iter_mut().enumerate() {
            *byte = filler_byte(self.number, index);
        }
        let stamp = &mut payload[filler_end..];
        stamp[..8].copy_from_slice(STAMP_MAGIC);
        stamp[8..16].copy_from_slice(&(self.sent.as_micros() as u64).to_be_bytes());
        stamp[16..].copy_from_slice(&self.number.to_be_bytes());
    }
}

fn filler_byte(number: u64, index: usize) -> u8 {
    (number as u8).wrapping_mul(31).wrapping_add(index as u8)
}

impl VideoSourceConfig {
    /// 2.4 Mbit/s in bursts of ten.
    pub fn new(epoch: Instant) -> Self {
        Self {
            bits_per_second: 2_400_000,
            payload_bytes: 1_160,
            burst_packets: 10,
            layer: 0,
            epoch,
        }
    }
}

impl VideoSource {
    /// A source whose first frame is due at `now`.
    pub fn new(now: Instant, config: VideoSourceConfig) -> Self {
        let payload = vec![0; config.payload_bytes.max(64)];
        Self {
            config,
            next_at: now,
            frames: 0,
            packets: 0,
            frame_left: 0,
            frame_is_key: false,
            key_frame_wanted: true,
            key_frames: 0,
            payload,
        }
    }

    /// Makes the next frame a key frame.
    pub fn request_key_frame(&mut self) {
        self.key_frame_wanted = true;
    }

    /// The next packet, if one is due. A source that is polled late catches up.
    pub fn poll_packet(&mut self, now: Instant) -> Option<MediaPacket<'_>> {
        let first = self.frame_left == 0;
        if first {
            if now < self.next_at {
                return None;
            }
            self.next_at += self.frame_interval();
            self.frames += 1;
            self.frame_left = self.config.burst_packets.max(1);
            self.frame_is_key = std::mem::take(&mut self.key_frame_wanted);
            self.key_frames += u64::from(self.frame_is_key);
        }
        self.frame_left -= 1;
        let sent = now.saturating_duration_since(self.config.epoch);
        Stamp { sent, number: self.packets }.write(&mut self.payload);
        self.packets += 1;
        write_vp8_head(&mut self.payload, first, self.frame_is_key, self.frames as u16);
        let interval = self.frame_interval().as_micros() as u64;
        Some(MediaPacket {
            kind: Kind::Video,
            layer: self.config.layer,
            marker: self.frame_left == 0,
            timestamp: (self.frames * interval * 9 / 100) as u32,
            payload: &self.payload,
        })
    }

    /// When the next packet is due.
    pub fn poll_timeout(&self) -> Instant {
        self.next_at
    }

    /// Packets made.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Key frames made.
    pub fn key_frames(&self) -> u64 {
        self.key_frames
    }

    fn frame_interval(&self) -> Duration {
        let bits = u64::from(self.config.burst_packets.max(1)) * self.payload.len() as u64 * 8;
        Duration::from_micros(bits * 1_000_000 / u64::from(self.config.bits_per_second.max(1)))
    }
}

/// Payload descriptor with a 15-bit picture id (RFC 7741 §4.2), and in a frame's first packet the
/// frame header (RFC 6386 §9.1).
fn write_vp8_head(payload: &mut [u8], first: bool, key: bool, picture: u16) {
    payload[0] = if first { 0x90 } else { 0x80 };
    payload[1] = 0x80;
    payload[2..4].copy_from_slice(&(0x8000 | picture).to_be_bytes());
    // Shown, version 0, first partition of 1,024 bytes; bit 0 is set in all but key frames.
    let tag = 0x10 | (1_024 << 5) | u32::from(!key);
    payload[4..7].copy_from_slice(&tag.to_le_bytes()[..3]);
    // Start code, 640 by 360.
    payload[7..14].copy_from_slice(&[0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01]);
}

impl AudioSource {
    /// A source whose first packet is due at `now`.
    pub fn new(now: Instant, epoch: Instant) -> Self {
        Self { epoch, next_at: now, packets: 0, payload: vec![0; OPUS_BYTES] }
    }

    /// The next packet, if one is due.
    pub fn poll_packet(&mut self, now: Instant) -> Option<MediaPacket<'_>> {
        if now < self.next_at {
            return None;
        }
        self.next_at += OPUS_PACKET;
        let sent = now.saturating_duration_since(self.epoch);
        Stamp { sent, number: self.packets }.write(&mut self.payload);
        // CELT, fullband, 20 ms, mono, one frame (RFC 6716 §3.1).
        self.payload[0] = 0xF8;
        self.packets += 1;
        Some(MediaPacket {
            kind: Kind::Audio,
            layer: 0,
            marker: self.packets == 1,
            timestamp: (self.packets * 960) as u32,
            payload: &self.payload,
        })
    }

    /// When the next packet is due.
    pub fn poll_timeout(&self) -> Instant {
        self.next_at
    }

    /// Packets made.
    pub fn packets(&self) -> u64 {
        self.packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_video_has_its_bitrate_and_begins_with_a_key_frame() {
        let epoch = Instant::now();
        let mut source = VideoSource::new(epoch, VideoSourceConfig::new(epoch));
        let end = epoch + Duration::from_secs(1);
        let (mut bytes, mut keys, mut ends) = (0, Vec::new(), 0);
        while source.poll_timeout() < end || source.frame_left > 0 {
            let now = source.poll_timeout();
            let packet = source.poll_packet(now).expect("it is due");
            if packet.payload[0] & 0x10 != 0 {
                keys.push(packet.payload[4] & 1 == 0);
            }
            ends += usize::from(packet.marker);
            bytes += packet.payload.len();
        }
        assert!((290_000..310_000).contains(&bytes), "{bytes}");
        assert_eq!(keys.iter().position(|key| *key), Some(0));
        assert_eq!(keys.iter().filter(|key| **key).count(), 1);
        assert_eq!(ends, keys.len());
    }

    #[test]
    fn a_key_frame_comes_when_asked_for() {
        let epoch = Instant::now();
        let mut source = VideoSource::new(epoch, VideoSourceConfig::new(epoch));
        for _ in 0..20 {
            source.poll_packet(epoch + Duration::from_secs(9)).expect("it is due");
        }
        assert_eq!(source.key_frames(), 1);
        source.request_key_frame();
        source.poll_packet(epoch + Duration::from_secs(9)).expect("it is due");
        assert_eq!(source.key_frames(), 2);
    }

    #[test]
    fn a_stamp_tells_its_age_and_whether_a_byte_was_changed() {
        let epoch = Instant::now();
        let sent = epoch + Duration::from_millis(7);
        let mut source = AudioSource::new(epoch, epoch);
        let mut payload = source.poll_packet(sent).expect("it is due").payload.to_vec();
        let stamp = Stamp::read(&payload).expect("it is stamped");
        assert_eq!(stamp, Stamp { sent: Duration::from_millis(7), number: 0 });
        assert_eq!(stamp.age(sent + Duration::from_millis(2), epoch), Duration::from_millis(2));
        assert!(Stamp::is_intact(&payload));
        payload[50] ^= 1;
        assert!(!Stamp::is_intact(&payload));
    }
}
