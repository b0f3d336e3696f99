//! What viewers get of a stream in layers, over all ways to choose and to lose.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use odeum_rtp::codec::{PictureNumbers, TemporalSwitch};
use proptest::prelude::*;

use super::*;
use crate::forwarder::{ClockStep, Decision, Forwarder, LayerIndex, Numbers, Origin};

const LAYER: LayerIndex = LayerIndex(0);

/// How an encoder lets frames refer to one another, and what its descriptors say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// VP8's: one spatial layer, and layer-sync frames in every other group of four pictures.
    Temporal,
    /// VP9's L3T3: each spatial layer refers to the one below.
    Spatial,
    /// VP9's L3T3_KEY: only those of key pictures do.
    SpatialKey,
}

/// A frame: its picture and its spatial layer.
type FrameId = (u32, u8);

/// A packet as it comes from the network.
#[derive(Debug, Clone)]
struct Packet {
    facts: PacketFacts,
    layer: FrameLayer,
    frame: FrameId,
    refers_to: Vec<FrameId>,
    ends_picture: bool,
}

/// Makes the frames of pictures in the temporal layers 0, 2, 1, 2.
struct Encoder {
    mode: Mode,
    sequence: u64,
    picture: u32,
    /// The last picture of each temporal layer.
    last: [Option<u32>; 3],
    /// Where in its eight pictures the pattern is.
    phase: u32,
}

impl Encoder {
    fn new(mode: Mode) -> Self {
        Self { mode, sequence: 65_000, picture: 0, last: [None; 3], phase: 0 }
    }

    /// The packets of a picture, two for each frame.
    fn picture(&mut self, is_key: bool) -> Vec<Packet> {
        self.picture += 1;
        if is_key {
            (self.phase, self.last) = (0, [None; 3]);
        }
        let temporal = [0u8, 2, 1, 2][self.phase as usize % 4];
        // Of the first four pictures, those of T1 and the first T2 refer to T0 only.
        let is_sync = temporal > 0 && self.phase < 3;
        let earlier = match (temporal, is_sync && self.mode == Mode::Temporal) {
            (0, _) => vec![self.last[0]],
            (_, true) => vec![self.last[0]],
            // VP9's refer to the last of a lower layer.
            (1, _) if self.mode != Mode::Temporal => vec![self.last[0]],
            (1, _) => vec![self.last[0], self.last[1]],
            _ => vec![self.last[0], self.last[1].filter(|one| Some(*one) > self.last[0])],
        };
        let top = if self.mode == Mode::Temporal { 0 } else { 2u8 };
        let mut packets = Vec::new();
        for spatial in 0..=top {
            let is_above = spatial > 0 && (is_key || self.mode == Mode::Spatial);
            let below = is_above.then(|| (self.picture, spatial - 1));
            let before = earlier.iter().flatten().filter(|_| !is_key).map(|at| (*at, spatial));
            let refers_to: Vec<_> = before.chain(below).collect();
            let is_needed_above = spatial < top && (is_key || self.mode == Mode::Spatial);
            for part in 0..2 {
                let begins = part == 0;
                let layer = FrameLayer {
                    spatial,
                    temporal,
                    begins_frame: begins,
                    ends_frame: !begins,
                    enters_spatial_layer: begins && is_key,
                    is_needed_above: is_needed_above || self.mode == Mode::Temporal,
                    temporal_switch: match self.mode {
                        Mode::Temporal if is_sync => TemporalSwitch::WithFrame,
                        Mode::Temporal => TemporalSwitch::No,
                        Mode::Spatial | Mode::SpatialKey => TemporalSwitch::AfterPicture,
                    },
                };
                let is_start = begins && is_key && spatial == 0;
                packets.push(Packet {
                    facts: PacketFacts {
                        sequence: self.sequence,
                        timestamp: self.picture * 3_000,
                        frame: if is_start { FrameStart::Decodable } else { FrameStart::Other },
                        picture: (self.mode == Mode::Temporal).then_some(PictureNumbers {
                            picture_id: self.picture as u16 & 0x7FFF,
                            tl0_picture_index: 0,
                        }),
                    },
                    layer,
                    frame: (self.picture, spatial),
                    refers_to: refers_to.clone(),
                    ends_picture: !begins && spatial == top,
                });
                self.sequence += 1;
            }
        }
        self.last[usize::from(temporal)] = Some(self.picture);
        self.phase = (self.phase + 1) % 8;
        packets
    }
}

