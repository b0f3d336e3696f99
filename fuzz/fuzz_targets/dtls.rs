//! What strangers send to the address of a client, as DTLS, before its handshake, in the middle of
//! it and afterwards.
//!
//! What must hold: no panic, not even a contained one. Whatever is made up, the client connects,
//! unless hellos before its own were answered as often as they are. Afterwards nothing ends the
//! session, for nobody has its keys.
#![no_main]

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use odeum_rtp::sdp::Direction;
use odeum_sfu::{DtlsCertificate, Sfu, SfuConfig, SfuEvent};

use client::{Client, Rtx};

#[path = "../../crates/sfu/src/tests/client.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use more of it")]
mod client;

/// Datagrams of each phase: fewer than the hellos that are looked at (`HELLOS_MAX` of `sfu`).
const DATAGRAMS_MAX: usize = 30;
/// Hellos that are answered (`HANDSHAKES_MAX` of `sfu`).
const HANDSHAKES_MAX: usize = 4;

static CERTIFICATE: LazyLock<DtlsCertificate> =
    LazyLock::new(|| DtlsCertificate::generate().unwrap());

/// What is sent when.
#[derive(Debug, Arbitrary)]
struct Strangers {
    before: Vec<Vec<Piece>>,
    between: Vec<Vec<Piece>>,
    after: Vec<Vec<Piece>>,
}

/// A part of a datagram.
#[derive(Debug, Arbitrary)]
enum Piece {
    /// Bytes without any form.
    Raw(Vec<u8>),
    /// A record.
    Record { content: u8, epoch: u8, sequence: u8, fragment: Vec<u8> },
    /// A record with a handshake message, or a part of one.
    Message { kind: u8, number: u8, total: u16, offset: u16, body: Vec<u8> },
    /// Something that the client has said, with a byte changed.
    Echo { which: u8, at: u16, flip: u8 },
}

impl Piece {
    fn write(self, said: &[Vec<u8>], datagram: &mut Vec<u8>) {
        match self {
            Self::Raw(bytes) => datagram.extend(bytes),
            Self::Record { content, epoch, sequence, fragment } => {
                write_record(datagram, 20 + content % 4, epoch % 3, sequence, &fragment);
            }
            Self::Message { kind, number, total, offset, body } => {
                let kind = [1, 11, 15, 16, 20, 2][usize::from(kind % 6)];
                let mut message = vec![kind, 0];
                message.extend(total.to_be_bytes());
                message.extend([0, number % 5, 0]);
                message.extend(offset.to_be_bytes());
                message.push(0);
                message.extend((body.len() as u16).to_be_bytes());
                message.extend(body);
                write_record(datagram, 22, 0, number, &message);
            }
            Self::Echo { which, at, flip } => {
                if said.is_empty() {
                    return;
                }
                let mut echo = said[usize::from(which) % said.len()].clone();
                let at = usize::from(at) % echo.len();
                echo[at] ^= flip;
                datagram.extend(echo);
            }
        }
    }
}

fn write_record(datagram: &mut Vec<u8>, content: u8, epoch: u8, sequence: u8, fragment: &[u8]) {
    datagram.extend([content, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, sequence]);
    datagram.extend((fragment.len() as u16).to_be_bytes());
    datagram.extend(fragment);
}

/// A server and its one client.
struct World {
    sfu: Sfu,
    now: Instant,
    client: Client,
    /// The client's DTLS so far.
    said: Vec<Vec<u8>>,
    is_connected: bool,
    is_closed: bool,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let candidates = vec![SocketAddr::from(([127, 0, 0, 1], 7881))];
        let mut sfu = Sfu::new(now, SfuConfig::new(CERTIFICATE.clone(), candidates, [42; 32]));
        let config = Arc::new(dimpl::Config::builder().build().unwrap());
        let mut client = Client::new(now, 1, config);
        let offer = client.offer(Direction::SendOnly, Rtx::Offered);
        let answer = sfu.create_publisher(now, client.id, &offer).unwrap();
        client.take_answer(&answer.sdp);
        let mut check = client.check();
        sfu.handle_datagram(now, client.address, &mut check);
        while sfu.poll_transmit().is_some() {}
        Self { sfu, now, client, said: Vec::new(), is_connected: false, is_closed: false }
    }

    /// Sends what strangers made up; gives to how many datagrams the server answered. The client
    /// hears nothing of it: answers to strangers would only stand for what they could send to it
    /// themselves.
    fn intrude(&mut self, datagrams: Vec<Vec<Piece>>) -> usize {
        let mut answered = 0;
        for pieces in datagrams.into_iter().take(DATAGRAMS_MAX) {
            let mut datagram = Vec::new();
            for piece in pieces {
                piece.write(&self.said, &mut datagram);
            }
            if datagram.first().is_some_and(|first| (20..64).contains(first)) {
                self.sfu.handle_datagram(self.now, self.client.address, &mut datagram);
                answered += usize::from(self.sfu.poll_transmit().is_some());
                while self.sfu.poll_transmit().is_some() {}
                self.note();
            }
        }
        answered
    }

    /// Hands over what both have to say, once.
    fn exchange(&mut self) {
        let said = std::mem::take(&mut self.client.outbox);
        for datagram in &said {
            self.sfu.handle_datagram(self.now, self.client.address, &mut datagram.clone());
        }
        self.said.extend(said);
        let mut heard = Vec::new();
        while let Some(transmit) = self.sfu.poll_transmit() {
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            heard.extend(transmit.bytes.chunks(size).map(<[u8]>::to_vec));
        }
        self.note();
        if !self.is_closed {
            heard.iter().for_each(|datagram| self.client.handle_datagram(self.now, datagram));
        }
    }

    /// Lets both ends be patient.
    fn wait_until_connected(&mut self) {
        for _ in 0..40 {
            self.exchange();
            if self.is_connected || self.is_closed {
                return;
            }
            self.now += Duration::from_millis(250);
            self.sfu.handle_timeout(self.now);
            self.client.handle_timeout(self.now);
        }
    }

    fn note(&mut self) {
        while let Some(event) = self.sfu.poll_event() {
            match event {
                SfuEvent::Connected { .. } => self.is_connected = true,
                SfuEvent::Closed { .. } => self.is_closed = true,
                _ => {}
            }
        }
        assert_eq!(self.sfu.statistics().panics, 0);
    }
}

fuzz_target!(|strangers: Strangers| {
    let mut world = World::new();
    let answered = world.intrude(strangers.before);
    assert!(!world.is_closed && answered <= HANDSHAKES_MAX);
    world.client.start_dtls(world.now);
    if answered == HANDSHAKES_MAX {
        return;
    }
    if !strangers.between.is_empty() {
        world.exchange();
        world.intrude(strangers.between);
    }
    world.wait_until_connected();
    assert!(world.is_connected, "somebody kept the client from connecting");
    world.intrude(strangers.after);
    assert!(!world.is_closed, "who has no keys ends nothing");
});
