//! Where clients beyond a NAT reach this worker: what a STUN server sees of the media socket
//! (RFC 8489 §2). Asked from the media socket itself, so that the port is right as well. What it
//! says is announced after the addresses that are this machine's own: behind a NAT that keeps one
//! address for this machine (1:1), it is the one that all of the Internet reaches.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_rtp::stun::{Class, MESSAGE_SIZE_MAX, Message, TransactionId, write_address_request};

use crate::{Protocol, Sfu, SfuEvent, TransportAddress, sender};

/// Time to the first retransmission; each further one takes twice as long (RFC 8489 §6.2.1).
const RETRANSMIT_AFTER: Duration = Duration::from_millis(500);

/// Requests to one server before it is given up, 7.5 seconds after the first. Fewer than the RFC's
/// seven: the question is asked again every few minutes.
pub(crate) const REQUESTS_MAX: u32 = 4;

/// Questions that wait for an answer: one for each IP version. A further one replaces the oldest.
pub(crate) const QUESTIONS_MAX: usize = 2;

/// What has been found and what is being asked.
pub(crate) struct OuterAddresses {
    /// At most one of each IP version.
    found: Vec<SocketAddr>,
    /// At most [`QUESTIONS_MAX`].
    questions: Vec<Question>,
}

/// One question to one server.
struct Question {
    /// Who is asked; nobody else is believed.
    server: SocketAddr,
    /// Pairs the answer with it.
    transaction: TransactionId,
    /// Requests sent.
    requests: u32,
    /// When the next one is due, or the end.
    next: Instant,
}

impl OuterAddresses {
    /// With what was `found` before.
    pub(crate) fn new(found: &[SocketAddr]) -> Self {
        let mut addresses = Self { found: Vec::new(), questions: Vec::new() };
        found.iter().for_each(|address| addresses.take_in(*address));
        addresses
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.questions.iter().map(|question| question.next).min()
    }

    /// The `local` addresses, then those found that are not among them.
    pub(crate) fn append_to(&self, local: &[SocketAddr]) -> Vec<SocketAddr> {
        let found = self.found.iter().filter(|address| !local.contains(address));
        local.iter().chain(found).copied().collect()
    }

    /// As [`Self::append_to`] for TCP. A NAT shows its mappings of UDP only; one that keeps an
    /// address for this machine keeps the ports as well, so the port is the local one.
    pub(crate) fn append_to_tcp(&self, local: &[SocketAddr]) -> Vec<SocketAddr> {
        let Some(port) = local.first().map(SocketAddr::port) else { return Vec::new() };
        let found = self.found.iter().map(|address| SocketAddr::new(address.ip(), port));
        let found = found.filter(|address| !local.contains(address));
        local.iter().copied().chain(found).collect()
    }

    fn take_in(&mut self, address: SocketAddr) {
        self.found.retain(|other| other.is_ipv4() != address.is_ipv4());
        self.found.push(address);
        self.found.sort_by_key(SocketAddr::is_ipv6);
    }
}

impl Sfu {
    /// Asks `server` how it sees the media socket; [`SfuEvent::StunEnded`] says what came of it.
    /// What is found goes into the answers from then on, in place of what was found before; a
    /// server that does not answer changes nothing.
    pub fn ask_stun(&mut self, now: Instant, server: SocketAddr) {
        self.now = now;
        let questions = &mut self.outer.questions;
        let at = questions.iter().position(|question| question.server == server);
        if let Some(at) = at.or((questions.len() >= QUESTIONS_MAX).then_some(0)) {
            let given_up = questions.remove(at).server;
            self.events.push_back(SfuEvent::StunEnded { server: given_up, found: None });
        }
        let mut transaction = [0; 12];
        transaction[..8].copy_from_slice(&self.entropy.number_64().to_be_bytes());
        transaction[8..].copy_from_slice(&self.entropy.number().to_be_bytes());
        let transaction = TransactionId(transaction);
        self.outer.questions.push(Question { server, transaction, requests: 0, next: now });
        self.sweep_questions(now);
    }

    /// How STUN servers see the media socket: at most one address of each IP version.
    pub fn outer_addresses(&self) -> &[SocketAddr] {
        &self.outer.found
    }

    /// Sends what is due, and gives up who did not answer.
    pub(crate) fn sweep_questions(&mut self, now: Instant) {
        let Self { outer, arena, statistics, events, .. } = self;
        outer.questions.retain_mut(|question| {
            if now < question.next {
                return true;
            }
            let server = question.server;
            if question.requests == REQUESTS_MAX {
                events.push_back(SfuEvent::StunEnded { server, found: None });
                return false;
            }
            question.next = now + RETRANSMIT_AFTER * 2u32.pow(question.requests);
            question.requests += 1;
            let mut buffer = [0; MESSAGE_SIZE_MAX];
            let length = write_address_request(&mut buffer, question.transaction)
                .expect("a request without attributes fits");
            sender(arena, statistics, server.into())(&buffer[..length]);
            true
        });
    }

    /// Whether this was an answer to a question, and not part of a peer's ICE.
    pub(crate) fn take_stun_answer(&mut self, source: TransportAddress, bytes: &[u8]) -> bool {
        let asked = |question: &Question| {
            source.protocol == Protocol::Udp && question.server == source.socket
        };
        if !self.outer.questions.iter().any(asked) {
            return false;
        }
        let Ok(message) = Message::parse(bytes) else { return false };
        let questions = &mut self.outer.questions;
        let of =
            |question: &Question| asked(question) && question.transaction == message.transaction;
        let Some(at) = questions.iter().position(of) else { return false };
        let found = match message.class {
            Class::Success => message.mapped_address.filter(is_reachable),
            Class::Error => None,
            Class::Request | Class::Indication => return false,
        };
        questions.remove(at);
        if let Some(address) = found {
            self.outer.take_in(address);
        }
        self.events.push_back(SfuEvent::StunEnded { server: source.socket, found });
        true
    }
}

/// Whether packets can be sent there at all: a broken server must not put nonsense into answers.
fn is_reachable(address: &SocketAddr) -> bool {
    let ip = address.ip();
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
}
