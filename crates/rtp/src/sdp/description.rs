//! The model: a description and its m-lines, offer or answer, as read or to be written.

use std::net::SocketAddr;

use super::attribute::{
    Direction, Fingerprint, IceCredentials, MediaKind, Msid, PacketTimes, PayloadFormat, Setup,
};
use crate::ExtensionMap;

/// Whether an end implements all of ICE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceMode {
    /// It sends checks of its own.
    Full,
    /// It only answers checks (`a=ice-lite`).
    Lite,
}

/// A whole description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The origin's session id, below 2^63.
    pub session_id: u64,
    /// The origin's version, which counts up when the description changes.
    pub session_version: u64,
    /// Full or lite.
    pub ice_mode: IceMode,
    /// Whether one- and two-byte header extensions may be mixed (RFC 8285 §6).
    pub extmap_allow_mixed: bool,
    /// The mids of the BUNDLE group, in order; empty without one.
    pub bundle: Vec<String>,
    /// The m-lines, in order.
    pub media: Vec<Media>,
}

/// One m-line with its attributes; those of the session level are copied in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Audio, video or other.
    pub kind: MediaKind,
    /// 0 rejects the line, but for `bundle_only` ones.
    pub port: u16,
    /// E.g. `UDP/TLS/RTP/SAVPF`.
    pub protocol: String,
    /// The m-line's formats as text, for lines that are not RTP and for rejections.
    pub format_list: String,
    /// Whether the line has `a=bundle-only`.
    pub bundle_only: bool,
    /// Its name; empty without `a=mid`.
    pub mid: String,
    /// Which way media flows.
    pub direction: Direction,
    /// ICE's names and secrets.
    pub ice: Option<IceCredentials>,
    /// The DTLS certificate's SHA-256.
    pub fingerprint: Option<Fingerprint>,
    /// The DTLS role.
    pub setup: Option<Setup>,
    /// Whether RTP and RTCP share a port.
    pub rtcp_mux: bool,
    /// Whether reduced-size RTCP is allowed.
    pub rtcp_rsize: bool,
    /// The payload types, in order of preference.
    pub formats: Vec<PayloadFormat>,
    /// How much sound a packet is to have.
    pub packet_times: PacketTimes,
    /// The known header extensions.
    pub extensions: ExtensionMap,
    /// MediaStream and track.
    pub msid: Option<Msid>,
    /// Every source named by `a=ssrc`, in order.
    pub sources: Vec<u32>,
    /// The canonical name of the first source.
    pub cname: Option<String>,
    /// FID groups: a source and the one that retransmits it.
    pub retransmission_groups: Vec<(u32, u32)>,
    /// The rids with direction `send`, in order (RFC 8851).
    pub send_rids: Vec<String>,
    /// The rids with direction `recv`, in order.
    pub receive_rids: Vec<String>,
    /// Whether `a=simulcast` is there.
    pub simulcast: bool,
    /// The candidates of component 1 over UDP that are addresses.
    pub candidates: Vec<SocketAddr>,
    /// The candidates of passive TCP (RFC 6544); written only, our own client uses UDP.
    pub tcp_candidates: Vec<SocketAddr>,
    /// Whether no more candidates follow.
    pub end_of_candidates: bool,
}

