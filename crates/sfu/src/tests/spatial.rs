//! VP9 in spatial and temporal layers inside one stream: which of them a viewer gets.

use std::time::Duration;

use odeum_rtp::codec::{FrameLayer, Vp9Descriptor};
use odeum_rtp::{HeaderWriter, Marker, RtpPacket};
use odeum_types::Codec;
use proptest::prelude::*;

use super::client::{Rtx, VIDEO_PT, VIDEO_SSRC};
use super::net::Net;
use crate::{PlayWish, VideoWish};

/// The temporal layers of pictures in a row.
const TEMPORAL: [u8; 4] = [0, 2, 1, 2];

/// Packets of a frame of each spatial layer, of 500 bytes.
const PACKETS: [usize; 3] = [1, 2, 4];

/// Which frames refer to the spatial layer below.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// All: L3T3.
    Full,
    /// Those of key pictures: L3T3_KEY.
    Key,
}

/// A publisher of three spatial and three temporal layers, in flexible mode as Chromium sends them,
/// with a picture every 40 ms: 100, 200 and 400 kbit/s.
struct Stage {
    net: Net,
    publisher: usize,
    mode: Mode,
    sequence: u16,
    pictures: u16,
    /// The next picture is a key picture.
    is_key: bool,
    /// The first packet of the next picture comes last.
    delays: bool,
    /// Spatial layers that are sent.
    spatial: u8,
    asked: usize,
}

/// What a viewer got of a picture: its id, its spatial layers, its temporal one.
type Got = (u16, Vec<u8>, u8);

impl Stage {
    fn new(mode: Mode) -> Self {
        let mut net = Net::new();
        net.codec = "VP9";
        let publisher = net.publisher();
        let (sequence, pictures, asked) = (65_500, 0, 0);
        let (is_key, delays, spatial) = (true, false, 3);
        Self { net, publisher, mode, sequence, pictures, is_key, delays, spatial, asked }
    }

    fn payload(&self, spatial: u8, is_key: bool, packet: usize) -> Vec<u8> {
        let temporal = TEMPORAL[usize::from(self.pictures) % 4];
        let is_last = packet + 1 == PACKETS[usize::from(spatial)];
        let is_above = spatial > 0 && (is_key || self.mode == Mode::Full);
        let is_needed = spatial + 1 < self.spatial && (is_key || self.mode == Mode::Full);
        let has_structure = is_key && spatial == 0 && packet == 0;
        let flags = 0xB0
            | u8::from(!is_key) << 6
            | u8::from(packet == 0) << 3
            | u8::from(is_last) << 2
            | u8::from(has_structure) << 1
            | u8::from(!is_needed);
        let [a, b] = (self.pictures | 0x8000).to_be_bytes();
        let layers = temporal << 5 | 1 << 4 | spatial << 1 | u8::from(is_above);
        let mut payload = vec![flags, a, b, layers];
        if !is_key {
            payload.push(1 << 1);
        }
        if has_structure {
            payload.push((self.spatial - 1) << 5 | 0x10);
            for layer in 0..self.spatial {
                payload.extend((320u16 << layer).to_be_bytes());
                payload.extend((180u16 << layer).to_be_bytes());
            }
        }
        payload.resize(500, 7);
        payload
    }

    fn picture(&mut self) {
        let is_key = std::mem::take(&mut self.is_key);
        if is_key {
            self.pictures = self.pictures.next_multiple_of(4);
        }
        let mut delayed = None;
        for spatial in 0..self.spatial {
            for packet in 0..PACKETS[usize::from(spatial)] {
                let is_last = packet + 1 == PACKETS[usize::from(spatial)];
                let ends_picture = is_last && spatial + 1 == self.spatial;
                let header = HeaderWriter {
                    marker: if ends_picture { Marker::Set } else { Marker::Clear },
                    payload_type: VIDEO_PT,
                    sequence_number: self.sequence,
                    timestamp: u32::from(self.pictures) * 3_600,
                    ssrc: VIDEO_SSRC,
                    csrcs: &[],
                };
                self.sequence = self.sequence.wrapping_add(1);
                let payload = self.payload(spatial, is_key, packet);
                let packet = self.net.clients[self.publisher].protect(&header, &[], &payload);
                match std::mem::take(&mut self.delays) {
                    true => delayed = Some(packet),
                    false => self.net.send(self.publisher, packet),
                }
            }
        }
        if let Some(packet) = delayed {
            self.net.send(self.publisher, packet);
        }
        self.pictures += 1;
        self.net.settle();
        self.net.pass(Duration::from_millis(40));
    }

