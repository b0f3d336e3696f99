//! One WebRTC transport of a client, sans-IO: the caller gives it datagrams and the time, and takes
//! datagrams, events and media from it.

pub(crate) mod answer;
mod config;
mod dtls;
mod ice;
mod media;
mod offer;
mod receive;
mod red;
mod send;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use odeum_rtp::{ExtensionKind, Marker, PacketKind, TransportRecorder};
use odeum_srtp::Profile;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::source::MediaPacket;
use answer::{Answer, AnswerError};
use dtls::{DtlsClient, DtlsFailed, SrtpContexts};
use ice::{Credentials, Heard, IceAgent};
use offer::{Offer, OfferedMedia, RED, RIDS};
use receive::Receiver;
use send::{Sender, SenderIds};

pub use config::{Direction, Kind, NackMode, PeerConfig, SoundRepair};
pub use dtls::{Certificate, CertificateError, DtlsVersion};
pub use media::Received;
pub use receive::ReceiveStatistics;
pub use send::SendStatistics;

/// Time between two reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Something that happened to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerEvent {
    /// ICE and DTLS are done; media may flow.
    Connected {
        /// The SRTP profile that the server chose.
        profile: Profile,
    },
    /// The server asks for a key frame.
    KeyFrameRequested,
    /// It is over.
    Closed(CloseReason),
}

/// Why a peer is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The server did not answer checks for 30 s.
    Silent,
    /// The handshake failed, the fingerprint was wrong, or the server closed DTLS.
    Dtls,
    /// [`WebRtcPeer::close`].
    Closed,
}

/// A datagram to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub destination: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One transport.
pub struct WebRtcPeer {
    /// What it was made of.
    config: PeerConfig,
    /// Its random numbers.
    random: SmallRng,
    /// Its ICE user fragment.
    ufrag: String,
    /// Its ICE password.
    password: String,
    /// The m-lines.
    offered: Vec<OfferedMedia>,
    /// Its own source in RTCP when it only receives.
    rtcp_ssrc: u32,
    /// SHA-256 of the certificate that the answer promised.
    promised: [u8; 32],
    /// From the answer on.
    ice: Option<IceAgent>,
    /// From the first path on.
    dtls: Option<DtlsClient>,
    /// From the end of the handshake on.
    srtp: Option<SrtpContexts>,
    /// What is sent.
    senders: Vec<Sender>,
    /// What is received.
    receivers: Vec<(Kind, Receiver)>,
    /// The next transport-wide number.
    transport_number: u16,
    /// Arrival times to tell the server of, from the first packet with a transport-wide number on.
    recorder: Option<TransportRecorder>,
    /// When the next reports leave.
    report_at: Option<Instant>,
    /// What waits to be sent. Bounded by what one call produces; the caller drains it after each.
    transmits: VecDeque<Transmit>,
    /// What waits to be told.
    events: VecDeque<PeerEvent>,
    /// Why it is over.
    closed: Option<CloseReason>,
    /// When it was connected: the origin of its NTP times.
    connected_at: Option<Instant>,
}

impl WebRtcPeer {
    /// A peer that has an offer to make.
    pub fn new(config: PeerConfig) -> Self {
        let mut random = SmallRng::seed_from_u64(config.seed);
        let offered = (config.media.iter())
            .map(|kind| OfferedMedia {
                kind: *kind,
                ssrc: random.random_range(1..u32::MAX),
                rtx_ssrc: random.random_range(1..u32::MAX),
            })
            .collect();
        Self {
            ufrag: format!("{:08x}", random.random::<u32>()),
            password: format!("{:032x}", random.random::<u128>()),
            offered,
            rtcp_ssrc: random.random_range(1..u32::MAX),
            promised: [0; 32],
            ice: None,
            dtls: None,
            srtp: None,
            senders: Vec::new(),
            receivers: Vec::new(),
            transport_number: 1,
            recorder: None,
            report_at: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            closed: None,
            connected_at: None,
            random,
            config,
        }
    }

