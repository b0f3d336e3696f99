//! Cutting a publisher's tracks and giving them back, as its viewers see it.

use std::time::Duration;

use odeum_types::PeerId;

use super::client::{AUDIO_PT, RTX_PT, Rtx, VIDEO_PT, inter_frame, key_frame};
use super::net::Net;
use crate::CutTracks;

const AUDIO: CutTracks = CutTracks { audio: true, video: false };
const VIDEO: CutTracks = CutTracks { audio: false, video: true };
const BOTH: CutTracks = CutTracks { audio: true, video: true };
const NOTHING: CutTracks = CutTracks { audio: false, video: false };

fn cut(net: &mut Net, publisher: usize, cut: CutTracks) {
    let (now, id) = (net.now, net.clients[publisher].id);
    net.sfu.cut(now, id, cut);
    net.settle();
}

/// A packet of each track.
fn publish(net: &mut Net, publisher: usize, number: u16, video: &[u8]) {
    let packet = net.clients[publisher].video(u32::from(number) * 3_000, video);
    net.send(publisher, packet);
    let packet = net.clients[publisher].audio(number, &number.to_be_bytes());
    net.send(publisher, packet);
    net.settle();
}

fn payloads(net: &Net, viewer: usize, payload_type: u8) -> Vec<Vec<u8>> {
    let received = net.clients[viewer].received(payload_type);
    let first = received.first().map_or(0, |packet| packet.0);
    for (n, (sequence, ..)) in received.iter().enumerate() {
        assert_eq!(*sequence, first.wrapping_add(n as u16), "a gap in {payload_type}");
    }
    received.into_iter().map(|(_, _, payload)| payload).collect()
}

#[test]
fn exactly_the_cut_track_stops_and_comes_back_without_a_gap() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    publish(&mut net, publisher, 0, &key_frame(b"0"));
    cut(&mut net, publisher, AUDIO);
    publish(&mut net, publisher, 1, &inter_frame(b"1"));
    cut(&mut net, publisher, VIDEO);
    publish(&mut net, publisher, 2, &inter_frame(b"2"));
    cut(&mut net, publisher, BOTH);
    publish(&mut net, publisher, 3, &key_frame(b"3"));
    net.pass(Duration::from_secs(1));
    let asked = net.plis_at(publisher);
    cut(&mut net, publisher, NOTHING);
    assert_eq!(net.plis_at(publisher), asked + 1, "video needs a key frame");
    publish(&mut net, publisher, 4, &inter_frame(b"4"));
    publish(&mut net, publisher, 5, &key_frame(b"5"));
    publish(&mut net, publisher, 6, &inter_frame(b"6"));
    let video = [key_frame(b"0"), inter_frame(b"1"), key_frame(b"5"), inter_frame(b"6")];
    assert_eq!(payloads(&net, viewer, VIDEO_PT), video);
    let audio: Vec<Vec<u8>> = [0, 2, 4, 5, 6].map(|n: u16| n.to_be_bytes().to_vec()).into();
    assert_eq!(payloads(&net, viewer, AUDIO_PT), audio);
    assert_eq!(net.sfu.statistics().rtp_cut, 5);
}

#[test]
fn what_was_cut_cannot_be_asked_for() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    publish(&mut net, publisher, 0, &key_frame(b"0"));
    cut(&mut net, publisher, VIDEO);
    publish(&mut net, publisher, 1, &inter_frame(b"secret"));
    let last = net.clients[viewer].received(VIDEO_PT).last().unwrap().0;
    for ahead in 1..4 {
        let nack = net.video_nack(viewer, last.wrapping_add(ahead));
        net.send(viewer, nack);
    }
    net.settle();
    assert_eq!(net.clients[viewer].received(RTX_PT), []);
    cut(&mut net, publisher, NOTHING);
    publish(&mut net, publisher, 2, &key_frame(b"2"));
    let nack = net.video_nack(viewer, last.wrapping_add(1));
    net.send(viewer, nack);
    net.settle();
    let again = net.clients[viewer].received(RTX_PT);
    assert!(again[0].2.ends_with(&key_frame(b"2")), "the number is the next one's")
}

#[test]
fn a_viewer_that_joins_meanwhile_begins_with_the_key_frame_after_the_cut() {
    let mut net = Net::new();
    let publisher = net.publisher();
    cut(&mut net, publisher, BOTH);
    let viewer = net.viewer(publisher, Rtx::Offered);
    assert_eq!(net.plis_at(publisher), 0, "nobody needs a key frame that is cut");
    publish(&mut net, publisher, 0, &key_frame(b"0"));
    cut(&mut net, publisher, NOTHING);
    publish(&mut net, publisher, 1, &key_frame(b"1"));
    assert_eq!(payloads(&net, viewer, VIDEO_PT), [key_frame(b"1")]);
    assert_eq!(payloads(&net, viewer, AUDIO_PT), [1u16.to_be_bytes().to_vec()]);
}

#[test]
fn cutting_who_is_gone_or_does_not_publish_does_nothing() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    cut(&mut net, viewer, BOTH);
    let now = net.now;
    net.sfu.cut(now, PeerId(999), BOTH);
    publish(&mut net, publisher, 0, &key_frame(b"0"));
    assert_eq!(payloads(&net, viewer, VIDEO_PT).len(), 1);
}
