//! Media: what comes out at the viewers, and what publishers are asked for.

use std::sync::Arc;
use std::time::Duration;

use odeum_rtp::RtpPacket;
use odeum_rtp::rtcp::{self, RtcpPacket, SenderInfo};
use odeum_rtp::sdp::Direction;
use odeum_srtp::Profile;

use super::client::{
    AUDIO_PT, AUDIO_SSRC, Client, RTX_PT, Rtx, VIDEO_PT, VIDEO_SSRC, inter_frame, key_frame,
};
use super::net::Net;
use crate::PlayTerms;

/// Sends a key frame and `count` more video packets, all in one batch; gives their payloads.
fn publish_video(net: &mut Net, publisher: usize, count: usize) -> Vec<Vec<u8>> {
    let mut payloads = vec![key_frame(&[0xaa; 1_100])];
    payloads.extend((0..count).map(|n| inter_frame(&vec![n as u8; 1_107])));
    for (n, payload) in payloads.iter().enumerate() {
        let packet = net.clients[publisher].video(n as u32 * 3_000, payload);
        net.send(publisher, packet);
    }
    net.settle();
    payloads
}

#[test]
fn payloads_arrive_byte_for_byte_with_contiguous_numbers() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewers = [net.viewer(publisher, Rtx::Offered), net.viewer(publisher, Rtx::Left)];
    let sent = publish_video(&mut net, publisher, 40);
    for n in 0..20u16 {
        let packet = net.clients[publisher].audio(n, &[n as u8; 80]);
        net.send(publisher, packet);
    }
    net.settle();
    for viewer in viewers {
        let video = net.clients[viewer].received(VIDEO_PT);
        assert_eq!(video.len(), sent.len());
        for (n, (sequence, timestamp, payload)) in video.iter().enumerate() {
            assert_eq!(*sequence, video[0].0.wrapping_add(n as u16));
            assert_eq!(timestamp.wrapping_sub(video[0].1), n as u32 * 3_000);
            assert_eq!(payload, &sent[n]);
        }
        let audio = net.clients[viewer].received(AUDIO_PT);
        assert_eq!(audio.len(), 20);
        assert!(audio.iter().enumerate().all(|(n, packet)| packet.2 == vec![n as u8; 80]));
    }
}

#[test]
fn every_srtp_profile_forwards_to_every_other() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewers = Profile::ALL.map(|profile| {
        let viewer = net.viewer(publisher, Rtx::Offered);
        net.rekey(viewer, profile);
        viewer
    });
    for profile in Profile::ALL {
        net.rekey(publisher, profile);
        publish_video(&mut net, publisher, 5);
    }
    for viewer in viewers {
        assert_eq!(net.clients[viewer].received(VIDEO_PT).len(), 3 * 6);
    }
}

#[test]
fn video_begins_with_a_key_frame_and_audio_at_once() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    for payload in [inter_frame(b"lost cause"), key_frame(b"begin"), inter_frame(b"go on")] {
        let packet = net.clients[publisher].video(0, &payload);
        net.send(publisher, packet);
    }
    let packet = net.clients[publisher].audio(9, b"sound");
    net.send(publisher, packet);
    net.settle();
    let video = net.clients[viewer].received(VIDEO_PT);
    assert_eq!(video.len(), 2);
    assert_eq!(video[0].2, key_frame(b"begin"));
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
    assert_eq!(net.sfu.statistics().rtp_held_for_key_frame, 1);
}

#[test]
fn header_extensions_arrive_under_the_viewers_ids_and_transport_numbers_are_our_own() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let packet = net.clients[publisher].audio(9, b"sound");
    net.send(publisher, packet);
    publish_video(&mut net, publisher, 1);
    let received: Vec<_> = net.clients[viewer]
        .rtp
        .iter()
        .map(|bytes| RtpPacket::parse(bytes).unwrap())
        .map(|packet| (packet.header().payload_type, packet.extension(1), packet.extension(3)))
        .collect();
    assert_eq!(received[0], (AUDIO_PT, Some(&[0x85][..]), Some(&[0, 1][..])));
    assert_eq!(received[1], (VIDEO_PT, None, Some(&[0, 2][..])));
}

#[test]
fn a_viewer_gets_the_extensions_that_it_wants_to_receive() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let id = net.clients[publisher].id;
    net.lines = "a=extmap:9/recvonly \
                 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n\
                 a=extmap:10/sendonly urn:3gpp:video-orientation\r\n";
    let client = Client::new(net.now, 77, Arc::clone(&net.client_config));
    let offer = client.offer(Direction::ReceiveOnly, Rtx::Offered) + net.lines;
    let answer =
        net.sfu.create_subscriber(net.now, client.id, PlayTerms::alone(id), &offer).unwrap();
    assert!(answer.sdp.contains("a=extmap:9/sendonly http"), "{}", answer.sdp);
    assert!(!answer.sdp.contains("a=extmap:10"), "{}", answer.sdp);
}

