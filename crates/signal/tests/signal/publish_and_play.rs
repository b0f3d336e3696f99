//! A stream from one client to another through a whole server, and what DeleteStream does to it.

use std::time::{Duration, Instant};

use odeum_client::{
    AudioSource, Certificate, Direction, DtlsVersion, Kind, PeerConfig, PeerEvent, Stamp, UdpPeer,
    UdpPeerEvent, VideoSource, VideoSourceConfig, WebRtcPeer,
};
use odeum_proto::signal::{Notice, PlayerState, PublisherState, Update};
use odeum_room::DeleteStreamMode;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::server::{Client, ROOM, Server};

/// Longest wait for a connection or for media.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must come for media to count as stopped.
const QUIET: Duration = Duration::from_millis(300);
/// Packets that are sent at once: after a stall of the machine more are due than a socket holds.
const BURST_MAX: u64 = 32;
/// A client that could not look at its socket for so long takes for lost what waits there.
const STALL: Duration = Duration::from_millis(100);

/// What a player saw.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// Video packets.
    video: u64,
    /// Audio packets.
    audio: u64,
    /// Starts of key frames.
    key_frames: u64,
    /// Packets whose bytes were changed on the way.
    broken: u64,
}

async fn peer(direction: Direction, dtls: DtlsVersion) -> UdpPeer {
    let certificate = Certificate::generate().expect("the machine has randomness");
    let seed = rand::random();
    let config = PeerConfig { dtls, ..PeerConfig::new(direction, certificate, seed) };
    let local = "127.0.0.1:0".parse().expect("an address");
    UdpPeer::bind(WebRtcPeer::new(config), local).await.expect("the loopback has free ports")
}

/// Publishes `stream` and sends media until the task is aborted; requests for key frames are
/// counted.
async fn publish(client: &Client, stream: &str, dtls: DtlsVersion) -> (JoinHandle<()>, KeyFrames) {
    let mut peer = peer(Direction::Send, dtls).await;
    let offer = peer.peer().offer();
    let answer = client.signalling.publish(ROOM, stream, "extra", &offer).await;
    let answer = answer.expect("the offer is good");
    peer.peer_mut().accept_answer(Instant::now(), &answer).expect("the answer is good");
    let (requests, key_frames) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        let epoch = Instant::now();
        let mut video = VideoSource::new(epoch, VideoSourceConfig::new(epoch));
        let mut audio = AudioSource::new(epoch, epoch);
        loop {
            let due = video.poll_timeout().min(audio.poll_timeout());
            tokio::select! {
                event = peer.next() => match event.expect("the socket is whole") {
                    UdpPeerEvent::Peer(PeerEvent::KeyFrameRequested) => {
                        video.request_key_frame();
                        // The test may have stopped counting.
                        let _uncounted = requests.send(());
                    }
                    UdpPeerEvent::Peer(_) | UdpPeerEvent::Media(_) | UdpPeerEvent::Progress => {}
                },
                () = tokio::time::sleep_until(due.into()) => {
                    let now = Instant::now();
                    for _ in 0..BURST_MAX {
                        let Some(packet) = video.poll_packet(now) else { break };
                        peer.peer_mut().send_rtp(&packet);
                    }
                    while let Some(packet) = audio.poll_packet(now) {
                        peer.peer_mut().send_rtp(&packet);
                    }
                    peer.flush();
                    if video.poll_timeout() <= now {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
            }
        }
    });
    (task, key_frames)
}

/// Requests for key frames as they come.
type KeyFrames = mpsc::UnboundedReceiver<()>;

async fn play(client: &Client, stream: &str, dtls: DtlsVersion) -> UdpPeer {
    let mut peer = peer(Direction::Receive, dtls).await;
    let offer = peer.peer().offer();
    let answer = client.signalling.play(ROOM, stream, &offer).await.expect("the offer is good");
    peer.peer_mut().accept_answer(Instant::now(), &answer).expect("the answer is good");
    peer
}

/// Plays until `enough` says so or nothing came for [`QUIET`] after `seen` had something.
async fn watch(peer: &mut UdpPeer, enough: impl Fn(&Seen) -> bool) -> Seen {
    let mut seen = Seen::default();
    let end = tokio::time::Instant::now() + PATIENCE;
    while !enough(&seen) {
        let event = tokio::time::timeout_at(end, peer.next());
        let event = event.await.unwrap_or_else(|_| panic!("not enough came: {seen:?}"));
        if let UdpPeerEvent::Media(media) = event.expect("the socket is whole") {
            seen.broken += u64::from(!Stamp::is_intact(media.payload));
            match media.kind {
                Kind::Audio => seen.audio += 1,
                Kind::Video => {
                    seen.video += 1;
                    let begins = media.payload[0] & 0x10 != 0;
                    seen.key_frames += u64::from(begins && media.payload[4] & 1 == 0);
                }
            }
        }
    }
    seen
}

