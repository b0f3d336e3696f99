//! One client: what it may send where, and what it is sent.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_types::UnixMillis;

use crate::allocation::Allocation;
use crate::failure::{
    BAD_REQUEST, Failure, NO_ALLOCATION, NO_CAPACITY, NO_FAMILY, NO_TRANSPORT, WRONG_USER,
    error_code, failure,
};
use crate::gate::{Gate, Proven, Refused};
use crate::message::{Class, Message, Method, Writer, attribute};
use crate::peers::Peers;

/// How long an allocation lives unless it is refreshed, and at most (RFC 8656 §7.2).
const LIFETIME: Duration = Duration::from_secs(600);
const LIFETIME_MAX: Duration = Duration::from_secs(3_600);
/// Protocol number of UDP.
const UDP: u8 = 17;
/// Of REQUESTED-ADDRESS-FAMILY.
const FAMILY_V4: u8 = 1;
const FAMILY_V6: u8 = 2;

/// What one allocation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes each second in both directions together, a second's worth at once; what is more is
    /// lost, as in a network.
    pub bytes_per_second: u64,
}

/// What is to be done for a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Nothing.
    Nothing,
    /// Send this to the client.
    Reply(Vec<u8>),
    /// Open a socket for the user of this name, and tell [`Client::allocated`].
    Open {
        /// Whose it will be.
        username: String,
    },
    /// Send this from the relay's socket.
    ToPeer {
        /// A media port, as it is reached from here.
        to: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// Send this to the client; its allocation is over.
    Ended(Vec<u8>),
}

/// One client.
pub struct Client {
    /// Its end of the transport to here.
    source: SocketAddr,
    limits: Limits,
    state: State,
}

enum State {
    Idle,
    /// Its socket is being opened.
    Opening(Opening),
    Allocated(Allocation),
}

struct Opening {
    user: Proven,
    transaction: [u8; 12],
    lifetime: Duration,
}

impl Client {
    /// Somebody at `source`, who has nothing yet.
    pub fn new(source: SocketAddr, limits: Limits) -> Self {
        Self { source, limits, state: State::Idle }
    }