#[test]
fn packets_of_200_viewers_leave_in_long_runs() {
    let mut net = Net::new();
    let publisher = net.publisher();
    for _ in 0..200 {
        net.viewer(publisher, Rtx::Offered);
    }
    publish_video(&mut net, publisher, 0);
    net.transmits.clear();
    for n in 0..10 {
        let packet = net.clients[publisher].video(9_000, &inter_frame(&[n; 1_100]));
        net.send(publisher, packet);
    }
    net.settle();
    let to_viewers = net.transmits.iter().filter(|(_, segments)| *segments == 10).count();
    assert_eq!(to_viewers, 200, "{:?}", net.transmits);
    assert_eq!(net.sfu.statistics().dropped_queue_full, 0);
    assert_eq!(net.sfu.statistics().rtp_forwarded, 200 * 11);
}

#[test]
fn a_nack_is_answered_on_the_retransmission_stream() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let sent = publish_video(&mut net, publisher, 10);
    let lost = net.clients[viewer].received(VIDEO_PT)[4].0;
    let ssrc = net.video_ssrc_of(viewer);
    let nack = net.clients[viewer].rtcp(|writer| writer.nack(1, ssrc, [lost]).unwrap());
    net.send(viewer, nack);
    net.settle();
    let again = net.clients[viewer].received(RTX_PT);
    assert_eq!(again.len(), 1);
    let (original, payload) = again[0].2.split_first_chunk::<2>().unwrap();
    assert_eq!(u16::from_be_bytes(*original), lost);
    assert_eq!(payload, sent[4]);
    assert_eq!(again[0].1, net.clients[viewer].received(VIDEO_PT)[4].1);
}

#[test]
fn without_a_retransmission_stream_the_same_bytes_are_sent_again() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Left);
    publish_video(&mut net, publisher, 10);
    let lost = net.clients[viewer].received(VIDEO_PT)[4].0;
    let ssrc = net.video_ssrc_of(viewer);
    let nack = net.clients[viewer].rtcp(|writer| writer.nack(1, ssrc, [lost]).unwrap());
    net.send(viewer, nack);
    // The client's replay window would refuse it, which is what shows that it is the same index.
    let transmit = net.sfu.poll_transmit().expect("the packet is sent again");
    let mut bytes = transmit.bytes.to_vec();
    let inbound = net.clients[viewer].inbound.as_mut().unwrap();
    let replayed = inbound.unprotect_rtp(&mut bytes);
    assert!(matches!(replayed, Err(odeum_srtp::UnprotectError::Replayed { .. })), "{replayed:?}");
    assert_eq!(net.sfu.statistics().retransmitted, 1);
}

#[test]
fn a_flood_of_nacks_is_answered_within_the_budget() {
    let mut net = Net::with(|config| config.retransmissions_per_second_max = 50);
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    publish_video(&mut net, publisher, 10);
    let lost = net.clients[viewer].received(VIDEO_PT)[4].0;
    let ssrc = net.video_ssrc_of(viewer);
    for _ in 0..100 {
        let nack = net.clients[viewer].rtcp(|writer| writer.nack(1, ssrc, [lost]).unwrap());
        net.send(viewer, nack);
    }
    net.settle();
    assert_eq!(net.sfu.statistics().retransmitted, 10);
    assert_eq!(net.sfu.statistics().retransmission_refused, 90);
}

#[test]
fn what_is_lost_on_the_way_in_is_asked_for_and_fills_the_gap() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    publish_video(&mut net, publisher, 2);
    let lost = net.clients[publisher].skip_video();
    publish_video(&mut net, publisher, 3);
    net.pass(Duration::from_millis(200));
    let asked: Vec<u16> = net.clients[publisher]
        .rtcp
        .iter()
        .flat_map(|compound| rtcp::packets(compound).map(Result::unwrap))
        .filter_map(|packet| match packet {
            RtcpPacket::Nack(nack) if nack.media_ssrc == VIDEO_SSRC => Some(nack),
            _ => None,
        })
        .flat_map(|nack| nack.sequence_numbers())
        .collect();
    assert!(asked.contains(&lost), "{asked:?}");
    assert!(asked.iter().all(|sequence| *sequence == lost), "{asked:?}");

    let mut payload = lost.to_be_bytes().to_vec();
    payload.extend_from_slice(&inter_frame(b"late"));
    let header = odeum_rtp::HeaderWriter {
        marker: odeum_rtp::Marker::Clear,
        payload_type: RTX_PT,
        sequence_number: 1,
        timestamp: 1,
        ssrc: super::client::VIDEO_RTX_SSRC,
        csrcs: &[],
    };
    let packet = net.clients[publisher].protect(&header, &[], &payload);
    net.send(publisher, packet);
    net.settle();
    let mut sequences: Vec<u16> =
        net.clients[viewer].received(VIDEO_PT).iter().map(|packet| packet.0).collect();
    assert_eq!(net.clients[viewer].received(VIDEO_PT).last().unwrap().2, inter_frame(b"late"));
    sequences.sort_unstable();
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "{sequences:?}");
}

