//! The server's end of WebRTC transports: ICE lets an address in, DTLS makes the keys, and both end
//! with the peer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use odeum_bwe::Flow;
use odeum_rtp::sdp::{IceCredentials, IceUfrag};
use odeum_rtp::stun::{MESSAGE_SIZE_MAX, Message};
use odeum_types::{PeerId, Redacted};

use crate::config::ADDRESS_SILENCE;
use crate::dtls::{DtlsProgress, DtlsServer, SrtpKeys};
use crate::event::{CloseReason, SfuEvent};
use crate::ice::{CheckRefused, Ice};
use crate::key_frames::Asked;
use crate::peer::{Peer, Role};
use crate::transport_address::{AddressPair, TransportAddress};
use crate::{PeerKey, Sfu, sender};

/// The server's end of a WebRTC transport.
pub(crate) struct Transport {
    /// Who may send from where.
    pub(crate) ice: Ice,
    /// The handshake, and goodbyes.
    pub(crate) dtls: DtlsServer,
    /// The contexts, once DTLS is done.
    pub(crate) srtp: Option<Box<SrtpKeys>>,
    /// When the answer was made.
    pub(crate) created: Instant,
    /// What is sent to the client; for viewers of video whose feedback tells what of it arrives.
    pub(crate) flow: Option<Box<Flow>>,
}

impl Transport {
    /// Lets ICE change the address that is sent to; another one is another way.
    fn with_ice<T>(&mut self, now: Instant, change: impl FnOnce(&mut Ice) -> T) -> T {
        let before = self.ice.selected();
        let changed = change(&mut self.ice);
        if self.ice.selected() != before
            && let Some(flow) = &mut self.flow
        {
            flow.handle_move(now);
        }
        changed
    }
}

/// There is no such peer, or it has no client of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no transport to restart")]
pub struct NoTransport;

impl Sfu {
    /// Restarts ICE for a peer whose client has the new name `remote_ufrag`. DTLS, SRTP and all
    /// that is forwarded go on; the old credentials stay good until a pair of the new ones is
    /// nominated. Gives the new credentials for the client.
    ///
    /// # Errors
    /// [`NoTransport`].
    pub fn restart_ice(
        &mut self,
        now: Instant,
        peer: PeerId,
        remote_ufrag: &IceUfrag,
    ) -> Result<IceCredentials, NoTransport> {
        self.now = now;
        let key = *self.by_id.get(&peer).ok_or(NoTransport)?;
        let ice = &mut self.peers[key].transport.as_mut().ok_or(NoTransport)?.ice;
        let is_taken = |ufrag: &str| self.by_ufrag.contains_key(ufrag);
        if let Some(ufrag) = ice.restart(&mut self.entropy, remote_ufrag.as_str(), is_taken) {
            self.by_ufrag.remove(&*ufrag);
        }
        self.by_ufrag.insert(ice.ufrag().into(), key);
        Ok(IceCredentials {
            ufrag: ice.ufrag().to_owned(),
            password: Redacted::new(ice.password().to_owned()),
        })
    }

    /// ICE: the only packets that are looked at without knowing their source.
    pub(crate) fn handle_stun(&mut self, now: Instant, source: AddressPair, bytes: &[u8]) {
        if self.take_stun_answer(source.remote, bytes) {
            return;
        }
        let found = Message::parse(bytes).ok().and_then(|message| {
            let (ufrag, _) = message.ufrags()?;
            Some((*self.by_ufrag.get(ufrag)?, message))
        });
        let Some((key, message)) = found else {
            self.statistics.stun_refused += 1;
            return;
        };
        self.contained(key, |sfu| {
            sfu.handle_check(now, key, source, &message);
            Ok(())
        });
    }

