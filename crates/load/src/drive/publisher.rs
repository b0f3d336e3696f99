//! One who sends.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::bail;
use odeum_client::{
    AudioSource, Kind, MediaPacket, PeerEvent, Transmit, VideoSource, VideoSourceConfig, WebRtcPeer,
};

use super::{bind, flush};
use crate::args::Sending;
use crate::floor::FloorGroup;
use crate::schedule::{FRAME_INTERVAL, SOUND_INTERVAL, Schedule};
use crate::shape::Media;
use crate::sys::{Datagram, ReceiveBatch, segment_sends};

/// Bytes of a video datagram before a server adds header extensions.
const DATAGRAM_BYTES: usize = 1_200;
/// Of them, RTP header and GCM tag.
const OVERHEAD_BYTES: usize = 12 + 16;
/// Packets that the kernel takes in one send (UDP_MAX_SEGMENTS of Linux before 6.9).
const SEND_PACKETS_MAX: usize = 64;
/// Bytes that it takes in one send: what an IPv4 datagram holds behind its header and UDP's.
const SEND_BYTES_MAX: usize = 65_535 - 20 - 8;
/// Datagrams that are kept, where they are: fewer than the server can tell that it has had.
const KEPT_MAX: usize = 64;

/// One who sends.
pub(crate) struct Publisher {
    /// Its transport.
    pub(crate) peer: WebRtcPeer,
    /// Its socket.
    pub(crate) socket: UdpSocket,
    /// Its sound.
    sound: Option<(AudioSource, Schedule)>,
    /// Its picture.
    video: Option<(VideoSource, Schedule)>,
    /// Packets of a frame.
    frame_packets: u32,
    /// Where in the interval its bursts begin, from 0 to 1.
    phase: f64,
    /// Packets sent.
    pub(super) sent: u64,
    /// How many play it.
    pub(super) viewers: u64,
    /// Bytes of a datagram of its sound, and of its video, as they came to a viewer.
    pub(super) datagram_bytes: [usize; 2],
    /// The last datagrams that it sent together, at most [`KEPT_MAX`], if they are kept.
    kept: Option<VecDeque<Vec<u8>>>,
}

impl Publisher {
    /// One whose answer has come.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(super) fn new(
        peer: WebRtcPeer,
        media: Media,
        sending: Sending,
        epoch: Instant,
        phase: f64,
    ) -> anyhow::Result<Self> {
        let now = Instant::now();
        let video = media.frame_packets.map(|packets| {
            let source = VideoSource::new(now, video_config(packets, epoch));
            (source, Schedule::video(packets, sending, now))
        });
        let sound = media.audio.then(|| (AudioSource::new(now, epoch), Schedule::sound(now)));
        Ok(Self {
            peer,
            socket: bind()?,
            sound,
            video,
            frame_packets: media.frame_packets.unwrap_or_default(),
            phase,
            sent: 0,
            viewers: 0,
            datagram_bytes: [0; 2],
            kept: None,
        })
    }

    /// Begins anew within an interval of each track from `now` on.
    pub(super) fn resume(&mut self, now: Instant) {
        if let Some((_, schedule)) = &mut self.video {
            schedule.begin_at(now + FRAME_INTERVAL.mul_f64(self.phase));
        }
        if let Some((_, schedule)) = &mut self.sound {
            schedule.begin_at(now + SOUND_INTERVAL.mul_f64(self.phase));
        }
    }

    /// When the next packet leaves.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let sound = self.sound.as_ref().map(|(_, schedule)| schedule.next_at());
        let video = self.video.as_ref().map(|(_, schedule)| schedule.next_at());
        sound.into_iter().chain(video).min()
    }

    /// Sends what is due.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn send_due(&mut self, now: Instant, sending: Sending) -> anyhow::Result<()> {
        let is_connected = self.peer.is_connected();
        // The sources' own clocks run at most as fast as the schedules: what is due is there.
        if let Some((source, schedule)) = &mut self.sound {
            for _ in 0..schedule.take_due(now) {
                let Some(packet) = source.poll_packet(Instant::now()) else { break };
                self.peer.send_rtp(&packet);
                self.sent += u64::from(is_connected);
            }
        }
        if let Some((source, schedule)) = &mut self.video {
            for _ in 0..schedule.take_due(now) {
                let Some(packet) = source.poll_packet(Instant::now()) else { break };
                self.peer.send_rtp(&packet);
                self.sent += u64::from(is_connected);
            }
        }
        match sending {
            Sending::Singly | Sending::Paced => flush(&mut self.peer, &self.socket),
            Sending::Together => flush_together(&mut self.peer, &self.socket, &mut self.kept),
        }
    }

    /// Sends `count` more packets of video at once, each on its own: for nobody to play.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn send_more(&mut self, count: u64) -> anyhow::Result<()> {
        let payload = [0x10; DATAGRAM_BYTES - OVERHEAD_BYTES];
        for timestamp in 0..count as u32 {
            let kind = Kind::Video;
            self.peer.send_rtp(&MediaPacket {
                kind,
                layer: 0,
                marker: true,
                timestamp,
                payload: &payload,
            });
            flush(&mut self.peer, &self.socket)?;
        }
        Ok(())
    }

    /// From now on keeps what it has sent last.
    pub(crate) fn keep_sent(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// What it has sent last, the oldest first.
    pub(crate) fn sent_last(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.kept.iter().flatten().map(|bytes| &**bytes)
    }

    /// Takes what has come to its socket.
    ///
    /// # Errors
    /// The peer closed, or what the kernel says.
    pub(super) fn receive(&mut self, batch: &mut ReceiveBatch) -> anyhow::Result<()> {
        batch.receive(&self.socket)?;
        let now = Instant::now();
        for Datagram { source, bytes, .. } in batch.datagrams() {
            self.peer.handle_datagram(now, source, bytes);
        }
        while let Some(event) = self.peer.poll_event() {
            match event {
                PeerEvent::KeyFrameRequested => {
                    if let Some((source, _)) = &mut self.video {
                        source.request_key_frame();
                    }
                }
                PeerEvent::Connected { .. } => {}
                PeerEvent::Closed(reason) => bail!("a publisher closed: {reason:?}"),
            }
        }
        flush(&mut self.peer, &self.socket)
    }

    /// What the floor has to send in its place to the viewers at `ports`.
    pub(super) fn floor_groups(&self, ports: Vec<u16>) -> impl Iterator<Item = FloorGroup> {
        let [sound_bytes, video_bytes] = self.datagram_bytes;
        let group = |packet_bytes, burst_packets, interval: Duration| FloorGroup {
            packet_bytes,
            burst_packets,
            interval,
            phase: interval.mul_f64(self.phase),
            ports: ports.clone(),
        };
        let sound = self.sound.as_ref().map(|_| group(sound_bytes, 1, SOUND_INTERVAL));
        let packets = self.frame_packets as usize;
        let video = self.video.as_ref().map(|_| group(video_bytes, packets, FRAME_INTERVAL));
        // Of what nobody has received yet, the size is not known.
        let is_known = |group: &FloorGroup| group.packet_bytes > 0 && !group.ports.is_empty();
        sound.into_iter().chain(video).filter(is_known)
    }
}

