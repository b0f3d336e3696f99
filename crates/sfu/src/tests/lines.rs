//! Lines: which peers share what reaches them, and for how long.

use std::time::Duration;

use odeum_rtp::{RtpPacket, TransportRecorder, TransportRecorderConfig};
use odeum_types::SessionId;

use super::client::{Rtx, key_frame};
use super::net::Net;

#[test]
fn the_peers_of_one_session_share_a_line_that_goes_with_the_last_of_them() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let mut join = |session: Option<u64>| {
        net.session = session.map(SessionId);
        let viewer = net.viewer(publisher, Rtx::Offered);
        (net.clients[viewer].id, net.sfu.lines.count())
    };
    let (first, _) = join(Some(1));
    let (second, counts) = join(Some(1));
    assert_eq!(counts, (1, 1));
    let (other, counts) = join(Some(2));
    assert_eq!(counts, (2, 2), "another session has another one");
    let (alone, counts) = join(None);
    assert_eq!(counts, (3, 2), "so has one without");
    for (peer, counts) in [(first, (3, 2)), (second, (2, 1)), (alone, (1, 1)), (other, (0, 0))] {
        net.sfu.close_peer(net.now, peer);
        assert_eq!(net.sfu.lines.count(), counts);
    }
    net.session = Some(SessionId(1));
    net.viewer(publisher, Rtx::Offered);
    assert_eq!(net.sfu.lines.count(), (1, 1), "it comes back");
}

#[test]
fn lines_go_with_the_publisher_that_all_of_them_play() {
    let mut net = Net::new();
    let publisher = net.publisher();
    for session in [Some(1), Some(1), Some(2), None] {
        net.session = session.map(SessionId);
        net.viewer(publisher, Rtx::Offered);
    }
    assert_eq!(net.sfu.lines.count(), (3, 2));
    net.sfu.close_peer(net.now, net.clients[publisher].id);
    assert_eq!(net.sfu.lines.count(), (0, 0));
}

/// One who plays, and tells what arrives.
struct Player {
    publisher: usize,
    viewer: usize,
    recorder: TransportRecorder,
    /// Packets that were recorded.
    seen: usize,
}

impl Player {
    fn new(net: &mut Net) -> Self {
        let publisher = net.publisher();
        let viewer = net.viewer(publisher, Rtx::Offered);
        let recorder = TransportRecorder::new(net.now, TransportRecorderConfig::default());
        Self { publisher, viewer, recorder, seen: 0 }
    }

    fn is_sent_something(&self, net: &mut Net, timestamp: u32) {
        let packet = net.clients[self.publisher].video(timestamp, &key_frame(&[0; 1_000]));
        net.send(self.publisher, packet);
    }

    fn reports(&mut self, net: &mut Net) {
        let client = &mut net.clients[self.viewer];
        for bytes in &client.rtp[self.seen..] {
            let packet = RtpPacket::parse(bytes).unwrap();
            let number = packet.extension(3).expect("every packet is numbered");
            self.recorder.record(net.now, u16::from_be_bytes(number.try_into().unwrap()));
        }
        self.seen = client.rtp.len();
        if self.recorder.poll_timeout().is_some_and(|at| at <= net.now) {
            let feedback = client.rtcp(|writer| {
                self.recorder.write_feedback(writer, 1, 2).unwrap();
            });
            net.send(self.viewer, feedback);
        }
    }

    fn counts(&self, net: &Net) -> bool {
        let key = net.sfu.by_id[&net.clients[self.viewer].id];
        let transport = net.sfu.peers[key].transport.as_ref().expect("it plays");
        transport.flow.as_ref().expect("its packets are numbered").is_counted()
    }
}

#[test]
fn what_a_session_plays_no_more_counts_for_nothing_when_its_line_is_dealt_out() {
    let mut net = Net::new();
    net.session = Some(SessionId(1));
    let mut players = [(); 2].map(|()| Player::new(&mut net));
    // The second publisher stops after two seconds. The sweep would forget its flow within a second
    // and a half; the deals of what the first one's feedback brings do so after half a second.
    for step in 0..145 {
        let sends = if step < 100 { 2 } else { 1 };
        for player in &players[..sends] {
            player.is_sent_something(&mut net, step * 1_800);
        }
        net.pass(Duration::from_millis(20));
        for player in &mut players {
            player.reports(&mut net);
        }
        net.settle();
        if step == 99 {
            assert!(players.iter().all(|player| player.counts(&net)));
        }
    }
    assert_eq!(players.map(|player| player.counts(&net)), [true, false]);
}
