//! What the control plane and the media plane do to each other, as far as it goes without a WebRTC
//! client.

use std::net::UdpSocket;
use std::time::Instant;

use odeum_node::{NodeHandle, PlayFailed, PlayWish, PublishFailed};
use odeum_room::PlayError;

use crate::support::*;

#[tokio::test]
async fn an_offer_that_is_refused_leaves_nothing_behind() {
    let node = start(config());
    let mut ada = node.login("lobby", "ada").await;
    let bob = node.login("other", "bob").await;
    for session in [&ada.session, &bob.session, &ada.session] {
        let offer = "v=0\r\nnonsense".to_owned();
        let refused =
            node.handle.publish(session, SOURCE, stream("camera"), offer, "".into()).await;
        assert!(matches!(refused, Err(PublishFailed::Offer(_))), "{refused:?}");
    }
    assert_eq!(node.handle.statistics().await.streams, 0, "the claim of the stream is free");
    assert_eq!(ada.inbox.try_recv(), None, "the reply says it all");
}

#[tokio::test]
async fn a_stream_that_nobody_publishes_cannot_be_played() {
    let node = start(config());
    let ada = node.login("lobby", "ada").await;
    let refused =
        node.handle.play(&ada.session, stream("camera"), String::new(), PlayWish::default()).await;
    assert_eq!(refused, Err(PlayFailed::Room(PlayError::NoStream(stream("camera")))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_at_a_media_port_is_read_counted_and_survived() {
    let mut config = config();
    config.media.workers = 2;
    let node = start(config);
    let addresses = node.handle.media_addresses().to_vec();
    assert_eq!(addresses.len(), 2);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for address in &addresses {
        for size in [1, 20, 500, 1200, 9000] {
            socket.send_to(&vec![0x80; size], address).unwrap();
        }
    }
    let began = Instant::now();
    loop {
        let statistics = node.handle.statistics().await;
        let read: Vec<u64> =
            statistics.media.iter().map(|worker| worker.socket.packets_received).collect();
        if read == [5, 5] {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "only {read:?} packets were read");
    }
    assert!(node.handle.is_healthy());
}

#[tokio::test]
async fn consecutive_ports_follow_the_first_and_a_taken_one_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = config();
    config.media.listen = taken.local_addr().unwrap();
    let error = NodeHandle::start(config).err().expect("the port is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&taken.local_addr().unwrap().to_string()), "{error}");
}