fn video_config(frame_packets: u32, epoch: Instant) -> VideoSourceConfig {
    let payload_bytes = DATAGRAM_BYTES - OVERHEAD_BYTES;
    let bits = payload_bytes * 8 * frame_packets as usize;
    VideoSourceConfig {
        bits_per_second: (bits as f64 / FRAME_INTERVAL.as_secs_f64()) as u32,
        payload_bytes,
        burst_packets: frame_packets,
        ..VideoSourceConfig::new(epoch)
    }
}

/// Sends packets of one size in one call, as many as the kernel takes at once.
fn flush_together(
    peer: &mut WebRtcPeer,
    socket: &UdpSocket,
    kept: &mut Option<VecDeque<Vec<u8>>>,
) -> anyhow::Result<()> {
    send_together(socket, std::iter::from_fn(|| peer.poll_transmit()), |bytes| {
        if let Some(kept) = kept {
            if kept.len() == KEPT_MAX {
                kept.pop_front();
            }
            kept.push_back(bytes);
        }
    })
}

/// Sends `transmits` with one call for each run of them that goes to one place in one size, and
/// gives each away once it is in a run. Who stood still for a second has more to send than a run
/// holds.
fn send_together(
    socket: &UdpSocket,
    transmits: impl Iterator<Item = Transmit>,
    mut give: impl FnMut(Vec<u8>),
) -> anyhow::Result<()> {
    let mut transmits = transmits.peekable();
    let mut run = Vec::new();
    while let Some(first) = transmits.next() {
        let (destination, size) = (first.destination, first.bytes.len());
        let packets_max = SEND_PACKETS_MAX.min(SEND_BYTES_MAX / size.max(1));
        run.clear();
        run.extend_from_slice(&first.bytes);
        give(first.bytes);
        for _ in 1..packets_max {
            let same =
                |next: &Transmit| (next.destination, next.bytes.len()) == (destination, size);
            let Some(next) = transmits.next_if(same) else { break };
            run.extend_from_slice(&next.bytes);
            give(next.bytes);
        }
        segment_sends(socket, u16::try_from(size)?)?;
        socket.send_to(&run, destination)?;
        segment_sends(socket, 0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_packets_than_one_send_takes_all_arrive_in_turn() {
        let (from, to) = (bind().unwrap(), bind().unwrap());
        let destination = to.local_addr().unwrap();
        let mut batch = ReceiveBatch::new();
        let mut came = Vec::new();
        // Of 1,200 bytes a send holds 54, of 100 bytes 64, and a run ends where the size changes.
        for sizes in [vec![1_200; 130], vec![100; 130], [vec![1_200; 3], vec![100; 3]].concat()] {
            let transmits = sizes
                .iter()
                .enumerate()
                .map(|(number, size)| Transmit { destination, bytes: vec![number as u8; *size] });
            let mut given = 0;
            send_together(&from, transmits, |_| given += 1).unwrap();
            assert_eq!(given, sizes.len());
            came.clear();
            while batch.receive(&to).unwrap() > 0 {
                came.extend(
                    batch.datagrams().map(|datagram| (datagram.bytes[0], datagram.bytes.len())),
                );
            }
            let sent = sizes.iter().enumerate().map(|(number, size)| (number as u8, *size));
            assert_eq!(came, sent.collect::<Vec<_>>());
        }
    }
}
