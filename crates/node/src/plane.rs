//! A worker's media plane and what its outputs need: sockets, rooms and other workers.

use odeum_sfu::{Protocol, Sfu, SfuEvent, TransportAddress};
use odeum_types::PeerId;
use rustc_hash::FxHashMap;
use std::time::Instant;

use crate::media_handle::MediaHandle;
use crate::mirrors::Mirrors;
use crate::outer_address::StunAskers;
use crate::peer_notice::{PeerChange, PeerOwner};
use crate::statistics::SocketStatistics;
use crate::tcp::TcpPort;
use crate::udp::UdpSocket;

/// The media plane and what its outputs need.
pub(crate) struct Plane {
    /// The media plane itself.
    pub(crate) sfu: Sfu,
    /// The one UDP socket.
    pub(crate) socket: UdpSocket,
    /// For clients that no UDP gets through.
    pub(crate) tcp: Option<TcpPort>,
    /// Who hears of each transport; as many as the sfu has peers.
    pub(crate) owners: FxHashMap<PeerId, PeerOwner>,
    /// What it has to do with other workers.
    pub(crate) mirrors: Mirrors,
    /// What others know of this worker.
    pub(crate) handle: MediaHandle,
    /// What the socket did.
    pub(crate) counters: SocketStatistics,
    /// Who waits for what STUN servers say.
    pub(crate) stun_askers: StunAskers,
}

impl Plane {
    /// When something is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let tcp = self.tcp.as_ref().and_then(TcpPort::poll_timeout);
        self.sfu.poll_timeout().into_iter().chain(tcp).min()
    }

    /// Sends what the sfu has to send and tells rooms what it has to tell.
    pub(crate) fn flush(&mut self) {
        // Others first: they can serve their viewers while this worker serves its own.
        self.mirrors.send(&mut self.sfu);
        while self.send_some() {}
        while let Some(event) = self.sfu.poll_event() {
            match event {
                SfuEvent::Connected { peer, facts } => {
                    if let Some(owner) = self.owners.get(&peer) {
                        owner.tell(peer, PeerChange::Connected(facts));
                    }
                }
                SfuEvent::LayersWanted { publisher, layers } => {
                    if let Some(owner) = self.owners.get(&publisher) {
                        owner.tell(publisher, PeerChange::LayersWanted(layers));
                    }
                }
                SfuEvent::KeyFrameWanted { publisher, layer } => {
                    self.mirrors.ask_for_key_frame(publisher, layer);
                }
                SfuEvent::StunEnded { server, found } => {
                    self.handle.set_outer_addresses(self.sfu.outer_addresses());
                    self.stun_askers.tell(server, found);
                }
                SfuEvent::Closed { peer, reason } => {
                    self.mirrors.peer_closed(peer);
                    // Without an owner it was the room that asked for the end.
                    if let Some(owner) = self.owners.remove(&peer) {
                        owner.tell(peer, PeerChange::Closed(reason));
                    }
                }
            }
        }
    }

    /// Sends what is ready now; false when nothing was.
    fn send_some(&mut self) -> bool {
        let Self { sfu, socket, tcp, counters, .. } = self;
        let transmits = sfu.poll_transmits();
        let is_any = transmits.len() > 0;
        let over_udp = transmits.filter(|transmit| {
            let TransportAddress { protocol, socket } = transmit.destination;
            if protocol == Protocol::Tcp {
                let taken = tcp
                    .as_mut()
                    .and_then(|tcp| tcp.send(socket, transmit.bytes, transmit.segment_size));
                counters.count_tcp(transmit.packets(), transmit.bytes.len(), taken);
            }
            protocol == Protocol::Udp
        });
        let tally = socket.send_all(over_udp);
        counters.count_udp(tally);
        is_any
    }
}
