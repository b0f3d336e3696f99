//! The controlling ICE agent: a few checks until one is answered, then one every five seconds to
//! keep the server's consent (RFC 7675). Odeum is ICE-lite and asks nothing; other servers check
//! the path too, and are answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_rtp::stun::{
    BindingRequest, Class, IceRole, IntegrityKey, MESSAGE_SIZE_MAX, Message, Nomination,
    TransactionId, write_success,
};
use rand::Rng;
use rand::rngs::SmallRng;

/// First wait for an answer; doubled up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest wait for an answer while connecting.
const RETRY_MAX: Duration = Duration::from_millis(1_600);
/// Time between two consent checks.
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// Silence after which the server is gone.
const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Priority of a peer-reflexive candidate of component 1 (RFC 8445 §5.1.2).
const PRIORITY: u32 = (110 << 24) | (65_535 << 8) | 255;

/// The agent; made once the answer is known.
#[derive(Debug)]
pub(super) struct IceAgent {
    /// `<server's ufrag>:<own ufrag>`.
    username: String,
    /// Of the server's password.
    key: IntegrityKey,
    /// Of the own password, which the server's checks are sealed with.
    own_key: IntegrityKey,
    /// Decides roles in a conflict, which an ICE-lite server has not.
    tie_breaker: u64,
    /// Where the server may be.
    candidates: Vec<SocketAddr>,
    /// Which of them answered.
    selected: Option<SocketAddr>,
    /// The check under way.
    transaction: TransactionId,
    /// When the next check leaves.
    next_at: Instant,
    /// How long to wait for an answer next time.
    retry: Duration,
    /// When the server last answered, or when the agent began.
    heard_at: Instant,
}

/// One end's ICE credentials.
#[derive(Clone, Copy)]
pub(super) struct Credentials<'a> {
    /// User fragment.
    pub(super) ufrag: &'a str,
    /// Password.
    pub(super) password: &'a str,
}

/// What an answer meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The first answer: the path works.
    Selected(SocketAddr),
    /// The server still consents.
    Consent,
    /// Not an answer to the check under way.
    Nothing,
}

impl IceAgent {
    /// Begins to check all of `candidates` at `now`.
    pub(super) fn new(
        now: Instant,
        own: Credentials<'_>,
        server: Credentials<'_>,
        candidates: Vec<SocketAddr>,
        random: &mut SmallRng,
    ) -> Self {
        Self {
            username: format!("{}:{}", server.ufrag, own.ufrag),
            key: IntegrityKey::new(server.password.as_bytes()),
            own_key: IntegrityKey::new(own.password.as_bytes()),
            tie_breaker: random.random(),
            candidates,
            selected: None,
            transaction: TransactionId(random.random()),
            next_at: now,
            retry: RETRY_FIRST,
            heard_at: now,
        }
    }

