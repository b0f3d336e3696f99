//! One stream on two workers: what the mirror's viewers get, what it asks for, and how it ends.

use std::time::Duration;

use odeum_types::PeerId;

use super::client::{AUDIO_PT, Rtx, VIDEO_PT, inter_frame, key_frame};
use super::net::Net;
use crate::{CloseReason, CutTracks, MirrorError, Relayed, SfuEvent};

/// Two workers, and a publisher on the first of them.
struct Pair {
    /// Where the publisher is.
    home: Net,
    /// Where its mirror is.
    other: Net,
    /// The publisher among the clients of `home`.
    publisher: usize,
    /// Its id on both.
    id: PeerId,
}

impl Pair {
    /// A pair with a mirror.
    fn new() -> Self {
        let mut home = Net::new();
        let mut other = Net::new();
        other.first_id = 100;
        let publisher = home.publisher();
        let id = home.clients[publisher].id;
        let terms = home.sfu.begin_relay(id).unwrap();
        other.sfu.create_mirror(other.now, id, &terms).unwrap();
        Self { home, other, publisher, id }
    }

    /// Carries packets one way and requests the other until both are quiet; gives the packets.
    fn settle(&mut self) -> usize {
        self.home.settle();
        let mut crossed = 0;
        while let Some(relayed) = self.home.sfu.poll_relayed() {
            self.other.sfu.handle_relayed(self.other.now, relayed);
            crossed += 1;
        }
        self.other.settle();
        for event in std::mem::take(&mut self.other.events) {
            match event {
                SfuEvent::KeyFrameWanted { publisher, layer } => {
                    self.home.sfu.want_key_frame(self.home.now, publisher, layer);
                }
                event => self.other.events.push(event),
            }
        }
        self.home.settle();
        crossed
    }

    fn pass(&mut self, duration: Duration) {
        self.home.pass(duration);
        self.other.pass(duration);
        self.settle();
    }

    fn publish(&mut self, timestamp: u32, payload: &[u8]) {
        let packet = self.home.clients[self.publisher].video(timestamp, payload);
        self.home.send(self.publisher, packet);
    }
}

#[test]
fn viewers_of_a_mirror_get_what_viewers_at_home_get_and_each_packet_crosses_once() {
    let mut pair = Pair::new();
    let near = pair.home.viewer(pair.publisher, Rtx::Offered);
    let far = [(); 3].map(|()| pair.other.viewer_of(pair.id, Rtx::Offered));
    pair.publish(0, &key_frame(&[1; 1_000]));
    for n in 1..20 {
        pair.publish(n * 3_000, &inter_frame(&[n as u8; 1_000]));
    }
    let audio = pair.home.clients[pair.publisher].audio(1, b"sound");
    pair.home.send(pair.publisher, audio);
    assert_eq!(pair.settle(), 21);
    let payloads = |net: &Net, viewer: usize, payload_type| -> Vec<Vec<u8>> {
        net.clients[viewer].received(payload_type).into_iter().map(|packet| packet.2).collect()
    };
    let expected = payloads(&pair.home, near, VIDEO_PT);
    assert_eq!(expected.len(), 20);
    for viewer in far {
        assert_eq!(payloads(&pair.other, viewer, VIDEO_PT), expected);
        assert_eq!(payloads(&pair.other, viewer, AUDIO_PT), [b"sound".to_vec()]);
    }
    assert_eq!(pair.home.sfu.statistics().relayed, 21);
    assert_eq!(pair.other.sfu.statistics().rtp_mirrored, 21);
    assert_eq!(pair.other.sfu.statistics().nacks_sent, 0);
}

#[test]
fn a_mirror_retransmits_from_its_own_ring() {
    let mut pair = Pair::new();
    let viewer = pair.other.viewer_of(pair.id, Rtx::Offered);
    pair.publish(0, &key_frame(b"begin"));
    pair.publish(0, &inter_frame(b"go on"));
    pair.settle();
    let (sequence, ..) = pair.other.clients[viewer].received(VIDEO_PT)[1];
    let nack = pair.other.video_nack(viewer, sequence);
    pair.other.send(viewer, nack);
    assert_eq!(pair.settle(), 0);
    assert_eq!(pair.other.sfu.statistics().retransmitted, 1);
}

