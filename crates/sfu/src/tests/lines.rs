//! Lines: which peers share what reaches them, and for how long.

use odeum_types::SessionId;

use super::client::Rtx;
use super::net::Net;

#[test]
fn the_peers_of_one_session_share_a_line_that_goes_with_the_last_of_them() {
    let mut net = Net::new();
    let publisher = net.publisher();
    let mut join = |session: Option<u64>| {
        net.session = session.map(SessionId);
        let viewer = net.viewer(publisher, Rtx::Offered);
        (net.clients[viewer].id, net.sfu.lines.count())
    };
    let (first, _) = join(Some(1));
    let (second, counts) = join(Some(1));
    assert_eq!(counts, (1, 1));
    let (other, counts) = join(Some(2));
    assert_eq!(counts, (2, 2), "another session has another one");
    let (alone, counts) = join(None);
    assert_eq!(counts, (3, 2), "so has one without");
    for (peer, counts) in [(first, (3, 2)), (second, (2, 1)), (alone, (1, 1)), (other, (0, 0))] {
        net.sfu.close_peer(net.now, peer);
        assert_eq!(net.sfu.lines.count(), counts);
    }
    net.session = Some(SessionId(1));
    net.viewer(publisher, Rtx::Offered);
    assert_eq!(net.sfu.lines.count(), (1, 1), "it comes back");
}

#[test]
fn lines_go_with_the_publisher_that_all_of_them_play() {
    let mut net = Net::new();
    let publisher = net.publisher();
    for session in [Some(1), Some(1), Some(2), None] {
        net.session = session.map(SessionId);
        net.viewer(publisher, Rtx::Offered);
    }
    assert_eq!(net.sfu.lines.count(), (3, 2));
    net.sfu.close_peer(net.now, net.clients[publisher].id);
    assert_eq!(net.sfu.lines.count(), (0, 0));
}
