//! Numbers of one layer, of layer after layer, and back again.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const ORIGIN: Origin = Origin { sequence: 100, timestamp: 5_000 };
const LOW: LayerIndex = LayerIndex(0);
const HIGH: LayerIndex = LayerIndex(1);
const NO_REPORTS: ClockStep = ClockStep { offset: None, clock_rate: 90_000 };

#[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to begin at")]
fn start() -> Instant {
    Instant::now()
}

fn facts(sequence: u64, timestamp: u32, frame: FrameStart) -> PacketFacts {
    PacketFacts { sequence, timestamp, frame, picture: None }
}

/// Offers a packet of the wanted layer as a subscriber does; gives its numbers if it was sent.
fn offer(
    forwarder: &mut Forwarder,
    now: Instant,
    wanted: LayerIndex,
    layer: LayerIndex,
    packet: &PacketFacts,
    clock: ClockStep,
) -> Option<Numbers> {
    let wanted = Pick::whole(wanted);
    let mut decision = forwarder.decide(Some(wanted), layer, packet, None);
    if decision == Decision::Begin {
        forwarder.begin(now, wanted, packet, None, clock);
        decision = forwarder.decide(Some(wanted), layer, packet, None);
    }
    let Decision::Forward(numbers) = decision else { return None };
    forwarder.number(now, packet, &numbers);
    Some(numbers)
}

#[test]
fn nothing_is_sent_before_a_key_frame_and_nothing_of_a_layer_that_is_not_wanted() {
    let forwarder = Forwarder::new(ORIGIN);
    let packet = facts(1, 1, FrameStart::Other);
    let decide =
        |wanted: Option<LayerIndex>| forwarder.decide(wanted.map(Pick::whole), LOW, &packet, None);
    assert_eq!(decide(Some(LOW)), Decision::AwaitKeyFrame);
    assert_eq!(decide(Some(HIGH)), Decision::LeaveOut);
    assert_eq!(decide(None), Decision::LeaveOut);
}

#[test]
fn numbers_begin_at_the_origin_and_keep_their_distances() {
    let (mut forwarder, now) = (Forwarder::new(ORIGIN), start());
    for (sequence, timestamp, frame, expected) in [
        (70_000, u32::MAX, FrameStart::Decodable, Some((100, 5_000))),
        (70_001, 2_999, FrameStart::Other, Some((101, 8_000))),
        (70_005, 2_999, FrameStart::Other, Some((105, 8_000))),
        (70_004, 2_999, FrameStart::Other, Some((104, 8_000))),
        (69_999, 0, FrameStart::Other, None),
    ] {
        let packet = facts(sequence, timestamp, frame);
        let numbers = offer(&mut forwarder, now, LOW, LOW, &packet, NO_REPORTS);
        assert_eq!(numbers.map(|numbers| (numbers.sequence, numbers.timestamp)), expected);
    }
}

#[test]
fn a_layer_begins_behind_the_one_before_at_the_same_moment() {
    let (mut forwarder, now) = (Forwarder::new(ORIGIN), start());
    let key = |sequence, timestamp| facts(sequence, timestamp, FrameStart::Decodable);
    let numbers = |numbers: Option<Numbers>| numbers.map(|n| (n.sequence, n.timestamp));
    offer(&mut forwarder, now, LOW, LOW, &key(10, 0), NO_REPORTS);
    offer(&mut forwarder, now, LOW, LOW, &facts(12, 3_000, FrameStart::Other), NO_REPORTS);
    let reports = ClockStep { offset: Some(1_000_000u32.wrapping_neg()), clock_rate: 90_000 };
    // While the new layer has no key frame the old one goes on.
    let waiting = facts(500, 1_006_000, FrameStart::Other);
    let decision = forwarder.decide(Some(Pick::whole(HIGH)), HIGH, &waiting, None);
    assert_eq!(decision, Decision::AwaitKeyFrame);
    let old = offer(&mut forwarder, now, HIGH, LOW, &facts(13, 6_000, FrameStart::Other), reports);
    assert_eq!(numbers(old), Some((103, 11_000)));
    let first = offer(&mut forwarder, now, HIGH, HIGH, &key(501, 1_009_000), reports);
    assert_eq!(numbers(first), Some((104, 14_000)));
    // What was missing of the old layer may still come, and no more of it.
    let late = offer(&mut forwarder, now, HIGH, LOW, &facts(11, 0, FrameStart::Other), reports);
    assert_eq!(numbers(late), Some((101, 5_000)));
    let next = offer(&mut forwarder, now, HIGH, LOW, &facts(14, 9_000, FrameStart::Other), reports);
    assert_eq!(next, None);
}

#[test]
fn without_reports_a_layer_begins_as_much_later_as_time_has_passed() {
    let (mut forwarder, now) = (Forwarder::new(ORIGIN), start());
    let key = |sequence, timestamp| facts(sequence, timestamp, FrameStart::Decodable);
    offer(&mut forwarder, now, LOW, LOW, &key(10, 0), NO_REPORTS);
    let later = now + Duration::from_millis(40);
    let first = offer(&mut forwarder, later, HIGH, HIGH, &key(7, 77), NO_REPORTS).unwrap();
    assert_eq!((first.sequence, first.timestamp), (101, 5_000 + 3_600));
    // Never back, whatever the reports say.
    let wrong = ClockStep { offset: Some(0x8000_0000), clock_rate: 90_000 };
    let first = offer(&mut forwarder, later, LOW, LOW, &key(20, 90_000), wrong).unwrap();
    assert_eq!((first.sequence, first.timestamp), (102, 8_601));
}

