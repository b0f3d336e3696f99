//! H.264 and H.265 whose publisher leaves its parameter sets out of the stream: viewers get them
//! before each key frame, in numbers without gaps, and nobody else gets them twice.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use odeum_rtp::codec::{ParameterSet, SetKind, begins_random_access};
use odeum_rtp::{Marker, RtpPacket};
use odeum_types::{Codec, PeerId};
use proptest::prelude::*;

use super::client::{RTX_PT, Rtx, VIDEO_PT};
use super::net::Net;
use crate::RelayedKind;

mod stage;

use stage::{Stage, slice};

const H264: &str = "a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;\
    sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\n";
const H264_SINGLE: &str = "a=fmtp:96 profile-level-id=42e01f;packetization-mode=0;\
    sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\n";
const H264_UNSAID: &str = "a=fmtp:96 profile-level-id=42e01f;packetization-mode=1\r\n";
const H265: &str = "a=fmtp:96 sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwA8ugJA;\
    sprop-sps=QgEBAWAAAAMAkAAAAwAAAwA8oAoIDxZbpKTC//AAEAAWoMDAwIAAAAMAgAAAB4Q=;\
    sprop-pps=RAHAcYMS\r\n";

/// The sets of the lines above.
const SPS: [u8; 21] = [
    0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x03, 0xC5, 0x68, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0C, 3, 0xC5,
    0x8B, 0x92,
];
const PPS: [u8; 4] = [0x68, 0xCB, 0x8C, 0xB2];
/// Others of the same names.
const OTHER_SPS: [u8; 20] = [
    0x67, 0x42, 0xC0, 0x1F, 0x8C, 0x8D, 0x40, 0x50, 0x1E, 0xD3, 0x50, 0x60, 0x60, 0x60, 0x78, 0x44,
    0x23, 0x50, 0, 0,
];
const OTHER_PPS: [u8; 4] = [0x68, 0xCE, 0x3C, 0x80];

fn aggregate(units: &[&[u8]]) -> Vec<u8> {
    let unit = |unit: &&[u8]| [&(unit.len() as u16).to_be_bytes()[..], unit].concat();
    [vec![0x78], units.iter().flat_map(unit).collect()].concat()
}

#[test]
fn sets_that_stand_in_sdp_alone_go_before_each_key_frame_at_its_time() {
    for (lines, sets) in [
        (H264, vec![aggregate(&[&SPS, &PPS])]),
        (H264_SINGLE, vec![SPS.to_vec(), PPS.to_vec()]),
        (H265, vec![]),
    ] {
        let mut stage = Stage::new(lines, Rtx::Offered);
        for is_key in [true, false, false, true, false] {
            stage.picture(is_key, &[]);
        }
        let received = stage.received();
        let (codec, before) = (stage.codec, sets.len().max(1));
        assert_eq!(received.len(), 5 + 2 * before, "{lines}");
        stage.kinds();
        for key in [0, before + 3] {
            let (put_in, rest) = received[key..].split_at(before);
            assert!(begins_random_access(codec, &rest[0].2), "{lines}");
            assert!(put_in.iter().all(|(_, timestamp, _)| *timestamp == rest[0].1));
            let payloads: Vec<_> = put_in.iter().map(|(.., payload)| payload.clone()).collect();
            if codec == Codec::H264 {
                assert_eq!(payloads, sets);
                continue;
            }
            assert_eq!(payloads[0][..2], [96, 1]);
            let kinds = ParameterSet::all(codec, &payloads[0]).map(|set| set.name.kind);
            assert_eq!(kinds.collect::<Vec<_>>(), SetKind::needed(codec));
        }
        let packets = stage.net.clients[stage.viewer].rtp.iter();
        let marked = packets.filter(|bytes| {
            RtpPacket::parse(bytes).is_ok_and(|packet| packet.header().marker == Marker::Set)
        });
        assert_eq!(marked.count(), 5, "the ends of pictures alone");
        assert_eq!(stage.net.sfu.statistics().nacks_sent, 0);
        assert_eq!(stage.net.plis_at(stage.publisher), 1, "that of joining");
    }
}