#[test]
fn audio_that_did_not_offer_nack_is_not_asked_again() {
    let mut net = Net::new();
    let publisher = net.publisher();
    for sequence in [1, 3, 5] {
        let packet = net.clients[publisher].audio(sequence, b"sound");
        net.send(publisher, packet);
    }
    net.pass(Duration::from_millis(200));
    assert_eq!(net.sfu.statistics().nacks_sent, 0);
}

#[test]
fn key_frame_requests_of_many_viewers_become_few() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewers: Vec<usize> = (0..10).map(|_| net.viewer(publisher, Rtx::Offered)).collect();
    publish_video(&mut net, publisher, 1);
    net.pass(Duration::from_secs(2));
    let before = net.plis_at(publisher);
    let ssrc = net.video_ssrc_of(viewers[0]);
    for viewer in &viewers {
        let pli =
            net.clients[*viewer].rtcp(|writer| writer.picture_loss_indication(1, ssrc).unwrap());
        net.send(*viewer, pli);
    }
    net.settle();
    assert_eq!(net.plis_at(publisher), before + 1);
    publish_video(&mut net, publisher, 1);
    net.pass(Duration::from_secs(2));
    assert_eq!(net.plis_at(publisher), before + 1);
}

#[test]
fn a_viewer_that_joins_makes_the_publisher_send_a_key_frame() {
    let mut net = Net::new();
    let publisher = net.publisher();
    publish_video(&mut net, publisher, 3);
    assert_eq!(net.plis_at(publisher), 0);
    net.viewer(publisher, Rtx::Offered);
    assert_eq!(net.plis_at(publisher), 1);
}

#[test]
fn publishers_get_feedback_on_the_transport_and_reports() {
    let mut net = Net::new();
    let publisher = net.publisher();
    publish_video(&mut net, publisher, 10);
    net.pass(Duration::from_millis(120));
    let packets: Vec<_> = net.clients[publisher]
        .rtcp
        .iter()
        .flat_map(|compound| rtcp::packets(compound).map(Result::unwrap))
        .collect();
    let statuses: usize = packets
        .iter()
        .map(|packet| match packet {
            RtcpPacket::TransportFeedback(feedback) => feedback
                .statuses()
                .filter(|(_, status)| matches!(status, rtcp::PacketStatus::Received { .. }))
                .count(),
            _ => 0,
        })
        .sum();
    assert_eq!(statuses, 11);
    assert!(packets.iter().any(|packet| match packet {
        RtcpPacket::ReceiverReport(report) =>
            report.reports().any(|block| block.ssrc == VIDEO_SSRC && block.cumulative_lost == 0),
        _ => false,
    }));
}

#[test]
fn sender_reports_carry_one_clock_for_both_tracks() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    publish_video(&mut net, publisher, 1);
    let packet = net.clients[publisher].audio(10, b"sound");
    net.send(publisher, packet);
    let ntp = 0x1234_5678_0000_0000;
    for (ssrc, rtp_timestamp) in [(VIDEO_SSRC, 3_000), (AUDIO_SSRC, 9_600)] {
        let info = SenderInfo { ssrc, ntp, rtp_timestamp, packet_count: 2, octet_count: 9 };
        let report = net.clients[publisher].rtcp(|w| w.sender_report(&info, &[]).unwrap());
        net.send(publisher, report);
    }
    net.pass(Duration::from_secs(2));
    let infos: Vec<SenderInfo> = net.clients[viewer]
        .rtcp
        .iter()
        .flat_map(|compound| rtcp::packets(compound).map(Result::unwrap))
        .filter_map(|packet| match packet {
            RtcpPacket::SenderReport(report) => Some(report.info),
            _ => None,
        })
        .collect();
    let video_ssrc = net.video_ssrc_of(viewer);
    let video = infos.iter().find(|info| info.ssrc == video_ssrc).expect("a video report");
    let audio = infos.iter().find(|info| info.ssrc != video_ssrc).expect("an audio report");
    // Each report names a moment; the sources' own clocks say where both tracks were at `ntp`.
    let back = |info: &SenderInfo, rate: u64| {
        let ticks = ((info.ntp - ntp) as u128 * u128::from(rate)) >> 32;
        info.rtp_timestamp.wrapping_sub(ticks as u32)
    };
    let first_video = net.clients[viewer].received(VIDEO_PT)[0].1;
    let first_audio = net.clients[viewer].received(AUDIO_PT)[0].1;
    assert!(back(video, 90_000).wrapping_sub(first_video).abs_diff(3_000) <= 1);
    assert!(back(audio, 48_000).abs_diff(first_audio) <= 1);
    assert_eq!(video.packet_count, 2);
}