/// Packets that are remembered.
const RING_PACKETS: u64 = 1_024;

/// A track and one viewer of it.
struct Viewer {
    layering: Layering,
    forwarder: Forwarder,
    now: Instant,
    seen: HashSet<u64>,
    /// What was sent, by the viewer's number.
    sent: HashMap<u64, (Packet, Numbers)>,
}

impl Viewer {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant")]
        let now = Instant::now();
        let origin = Origin { sequence: 100, timestamp: 5_000 };
        Self {
            layering: Layering::new(65_000, RING_PACKETS as usize, PictureIds::WithoutGap),
            forwarder: Forwarder::new(origin),
            now,
            seen: HashSet::new(),
            sent: HashMap::new(),
        }
    }

    fn take(&mut self, wanted: Selection, packet: &Packet) {
        let facts = &packet.facts;
        if !self.seen.insert(facts.sequence) {
            return;
        }
        self.now += Duration::from_millis(1);
        let frame = self.layering.frame(&packet.layer, facts.frame);
        self.layering.take(self.now, facts, Described { frame, active: None }, 1_000);
        let pick = Pick { layer: LAYER, selection: wanted };
        let wanted = Some(pick);
        let placed = self.layering.place(facts.sequence).unwrap();
        self.forwarder.turn(wanted, LAYER, facts.sequence, placed);
        let mut decision = self.forwarder.decide(wanted, LAYER, facts, Some(placed));
        if decision == Decision::Begin {
            let clock = ClockStep { offset: None, clock_rate: 90_000 };
            self.forwarder.begin(self.now, pick, facts, Some(placed), clock);
            decision = self.forwarder.decide(wanted, LAYER, facts, Some(placed));
        }
        if let Decision::Forward(numbers) = decision {
            self.forwarder.number(self.now, facts, &numbers);
            let before = self.sent.insert(numbers.sequence, (packet.clone(), numbers));
            assert!(before.is_none(), "{} stands for two packets", numbers.sequence);
        }
    }

    /// Each number that is known leads back to its packet in its shape; gives how many are known.
    fn check_way_back(&self) -> usize {
        let mut found = 0;
        for (target, (packet, numbers)) in &self.sent {
            let Some((route, number)) = self.forwarder.route_of(*target as u16) else { continue };
            let source = route.source(number, Some(&self.layering));
            // Of what is older than the ring nothing is kept.
            if source.is_none() {
                let newest = self.seen.iter().max().unwrap();
                assert!(newest - packet.facts.sequence >= RING_PACKETS);
                continue;
            }
            assert_eq!(source, Some(packet.facts.sequence));
            let placed = self.layering.place(packet.facts.sequence);
            let again = route.again(*target as u16, &packet.facts, placed).unwrap();
            assert_eq!(Numbers { sequence: *target, ..again }, *numbers);
            found += 1;
        }
        found
    }
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Temporal), Just(Mode::Spatial), Just(Mode::SpatialKey)]
}

fn selection() -> impl Strategy<Value = Selection> {
    (0..3u8, 0..3u8).prop_map(|(spatial, temporal)| Selection { spatial, temporal })
}

/// Pictures in a row with one wish, and whether they begin with a key picture.
fn stretch() -> impl Strategy<Value = (usize, Selection, bool)> {
    (1..20usize, selection(), prop::bool::weighted(0.2))
}