#[test]
fn what_was_put_in_is_sent_again_to_whom_it_did_not_reach() {
    let mut stage = Stage::new(H264, Rtx::Offered);
    stage.picture(true, &[]);
    stage.picture(false, &[]);
    let first = stage.received()[0].0;
    let nack = stage.net.video_nack(stage.viewer, first);
    stage.net.send(stage.viewer, nack);
    stage.net.settle();
    let again = stage.net.clients[stage.viewer].received(RTX_PT);
    let expected = [&first.to_be_bytes()[..], &aggregate(&[&SPS, &PPS])].concat();
    assert_eq!(again.last().unwrap().2, expected);
    assert_eq!(stage.net.sfu.statistics().retransmission_missed, 0);
}

#[test]
fn a_stream_that_has_its_sets_in_band_stays_as_it_is() {
    let (together, delimiter, information) =
        (aggregate(&[&SPS, &PPS]), [0x09, 0xF0], [0x06, 5, 1, 0x80]);
    for before in [
        &[&together[..]][..],
        &[&SPS, &PPS],
        &[&delimiter, &SPS, &PPS, &information],
        &[&together, &information],
    ] {
        let mut stage = Stage::new(H264, Rtx::Offered);
        stage.picture(true, before);
        stage.picture(false, &[]);
        stage.picture(true, before);
        // What comes before the first set is nothing to begin with.
        let held = before.iter().take_while(|payload| payload[0] == 0x09).count();
        assert_eq!(stage.received().len(), 3 + 2 * before.len() - held, "{before:x?}");
    }
    // The sets and the picture in one packet.
    let mut stage = Stage::new(H264, Rtx::Offered);
    stage.send(&aggregate(&[&SPS, &PPS, &[0x65, 0x88, 1]]));
    stage.send(&[0x41, 0x9A]);
    assert_eq!(stage.kinds(), [0x78, 0x41]);
}

#[test]
fn sets_that_came_once_are_repeated_until_others_come() {
    let mut stage = Stage::new(H264_UNSAID, Rtx::Offered);
    stage.picture(true, &[&SPS, &PPS]);
    stage.picture(true, &[]);
    stage.picture(true, &[&OTHER_SPS, &OTHER_PPS]);
    stage.picture(true, &[]);
    assert_eq!(stage.kinds(), [0x67, 0x68, 0x65, 0x78, 0x65, 0x67, 0x68, 0x65, 0x78, 0x65]);
    let received = stage.received();
    assert_eq!(received[3].2, aggregate(&[&SPS, &PPS]));
    assert_eq!(received[8].2, aggregate(&[&OTHER_SPS, &OTHER_PPS]));
    // Those of SDP are out of date then as well.
    let mut stage = Stage::new(H264, Rtx::Offered);
    stage.picture(true, &[&OTHER_SPS, &OTHER_PPS]);
    stage.picture(true, &[]);
    assert_eq!(stage.received()[3].2, aggregate(&[&OTHER_SPS, &OTHER_PPS]));
}

