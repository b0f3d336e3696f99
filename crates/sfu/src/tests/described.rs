//! AV1 in two spatial and two temporal layers inside one stream, which its dependency descriptors
//! tell: which of them a viewer gets, and what its descriptors say then.

use std::time::Duration;

use odeum_rtp::dependency_descriptor::{DependencyDescriptor, DependencyStructure};
use odeum_rtp::{HeaderWriter, Marker, PacketKind, RtpPacket};

use super::client::{RTX_PT, Rtx, VIDEO_PT, VIDEO_SSRC};
use super::net::Net;
use crate::{PlayWish, VideoWish};

/// The descriptor's id, and the line that offers it.
const ID: u8 = 6;
const LINE: &str = "a=extmap:6 \
    https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension\r\n";

/// L2T2_KEY: the templates' layers, what they are to the targets (0,0), (0,1), (1,0) and (1,1), and
/// how far back the frame is that they refer to; 0 is none.
const TEMPLATES: [(u8, u8, &str, u32); 6] = [
    (0, 0, "SSSS", 0),
    (0, 0, "SS--", 4),
    (0, 1, "-D--", 2),
    (1, 0, "--SS", 1),
    (1, 0, "--SS", 4),
    (1, 1, "---D", 2),
];

/// Writes bits (A.8.2).
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, width: u32, value: u32) {
        self.0.extend((0..width).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn structure(&mut self) {
        self.put(6, 0);
        self.put(5, 3);
        for pair in TEMPLATES.windows(2) {
            let step = if pair[0].0 < pair[1].0 { 2 } else { u32::from(pair[0].1 < pair[1].1) };
            self.put(2, step);
        }
        self.put(2, 3);
        for (.., indications, _) in TEMPLATES {
            indications.chars().for_each(|each| self.put(2, "-DSR".find(each).unwrap() as u32));
        }
        for (.., back) in TEMPLATES {
            if back > 0 {
                self.put(5, 16 | (back - 1));
            }
            self.put(1, 0);
        }
        // No chains; the sizes.
        self.put(2, 0);
        self.put(1, 1);
        for layer in 0..2 {
            self.put(16, (320 << layer) - 1);
            self.put(16, (180 << layer) - 1);
        }
    }

    fn bytes(mut self) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(8), false);
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.0.chunks(8).map(byte).collect()
    }
}

/// A publisher that sends a picture every 40 ms: of the lower spatial layer one packet, of the
/// higher three, of 500 bytes.
struct Stage {
    net: Net,
    publisher: usize,
    sequence: u16,
    frame: u16,
    pictures: u32,
    /// The next picture is a key picture.
    is_key: bool,
    /// Pictures since the last one.
    phase: u32,
    /// Spatial layers that are sent.
    spatial: u32,
    /// The next picture says which decode targets there are.
    tells: bool,
    /// Which those are, if not all of the spatial layers that are sent.
    targets: Option<u32>,
}

/// A frame as a viewer got it: picture, spatial and temporal layer, the decode targets that its
/// descriptor says are active.
type Got = (u32, u8, u8, Option<u32>);

impl Stage {
    fn new() -> Self {
        let mut net = Net::new();
        (net.codec, net.lines) = ("AV1", LINE);
        let publisher = net.publisher();
        // The frame numbers are about to begin anew.
        let (sequence, frame) = (65_500, 65_530);
        let (is_key, tells) = (true, false);
        Self {
            net,
            publisher,
            sequence,
            frame,
            pictures: 0,
            is_key,
            phase: 0,
            spatial: 2,
            tells,
            targets: None,
        }
    }

    fn picture(&mut self) {
        let is_key = std::mem::take(&mut self.is_key);
        self.phase = if is_key { 0 } else { self.phase + 1 };
        let tells = std::mem::take(&mut self.tells) || is_key && self.spatial < 2;
        for spatial in 0..self.spatial {
            let template = 3 * spatial + if is_key { 0 } else { 1 + self.phase % 2 };
            let packets = 1 + 2 * spatial;
            for packet in 0..packets {
                let (begins, ends) = (packet == 0, packet + 1 == packets);
                let mut bits = Bits::default();
                bits.put(2, u32::from(begins) << 1 | u32::from(ends));
                bits.put(6, template);
                bits.put(16, self.frame.into());
                let has_structure = is_key && spatial == 0 && begins;
                let tells = tells && spatial == 0 && begins;
                if has_structure || tells {
                    bits.put(5, u32::from(has_structure) << 4 | u32::from(tells) << 3);
                }
                if has_structure {
                    bits.structure();
                }
                if tells {
                    bits.put(4, self.targets.unwrap_or((1 << (2 * self.spatial)) - 1));
                }
                let ends_picture = ends && spatial + 1 == self.spatial;
                self.packet(&bits.bytes(), has_structure, ends_picture);
            }
            self.frame = self.frame.wrapping_add(1);
        }
        self.pictures += 1;
        self.net.settle();
        self.net.pass(Duration::from_millis(40));
    }

