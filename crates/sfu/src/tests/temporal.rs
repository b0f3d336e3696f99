//! VP8 in temporal layers: fewer pictures for whom not all reach.

use std::time::Duration;

use odeum_rtp::codec::{FrameLayer, PictureNumbers};
use odeum_rtp::{Marker, PacketKind, RtpPacket};
use odeum_types::Codec;

use super::client::{Rtx, VIDEO_PT};
use super::net::Net;

/// The temporal layers of eight pictures as libvpx sends them in three, and which are layer-sync.
const PATTERN: [(u8, bool); 8] =
    [(0, false), (2, true), (1, true), (2, false), (0, false), (2, false), (1, false), (2, false)];

/// A publisher that sends a picture of one packet of 1,000 bytes every 40 ms: 200 kbit/s, of
/// which the lowest temporal layer takes a quarter and the two lowest a half.
struct Stage {
    net: Net,
    publisher: usize,
    viewer: usize,
    pictures: u16,
}

impl Stage {
    fn new() -> Self {
        let mut net = Net::new();
        let publisher = net.publisher();
        // NACK without RTX: no transport-wide numbers, and it says itself what reaches it.
        let viewer = net.viewer(publisher, Rtx::Left);
        Self { net, publisher, viewer, pictures: 0 }
    }

    fn picture(&mut self) -> Vec<u8> {
        let at = usize::from(self.pictures) % PATTERN.len();
        let (temporal, is_sync) = PATTERN[at];
        let is_key = self.pictures == 0;
        // Begins close to where 15 bits end.
        let [a, b] = (0xFFF0u16.wrapping_add(self.pictures) | 0x8000).to_be_bytes();
        let tl0 = (self.pictures / 4) as u8;
        let layer = temporal << 6 | u8::from(is_sync) << 5;
        let mut payload = vec![0x90, 0xE0, a, b, tl0, layer, u8::from(!is_key)];
        payload.resize(1_000, 7);
        let timestamp = u32::from(self.pictures) * 3_600;
        self.pictures += 1;
        self.net.clients[self.publisher].video(timestamp, &payload)
    }

    fn pictures(&mut self, count: usize) {
        for _ in 0..count {
            let packet = self.picture();
            self.net.send(self.publisher, packet);
            self.net.settle();
            self.net.pass(Duration::from_millis(40));
        }
    }

    fn say(&mut self, kilobits: u64) {
        let ssrc = self.net.video_ssrc_of(self.viewer);
        let told = self.net.clients[self.viewer]
            .rtcp(|writer| writer.receiver_estimate(1, kilobits * 1_000, &[ssrc]).unwrap());
        self.net.send(self.viewer, told);
    }

    /// The temporal layers of the pictures that the viewer has got since it had `before` of them.
    fn temporals(&self, before: usize) -> Vec<u8> {
        let packets = self.net.clients[self.viewer].received(VIDEO_PT);
        let layer = |payload| FrameLayer::of(Codec::Vp8, payload, Marker::Set).unwrap().temporal;
        packets[before..].iter().map(|(.., payload)| layer(payload)).collect()
    }

    fn count(&self) -> usize {
        self.net.clients[self.viewer].received(VIDEO_PT).len()
    }

    /// Packet and picture numbers rise by one, and those of T0 are as the publisher counts them.
    fn check_continuity(&self) {
        let packets = self.net.clients[self.viewer].received(VIDEO_PT);
        for pair in packets.windows(2) {
            let [(before, _, payload), (after, _, next)] = pair else { unreachable!() };
            assert_eq!(before.wrapping_add(1), *after, "no gap, nothing twice");
            let (old, new) = (
                PictureNumbers::of(Codec::Vp8, payload).unwrap(),
                PictureNumbers::of(Codec::Vp8, next).unwrap(),
            );
            assert_eq!(old.offset(new).picture_id, 1);
            assert!(old.offset(new).tl0_picture_index <= 1);
        }
    }
}

#[test]
fn a_viewer_whom_less_reaches_gets_fewer_pictures_and_all_again_when_there_is_room() {
    let mut stage = Stage::new();
    stage.pictures(80);
    assert_eq!(stage.count(), 80, "all, while nothing is said");
    for (kilobits, pictures, highest) in [(150, 40, 1), (60, 20, 0), (130, 40, 1), (300, 80, 2)] {
        stage.say(kilobits);
        // Up at the next layer-sync pictures, down at once.
        stage.pictures(16);
        let before = stage.count();
        stage.pictures(80);
        let temporals = stage.temporals(before);
        assert_eq!(temporals.len(), pictures, "{kilobits} kbit/s");
        assert_eq!(temporals.iter().max(), Some(&highest));
        stage.check_continuity();
    }
    stage.say(10);
    let before = stage.count();
    stage.pictures(8);
    assert_eq!(stage.count(), before, "not even the lowest layer");
}

#[test]
fn it_goes_up_only_with_layer_sync_pictures() {
    let mut stage = Stage::new();
    stage.pictures(80);
    stage.say(60);
    stage.pictures(8);
    stage.say(300);
    let before = stage.count();
    stage.pictures(16);
    // T2 is first met as a layer-sync picture, which is too early without T1.
    let expected = [&[0, 1, 0, 1][..], &[0, 2, 1, 2, 0, 2, 1, 2]].concat();
    assert_eq!(stage.temporals(before), expected);
}

#[test]
fn what_was_missed_is_sent_again_byte_for_byte_when_pictures_are_left_out() {
    let mut stage = Stage::new();
    stage.pictures(80);
    stage.say(150);
    stage.pictures(16);
    let (newest, ..) = *stage.net.clients[stage.viewer].received(VIDEO_PT).last().unwrap();
    stage.net.holds = Some(stage.net.clients[stage.viewer].address);
    let sent = |stage: &mut Stage| -> Vec<Vec<u8>> {
        let held = std::mem::take(&mut stage.net.held).into_iter();
        held.filter(|bytes| PacketKind::of(bytes) == PacketKind::Rtp).collect()
    };
    stage.pictures(16);
    let first = sent(&mut stage);
    assert_eq!(first.len(), 8);
    for sequence in 1..=8 {
        let nack = stage.net.video_nack(stage.viewer, newest.wrapping_add(sequence));
        stage.net.send(stage.viewer, nack);
    }
    stage.net.settle();
    assert_eq!(sent(&mut stage), first);
}

#[test]
fn the_place_of_a_picture_that_comes_too_late_to_be_left_out_is_filled_with_nothing() {
    let mut stage = Stage::new();
    stage.pictures(80);
    stage.say(60);
    stage.pictures(8);
    let before = stage.count();
    let first = stage.picture();
    // Of T2: nobody knows that while it is missing.
    let late = stage.picture();
    stage.net.send(stage.publisher, first);
    stage.pictures(3);
    stage.net.send(stage.publisher, late);
    stage.net.settle();
    let packets = stage.net.clients[stage.viewer].rtp.iter().skip(before);
    let packets: Vec<_> = packets.map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
    let origin = packets[0].header().sequence_number;
    let shown: Vec<_> = packets
        .iter()
        .map(|p| (p.header().sequence_number.wrapping_sub(origin), p.payload().len()))
        .collect();
    assert_eq!(shown, [(0, 1_000), (2, 1_000), (1, 0)]);
}
