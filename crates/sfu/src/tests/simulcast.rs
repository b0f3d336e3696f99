//! Several layers of one video: which one a viewer gets, how it changes, and what is asked for.

use std::collections::HashSet;
use std::time::Duration;

use odeum_rtp::codec::{PictureNumbers, picture_size};
use odeum_rtp::rtcp::{self, RtcpPacket, SenderInfo};
use odeum_srtp::Profile;
use odeum_types::Codec;

use super::client::{LAYER_SSRCS, RIDS, Rtx, VIDEO_PT, layer_frame, layer_key_frame};
use super::net::Net;
use crate::{PlayWish, SfuEvent, VideoWish};

/// Rows of each layer.
const HEIGHTS: [u16; 3] = [180, 360, 720];

/// A publisher of three layers that sends a frame of each every 40 ms: one packet of the smallest,
/// two and four of the larger ones.
struct Stage {
    net: Net,
    /// VP8 or VP9.
    codec: Codec,
    publisher: usize,
    /// The next sequence number of each layer.
    sequences: [u16; 3],
    /// Frames sent.
    frames: u16,
    /// Layers that are sent.
    sends: [bool; 3],
    /// Layers of which a key frame is sent next.
    keys: [bool; 3],
}

impl Stage {
    fn new() -> Self {
        Self::of(Codec::Vp8)
    }

    fn of(codec: Codec) -> Self {
        let mut net = Net::new();
        net.codec = if codec == Codec::Vp9 { "VP9" } else { "VP8" };
        let publisher = net.simulcast_publisher();
        let (sends, keys) = ([true; 3], [true; 3]);
        Self { net, codec, publisher, sequences: [65_500, 100, 30_000], frames: 0, sends, keys }
    }

    /// Sends a frame of each layer and lets 40 ms pass; answers requests for key frames.
    fn frame(&mut self) {
        self.frames += 1;
        for layer in (0..3).filter(|layer| self.sends[*layer]) {
            let numbers = (500 * layer as u16 + self.frames, self.frames as u8);
            let is_key = std::mem::take(&mut self.keys[layer]);
            for packet in 0..1 << layer {
                let rows = (is_key && packet == 0).then_some(HEIGHTS[layer]);
                let payload = match (self.codec, rows) {
                    (Codec::Vp9, _) => vp9_frame(rows, numbers),
                    (_, Some(rows)) => layer_key_frame(rows, numbers.0, numbers.1),
                    (_, None) => layer_frame(numbers.0, numbers.1),
                };
                // Only the first packets say which layer they are of.
                let rid = (self.frames < 5).then_some(RIDS[layer]);
                let timestamp = 1_000_000 * layer as u32 + u32::from(self.frames) * 3_600;
                let at = (self.sequences[layer], timestamp);
                let client = &mut self.net.clients[self.publisher];
                let packet = client.layer_video(layer, rid, at, &payload);
                self.sequences[layer] = self.sequences[layer].wrapping_add(1);
                self.net.send(self.publisher, packet);
            }
        }
        self.net.settle();
        self.net.pass(Duration::from_millis(40));
        for layer in self.asked() {
            self.keys[layer] = true;
        }
    }

    fn frames(&mut self, count: usize) {
        (0..count).for_each(|_| self.frame());
    }

    /// Layers whose key frames were asked for since the last time.
    fn asked(&mut self) -> Vec<usize> {
        let compounds = std::mem::take(&mut self.net.clients[self.publisher].rtcp);
        let packets = compounds.iter().flat_map(|c| rtcp::packets(c).map(Result::unwrap));
        packets
            .filter_map(|packet| match packet {
                RtcpPacket::PictureLossIndication(pli) => {
                    LAYER_SSRCS.iter().position(|ssrc| *ssrc == pli.media_ssrc)
                }
                _ => None,
            })
            .collect()
    }

    /// A sender report of each layer: all clocks at the same moment.
    fn report(&mut self) {
        for (layer, ssrc) in LAYER_SSRCS.into_iter().enumerate() {
            let rtp_timestamp = 1_000_000 * layer as u32 + u32::from(self.frames) * 3_600;
            let ntp = u64::from(self.frames) * ((1 << 32) / 25);
            let info = SenderInfo { ssrc, ntp, rtp_timestamp, packet_count: 0, octet_count: 0 };
            let report = self.net.clients[self.publisher]
                .rtcp(|writer| writer.sender_report(&info, &[]).unwrap());
            self.net.send(self.publisher, report);
        }
    }

    /// The rows of the key frames that a viewer has got, in order.
    fn heights(&self, viewer: usize) -> Vec<u16> {
        let packets = self.net.clients[viewer].received(VIDEO_PT);
        let key_frames = packets.iter().filter(|packet| packet.2.len() > 100);
        key_frames.map(|packet| picture_size(self.codec, &packet.2).unwrap().height).collect()
    }