#[test]
fn many_small_key_frames_do_not_make_viewers_be_sent_many_times_their_bytes() {
    let mut stage = Stage::new(H264_UNSAID, Rtx::Left);
    // Picture parameter sets 127 to 132, of which every other one fits no payload.
    let long = |id: u8| {
        let mut unit = vec![0x68, 1, id << 1];
        unit.resize([1_080, 1_400][usize::from(id % 2)], 0x80);
        unit
    };
    let sets: Vec<_> = (0..6).map(long).collect();
    let sets: Vec<_> = [&SPS[..], &PPS].into_iter().chain(sets.iter().map(|s| &s[..])).collect();
    stage.picture(true, &sets);
    let before = stage.received().len();
    // A second of them, a millisecond apart, of which two have the same time.
    for key in 0..1_000 {
        stage.timestamp += 90 * (key % 2);
        let payload = slice(Codec::H264, true, stage.sequence);
        stage.send(&payload);
        stage.net.pass(Duration::from_millis(1));
    }
    stage.kinds();
    let received = stage.received().split_off(before);
    let is_put_in = |payload: &[u8]| payload[0] != 0x65;
    let (put_in, rest): (Vec<_>, Vec<_>) = received.iter().partition(|(.., p)| is_put_in(p));
    assert_eq!(rest.len(), 1_000);
    let bytes: usize = put_in.iter().map(|(.., payload)| payload.len()).sum();
    assert!(!put_in.is_empty() && bytes <= 10 * 2_400, "{bytes} bytes");
    // All of them are there each time.
    let times: HashSet<_> = put_in.iter().map(|(_, timestamp, _)| *timestamp).collect();
    assert!(times.len() <= 10 && put_in.len() == 4 * times.len(), "{}", put_in.len());
}

#[test]
fn of_key_frames_in_quick_succession_viewers_begin_with_one_that_has_its_sets() {
    let mut stage = Stage::new(H264, Rtx::Offered);
    stage.picture(true, &[]);
    let mut key = |after: Duration, ticks: u32| {
        stage.net.pass(after);
        stage.timestamp += ticks;
        let payload = slice(Codec::H264, true, stage.sequence);
        stage.send(&payload);
    };
    key(Duration::ZERO, 900);
    // Too soon, and of the same time.
    key(Duration::from_millis(99), 900);
    key(Duration::from_millis(1), 900);
    key(Duration::from_millis(200), 0);
    assert_eq!(stage.kinds(), [0x78, 0x65, 0x78, 0x65, 0x65, 0x78, 0x65, 0x65]);
    // A viewer that comes now does not begin with one that has none.
    let late = stage.net.viewer_of(stage.net.clients[stage.publisher].id, Rtx::Offered);
    let payload = slice(Codec::H264, true, stage.sequence);
    stage.send(&payload);
    assert_eq!(stage.net.clients[late].received(VIDEO_PT).len(), 0);
    stage.picture(true, &[]);
    let received = stage.net.clients[late].received(VIDEO_PT);
    assert_eq!(received.iter().map(|(.., p)| p[0]).collect::<Vec<_>>(), [0x78, 0x65]);
}

#[test]
fn sets_that_are_only_late_are_not_repeated() {
    let mut stage = Stage::new(H264, Rtx::Offered);
    let together = aggregate(&[&OTHER_SPS, &OTHER_PPS]);
    stage.picture(true, &[&together]);
    stage.timestamp += 3_600;
    let late = stage.packet(Marker::Clear, &together);
    stage.picture(true, &[]);
    stage.net.send(stage.publisher, late);
    stage.net.settle();
    stage.picture(false, &[]);
    let received = stage.received();
    let first = received[0].0;
    let places: Vec<_> = received.iter().map(|(at, _, p)| (at.wrapping_sub(first), p[0])).collect();
    assert_eq!(places, [(0, 0x78), (1, 0x65), (3, 0x65), (2, 0x78), (4, 0x41)]);
    assert_eq!(received[3].2, together);
}

#[test]
fn nobody_begins_with_a_key_frame_that_comes_too_late_for_its_sets() {
    let mut stage = Stage::new(H264, Rtx::Offered);
    stage.timestamp += 3_600;
    let key = slice(Codec::H264, true, 0);
    let late = stage.packet(Marker::Clear, &key);
    stage.picture(false, &[]);
    stage.net.send(stage.publisher, late);
    stage.net.settle();
    assert_eq!(stage.received().len(), 0);
    stage.picture(true, &[]);
    assert_eq!(stage.kinds(), [0x78, 0x65]);
}

