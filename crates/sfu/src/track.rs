//! One audio or video of a publisher: its numbers, its losses, its ring.

use std::time::{Duration, Instant};

use odeum_rtp::codec::begins_key_frame;
use odeum_rtp::negotiate::{CodecFormat, SenderParameters};
use odeum_rtp::rtcp::{ReportBlock, SenderInfo};
use odeum_rtp::{
    Came, ExtensionKind, Marker, NackConfig, NackGenerator, NackOutcome, ReceiverStatistics,
    RtpPacket, SequenceUnwrapper,
};

use crate::config::FAN_OUT_PACKETS_MAX;
use crate::forwarder::FrameStart;
use crate::gate::Gate;
use crate::key_frames::KeyFrameRequests;
use crate::layers::Layers;
use crate::parameter_sets::ParameterSets;
use crate::rate::RateMeter;
use crate::ring::{ForwardedExtensions, Ring};
use crate::send_path::SendPath;
use crate::source_clock::SourceClock;
use crate::source_terms::{LossRepair, SourceTerms};

mod arrived;
mod layer;
mod put_in;

use arrived::Arrived;

/// Packets asked for in one NACK; the rest is due a sweep later.
const NACKS_MAX: usize = 128;

/// Bytes of the largest NACK: header, two SSRCs, and a word for each packet asked for.
const NACK_BYTES_MAX: usize = 12 + 4 * NACKS_MAX;

/// Which of a stream's tracks; also its place in arrays of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackKind {
    /// The audio track.
    Audio = 0,
    /// The video track.
    Video = 1,
}

/// Limits of a track's ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RingSize {
    /// Packets, a power of two.
    pub(crate) packets: usize,
    /// Bytes of payload.
    pub(crate) bytes: usize,
}

/// What a packet meant to its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// A new packet, in the ring and waiting for the fan-out.
    New,
    /// In the ring, but too many wait already.
    Full,
    /// Of another SSRC than the track's.
    Foreign,
    /// It does not go on: the track is cut.
    Cut,
    /// Padding, a duplicate, or older than the ring.
    Nothing,
}

/// A track of a publisher, or one layer of it.
pub(crate) struct Track {
    /// What was negotiated.
    terms: SourceTerms,
    /// Its SSRC, once known.
    ssrc: Option<u32>,
    /// That of its retransmissions, once known; only simulcast needs it.
    rtx_ssrc: Option<u32>,
    /// Makes sequence numbers that do not wrap.
    unwrapper: SequenceUnwrapper,
    /// Which of them go on, and under which numbers: those of the ring, the forwarders and all
    /// below.
    gate: Gate,
    /// Its parameter sets, of a codec that has them, and how they raise the gate's numbers.
    sets: Option<Box<ParameterSets>>,
    /// The newest of those numbers.
    newest: u64,
    /// Payloads.
    ring: Ring,
    /// Slots of the ring: a packet that much older than the newest is of no use.
    ring_packets: u64,
    /// Sequence numbers that wait for the fan-out, in order of arrival; at most
    /// `PENDING_PACKETS_MAX`.
    pending: Vec<u64>,
    /// How many of them this round hands out.
    round: usize,
    /// What is missing; `None` when nobody would answer.
    nacks: Option<NackGenerator>,
    /// For receiver reports.
    statistics: ReceiverStatistics,
    /// The last sender report.
    clock: Option<SourceClock>,
    /// When key frames were and will be asked for.
    key_frames: KeyFrameRequests,
    /// What it sends.
    meter: RateMeter,
    /// Rows of its picture, when the last key frame said so.
    height: Option<u16>,
    /// The layers inside it.
    layers: Layers,
    /// More was lost at once than can be asked for: only a key frame helps.
    is_broken: bool,
    /// It said BYE and has sent nothing since.
    has_said_goodbye: bool,
}

impl Track {
    pub(crate) fn new(terms: SourceTerms, size: RingSize) -> Self {
        Self {
            ssrc: terms.ssrc,
            rtx_ssrc: terms.rtx_ssrc,
            unwrapper: SequenceUnwrapper::default(),
            gate: Gate::default(),
            sets: ParameterSets::new(terms.format, terms.parameters.parameter_sets()),
            newest: 0,
            ring: Ring::new(size.packets, size.bytes),
            ring_packets: size.packets as u64,
            pending: Vec::new(),
            round: 0,
            nacks: (terms.repair == LossRepair::Nack)
                .then(|| NackGenerator::new(NackConfig::default())),
            statistics: ReceiverStatistics::new(terms.clock_rate),
            clock: None,
            key_frames: KeyFrameRequests::default(),
            meter: RateMeter::default(),
            height: terms.parameters.picture_size().map(|size| size.height),
            layers: Layers::new(terms.format.codec(), size.packets),
            is_broken: false,
            has_said_goodbye: false,
            terms,
        }
    }