impl Media {
    /// Whether the line is refused, or was stopped by its offerer.
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.bundle_only
    }

    /// Whether the line is audio or video.
    pub fn is_rtp(&self) -> bool {
        matches!(self.kind, MediaKind::Audio | MediaKind::Video)
    }

    /// The source that retransmits `ssrc`.
    pub fn retransmission_ssrc(&self, ssrc: u32) -> Option<u32> {
        self.retransmission_groups.iter().find(|group| group.0 == ssrc).map(|group| group.1)
    }

    /// The line's first media source; None when sources are only known by mid or rid.
    pub fn primary_ssrc(&self) -> Option<u32> {
        let is_repair = |ssrc: u32| self.retransmission_groups.iter().any(|group| group.1 == ssrc);
        self.sources.iter().copied().find(|ssrc| !is_repair(*ssrc))
    }

    /// The format of a payload type.
    pub fn format(&self, payload_type: u8) -> Option<&PayloadFormat> {
        self.formats.iter().find(|format| format.payload_type == payload_type)
    }

    pub(super) fn new(kind: MediaKind, port: u16, protocol: &str, format_list: &str) -> Self {
        Self {
            kind,
            port,
            protocol: protocol.to_owned(),
            format_list: format_list.to_owned(),
            bundle_only: false,
            mid: String::new(),
            direction: Direction::SendReceive,
            ice: None,
            fingerprint: None,
            setup: None,
            rtcp_mux: false,
            rtcp_rsize: false,
            formats: Vec::new(),
            packet_times: PacketTimes::default(),
            extensions: ExtensionMap::default(),
            msid: None,
            sources: Vec::new(),
            cname: None,
            retransmission_groups: Vec::new(),
            send_rids: Vec::new(),
            receive_rids: Vec::new(),
            simulcast: false,
            candidates: Vec::new(),
            tcp_candidates: Vec::new(),
            end_of_candidates: false,
        }
    }

    /// Puts one end's choice and transport into the line.
    pub(super) fn fill(&mut self, section: &MediaSection, transport: &Transport, setup: Setup) {
        self.direction = section.direction;
        self.ice = Some(transport.ice.clone());
        self.fingerprint = Some(transport.fingerprint);
        self.setup = Some(setup);
        self.rtcp_mux = true;
        self.rtcp_rsize = true;
        self.formats = section.formats.clone();
        self.packet_times = section.packet_times;
        self.extensions = section.extensions;
        self.simulcast = section.rids.len() > 1;
        match section.direction.sends() {
            true => self.send_rids.clone_from(&section.rids),
            false => self.receive_rids.clone_from(&section.rids),
        }
        if let Some(sender) = &section.sender {
            self.msid = Some(Msid { stream: sender.stream.clone(), track: sender.track.clone() });
            self.cname = Some(sender.cname.clone());
            self.sources.push(sender.ssrc);
            if let Some(retransmission) = sender.retransmission_ssrc {
                self.sources.push(retransmission);
                self.retransmission_groups.push((sender.ssrc, retransmission));
            }
        }
    }
}

/// One end's transport, the same for all m-lines since they are bundled.
#[derive(Debug, Clone)]
pub struct Transport {
    /// The origin's session id, random, below 2^63.
    pub session_id: u64,
    /// This end's ICE credentials.
    pub ice: IceCredentials,
    /// This end's DTLS certificate.
    pub fingerprint: Fingerprint,
    /// Where it can be reached; a client leaves them out, since the server learns them by checks.
    pub candidates: Vec<SocketAddr>,
    /// The same for passive TCP.
    pub tcp_candidates: Vec<SocketAddr>,
}

/// What one end says in an m-line that it makes or accepts.
#[derive(Debug, Clone)]
pub struct MediaSection {
    /// Seen by this end.
    pub direction: Direction,
    /// The payload types, the preferred first, RTX included.
    pub formats: Vec<PayloadFormat>,
    /// How much sound a packet has or is to have.
    pub packet_times: PacketTimes,
    /// The header extensions, as the offer has them.
    pub extensions: ExtensionMap,
    /// The layers that are sent or received, by their rids (RFC 8853); empty without simulcast.
    pub rids: Vec<String>,
    /// What this end sends; None when it only receives.
    pub sender: Option<MediaSender>,
}

/// The sources that one end sends in an m-line.
#[derive(Debug, Clone)]
pub struct MediaSender {
    /// The media source.
    pub ssrc: u32,
    /// The source of its retransmissions, when RTX is among the formats.
    pub retransmission_ssrc: Option<u32>,
    /// The canonical name, which ties audio and video together for lip sync.
    pub cname: String,
    /// The MediaStream's id.
    pub stream: String,
    /// The track's id.
    pub track: String,
}

impl Description {
    /// A client's offer: one line per section, mids `0`, `1`, …, bundled.
    pub fn offer(transport: &Transport, sections: &[(MediaKind, MediaSection)]) -> Self {
        let media = sections.iter().enumerate().map(|(index, (kind, section))| {
            let mut media = Media::new(kind.clone(), 9, "UDP/TLS/RTP/SAVPF", "");
            media.mid = index.to_string();
            media.fill(section, transport, Setup::ActPass);
            media
        });
        let media: Vec<Media> = media.collect();
        Self {
            session_id: transport.session_id,
            session_version: 1,
            ice_mode: IceMode::Full,
            extmap_allow_mixed: true,
            bundle: media.iter().map(|media| media.mid.clone()).collect(),
            media,
        }
    }
}