/// Media packets that come until none came for [`QUIET`].
async fn until_quiet(peer: &mut UdpPeer) -> u64 {
    let began = Instant::now();
    let mut packets = 0;
    let mut quiet_at = tokio::time::Instant::now() + QUIET;
    while let Ok(event) = tokio::time::timeout_at(quiet_at, peer.next()).await {
        if let UdpPeerEvent::Media(_) = event.expect("the socket is whole") {
            packets += 1;
            quiet_at = tokio::time::Instant::now() + QUIET;
        }
        assert!(began.elapsed() < PATIENCE, "media goes on");
    }
    packets
}

#[track_caller]
fn assert_stream_update(notice: &Notice, expected: Update, stream: &str, reason: Option<u32>) {
    let Notice::StreamUpdate { update, streams, reasons, .. } = notice else {
        panic!("a stream update was due, not {notice:?}");
    };
    assert_eq!((*update, streams[0].stream_id.as_str()), (expected, stream));
    assert_eq!(reasons.first().map(|reason| reason.code), reason);
}

#[track_caller]
fn assert_publisher(notice: &Notice, expected: PublisherState, code: u32) {
    let Notice::PublisherState { state, error_code, .. } = notice else {
        panic!("a publisher state was due, not {notice:?}");
    };
    assert_eq!((*state, *error_code), (expected, code));
}

#[track_caller]
fn assert_player(notice: &Notice, expected: PlayerState, code: u32) {
    let Notice::PlayerState { state, error_code, .. } = notice else {
        panic!("a player state was due, not {notice:?}");
    };
    assert_eq!((*state, *error_code), (expected, code));
}

/// Two users of whom one publishes and the other plays, everything told so far taken.
struct Scene {
    server: Server,
    ada: Client,
    bob: Client,
    publisher: JoinHandle<()>,
    key_frames: KeyFrames,
    player: UdpPeer,
}

