//! The sending end of one kind of media: numbers, header extensions, and what may be asked for
//! again.

use std::collections::VecDeque;

use odeum_rtp::rtcp::SenderInfo;
use odeum_rtp::{HeaderWriter, Marker};

use super::Kind;
use super::offer::{OPUS, OPUS_RTX, OfferedMedia, RED, VP8, VP8_RTX};
use super::red::Redundancy;

/// Packets kept for retransmission, about two seconds of 2.4 Mbit/s.
const KEPT_MAX: usize = 512;
/// Bytes that header and extensions take at most here.
const HEADER_BYTES_MAX: usize = 64;

/// What was sent of one kind of media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SendStatistics {
    /// Packets, retransmissions excluded.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets sent once more because they were asked for.
    pub retransmitted: u64,
}

/// What the server accepted for a source: ids of extensions, and redundancy.
#[derive(Debug, Clone, Copy)]
pub(super) struct SenderIds {
    /// Of the m-line's name.
    pub(super) mid: Option<u8>,
    /// Of the transport-wide number.
    pub(super) transport_cc: Option<u8>,
    /// Of the layer's name, with that.
    pub(super) rid: Option<(u8, &'static str)>,
    /// Whether the server takes sound with redundancy.
    pub(super) redundancy: bool,
}

/// One source being sent.
#[derive(Debug)]
pub(super) struct Sender {
    /// Kind and sources.
    pub(super) media: OfferedMedia,
    /// The m-line's name.
    mid: String,
    /// Extension id of the m-line's name, if the server wants it.
    mid_extension: Option<u8>,
    /// Extension id and name of the layer, if there are several.
    rid: Option<(u8, &'static str)>,
    /// Extension id of the transport-wide number, if the server wants it.
    transport_cc_extension: Option<u8>,
    /// The next packet's number.
    sequence: u16,
    /// The next retransmission's number.
    rtx_sequence: u16,
    /// The last packet's timestamp.
    timestamp: u32,
    /// What was sent.
    pub(super) statistics: SendStatistics,
    /// The packet before, if it goes along with the next one.
    redundancy: Option<Redundancy>,
    /// The latest packets.
    kept: VecDeque<Kept>,
}

/// A packet that was sent.
#[derive(Debug)]
struct Kept {
    /// Its number.
    sequence: u16,
    /// Its timestamp.
    timestamp: u32,
    /// Its marker.
    marker: Marker,
    /// Its payload.
    payload: Vec<u8>,
}

impl Sender {
    /// A sender of `media`, whose m-line is `mid`, with the extension ids that the server accepted.
    pub(super) fn new(media: OfferedMedia, mid: usize, ids: SenderIds, sequence: u16) -> Self {
        let SenderIds { mid: mid_extension, transport_cc: transport_cc_extension, .. } = ids;
        let SenderIds { rid, redundancy, .. } = ids;
        Self {
            media,
            mid: mid.to_string(),
            mid_extension,
            rid,
            transport_cc_extension,
            sequence,
            rtx_sequence: sequence.wrapping_add(1_000),
            timestamp: 0,
            statistics: SendStatistics::default(),
            redundancy: redundancy.then(Redundancy::default),
            kept: VecDeque::new(),
        }
    }

    /// The next packet in the clear, with `overhead` bytes of room behind it.
    pub(super) fn packet(
        &mut self,
        marker: Marker,
        timestamp: u32,
        payload: &[u8],
        transport_number: &mut u16,
        overhead: usize,
    ) -> Vec<u8> {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        self.timestamp = timestamp;
        self.statistics.packets += 1;
        self.statistics.bytes += payload.len() as u64;
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { sequence, timestamp, marker, payload: payload.to_vec() });
        let packed = self.redundancy.as_mut().map(|before| before.pack(timestamp, payload));
        let payload_type = match (self.media.kind, &packed) {
            (Kind::Audio, Some(_)) => RED,
            (Kind::Audio, None) => OPUS,
            (Kind::Video, _) => VP8,
        };
        let header = header(payload_type, self.media.ssrc, sequence, timestamp, marker);
        let payload = packed.as_deref().unwrap_or(payload);
        self.write(&header, &[payload], transport_number, overhead)
    }

    /// Packet `sequence` as a retransmission (RFC 4588), if it is still kept.
    pub(super) fn retransmission(
        &mut self,
        sequence: u16,
        transport_number: &mut u16,
        overhead: usize,
    ) -> Option<Vec<u8>> {
        let at = self.kept.iter().position(|kept| kept.sequence == sequence)?;
        let rtx_sequence = self.rtx_sequence;
        self.rtx_sequence = rtx_sequence.wrapping_add(1);
        self.statistics.retransmitted += 1;
        let kept = &self.kept[at];
        let ssrc = self.media.rtx_ssrc;
        let payload_type = match self.media.kind {
            Kind::Audio => OPUS_RTX,
            Kind::Video => VP8_RTX,
        };
        let header = header(payload_type, ssrc, rtx_sequence, kept.timestamp, kept.marker);
        let parts = [&sequence.to_be_bytes()[..], &kept.payload];
        Some(self.write(&header, &parts, transport_number, overhead))
    }

    /// What a sender report says.
    pub(super) fn report(&self, ntp: u64) -> SenderInfo {
        SenderInfo {
            ssrc: self.media.ssrc,
            ntp,
            rtp_timestamp: self.timestamp,
            packet_count: self.statistics.packets as u32,
            octet_count: self.statistics.bytes as u32,
        }
    }

    fn write(
        &self,
        header: &HeaderWriter<'_>,
        parts: &[&[u8]],
        transport_number: &mut u16,
        overhead: usize,
    ) -> Vec<u8> {
        let number = transport_number.to_be_bytes();
        *transport_number = transport_number.wrapping_add(1);
        let mut extensions: Vec<(u8, &[u8])> = Vec::with_capacity(3);
        extensions.extend(self.rid.map(|(id, rid)| (id, rid.as_bytes())));
        extensions.extend(self.mid_extension.map(|id| (id, self.mid.as_bytes())));
        extensions.extend(self.transport_cc_extension.map(|id| (id, &number[..])));
        let payload_bytes: usize = parts.iter().map(|part| part.len()).sum();
        let mut packet = Vec::with_capacity(HEADER_BYTES_MAX + payload_bytes + overhead);
        packet.resize(HEADER_BYTES_MAX, 0);
        let length = header.write(&mut packet, &extensions).expect("three short extensions fit");
        packet.truncate(length);
        parts.iter().for_each(|part| packet.extend_from_slice(part));
        packet.resize(packet.len() + overhead, 0);
        packet
    }
}

fn header(
    payload_type: u8,
    ssrc: u32,
    sequence_number: u16,
    timestamp: u32,
    marker: Marker,
) -> HeaderWriter<'static> {
    HeaderWriter { marker, payload_type, sequence_number, timestamp, ssrc, csrcs: &[] }
}
