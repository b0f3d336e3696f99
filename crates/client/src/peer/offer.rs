//! The SDP offer of a client: one audio and one video m-line, bundled, as a browser would make it.

use std::fmt::Write;

use odeum_rtp::ExtensionKind;

use super::{Direction, Kind, SoundRepair};

/// Payload type of Opus.
pub(super) const OPUS: u8 = 111;
/// Payload type of Opus' retransmissions.
pub(super) const OPUS_RTX: u8 = 112;
/// Payload type of Opus with redundancy.
pub(super) const RED: u8 = 63;
/// Payload type of VP8.
pub(super) const VP8: u8 = 96;
/// Payload type of VP8's retransmissions.
pub(super) const VP8_RTX: u8 = 97;

/// Extension id of the m-line's name.
pub(super) const EXTENSION_MID: u8 = 4;
/// Extension id of the transport-wide sequence number.
pub(super) const EXTENSION_TRANSPORT_CC: u8 = 3;

/// Extension id of a layer's name.
pub(super) const EXTENSION_RID: u8 = 5;

/// Names of layers, the smallest first.
pub(super) const RIDS: [&str; 3] = ["q", "h", "f"];

/// What an offer says.
pub(super) struct Offer<'a> {
    /// ICE user fragment.
    pub(super) ufrag: &'a str,
    /// ICE password.
    pub(super) password: &'a str,
    /// SHA-256 of the certificate.
    pub(super) fingerprint: &'a [u8; 32],
    /// Whether media is to be sent or received.
    pub(super) direction: Direction,
    /// How lost sound is made good.
    pub(super) sound: SoundRepair,
    /// Streams of video that are sent.
    pub(super) layers: usize,
    /// Kinds of media with their m-lines' names and, when sending, their sources.
    pub(super) media: &'a [OfferedMedia],
}

/// One m-line.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfferedMedia {
    /// Audio or video.
    pub(super) kind: Kind,
    /// The source of a sender.
    pub(super) ssrc: u32,
    /// The source of a sender's retransmissions.
    pub(super) rtx_ssrc: u32,
}

