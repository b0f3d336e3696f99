//! Arbitrary bytes as a compound; every iterator is run to its end, and what our writer can say is
//! written again and read the same.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use odeum_rtp::rtcp::{Nack, RtcpPacket, RtcpWriter, packets};

fuzz_target!(|bytes: &[u8]| {
    for packet in packets(bytes).flatten() {
        exhaust(packet, bytes.len());
        rewrite(packet);
    }
});

fn exhaust(packet: RtcpPacket<'_>, size: usize) {
    let items = match packet {
        RtcpPacket::SenderReport(report) => report.reports().count(),
        RtcpPacket::ReceiverReport(report) => report.reports().count(),
        RtcpPacket::SourceDescription(description) => description.cnames().count(),
        RtcpPacket::Goodbye(goodbye) => goodbye.ssrcs().count(),
        RtcpPacket::FullIntraRequest(request) => request.requests().count(),
        RtcpPacket::ReceiverEstimate(estimate) => estimate.ssrcs().count(),
        RtcpPacket::Nack(nack) => nack.sequence_numbers().count() / 17,
        RtcpPacket::TransportFeedback(feedback) => {
            assert_eq!(feedback.statuses().count(), usize::from(feedback.status_count));
            0
        }
        RtcpPacket::PictureLossIndication(_) | RtcpPacket::Other { .. } => 0,
    };
    assert!(items <= size / 4);
}

fn rewrite(packet: RtcpPacket<'_>) {
    let mut buffer = vec![0; 1 << 19];
    let mut writer = RtcpWriter::new(&mut buffer);
    let written = match packet {
        RtcpPacket::Nack(nack) => {
            writer.nack(nack.sender_ssrc, nack.media_ssrc, nack.sequence_numbers())
        }
        RtcpPacket::SenderReport(report) => {
            writer.sender_report(&report.info, &report.reports().collect::<Vec<_>>())
        }
        RtcpPacket::ReceiverReport(report) => {
            writer.receiver_report(report.ssrc, &report.reports().collect::<Vec<_>>())
        }
        RtcpPacket::TransportFeedback(feedback) => {
            let statuses: Vec<_> = feedback.statuses().map(|(_, status)| status).collect();
            writer.transport_feedback(
                (feedback.sender_ssrc, feedback.media_ssrc),
                feedback.base_sequence,
                feedback.reference_time_64ms,
                feedback.feedback_count,
                &statuses,
            )
        }
        _ => return,
    };
    if written.is_err() {
        return;
    }
    let size = writer.size();
    let again = packets(&buffer[..size]).next().expect("written").expect("own packet is sound");
    match (packet, again) {
        (RtcpPacket::Nack(a), RtcpPacket::Nack(b)) => {
            // A peer may list packets twice or out of order; our bitmasks say each once.
            let set = |nack: Nack<'_>| nack.sequence_numbers().collect::<BTreeSet<u16>>();
            assert_eq!(set(a), set(b));
        }
        (RtcpPacket::SenderReport(a), RtcpPacket::SenderReport(b)) => {
            assert_eq!(a.info, b.info);
            assert!(a.reports().eq(b.reports()));
        }
        (RtcpPacket::ReceiverReport(a), RtcpPacket::ReceiverReport(b)) => {
            assert!(a.reports().eq(b.reports()));
        }
        (RtcpPacket::TransportFeedback(a), RtcpPacket::TransportFeedback(b)) => {
            assert!(a.statuses().eq(b.statuses()));
        }
        (a, b) => panic!("{a:?} became {b:?}"),
    }
}