    /// Sends the checks that are due through `send`. False when the server is gone.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        random: &mut SmallRng,
        mut send: impl FnMut(SocketAddr, &[u8]),
    ) -> bool {
        if now.saturating_duration_since(self.heard_at) >= CONSENT_TIMEOUT {
            return false;
        }
        if now < self.next_at {
            return true;
        }
        // Until there is an answer a check is the same one again (RFC 8489 §6.2.1): one that comes
        // after the next has left is an answer too.
        if self.selected.is_some() {
            self.transaction = TransactionId(random.random());
        }
        let mut buffer = [0; MESSAGE_SIZE_MAX];
        let request = BindingRequest {
            transaction: self.transaction,
            username: &self.username,
            priority: PRIORITY,
            role: IceRole::Controlling(self.tie_breaker),
            nomination: Nomination::UseCandidate,
        };
        let length = request
            .write(&mut buffer, &self.key)
            .expect("two ufrags of an answer fit the largest message");
        match self.selected {
            Some(selected) => {
                send(selected, &buffer[..length]);
                // Spread, so that many peers of one process do not check at once (RFC 7675 §5.1).
                self.next_at = now + CONSENT_INTERVAL.mul_f64(random.random_range(0.8..1.2));
            }
            None => {
                for candidate in &self.candidates {
                    send(*candidate, &buffer[..length]);
                }
                self.next_at = now + self.retry;
                self.retry = (self.retry * 2).min(RETRY_MAX);
            }
        }
        true
    }

    /// Takes a STUN message from `source`; a check of the server's is answered through `send`.
    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        mut send: impl FnMut(&[u8]),
    ) -> Heard {
        let Ok(message) = Message::parse(bytes) else { return Heard::Nothing };
        if message.class == Class::Request && message.verify(&self.own_key).is_ok() {
            let mut buffer = [0; MESSAGE_SIZE_MAX];
            let length =
                write_success(&mut buffer, message.transaction, source, Some(&self.own_key))
                    .expect("an answer fits the largest message");
            send(&buffer[..length]);
            return Heard::Nothing;
        }
        let answers = message.class == Class::Success
            && message.transaction == self.transaction
            && message.verify(&self.key).is_ok();
        if !answers {
            return Heard::Nothing;
        }
        self.heard_at = now;
        match self.selected {
            Some(_) => Heard::Consent,
            None => {
                self.selected = Some(source);
                self.next_at = now + CONSENT_INTERVAL;
                Heard::Selected(source)
            }
        }
    }

    /// When [`IceAgent::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.next_at.min(self.heard_at + CONSENT_TIMEOUT)
    }

    /// `<server's ufrag>:<own ufrag>`.
    pub(super) fn username(&self) -> &str {
        &self.username
    }

    /// The path that works.
    pub(super) fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn server() -> SocketAddr {
        "127.0.0.1:7881".parse().expect("an address")
    }

    fn agent(now: Instant, random: &mut SmallRng) -> IceAgent {
        let own = Credentials { ufrag: "own", password: "own password" };
        let credentials = Credentials { ufrag: "server", password: "password" };
        IceAgent::new(now, own, credentials, vec![server()], random)
    }

    fn answer(request: &[u8], password: &str) -> Vec<u8> {
        let message = Message::parse(request).expect("the agent writes STUN");
        let mut buffer = vec![0; MESSAGE_SIZE_MAX];
        let key = IntegrityKey::new(password.as_bytes());
        let length = write_success(&mut buffer, message.transaction, server(), Some(&key))
            .expect("the buffer is large enough");
        buffer.truncate(length);
        buffer
    }

    #[test]
    fn the_first_answer_selects_and_later_ones_keep_consent() {
        let mut now = Instant::now();
        let mut random = SmallRng::seed_from_u64(1);
        let mut agent = agent(now, &mut random);
        for expected in [Heard::Selected(server()), Heard::Consent, Heard::Consent] {
            let mut sent = Vec::new();
            now = agent.poll_timeout();
            assert!(agent.handle_timeout(now, &mut random, |_, bytes| sent = bytes.to_vec()));
            let request = Message::parse(&sent).expect("the agent writes STUN");
            assert_eq!(request.username, Some("server:own"));
            assert_eq!(request.nomination, Nomination::UseCandidate);
            let mut hear = |password| {
                let answer = answer(&sent, password);
                agent.handle_message(now, server(), &answer, |_| panic!("answered an answer"))
            };
            assert_eq!(hear("other"), Heard::Nothing);
            assert_eq!(hear("password"), expected);
        }
    }

    #[test]
    fn a_servers_check_is_answered_if_it_knows_the_password() {
        let now = Instant::now();
        let mut random = SmallRng::seed_from_u64(3);
        let mut agent = agent(now, &mut random);
        for (password, answers) in [("password", 0), ("own password", 1)] {
            let request = BindingRequest {
                transaction: TransactionId(random.random()),
                username: "own:server",
                priority: PRIORITY,
                role: IceRole::Controlled(1),
                nomination: Nomination::None,
            };
            let mut check = [0; MESSAGE_SIZE_MAX];
            let key = IntegrityKey::new(password.as_bytes());
            let length = request.write(&mut check, &key).expect("it fits");
            let mut sent = Vec::new();
            let heard = agent.handle_message(now, server(), &check[..length], |bytes| {
                sent.push(bytes.to_vec());
            });
            assert_eq!((heard, sent.len()), (Heard::Nothing, answers));
            for answer in &sent {
                let message = Message::parse(answer).expect("it is STUN");
                assert_eq!(message.class, Class::Success);
                assert_eq!(message.transaction, request.transaction);
                message.verify(&key).expect("it is sealed");
            }
        }
    }

    #[test]
    fn an_answer_that_takes_longer_than_the_next_check_counts() {
        let mut now = Instant::now();
        let mut random = SmallRng::seed_from_u64(4);
        let mut agent = agent(now, &mut random);
        let mut sent = Vec::new();
        for _ in 0..5 {
            now = agent.poll_timeout();
            assert!(agent.handle_timeout(now, &mut random, |_, bytes| sent.push(bytes.to_vec())));
        }
        let late = answer(&sent[0], "password");
        let heard = agent.handle_message(now, server(), &late, |_| panic!("answered an answer"));
        assert_eq!(heard, Heard::Selected(server()));
    }

    #[test]
    fn a_silent_server_is_gone_after_thirty_seconds() {
        let start = Instant::now();
        let mut random = SmallRng::seed_from_u64(2);
        let mut agent = agent(start, &mut random);
        let mut sent = 0;
        loop {
            let now = agent.poll_timeout();
            if !agent.handle_timeout(now, &mut random, |_, _| sent += 1) {
                assert_eq!(now - start, CONSENT_TIMEOUT);
                break;
            }
        }
        assert!((15..40).contains(&sent), "{sent}");
    }
}
