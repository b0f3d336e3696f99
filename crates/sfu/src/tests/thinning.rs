//! H.264 and H.265 in temporal layers: fewer pictures for whom not all reach, in numbers without
//! gaps, and none that refers to one that was left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odeum_rtp::{HeaderWriter, Marker, RtpPacket};
use proptest::prelude::*;

use super::client::{Rtx, VIDEO_PT, VIDEO_SSRC};
use super::net::Net;

/// How a publisher encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoder {
    /// H.264: every other picture is for no other.
    H264,
    /// H.265 in three temporal layers, which a viewer can go up to with each of their pictures.
    H265,
    /// The same, where the pictures do not say so but the parameter set does.
    H265Nested,
}

impl Encoder {
    fn codec(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::H265 | Self::H265Nested => "H265",
        }
    }

    /// The temporal layer of a picture.
    fn temporal(self, picture: u16) -> u8 {
        match self {
            Self::H264 => (picture % 2) as u8,
            Self::H265 | Self::H265Nested => [0, 2, 1, 2][usize::from(picture % 4)],
        }
    }

    /// The picture that it refers to.
    fn reference(self, picture: u16) -> Option<u16> {
        let is_below = |other: &u16| match self.temporal(picture) {
            0 => self.temporal(*other) == 0,
            temporal => self.temporal(*other) < temporal,
        };
        (0..picture).rev().find(is_below)
    }

    /// The payloads of a picture: two fragments of its only slice, before which the first has its
    /// parameter set in a packet of its own.
    fn payloads(self, picture: u16) -> Vec<Vec<u8>> {
        let (is_key, temporal) = (picture == 0, self.temporal(picture));
        let header = |end: u8| match self {
            Self::H264 => {
                let (importance, kind) = if temporal > 0 { (0, 1) } else { (0x60, 1) };
                vec![importance | 28, end | if is_key { 5 } else { kind }]
            }
            Self::H265 | Self::H265Nested => {
                let kind = match temporal {
                    _ if is_key => 19,
                    0 => 1,
                    _ if self == Self::H265Nested => 1,
                    1 => 3,
                    _ => 2,
                };
                vec![49 << 1, temporal + 1, end | kind]
            }
        };
        let fragment = |end| {
            let mut payload = header(end);
            payload.resize(498, 0xFF);
            payload.extend(picture.to_be_bytes());
            payload
        };
        let mut payloads = vec![fragment(0x80), fragment(0x40)];
        if is_key {
            let set = match self {
                Self::H264 => {
                    vec![0x67, 0x42, 0xC0, 0x1F, 0x8C, 0x8D, 0x40, 0x50, 0x1E, 0xD3, 0x50]
                }
                // Three sub-layers, nested or not.
                Self::H265 => vec![33 << 1, 1, 0x04],
                Self::H265Nested => {
                    let set = "420105016000000300900000030000030078000000a003c08010e596566924caff";
                    let byte = |at| u8::from_str_radix(&set[at..at + 2], 16).unwrap();
                    (0..set.len()).step_by(2).map(byte).collect()
                }
            };
            payloads.insert(0, set);
        }
        payloads
    }
}

/// A publisher that sends a picture of two packets, 1,000 bytes, every 40 ms, and its viewer.
struct Stage {
    net: Net,
    encoder: Encoder,
    publisher: usize,
    viewer: usize,
    sequence: u16,
    pictures: u16,
    /// Packets that are lost on their way to the server, by their place among all.
    lost: BTreeSet<u16>,
    /// Pictures of which one was.
    damaged: BTreeSet<u16>,
}

impl Stage {
    fn new(encoder: Encoder) -> Self {
        let mut net = Net::new();
        net.codec = encoder.codec();
        net.lines = match encoder {
            Encoder::H264 => "a=fmtp:96 profile-level-id=42e01f;packetization-mode=1\r\n",
            Encoder::H265 | Encoder::H265Nested => "",
        };
        let publisher = net.publisher();
        // NACK without RTX: no transport-wide numbers, and it says itself what reaches it.
        let viewer = net.viewer(publisher, Rtx::Left);
        let (lost, damaged) = (BTreeSet::new(), BTreeSet::new());
        Self { net, encoder, publisher, viewer, sequence: 65_400, pictures: 0, lost, damaged }
    }

