//! ICE restarts: a client that has moved to another network keeps its transport.

use std::net::SocketAddr;

use odeum_types::PeerId;

use super::client::{AUDIO_PT, Rtx};
use super::net::Net;
use crate::{IceUfrag, NoTransport};

fn restart(net: &mut Net, at: usize, ufrag: &str) {
    let (now, id) = (net.now, net.clients[at].id);
    let credentials = net.sfu.restart_ice(now, id, &IceUfrag::parse(ufrag).unwrap()).unwrap();
    net.clients[at].restarted(ufrag, credentials);
}

fn say(net: &mut Net, publisher: usize, number: u16) {
    let packet = net.clients[publisher].audio(number, b"sound");
    net.send(publisher, packet);
    net.settle();
}

#[test]
fn media_goes_on_over_the_old_path_until_the_new_one_is_nominated() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let before = net.clients[viewer].address;
    let old_check = net.clients[viewer].check();
    restart(&mut net, viewer, "after+restart");
    say(&mut net, publisher, 1);
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1, "no path was lost");
    net.send_from(before, old_check.clone());
    net.settle();
    let answers = net.clients[viewer].stun_answers;

    let elsewhere = SocketAddr::from(([10, 9, 9, 9], 1_234));
    let plain = net.clients[viewer].plain_check();
    net.send_from(elsewhere, plain);
    say(&mut net, publisher, 2);
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 2, "validated, not nominated");

    net.clients[viewer].address = elsewhere;
    let check = net.clients[viewer].check();
    net.send(viewer, check);
    net.transmits.clear();
    say(&mut net, publisher, 3);
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 3);
    assert!(net.transmits.iter().all(|(destination, _)| *destination == elsewhere));

    // What was good before is good no longer, and nothing is kept of it.
    let refused = net.sfu.statistics().stun_refused;
    net.send_from(before, old_check);
    net.settle();
    assert_eq!(net.sfu.statistics().stun_refused, refused + 1);
    assert_eq!(net.clients[viewer].stun_answers, answers + 1);
    assert_eq!(net.sfu.by_ufrag.len(), 2);
}

#[test]
fn of_many_restarts_the_last_counts_and_names_do_not_pile_up() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    let old_check = net.clients[viewer].check();
    restart(&mut net, viewer, "first");
    let forgotten = net.clients[viewer].check();
    for number in 0..100 {
        restart(&mut net, viewer, &format!("again{number}"));
    }
    assert_eq!(net.sfu.by_ufrag.len(), 3, "the publisher's, the viewer's old and new one");
    net.send(viewer, forgotten);
    assert_eq!(net.sfu.statistics().stun_refused, 1);
    net.send(viewer, old_check);
    assert_eq!(net.sfu.statistics().stun_refused, 1, "what carries the media still counts");
    let check = net.clients[viewer].check();
    net.send(viewer, check);
    net.settle();
    say(&mut net, publisher, 1);
    assert_eq!(net.clients[viewer].received(AUDIO_PT).len(), 1);
    assert_eq!(net.sfu.by_ufrag.len(), 2);
    let (now, id) = (net.now, net.clients[viewer].id);
    net.sfu.close_peer(now, id);
    assert_eq!(net.sfu.by_ufrag.len(), 1);
}

#[test]
fn who_is_not_here_is_not_restarted() {
    let mut net = Net::new();
    let ufrag = IceUfrag::parse("name").unwrap();
    assert_eq!(net.sfu.restart_ice(net.now, PeerId(77), &ufrag).unwrap_err(), NoTransport);
    assert!(IceUfrag::parse("abc").is_err() && IceUfrag::parse("with space").is_err());
}