    fn handle_check(
        &mut self,
        now: Instant,
        key: PeerKey,
        source: AddressPair,
        message: &Message<'_>,
    ) {
        let is_anothers = self.is_held_by_another(now, key, source.remote);
        let peer = &mut self.peers[key];
        let Some(transport) = &mut peer.transport else { return };
        let verdict = match transport.ice.check(message) {
            Ok(()) if !is_anothers => Ok(()),
            Err(CheckRefused::Answered(code)) => Err(code),
            Ok(()) | Err(CheckRefused::Ignored) => {
                self.statistics.stun_refused += 1;
                return;
            }
        };
        match self.arena.room(MESSAGE_SIZE_MAX) {
            Ok(room) => {
                if let Ok(length) =
                    transport.ice.write_answer(room, message, source.remote, verdict)
                {
                    self.arena.commit(source, length);
                }
            }
            Err(_) => self.statistics.dropped_queue_full += 1,
        }
        if verdict.is_err() {
            self.statistics.stun_refused += 1;
            return;
        }
        self.statistics.stun_answered += 1;
        peer.heard = now;
        let accepted = transport.with_ice(now, |ice| ice.accept(now, source, message));
        if let Some(address) = accepted.evicted {
            self.by_address.remove(&address);
        }
        if let Some(ufrag) = accepted.former_ufrag {
            self.by_ufrag.remove(&*ufrag);
        }
        // A NAT may give a silent peer's address to another.
        let before = self.by_address.insert(source.remote, key);
        if let Some(other) = before.filter(|other| *other != key) {
            self.peers[other]
                .transport
                .iter_mut()
                .for_each(|transport| transport.with_ice(now, |ice| ice.forget(source.remote)));
        }
    }

    /// Whether `source` is where another connected peer has been heard lately. Source addresses can
    /// be forged, so a check that is authentic for one peer must not cut off another one.
    fn is_held_by_another(&self, now: Instant, key: PeerKey, source: TransportAddress) -> bool {
        let other = self.by_address.get(&source).filter(|other| **other != key);
        other.and_then(|other| self.peers.get(*other)).is_some_and(|other| {
            other.is_connected() && now.saturating_duration_since(other.heard) < ADDRESS_SILENCE
        })
    }

    pub(crate) fn handle_dtls(
        &mut self,
        now: Instant,
        key: PeerKey,
        source: AddressPair,
        bytes: &[u8],
    ) -> Result<(), CloseReason> {
        let Some(transport) = &mut self.peers[key].transport else { return Ok(()) };
        let destination = transport.ice.selected().unwrap_or(source);
        let send = sender(&mut self.arena, &mut self.statistics, destination);
        let progress = transport.dtls.handle_datagram(now, &self.dtls, bytes, send)?;
        self.handle_progress(now, key, progress);
        Ok(())
    }

    pub(crate) fn handle_progress(&mut self, now: Instant, key: PeerKey, progress: DtlsProgress) {
        let DtlsProgress::Established(keys) = progress else { return };
        let peer = &mut self.peers[key];
        let Some(transport) = &mut peer.transport else { return };
        transport.srtp = Some(keys);
        peer.heard = now;
        self.events.push_back(SfuEvent::Connected { peer: peer.id, facts: peer.facts });
        self.connecting.retain(|connecting| *connecting != key);
        // From now on it takes part in what reaches its session.
        self.choose_anew(now, key);
        // A viewer that joins cannot decode anything before the next key frame.
        if let Role::Subscriber(subscriber) = &self.peers[key].role {
            let (publisher, layer) = (subscriber.publisher, subscriber.video_pick.map(|p| p.layer));
            self.ask_for_key_frame(now, publisher, layer, Asked::ByJoining);
        }
    }

    /// Takes a peer's names and addresses back and says goodbye to its client.
    pub(crate) fn close_transport(&mut self, key: PeerKey, peer: &mut Peer, reason: CloseReason) {
        let Some(transport) = &mut peer.transport else { return };
        for ufrag in transport.ice.ufrags() {
            self.by_ufrag.remove(ufrag);
        }
        for address in transport.ice.addresses() {
            if self.by_address.get(&address) == Some(&key) {
                self.by_address.remove(&address);
            }
        }
        self.connecting.retain(|other| *other != key);
        // What panicked once may do so again.
        if reason == CloseReason::Panicked {
            return;
        }
        let Some(destination) = transport.ice.selected() else { return };
        let mark = self.arena.mark();
        let send = sender(&mut self.arena, &mut self.statistics, destination);
        let closed = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            assert!(!peer.panics_next, "injected");
            transport.dtls.close(send);
        }));
        if closed.is_err() {
            self.arena.rewind(mark);
            self.statistics.panics += 1;
        }
    }
}
