//! Garbage at the media port: from strangers, and from the very addresses of clients that play.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use odeum_rtp::PacketKind;
use odeum_rtp::stun::{
    BindingRequest, Class, IceRole, IntegrityKey, MESSAGE_SIZE_MAX, Message, Nomination,
    TransactionId,
};

use super::live::Pair;
use super::random::Random;

/// Source ports that nobody has validated.
const STRANGERS: usize = 16;
/// Datagrams between two checks that the server keeps up: what its socket buffer surely holds.
const UNCHECKED_MAX: u64 = 64;
/// Longest wait for the answer to such a check, and how often it is repeated.
const CHECK_TIMEOUT: Duration = Duration::from_millis(250);
const CHECKS_MAX: usize = 40;

/// Sends datagrams.
pub(crate) struct Flood<'a> {
    server: SocketAddr,
    strangers: Vec<UdpSocket>,
    pair: &'a Pair,
    /// Datagrams that real clients sent, by kind.
    samples: Vec<(PacketKind, Vec<Vec<u8>>)>,
    /// Sends checks that are good.
    checker: UdpSocket,
    key: IntegrityKey,
    /// What was sent, by what it is.
    pub(crate) sent: BTreeMap<&'static str, u64>,
}

impl<'a> Flood<'a> {
    pub(crate) fn new(server: SocketAddr, pair: &'a Pair) -> Self {
        let bind = || UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let checker = bind();
        checker.set_read_timeout(Some(CHECK_TIMEOUT)).expect("not zero");
        let mut samples: Vec<_> = pair.samples().into_iter().collect();
        // The order of a map is no seed's.
        samples.sort_by_key(|(_, datagrams)| datagrams.first().map(|bytes| bytes[0]));
        let key = IntegrityKey::new(pair.password.as_bytes());
        let strangers = std::iter::repeat_with(bind).take(STRANGERS).collect();
        Self { server, strangers, pair, samples, checker, key, sent: BTreeMap::new() }
    }

    /// Sends `count` datagrams no faster than the server takes them.
    pub(crate) fn send(&mut self, random: &mut Random, count: u64) {
        for number in 0..count {
            let (what, bytes, socket) = self.datagram(random);
            while let Err(error) = socket.send_to(&bytes, self.server) {
                let full = error.kind() == std::io::ErrorKind::WouldBlock;
                assert!(full, "{what} of {} bytes: {error}", bytes.len());
                std::thread::yield_now();
            }
            *self.sent.entry(what).or_default() += 1;
            if number % UNCHECKED_MAX == 0 {
                self.check(random);
            }
        }
        self.check(random);
    }

    fn datagram(&self, random: &mut Random) -> (&'static str, Vec<u8>, &UdpSocket) {
        // One in four comes from where a client is, so that it passes the first door.
        let from_client = random.one_in(4);
        let socket = match from_client {
            true => random.pick(&self.pair.sockets),
            false => random.pick(&self.strangers),
        };
        let (kind, samples) = random.pick(&self.samples);
        let sample = random.pick(samples);
        let (what, bytes) = match random.below(10) {
            0 => {
                let length = random.below(1_500);
                ("random", random.bytes(length))
            }
            1 => {
                // Random behind a first byte that leads somewhere.
                let length = random.below(200);
                let mut bytes = random.bytes(length + 2);
                bytes[..2].copy_from_slice(&sample[..2]);
                ("random of a kind", bytes)
            }
            2 => ("check without the password", self.forged_check(random)),
            // A check that is sent again as it was would rightly move the client's address.
            3 if *kind != PacketKind::Stun => ("replayed", sample.clone()),
            _ => {
                let what = match kind {
                    PacketKind::Stun => "mutated STUN",
                    PacketKind::Dtls => "mutated DTLS",
                    PacketKind::Rtp => "mutated RTP",
                    PacketKind::Rtcp => "mutated RTCP",
                    PacketKind::Unknown => "mutated unknown",
                };
                (what, random.mutated(sample))
            }
        };
        // Larger ones do not leave a socket.
        (what, bytes.into_iter().take(9_000).collect(), socket)
    }

    /// A check with the name of a live client and the wrong password.
    fn forged_check(&self, random: &mut Random) -> Vec<u8> {
        let password = random.bytes(24);
        self.binding(random, &IntegrityKey::new(&password), Nomination::UseCandidate).1
    }

    fn binding(
        &self,
        random: &mut Random,
        key: &IntegrityKey,
        nomination: Nomination,
    ) -> (TransactionId, Vec<u8>) {
        let transaction = TransactionId(random.bytes(12).try_into().expect("12 bytes"));
        let role = IceRole::Controlling(random.next());
        let username = &self.pair.username;
        let request =
            BindingRequest { transaction, username, priority: 1_853_824_767, role, nomination };
        let mut buffer = [0; MESSAGE_SIZE_MAX];
        let length = request.write(&mut buffer, key).expect("an ICE username fits");
        (transaction, buffer[..length].to_vec())
    }

    /// Asks with the right password and waits for the answer: all before it was taken.
    fn check(&self, random: &mut Random) {
        let (asked, request) = self.binding(random, &self.key, Nomination::None);
        let mut buffer = [0; 2_048];
        for _ in 0..CHECKS_MAX {
            self.checker.send_to(&request, self.server).expect("a check is small");
            while let Ok(length) = self.checker.recv(&mut buffer) {
                let answer = Message::parse(&buffer[..length]).expect("the server writes STUN");
                if answer.transaction == asked {
                    assert_eq!(answer.class, Class::Success);
                    return;
                }
            }
        }
        panic!("the media port does not answer any more");
    }
}
