//! How peers come, stay and go.

use std::sync::Arc;
use std::time::Duration;

use odeum_rtp::rtcp::RtcpWriter;
use odeum_rtp::sdp::Direction;
use odeum_types::{Codec, PeerId};

use super::client::{AUDIO_PT, AUDIO_SSRC, Client, Rtx, VIDEO_PT, VIDEO_SSRC, key_frame};
use super::net::Net;
use crate::{CloseReason, MediaFacts, OfferError, PlayTerms, SfuEvent};

#[test]
fn a_connected_peer_is_told_with_its_codecs() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let facts = MediaFacts { audio: Some(Codec::Opus), video: Some(Codec::Vp8) };
    let peer = net.clients[publisher].id;
    assert_eq!(net.events, [SfuEvent::Connected { peer, facts }]);
}

/// What browsers with `max-bundle` need: their first line alone has a transport.
#[test]
fn a_line_without_a_track_is_inactive_and_carries_the_transport() {
    let mut net = Net::new();
    let id = net.clients.len() as u64;
    let mut silent = Client::new(net.now, id, Arc::clone(&net.client_config));
    let offer = silent.offer(Direction::SendOnly, Rtx::Offered);
    let offer = offer.replace("m=audio 9", "m=audio 0").replace("BUNDLE 0 1", "BUNDLE 1");
    let answer = net.sfu.create_publisher(net.now, silent.id, &offer).unwrap();
    silent.take_answer(&answer.sdp);
    let publisher = silent.id;
    net.clients.push(silent);
    net.connect(0);

    let mut viewer = Client::new(net.now, id + 1, Arc::clone(&net.client_config));
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
    let offer = viewer.offer(Direction::ReceiveOnly, Rtx::Offered) + data;
    let answer =
        net.sfu.create_subscriber(net.now, viewer.id, PlayTerms::alone(publisher), &offer).unwrap();
    let answer = viewer.take_answer(&answer.sdp);
    let [audio, video, data] = answer.media() else { panic!("{answer:?}") };
    assert_eq!((audio.direction, video.direction), (Direction::Inactive, Direction::SendOnly));
    assert!(!audio.is_rejected() && !video.is_rejected() && data.is_rejected());
    assert_eq!(audio.formats[0].payload_type, AUDIO_PT);
    assert!(audio.sources.is_empty() && !audio.candidates.is_empty());
    net.clients.push(viewer);
    net.connect(1);
    let packet = net.clients[0].video(0, &key_frame(b"seen"));
    net.send(0, packet);
    net.settle();
    assert_eq!(net.clients[1].received(VIDEO_PT).len(), 1);
}

#[test]
fn a_line_without_a_known_codec_is_rejected() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let mut viewer = Client::new(net.now, 1, Arc::clone(&net.client_config));
    let offer = viewer.offer(Direction::ReceiveOnly, Rtx::Offered).replace("opus/", "pcmu/");
    let publisher = net.clients[publisher].id;
    let answer =
        net.sfu.create_subscriber(net.now, viewer.id, PlayTerms::alone(publisher), &offer).unwrap();
    let answer = viewer.take_answer(&answer.sdp);
    let rejected: Vec<bool> = answer.media().iter().map(|media| media.is_rejected()).collect();
    assert_eq!(rejected, [true, false]);
    assert_eq!(answer.media()[1].candidates, answer.candidates());
}

#[test]
fn a_closed_publisher_ends_its_viewers_and_their_bytes_at_once() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let other = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let elsewhere = net.viewer(other, Rtx::Offered);
    let packet = net.clients[publisher].video(0, &key_frame(b"not to be seen"));
    net.send(publisher, packet);
    net.sfu.close_peer(net.now, net.clients[publisher].id);
    net.settle();
    assert_eq!(net.close_reason(publisher), Some(CloseReason::Commanded));
    assert_eq!(net.close_reason(viewer), Some(CloseReason::PublisherGone));
    assert!(net.clients[viewer].rtp.is_empty());
    assert!(net.clients[viewer].is_closed && net.clients[publisher].is_closed);
    assert_eq!(net.close_reason(elsewhere), None);
    let packet = net.clients[other].video(0, &key_frame(b"still here"));
    net.send(other, packet);
    net.settle();
    assert_eq!(net.clients[elsewhere].received(VIDEO_PT).len(), 1);
    assert_eq!(net.sfu.statistics().peers, 2);
}