impl Scene {
    async fn start(mode: DeleteStreamMode, dtls: DtlsVersion) -> Self {
        let server = Server::start(|node, _| node.apps[0].delete_stream = mode).await;
        let mut ada = server.login("ada").await;
        let mut bob = server.login("bob").await;
        assert!(matches!(ada.notice().await, Notice::UserUpdate { .. }));
        let (publisher, key_frames) = publish(&ada, "camera", dtls).await;
        assert_publisher(&ada.notice().await, PublisherState::Publishing, 0);
        assert_stream_update(&bob.notice().await, Update::Add, "camera", None);
        let mut player = play(&bob, "camera", dtls).await;
        let seen = watch(&mut player, |seen| seen.video > 100 && seen.audio > 10).await;
        assert_eq!(seen.broken, 0);
        assert!(seen.key_frames >= 1, "a player begins with a key frame");
        assert_player(&bob.notice().await, PlayerState::Playing, 0);
        Self { server, ada, bob, publisher, key_frames, player }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.publisher.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_stream_arrives_whole_and_a_joining_player_gets_a_key_frame() {
    for dtls in [DtlsVersion::V12, DtlsVersion::Any] {
        let mut scene = Scene::start(DeleteStreamMode::Stop, dtls).await;
        let asked = tokio::time::timeout(PATIENCE, scene.key_frames.recv()).await;
        assert_eq!(asked, Ok(Some(())), "{dtls:?}");
        let statistics = scene.player.peer().receive_statistics(Kind::Video);
        assert_eq!((statistics.lost, statistics.duplicates), (0, 0), "{dtls:?}");
        assert!(scene.player.peer().profile().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_stream_stops_the_media_and_tells_everybody() {
    let mut scene = Scene::start(DeleteStreamMode::Stop, DtlsVersion::V12).await;
    let delete = scene.server.delete_stream("camera");
    tokio::pin!(delete);
    // What has come until the reply is no matter, also if nobody has looked at it.
    loop {
        tokio::select! {
            biased;
            _ = scene.player.next() => {}
            () = &mut delete => break,
        }
    }
    let late = until_quiet(&mut scene.player).await;
    assert!(late < 50, "{late} packets after the reply");
    assert_publisher(&scene.ada.notice().await, PublisherState::NoPublish, 1_003_025);
    let told = [scene.bob.notice().await, scene.bob.notice().await];
    let list = told.iter().find(|told| matches!(told, Notice::StreamUpdate { .. }));
    assert_stream_update(list.expect("it is told"), Update::Delete, "camera", Some(6));
    let player = told.iter().find(|told| matches!(told, Notice::PlayerState { .. }));
    assert_player(player.expect("it is told"), PlayerState::NoPlay, 1_004_025);
    assert_eq!(scene.bob.events.view().streams().count(), 0);

    // The same user may publish the same stream again, and it is a new one.
    let (again, _key_frames) = publish(&scene.ada, "camera", DtlsVersion::V12).await;
    assert_publisher(&scene.ada.notice().await, PublisherState::Publishing, 0);
    assert_stream_update(&scene.bob.notice().await, Update::Add, "camera", None);
    let mut player = play(&scene.bob, "camera", DtlsVersion::V12).await;
    watch(&mut player, |seen| seen.video > 20).await;
    again.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_notify_mode_the_list_loses_the_stream_and_the_media_goes_on() {
    let mut scene = Scene::start(DeleteStreamMode::Notify, DtlsVersion::V12).await;
    scene.server.delete_stream("camera").await;
    assert_stream_update(&scene.bob.notice().await, Update::Delete, "camera", Some(6));
    watch(&mut scene.player, |seen| seen.video > 100).await;

    // A new player may join, and the end is told to nobody a second time.
    let mut second = play(&scene.bob, "camera", DtlsVersion::V12).await;
    watch(&mut second, |seen| seen.video > 20).await;
    assert_player(&scene.bob.notice().await, PlayerState::Playing, 0);
    scene.ada.signalling.unpublish(ROOM, "camera").await.expect("it publishes");
    until_quiet(&mut second).await;
    let mut carol = scene.server.login("carol").await;
    carol.signalling.logout(ROOM).await.expect("it is logged in");
    carol.closed().await;
    loop {
        match scene.bob.notice().await {
            Notice::UserUpdate { update: Update::Delete, .. } => break,
            Notice::StreamUpdate { update, .. } => panic!("told twice: {update:?}"),
            Notice::PlayerState { .. } | Notice::UserUpdate { .. } => {}
            other => panic!("not due: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_id_has_one_publisher_and_unpublishing_frees_it() {
    let mut scene = Scene::start(DeleteStreamMode::Stop, DtlsVersion::V12).await;
    let offer = peer(Direction::Send, DtlsVersion::V12).await.peer().offer();
    let taken = scene.bob.signalling.publish(ROOM, "camera", "", &offer).await;
    assert!(matches!(taken, Err(odeum_client::RequestError::Refused { code: 1_003_028, .. })));
    scene.ada.signalling.unpublish(ROOM, "camera").await.expect("it publishes");
    until_quiet(&mut scene.player).await;
    let told = [scene.bob.notice().await, scene.bob.notice().await];
    let list = told.iter().find(|told| matches!(told, Notice::StreamUpdate { .. }));
    assert_stream_update(list.expect("it is told"), Update::Delete, "camera", Some(1));
    let (publisher, _key_frames) = publish(&scene.bob, "camera", DtlsVersion::V12).await;
    assert_publisher(&scene.bob.notice().await, PublisherState::Publishing, 0);
    publisher.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_player_loses_is_sent_again_when_it_asks() {
    let scene = Scene::start(DeleteStreamMode::Stop, DtlsVersion::V12).await;
    let certificate = Certificate::generate().expect("the machine has randomness");
    let config = PeerConfig::new(Direction::Receive, certificate, rand::random());
    let mut peer = WebRtcPeer::new(config);
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let answer = scene.bob.signalling.play(ROOM, "camera", &peer.offer()).await;
    let answer = answer.expect("the offer is good");
    peer.accept_answer(Instant::now(), &answer).expect("the answer is good");
    let (mut buffer, mut datagrams, mut dropped, mut again) = ([0; 2_048], 0_u32, 0, 0);
    let end = tokio::time::Instant::now() + PATIENCE;
    let (mut looked, mut longest) = (Instant::now(), Duration::ZERO);
    while again < 10 {
        longest = longest.max(looked.elapsed());
        looked = Instant::now();
        while let Some(transmit) = peer.poll_transmit() {
            socket.send_to(&transmit.bytes, transmit.destination).await.expect("it is bound");
        }
        let timeout = peer.poll_timeout().expect("it lives");
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let (length, source) = received.expect("it is bound");
                // Every twentieth media packet of the first 600 is lost; DTLS and STUN never are.
                let is_media = peer.is_connected() && buffer[0] & 0xC0 == 0x80;
                datagrams += u32::from(is_media);
                if is_media && datagrams < 600 && datagrams.is_multiple_of(20) {
                    dropped += 1;
                    continue;
                }
                let bytes = &mut buffer[..length];
                let media = peer.handle_datagram(Instant::now(), source, bytes);
                if let Some(media) = media.filter(|media| media.is_retransmission) {
                    assert!(Stamp::is_intact(media.payload));
                    again += 1;
                }
            }
            () = tokio::time::sleep_until(timeout.into()) => peer.handle_timeout(Instant::now()),
            () = tokio::time::sleep_until(end) => {
                let statistics = peer.receive_statistics(Kind::Video);
                panic!("{again} of {dropped} came again: {statistics:?}")
            }
        }
    }
    assert!(dropped >= 10, "{dropped}");
    if longest < STALL {
        assert_eq!(peer.receive_statistics(Kind::Video).duplicates, 0);
    }
}
