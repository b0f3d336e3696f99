//! One who sends.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::bail;
use odeum_client::{
    AudioSource, Kind, MediaPacket, PeerEvent, VideoSource, VideoSourceConfig, WebRtcPeer,
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

/// Sends packets of one size in one call.
fn flush_together(
    peer: &mut WebRtcPeer,
    socket: &UdpSocket,
    kept: &mut Option<VecDeque<Vec<u8>>>,
) -> anyhow::Result<()> {
    let mut run: Option<(SocketAddr, usize)> = None;
    let mut bytes = Vec::new();
    loop {
        let next = peer.poll_transmit();
        let continues = match (&next, run) {
            (Some(next), Some(run)) => run == (next.destination, next.bytes.len()),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if let (false, Some((destination, size))) = (continues, run) {
            segment_sends(socket, u16::try_from(size)?)?;
            socket.send_to(&bytes, destination)?;
            segment_sends(socket, 0)?;
            bytes.clear();
        }
        let Some(next) = next else { return Ok(()) };
        run = Some((next.destination, next.bytes.len()));
        bytes.extend_from_slice(&next.bytes);
        if let Some(kept) = kept {
            if kept.len() == KEPT_MAX {
                kept.pop_front();
            }
            kept.push_back(next.bytes);
        }
    }
}