    /// Takes one message or ChannelData from the client. `wall` is the time that names and nonces
    /// are held against.
    pub fn handle<'a>(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        gate: &Gate,
        peers: &Peers,
        bytes: &'a [u8],
    ) -> Action<'a> {
        if bytes.first().is_some_and(|first| first >> 6 == 0b01) {
            return self.handle_channel_data(now, peers, bytes);
        }
        let Some(message) = Message::parse(bytes) else { return Action::Nothing };
        match (message.class, message.method) {
            (Class::Request, Method::Binding) => Action::Reply(
                Writer::new(Class::Success, Method::Binding, message.transaction)
                    .add_address(attribute::XOR_MAPPED_ADDRESS, self.source)
                    .finish(None),
            ),
            (Class::Indication, Method::Send) => self.handle_send(now, peers, &message),
            (Class::Request, Method::Send | Method::Data)
            | (Class::Indication | Class::Success | Class::Error, _) => Action::Nothing,
            (Class::Request, _) => self.handle_request(now, wall, gate, peers, &message),
        }
    }

    /// The socket that [`Action::Open`] asked for, as the client is to know it; none when there is
    /// none left. Gives what the client is to be sent.
    pub fn allocated(&mut self, now: Instant, relayed: Option<SocketAddr>) -> Vec<u8> {
        let State::Opening(opening) = std::mem::replace(&mut self.state, State::Idle) else {
            return Vec::new();
        };
        let Opening { user, transaction, lifetime } = opening;
        let Some(relayed) = relayed else {
            return failure(Method::Allocate, transaction, NO_CAPACITY, Some(&user));
        };
        let allocation = Allocation::new(now, user, relayed, transaction, lifetime, self.limits);
        let reply = self.success(&allocation);
        self.state = State::Allocated(allocation);
        reply
    }

    /// Writes what came to the relay's socket from `from` for the client into `out`; false when it
    /// is not to have it.
    pub fn handle_peer(
        &mut self,
        now: Instant,
        peers: &Peers,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        out.clear();
        let State::Allocated(allocation) = &mut self.state else { return false };
        let Some(peer) = peers.announced(from) else { return false };
        if now >= allocation.ends || !allocation.spend(now, self.limits, bytes.len()) {
            return false;
        }
        let channel = allocation.channels.iter().find(|(_, of, ends)| *of == peer && now < *ends);
        if let Some((number, _, _)) = channel {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(4), 0);
            return true;
        }
        if !allocation.permits(now, peer.ip()) {
            return false;
        }
        // An indication is nobody's answer: any transaction id does (RFC 8656 §11.2).
        let indication = Writer::new(Class::Indication, Method::Data, [0; 12])
            .add_address(attribute::XOR_PEER_ADDRESS, peer)
            .add(attribute::DATA, bytes);
        *out = indication.finish(None);
        true
    }

    /// When the allocation ends unless it is refreshed; none without one.
    pub fn ends(&self) -> Option<Instant> {
        match &self.state {
            State::Allocated(allocation) => Some(allocation.ends),
            State::Idle | State::Opening(_) => None,
        }
    }

    fn handle_request<'a>(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        gate: &Gate,
        peers: &Peers,
        message: &Message<'_>,
    ) -> Action<'a> {
        let user = match gate.check(wall, self.source, message) {
            Ok(user) => user,
            Err(refused) => return Action::Reply(self.challenge(wall, gate, message, refused)),
        };
        let fail = |reason| {
            Action::Reply(failure(message.method, message.transaction, reason, Some(&user)))
        };
        let unknown = message.unknown();
        if !unknown.is_empty() {
            let kinds: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
            let reply = Writer::new(Class::Error, message.method, message.transaction)
                .add(attribute::ERROR_CODE, &[0, 0, 4, 20])
                .add(attribute::UNKNOWN_ATTRIBUTES, &kinds);
            return Action::Reply(reply.finish(Some(&user.key)));
        }
        if message.method == Method::Allocate {
            return match self.allocate(peers, message, user.clone()) {
                Ok(action) => action,
                Err(reason) => fail(reason),
            };
        }
        let State::Allocated(allocation) = &mut self.state else { return fail(NO_ALLOCATION) };
        if now >= allocation.ends {
            return fail(NO_ALLOCATION);
        }
        if allocation.user.username != user.username {
            return fail(WRONG_USER);
        }
        let reply = Writer::new(Class::Success, message.method, message.transaction);
        match message.method {
            Method::Refresh => {
                let lifetime = lifetime(message);
                let seconds = (lifetime.as_secs() as u32).to_be_bytes();
                let reply = reply.add(attribute::LIFETIME, &seconds).finish(Some(&user.key));
                if lifetime.is_zero() {
                    self.state = State::Idle;
                    return Action::Ended(reply);
                }
                allocation.ends = now + lifetime;
                Action::Reply(reply)
            }
            Method::CreatePermission => match allocation.permit(now, peers, message) {
                Ok(()) => Action::Reply(reply.finish(Some(&user.key))),
                Err(reason) => fail(reason),
            },
            Method::ChannelBind => match allocation.bind(now, peers, message) {
                Ok(()) => Action::Reply(reply.finish(Some(&user.key))),
                Err(reason) => fail(reason),
            },
            Method::Binding | Method::Allocate | Method::Send | Method::Data => Action::Nothing,
        }
    }

    fn allocate<'a>(
        &mut self,
        peers: &Peers,
        message: &Message<'_>,
        user: Proven,
    ) -> Result<Action<'a>, Failure> {
        match &self.state {
            State::Idle => {}
            State::Opening(_) => return Ok(Action::Nothing),
            State::Allocated(allocation) if allocation.transaction == message.transaction => {
                return Ok(Action::Reply(self.success(allocation)));
            }
            State::Allocated(_) => return Err(NO_ALLOCATION),
        }
        match message.get(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(NO_TRANSPORT),
            Some(_) | None => return Err(BAD_REQUEST),
        }
        let family = match message.get(attribute::REQUESTED_ADDRESS_FAMILY) {
            None => FAMILY_V4,
            Some([family, _, _, _]) => *family,
            Some(_) => return Err(BAD_REQUEST),
        };
        let served = if peers.is_ipv4() { FAMILY_V4 } else { FAMILY_V6 };
        if family != served {
            return Err(NO_FAMILY);
        }
        let lifetime = lifetime(message).max(LIFETIME);
        let username = user.username.clone();
        let transaction = message.transaction;
        self.state = State::Opening(Opening { user, transaction, lifetime });
        Ok(Action::Open { username })
    }

    fn handle_send<'a>(
        &mut self,
        now: Instant,
        peers: &Peers,
        message: &Message<'a>,
    ) -> Action<'a> {
        let State::Allocated(allocation) = &mut self.state else { return Action::Nothing };
        let peer = message.peers().next().flatten();
        let (Some(peer), Some(bytes)) = (peer, message.get(attribute::DATA)) else {
            return Action::Nothing;
        };
        if !allocation.permits(now, peer.ip()) {
            return Action::Nothing;
        }
        allocation.lead(now, self.limits, peers, peer, bytes)
    }

    fn handle_channel_data<'a>(
        &mut self,
        now: Instant,
        peers: &Peers,
        bytes: &'a [u8],
    ) -> Action<'a> {
        let State::Allocated(allocation) = &mut self.state else { return Action::Nothing };
        let Some((head, rest)) = bytes.split_at_checked(4) else { return Action::Nothing };
        let number = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let Some(bytes) = rest.get(..length) else { return Action::Nothing };
        let channel = allocation.channels.iter().find(|(of, _, ends)| *of == number && now < *ends);
        let Some((_, peer, _)) = channel else { return Action::Nothing };
        let peer = *peer;
        allocation.lead(now, self.limits, peers, peer, bytes)
    }

    fn success(&self, allocation: &Allocation) -> Vec<u8> {
        let seconds = (allocation.lifetime.as_secs() as u32).to_be_bytes();
        Writer::new(Class::Success, Method::Allocate, allocation.transaction)
            .add_address(attribute::XOR_RELAYED_ADDRESS, allocation.relayed)
            .add(attribute::LIFETIME, &seconds)
            .add_address(attribute::XOR_MAPPED_ADDRESS, self.source)
            .finish(Some(&allocation.user.key))
    }

    fn challenge(
        &self,
        wall: UnixMillis,
        gate: &Gate,
        message: &Message<'_>,
        refused: Refused,
    ) -> Vec<u8> {
        let reason = match refused {
            Refused::Malformed => {
                return failure(message.method, message.transaction, BAD_REQUEST, None);
            }
            Refused::Unauthenticated => Failure(401, "Unauthenticated"),
            Refused::StaleNonce => Failure(438, "Stale Nonce"),
        };
        let reply = Writer::new(Class::Error, message.method, message.transaction);
        error_code(reply, reason)
            .add(attribute::REALM, gate.realm().as_bytes())
            .add(attribute::NONCE, gate.nonce(wall, self.source).as_bytes())
            .finish(None)
    }
}

/// What a request asks for, at most an hour; zero ends an allocation.
fn lifetime(message: &Message<'_>) -> Duration {
    match message.get(attribute::LIFETIME) {
        Some([a, b, c, d]) => {
            let asked = Duration::from_secs(u32::from_be_bytes([*a, *b, *c, *d]).into());
            asked.min(LIFETIME_MAX)
        }
        Some(_) | None => LIFETIME,
    }
}
