//! Packets of a video frame that come one by one, and are to wait for the rest of it.

use std::time::Duration;

use super::client::{AUDIO_PT, Rtx, VIDEO_PT, inter_frame, key_frame};
use super::net::Net;

const LINGER: Duration = Duration::from_millis(2);
const BETWEEN: Duration = Duration::from_micros(300);

/// A publisher that lingers and its viewer, who has had a whole frame.
fn stage() -> (Net, usize, usize) {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    net.sfu.set_linger(net.clients[publisher].id, LINGER);
    let packet = net.clients[publisher].video_end(0, &key_frame(b"begin"));
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(VIDEO_PT).len(), 1);
    net.transmits.clear();
    (net, publisher, viewer)
}

fn send_packets(net: &mut Net, publisher: usize, count: usize) {
    for _ in 0..count {
        let packet = net.clients[publisher].video(3_000, &inter_frame(b"middle"));
        net.send(publisher, packet);
        net.pass(BETWEEN);
    }
}

/// Segments of each send to the viewer so far.
fn sends_to(net: &Net, viewer: usize) -> Vec<usize> {
    let address = net.clients[viewer].address;
    let to_viewer = net.transmits.iter().filter(|(destination, _)| *destination == address);
    to_viewer.map(|(_, segments)| *segments).collect()
}

#[test]
fn a_frame_leaves_in_one_send_as_soon_as_its_last_packet_is_here() {
    let (mut net, publisher, viewer) = stage();
    send_packets(&mut net, publisher, 5);
    assert_eq!(sends_to(&net, viewer), [], "nothing before the end of the frame");
    let packet = net.clients[publisher].video_end(3_000, &inter_frame(b"middle"));
    net.send(publisher, packet);
    net.settle();
    assert_eq!(sends_to(&net, viewer), [6]);
    let received = net.clients[viewer].received(VIDEO_PT);
    let numbers: Vec<u16> = received.iter().map(|packet| packet.0 - received[0].0).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_frame_whose_end_is_lost_waits_no_longer_than_it_may() {
    let (mut net, publisher, viewer) = stage();
    send_packets(&mut net, publisher, 3);
    net.pass(LINGER - BETWEEN * 3 - Duration::from_micros(1));
    assert_eq!(net.clients[viewer].received(VIDEO_PT).len(), 1);
    net.pass(Duration::from_micros(1));
    assert_eq!(sends_to(&net, viewer), [3]);
    // The next one waits by its own time.
    send_packets(&mut net, publisher, 1);
    net.pass(LINGER - BETWEEN - Duration::from_micros(1));
    assert_eq!(net.clients[viewer].received(VIDEO_PT).len(), 4);
    net.pass(Duration::from_micros(1));
    assert_eq!(net.clients[viewer].received(VIDEO_PT).len(), 5);
}

#[test]
fn sound_does_not_wait_and_takes_along_what_does() {
    let (mut net, publisher, viewer) = stage();
    send_packets(&mut net, publisher, 2);
    let packet = net.clients[publisher].audio(1, b"sound");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
    assert_eq!(net.clients[viewer].received(VIDEO_PT).len(), 3);
    net.transmits.clear();
    net.pass(LINGER);
    assert_eq!(sends_to(&net, viewer), [], "nothing is left");
}

#[test]
fn more_than_one_send_holds_does_not_wait() {
    let (mut net, publisher, viewer) = stage();
    for _ in 0..64 {
        let packet = net.clients[publisher].video(3_000, &inter_frame(b"middle"));
        net.send(publisher, packet);
    }
    net.settle();
    assert_eq!(sends_to(&net, viewer), [64]);
}

#[test]
fn a_publisher_that_goes_takes_what_waits_with_it() {
    let (mut net, publisher, viewer) = stage();
    let packet = net.clients[publisher].video(3_000, &inter_frame(b"middle"));
    net.send(publisher, packet);
    let id = net.clients[publisher].id;
    net.sfu.close_peer(net.now, id);
    net.pass(LINGER * 2);
    assert_eq!(net.clients[viewer].received(VIDEO_PT).len(), 1);
    assert!(net.close_reason(viewer).is_some());
    assert_eq!(net.sfu.statistics().panics, 0);
}
