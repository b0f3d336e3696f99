//! One client: what it may send where, and what it is sent.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_types::UnixMillis;

use crate::allocation::Allocation;
use crate::failure::{Refusal, error_code, failure};
use crate::gate::{Gate, Proven};
use crate::message::{Class, Message, Method, Writer, attribute};
use crate::peers::{Family, Peers};

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
    /// Send this to the client, whose request is refused.
    Refuse {
        /// What to send.
        reply: Vec<u8>,
        /// Why.
        why: Refusal,
    },
    /// Open a socket for the user of this name, and tell [`Client::allocated`].
    Open {
        /// Whose it will be.
        username: String,
        /// The IP version of the peers that it is for.
        family: Family,
    },
    /// Send this from the relay's socket.
    ToPeer {
        /// A media port, as it is reached from here.
        to: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// Lose a packet that is over the rate.
    OverRate,
    /// Send this to the client; its allocation is over.
    Ended(Vec<u8>),
}

/// What becomes of a packet from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromPeer {
    /// It goes to the client.
    Passed,
    /// The client is not to have it.
    Refused,
    /// It is over the rate, and lost.
    OverRate,
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

    /// The socket that [`Action::Open`] asked for, as the client is to know it, or why there is
    /// none. Gives what the client is to be sent.
    pub fn allocated(&mut self, now: Instant, relayed: Result<SocketAddr, Refusal>) -> Vec<u8> {
        let State::Opening(opening) = std::mem::replace(&mut self.state, State::Idle) else {
            return Vec::new();
        };
        let Opening { user, transaction, lifetime } = opening;
        let relayed = match relayed {
            Ok(relayed) => relayed,
            Err(why) => return failure(Method::Allocate, transaction, why, &user),
        };
        let allocation = Allocation::new(now, user, relayed, transaction, lifetime, self.limits);
        let reply = self.success(&allocation);
        self.state = State::Allocated(allocation);
        reply
    }

    /// Writes what came to the relay's socket from `from` for the client into `out`. Only a media
    /// port that the client has sent to is heard.
    pub fn handle_peer(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> FromPeer {
        out.clear();
        let State::Allocated(allocation) = &mut self.state else { return FromPeer::Refused };
        let name = allocation.name_of(from).filter(|_| now < allocation.ends);
        let Some(peer) = name else { return FromPeer::Refused };
        if !allocation.spend(now, self.limits, bytes.len()) {
            return FromPeer::OverRate;
        }
        let channel = allocation.channels.iter().find(|(_, of, ends)| *of == peer && now < *ends);
        if let Some((number, _, _)) = channel {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(4), 0);
            return FromPeer::Passed;
        }
        if !allocation.permits(now, peer.ip()) {
            return FromPeer::Refused;
        }
        // An indication is nobody's answer: any transaction id does (RFC 8656 §11.2).
        let indication = Writer::new(Class::Indication, Method::Data, [0; 12])
            .add_address(attribute::XOR_PEER_ADDRESS, peer)
            .add(attribute::DATA, bytes);
        *out = indication.finish(None);
        FromPeer::Passed
    }

    /// The name of the user whose allocation it is; none without one.
    pub fn username(&self) -> Option<&str> {
        match &self.state {
            State::Allocated(allocation) => Some(&allocation.user.username),
            State::Idle | State::Opening(_) => None,
        }
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
            Err(why) => {
                let reply = self.challenge(wall, gate, message, why);
                return Action::Refuse { reply, why };
            }
        };
        let fail = |why| {
            let reply = failure(message.method, message.transaction, why, &user);
            Action::Refuse { reply, why }
        };
        let unknown = message.unknown();
        if !unknown.is_empty() {
            let kinds: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
            let why = Refusal::UnknownAttribute;
            let reply = Writer::new(Class::Error, message.method, message.transaction);
            let reply = error_code(reply, why).add(attribute::UNKNOWN_ATTRIBUTES, &kinds);
            return Action::Refuse { reply: reply.finish(Some(&user.key)), why };
        }
        if message.method == Method::Allocate {
            return match self.allocate(peers, message, user.clone()) {
                Ok(action) => action,
                Err(reason) => fail(reason),
            };
        }
        let State::Allocated(allocation) = &mut self.state else {
            return fail(Refusal::AllocationMismatch);
        };
        if now >= allocation.ends {
            return fail(Refusal::AllocationMismatch);
        }
        if allocation.user.username != user.username {
            return fail(Refusal::WrongUser);
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
    ) -> Result<Action<'a>, Refusal> {
        match &self.state {
            State::Idle => {}
            State::Opening(_) => return Ok(Action::Nothing),
            State::Allocated(allocation) if allocation.transaction == message.transaction => {
                return Ok(Action::Reply(self.success(allocation)));
            }
            State::Allocated(_) => return Err(Refusal::AllocationMismatch),
        }
        match message.get(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(Refusal::TransportUnsupported),
            Some(_) | None => return Err(Refusal::BadRequest),
        }
        let is_served = |family: &Family| peers.first(*family).is_some();
        let family = match message.get(attribute::REQUESTED_ADDRESS_FAMILY) {
            // RFC 8656 §7.2 has IPv4 here and nothing else. Browsers never ask for a version, and
            // at a server of IPv6 alone they would have no relay.
            None => [Family::V4, Family::V6].into_iter().find(is_served),
            Some([FAMILY_V4, _, _, _]) => Some(Family::V4).filter(is_served),
            Some([FAMILY_V6, _, _, _]) => Some(Family::V6).filter(is_served),
            Some([_, _, _, _]) => None,
            Some(_) => return Err(Refusal::BadRequest),
        };
        let family = family.ok_or(Refusal::FamilyUnsupported)?;
        let lifetime = lifetime(message).max(LIFETIME);
        let username = user.username.clone();
        let transaction = message.transaction;
        self.state = State::Opening(Opening { user, transaction, lifetime });
        Ok(Action::Open { username, family })
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
        why: Refusal,
    ) -> Vec<u8> {
        let reply = error_code(Writer::new(Class::Error, message.method, message.transaction), why);
        if why == Refusal::BadRequest {
            return reply.finish(None);
        }
        reply
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