#[test]
fn after_a_pause_the_same_layer_keeps_its_clock() {
    let (mut forwarder, now) = (Forwarder::new(ORIGIN), start());
    let key = |sequence, timestamp| facts(sequence, timestamp, FrameStart::Decodable);
    offer(&mut forwarder, now, LOW, LOW, &key(10, 1_000), NO_REPORTS);
    forwarder.end();
    assert_eq!(forwarder.decide(None, LOW, &key(11, 4_000), None), Decision::LeaveOut);
    let first = offer(&mut forwarder, now, LOW, LOW, &key(40, 91_000), NO_REPORTS).unwrap();
    assert_eq!((first.sequence, first.timestamp), (101, 5_000 + 90_000));
}

#[test]
fn vp8_numbers_go_on_from_layer_to_layer() {
    let (mut forwarder, now) = (Forwarder::new(ORIGIN), start());
    let packet = |sequence, picture_id, tl0_picture_index| PacketFacts {
        picture: Some(PictureNumbers { picture_id, tl0_picture_index }),
        ..facts(sequence, 0, FrameStart::Decodable)
    };
    let mut send = |layer, packet: &PacketFacts| {
        let numbers = offer(&mut forwarder, now, layer, layer, packet, NO_REPORTS).unwrap();
        packet.picture.unwrap().plus(numbers.picture_offset)
    };
    let numbers = |picture_id, tl0_picture_index| PictureNumbers { picture_id, tl0_picture_index };
    assert_eq!(send(LOW, &packet(1, 0x7FFE, 255)), numbers(0x7FFE, 255), "as they are");
    assert_eq!(send(LOW, &packet(2, 0x7FFF, 0)), numbers(0x7FFF, 0));
    assert_eq!(send(HIGH, &packet(1, 4_000, 9)), numbers(0, 1));
    assert_eq!(send(HIGH, &packet(2, 4_001, 9)), numbers(1, 1));
    assert_eq!(send(LOW, &packet(9, 5, 5)), numbers(2, 2));
}

/// One step of a random publisher: which layer, how many numbers are skipped, how far late, whether
/// a key frame begins, and which layer is wanted.
fn step() -> impl Strategy<Value = (u8, u64, u64, bool, Option<u8>)> {
    (0..3u8, 0..3u64, 0..4u64, prop::bool::weighted(0.2), prop::option::weighted(0.9, 0..3u8))
}

proptest! {
    #[test]
    fn no_number_stands_for_two_packets_and_each_leads_back(
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let (mut forwarder, mut now) = (Forwarder::new(ORIGIN), start());
        let mut sources = [65_000u64, 1_000, 7];
        let mut sent: HashMap<u64, (u8, u64)> = HashMap::new();
        let mut begun_at = 0;
        for (layer, skipped, late, is_key, wanted) in steps {
            now += Duration::from_millis(7);
            if wanted.is_none() {
                forwarder.end();
            }
            let newest = &mut sources[usize::from(layer)];
            *newest += 1 + skipped;
            let sequence = if is_key { *newest } else { newest.saturating_sub(late) };
            let frame = if is_key { FrameStart::Decodable } else { FrameStart::Other };
            let packet = facts(sequence, sequence as u32 * 630, frame);
            let wanted = wanted.map(|layer| Pick::whole(LayerIndex(layer)));
            let layer_index = LayerIndex(layer);
            let mut decision = forwarder.decide(wanted, layer_index, &packet, None);
            if decision == Decision::Begin {
                let before = forwarder.newest.map(|newest| newest.timestamp);
                forwarder.begin(now, Pick::whole(layer_index), &packet, None, NO_REPORTS);
                decision = forwarder.decide(wanted, layer_index, &packet, None);
                let Decision::Forward(numbers) = decision else {
                    return Err(TestCaseError::fail("what begins is forwarded"));
                };
                if let Some(before) = before {
                    let is_later = numbers.timestamp.wrapping_sub(before) as i32 > 0;
                    prop_assert!(is_later, "time does not go back");
                }
                prop_assert!(sent.keys().all(|target| *target < numbers.sequence));
                begun_at = numbers.sequence;
            }
            if let Decision::Forward(numbers) = decision {
                let source = (layer, sequence);
                let before = sent.insert(numbers.sequence, source);
                prop_assert!(before.is_none_or(|before| before == source), "{before:?}");
                forwarder.number(now, &packet, &numbers);
            }
        }
        let newest = sent.keys().max().copied().unwrap_or(0);
        for (target, source) in &sent {
            let found = forwarder.route_of(*target as u16);
            if let Some((route, sequence)) = found {
                prop_assert_eq!((route.layer.0, sequence), *source);
            } else {
                prop_assert!(*target < begun_at, "{} of {}", target, newest);
            }
        }
        prop_assert!(forwarder.route_of((newest + 1) as u16).is_none());
    }
}