    fn packet(&mut self, descriptor: &[u8], begins_sequence: bool, ends_picture: bool) {
        let header = HeaderWriter {
            marker: if ends_picture { Marker::Set } else { Marker::Clear },
            payload_type: VIDEO_PT,
            sequence_number: self.sequence,
            timestamp: self.pictures * 3_600,
            ssrc: VIDEO_SSRC,
            csrcs: &[],
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut payload = vec![7; 500];
        // W of one; N begins a coded video sequence.
        payload[0] = 0x10 | u8::from(begins_sequence) << 3;
        let client = &mut self.net.clients[self.publisher];
        let packet = client.protect(&header, &[(ID, descriptor)], &payload);
        self.net.send(self.publisher, packet);
    }

    fn pictures(&mut self, count: usize) {
        (0..count).for_each(|_| self.picture());
    }

    fn wish(&mut self, viewer: usize, wish: VideoWish) {
        let id = self.net.clients[viewer].id;
        self.net.sfu.set_wish(self.net.now, id, PlayWish { video: wish, ..PlayWish::default() });
        self.net.settle();
    }

    /// The frames that a viewer got, all whole, in packets without a gap.
    fn got(&self, viewer: usize) -> Vec<Got> {
        let mut structure = DependencyStructure::default();
        let mut frames: Vec<Got> = Vec::new();
        let mut before: Option<(u16, Marker, u32)> = None;
        for bytes in &self.net.clients[viewer].rtp {
            let packet = RtpPacket::parse(bytes).unwrap();
            let header = packet.header();
            if header.payload_type != VIDEO_PT {
                continue;
            }
            let picture = header.timestamp / 3_600;
            if let Some((sequence, marker, last)) = before {
                assert_eq!(sequence.wrapping_add(1), header.sequence_number);
                assert_eq!(marker == Marker::Set, last != picture, "it ends a picture");
            }
            before = Some((header.sequence_number, header.marker, picture));
            let value = packet.extension(ID).expect("each packet has one");
            if let Some(brought) = DependencyStructure::parse(value).unwrap() {
                structure = brought;
            }
            let descriptor = DependencyDescriptor::parse(value, &structure).unwrap();
            if descriptor.begins_frame {
                let active = descriptor.active.map(|targets| targets.0);
                let frame = descriptor.frame;
                frames.push((picture, frame.spatial_layer, frame.temporal_layer, active));
            }
        }
        let first = frames[0].0;
        frames.iter_mut().for_each(|frame| frame.0 -= first);
        frames
    }
}

#[test]
fn each_viewer_gets_its_layers_and_is_told_which_it_can_expect() {
    let mut stage = Stage::new();
    let [small, large] = [(); 2].map(|()| stage.net.viewer(stage.publisher, Rtx::Offered));
    stage.wish(small, VideoWish::Height(180));
    stage.pictures(20);
    stage.wish(small, VideoWish::Height(180));
    stage.is_key = true;
    stage.pictures(4);
    let from = |frames: Vec<Got>| -> Vec<Got> {
        frames.into_iter().filter(|frame| frame.0 >= 20).collect()
    };
    let (lower, all) = (Some(0b0011), Some(0b1111));
    let expected = [(20, 0, 0, lower), (21, 0, 1, lower), (22, 0, 0, lower), (23, 0, 1, lower)];
    assert_eq!(from(stage.got(small)), expected);
    let expected =
        [(20, 0, 0, all), (20, 1, 0, all), (21, 1, 1, all), (22, 1, 0, all), (23, 1, 1, all)];
    assert_eq!(from(stage.got(large)), expected);
}

#[test]
fn a_viewer_gets_fewer_pictures_at_once_and_more_at_a_frame_that_allows_it() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Left);
    stage.pictures(60);
    let ssrc = stage.net.video_ssrc_of(viewer);
    // 300 kbit/s are sent of the higher layer, half of that in the lowest temporal one.
    for (kilobits, temporal, targets) in [(160, 0, 0b0101), (2_000, 1, 0b1111)] {
        let told = stage.net.clients[viewer]
            .rtcp(|writer| writer.receiver_estimate(1, kilobits * 1_000, &[ssrc]).unwrap());
        stage.net.send(viewer, told);
        let before = stage.got(viewer).len();
        stage.pictures(20);
        let frames = stage.got(viewer).split_off(before);
        assert_eq!(frames.len(), if temporal == 0 { 10 } else { 20 }, "{kilobits} kbit/s");
        assert_eq!(frames.iter().map(|frame| frame.2).max(), Some(temporal));
        assert!(frames.iter().all(|frame| frame.1 == 1 && frame.3 == Some(targets)));
    }
}