    fn pictures(&mut self, count: usize) {
        (0..count).for_each(|_| self.picture());
    }

    /// Whether a key picture was asked for since the last time.
    fn is_asked(&mut self) -> bool {
        let plis = self.net.plis_at(self.publisher);
        std::mem::replace(&mut self.asked, plis) != plis
    }

    fn wish(&mut self, viewer: usize, wish: VideoWish) {
        let id = self.net.clients[viewer].id;
        self.net.sfu.set_wish(self.net.now, id, PlayWish { video: wish, ..PlayWish::default() });
        self.net.settle();
    }

    fn say(&mut self, viewer: usize, kilobits: u64) {
        let ssrc = self.net.video_ssrc_of(viewer);
        let told = self.net.clients[viewer]
            .rtcp(|writer| writer.receiver_estimate(1, kilobits * 1_000, &[ssrc]).unwrap());
        self.net.send(viewer, told);
    }

    /// The pictures that a viewer got, one whole after the other, in packets without a gap.
    fn got(&self, viewer: usize) -> Vec<Got> {
        let mut pictures: Vec<Got> = Vec::new();
        let mut before: Option<(u16, Marker)> = None;
        for bytes in &self.net.clients[viewer].rtp {
            let packet = RtpPacket::parse(bytes).unwrap();
            let header = packet.header();
            if header.payload_type != VIDEO_PT {
                continue;
            }
            let (sequence, ended) = before.unwrap_or((header.sequence_number, Marker::Set));
            assert!(before.is_none() || sequence.wrapping_add(1) == header.sequence_number);
            before = Some((header.sequence_number, header.marker));
            let layer = FrameLayer::of(Codec::Vp9, packet.payload(), header.marker).unwrap();
            let id = (header.timestamp / 3_600) as u16;
            let is_new = pictures.last().is_none_or(|(last, ..)| *last != id);
            assert_eq!(is_new, ended == Marker::Set, "the marker bit ends a picture");
            if is_new {
                pictures.push((id, Vec::new(), layer.temporal));
            }
            let (.., spatial, _) = pictures.last_mut().unwrap();
            if layer.begins_frame {
                spatial.push(layer.spatial);
            }
            let begins = Vp9Descriptor::parse(packet.payload()).unwrap().begins_frame;
            assert!(begins || spatial.last() == Some(&layer.spatial), "frames are whole");
        }
        pictures
    }

    /// The spatial layers of the last picture that a viewer got.
    fn layers(&self, viewer: usize) -> Vec<u8> {
        self.got(viewer).pop().unwrap().1
    }
}

#[test]
fn each_viewer_gets_the_spatial_layers_that_it_has_use_for_and_no_more() {
    for mode in [Mode::Full, Mode::Key] {
        let mut stage = Stage::new(mode);
        let viewers = [(); 3].map(|()| stage.net.viewer(stage.publisher, Rtx::Offered));
        stage.pictures(20);
        for (viewer, rows) in viewers.into_iter().zip([180, 360, 720]) {
            stage.wish(viewer, VideoWish::Height(rows));
        }
        stage.is_key = true;
        stage.pictures(1);
        let needed = [&[0][..], &[0, 1], &[0, 1, 2]];
        for (viewer, expected) in viewers.into_iter().zip(needed) {
            assert_eq!(stage.layers(viewer), expected, "of a key picture");
        }
        stage.pictures(20);
        for (at, viewer) in viewers.into_iter().enumerate() {
            let expected = match mode {
                Mode::Full => needed[at].to_vec(),
                Mode::Key => vec![at as u8],
            };
            assert_eq!(stage.layers(viewer), expected);
            assert_eq!(stage.got(viewer).len(), 41, "all pictures");
        }
    }
}

#[test]
fn a_viewer_goes_up_at_a_key_picture_and_down_at_once_where_it_has_all_of_the_lower_layer() {
    let mut stage = Stage::new(Mode::Full);
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.pictures(20);
    stage.is_asked();
    stage.wish(viewer, VideoWish::Smallest);
    stage.pictures(1);
    assert_eq!(stage.layers(viewer), [0]);
    assert!(!stage.is_asked());
    stage.wish(viewer, VideoWish::Height(360));
    stage.pictures(5);
    assert_eq!(stage.layers(viewer), [0], "it goes on until then");
    assert!(stage.is_asked());
    stage.is_key = true;
    stage.pictures(5);
    assert_eq!(stage.layers(viewer), [0, 1]);
    assert_eq!(stage.got(viewer).len(), 31);
}