#[test]
fn a_viewer_that_goes_leaves_the_others_alone() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let (gone, stays) = (net.viewer(publisher, Rtx::Offered), net.viewer(publisher, Rtx::Offered));
    net.clients[gone].close_dtls();
    net.settle();
    assert_eq!(net.close_reason(gone), Some(CloseReason::RemoteClosed));
    let packet = net.clients[publisher].video(0, &key_frame(b"x"));
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[stays].received(VIDEO_PT).len(), 1);
}

#[test]
fn a_publisher_that_pauses_all_its_tracks_stays() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    // Browsers say BYE for every track whose sending is switched off.
    let goodbye = |w: &mut RtcpWriter<'_>| w.goodbye(&[VIDEO_SSRC, AUDIO_SSRC]).unwrap();
    let goodbye = net.clients[publisher].rtcp(goodbye);
    net.send(publisher, goodbye);
    for _ in 0..5 {
        for at in [publisher, viewer] {
            let check = net.clients[at].check();
            net.send(at, check);
        }
        net.pass(Duration::from_secs(5));
    }
    assert_eq!(net.close_reason(publisher), None);
    let packet = net.clients[publisher].audio(1, b"back");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
}

#[test]
fn a_publisher_that_says_goodbye_and_falls_silent_is_gone_before_others_would_be() {
    let mut net = Net::new();
    let publisher = net.publisher();
    for ssrc in [VIDEO_SSRC, AUDIO_SSRC] {
        let goodbye = net.clients[publisher].rtcp(|writer| writer.goodbye(&[ssrc]).unwrap());
        net.send(publisher, goodbye);
    }
    net.pass(Duration::from_millis(9_900));
    assert_eq!(net.close_reason(publisher), None);
    net.pass(Duration::from_millis(200));
    assert_eq!(net.close_reason(publisher), Some(CloseReason::RemoteClosed));
}

#[test]
fn a_peer_that_never_connects_is_closed() {
    let mut net = Net::new();
    let publisher = net.offered_publisher();
    net.pass(Duration::from_millis(14_900));
    assert_eq!(net.close_reason(publisher), None);
    net.pass(Duration::from_millis(200));
    assert_eq!(net.close_reason(publisher), Some(CloseReason::ConnectTimeout));
    assert_eq!(net.sfu.poll_timeout(), None);
}

#[test]
fn silence_closes_a_peer_and_checks_keep_it() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    for _ in 0..10 {
        net.pass(Duration::from_secs(5));
        let check = net.clients[publisher].check();
        net.send(publisher, check);
    }
    net.settle();
    assert_eq!(net.close_reason(viewer), Some(CloseReason::Silence));
    assert_eq!(net.close_reason(publisher), None);
}

#[test]
fn a_panic_ends_one_viewer_only() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewers = [0; 3].map(|_| net.viewer(publisher, Rtx::Offered));
    let key = net.sfu.by_id[&net.clients[viewers[1]].id];
    net.sfu.peers[key].panics_next = true;
    for n in 0..2 {
        let packet = net.clients[publisher].audio(n, b"sound");
        net.send(publisher, packet);
        net.settle();
    }
    assert_eq!(net.close_reason(viewers[1]), Some(CloseReason::Panicked));
    assert_eq!(net.sfu.statistics().panics, 1);
    assert_eq!(net.clients[viewers[0]].received(AUDIO_PT).len(), 2);
    assert_eq!(net.clients[viewers[2]].received(AUDIO_PT).len(), 2);
}

#[test]
fn a_panic_over_a_publishers_packet_ends_that_publisher_only() {
    let mut net = Net::new();
    let (bad, good) = (net.publisher(), net.publisher());
    let (bad_viewer, good_viewer) = (net.viewer(bad, Rtx::Left), net.viewer(good, Rtx::Left));
    let key = net.sfu.by_id[&net.clients[bad].id];
    net.sfu.peers[key].panics_next = true;
    for publisher in [bad, good] {
        let packet = net.clients[publisher].audio(1, b"sound");
        net.send(publisher, packet);
    }
    net.settle();
    assert_eq!(net.close_reason(bad), Some(CloseReason::Panicked));
    assert_eq!(net.close_reason(bad_viewer), Some(CloseReason::PublisherGone));
    assert_eq!(net.clients[good_viewer].received(AUDIO_PT).len(), 1);
}

