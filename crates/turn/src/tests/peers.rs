//! Media ports of two IP versions and of several names, and sessions that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn an_allocation_has_the_ip_version_that_was_asked_for_and_its_peers_alone() {
    let v6 = "[2001:db8::9]:7881";
    let ports = [(address(MEDIA), address(LOCAL)), (address(v6), address("[::1]:7881"))];
    let version = |number: u8| [number, 0, 0, 0];
    for (asked, family, relayed, good, other) in [
        (None, Family::V4, RELAYED, MEDIA, v6),
        (Some(1), Family::V4, RELAYED, MEDIA, v6),
        (Some(2), Family::V6, "[2001:db8::9]:50000", v6, MEDIA),
    ] {
        let mut rig = Rig::new();
        rig.peers = Peers::new(ports);
        let family_value = asked.map(version);
        let mut attributes = vec![(attribute::REQUESTED_TRANSPORT, UDP)];
        attributes.extend(
            family_value.iter().map(|value| (attribute::REQUESTED_ADDRESS_FAMILY, &value[..])),
        );
        let request = rig.request(Method::Allocate, &attributes);
        let username = rig.username.clone();
        assert_eq!(rig.handle(&request), Action::Open { username, family });
        assert_eq!(code(&rig.client.allocated(rig.now, Ok(address(relayed)))), 0);
        for (number, (peer, expected)) in
            (1..).zip([(good, 0), (other, 443), ("[2001:db8::8]:7881", 403)])
        {
            let permission = rig.about(Method::CreatePermission, peer, &[]);
            assert_eq!(rig.answer(&permission), expected, "{asked:?} {peer}");
            let channel = [0x40, number, 0, 0];
            let channel = (attribute::CHANNEL_NUMBER, &channel[..]);
            let bind = rig.about(Method::ChannelBind, peer, &[channel]);
            assert_eq!(rig.answer(&bind), expected, "{asked:?} {peer}");
        }
    }
}

#[test]
fn a_server_of_one_ip_version_serves_that_one_and_who_asks_for_none() {
    for (port, local, family, absent) in
        [(MEDIA, LOCAL, Family::V4, 2), ("[2001:db8::9]:7881", "[::1]:7881", Family::V6, 1)]
    {
        let mut rig = Rig::new();
        rig.peers = Peers::new([(address(port), address(local))]);
        for number in [absent, 3] {
            let value = [number, 0, 0, 0];
            let asked = (attribute::REQUESTED_ADDRESS_FAMILY, &value[..]);
            let request =
                rig.request(Method::Allocate, &[(attribute::REQUESTED_TRANSPORT, UDP), asked]);
            assert_eq!(rig.answer(&request), 440);
        }
        let request = rig.request(Method::Allocate, &[(attribute::REQUESTED_TRANSPORT, UDP)]);
        let username = rig.username.clone();
        assert_eq!(rig.handle(&request), Action::Open { username, family });
    }
}

#[test]
fn a_media_port_of_two_names_answers_under_the_one_that_was_asked() {
    let inner = "10.0.0.9:7881";
    let mut rig = Rig::allocated();
    rig.peers = Peers::new([(address(inner), address(LOCAL)), (address(MEDIA), address(LOCAL))]);
    for (peer, number) in [(inner, 1), (MEDIA, 2)] {
        let channel = [0x40, number, 0, 0];
        let bind = rig.about(Method::ChannelBind, peer, &[(attribute::CHANNEL_NUMBER, &channel)]);
        assert_eq!(rig.answer(&bind), 0);
    }
    let mut out = Vec::new();
    for number in [2, 1, 2] {
        let sent = [0x40, number, 0, 1, b'x'];
        assert_eq!(rig.handle(&sent), Action::ToPeer { to: address(LOCAL), bytes: b"x" });
        assert_eq!(rig.heard(address(LOCAL), b"y", &mut out), FromPeer::Passed);
        assert_eq!(out[..2], [0x40, number]);
    }
}

#[test]
fn what_a_session_was_given_ends_with_it() {
    let mut rig = Rig::new();
    let is_here = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&is_here);
    rig.gate = Gate::new("odeum".to_owned(), Redacted::new("north".to_owned()), [7; 32])
        .while_here(move |_, name| {
            assert_eq!(name, "1700003600:ann");
            seen.load(Ordering::Relaxed)
        });
    rig.allocate();
    assert_eq!(rig.client.username(), Some("1700003600:ann"));
    let refresh = rig.request(Method::Refresh, &[]);
    assert_eq!(rig.answer(&refresh), 0);
    is_here.store(false, Ordering::Relaxed);
    for method in [Method::Refresh, Method::CreatePermission, Method::ChannelBind] {
        let request = rig.about(method, MEDIA, &[(attribute::CHANNEL_NUMBER, CHANNEL)]);
        let Action::Refuse { reply, why } = rig.handle(&request) else { panic!("{method:?}") };
        assert_eq!((code(&reply), why), (401, Refusal::SessionEnded));
    }
    // Who never had the name learns nothing of whether its session is here.
    let mut forged = rig.request(Method::Refresh, &[]);
    *forged.last_mut().unwrap() ^= 1;
    assert!(
        matches!(rig.handle(&forged), Action::Refuse { why: Refusal::Unauthenticated, .. }),
        "the password is looked at first"
    );
}
