//! Several flows over one way, with one estimate.

use super::*;

/// Four flows that send so much each.
fn four(capacity_kbps: u64, media_kbps: u64) -> Way {
    let mut way = Way::new(capacity_kbps, media_kbps);
    (0..3).for_each(|_| way.add_flow());
    way
}

#[test]
fn the_estimate_is_of_what_all_flows_send_together() {
    let mut way = four(20_000, 1_000);
    way.run_s(20);
    // At the most half more than what arrives.
    assert!((4_000..=6_200).contains(&way.kbps()), "{}", way.kbps());
    let mut way = four(2_000, 1_000);
    way.run_s(10);
    assert!((1_100..2_100).contains(&way.kbps()), "{}", way.kbps());
}

/// All four see the queue grow, and what they sent before the estimate fell tells nothing new,
/// while less and less arrives: judged by that once more, it would fall to 1,700.
#[test]
fn a_queue_that_all_flows_see_lowers_the_estimate_once() {
    let mut way = four(5_000, 750);
    way.run_s(10);
    let before = way.kbps();
    way.rival = Bitrate::from_kilobits_per_second(3_000);
    way.until(3, |kbps| kbps < before);
    // Whoever deals it out does so at once.
    way.set_media(250);
    let mut least = way.kbps();
    for _ in 0..20 {
        way.run(Duration::from_millis(100));
        least = least.min(way.kbps());
    }
    assert!((1_900..2_200).contains(&least), "the rival has left 2,000: {least}");
}

#[test]
fn one_flow_at_a_time_probes_for_all() {
    let mut way = four(5_000, 100);
    way.wanted = Some(Bitrate::from_kilobits_per_second(3_000));
    let took = way.until(5, |kbps| kbps >= 3_000);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_flow_that_hears_nothing_does_not_lower_what_the_others_have() {
    let mut way = four(5_000, 500);
    way.run_s(10);
    let before = way.kbps();
    // Its client has gone without a word.
    let (mut gone, _) = way.flows.pop().unwrap();
    for _ in 0..20 {
        gone.sent(way.now, 1_200, Purpose::Media);
        way.run_s(1);
        way.estimator.handle_timeout(way.now, &mut gone);
    }
    assert!(way.kbps() >= before * 9 / 10, "{} of {before}", way.kbps());
    assert_eq!(gone.part, crate::flow::Part::default(), "it counts for nothing");
    way.estimator.remove(&gone);
    // When none hears anything the way is gone.
    way.is_dark = true;
    way.run_s(10);
    assert!(way.kbps() < before / 8, "{}", way.kbps());
}

#[test]
fn a_flow_that_ends_takes_its_part_of_the_sums_along() {
    let mut way = four(20_000, 1_000);
    way.run_s(5);
    for _ in 0..3 {
        let (flow, _) = way.flows.pop().unwrap();
        way.estimator.remove(&flow);
    }
    way.run_s(5);
    let arrives = way.estimator.throughput().unwrap().acknowledged.bits_per_second() / 1_000;
    assert!((900..1_100).contains(&arrives), "{arrives}");
}

#[test]
fn what_a_flow_sent_before_it_fell_silent_is_not_taken_to_arrive_beside_what_the_others_send() {
    let mut way = four(20_000, 1_000);
    way.run_s(5);
    let (mut silent, _) = way.flows.pop().unwrap();
    for _ in 0..6 {
        way.run(Duration::from_millis(100));
        way.estimator.forget_silent(way.now, &mut silent);
    }
    let arrives = way.estimator.throughput().unwrap().acknowledged.bits_per_second() / 1_000;
    assert!((2_700..3_300).contains(&arrives), "{arrives}");
}

/// The shortest delay that it knows is one of the full queue, so that it sees none.
#[test]
fn a_flow_that_joins_while_a_queue_stands_does_not_hide_it() {
    let mut way = four(5_000, 1_000);
    way.queue_max = Duration::from_millis(300);
    way.run_s(10);
    way.capacity = Bitrate::from_kilobits_per_second(600);
    way.until(3, |kbps| kbps < 650);
    way.add_flow();
    for _ in 0..8 {
        way.run(Duration::from_millis(100));
        let [budget, estimate] = [way.estimator.budget(way.now), way.estimator.estimate()];
        assert!(budget < estimate, "{budget:?} of {estimate:?}");
    }
    let (flow, _) = way.flows.pop().unwrap();
    assert!(flow.is_counted() && !flow.part.stands, "it reports, and sees none");
}