#[test]
fn viewers_of_a_mirror_get_them_too_also_those_that_came_before_it() {
    let mut home = Stage::new(H264_UNSAID, Rtx::Offered);
    home.picture(true, &[&SPS, &PPS]);
    let publisher: PeerId = home.net.clients[home.publisher].id;
    let terms = home.net.sfu.begin_relay(publisher).unwrap();
    let mut other = Net::new();
    (other.codec, other.lines, other.first_id) = ("H264", H264_UNSAID, 10);
    other.sfu.create_mirror(other.now, publisher, &terms).unwrap();
    let viewer = other.viewer_of(publisher, Rtx::Offered);
    for is_key in [true, false] {
        home.picture(is_key, &[]);
    }
    while let Some(relayed) = home.net.sfu.poll_relayed() {
        if relayed.kind == RelayedKind::Rtp {
            other.sfu.handle_relayed(other.now, relayed);
        }
    }
    other.settle();
    let received = other.clients[viewer].received(VIDEO_PT);
    assert_eq!(received.iter().map(|(.., p)| p[0]).collect::<Vec<_>>(), [0x78, 0x65, 0x41]);
    assert_eq!(received[0].2, aggregate(&[&SPS, &PPS]));
}

#[test]
fn layers_of_simulcast_get_none_of_sdp() {
    let mut net = Net::new();
    (net.codec, net.lines) = ("H264", H264);
    let publisher = net.simulcast_publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    for layer in 0..3 {
        let at = (100, 3_600);
        let payload = slice(Codec::H264, true, 0);
        let packet =
            net.clients[publisher].layer_video(layer, Some(["q", "h", "f"][layer]), at, &payload);
        net.send(publisher, packet);
    }
    net.settle();
    let received = net.clients[viewer].received(VIDEO_PT);
    assert!(!received.is_empty() && received.iter().all(|(.., payload)| payload[0] == 0x65));
}

/// What happens to a packet on its way to the server.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    Lost,
    /// It comes behind so many others.
    Late(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        2 => (1..12usize).prop_map(Fate::Late),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_lost_or_late_no_number_stands_for_two_packets_and_their_order_stays(
        lines in prop_oneof![Just(H264), Just(H264_SINGLE), Just(H265)],
        pictures in prop::collection::vec((any::<bool>(), 1..4usize), 1..60),
        fates in prop::collection::vec(fate(), 60),
    ) {
        let mut stage = Stage::new(lines, Rtx::Offered);
        let (count, lost) = stage.send_all(&pictures, &fates);
        let received = stage.received();
        let first = received[0].0;
        let mut packets = HashMap::new();
        for (sequence, timestamp, payload) in &received {
            let before = packets.insert(sequence.wrapping_sub(first), (*timestamp, payload));
            prop_assert!(before.is_none(), "a number is used twice");
        }
        let is_put_in = |payload: &[u8]| ParameterSet::all(stage.codec, payload).next().is_some();
        let sent = received.iter().filter(|(.., payload)| !is_put_in(payload)).count();
        prop_assert_eq!(sent, 1 + count - lost, "what came goes on");
        let mut places: Vec<_> = packets.keys().copied().collect();
        places.sort_unstable();
        let last = usize::from(*places.last().unwrap());
        prop_assert!(last + 1 - places.len() <= lost, "{lost} were lost");
        let mut number: Option<u16> = None;
        for place in &places {
            let (_, payload) = packets[place];
            if is_put_in(payload) {
                continue;
            }
            let own = u16::from_be_bytes(*payload.last_chunk().unwrap());
            prop_assert!(number.is_none_or(|last| (own.wrapping_sub(last) as i16) > 0));
            number = Some(own);
            if begins_random_access(stage.codec, payload) {
                prop_assert!(stage.is_late_or_has_sets(*place), "{place} has no sets");
            }
        }
        // Probes and repairs say the same as what they repeat.
        for (.., payload) in stage.net.clients[stage.viewer].received(RTX_PT) {
            let Some((original, payload)) = payload.split_first_chunk() else { continue };
            let original = u16::from_be_bytes(*original).wrapping_sub(first);
            if let Some((_, first)) = packets.get(&original) {
                prop_assert_eq!(payload, &first[..]);
            }
        }
    }
}
