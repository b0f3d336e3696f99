//! Written packets read back, hand-made bytes, and arbitrary ones.

use proptest::prelude::*;

use super::*;

fn one(bytes: &[u8]) -> RtcpPacket<'_> {
    let mut all = packets(bytes);
    let first = all.next().unwrap().unwrap();
    assert!(all.next().is_none());
    first
}

fn written(write: impl FnOnce(&mut RtcpWriter<'_>)) -> Vec<u8> {
    let mut buffer = vec![0xFF; 2048];
    let mut writer = RtcpWriter::new(&mut buffer);
    write(&mut writer);
    let size = writer.size();
    buffer.truncate(size);
    buffer
}

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 7,
    fraction_lost: 128,
    cumulative_lost: -5,
    extended_highest_sequence: 0x0001_0002,
    jitter: 3,
    last_sender_report: 4,
    delay_since_last_sender_report: 5,
};

#[test]
fn a_compound_is_read_packet_by_packet() {
    let info = SenderInfo {
        ssrc: 1,
        ntp: 0x0102_0304_0506_0708,
        rtp_timestamp: 9,
        packet_count: 10,
        octet_count: 11,
    };
    let bytes = written(|writer| {
        writer.sender_report(&info, &[BLOCK]).unwrap();
        writer.source_description(1, "odeum").unwrap();
        writer.goodbye(&[1, 2]).unwrap();
    });
    let all: Vec<_> = packets(&bytes).map(Result::unwrap).collect();
    let [
        RtcpPacket::SenderReport(report),
        RtcpPacket::SourceDescription(description),
        RtcpPacket::Goodbye(goodbye),
    ] = all[..]
    else {
        panic!("{all:?}")
    };
    assert_eq!(report.info, info);
    assert_eq!(report.reports().collect::<Vec<_>>(), [BLOCK]);
    assert_eq!(description.cnames().collect::<Vec<_>>(), [(1, &b"odeum"[..])]);
    assert_eq!(goodbye.ssrcs().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_receiver_report_may_be_empty() {
    let bytes = written(|writer| writer.receiver_report(9, &[]).unwrap());
    let RtcpPacket::ReceiverReport(report) = one(&bytes) else { panic!() };
    assert_eq!((report.ssrc, report.reports().count()), (9, 0));
}

#[test]
fn a_name_of_each_length_ends_with_a_zero() {
    for size in 0..9 {
        let name = "n".repeat(size);
        let bytes = written(|writer| writer.source_description(1, &name).unwrap());
        let RtcpPacket::SourceDescription(description) = one(&bytes) else { panic!() };
        assert_eq!(description.cnames().collect::<Vec<_>>(), [(1, name.as_bytes())]);
    }
}

#[test]
fn nack_joins_neighbours_across_the_wrap() {
    let missing = [65_530, 65_535, 0, 10, 11, 500];
    let bytes = written(|writer| writer.nack(1, 2, missing).unwrap());
    assert_eq!(bytes.len(), 12 + 3 * 4, "65530..=10, 11, 500");
    let RtcpPacket::Nack(nack) = one(&bytes) else { panic!() };
    assert_eq!((nack.sender_ssrc, nack.media_ssrc), (1, 2));
    assert_eq!(nack.sequence_numbers().collect::<Vec<_>>(), missing);
}

#[test]
fn nack_about_nothing_is_not_written() {
    assert!(written(|writer| writer.nack(1, 2, []).unwrap()).is_empty());
}

#[test]
fn key_frame_requests_name_their_source() {
    let bytes = written(|writer| writer.picture_loss_indication(1, 2).unwrap());
    let expected = PictureLossIndication { sender_ssrc: 1, media_ssrc: 2 };
    assert_eq!(one(&bytes), RtcpPacket::PictureLossIndication(expected));
    let bytes = written(|writer| writer.full_intra_request(1, 2, 3).unwrap());
    let RtcpPacket::FullIntraRequest(request) = one(&bytes) else { panic!() };
    assert_eq!(request.requests().collect::<Vec<_>>(), [(2, 3)]);
}

#[test]
fn an_estimate_keeps_its_upper_18_bits() {
    for (given, read) in
        [(0, 0), (0x3_FFFF, 0x3_FFFF), (0x4_0001, 0x4_0000), (u64::MAX, u64::MAX - (1 << 46) + 1)]
    {
        let bytes = written(|writer| writer.receiver_estimate(1, given, &[2, 3]).unwrap());
        let RtcpPacket::ReceiverEstimate(estimate) = one(&bytes) else { panic!() };
        assert_eq!(estimate.bits_per_second, read);
        assert_eq!(estimate.ssrcs().collect::<Vec<_>>(), [2, 3]);
    }
}

#[test]
fn an_estimate_beyond_64_bits_is_without_bound() {
    let mut bytes = written(|writer| writer.receiver_estimate(1, u64::MAX, &[]).unwrap());
    bytes[17] = 0xFF;
    let RtcpPacket::ReceiverEstimate(estimate) = one(&bytes) else { panic!() };
    assert_eq!(estimate.bits_per_second, u64::MAX);
}

#[test]
fn a_hand_made_feedback_message_is_read() {
    // One run of 2 small deltas, one vector of two-bit symbols, of which 3 count.
    let bytes = [
        0x8F, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFF, 0, 5, 0xFF, 0xFF, 0xFE, 9, 0x20, 2,
        0xE0, 0, 4, 8, 0xFF, 0xFC,
    ];
    let RtcpPacket::TransportFeedback(feedback) = one(&bytes) else { panic!() };
    assert_eq!(feedback.reference_time_64ms, -2);
    assert_eq!(feedback.feedback_count, 9);
    let received = |delta_250us| PacketStatus::Received { delta_250us };
    assert_eq!(
        feedback.statuses().collect::<Vec<_>>(),
        [
            (65_535, received(4)),
            (0, received(8)),
            (1, received(-4)),
            (2, PacketStatus::Lost),
            (3, PacketStatus::Lost)
        ]
    );
}

#[test]
fn feedback_that_a_browser_padded_to_a_word_is_read() {
    // As Chromium sends it: a run of 3 small deltas, then three bytes of padding, the last of
    // which says so.
    let bytes = [
        0xAF, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 3, 0, 0, 1, 9, 0x20, 3, 4, 8, 12, 0, 0, 3,
    ];
    let RtcpPacket::TransportFeedback(feedback) = one(&bytes) else { panic!() };
    let deltas: Vec<_> = feedback.statuses().collect();
    let received = |delta_250us| PacketStatus::Received { delta_250us };
    assert_eq!(deltas, [(7, received(4)), (8, received(8)), (9, received(12))]);
}

#[test]
fn each_kind_of_damage_has_its_error() {
    let first = |bytes: &[u8]| packets(bytes).next().unwrap().unwrap_err();
    assert_eq!(first(&[0x80, 201, 0]), RtcpError::Truncated);
    assert_eq!(first(&[0x80, 201, 0, 1, 0, 0, 0]), RtcpError::Truncated);
    assert_eq!(first(&[0x40, 201, 0, 0]), RtcpError::Version { version: 1 });
    assert_eq!(first(&[0x81, 201, 0, 1, 0, 0, 0, 1]), RtcpError::Body { packet_type: 201 });
    assert_eq!(first(&[0x81, 203, 0, 0]), RtcpError::Body { packet_type: 203 });
    assert_eq!(first(&[0xA0, 201, 0, 1, 0, 0, 0, 5]), RtcpError::Padding);
    let padded = [0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4];
    assert!(matches!(one(&padded), RtcpPacket::ReceiverReport(_)));
    let other = one(&[0x85, 207, 0, 0]);
    assert_eq!(other, RtcpPacket::Other { packet_type: 207, format: 5 });
}

#[test]
fn a_packet_that_does_not_fit_leaves_no_trace() {
    let mut buffer = [0; 20];
    let mut writer = RtcpWriter::new(&mut buffer);
    writer.picture_loss_indication(1, 2).unwrap();
    assert!(writer.picture_loss_indication(1, 2).is_err());
    assert_eq!(writer.size(), 12);
    writer.receiver_report(5, &[]).unwrap();
    assert_eq!(packets(&buffer).filter(Result::is_ok).count(), 2);
}

fn statuses() -> impl Strategy<Value = Vec<PacketStatus>> {
    let status = prop_oneof![
        Just(PacketStatus::Lost),
        (0i16..256).prop_map(|delta_250us| PacketStatus::Received { delta_250us }),
        any::<i16>().prop_map(|delta_250us| PacketStatus::Received { delta_250us }),
    ];
    let runs = proptest::collection::vec((status, 1usize..30), 1..12);
    runs.prop_map(|runs| {
        runs.into_iter().flat_map(|(status, count)| std::iter::repeat_n(status, count)).collect()
    })
}

proptest! {
    #[test]
    fn transport_feedback_round_trips(
        statuses in statuses(),
        base in any::<u16>(),
        reference in -0x80_0000i32..0x80_0000,
        count in any::<u8>(),
    ) {
        let bytes = written(|writer| {
            writer.transport_feedback((1, 2), base, reference, count, &statuses).unwrap();
        });
        let RtcpPacket::TransportFeedback(feedback) = one(&bytes) else { panic!() };
        prop_assert_eq!(feedback.base_sequence, base);
        prop_assert_eq!(feedback.reference_time_64ms, reference);
        prop_assert_eq!(feedback.feedback_count, count);
        let read: Vec<_> = feedback.statuses().collect();
        let expected: Vec<_> = statuses
            .iter()
            .enumerate()
            .map(|(index, status)| (base.wrapping_add(index as u16), *status))
            .collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn nack_round_trips(numbers in proptest::collection::btree_set(any::<u16>(), 1..100)) {
        let bytes = written(|writer| writer.nack(1, 2, numbers.iter().copied()).unwrap());
        let RtcpPacket::Nack(nack) = one(&bytes) else { panic!() };
        prop_assert!(nack.sequence_numbers().eq(numbers));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        packet_type in 199u8..208,
        first in any::<u8>(),
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let words = (body.len() / 4) as u8;
        let mut bytes = vec![0x80 | first & 0x3F, packet_type, 0, words];
        bytes.extend(&body);
        for packet in packets(&bytes).flatten() {
            exhaust(packet);
        }
    }
}

/// Runs every iterator of a packet to its end.
fn exhaust(packet: RtcpPacket<'_>) {
    let items = match packet {
        RtcpPacket::SenderReport(report) => report.reports().count(),
        RtcpPacket::ReceiverReport(report) => report.reports().count(),
        RtcpPacket::SourceDescription(description) => description.cnames().count(),
        RtcpPacket::Goodbye(goodbye) => goodbye.ssrcs().count(),
        RtcpPacket::Nack(nack) => nack.sequence_numbers().count(),
        RtcpPacket::TransportFeedback(feedback) => {
            let count = feedback.statuses().count();
            assert_eq!(count, usize::from(feedback.status_count));
            count
        }
        RtcpPacket::FullIntraRequest(request) => request.requests().count(),
        RtcpPacket::ReceiverEstimate(estimate) => estimate.ssrcs().count(),
        RtcpPacket::PictureLossIndication(_) | RtcpPacket::Other { .. } => 0,
    };
    assert!(items <= 0x1_0000);
}
