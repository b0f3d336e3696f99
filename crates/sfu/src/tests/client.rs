//! A WebRTC client without a socket: one peer connection that publishes or plays.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use dimpl::{Dtls, DtlsCertificate, Output};
use odeum_rtp::rtcp::RtcpWriter;
use odeum_rtp::sdp::{
    Answer, Description, Direction, Feedback, Fingerprint, IceCredentials, MediaKind, MediaSection,
    MediaSender, PacketTimes, PayloadFormat, Transport,
};
use odeum_rtp::stun::{BindingRequest, IceRole, IntegrityKey, Nomination, TransactionId};
use odeum_rtp::{ExtensionKind, ExtensionMap, HeaderWriter, Marker, PacketKind, RtpPacket};
use odeum_srtp::{DtlsKeys, Inbound, Outbound, Profile};
use odeum_types::{PeerId, Redacted};

pub(super) const AUDIO_PT: u8 = 111;
pub(super) const VIDEO_PT: u8 = 96;
pub(super) const RTX_PT: u8 = 97;
pub(super) const AUDIO_SSRC: u32 = 0x1111;
pub(super) const VIDEO_SSRC: u32 = 0x2222;
pub(super) const VIDEO_RTX_SSRC: u32 = 0x3333;

/// Whether retransmission is negotiated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rtx {
    Offered,
    Left,
}

/// A client with its certificate, keys and everything it has received.
pub(super) struct Client {
    pub(super) id: PeerId,
    pub(super) address: SocketAddr,
    certificate: DtlsCertificate,
    dtls: Dtls,
    ufrag: String,
    server: Option<IceCredentials>,
    pub(super) answer: Option<Answer>,
    pub(super) inbound: Option<Inbound>,
    pub(super) outbound: Option<Outbound>,
    /// Datagrams to the server.
    pub(super) outbox: Vec<Vec<u8>>,
    /// Plain RTP received.
    pub(super) rtp: Vec<Vec<u8>>,
    /// Plain RTCP received.
    pub(super) rtcp: Vec<Vec<u8>>,
    pub(super) stun_answers: usize,
    pub(super) is_closed: bool,
    transactions: u8,
    next_sequence: u16,
}

/// The rids of a simulcast publisher, the smallest layer first.
pub(super) const RIDS: [&str; 3] = ["q", "h", "f"];
/// The SSRCs of its layers.
pub(super) const LAYER_SSRCS: [u32; 3] = [0xa111, 0xa222, 0xa333];

impl Client {
    pub(super) fn new(now: Instant, id: u64, config: Arc<dimpl::Config>) -> Self {
        let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let mut dtls = Dtls::new_12(config, certificate.clone(), now);
        dtls.set_active(true);
        Self {
            id: PeerId(id),
            address: SocketAddr::from(([10, 0, (id >> 8) as u8, id as u8], 5_000)),
            certificate,
            dtls,
            ufrag: format!("client{id:04}"),
            server: None,
            answer: None,
            inbound: None,
            outbound: None,
            outbox: Vec::new(),
            rtp: Vec::new(),
            rtcp: Vec::new(),
            stun_answers: 0,
            is_closed: false,
            transactions: 0,
            next_sequence: 65_530,
        }
    }

    pub(super) fn offer(&self, direction: Direction, rtx: Rtx) -> String {
        let transport = Transport {
            session_id: 1,
            ice: IceCredentials {
                ufrag: self.ufrag.clone(),
                password: Redacted::new("a password of the client".replace(' ', "+")),
            },
            fingerprint: Fingerprint(self.certificate.fingerprint().try_into().unwrap()),
            candidates: Vec::new(),
            tcp_candidates: Vec::new(),
        };
        let opus = PayloadFormat { channels: 2, ..PayloadFormat::new(AUDIO_PT, "opus", 48_000) };
        let mut vp8 = PayloadFormat::new(VIDEO_PT, "VP8", 90_000);
        vp8.feedback = vec![Feedback::Nack, Feedback::NackPli, Feedback::TransportCc];
        let mut video = vec![vp8];
        if rtx == Rtx::Offered {
            let mut retransmission = PayloadFormat::new(RTX_PT, "rtx", 90_000);
            retransmission.parameters = format!("apt={VIDEO_PT}");
            video.push(retransmission);
        }
        let mut extensions = ExtensionMap::default();
        assert!(extensions.insert(1, ExtensionKind::AudioLevel));
        assert!(extensions.insert(3, ExtensionKind::TransportSequenceNumber));
        let sender = |ssrc, retransmission_ssrc, track: &str| {
            direction.sends().then(|| MediaSender {
                ssrc,
                retransmission_ssrc,
                cname: "client".into(),
                stream: "stream".into(),
                track: track.into(),
            })
        };
        let rtx_ssrc = (rtx == Rtx::Offered).then_some(VIDEO_RTX_SSRC);
        let section = |formats, sender| MediaSection {
            direction,
            formats,
            packet_times: PacketTimes::default(),
            extensions,
            rids: Vec::new(),
            sender,
        };
        let sections = [
            (MediaKind::Audio, section(vec![opus], sender(AUDIO_SSRC, None, "audio"))),
            (MediaKind::Video, section(video, sender(VIDEO_SSRC, rtx_ssrc, "video"))),
        ];
        Description::offer(&transport, &sections).to_string()
    }

