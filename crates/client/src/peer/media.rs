//! Media of a peer: packets and reports in, retransmissions, NACKs and reports out.

use std::time::{Duration, Instant};

use odeum_rtp::rtcp::{self, RtcpPacket, RtcpWriter};
use odeum_rtp::{Marker, RtpHeader, RtpPacket, TransportRecorder, TransportRecorderConfig};

use super::offer::{EXTENSION_TRANSPORT_CC, OPUS, OPUS_RTX, RED, VP8, VP8_RTX};
use super::receive::{Novelty, Receiver};
use super::red;
use super::{Kind, NackMode, PeerEvent, Transmit, WebRtcPeer};

/// Largest compound of RTCP that is written.
const RTCP_BYTES_MAX: usize = 1_200;

/// A media packet that arrived, for the first time.
#[derive(Debug)]
pub struct Received<'a> {
    /// Audio or video.
    pub kind: Kind,
    /// Its source.
    pub ssrc: u32,
    /// Its number in its source, also when it came by retransmission.
    pub sequence: u16,
    /// Its timestamp.
    pub timestamp: u32,
    /// Whether it ends a frame.
    pub marker: bool,
    /// Whether it came by retransmission.
    pub is_retransmission: bool,
    /// Its payload.
    pub payload: &'a [u8],
    /// The payload of the packet before, if it came along (RFC 2198).
    pub before: Option<&'a [u8]>,
}

impl WebRtcPeer {
    /// Notes the arrival of an encrypted RTP packet that nobody is going to open, so that the
    /// server hears of it in transport-wide feedback: for load generators, which have more viewers
    /// than time to decrypt. Gives its kind if it came for the first time, and none of what came
    /// by retransmission, whose number is encrypted.
    pub fn note_unopened(&mut self, now: Instant, bytes: &[u8]) -> Option<Kind> {
        let packet = RtpPacket::parse(bytes).ok()?;
        self.note_transport_number(now, &packet);
        let RtpHeader { payload_type, ssrc, sequence_number, .. } = *packet.header();
        let kind = match payload_type {
            OPUS | RED => Kind::Audio,
            VP8 => Kind::Video,
            _ => return None,
        };
        let payload_bytes = packet.payload().len();
        let receiver = self.receiver(kind, ssrc, sequence_number, false)?;
        let novelty = receiver.register(now, sequence_number, payload_bytes, false);
        (novelty == Novelty::New).then_some(kind)
    }

    /// Header extensions are in the clear.
    fn note_transport_number(&mut self, now: Instant, packet: &RtpPacket<'_>) {
        if let Some(number) = packet.extension(EXTENSION_TRANSPORT_CC)
            && let Ok(number) = number.try_into().map(u16::from_be_bytes)
        {
            let recorder = || TransportRecorder::new(now, TransportRecorderConfig::default());
            self.recorder.get_or_insert_with(recorder).record(now, number);
        }
    }