    /// What the publisher was last told to send, if it was told anything since it was last asked.
    fn layers_wanted(&mut self) -> Option<Vec<bool>> {
        let events = std::mem::take(&mut self.net.events).into_iter();
        events
            .filter_map(|event| match event {
                SfuEvent::LayersWanted { layers, .. } => Some(layers.iter().collect()),
                _ => None,
            })
            .next_back()
    }

    fn wish(&mut self, viewer: usize, wish: VideoWish) {
        let id = self.net.clients[viewer].id;
        self.net.sfu.set_wish(self.net.now, id, PlayWish { video: wish, ..PlayWish::default() });
        self.net.settle();
    }

    /// What a viewer got is one stream without gaps, whose numbers only rise.
    fn check_continuity(&self, viewer: usize) {
        let packets = self.net.clients[viewer].received(VIDEO_PT);
        let vp8 = |payload: &[u8]| PictureNumbers::of(self.codec, payload).unwrap();
        for pair in packets.windows(2) {
            let [(before, at, payload), (after, then, next)] = pair else { unreachable!() };
            assert_eq!(before.wrapping_add(1), *after, "no gap, nothing twice");
            assert!(then.wrapping_sub(*at) < 90_000, "{at} {then}");
            let step = vp8(payload).offset(vp8(next));
            assert!(step.picture_id <= 1 && step.tl0_picture_index <= 1, "{step:?}");
        }
    }
}

/// A VP9 packet of a key frame, with its rows, or of another frame (RFC 9628 §4.2), not in flexible
/// mode.
fn vp9_frame(rows: Option<u16>, (picture_id, tl0): (u16, u8)) -> Vec<u8> {
    let [a, b] = (picture_id | 0x8000).to_be_bytes();
    let Some(rows) = rows else { return vec![0xEC, a, b, 0, tl0, 9, 9, 9] };
    let mut payload = vec![0xAE, a, b, 0, tl0, 0x10, 2, 0x80];
    payload.extend(rows.to_be_bytes());
    payload.resize(1_000, 7);
    payload
}

#[test]
fn picture_ids_of_vp9_go_on_from_layer_to_layer() {
    let mut stage = Stage::of(Codec::Vp9);
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.frames(30);
    for rows in [180, 720, 360] {
        stage.wish(viewer, VideoWish::Height(rows));
        stage.frames(10);
        assert_eq!(stage.heights(viewer).last(), Some(&rows));
    }
    stage.check_continuity(viewer);
}

#[test]
fn each_viewer_gets_the_layer_that_it_has_use_for() {
    let mut stage = Stage::new();
    let viewers = [(); 3].map(|()| stage.net.viewer(stage.publisher, Rtx::Offered));
    stage.frames(30);
    for (viewer, height) in viewers.into_iter().zip([100, 300, 1_000]) {
        stage.wish(viewer, VideoWish::Height(height));
    }
    stage.frames(30);
    for (viewer, height) in viewers.into_iter().zip(HEIGHTS) {
        assert_eq!(stage.heights(viewer).last(), Some(&height));
        stage.check_continuity(viewer);
    }
}

#[test]
fn a_viewer_changes_layers_at_a_key_frame_and_gets_the_old_one_until_then() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.frames(30);
    assert_eq!(stage.heights(viewer).last(), Some(&720));
    stage.report();
    stage.asked();
    stage.wish(viewer, VideoWish::Smallest);
    assert_eq!(stage.asked(), [0], "only of the layer that it waits for");
    let before = stage.net.clients[viewer].received(VIDEO_PT).len();
    // The publisher is slow to answer.
    stage.keys = [false; 3];
    let mut asked = 0;
    for _ in 0..20 {
        stage.frame();
        asked += usize::from(std::mem::take(&mut stage.keys[0]));
    }
    let meanwhile = stage.net.clients[viewer].received(VIDEO_PT).len() - before;
    assert_eq!(meanwhile, 20 * 4, "the old layer goes on whole");
    assert!((1..=2).contains(&asked), "asked again every 500 ms, not for each packet: {asked}");
    stage.keys[0] = true;
    stage.frames(10);
    assert_eq!(stage.heights(viewer).last(), Some(&180));
    let packets = stage.net.clients[viewer].received(VIDEO_PT);
    let last = packets[before + 80 - 1].1;
    assert_eq!(packets[before + 80].1.wrapping_sub(last), 3_600, "the clocks were told");
    stage.check_continuity(viewer);
}

#[test]
fn a_layer_that_stops_is_left_within_two_seconds_and_found_again() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.frames(30);
    stage.sends[2] = false;
    stage.frames(50);
    assert_eq!(stage.heights(viewer).last(), Some(&360));
    let before = stage.net.clients[viewer].received(VIDEO_PT).len();
    stage.frames(10);
    assert_eq!(stage.net.clients[viewer].received(VIDEO_PT).len(), before + 20);
    stage.sends[2] = true;
    stage.frames(50);
    assert_eq!(stage.heights(viewer).last(), Some(&720));
    stage.check_continuity(viewer);
}

