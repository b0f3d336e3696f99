//! The network between a media plane and its clients: delivers at once, in virtual time, and can be
//! told to lose.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use odeum_rtp::RtpPacket;
use odeum_rtp::rtcp::{self, RtcpPacket};
use odeum_rtp::sdp::Direction;
use odeum_srtp::{DtlsKeys, Inbound, Outbound, Profile};
use odeum_types::{PeerId, SessionId};

use super::client::{Client, RIDS, Rtx, VIDEO_PT};
use super::redundancy::Red;
use crate::dtls::SrtpKeys;
use crate::{CloseReason, DtlsCertificate, PlayTerms, Sfu, SfuConfig, SfuEvent};

/// A server and the clients that know it.
pub(super) struct Net {
    pub(super) sfu: Sfu,
    pub(super) now: Instant,
    pub(super) clients: Vec<Client>,
    pub(super) events: Vec<SfuEvent>,
    /// `(destination, segments)` of each transmit.
    pub(super) transmits: Vec<(SocketAddr, usize)>,
    pub(super) client_config: Arc<dimpl::Config>,
    /// Datagrams to this address are not delivered but kept in `held`.
    pub(super) holds: Option<SocketAddr>,
    pub(super) held: Vec<Vec<u8>>,
    /// The codec of all video that is offered, by its name in SDP.
    pub(super) codec: &'static str,
    /// Whether and where sound with redundancy is offered.
    pub(super) red: Red,
    /// More lines of the video that is offered.
    pub(super) lines: &'static str,
    /// The id of the first client; the next ones have the next.
    pub(super) first_id: u64,
    /// Whose the next viewers are; each is alone without.
    pub(super) session: Option<SessionId>,
}

