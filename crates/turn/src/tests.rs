//! Clients that behave, and ones that do not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use odeum_auth::turn_password;
use odeum_types::{Redacted, UnixMillis};

use crate::message::{Class, Message, Method, Writer, attribute};
use crate::{Action, Client, Family, FromPeer, Gate, Limits, Peers, Refusal, frame_length};

mod peers;

const SOURCE: &str = "198.51.100.7:4000";
const MEDIA: &str = "203.0.113.9:7881";
const LOCAL: &str = "127.0.0.1:7881";
const RELAYED: &str = "203.0.113.9:50000";
const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A client, its server, and what it has learned of it.
struct Rig {
    now: Instant,
    wall: UnixMillis,
    gate: Gate,
    peers: Peers,
    client: Client,
    username: String,
    nonce: String,
    next: u8,
}

/// An attribute of a request.
type Attribute<'a> = (u16, &'a [u8]);

impl Rig {
    fn new() -> Self {
        Self::of("1700003600:ann", 1_000_000)
    }

    fn of(username: &str, bytes_per_second: u64) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time needs some instant to begin at"
        )]
        let now = Instant::now();
        let secret = Redacted::new("north".to_owned());
        let gate = Gate::new("odeum".to_owned(), secret, [7; 32]);
        let client = Client::new(address(SOURCE), Limits { bytes_per_second });
        let peers = Peers::new([(address(MEDIA), address(LOCAL))]);
        let nonce = gate.nonce(WALL, address(SOURCE));
        let username = username.to_owned();
        Self { now, wall: WALL, gate, peers, client, username, nonce, next: 0 }
    }

    fn allocated() -> Self {
        let mut rig = Self::new();
        rig.allocate();
        rig
    }

    fn allocate(&mut self) {
        let request = self.request(Method::Allocate, &[(attribute::REQUESTED_TRANSPORT, UDP)]);
        let username = self.username.clone();
        assert_eq!(self.handle(&request), Action::Open { username, family: Family::V4 });
        let reply = self.client.allocated(self.now, Ok(address(RELAYED)));
        assert_eq!(code(&reply), 0);
    }

    fn writer(&mut self, method: Method) -> Writer {
        self.next += 1;
        Writer::new(Class::Request, method, [self.next; 12])
    }

    fn request(&mut self, method: Method, attributes: &[Attribute<'_>]) -> Vec<u8> {
        let writer = self.writer(method);
        let writer =
            attributes.iter().fold(writer, |writer, (kind, value)| writer.add(*kind, value));
        self.signed(writer)
    }

    fn about(&mut self, method: Method, peer: &str, attributes: &[Attribute<'_>]) -> Vec<u8> {
        let writer = self.writer(method);
        let writer =
            attributes.iter().fold(writer, |writer, (kind, value)| writer.add(*kind, value));
        self.signed(writer.add_address(attribute::XOR_PEER_ADDRESS, address(peer)))
    }

    fn signed(&self, writer: Writer) -> Vec<u8> {
        let password = turn_password(&Redacted::new("north".to_owned()), &self.username);
        let text = format!("{}:odeum:{}", self.username, password.expose());
        let key: [u8; 16] = Md5::digest(text).into();
        writer
            .add(attribute::USERNAME, self.username.as_bytes())
            .add(attribute::REALM, b"odeum")
            .add(attribute::NONCE, self.nonce.as_bytes())
            .finish(Some(&key))
    }

    fn handle<'a>(&mut self, bytes: &'a [u8]) -> Action<'a> {
        self.client.handle(self.now, self.wall, &self.gate, &self.peers, bytes)
    }

    /// The error of the reply, 0 for none.
    #[track_caller]
    fn answer(&mut self, bytes: &[u8]) -> u16 {
        match self.handle(bytes) {
            Action::Reply(reply) | Action::Ended(reply) | Action::Refuse { reply, .. } => {
                code(&reply)
            }
            other => panic!("{other:?}"),
        }
    }

    fn heard(&mut self, from: SocketAddr, bytes: &[u8], out: &mut Vec<u8>) -> FromPeer {
        self.client.handle_peer(self.now, from, bytes, out)
    }

    fn send(&mut self, peer: &str, bytes: &[u8]) -> Vec<u8> {
        Writer::new(Class::Indication, Method::Send, [0; 12])
            .add_address(attribute::XOR_PEER_ADDRESS, address(peer))
            .add(attribute::DATA, bytes)
            .finish(None)
    }
}

const UDP: &[u8] = &[17, 0, 0, 0];
const CHANNEL: &[u8] = &[0x40, 0x01, 0, 0];

fn code(reply: &[u8]) -> u16 {
    let message = Message::parse(reply).unwrap();
    match message.get(attribute::ERROR_CODE) {
        Some([_, _, class, number, ..]) => u16::from(*class) * 100 + u16::from(*number),
        _ => 0,
    }
}