#[test]
fn what_the_client_sends_again_reaches_the_mirror_without_being_asked_for_twice() {
    let mut pair = Pair::new();
    let viewer = pair.other.viewer_of(pair.id, Rtx::Offered);
    pair.publish(0, &key_frame(b"begin"));
    let missing = pair.home.clients[pair.publisher].skip_video();
    pair.publish(3_000, &inter_frame(b"behind the gap"));
    pair.settle();
    pair.pass(Duration::from_millis(50));
    assert_eq!(pair.home.sfu.statistics().nacks_sent, 1);
    let late =
        pair.home.clients[pair.publisher].video_numbered(missing, 0, &inter_frame(b"the gap"));
    pair.home.send(pair.publisher, late);
    pair.settle();
    let received = pair.other.clients[viewer].received(VIDEO_PT);
    assert_eq!(received.len(), 3);
    assert_eq!(received[2].0.wrapping_add(1), received[1].0, "it fills the gap");
}

#[test]
fn a_viewer_that_joins_elsewhere_has_a_key_frame_asked_for_at_home() {
    let mut pair = Pair::new();
    pair.publish(0, &key_frame(b"begin"));
    pair.settle();
    let before = pair.home.plis_at(pair.publisher);
    pair.other.viewer_of(pair.id, Rtx::Offered);
    pair.pass(Duration::from_millis(200));
    assert_eq!(pair.home.plis_at(pair.publisher), before + 1);
    pair.publish(3_000, &key_frame(b"asked for"));
    pair.settle();
    pair.pass(Duration::from_secs(3));
    assert_eq!(pair.home.plis_at(pair.publisher), before + 1, "it came, so nobody asks again");
}

#[test]
fn a_cut_holds_for_a_mirror_made_before_and_for_one_made_after() {
    let mut pair = Pair::new();
    let cut = CutTracks { audio: false, video: true };
    for net in [&mut pair.home, &mut pair.other] {
        net.sfu.cut(net.now, pair.id, cut);
    }
    let mut third = Net::new();
    third.first_id = 200;
    third
        .sfu
        .create_mirror(third.now, pair.id, &pair.home.sfu.begin_relay(pair.id).unwrap())
        .unwrap();
    let viewers =
        (pair.other.viewer_of(pair.id, Rtx::Offered), third.viewer_of(pair.id, Rtx::Offered));
    pair.publish(0, &key_frame(b"not to be seen"));
    pair.home.settle();
    while let Some(relayed) = pair.home.sfu.poll_relayed() {
        pair.other.sfu.handle_relayed(pair.other.now, relayed);
        third.sfu.handle_relayed(third.now, relayed);
    }
    pair.other.settle();
    third.settle();
    assert_eq!(pair.other.clients[viewers.0].received(VIDEO_PT), []);
    assert_eq!(third.clients[viewers.1].received(VIDEO_PT), []);
}

#[test]
fn a_mirror_that_nobody_watches_ends_and_one_whose_publisher_ends_takes_its_viewers_along() {
    let mut pair = Pair::new();
    let viewer = pair.other.viewer_of(pair.id, Rtx::Offered);
    pair.pass(Duration::from_secs(1));
    pair.other.sfu.close_peer(pair.other.now, pair.other.clients[viewer].id);
    pair.pass(Duration::from_millis(100));
    let unwatched = SfuEvent::Closed { peer: pair.id, reason: CloseReason::Unwatched };
    assert!(pair.other.events.contains(&unwatched));

    let terms = pair.home.sfu.begin_relay(pair.id).unwrap();
    pair.other.sfu.create_mirror(pair.other.now, pair.id, &terms).unwrap();
    let viewer = pair.other.viewer_of(pair.id, Rtx::Offered);
    pair.other.sfu.close_peer(pair.other.now, pair.id);
    pair.settle();
    assert_eq!(pair.other.close_reason(viewer), Some(CloseReason::PublisherGone));
    assert_eq!(pair.other.sfu.statistics().peers, 0);
}

#[test]
fn only_a_publisher_of_here_is_relayed_and_only_one_of_elsewhere_mirrored() {
    let mut pair = Pair::new();
    let terms = pair.home.sfu.begin_relay(pair.id).unwrap();
    assert!(pair.other.sfu.begin_relay(pair.id).is_none(), "a mirror is not relayed on");
    assert!(pair.home.sfu.begin_relay(PeerId(77)).is_none());
    let again = pair.home.sfu.create_mirror(pair.home.now, pair.id, &terms);
    assert_eq!(again, Err(MirrorError::PeerExists { peer: pair.id }));
    // Neither for a publisher with a transport nor for nobody.
    let packet =
        |publisher| Relayed { publisher, kind: crate::RelayedKind::Rtp, bytes: &[0x80; 20] };
    pair.home.sfu.handle_relayed(pair.home.now, packet(pair.id));
    pair.home.sfu.handle_relayed(pair.home.now, packet(PeerId(77)));
    assert_eq!(pair.home.sfu.statistics().rtp_mirrored, 0);
    pair.home.sfu.end_relay(pair.id);
    pair.publish(0, &key_frame(b"for home alone"));
    assert_eq!(pair.settle(), 0);
}