    /// An offer of three layers of video as Chromium makes it: rids, and no SSRC.
    pub(super) fn simulcast_offer(&self) -> String {
        let plain = self.offer(Direction::SendOnly, Rtx::Offered);
        let (audio, video) = plain.split_once("m=video").unwrap();
        let video: String =
            video.split_inclusive('\n').filter(|line| !line.starts_with("a=ssrc")).collect();
        let list = RIDS.join(";");
        let [rid, repaired] = [ExtensionKind::RtpStreamId, ExtensionKind::RepairedRtpStreamId]
            .map(ExtensionKind::uri);
        let rids: String = RIDS.iter().map(|rid| format!("a=rid:{rid} send\r\n")).collect();
        format!(
            "{audio}m=video{video}a=extmap:4 {rid}\r\na=extmap:5 {repaired}\r\n{rids}\
             a=simulcast:send {list}\r\n"
        )
    }

    pub(super) fn take_answer(&mut self, sdp: &str) -> Answer {
        let answer = self.answer.insert(Answer::parse(sdp).unwrap());
        self.server = Some(answer.ice().clone());
        answer.clone()
    }

    /// Has another name, and knows the server's new credentials.
    pub(super) fn restarted(&mut self, ufrag: &str, server: IceCredentials) {
        self.ufrag = ufrag.to_owned();
        self.server = Some(server);
    }

    /// A check with the given password instead of the server's.
    pub(super) fn check_with(&mut self, password: &str, nomination: Nomination) -> Vec<u8> {
        let server = self.server.as_ref().unwrap();
        self.transactions = self.transactions.wrapping_add(1);
        let request = BindingRequest {
            transaction: TransactionId([self.transactions; 12]),
            username: &format!("{}:{}", server.ufrag, self.ufrag),
            priority: 1,
            role: IceRole::Controlling(7),
            nomination,
        };
        let mut buffer = vec![0; 640];
        let length = request.write(&mut buffer, &IntegrityKey::new(password.as_bytes())).unwrap();
        buffer.truncate(length);
        buffer
    }

    pub(super) fn check(&mut self) -> Vec<u8> {
        let password = self.server.as_ref().unwrap().password.expose().clone();
        self.check_with(&password, Nomination::UseCandidate)
    }

    /// A check that does not nominate: what keeps a pair alive at clients that nominate once.
    pub(super) fn plain_check(&mut self) -> Vec<u8> {
        let password = self.server.as_ref().unwrap().password.expose().clone();
        self.check_with(&password, Nomination::None)
    }

    /// Opens DTLS; the flight is in the outbox.
    pub(super) fn start_dtls(&mut self, now: Instant) {
        self.dtls.handle_timeout(now).unwrap();
        self.drain_dtls();
    }

    pub(super) fn close_dtls(&mut self) {
        self.dtls.close().unwrap();
        self.drain_dtls();
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.dtls.handle_timeout(now).is_ok() {
            self.drain_dtls();
        }
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let mut bytes = datagram.to_vec();
        match PacketKind::of(datagram) {
            PacketKind::Stun => self.stun_answers += 1,
            PacketKind::Dtls => {
                self.dtls.handle_timeout(now).unwrap();
                self.dtls.handle_packet(datagram).unwrap();
                self.drain_dtls();
            }
            PacketKind::Rtp => {
                let length = self.inbound.as_mut().unwrap().unprotect_rtp(&mut bytes).unwrap();
                bytes.truncate(length);
                self.rtp.push(bytes);
            }
            PacketKind::Rtcp => {
                let length = self.inbound.as_mut().unwrap().unprotect_rtcp(&mut bytes).unwrap();
                bytes.truncate(length);
                self.rtcp.push(bytes);
            }
            PacketKind::Unknown => panic!("the server sent {datagram:02x?}"),
        }
    }