proptest! {
    #[test]
    fn without_loss_all_that_a_viewer_gets_can_be_decoded_and_its_numbers_have_no_gap(
        mode in mode(),
        stretches in prop::collection::vec(stretch(), 1..20),
    ) {
        let (mut encoder, mut viewer) = (Encoder::new(mode), Viewer::new());
        let mut is_first = true;
        for (pictures, wanted, is_key) in stretches {
            for at in 0..pictures {
                let is_key = std::mem::take(&mut is_first) || is_key && at == 0;
                let packets = encoder.picture(is_key);
                let before = viewer.sent.len();
                packets.iter().for_each(|packet| viewer.take(wanted, packet));
                let temporal = packets[0].layer.temporal;
                prop_assert!(temporal > 0 || viewer.sent.len() > before, "T0 is everybody's");
                let pick = viewer.forwarder.pick().unwrap();
                if is_key {
                    prop_assert_eq!(pick.selection, wanted, "at a key picture it has all");
                }
                prop_assert!(
                    at < 16 || pick.selection.temporal == wanted.temporal,
                    "temporal layers need no key picture"
                );
                prop_assert!(
                    mode == Mode::SpatialKey || pick.selection.spatial <= wanted.spatial,
                    "down needs none either"
                );
            }
        }
        let mut sent: Vec<_> = viewer.sent.iter().collect();
        sent.sort_by_key(|(target, _)| **target);
        let mut frames = HashSet::new();
        let mut last: Option<(u64, u32, Option<u16>)> = None;
        let mut is_ended = true;
        for (target, (packet, numbers)) in sent {
            let picture = packet.frame.0;
            let shifted = packet.facts.picture.map(|own| own.plus(numbers.picture_offset));
            let id = shifted.map(|shifted| shifted.picture_id);
            if let Some((target_before, picture_before, id_before)) = last {
                prop_assert_eq!(*target, target_before + 1);
                let is_next = picture != picture_before;
                prop_assert_eq!(is_ended, is_next, "the marker bit ends pictures");
                let step = id.zip(id_before).map(|(id, before)| id.wrapping_sub(before));
                prop_assert!(step.is_none_or(|step| step == u16::from(is_ended)));
            }
            last = Some((*target, picture, id));
            is_ended = packet.ends_picture || numbers.shape == Shape::EndsPicture;
            for needed in &packet.refers_to {
                prop_assert!(frames.contains(needed), "{packet:?} needs {needed:?}");
            }
            if packet.layer.ends_frame {
                frames.insert(packet.frame);
            }
        }
        prop_assert!(viewer.check_way_back() > 0);
    }

    #[test]
    fn with_loss_no_number_stands_for_two_packets_and_what_was_not_lost_leaves_no_gap(
        mode in mode(),
        stretches in prop::collection::vec(stretch(), 1..12),
        fates in prop::collection::vec(0..20u8, 200),
    ) {
        let (mut encoder, mut viewer) = (Encoder::new(mode), Viewer::new());
        let mut late: Vec<(usize, Packet)> = Vec::new();
        let mut lost = 0;
        let mut count = 0;
        for (at, (pictures, wanted, is_key)) in stretches.into_iter().enumerate() {
            for picture in 0..pictures {
                let is_first = at == 0 && picture == 0;
                for packet in encoder.picture(is_first || is_key && picture == 0) {
                    count += 1;
                    match fates[count % fates.len()] {
                        // The first one is where numbers begin.
                        _ if count == 1 => viewer.take(wanted, &packet),
                        0 => lost += 1,
                        fate @ 1..=3 => late.push((count + usize::from(fate) * 5, packet)),
                        _ => viewer.take(wanted, &packet),
                    }
                    let (due, rest) = late.into_iter().partition(|(when, _)| *when <= count);
                    late = rest;
                    let due: Vec<(usize, Packet)> = due;
                    due.iter().for_each(|(_, packet)| viewer.take(wanted, packet));
                }
            }
        }
        lost += late.len();
        let (first, last) = (viewer.sent.keys().min(), viewer.sent.keys().max());
        let all = last.unwrap() - first.unwrap() + 1;
        prop_assert!(all as usize - viewer.sent.len() <= lost, "{lost} were lost");
        viewer.check_way_back();
    }
}
