//! Asking publishers for key frames: often enough, and no more than that.

use std::time::Duration;

use super::client::{Rtx, inter_frame, key_frame};
use super::net::Net;
use crate::config::KEY_FRAME_ATTEMPTS_MAX;

/// Sends these payloads as video, all in one batch.
fn publish(net: &mut Net, publisher: usize, payloads: &[Vec<u8>]) {
    for payload in payloads {
        let packet = net.clients[publisher].video(0, payload);
        net.send(publisher, packet);
    }
    net.settle();
}

#[test]
fn a_request_that_is_lost_is_made_again_until_a_key_frame_comes() {
    let mut net = Net::new();
    let publisher = net.publisher();
    publish(&mut net, publisher, &[key_frame(b"before")]);
    net.viewer(publisher, Rtx::Offered);
    assert_eq!(net.plis_at(publisher), 1);
    net.pass(Duration::from_millis(1_200));
    assert_eq!(net.plis_at(publisher), 3, "one more every 500 ms");
    publish(&mut net, publisher, &[key_frame(b"at last")]);
    net.pass(Duration::from_secs(3));
    assert_eq!(net.plis_at(publisher), 3);
}

#[test]
fn a_publisher_without_pictures_is_not_asked_for_ever() {
    let mut net = Net::new();
    let publisher = net.publisher();
    publish(&mut net, publisher, &[key_frame(b"before")]);
    net.viewer(publisher, Rtx::Offered);
    net.pass(Duration::from_secs(20));
    let asked = net.plis_at(publisher);
    assert!((5..=1 + usize::from(KEY_FRAME_ATTEMPTS_MAX)).contains(&asked), "{asked}");
}

#[test]
fn a_key_frame_in_the_same_batch_leaves_nothing_to_ask_for() {
    let mut net = Net::new();
    let publisher = net.publisher();
    net.viewer(publisher, Rtx::Offered);
    let batch = [inter_frame(b"too early"), key_frame(b"begin"), inter_frame(b"go on")];
    publish(&mut net, publisher, &batch);
    let asked = net.plis_at(publisher);
    net.pass(Duration::from_secs(3));
    assert_eq!(net.plis_at(publisher), asked);
}