#[test]
fn a_panic_over_an_offer_refuses_that_offer_only() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Left);
    let client = Client::new(net.now, 77, net.client_config.clone());
    net.sfu.panics_at_offer = true;
    let offer = client.offer(Direction::SendOnly, Rtx::Offered);
    let refused = net.sfu.create_publisher(net.now, client.id, &offer);
    assert_eq!(refused, Err(OfferError::Panicked));
    assert_eq!(net.sfu.statistics().panics, 1);
    net.sfu.panics_at_offer = false;
    assert!(net.sfu.create_publisher(net.now, client.id, &offer).is_ok());
    let packet = net.clients[publisher].audio(1, b"sound");
    net.send(publisher, packet);
    net.settle();
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
}

#[test]
fn a_panic_at_the_begin_of_a_fan_out_ends_that_publisher_only() {
    let mut net = Net::new();
    let (bad, good) = (net.publisher(), net.publisher());
    let good_viewer = net.viewer(good, Rtx::Left);
    for publisher in [bad, good] {
        let packet = net.clients[publisher].audio(1, b"sound");
        net.send(publisher, packet);
    }
    let key = net.sfu.by_id[&net.clients[bad].id];
    net.sfu.peers[key].panics_next = true;
    net.settle();
    assert_eq!(net.close_reason(bad), Some(CloseReason::Panicked));
    assert_eq!(net.clients[good_viewer].received(AUDIO_PT).len(), 1);
}

#[test]
fn a_panic_at_a_goodbye_stays_with_that_peer() {
    let mut net = Net::new();
    let (bad, good) = (net.publisher(), net.publisher());
    let key = net.sfu.by_id[&net.clients[bad].id];
    net.sfu.peers[key].panics_next = true;
    net.sfu.close_peer(net.now, net.clients[bad].id);
    net.settle();
    assert_eq!(net.close_reason(bad), Some(CloseReason::Commanded));
    assert_eq!(net.close_reason(good), None);
    assert_eq!(net.sfu.statistics().panics, 1);
}

#[test]
fn offers_beyond_the_limits_are_refused() {
    let mut net = Net::with(|config| {
        config.peers_max = 3;
        config.subscribers_per_publisher_max = 1;
    });
    let publisher = net.publisher();
    net.viewer(publisher, Rtx::Offered);
    let client = Client::new(net.now, 77, net.client_config.clone());
    let play = client.offer(Direction::ReceiveOnly, Rtx::Offered);
    let id = net.clients[publisher].id;
    let refused = net.sfu.create_subscriber(net.now, client.id, PlayTerms::alone(id), &play);
    assert_eq!(refused, Err(OfferError::SubscribersMax { subscribers_max: 1 }));
    let refused =
        net.sfu.create_subscriber(net.now, client.id, PlayTerms::alone(PeerId(55)), &play);
    assert_eq!(refused, Err(OfferError::NoPublisher { publisher: PeerId(55) }));
    assert_eq!(
        net.sfu.create_publisher(net.now, client.id, &play),
        Err(OfferError::NothingInCommon)
    );
    let publish = client.offer(Direction::SendOnly, Rtx::Offered);
    assert_eq!(
        net.sfu.create_publisher(net.now, id, &publish),
        Err(OfferError::PeerExists { peer: id })
    );
    assert!(net.sfu.create_publisher(net.now, client.id, &publish).is_ok());
    assert_eq!(
        net.sfu.create_publisher(net.now, PeerId(78), &publish),
        Err(OfferError::PeersMax { peers_max: 3 })
    );
    assert!(matches!(
        net.sfu.create_publisher(net.now, PeerId(78), "v=1"),
        Err(OfferError::PeersMax { .. })
    ));
}

/// OpenSSL's timer, which nobody asks here, goes by the system's clock.
#[expect(clippy::disallowed_methods, reason = "it has no other clock")]
fn let_openssls_timer_run_out() {
    std::thread::sleep(Duration::from_millis(1_100));
}

#[test]
fn a_client_that_takes_more_than_a_second_to_answer_gets_our_last_flight_alone() {
    let mut net = Net::new();
    let at = net.offered_publisher();
    let check = net.clients[at].check();
    net.send(at, check);
    net.settle();
    net.clients[at].start_dtls(net.now);
    for hello in std::mem::take(&mut net.clients[at].outbox) {
        net.send(at, hello);
    }
    while let Some(transmit) = net.sfu.poll_transmit() {
        net.clients[at].handle_datagram(net.now, transmit.bytes);
    }
    let_openssls_timer_run_out();
    net.settle();
    let packet = net.clients[at].audio(1, &[7; 100]);
    net.send(at, packet);
    assert_eq!(net.sfu.statistics().rtp_received, 1);
}