    /// Whether a payload type is this track's.
    pub(crate) fn takes(&self, payload_type: u8) -> bool {
        let terms = &self.terms;
        [Some(terms.payload_type), terms.rtx_payload_type, terms.red_payload_type]
            .contains(&Some(payload_type))
    }

    /// Whether a packet of a payload type that this track takes is of this layer. Packets name
    /// their layer only until the sender knows that its SSRC has arrived (RFC 8852 §3.3), so that
    /// the SSRC is kept.
    pub(crate) fn is_of_layer(&mut self, packet: &RtpPacket<'_>) -> bool {
        let header = packet.header();
        let is_rtx = self.terms.rtx_payload_type == Some(header.payload_type);
        let known = if is_rtx { &mut self.rtx_ssrc } else { &mut self.ssrc };
        if let Some(known) = *known {
            return known == header.ssrc;
        }
        let kind = match is_rtx {
            true => ExtensionKind::RepairedRtpStreamId,
            false => ExtensionKind::RtpStreamId,
        };
        let rid = self.terms.extensions.id(kind).and_then(|id| packet.extension(id));
        let is_ours = self.terms.rid.as_deref().is_some_and(|own| rid == Some(own.as_bytes()));
        if is_ours {
            *known = Some(header.ssrc);
        }
        is_ours
    }

    /// The transport-wide sequence number of a packet, if it has one.
    pub(crate) fn transport_sequence(&self, packet: &RtpPacket<'_>) -> Option<u16> {
        let id = self.terms.extensions.id(ExtensionKind::TransportSequenceNumber)?;
        let value: [u8; 2] = packet.extension(id)?.try_into().ok()?;
        Some(u16::from_be_bytes(value))
    }

