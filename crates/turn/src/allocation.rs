//! What a client has at this server: permissions, channels, and how much it may still send.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::client::{Action, Limits};
use crate::failure::Refusal;
use crate::gate::Proven;
use crate::message::{Message, attribute};
use crate::peers::{Family, Peers};

/// How long a permission holds (RFC 8656 §9).
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// How long a channel holds (RFC 8656 §12).
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// Permissions, and channels, of one allocation; further ones are refused with 508. A server has
/// few media ports.
const PEERS_MAX: usize = 32;

/// One allocation.
pub(crate) struct Allocation {
    /// Who made it.
    pub(crate) user: Proven,
    /// Where peers would reach the client, as it was told.
    pub(crate) relayed: SocketAddr,
    /// The IP version of its peers.
    pub(crate) family: Family,
    /// The request that made it, which may come again.
    pub(crate) transaction: [u8; 12],
    /// What it was made for, for the answer.
    pub(crate) lifetime: Duration,
    /// When it is over unless it is refreshed.
    pub(crate) ends: Instant,
    /// By address (RFC 8656 §9), with their ends.
    permissions: Vec<(IpAddr, Instant)>,
    /// Number, peer and end.
    pub(crate) channels: Vec<(u16, SocketAddr, Instant)>,
    /// Where packets were sent to, each once, and the name that the last of them went to: what
    /// comes from there is of that name. At most as many as there are media ports.
    sent_to: Vec<(SocketAddr, SocketAddr)>,
    /// Bytes that may be sent now.
    credit: u64,
    /// When that was counted.
    counted: Instant,
}

impl Allocation {
    pub(crate) fn new(
        now: Instant,
        user: Proven,
        relayed: SocketAddr,
        transaction: [u8; 12],
        lifetime: Duration,
        limits: Limits,
    ) -> Self {
        Self {
            user,
            relayed,
            family: Family::of(relayed.ip()),
            transaction,
            lifetime,
            ends: now + lifetime,
            permissions: Vec::new(),
            channels: Vec::new(),
            sent_to: Vec::new(),
            credit: limits.bytes_per_second,
            counted: now,
        }
    }

    pub(crate) fn permits(&self, now: Instant, ip: IpAddr) -> bool {
        self.permissions.iter().any(|(permitted, ends)| *permitted == ip && now < *ends)
    }

    /// All or none (RFC 8656 §9.2).
    pub(crate) fn permit(
        &mut self,
        now: Instant,
        peers: &Peers,
        message: &Message<'_>,
    ) -> Result<(), Refusal> {
        let mut wanted = Vec::new();
        for peer in message.peers().take(PEERS_MAX) {
            wanted.push(peer.ok_or(Refusal::BadRequest)?.ip());
        }
        if wanted.is_empty() {
            return Err(Refusal::BadRequest);
        }
        if !wanted.iter().all(|ip| peers.has(*ip)) {
            return Err(Refusal::Forbidden);
        }
        if !wanted.iter().all(|ip| Family::of(*ip) == self.family) {
            return Err(Refusal::FamilyMismatch);
        }
        wanted.into_iter().try_for_each(|ip| self.add_permission(now, ip))
    }

    fn add_permission(&mut self, now: Instant, ip: IpAddr) -> Result<(), Refusal> {
        self.permissions.retain(|(other, ends)| *other != ip && now < *ends);
        if self.permissions.len() >= PEERS_MAX {
            return Err(Refusal::Capacity);
        }
        self.permissions.push((ip, now + PERMISSION_LIFETIME));
        Ok(())
    }

    pub(crate) fn bind(
        &mut self,
        now: Instant,
        peers: &Peers,
        message: &Message<'_>,
    ) -> Result<(), Refusal> {
        let number = match message.get(attribute::CHANNEL_NUMBER) {
            Some([high, low, _, _]) => u16::from_be_bytes([*high, *low]),
            Some(_) | None => return Err(Refusal::BadRequest),
        };
        let peer = message.peers().next().flatten().ok_or(Refusal::BadRequest)?;
        self.channels.retain(|(_, _, ends)| now < *ends);
        let is_other =
            |(of, with, _): &(u16, SocketAddr, Instant)| (*of == number) != (*with == peer);
        // RFC 8656 §12.2: a number has one peer, and a peer one number.
        if !(0x4000..=0x4FFF).contains(&number) || self.channels.iter().any(is_other) {
            return Err(Refusal::BadRequest);
        }
        if peers.local(peer).is_none() {
            return Err(Refusal::Forbidden);
        }
        if Family::of(peer.ip()) != self.family {
            return Err(Refusal::FamilyMismatch);
        }
        self.channels.retain(|(of, _, _)| *of != number);
        if self.channels.len() >= PEERS_MAX {
            return Err(Refusal::Capacity);
        }
        self.add_permission(now, peer.ip())?;
        self.channels.push((number, peer, now + CHANNEL_LIFETIME));
        Ok(())
    }

    pub(crate) fn lead<'a>(
        &mut self,
        now: Instant,
        limits: Limits,
        peers: &Peers,
        peer: SocketAddr,
        bytes: &'a [u8],
    ) -> Action<'a> {
        let Some(to) = peers.local(peer).filter(|_| now < self.ends) else {
            return Action::Nothing;
        };
        if !self.spend(now, limits, bytes.len()) {
            return Action::OverRate;
        }
        match self.sent_to.iter_mut().find(|(at, _)| *at == to) {
            Some((_, name)) => *name = peer,
            None => self.sent_to.push((to, peer)),
        }
        Action::ToPeer { to, bytes }
    }

    /// The name of the media port that a packet from there is of; none for one that was never sent
    /// to.
    pub(crate) fn name_of(&self, from: SocketAddr) -> Option<SocketAddr> {
        self.sent_to.iter().find(|(at, _)| *at == from).map(|(_, name)| *name)
    }

    /// Whether this much may go over now; then it is counted.
    pub(crate) fn spend(&mut self, now: Instant, limits: Limits, bytes: usize) -> bool {
        let passed = now.saturating_duration_since(self.counted);
        self.counted = now.max(self.counted);
        let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX).min(1_000_000);
        let earned = limits.bytes_per_second.saturating_mul(micros) / 1_000_000;
        self.credit = self.credit.saturating_add(earned).min(limits.bytes_per_second);
        match self.credit.checked_sub(bytes as u64) {
            Some(left) => {
                self.credit = left;
                true
            }
            None => false,
        }
    }
}