    fn drain_dtls(&mut self) {
        let mut buffer = vec![0; 4_096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.outbox.push(packet.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let profile = match profile {
                        dimpl::SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        dimpl::SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        _ => Profile::AesCm128HmacSha1_80,
                    };
                    let keys = DtlsKeys::split(profile, &material).unwrap();
                    self.outbound = Some(Outbound::new(profile, &keys.client));
                    self.inbound = Some(Inbound::new(profile, &keys.server));
                }
                Output::CloseNotify => self.is_closed = true,
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }

    /// Protects a plain packet of `header` and `payload`.
    pub(super) fn protect(
        &mut self,
        header: &HeaderWriter<'_>,
        extensions: &[(u8, &[u8])],
        payload: &[u8],
    ) -> Vec<u8> {
        let outbound = self.outbound.as_mut().unwrap();
        let mut packet = vec![0; 64];
        let length = header.write(&mut packet, extensions).unwrap();
        packet.truncate(length);
        packet.extend_from_slice(payload);
        packet.resize(packet.len() + outbound.profile().rtp_overhead_bytes(), 0);
        outbound.protect_rtp(&mut packet).unwrap();
        packet
    }

    /// A VP8 packet with the next sequence number, at `timestamp`.
    pub(super) fn video(&mut self, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        self.video_numbered(sequence, timestamp, payload)
    }

    /// The same that ends a frame.
    pub(super) fn video_end(&mut self, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let sequence = self.skip_video();
        self.marked_video(Marker::Set, sequence, timestamp, payload)
    }

    pub(super) fn skip_video(&mut self) -> u16 {
        self.next_sequence = self.next_sequence.wrapping_add(1);
        self.next_sequence.wrapping_sub(1)
    }

    pub(super) fn video_numbered(
        &mut self,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        self.marked_video(Marker::Clear, sequence, timestamp, payload)
    }

    fn marked_video(
        &mut self,
        marker: Marker,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        let header = HeaderWriter {
            marker,
            payload_type: VIDEO_PT,
            sequence_number: sequence,
            timestamp,
            ssrc: VIDEO_SSRC,
            csrcs: &[],
        };
        self.protect(&header, &[(3, &sequence.to_be_bytes())], payload)
    }

    /// A packet of a layer, with its rid or, as later packets, without.
    pub(super) fn layer_video(
        &mut self,
        layer: usize,
        rid: Option<&str>,
        (sequence, timestamp): (u16, u32),
        payload: &[u8],
    ) -> Vec<u8> {
        let header = HeaderWriter {
            marker: Marker::Clear,
            payload_type: VIDEO_PT,
            sequence_number: sequence,
            timestamp,
            ssrc: LAYER_SSRCS[layer],
            csrcs: &[],
        };
        let extension = rid.map(|rid| (4, rid.as_bytes()));
        self.protect(&header, extension.as_slice(), payload)
    }

    pub(super) fn audio(&mut self, sequence: u16, payload: &[u8]) -> Vec<u8> {
        let header = HeaderWriter {
            marker: Marker::Set,
            payload_type: AUDIO_PT,
            sequence_number: sequence,
            timestamp: u32::from(sequence) * 960,
            ssrc: AUDIO_SSRC,
            csrcs: &[],
        };
        self.protect(&header, &[(1, &[0x85])], payload)
    }

    /// Protects the RTCP that `write` makes.
    pub(super) fn rtcp(&mut self, write: impl FnOnce(&mut RtcpWriter<'_>)) -> Vec<u8> {
        let outbound = self.outbound.as_mut().unwrap();
        let mut packet = vec![0; 512];
        let mut writer = RtcpWriter::new(&mut packet);
        write(&mut writer);
        let length = writer.size();
        packet.truncate(length);
        packet.resize(length + outbound.profile().rtcp_overhead_bytes(), 0);
        outbound.protect_rtcp(&mut packet).unwrap();
        packet
    }

    /// What was received of a payload type: sequence number, timestamp, payload.
    pub(super) fn received(&self, payload_type: u8) -> Vec<(u16, u32, Vec<u8>)> {
        let parsed = self.rtp.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
        parsed
            .filter(|packet| packet.header().payload_type == payload_type)
            .map(|packet| {
                let header = packet.header();
                (header.sequence_number, header.timestamp, packet.payload().to_vec())
            })
            .collect()
    }
}

/// A VP8 key frame of a layer, `height` rows, with its numbers.
pub(super) fn layer_key_frame(height: u16, picture_id: u16, tl0: u8) -> Vec<u8> {
    let mut payload = layer_frame(picture_id, tl0);
    payload.truncate(6);
    payload.extend_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02]);
    payload.extend_from_slice(&height.to_le_bytes());
    payload.resize(1_000, 7);
    payload
}

/// A VP8 inter frame with its numbers.
pub(super) fn layer_frame(picture_id: u16, tl0: u8) -> Vec<u8> {
    let [a, b] = (picture_id | 0x8000).to_be_bytes();
    vec![0x90, 0xE0, a, b, tl0, 0x00, 0x11, 0, 0, 9, 9, 9]
}

/// The payload of a VP8 key frame's first packet (RFC 7741 §4.2, RFC 6386 §9.1), 640 by 480,
/// followed by `filler`.
pub(super) fn key_frame(filler: &[u8]) -> Vec<u8> {
    let mut payload = vec![0x10, 0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01];
    payload.extend_from_slice(filler);
    payload
}

/// The payload of a packet inside a VP8 inter frame.
pub(super) fn inter_frame(filler: &[u8]) -> Vec<u8> {
    let mut payload = vec![0x10, 0x11, 0x00, 0x00];
    payload.extend_from_slice(filler);
    payload
}