#[test]
fn what_was_missed_before_the_layer_changed_is_still_sent_again() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.frames(30);
    let (sequence, ..) = *stage.net.clients[viewer].received(VIDEO_PT).last().unwrap();
    stage.wish(viewer, VideoWish::Smallest);
    stage.frames(10);
    assert_eq!(stage.heights(viewer).last(), Some(&180));
    for back in 0..4 {
        let nack = stage.net.video_nack(viewer, sequence.wrapping_sub(back));
        stage.net.send(viewer, nack);
    }
    stage.net.settle();
    let statistics = stage.net.sfu.statistics();
    assert_eq!((statistics.retransmitted, statistics.retransmission_missed), (4, 0));
}

#[test]
fn layers_are_told_apart_by_their_ssrc_once_it_is_known_and_strangers_are_refused() {
    let mut stage = Stage::new();
    stage.frames(10);
    let before = stage.net.sfu.statistics().rtp_unknown;
    let stranger = stage.net.clients[stage.publisher].layer_video(
        0,
        Some("no such rid"),
        (65_535, 0),
        &layer_frame(1, 1),
    );
    // Of a known SSRC the rid does not matter.
    stage.net.send(stage.publisher, stranger);
    assert_eq!(stage.net.sfu.statistics().rtp_unknown, before);
    let mut unnamed = Stage::new();
    let packet =
        unnamed.net.clients[unnamed.publisher].layer_video(0, None, (1, 0), &layer_frame(1, 1));
    unnamed.net.send(unnamed.publisher, packet);
    assert_eq!(unnamed.net.sfu.statistics().rtp_unknown, 1);
}

#[test]
fn no_nonce_is_used_twice_while_layers_change() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.net.rekey(viewer, Profile::AeadAes128Gcm);
    stage.frames(10);
    for round in 0..40 {
        let wish = [VideoWish::Smallest, VideoWish::Height(360), VideoWish::Best][round % 3];
        stage.wish(viewer, wish);
        stage.frames(1 + round % 4);
    }
    let packets = stage.net.clients[viewer].rtp.iter();
    let headers = packets.map(|bytes| *odeum_rtp::RtpPacket::parse(bytes).unwrap().header());
    let mut used = HashSet::new();
    let mut count = 0;
    for header in headers {
        count += 1;
        // Fewer than 2^16 packets: the sequence number is the index.
        assert!(used.insert((header.ssrc, header.sequence_number)), "{header:?}");
    }
    assert!(count > 100, "{count}");
    stage.check_continuity(viewer);
}

#[test]
fn a_layer_that_nobody_watches_rests_and_starts_again_for_who_wants_it() {
    let mut stage = Stage::new();
    let viewer = stage.net.viewer(stage.publisher, Rtx::Offered);
    stage.frames(30);
    stage.wish(viewer, VideoWish::Smallest);
    stage.frames(10);
    assert_eq!(stage.heights(viewer).last(), Some(&180));
    assert_eq!(stage.layers_wanted(), None, "it may want more again at once");
    stage.frames(150);
    assert_eq!(stage.layers_wanted(), Some(vec![true, false, false]));
    stage.sends = [true, false, false];
    stage.frames(60);
    assert_eq!(stage.layers_wanted(), None, "once");
    stage.wish(viewer, VideoWish::Height(360));
    stage.frames(15);
    assert_eq!(stage.layers_wanted(), Some(vec![true, true, false]));
    (stage.sends[1], stage.keys[1]) = (true, true);
    stage.frames(5);
    assert_eq!(stage.heights(viewer).last(), Some(&360));
    stage.check_continuity(viewer);
}

#[test]
fn a_viewer_without_transport_feedback_says_itself_what_reaches_it() {
    let mut stage = Stage::new();
    // NACK without RTX: its packets have no transport-wide numbers.
    let viewer = stage.net.viewer(stage.publisher, Rtx::Left);
    stage.frames(30);
    assert_eq!(stage.heights(viewer).last(), Some(&720));
    let say = |stage: &mut Stage, bits_per_second| {
        let ssrc = stage.net.video_ssrc_of(viewer);
        let told = stage.net.clients[viewer]
            .rtcp(|writer| writer.receiver_estimate(1, bits_per_second, &[ssrc]).unwrap());
        stage.net.send(viewer, told);
    };
    say(&mut stage, 1);
    let before = stage.net.clients[viewer].received(VIDEO_PT).len();
    stage.frames(15);
    assert_eq!(stage.net.clients[viewer].received(VIDEO_PT).len(), before, "nothing fits");
    say(&mut stage, 10_000_000);
    stage.frames(30);
    assert_eq!(stage.heights(viewer).last(), Some(&720));
    stage.check_continuity(viewer);
}