#[test]
fn a_client_learns_its_nonce_and_then_has_an_allocation() {
    let mut rig = Rig::new();
    let first = rig.writer(Method::Allocate).add(attribute::REQUESTED_TRANSPORT, UDP).finish(None);
    let Action::Refuse { reply: challenge, why: Refusal::Challenged } = rig.handle(&first) else {
        panic!("no challenge");
    };
    assert_eq!(code(&challenge), 401);
    let message = Message::parse(&challenge).unwrap();
    assert_eq!(message.text(attribute::REALM), Some("odeum"));
    rig.nonce = message.text(attribute::NONCE).unwrap().to_owned();
    rig.allocate();
    assert_eq!(rig.client.ends(), Some(rig.now + Duration::from_secs(600)));
}

#[test]
fn media_ports_are_reached_where_they_really_are_and_answer_under_their_name() {
    let mut rig = Rig::allocated();
    let permission = rig.about(Method::CreatePermission, MEDIA, &[]);
    assert_eq!(rig.answer(&permission), 0);
    let sent = rig.send(MEDIA, b"check");
    let to = address(LOCAL);
    assert_eq!(rig.handle(&sent), Action::ToPeer { to, bytes: b"check" });
    let mut out = Vec::new();
    assert_eq!(rig.heard(to, b"answer", &mut out), FromPeer::Passed);
    let data = Message::parse(&out).unwrap();
    assert_eq!((data.class, data.method), (Class::Indication, Method::Data));
    assert_eq!(data.peers().next(), Some(Some(address(MEDIA))));
    assert_eq!(data.get(attribute::DATA), Some(&b"answer"[..]));
    let bind = rig.about(Method::ChannelBind, MEDIA, &[(attribute::CHANNEL_NUMBER, CHANNEL)]);
    assert_eq!(rig.answer(&bind), 0);
    assert_eq!(rig.handle(b"\x40\x01\x00\x03abc"), Action::ToPeer { to, bytes: b"abc" });
    assert_eq!(rig.heard(to, b"defgh", &mut out), FromPeer::Passed);
    assert_eq!(out, b"\x40\x01\x00\x05defgh\0\0\0");
}

#[test]
fn nothing_leads_anywhere_else() {
    let mut rig = Rig::allocated();
    for peer in [
        "10.0.0.1:80",
        "172.16.0.1:80",
        "192.168.0.1:80",
        "127.0.0.1:7881",
        "127.0.0.1:7882",
        "0.0.0.0:7881",
        "169.254.169.254:80",
        "224.0.0.1:80",
        "8.8.8.8:53",
        "[::1]:7882",
        "[::ffff:127.0.0.1]:7881",
        "[fe80::1]:80",
        "[fd00::1]:80",
    ] {
        let permission = rig.about(Method::CreatePermission, peer, &[]);
        assert_eq!(rig.answer(&permission), 403, "{peer}");
        let bind = rig.about(Method::ChannelBind, peer, &[(attribute::CHANNEL_NUMBER, CHANNEL)]);
        assert_eq!(rig.answer(&bind), 403, "{peer}");
        let sent = rig.send(peer, b"x");
        assert_eq!(rig.handle(&sent), Action::Nothing, "{peer}");
        let mut out = Vec::new();
        let from = address(peer);
        if from != address(LOCAL) {
            assert_eq!(rig.heard(from, b"x", &mut out), FromPeer::Refused, "{peer}");
        }
    }
    // Another port of the machine that media is on.
    let other = "203.0.113.9:7882";
    let permission = rig.about(Method::CreatePermission, other, &[]);
    assert_eq!(rig.answer(&permission), 0, "permissions are of addresses");
    let sent = rig.send(other, b"x");
    assert_eq!(rig.handle(&sent), Action::Nothing);
    let bind = rig.about(Method::ChannelBind, other, &[(attribute::CHANNEL_NUMBER, CHANNEL)]);
    assert_eq!(rig.answer(&bind), 403);
}

#[test]
fn without_a_permission_nothing_passes_and_a_permission_ends() {
    let mut rig = Rig::allocated();
    let (sent, mut out) = (rig.send(MEDIA, b"x"), Vec::new());
    assert_eq!(rig.handle(&sent), Action::Nothing);
    assert_eq!(rig.heard(address(LOCAL), b"x", &mut out), FromPeer::Refused);
    let permission = rig.about(Method::CreatePermission, MEDIA, &[]);
    assert_eq!(rig.answer(&permission), 0);
    assert_ne!(rig.handle(&sent), Action::Nothing);
    rig.now += Duration::from_secs(300);
    assert_eq!(rig.handle(&sent), Action::Nothing);
}