    /// Takes a packet whose payload type is this track's.
    pub(crate) fn handle_rtp(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Received {
        let header = packet.header();
        if self.terms.rtx_payload_type == Some(header.payload_type) {
            // RFC 4588 §4: the original sequence number, then the original payload. Probes for
            // bandwidth are retransmissions without either.
            let Some((original, payload)) = packet.payload().split_first_chunk::<2>() else {
                return Received::Nothing;
            };
            return self.keep(now, packet, u16::from_be_bytes(*original), (payload, None));
        }
        if *self.ssrc.get_or_insert(header.ssrc) != header.ssrc {
            return Received::Foreign;
        }
        let Some(redundancy_bytes) = self.terms.redundancy_bytes(packet) else {
            return Received::Nothing;
        };
        self.has_said_goodbye = false;
        self.statistics.receive(now, header.sequence_number, header.timestamp);
        let payload = (packet.payload(), redundancy_bytes);
        self.keep(now, packet, header.sequence_number, payload)
    }

    fn keep(
        &mut self,
        now: Instant,
        packet: &RtpPacket<'_>,
        sequence: u16,
        (payload, redundancy_bytes): (&[u8], Option<u16>),
    ) -> Received {
        let unwrapped = self.unwrapper.unwrap(sequence);
        let payload_type = packet.header().payload_type;
        let is_first = self.terms.rtx_payload_type.is_some_and(|rtx| rtx != payload_type);
        let came = if is_first { Came::First } else { Came::Again };
        let outcome = self.nacks.as_mut().map(|nacks| nacks.receive(now, unwrapped, came));
        self.is_broken |= outcome == Some(NackOutcome::GapTooLong);
        let codec = self.terms.format.codec();
        let frame = match begins_key_frame(codec, payload) {
            true => FrameStart::Decodable,
            false => FrameStart::Other,
        };
        let Some(gated) = self.gate.number(unwrapped, frame) else { return Received::Cut };
        let raised = self.sets.as_ref().map_or(Some(gated), |sets| sets.number(gated));
        let Some(number) = raised else { return Received::Nothing };
        self.newest = self.newest.max(number);
        let is_too_old = self.newest - number >= self.ring_packets;
        // Padding fills a sequence number: NACK must not ask for it, and a viewer must not be told
        // of a gap, so it goes on as an empty packet does.
        if is_too_old || self.ring.has_had(number) {
            return Received::Nothing;
        }
        let id = self.terms.extensions.id(ExtensionKind::DependencyDescriptor);
        let mut arrived = Arrived {
            sequence: number,
            timestamp: packet.header().timestamp,
            frame,
            marker: packet.header().marker,
            extensions: ForwardedExtensions::of(packet, &self.terms.extensions),
            descriptor: id.and_then(|id| packet.extension(id)),
            redundancy_bytes,
            payload,
        };
        if self.sets.is_some() {
            self.put_sets_before(now, gated, &mut arrived);
        }
        self.store(now, &arrived)
    }

    /// Lets nothing more of the track go on, or lets it go on again; returns whether it was cut and
    /// is not any more.
    pub(crate) fn set_cut(&mut self, is_cut: bool) -> bool {
        match is_cut {
            true => {
                self.gate.cut();
                false
            }
            false => self.gate.resume(),
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.gate.is_cut()
    }

    pub(crate) fn handle_sender_report(&mut self, now: Instant, info: &SenderInfo) {
        if self.ssrc != Some(info.ssrc) {
            return;
        }
        self.statistics.receive_sender_report(now, info);
        self.clock =
            Some(SourceClock { ntp: info.ntp, rtp_timestamp: info.rtp_timestamp, arrived: now });
    }

    pub(crate) fn handle_goodbye(&mut self, ssrc: u32) {
        self.has_said_goodbye |= self.ssrc == Some(ssrc);
    }

    pub(crate) fn send_nacks(&mut self, now: Instant, own: u32, path: &mut SendPath<'_>) {
        let (Some(ssrc), Some(nacks)) = (self.ssrc, &mut self.nacks) else { return };
        let mut requests = [0; NACKS_MAX];
        let count = nacks.poll_requests(now, &mut requests);
        if count > 0 {
            path.statistics.nacks_sent += count as u64;
            let requests = requests[..count].iter().copied();
            path.send_rtcp(NACK_BYTES_MAX, |writer| writer.nack(own, ssrc, requests));
        }
    }

    /// Notes that a key frame is wanted.
    pub(crate) fn want_key_frame(&mut self, now: Instant, interval: Duration) {
        self.key_frames.want(now, interval);
    }

    /// Notes that a key frame is wanted if only that helps over what was lost.
    pub(crate) fn mend(&mut self, now: Instant, interval: Duration) {
        if std::mem::take(&mut self.is_broken) {
            self.key_frames.want(now, interval);
        }
    }

    /// Whether to ask for a key frame now: one is wanted, the interval allows, and it would go on.
    pub(crate) fn take_key_frame_request(&mut self, now: Instant, interval: Duration) -> bool {
        !self.is_cut() && self.key_frames.take_due(now, interval)
    }

    /// What a receiver report says of this track; `None` before its first packet.
    pub(crate) fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let ssrc = self.ssrc?;
        self.statistics.report(now, ssrc)
    }

    /// Whether more of the frame that the packet is of may be about to come, and there is a send's
    /// room left for it.
    pub(crate) fn lingers(&self, packet: &RtpPacket<'_>) -> bool {
        self.terms.format != CodecFormat::Opus
            && packet.header().marker == Marker::Clear
            && self.pending.len() < FAN_OUT_PACKETS_MAX
    }

    pub(crate) fn begin_round(&mut self) {
        self.round = self.pending.len().min(FAN_OUT_PACKETS_MAX);
    }

    pub(crate) fn end_round(&mut self) {
        self.pending.drain(..self.round);
        self.round = 0;
    }

    /// Nothing waits for another round.
    pub(crate) fn is_handed_out(&self) -> bool {
        self.pending.is_empty()
    }

    /// The packets of this round.
    pub(crate) fn round(&self) -> &[u64] {
        &self.pending[..self.round]
    }

    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    pub(crate) fn clock(&self) -> Option<&SourceClock> {
        self.clock.as_ref()
    }

    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// What was negotiated, and what was learnt since of how its packets are told from others.
    pub(crate) fn terms(&self) -> SourceTerms {
        let parameters = self.terms.parameters.clone();
        let parameters = match &self.sets {
            Some(sets) => {
                let units = sets.units().map(<[u8]>::to_vec).collect();
                parameters.with_parameter_sets(self.terms.format.codec(), units)
            }
            None => parameters,
        };
        let (ssrc, rtx_ssrc) = (self.ssrc, self.rtx_ssrc);
        SourceTerms { ssrc, rtx_ssrc, parameters, ..self.terms.clone() }
    }

    /// Whether its packets may come with redundancy (RFC 2198).
    pub(crate) fn may_be_redundant(&self) -> bool {
        self.terms.red_payload_type.is_some()
    }

    pub(crate) fn format(&self) -> CodecFormat {
        self.terms.format
    }

    /// What its publisher says of it, for its viewers.
    pub(crate) fn parameters(&self) -> &SenderParameters {
        &self.terms.parameters
    }

    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.has_said_goodbye
    }
}