    pub(super) fn on_rtp<'a>(&mut self, now: Instant, bytes: &'a mut [u8]) -> Option<Received<'a>> {
        let srtp = self.srtp.as_mut()?;
        let length = srtp.inbound.unprotect_rtp(bytes).ok()?;
        let packet = RtpPacket::parse(&bytes[..length]).ok()?;
        self.note_transport_number(now, &packet);
        let RtpHeader { payload_type, ssrc, sequence_number, timestamp, marker, .. } =
            *packet.header();
        let payload = packet.payload();
        let kind = match payload_type {
            OPUS | OPUS_RTX | RED => Kind::Audio,
            VP8 | VP8_RTX => Kind::Video,
            _ => return None,
        };
        let is_retransmission = matches!(payload_type, OPUS_RTX | VP8_RTX);
        let (sequence, payload) = match is_retransmission {
            true => {
                // The original number stands first (RFC 4588 §4); a packet without is padding.
                let (original, payload) = payload.split_first_chunk::<2>()?;
                (u16::from_be_bytes(*original), payload)
            }
            false => (sequence_number, payload),
        };
        let (payload, before) = match payload_type {
            RED => red::unpack(payload)?,
            _ => (payload, None),
        };
        let receiver = self.receiver(kind, ssrc, sequence, is_retransmission)?;
        let ssrc = receiver.ssrc;
        match receiver.register(now, sequence, payload.len(), is_retransmission) {
            Novelty::Duplicate => None,
            Novelty::New => Some(Received {
                kind,
                ssrc,
                sequence,
                timestamp,
                marker: marker == Marker::Set,
                is_retransmission,
                payload,
                before,
            }),
        }
    }

    /// The receiver of a packet; a retransmission belongs to the one source of its kind.
    fn receiver(
        &mut self,
        kind: Kind,
        ssrc: u32,
        sequence: u16,
        is_retransmission: bool,
    ) -> Option<&mut Receiver> {
        let at = self.receivers.iter().position(|(own, receiver)| {
            *own == kind && (is_retransmission || receiver.ssrc == ssrc)
        });
        match at {
            Some(at) => Some(&mut self.receivers[at].1),
            None if is_retransmission => None,
            None => {
                self.receivers.push((kind, Receiver::new(ssrc, sequence)));
                self.receivers.last_mut().map(|(_, receiver)| receiver)
            }
        }
    }

    pub(super) fn on_rtcp(&mut self, now: Instant, bytes: &mut [u8]) {
        let Some(srtp) = &mut self.srtp else { return };
        let Ok(length) = srtp.inbound.unprotect_rtcp(bytes) else { return };
        for packet in rtcp::packets(&bytes[..length]).map_while(Result::ok) {
            match packet {
                RtcpPacket::SenderReport(report) => {
                    let mut receivers = self.receivers.iter_mut();
                    if let Some((_, receiver)) =
                        receivers.find(|(_, receiver)| receiver.ssrc == report.info.ssrc)
                    {
                        receiver.on_sender_report(now, report.info.ntp);
                    }
                }
                RtcpPacket::PictureLossIndication(_) | RtcpPacket::FullIntraRequest(_) => {
                    self.events.push_back(PeerEvent::KeyFrameRequested);
                }
                RtcpPacket::Nack(nack) => {
                    self.retransmit(nack.media_ssrc, nack.sequence_numbers());
                }
                RtcpPacket::ReceiverReport(_)
                | RtcpPacket::SourceDescription(_)
                | RtcpPacket::Goodbye(_)
                | RtcpPacket::TransportFeedback(_)
                | RtcpPacket::ReceiverEstimate(_)
                | RtcpPacket::Other { .. } => {}
            }
        }
    }

    fn retransmit(&mut self, media_ssrc: u32, sequences: impl Iterator<Item = u16>) {
        let Some(destination) = self.remote() else { return };
        let Some(srtp) = &mut self.srtp else { return };
        let Some(sender) = self.senders.iter_mut().find(|own| own.media.ssrc == media_ssrc) else {
            return;
        };
        let overhead = srtp.profile.rtp_overhead_bytes();
        for sequence in sequences {
            let number = &mut self.transport_number;
            let Some(mut bytes) = sender.retransmission(sequence, number, overhead) else {
                continue;
            };
            srtp.outbound.protect_rtp(&mut bytes).expect("a new packet with a new number");
            self.transmits.push_back(Transmit { destination, bytes });
        }
    }

    pub(super) fn send_nacks(&mut self, now: Instant) {
        if self.config.nack == NackMode::Count {
            return;
        }
        let own = self.rtcp_ssrc;
        for index in 0..self.receivers.len() {
            let (_, receiver) = &mut self.receivers[index];
            let (ssrc, due) = (receiver.ssrc, receiver.due_nacks(now));
            if !due.is_empty() {
                self.send_rtcp(|writer| {
                    writer.nack(own, ssrc, due).expect("512 numbers fit a compound");
                });
            }
        }
    }

    /// Tells the server when its packets came, as a browser does about ten times a second.
    pub(super) fn send_transport_feedback(&mut self, now: Instant) {
        let own = self.rtcp_ssrc;
        let Some(media) = self.receivers.first().map(|(_, receiver)| receiver.ssrc) else { return };
        let Some(mut recorder) = self.recorder.take() else { return };
        while recorder.poll_timeout().is_some_and(|at| at <= now) {
            self.send_rtcp(|writer| {
                recorder.write_feedback(writer, own, media).expect("a compound holds a message");
            });
        }
        self.recorder = Some(recorder);
    }

    pub(super) fn send_reports(&mut self, now: Instant) {
        let own = self.rtcp_ssrc;
        let reports: Vec<_> =
            self.receivers.iter_mut().map(|(_, receiver)| receiver.report(now)).collect();
        // Any origin will do: only differences of a sender's times count (RFC 3550 §4).
        let since = self.connected_at.map_or(Duration::ZERO, |at| now - at);
        let ntp = (1 << 32) + ((since.as_micros() << 32) / 1_000_000) as u64;
        let infos: Vec<_> = self.senders.iter().map(|sender| sender.report(ntp)).collect();
        if infos.is_empty() {
            self.send_rtcp(|writer| {
                writer.receiver_report(own, &reports).expect("a few blocks fit");
            });
        }
        for info in infos {
            self.send_rtcp(|writer| {
                writer.sender_report(&info, &[]).expect("one report fits");
                writer.source_description(info.ssrc, "odeum").expect("a short name fits");
            });
        }
    }

    pub(super) fn send_rtcp(&mut self, write: impl FnOnce(&mut RtcpWriter<'_>)) {
        let Some(destination) = self.remote() else { return };
        let Some(srtp) = &mut self.srtp else { return };
        let mut bytes = vec![0; RTCP_BYTES_MAX];
        let mut writer = RtcpWriter::new(&mut bytes);
        write(&mut writer);
        let length = writer.size();
        bytes.truncate(length);
        bytes.resize(length + srtp.profile.rtcp_overhead_bytes(), 0);
        srtp.outbound.protect_rtcp(&mut bytes).expect("fewer compounds than 2^31 a session");
        self.transmits.push_back(Transmit { destination, bytes });
    }
}
