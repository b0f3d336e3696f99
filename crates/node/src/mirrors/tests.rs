//! Workers that agree on mirrors, and the rings between them.

use std::sync::mpsc::Receiver;

use odeum_client::{Certificate, Direction, PeerConfig, WebRtcPeer};
use odeum_sfu::{RelayedKind, SfuConfig};

use super::*;
use crate::limits::RELAY_RING_BYTES;
use crate::media_handle::tests::queued_offer;

const PUBLISHER: PeerId = PeerId(1);
const HOME: WorkerNumber = WorkerNumber(0);
const OTHER: WorkerNumber = WorkerNumber(1);

/// What both workers are to do next.
struct Queues([Receiver<MediaRequest>; 2]);

impl Queues {
    fn next(&self, worker: WorkerNumber) -> Option<(PeerId, MirrorRequest)> {
        match self.0[worker.0].try_recv() {
            Ok(MediaRequest::Mirror(publisher, request)) => Some((publisher, request)),
            _ => None,
        }
    }
}

fn two_workers() -> (Mirrors, Mirrors, Queues) {
    let (home, home_queue) = MediaHandle::new(8).unwrap();
    let (other, other_queue) = MediaHandle::new(8).unwrap();
    let workers: Arc<[MediaHandle]> = Arc::new([home, other]);
    let mirrors = |number| Mirrors::new(number, Arc::clone(&workers));
    (mirrors(HOME), mirrors(OTHER), Queues([home_queue, other_queue]))
}

fn sfu() -> Sfu {
    let certificate = odeum_sfu::DtlsCertificate::generate().unwrap();
    Sfu::new(Instant::now(), SfuConfig::new(certificate, Vec::new(), [1; 32]))
}

#[test]
fn an_offer_for_a_publisher_of_here_or_one_that_is_mirrored_does_not_wait() {
    let (mut home, _, queues) = two_workers();
    assert!(home.admit(PUBLISHER, HOME, queued_offer(2).0).is_some());
    assert!(queues.next(HOME).is_none() && queues.next(OTHER).is_none());
}

#[test]
fn offers_wait_for_one_answer_and_are_refused_when_nobody_publishes() {
    let (mut home, mut other, queues) = two_workers();
    for peer in [2, 3] {
        assert!(other.admit(PUBLISHER, HOME, queued_offer(peer).0).is_none());
    }
    let Some((PUBLISHER, MirrorRequest::Begin { from: OTHER })) = queues.next(HOME) else {
        panic!("home is asked");
    };
    assert!(queues.next(HOME).is_none(), "once");
    home.begin(&mut sfu(), PUBLISHER, OTHER);
    let Some((_, MirrorRequest::Terms { terms: None, ring: None })) = queues.next(OTHER) else {
        panic!("home answers");
    };
    let (waiting, result) = other.take_terms(&mut sfu(), Instant::now(), PUBLISHER, None, None);
    assert_eq!(waiting.len(), 2);
    assert_eq!(result, Err(OfferError::NoPublisher { publisher: PUBLISHER }));
    // Asked anew by the next one.
    assert!(other.admit(PUBLISHER, HOME, queued_offer(4).0).is_none());
    assert!(queues.next(HOME).is_some());
}

/// An sfu in which [`PUBLISHER`] publishes.
fn sfu_with_publisher() -> Sfu {
    let certificate = Certificate::generate().unwrap();
    let offer = WebRtcPeer::new(PeerConfig::new(Direction::Send, certificate, 1)).offer();
    let mut sfu = sfu();
    sfu.create_publisher(Instant::now(), PUBLISHER, &offer).unwrap();
    sfu
}

/// Lets the other worker mirror the publisher; whether a new ring came with the terms.
fn mirror(
    (home, home_sfu): (&mut Mirrors, &mut Sfu),
    (other, other_sfu): (&mut Mirrors, &mut Sfu),
    queues: &Queues,
) -> bool {
    assert!(other.admit(PUBLISHER, HOME, queued_offer(2).0).is_none());
    assert!(matches!(queues.next(HOME), Some((_, MirrorRequest::Begin { from: OTHER }))));
    home.begin(home_sfu, PUBLISHER, OTHER);
    let Some((_, MirrorRequest::Terms { terms, ring })) = queues.next(OTHER) else {
        panic!("home answers");
    };
    let has_ring = ring.is_some();
    let (waiting, result) = other.take_terms(other_sfu, Instant::now(), PUBLISHER, terms, ring);
    assert_eq!((waiting.len(), result), (1, Ok(())));
    has_ring
}

#[test]
fn a_stream_that_ends_at_either_end_is_told_of_at_the_other() {
    let (mut home, mut other, queues) = two_workers();
    let (mut home_sfu, mut other_sfu) = (sfu_with_publisher(), sfu());
    let mut begin = |home: &mut Mirrors, other: &mut Mirrors, other_sfu: &mut Sfu| {
        mirror((home, &mut home_sfu), (other, other_sfu), &queues)
    };
    assert!(begin(&mut home, &mut other, &mut other_sfu), "the first needs a ring");
    assert!(other.admit(PUBLISHER, HOME, queued_offer(3).0).is_some(), "it is here now");
    // The mirror ends: nobody watches it any more.
    other_sfu.close_peer(Instant::now(), PUBLISHER);
    other.peer_closed(PUBLISHER);
    assert!(matches!(queues.next(HOME), Some((_, MirrorRequest::End { from: OTHER }))));
    home.end(&mut sfu(), PUBLISHER, OTHER);
    // Another one uses the ring that is there; then the publisher ends.
    assert!(!begin(&mut home, &mut other, &mut other_sfu));
    home.peer_closed(PUBLISHER);
    assert!(matches!(queues.next(OTHER), Some((PUBLISHER, MirrorRequest::Gone))));
    assert!(queues.next(OTHER).is_none());
}