    fn picture(&mut self) {
        let payloads = self.encoder.payloads(self.pictures);
        let count = payloads.len();
        for (at, payload) in payloads.into_iter().enumerate() {
            let header = HeaderWriter {
                marker: if at + 1 == count { Marker::Set } else { Marker::Clear },
                payload_type: VIDEO_PT,
                sequence_number: self.sequence,
                timestamp: u32::from(self.pictures) * 3_600,
                ssrc: VIDEO_SSRC,
                csrcs: &[],
            };
            let is_lost = self.lost.contains(&self.sequence.wrapping_sub(65_400));
            self.sequence = self.sequence.wrapping_add(1);
            let packet = self.net.clients[self.publisher].protect(&header, &[], &payload);
            match is_lost {
                true => _ = self.damaged.insert(self.pictures),
                false => self.net.send(self.publisher, packet),
            }
        }
        self.pictures += 1;
        self.net.settle();
        self.net.pass(Duration::from_millis(40));
    }

    fn pictures(&mut self, count: usize) {
        (0..count).for_each(|_| self.picture());
    }

    fn say(&mut self, kilobits: u64) {
        let ssrc = self.net.video_ssrc_of(self.viewer);
        let told = self.net.clients[self.viewer]
            .rtcp(|writer| writer.receiver_estimate(1, kilobits * 1_000, &[ssrc]).unwrap());
        self.net.send(self.viewer, told);
    }

    /// Sequence numbers and pictures of what the viewer got, but for the parameter set.
    fn packets(&self) -> Vec<(u16, u16)> {
        let video = self.net.clients[self.viewer].rtp.iter();
        let packets = video.map(|bytes| RtpPacket::parse(bytes).unwrap());
        let packets = packets.filter(|packet| packet.header().payload_type == VIDEO_PT);
        packets
            .filter_map(|packet| {
                let (.., number) = packet.payload().split_last_chunk::<2>()?;
                let is_slice = packet.payload().len() == 500;
                is_slice.then(|| (packet.header().sequence_number, u16::from_be_bytes(*number)))
            })
            .collect()
    }

    /// The pictures that the viewer got whole.
    fn whole(&self) -> BTreeSet<u16> {
        let mut counts = BTreeMap::<u16, usize>::new();
        self.packets().iter().for_each(|(_, picture)| *counts.entry(*picture).or_default() += 1);
        counts.iter().filter(|(_, count)| **count == 2).map(|(picture, _)| *picture).collect()
    }

    /// The temporal layers of the pictures since `first`.
    fn temporals(&self, first: u16) -> BTreeSet<u8> {
        self.whole().range(first..).map(|picture| self.encoder.temporal(*picture)).collect()
    }

    /// Each picture that the viewer got refers to one that it got as well, unless that was lost on
    /// its way to the server.
    fn check_references(&self) {
        let whole = self.whole();
        for picture in &whole {
            let Some(reference) = self.encoder.reference(*picture) else { continue };
            let is_there = whole.contains(&reference) || self.damaged.contains(&reference);
            assert!(is_there, "{picture} refers to {reference}, which was left out");
        }
    }
}

#[test]
fn a_viewer_gets_the_pictures_that_reach_it_without_a_gap_and_all_again() {
    for encoder in [Encoder::H264, Encoder::H265, Encoder::H265Nested] {
        let mut stage = Stage::new(encoder);
        stage.pictures(60);
        let steps: &[(u64, &[u8])] = match encoder {
            Encoder::H264 => &[(150, &[0]), (2_000, &[0, 1])],
            Encoder::H265 | Encoder::H265Nested => {
                &[(150, &[0, 1]), (70, &[0]), (2_000, &[0, 1, 2])]
            }
        };
        for (kilobits, temporals) in steps {
            stage.say(*kilobits);
            stage.pictures(8);
            let first = stage.pictures;
            stage.pictures(40);
            let expected = temporals.iter().copied().collect();
            assert_eq!(stage.temporals(first), expected, "{encoder:?} at {kilobits} kbit/s");
        }
        stage.check_references();
        for pair in stage.packets().windows(2) {
            assert_eq!(pair[0].0.wrapping_add(1), pair[1].0, "{encoder:?}");
        }
        assert_eq!(stage.net.plis_at(stage.publisher), 1, "{encoder:?}: that of joining");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_is_lost_no_picture_refers_to_one_that_was_left_out(
        encoder in prop_oneof![
            Just(Encoder::H264), Just(Encoder::H265), Just(Encoder::H265Nested),
        ],
        lost in proptest::collection::btree_set(3..400u16, 0..30),
        steps in proptest::collection::vec((40..260u64, 1..30usize), 1..8),
    ) {
        let mut stage = Stage::new(encoder);
        stage.lost = lost;
        stage.pictures(12);
        for (kilobits, pictures) in steps {
            stage.say(kilobits);
            stage.pictures(pictures);
        }
        stage.check_references();
        let packets = stage.packets();
        let (first, last) = (packets.first().unwrap().0, packets.last().unwrap().0);
        let missing = usize::from(last.wrapping_sub(first)) + 1 - packets.len();
        prop_assert!(missing <= stage.lost.len(), "{missing} are missing");
    }
}