#[test]
fn without_descriptors_a_viewer_gets_the_lowest_spatial_layer_alone() {
    let mut stage = Stage::new();
    stage.pictures(1);
    stage.net.lines = "";
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.is_key = true;
    stage.pictures(10);
    let packets = stage.net.clients[viewer].rtp.iter();
    let packets: Vec<_> = packets.map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
    assert_eq!(packets.len(), 10);
    for packet in packets {
        assert_eq!(packet.header().marker, Marker::Set);
        assert_eq!(packet.extension(ID), None);
    }
}

#[test]
fn what_is_sent_again_has_the_descriptor_of_the_first_time() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    let plain = stage.net.viewer(stage.publisher, Rtx::Left);
    for each in [viewer, plain] {
        stage.wish(each, VideoWish::Smallest);
    }
    stage.pictures(10);
    stage.is_key = true;
    stage.pictures(10);
    let packets = stage.net.clients[viewer].rtp.clone();
    let sent: Vec<_> = packets.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
    let has_structure = |packet: &RtpPacket<'_>| packet.extension(ID).unwrap().len() > 16;
    let missed = sent.iter().rfind(|packet| has_structure(packet)).unwrap();
    let sequence = missed.header().sequence_number;
    let nack = stage.net.video_nack(viewer, sequence);
    stage.net.send(viewer, nack);
    stage.net.settle();
    let again = RtpPacket::parse(stage.net.clients[viewer].rtp.last().unwrap()).unwrap();
    assert_eq!(again.header().payload_type, RTX_PT);
    assert_eq!(again.extension(ID), missed.extension(ID));

    // Without a retransmission stream these are the same bytes.
    let (last, ..) = *stage.net.clients[plain].received(VIDEO_PT).last().unwrap();
    stage.net.holds = Some(stage.net.clients[plain].address);
    let rtp = |held: &[Vec<u8>]| -> Vec<Vec<u8>> {
        held.iter().filter(|bytes| PacketKind::of(bytes) == PacketKind::Rtp).cloned().collect()
    };
    stage.is_key = true;
    stage.pictures(4);
    let first = rtp(&stage.net.held);
    assert_eq!(first.len(), 4);
    for sequence in 1..=4 {
        let nack = stage.net.video_nack(plain, last.wrapping_add(sequence));
        stage.net.send(plain, nack);
    }
    stage.net.settle();
    assert_eq!(rtp(&stage.net.held)[4..], first);
}

#[test]
fn a_key_picture_is_asked_for_at_once_when_the_layer_that_a_viewer_gets_is_no_target_any_more() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.pictures(20);
    let (plis, last) = (stage.net.plis_at(stage.publisher), *stage.got(viewer).last().unwrap());
    assert_eq!(last.1, 1);
    (stage.spatial, stage.tells) = (1, true);
    stage.pictures(2);
    assert_eq!(stage.net.plis_at(stage.publisher), plis + 1, "within 80 ms");
    stage.is_key = true;
    stage.pictures(10);
    let frames = stage.got(viewer);
    let since_key: Vec<_> = frames.iter().filter(|frame| frame.0 >= 22).map(|f| f.1).collect();
    assert_eq!(since_key, [0; 10]);
    assert_eq!(stage.net.plis_at(stage.publisher), plis + 1, "one was enough");
}

#[test]
fn fewer_temporal_layers_need_no_key_picture() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.pictures(20);
    let plis = stage.net.plis_at(stage.publisher);
    // The lowest temporal layer of each spatial one.
    stage.targets = Some(0b0101);
    stage.tells = true;
    stage.pictures(10);
    assert_eq!(stage.net.plis_at(stage.publisher), plis);
    assert_eq!(stage.got(viewer).last().unwrap().1, 1);
}