#[test]
fn a_worker_that_loses_its_publishers_takes_their_mirrors_along() {
    let (mut home, mut other, queues) = two_workers();
    let (mut home_sfu, mut other_sfu) = (sfu_with_publisher(), sfu());
    mirror((&mut home, &mut home_sfu), (&mut other, &mut other_sfu), &queues);
    home.all_lost();
    assert!(matches!(queues.next(OTHER), Some((PUBLISHER, MirrorRequest::Gone))));
    other_sfu.close_peer(Instant::now(), PUBLISHER);
    assert_eq!(other_sfu.statistics().peers, 0);
}

#[test]
fn an_offer_that_waits_can_be_withdrawn() {
    let (_, mut other, _queues) = two_workers();
    assert!(other.admit(PUBLISHER, HOME, queued_offer(2).0).is_none());
    assert!(other.withdraw(PeerId(3)).is_none());
    assert_eq!(other.withdraw(PeerId(2)).map(|offer| offer.create.peer), Some(PeerId(2)));
    assert!(other.withdraw(PeerId(2)).is_none());
}

#[test]
fn a_worker_that_begins_anew_takes_back_what_it_asked_for() {
    let (_, mut other, queues) = two_workers();
    assert!(other.admit(PUBLISHER, HOME, queued_offer(2).0).is_none());
    queues.next(HOME).expect("home was asked");
    other.all_lost();
    assert!(matches!(queues.next(HOME), Some((PUBLISHER, MirrorRequest::End { from: OTHER }))));
    // The answer to what it asked before finds nobody.
    let (waiting, result) = other.take_terms(&mut sfu(), Instant::now(), PUBLISHER, None, None);
    assert!(waiting.is_empty() && result.is_ok());
}

/// A packet of [`PUBLISHER`]'s with this number in it.
fn packet(bytes: &[u8]) -> Relayed<'_> {
    Relayed { publisher: PUBLISHER, kind: RelayedKind::Rtp, bytes }
}

/// What waits in a ring, by the numbers.
fn numbers(receiver: &mut RelayReceiver) -> Vec<u64> {
    std::iter::from_fn(|| {
        let relayed = receiver.receive()?;
        Some(u64::from_le_bytes(relayed.bytes[..8].try_into().unwrap()))
    })
    .collect()
}

#[test]
fn a_worker_that_stands_still_loses_packets_and_holds_up_nobody() {
    let handles = (0..3).map(|_| MediaHandle::new(8).unwrap());
    let (workers, _queues): (Vec<_>, Vec<_>) = handles.unzip();
    let mut home = Mirrors::new(HOME, workers.into());
    let [(ring_to_still, mut still), (ring_to_other, mut other)] = [(); 2].map(|()| relay_ring());
    home.senders[1] = Some(ring_to_still);
    home.senders[2] = Some(ring_to_other);
    home.given.insert(PUBLISHER, vec![WorkerNumber(1), WorkerNumber(2)]);

    // Three rings' worth, of which the one that stands still takes nothing out.
    let packets = (3 * RELAY_RING_BYTES / 1_000) as u64;
    let mut bytes = [0; 1_000];
    let mut arrived = Vec::new();
    for number in 0..packets {
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        home.put(packet(&bytes));
        arrived.extend(numbers(&mut other));
    }
    assert!(arrived.into_iter().eq(0..packets), "the other has all, at once");
    assert_eq!(home.to_wake, [WorkerNumber(1), WorkerNumber(2)], "both are woken");

    let kept = numbers(&mut still);
    assert!(kept.iter().copied().eq(0..kept.len() as u64), "the oldest, in order");
    let lost = packets - kept.len() as u64;
    assert!(lost > packets / 2, "{lost} of {packets}");
    let counted = RelayStatistics { packets_sent: 2 * packets - lost, dropped_ring_full: lost };
    assert_eq!(home.statistics(), counted, "each packet is counted once for each worker");

    // It goes on as soon as it takes packets out again.
    home.put(packet(&bytes));
    assert_eq!(numbers(&mut still), [packets - 1]);
    assert_eq!(home.statistics().dropped_ring_full, lost);
}

#[test]
fn workers_that_send_much_and_little_are_heard_in_turn() {
    let handles = (0..3).map(|_| MediaHandle::new(8).unwrap());
    let (workers, _queues): (Vec<_>, Vec<_>) = handles.unzip();
    let mut mirrors = Mirrors::new(HOME, workers.into());
    let [(mut busy, from_busy), (mut quiet, from_quiet)] = [(); 2].map(|()| relay_ring());
    mirrors.receivers[1] = Some(from_busy);
    mirrors.receivers[2] = Some(from_quiet);
    quiet.send(Relayed { publisher: PeerId(2), ..packet(&[0; 8]) }).unwrap();
    let mut heard = Vec::new();
    for _ in 0..3 {
        // There is always more of the busy one.
        busy.send(packet(&[0; 8])).unwrap();
        busy.send(packet(&[0; 8])).unwrap();
        let receiver = mirrors.receiver().expect("something waits");
        receive(receiver, 1, |relayed| heard.push(relayed.publisher));
    }
    assert_eq!(heard, [PUBLISHER, PeerId(2), PUBLISHER]);
}
