//! A publisher of H.264 or H.265 and a viewer.

use std::time::Duration;

use odeum_rtp::codec::{ParameterSet, SetKind};
use odeum_rtp::{HeaderWriter, Marker};
use odeum_types::Codec;

use super::super::client::{Rtx, VIDEO_PT, VIDEO_SSRC};
use super::super::net::Net;
use super::{Fate, H265};

/// How long a picture stands here: each key frame may get its sets.
const PICTURE_TIME: Duration = Duration::from_millis(100);

/// A slice of 40 bytes that ends with `number`, in a packet of its own.
pub(super) fn slice(codec: Codec, is_key: bool, number: u16) -> Vec<u8> {
    let mut payload = match (codec, is_key) {
        (Codec::H265, true) => vec![19 << 1, 1, 0xAC],
        (Codec::H265, false) => vec![1 << 1, 1, 0xD0],
        (_, true) => vec![0x65, 0x88],
        (_, false) => vec![0x41, 0x9A],
    };
    payload.resize(38, 0xFF);
    payload.extend(number.to_be_bytes());
    payload
}

/// A publisher of H.264 or H.265 and a viewer.
pub(super) struct Stage {
    pub(super) net: Net,
    pub(super) publisher: usize,
    pub(super) viewer: usize,
    pub(super) codec: Codec,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
}

impl Stage {
    pub(super) fn new(lines: &'static str, rtx: Rtx) -> Self {
        let mut net = Net::new();
        let codec = if lines == H265 { Codec::H265 } else { Codec::H264 };
        (net.codec, net.lines) = (if lines == H265 { "H265" } else { "H264" }, lines);
        let publisher = net.publisher();
        let viewer = net.viewer(publisher, rtx);
        Self { net, publisher, viewer, codec, sequence: 65_520, timestamp: 0 }
    }

    /// The next packet, on its way.
    pub(super) fn packet(&mut self, marker: Marker, payload: &[u8]) -> Vec<u8> {
        let header = HeaderWriter {
            marker,
            payload_type: VIDEO_PT,
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: VIDEO_SSRC,
            csrcs: &[],
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.net.clients[self.publisher].protect(&header, &[], payload)
    }

    pub(super) fn send(&mut self, payload: &[u8]) {
        let packet = self.packet(Marker::Clear, payload);
        self.net.send(self.publisher, packet);
        self.net.settle();
    }

    /// A picture of one slice, with `before` in packets of their own.
    pub(super) fn picture(&mut self, is_key: bool, before: &[&[u8]]) {
        self.timestamp += 3_600;
        before.iter().for_each(|payload| self.send(payload));
        let payload = slice(self.codec, is_key, self.sequence);
        let packet = self.packet(Marker::Set, &payload);
        self.net.send(self.publisher, packet);
        self.net.settle();
        self.net.pass(PICTURE_TIME);
    }

    pub(super) fn received(&self) -> Vec<(u16, u32, Vec<u8>)> {
        self.net.clients[self.viewer].received(VIDEO_PT)
    }

    /// What the viewer got, by the first byte of each payload; its numbers have no gap.
    pub(super) fn kinds(&self) -> Vec<u8> {
        let received = self.received();
        for pair in received.windows(2) {
            assert_eq!(pair[0].0.wrapping_add(1), pair[1].0);
        }
        received.iter().map(|(.., payload)| payload[0]).collect()
    }

    /// Sends pictures, key frames or not, of so many slices after a first one that arrives. Gives
    /// how many packets there were, and how many of them were lost.
    pub(super) fn send_all(
        &mut self,
        pictures: &[(bool, usize)],
        fates: &[Fate],
    ) -> (usize, usize) {
        self.picture(true, &[]);
        let (mut late, mut lost, mut count) = (Vec::<(usize, Vec<u8>)>::new(), 0, 0);
        for (is_key, slices) in pictures {
            self.timestamp += 3_600;
            for at in 0..*slices {
                let mut payload = slice(self.codec, *is_key, self.sequence);
                if at > 0 {
                    // Not the picture's first slice.
                    payload[if self.codec == Codec::H265 { 2 } else { 1 }] &= 0x7F;
                }
                let packet = self.packet(Marker::Clear, &payload);
                count += 1;
                match fates[count % fates.len()] {
                    Fate::Arrives => self.net.send(self.publisher, packet),
                    Fate::Lost => lost += 1,
                    Fate::Late(by) => late.push((count + by, packet)),
                }
                let is_due = |(when, _): &mut (usize, Vec<u8>)| *when <= count;
                for (_, packet) in late.extract_if(.., is_due).collect::<Vec<_>>() {
                    self.net.send(self.publisher, packet);
                }
                self.net.settle();
            }
            self.net.pass(PICTURE_TIME);
        }
        (count, lost + late.len())
    }

    /// Whether the key frame whose first packet is so far from the viewer's first has its sets
    /// before it, at its time; or that packet came behind one that follows it.
    pub(super) fn is_late_or_has_sets(&self, place: u16) -> bool {
        let received = self.received();
        let place_of = |sequence: u16| sequence.wrapping_sub(received[0].0);
        let at = received.iter().position(|(sequence, ..)| place_of(*sequence) == place).unwrap();
        let (_, timestamp, _) = received[at];
        let kinds = received.iter().filter(|(sequence, other, _)| {
            *other == timestamp && (1..=2).contains(&place.wrapping_sub(place_of(*sequence)))
        });
        let sets = kinds.flat_map(|(.., payload)| ParameterSet::all(self.codec, payload));
        received[..at].iter().any(|(sequence, ..)| place_of(*sequence) > place)
            || sets.count() >= SetKind::needed(self.codec).len()
    }
}