impl Net {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut SfuConfig)) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time needs some instant to begin at"
        )]
        let now = Instant::now();
        let certificate = DtlsCertificate::generate().unwrap();
        let candidates = vec![SocketAddr::from(([127, 0, 0, 1], 7881))];
        let mut config = SfuConfig::new(certificate, candidates, [42; 32]);
        change(&mut config);
        Self {
            sfu: Sfu::new(now, config),
            now,
            clients: Vec::new(),
            events: Vec::new(),
            transmits: Vec::new(),
            client_config: Arc::new(dimpl::Config::builder().build().unwrap()),
            holds: None,
            held: Vec::new(),
            codec: "VP8",
            red: Red::Left,
            lines: "",
            first_id: 0,
            session: None,
        }
    }

    /// A publisher, connected; gives its place among the clients.
    pub(super) fn publisher(&mut self) -> usize {
        let at = self.offered_publisher();
        self.connect(at);
        at
    }

    /// A publisher whose answer is here and that has sent nothing yet.
    pub(super) fn offered_publisher(&mut self) -> usize {
        let id = self.first_id + self.clients.len() as u64;
        let mut client = Client::new(self.now, id, Arc::clone(&self.client_config));
        let offer = self.with_codec(client.offer(Direction::SendOnly, Rtx::Offered));
        let answer = self.sfu.create_publisher(self.now, client.id, &offer).unwrap();
        client.take_answer(&answer.sdp);
        self.clients.push(client);
        self.clients.len() - 1
    }

    /// A publisher of three layers of video, connected.
    pub(super) fn simulcast_publisher(&mut self) -> usize {
        let id = self.first_id + self.clients.len() as u64;
        let mut client = Client::new(self.now, id, Arc::clone(&self.client_config));
        let offer = self.with_codec(client.simulcast_offer());
        let answer = self.sfu.create_publisher(self.now, client.id, &offer).unwrap();
        let taken = client.take_answer(&answer.sdp);
        assert_eq!(taken.media()[1].receive_rids, RIDS);
        self.clients.push(client);
        let at = self.clients.len() - 1;
        self.connect(at);
        at
    }

    /// A viewer of `publisher`, connected.
    pub(super) fn viewer(&mut self, publisher: usize, rtx: Rtx) -> usize {
        self.viewer_of(self.clients[publisher].id, rtx)
    }

    /// The same of a publisher that may be a mirror.
    pub(super) fn viewer_of(&mut self, publisher: PeerId, rtx: Rtx) -> usize {
        let id = self.first_id + self.clients.len() as u64;
        let mut client = Client::new(self.now, id, Arc::clone(&self.client_config));
        let offer = self.with_codec(client.offer(Direction::ReceiveOnly, rtx));
        let terms = PlayTerms { session: self.session, ..PlayTerms::alone(publisher) };
        let answer = self.sfu.create_subscriber(self.now, client.id, terms, &offer).unwrap();
        client.take_answer(&answer.sdp);
        self.clients.push(client);
        let at = self.clients.len() - 1;
        self.connect(at);
        at
    }

    fn with_codec(&self, offer: String) -> String {
        let offer = self.red.offered(offer);
        // Video is the last of the offer.
        offer.replace("VP8/90000", &format!("{}/90000", self.codec)) + self.lines
    }

    pub(super) fn connect(&mut self, at: usize) {
        let check = self.clients[at].check();
        self.send(at, check);
        self.settle();
        self.clients[at].start_dtls(self.now);
        self.settle();
        let peer = self.clients[at].id;
        let is_connected = self
            .events
            .iter()
            .any(|event| matches!(event, SfuEvent::Connected { peer: p, .. } if *p == peer));
        assert!(is_connected, "{peer} did not connect: {:?}", self.events);
    }

    /// Hands a datagram of a client to the server.
    pub(super) fn send(&mut self, at: usize, datagram: Vec<u8>) {
        let source = self.clients[at].address;
        self.send_from(source, datagram);
    }

    pub(super) fn send_from(&mut self, source: SocketAddr, mut datagram: Vec<u8>) {
        self.sfu.handle_datagram(self.now, source, &mut datagram);
    }

    /// Everything that is sent: where to, and from which address of this machine.
    pub(super) fn ways(&mut self) -> Vec<(SocketAddr, Option<IpAddr>)> {
        std::iter::from_fn(|| {
            let transmit = self.sfu.poll_transmit()?;
            Some((transmit.destination.socket, transmit.source))
        })
        .collect()
    }

    /// Delivers until nobody has anything to say.
    pub(super) fn settle(&mut self) {
        loop {
            let mut is_quiet = true;
            while let Some(transmit) = self.sfu.poll_transmit() {
                is_quiet = false;
                let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
                let segments: Vec<&[u8]> = transmit.bytes.chunks(size).collect();
                assert!(segments.len() <= 64 && transmit.bytes.len() <= 65_000);
                self.transmits.push((transmit.destination.socket, segments.len()));
                if self.holds == Some(transmit.destination.socket) {
                    self.held.extend(segments.iter().map(|segment| segment.to_vec()));
                    continue;
                }
                let client =
                    self.clients.iter_mut().find(|c| c.address == transmit.destination.socket);
                if let Some(client) = client {
                    segments.iter().for_each(|s| client.handle_datagram(self.now, s));
                }
            }
            for at in 0..self.clients.len() {
                for datagram in std::mem::take(&mut self.clients[at].outbox) {
                    is_quiet = false;
                    self.send(at, datagram);
                }
            }
            while let Some(event) = self.sfu.poll_event() {
                self.events.push(event);
            }
            if is_quiet {
                return;
            }
        }
    }

    /// Lets time pass, in the steps that the server asks for.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.sfu.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.sfu.handle_timeout(self.now);
            let now = self.now;
            self.clients.iter_mut().for_each(|client| client.handle_timeout(now));
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// Picture loss indications that a publisher has received.
    pub(super) fn plis_at(&self, publisher: usize) -> usize {
        let compounds = self.clients[publisher].rtcp.iter();
        compounds
            .flat_map(|compound| rtcp::packets(compound).map(Result::unwrap))
            .filter(|packet| matches!(packet, RtcpPacket::PictureLossIndication(_)))
            .count()
    }

    /// The source of the video that a viewer has received.
    pub(super) fn video_ssrc_of(&self, viewer: usize) -> u32 {
        let packets = self.clients[viewer].rtp.iter();
        let mut headers = packets.map(|bytes| *RtpPacket::parse(bytes).unwrap().header());
        headers.find(|header| header.payload_type == VIDEO_PT).expect("some video came").ssrc
    }

    /// A viewer's NACK for one packet of its video.
    pub(super) fn video_nack(&mut self, viewer: usize, sequence: u16) -> Vec<u8> {
        let ssrc = self.video_ssrc_of(viewer);
        self.clients[viewer].rtcp(|writer| writer.nack(1, ssrc, [sequence]).unwrap())
    }

    pub(super) fn close_reason(&self, at: usize) -> Option<CloseReason> {
        let id: PeerId = self.clients[at].id;
        self.events.iter().find_map(|event| match event {
            SfuEvent::Closed { peer, reason } if *peer == id => Some(*reason),
            _ => None,
        })
    }

    /// Gives client and server keys of another profile than the handshake chose: the library has no
    /// way to offer one profile only.
    pub(super) fn rekey(&mut self, at: usize, profile: Profile) {
        let material = vec![at as u8 + 1; profile.keying_material_bytes()];
        let keys = DtlsKeys::split(profile, &material).unwrap();
        let client = &mut self.clients[at];
        client.outbound = Some(Outbound::new(profile, &keys.client));
        client.inbound = Some(Inbound::new(profile, &keys.server));
        let key = self.sfu.by_id[&client.id];
        self.sfu.peers[key].transport.as_mut().unwrap().srtp = Some(Box::new(SrtpKeys {
            inbound: Inbound::new(profile, &keys.client),
            outbound: Outbound::new(profile, &keys.server),
        }));
    }
}