#[test]
fn it_goes_down_at_a_key_picture_where_it_has_not_got_the_lower_layer() {
    let mut stage = Stage::new(Mode::Key);
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.pictures(20);
    stage.is_asked();
    stage.wish(viewer, VideoWish::Smallest);
    stage.pictures(5);
    assert_eq!(stage.layers(viewer), [2], "the old layer goes on");
    assert!(stage.is_asked());
    stage.is_key = true;
    stage.pictures(5);
    assert_eq!(stage.layers(viewer), [0]);
    assert_eq!(stage.got(viewer).len(), 30);
}

#[test]
fn a_key_picture_whose_begin_comes_late_is_asked_for_again() {
    let mut stage = Stage::new(Mode::Key);
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    let highest = |stage: &Stage| {
        let packets = stage.net.clients[viewer].received(VIDEO_PT);
        let (.., payload) = packets.last().unwrap();
        FrameLayer::of(Codec::Vp9, payload, Marker::Clear).unwrap().spatial
    };
    stage.pictures(20);
    stage.wish(viewer, VideoWish::Smallest);
    stage.is_asked();
    (stage.is_key, stage.delays) = (true, true);
    stage.pictures(1);
    stage.pictures(5);
    assert_eq!(highest(&stage), 2, "it was no place to turn");
    stage.pictures(15);
    assert!(stage.is_asked());
    stage.is_key = true;
    stage.pictures(5);
    assert_eq!(highest(&stage), 0);
}

#[test]
fn a_viewer_whom_less_reaches_gets_fewer_pictures_and_then_smaller_ones() {
    let mut stage = Stage::new(Mode::Full);
    let viewer = stage.net.viewer(stage.publisher, Rtx::Left);
    stage.pictures(80);
    for (kilobits, spatial, of_80) in
        [(500, vec![0, 1, 2], 40), (340, vec![0, 1], 80), (60, vec![0], 40), (30, vec![0], 20)]
    {
        stage.say(viewer, kilobits);
        stage.pictures(8);
        let before = stage.got(viewer).len();
        stage.pictures(80);
        assert_eq!(stage.layers(viewer), spatial, "{kilobits} kbit/s");
        assert_eq!(stage.got(viewer).len() - before, of_80, "{kilobits} kbit/s");
    }
    stage.say(viewer, 2_000);
    stage.is_key = true;
    stage.pictures(2);
    assert_eq!(stage.layers(viewer), [0, 1, 2]);
}

#[test]
fn a_spatial_layer_that_stops_is_left_within_two_seconds_and_found_again() {
    for mode in [Mode::Full, Mode::Key] {
        let mut stage = Stage::new(mode);
        let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
        stage.pictures(30);
        stage.spatial = 2;
        for _ in 0..40 {
            stage.is_key |= stage.is_asked();
            stage.picture();
        }
        let before = stage.got(viewer).len();
        stage.pictures(10);
        assert_eq!(stage.layers(viewer).last(), Some(&1));
        assert_eq!(stage.got(viewer).len(), before + 10);
        (stage.spatial, stage.is_key) = (3, true);
        for _ in 0..40 {
            stage.picture();
            stage.is_key |= stage.is_asked();
        }
        assert_eq!(stage.layers(viewer).last(), Some(&2));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_viewer_stands_still_for_a_quarter_of_a_second_at_most_when_its_layer_stops(
        is_key_mode in any::<bool>(),
        sent_before in 14..40usize,
        phase_ms in 0..50u64,
        spatial in 1..3u8,
        rows in prop_oneof![Just(720), Just(500)],
    ) {
        let mut stage = Stage::new(if is_key_mode { Mode::Key } else { Mode::Full });
        let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
        stage.pictures(5);
        stage.wish(viewer, VideoWish::Height(rows));
        stage.net.pass(Duration::from_millis(phase_ms));
        for _ in 0..sent_before {
            stage.is_key |= stage.is_asked();
            stage.picture();
        }
        prop_assert_eq!(stage.layers(viewer).pop(), Some(2));
        stage.spatial = spatial;
        let (mut stood, mut stood_most) = (0, 0);
        for _ in 0..30 {
            stage.is_key |= stage.is_asked();
            let before = stage.net.clients[viewer].rtp.len();
            stage.picture();
            stood = if stage.net.clients[viewer].rtp.len() > before { 0 } else { stood + 1 };
            stood_most = stood_most.max(stood);
        }
        prop_assert!(stood_most <= 6, "{} pictures of 40 ms", stood_most);
        prop_assert_eq!(stage.layers(viewer).pop(), Some(spatial - 1));
        stage.got(viewer);
    }
}
