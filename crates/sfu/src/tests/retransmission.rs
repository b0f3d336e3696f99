//! Sending again: never other bytes under a number that was used, and whatever is still here.

use std::collections::HashSet;

use odeum_rtp::{HeaderWriter, Marker, PacketKind, RtpHeader};

use super::client::{RTX_PT, Rtx, VIDEO_PT, VIDEO_RTX_SSRC, inter_frame, key_frame};
use super::net::Net;

#[test]
fn a_number_is_never_given_a_second_payload() {
    let mut net = Net::with(|config| {
        config.video_ring_packets = 64;
        config.video_ring_bytes = 8 << 10;
    });
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Left);
    // Eleven of these are more than the ring holds: the first one's bytes are gone.
    let mut first = None;
    for n in 0..11u8 {
        let payload = if n == 0 { key_frame(&[n; 1_100]) } else { inter_frame(&[n; 1_100]) };
        let packet = net.clients[publisher].video(0, &payload);
        first.get_or_insert(u16::from_be_bytes([packet[2], packet[3]]));
        net.send(publisher, packet);
        net.settle();
    }
    let mut payload = first.unwrap().to_be_bytes().to_vec();
    payload.extend_from_slice(&key_frame(b"other bytes under the same number"));
    let header = HeaderWriter {
        marker: Marker::Clear,
        payload_type: RTX_PT,
        sequence_number: 1,
        timestamp: 1,
        ssrc: VIDEO_RTX_SSRC,
        csrcs: &[],
    };
    let packet = net.clients[publisher].protect(&header, &[], &payload);
    net.send(publisher, packet);
    net.settle();
    let received = net.clients[viewer].received(VIDEO_PT);
    assert_eq!(received.len(), 11);
    let nack = net.video_nack(viewer, received[0].0);
    net.send(viewer, nack);
    // The nonce of AES-GCM is made of that number: a second text under it gives the key away.
    assert_eq!(net.sfu.poll_transmit(), None);
    assert_eq!(net.sfu.statistics().retransmission_missed, 1);
}

#[test]
fn a_packet_that_was_left_out_can_be_asked_for_without_a_retransmission_stream() {
    let mut net = Net::with(|config| config.video_ring_packets = 2_048);
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Left);
    // More in one batch than wait for the fan-out.
    for n in 0..1_100u16 {
        let payload = if n == 0 { key_frame(b"first") } else { inter_frame(&n.to_be_bytes()) };
        let packet = net.clients[publisher].video(0, &payload);
        net.send(publisher, packet);
    }
    net.settle();
    let received = net.clients[viewer].received(VIDEO_PT);
    assert_eq!(received.len(), 1_024);
    let next = received.last().unwrap().0.wrapping_add(1);
    // By the next one the viewer sees that there is a gap.
    let packet = net.clients[publisher].video(0, &inter_frame(b"behind the gap"));
    net.send(publisher, packet);
    net.settle();
    let nack = net.video_nack(viewer, next);
    net.send(viewer, nack);
    net.settle();
    let received = net.clients[viewer].received(VIDEO_PT);
    assert_eq!(received.last().unwrap().0, next);
    assert_eq!(received.last().unwrap().2, inter_frame(&1_024u16.to_be_bytes()));
}

#[test]
fn no_two_packets_to_a_viewer_are_encrypted_alike_over_wraps_and_retransmissions() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let (mut streams, mut retransmitted, mut sequences) = (HashSet::new(), 0, HashSet::new());
    for jump in 0..40u32 {
        // Far, so that both sides' numbers wrap several times.
        for _ in 0..if jump == 0 { 0 } else { 20_000 } {
            net.clients[publisher].skip_video();
        }
        for n in 0..20u8 {
            let payload = if n == 0 { key_frame(&[n; 40]) } else { inter_frame(&[n; 40]) };
            let packet = net.clients[publisher].video(jump, &payload);
            net.send(publisher, packet);
        }
        for asks in [true, false] {
            let mut newest = None;
            while let Some(transmit) = net.sfu.poll_transmit() {
                let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
                if transmit.destination.socket != net.clients[viewer].address {
                    continue;
                }
                for sealed in transmit.bytes.chunks(size) {
                    if PacketKind::of(sealed) != PacketKind::Rtp {
                        continue;
                    }
                    let header = RtpHeader::parse(sealed).unwrap();
                    let mut plain = sealed.to_vec();
                    let inbound = net.clients[viewer].inbound.as_mut().unwrap();
                    inbound.unprotect_rtp(&mut plain).unwrap();
                    // Ciphertext XOR plaintext: the key stream, which is the nonce's alone.
                    let texts = sealed[header.size..].iter().zip(&plain[header.size..]);
                    let stream: Vec<u8> = texts.take(16).map(|(a, b)| a ^ b).collect();
                    assert!(streams.insert(stream), "{header:?}");
                    if header.payload_type == RTX_PT {
                        retransmitted += 1;
                    } else {
                        sequences.insert(header.sequence_number >> 12);
                        newest = Some((header.ssrc, header.sequence_number));
                    }
                }
            }
            if let (true, Some((ssrc, newest))) = (asks, newest) {
                let lost = (0..10).map(|back| newest.wrapping_sub(back)).rev();
                let nack = net.clients[viewer].rtcp(|w| w.nack(1, ssrc, lost).unwrap());
                net.send(viewer, nack);
            }
        }
        net.now += std::time::Duration::from_millis(100);
    }
    assert_eq!((streams.len(), retransmitted), (40 * 30, 400));
    assert_eq!(sequences.len(), 16, "the whole circle of numbers was used");
}