impl Offer<'_> {
    /// The SDP text.
    pub(super) fn write(&self) -> String {
        let mut sdp = String::with_capacity(2_048);
        let mids: Vec<String> = (0..self.media.len()).map(|mid| mid.to_string()).collect();
        sdp.push_str("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
        line(&mut sdp, format_args!("a=group:BUNDLE {}", mids.join(" ")));
        line(&mut sdp, format_args!("a=extmap-allow-mixed"));
        line(&mut sdp, format_args!("a=msid-semantic: WMS odeum"));
        for (mid, media) in self.media.iter().enumerate() {
            self.write_media(&mut sdp, mid, *media);
        }
        sdp
    }

    fn write_media(&self, sdp: &mut String, mid: usize, media: OfferedMedia) {
        match media.kind {
            Kind::Audio => {
                let red = if self.sound.redundancy { format!("{RED} ") } else { String::new() };
                let rtx = match self.sound.retransmission {
                    true => format!(" {OPUS_RTX}"),
                    false => String::new(),
                };
                line(sdp, format_args!("m=audio 9 UDP/TLS/RTP/SAVPF {red}{OPUS}{rtx}"));
            }
            Kind::Video => line(sdp, format_args!("m=video 9 UDP/TLS/RTP/SAVPF {VP8} {VP8_RTX}")),
        }
        sdp.push_str("c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n");
        line(sdp, format_args!("a=ice-ufrag:{}", self.ufrag));
        line(sdp, format_args!("a=ice-pwd:{}", self.password));
        line(sdp, format_args!("a=ice-options:trickle"));
        let hex: Vec<String> = self.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
        line(sdp, format_args!("a=fingerprint:sha-256 {}", hex.join(":")));
        // This peer is a DTLS client and nothing else (RFC 9725 §4.4.1).
        line(sdp, format_args!("a=setup:active"));
        line(sdp, format_args!("a=mid:{mid}"));
        for (id, kind) in [
            (EXTENSION_MID, ExtensionKind::Mid),
            (EXTENSION_TRANSPORT_CC, ExtensionKind::TransportSequenceNumber),
        ] {
            line(sdp, format_args!("a=extmap:{id} {}", kind.uri()));
        }
        line(
            sdp,
            format_args!(
                "{}",
                match self.direction {
                    Direction::Send => "a=sendonly",
                    Direction::Receive => "a=recvonly",
                }
            ),
        );
        if self.direction == Direction::Send {
            line(sdp, format_args!("a=msid:odeum {mid}"));
        }
        sdp.push_str("a=rtcp-mux\r\na=rtcp-rsize\r\n");
        match media.kind {
            Kind::Audio => {
                line(sdp, format_args!("a=rtpmap:{OPUS} opus/48000/2"));
                line(sdp, format_args!("a=rtcp-fb:{OPUS} transport-cc"));
                line(sdp, format_args!("a=fmtp:{OPUS} minptime=10;useinbandfec=1"));
                self.write_sound_repair(sdp);
            }
            Kind::Video => {
                line(sdp, format_args!("a=rtpmap:{VP8} VP8/90000"));
                for feedback in ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"] {
                    line(sdp, format_args!("a=rtcp-fb:{VP8} {feedback}"));
                }
                line(sdp, format_args!("a=rtpmap:{VP8_RTX} rtx/90000"));
                line(sdp, format_args!("a=fmtp:{VP8_RTX} apt={VP8}"));
            }
        }
        if self.is_layered(media) {
            write_rids(sdp, &RIDS[..self.layers.min(RIDS.len())]);
        } else if self.direction == Direction::Send {
            self.write_sources(sdp, mid, media);
        }
    }

    fn write_sound_repair(&self, sdp: &mut String) {
        if self.sound.redundancy {
            line(sdp, format_args!("a=rtpmap:{RED} red/48000/2"));
            line(sdp, format_args!("a=fmtp:{RED} {OPUS}/{OPUS}"));
        }
        if self.sound.retransmission {
            line(sdp, format_args!("a=rtcp-fb:{OPUS} nack"));
            line(sdp, format_args!("a=rtpmap:{OPUS_RTX} rtx/48000/2"));
            line(sdp, format_args!("a=fmtp:{OPUS_RTX} apt={OPUS}"));
        }
    }

    /// Whether layers are told by their names, not by their sources.
    fn is_layered(&self, media: OfferedMedia) -> bool {
        self.direction == Direction::Send && media.kind == Kind::Video && self.layers > 1
    }

    fn write_sources(&self, sdp: &mut String, mid: usize, media: OfferedMedia) {
        let OfferedMedia { kind, ssrc, rtx_ssrc } = media;
        let is_repaired = kind == Kind::Video || self.sound.retransmission;
        if is_repaired {
            line(sdp, format_args!("a=ssrc-group:FID {ssrc} {rtx_ssrc}"));
        }
        line(sdp, format_args!("a=ssrc:{ssrc} cname:odeum"));
        line(sdp, format_args!("a=ssrc:{ssrc} msid:odeum {mid}"));
        if is_repaired {
            line(sdp, format_args!("a=ssrc:{rtx_ssrc} cname:odeum"));
            line(sdp, format_args!("a=ssrc:{rtx_ssrc} msid:odeum {mid}"));
        }
    }
}

/// Layers as streams of their own (RFC 8853).
fn write_rids(sdp: &mut String, rids: &[&str]) {
    let uri = ExtensionKind::RtpStreamId.uri();
    line(sdp, format_args!("a=extmap:{EXTENSION_RID} {uri}"));
    for rid in rids {
        line(sdp, format_args!("a=rid:{rid} send"));
    }
    line(sdp, format_args!("a=simulcast:send {}", rids.join(";")));
}

fn line(sdp: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    sdp.write_fmt(format_args!("{text}\r\n")).unwrap_or(());
}