#[test]
fn who_cannot_prove_to_be_somebody_has_nothing() {
    for (username, why) in [
        ("1699999999:ann", "its time is over"),
        ("ann", "it says no time"),
        (":ann", "it says no time"),
    ] {
        let mut rig = Rig::of(username, 1_000);
        let request = rig.request(Method::Allocate, &[(attribute::REQUESTED_TRANSPORT, UDP)]);
        assert_eq!(rig.answer(&request), 401, "{why}");
    }
    let mut rig = Rig::new();
    let request = rig.request(Method::Allocate, &[(attribute::REQUESTED_TRANSPORT, UDP)]);
    let mut forged = request.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(rig.answer(&forged), 401);
    rig.nonce = rig.gate.nonce(WALL, address("198.51.100.8:4000"));
    let request = rig.request(Method::Allocate, &[(attribute::REQUESTED_TRANSPORT, UDP)]);
    assert_eq!(rig.answer(&request), 438, "a nonce of somebody else");
    rig.nonce = rig.gate.nonce(UnixMillis(WALL.0 - 3_600_000), address(SOURCE));
    let request = rig.request(Method::Allocate, &[(attribute::REQUESTED_TRANSPORT, UDP)]);
    assert_eq!(rig.answer(&request), 438, "an old nonce");
}

#[test]
fn an_allocation_is_of_one_user_and_ends_when_it_is_not_refreshed() {
    let mut rig = Rig::allocated();
    let refresh = rig.request(Method::Refresh, &[]);
    rig.now += Duration::from_secs(599);
    assert_eq!(rig.answer(&refresh), 0);
    assert_eq!(rig.client.ends(), Some(rig.now + Duration::from_secs(600)));
    rig.username = "1700003600:bob".to_owned();
    let refresh = rig.request(Method::Refresh, &[]);
    assert_eq!(rig.answer(&refresh), 441);
    rig.username = "1700003600:ann".to_owned();
    rig.now += Duration::from_secs(600);
    let refresh = rig.request(Method::Refresh, &[]);
    assert_eq!(rig.answer(&refresh), 437);
    let mut rig = Rig::allocated();
    let end = rig.request(Method::Refresh, &[(attribute::LIFETIME, &[0; 4])]);
    assert!(matches!(rig.handle(&end), Action::Ended(reply) if code(&reply) == 0));
    assert_eq!(rig.client.ends(), None);
}

#[test]
fn what_is_asked_for_wrongly_is_refused_with_its_code() {
    let mut rig = Rig::new();
    for (attributes, expected) in [
        (&[][..], 400),
        (&[(attribute::REQUESTED_TRANSPORT, &[6, 0, 0, 0][..])][..], 442),
        (
            &[
                (attribute::REQUESTED_TRANSPORT, UDP),
                (attribute::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0][..]),
            ][..],
            440,
        ),
        (&[(attribute::REQUESTED_TRANSPORT, UDP), (0x001A, &[][..])][..], 420),
    ] {
        let request = rig.request(Method::Allocate, attributes);
        assert_eq!(rig.answer(&request), expected);
    }
    let permission = rig.about(Method::CreatePermission, MEDIA, &[]);
    assert_eq!(rig.answer(&permission), 437);
    let request = rig.request(Method::Allocate, &[(attribute::REQUESTED_TRANSPORT, UDP)]);
    assert!(matches!(rig.handle(&request), Action::Open { .. }));
    assert_eq!(code(&rig.client.allocated(rig.now, Err(Refusal::Capacity))), 508);
    rig.allocate();
    for channel in [&[0x3F, 0xFF, 0, 0][..], &[0x50, 0x00, 0, 0], &[0x40]] {
        let bind = rig.about(Method::ChannelBind, MEDIA, &[(attribute::CHANNEL_NUMBER, channel)]);
        assert_eq!(rig.answer(&bind), 400);
    }
}

#[test]
fn more_than_the_rate_is_lost_in_both_directions() {
    let mut rig = Rig::of("1700003600:ann", 1_000);
    rig.allocate();
    let permission = rig.about(Method::CreatePermission, MEDIA, &[]);
    assert_eq!(rig.answer(&permission), 0);
    let sent = rig.send(MEDIA, &[0; 600]);
    assert_ne!(rig.handle(&sent), Action::Nothing);
    let mut out = Vec::new();
    assert_eq!(rig.heard(address(LOCAL), &[0; 600], &mut out), FromPeer::OverRate);
    rig.now += Duration::from_millis(200);
    assert_eq!(rig.heard(address(LOCAL), &[0; 600], &mut out), FromPeer::Passed);
    assert_eq!(rig.handle(&sent), Action::OverRate);
}

#[test]
fn every_refusal_has_a_code_and_a_word_of_its_own() {
    let mut words: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.word()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Refusal::ALL.len());
}

#[test]
fn frames_of_a_stream_have_an_end_and_nonsense_ends_the_stream() {
    assert_eq!(frame_length(b"\x40\x01\x00"), Ok(None));
    assert_eq!(frame_length(b"\x40\x01\x00\x05"), Ok(Some(12)));
    assert_eq!(frame_length(b"\x00\x01\x00\x08"), Ok(Some(28)));
    assert!(frame_length(b"GET / HTTP/1.1").is_err(), "a channel, of 21,536 bytes");
    assert!(frame_length(b"\x80\x60\x00\x01").is_err(), "RTP");
    assert!(frame_length(b"\x00\x01\xff\xff").is_err());
}