    /// Takes the server's answer and begins to connect.
    ///
    /// # Errors
    /// [`AnswerError`]; the peer is as before.
    pub fn accept_answer(&mut self, now: Instant, sdp: &str) -> Result<(), AnswerError> {
        let answer = Answer::parse(sdp, self.offered.len())?;
        self.promised = answer.fingerprint;
        if self.config.direction == Direction::Send {
            for (mid, (offered, answered)) in self.offered.iter().zip(&answer.media).enumerate() {
                if !answered.accepted {
                    continue;
                }
                let extension = |kind: ExtensionKind| answered.extension(kind.uri());
                let ids = SenderIds {
                    mid: extension(ExtensionKind::Mid),
                    transport_cc: extension(ExtensionKind::TransportSequenceNumber),
                    rid: None,
                    redundancy: answered.payload_types.contains(&RED),
                };
                let rid = extension(ExtensionKind::RtpStreamId);
                let layers = if offered.kind == Kind::Video { self.config.layers } else { 1 };
                for layer in 0..layers {
                    let ssrc = offered.ssrc.wrapping_add(layer as u32);
                    let media = OfferedMedia { ssrc, ..*offered };
                    let rid = rid.and_then(|id| Some((id, *RIDS.get(layer)?)));
                    let sequence = self.random.random_range(0..u16::MAX / 2);
                    let ids = SenderIds { rid: rid.filter(|_| layers > 1), ..ids };
                    self.senders.push(Sender::new(media, mid, ids, sequence));
                }
            }
        }
        let own = Credentials { ufrag: &self.ufrag, password: &self.password };
        let server = Credentials { ufrag: &answer.ufrag, password: &answer.password };
        self.ice = Some(IceAgent::new(now, own, server, answer.candidates, &mut self.random));
        self.handle_timeout(now);
        Ok(())
    }

    /// Takes a datagram, decrypting it in place; gives the media packet in it, if there is a new
    /// one.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &'a mut [u8],
    ) -> Option<Received<'a>> {
        if self.closed.is_some() {
            return None;
        }
        match PacketKind::of(bytes) {
            PacketKind::Stun => self.on_stun(now, source, bytes),
            PacketKind::Dtls => self.on_dtls(now, bytes),
            PacketKind::Rtp => return self.on_rtp(now, bytes),
            PacketKind::Rtcp => self.on_rtcp(now, bytes),
            PacketKind::Unknown => {}
        }
        None
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed.is_some() {
            return;
        }
        let Some(ice) = &mut self.ice else { return };
        let transmits = &mut self.transmits;
        let consents = ice.handle_timeout(now, &mut self.random, |destination, bytes| {
            transmits.push_back(Transmit { destination, bytes: bytes.to_vec() });
        });
        if !consents {
            return self.end(CloseReason::Silent);
        }
        if let (Some(dtls), Some(destination)) = (&mut self.dtls, ice.selected()) {
            let progress = dtls.handle_timeout(now, |bytes| {
                transmits.push_back(Transmit { destination, bytes: bytes.to_vec() });
            });
            self.on_dtls_progress(now, progress);
        }
        self.send_nacks(now);
        self.send_transport_feedback(now);
        if self.report_at.is_some_and(|at| at <= now) {
            self.report_at = Some(now + REPORT_INTERVAL);
            self.send_reports(now);
        }
    }

    /// Sends a media packet; nothing happens before the peer is connected, or when the server did
    /// not accept that kind.
    pub fn send_rtp(&mut self, packet: &MediaPacket<'_>) {
        let Some(destination) = self.remote() else { return };
        let Some(srtp) = &mut self.srtp else { return };
        let mut own = self.senders.iter_mut().filter(|own| own.media.kind == packet.kind);
        let Some(sender) = own.nth(packet.layer) else { return };
        let marker = if packet.marker { Marker::Set } else { Marker::Clear };
        let overhead = srtp.profile.rtp_overhead_bytes();
        let number = &mut self.transport_number;
        let mut bytes = sender.packet(marker, packet.timestamp, packet.payload, number, overhead);
        srtp.outbound.protect_rtp(&mut bytes).expect("a new packet with a new number");
        self.transmits.push_back(Transmit { destination, bytes });
    }

    /// Asks the server for a key frame.
    pub fn request_key_frame(&mut self) {
        let own = self.rtcp_ssrc;
        let video = self.receivers.iter().find(|(kind, _)| *kind == Kind::Video);
        let Some(ssrc) = video.map(|(_, receiver)| receiver.ssrc) else { return };
        self.send_rtcp(|writer| {
            writer.receiver_report(own, &[]).expect("an empty compound has room");
            writer.picture_loss_indication(own, ssrc).expect("it has room");
        });
    }

    /// Ends the peer. The server notices by silence; signalling tells it at once.
    pub fn close(&mut self) {
        self.end(CloseReason::Closed);
    }

    /// The next datagram to be sent; drain it after every call that may produce one.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// When [`WebRtcPeer::handle_timeout`] has something to do; none before the answer and after
    /// the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed.is_some() {
            return None;
        }
        let ice = self.ice.as_ref()?.poll_timeout();
        let dtls = self.dtls.as_ref().and_then(DtlsClient::poll_timeout);
        let nack = match self.config.nack {
            NackMode::Ask => self.receivers.iter().filter_map(|(_, own)| own.nack_at()).min(),
            NackMode::Count => None,
        };
        let feedback = self.recorder.as_ref().and_then(TransportRecorder::poll_timeout);
        [Some(ice), dtls, nack, feedback, self.report_at].into_iter().flatten().min()
    }

    /// The SDP offer.
    pub fn offer(&self) -> String {
        Offer {
            ufrag: &self.ufrag,
            password: &self.password,
            fingerprint: self.config.certificate.fingerprint(),
            direction: self.config.direction,
            layers: self.config.layers,
            sound: self.config.sound,
            media: &self.offered,
        }
        .write()
    }

    /// Whether media may flow.
    pub fn is_connected(&self) -> bool {
        self.srtp.is_some() && self.closed.is_none()
    }

    /// The SRTP profile that the server chose.
    pub fn profile(&self) -> Option<Profile> {
        self.srtp.as_ref().map(|srtp| srtp.profile)
    }

    /// The user name of its checks, once the answer is here: both ends' names.
    pub fn ice_username(&self) -> Option<&str> {
        self.ice.as_ref().map(IceAgent::username)
    }

    /// Where the server is, once it answered.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.ice.as_ref()?.selected()
    }

    /// What was received of `kind`, over all its sources.
    pub fn receive_statistics(&self, kind: Kind) -> ReceiveStatistics {
        let mut sum = ReceiveStatistics::default();
        for (_, receiver) in self.receivers.iter().filter(|(own, _)| *own == kind) {
            let one = receiver.statistics();
            sum.packets += one.packets;
            sum.bytes += one.bytes;
            sum.lost += one.lost;
            sum.duplicates += one.duplicates;
            sum.recovered += one.recovered;
            sum.nacked += one.nacked;
            sum.restarts += one.restarts;
        }
        sum
    }

    /// What was sent of `kind`.
    pub fn send_statistics(&self, kind: Kind) -> SendStatistics {
        let sender = self.senders.iter().find(|sender| sender.media.kind == kind);
        sender.map(|sender| sender.statistics).unwrap_or_default()
    }

    fn on_stun(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) {
        let Some(ice) = &mut self.ice else { return };
        let transmits = &mut self.transmits;
        let heard = ice.handle_message(now, source, bytes, |bytes| {
            transmits.push_back(Transmit { destination: source, bytes: bytes.to_vec() });
        });
        match heard {
            Heard::Selected(_) => {
                let config = &self.config;
                self.dtls =
                    Some(DtlsClient::new(now, config.dtls, &config.certificate, self.promised));
                self.handle_timeout(now);
            }
            Heard::Consent | Heard::Nothing => {}
        }
    }

    fn on_dtls(&mut self, now: Instant, bytes: &[u8]) {
        let Some(destination) = self.remote() else { return };
        let Some(dtls) = &mut self.dtls else { return };
        let transmits = &mut self.transmits;
        let progress = dtls.handle_datagram(now, bytes, |bytes| {
            transmits.push_back(Transmit { destination, bytes: bytes.to_vec() });
        });
        self.on_dtls_progress(now, progress);
    }

    fn on_dtls_progress(
        &mut self,
        now: Instant,
        progress: Result<Option<SrtpContexts>, DtlsFailed>,
    ) {
        match progress {
            Ok(None) => {}
            Ok(Some(contexts)) => {
                self.events.push_back(PeerEvent::Connected { profile: contexts.profile });
                self.srtp = Some(contexts);
                self.connected_at = Some(now);
                self.report_at = Some(now + REPORT_INTERVAL);
            }
            Err(DtlsFailed) => self.end(CloseReason::Dtls),
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if self.closed.is_none() {
            self.closed = Some(reason);
            self.events.push_back(PeerEvent::Closed(reason));
        }
    }
}
