//! Finds the layers inside a track's stream by what its packets say.

use odeum_rtp::Marker;
use odeum_rtp::codec::{FrameLayer, ThinningRules, Vp9Descriptor, Vp9Structure};
use odeum_types::Codec;

use crate::descriptors::{Described, Descriptors};
use crate::forwarder::FrameStart;
use crate::frame_facts::FrameFacts;
use crate::layering::{Layering, PictureIds};

/// The layers inside a track's stream.
pub(crate) struct Layers {
    /// The track's codec.
    codec: Codec,
    /// Slots of the track's ring.
    packets: usize,
    /// What its last sequence parameter set says of leaving out pictures.
    rules: ThinningRules,
    /// Its dependency descriptors, once there was one: about 12 KB.
    descriptors: Option<Box<Descriptors>>,
    /// The layers, once a packet has told of more than one: about 120 KB.
    layering: Option<Box<Layering>>,
}

/// What a packet says of its layers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacketLayers<'a> {
    /// Its marker bit.
    pub(crate) marker: Marker,
    /// The value of its dependency descriptor, if that was negotiated and is there.
    pub(crate) descriptor: Option<&'a [u8]>,
    /// Its payload.
    pub(crate) payload: &'a [u8],
}

impl Layers {
    pub(crate) fn new(codec: Codec, packets: usize) -> Self {
        let rules = ThinningRules::default();
        Self { codec, packets, rules, descriptors: None, layering: None }
    }

    /// What a packet's frame is to the selections of layers. From the first one on that tells of
    /// more layers than one they are counted.
    pub(crate) fn read(
        &mut self,
        sequence: u64,
        frame: FrameStart,
        packet: PacketLayers<'_>,
    ) -> Described {
        if frame == FrameStart::Decodable
            && let Some(rules) = ThinningRules::of(self.codec, packet.payload)
        {
            self.rules = rules;
        }
        // Of H.264 it may leave out pictures that others refer to.
        let is_followed = self.codec != Codec::H264 || self.rules.allows_gaps;
        if let Some(value) = packet.descriptor.filter(|_| is_followed) {
            return self.read_descriptor(sequence, value);
        }
        if let Some(descriptors) = &mut self.descriptors {
            descriptors.forget();
        }
        let layer = FrameLayer::of(self.codec, packet.payload, packet.marker);
        let layer = layer.map(|layer| match self.rules.is_nested && layer.temporal > 0 {
            true => layer.with_switch(),
            false => layer,
        });
        let structure = self.structure(packet.payload);
        let is_higher = layer.is_some_and(|layer| layer.temporal > 0 || layer.spatial > 0);
        let is_several = structure.is_some_and(|structure| structure.spatial_layers > 1);
        if is_higher || is_several {
            self.begin(sequence);
        }
        let Some(layering) = &mut self.layering else { return Described::UNKNOWN };
        if let Some(structure) = structure {
            layering.take_structure(&structure);
        }
        let of_layer = |layer: FrameLayer| layering.frame(&layer, frame);
        Described { frame: layer.map_or(FrameFacts::UNKNOWN, of_layer), active: None }
    }

    /// Whether viewers lack what the layers that they now get refer to, since this was last asked.
    pub(crate) fn take_break(&mut self) -> bool {
        self.descriptors.as_mut().is_some_and(|descriptors| descriptors.take_break())
    }

    /// The layers, if there are several, to be given each packet that was read.
    pub(crate) fn layering_mut(&mut self) -> Option<&mut Layering> {
        self.layering.as_deref_mut()
    }

    /// The layers, if there are several.
    pub(crate) fn layering(&self) -> Option<&Layering> {
        self.layering.as_deref()
    }

    /// The dependency descriptor of the packet that was read last, as viewers get it; empty
    /// without layers.
    pub(crate) fn descriptor(&self) -> &[u8] {
        let descriptors = self.descriptors.as_ref().filter(|_| self.layering.is_some());
        descriptors.map_or(&[], |descriptors| descriptors.value())
    }

    fn read_descriptor(&mut self, sequence: u64, value: &[u8]) -> Described {
        let descriptors = self.descriptors.get_or_insert_with(|| Box::new(Descriptors::new()));
        let described = descriptors.read(sequence, value);
        let Some(table) = descriptors.table().copied() else { return described };
        self.begin(sequence);
        if let Some(layering) = &mut self.layering {
            layering.set_table(&table);
        }
        described
    }

    fn begin(&mut self, sequence: u64) {
        let ids = match self.codec {
            Codec::Vp8 => PictureIds::WithoutGap,
            Codec::Opus | Codec::Vp9 | Codec::H264 | Codec::H265 | Codec::Av1 => {
                PictureIds::AsTheyAre
            }
        };
        let packets = self.packets;
        let begin = || Box::new(Layering::new(sequence, packets, ids));
        self.layering.get_or_insert_with(begin);
    }

    /// The structure of VP9's layers, if a payload brings it.
    fn structure(&self, payload: &[u8]) -> Option<Vp9Structure> {
        match self.codec {
            Codec::Vp9 => Vp9Descriptor::parse(payload)?.structure,
            Codec::Opus | Codec::Vp8 | Codec::H264 | Codec::H265 | Codec::Av1 => None,
        }
    }
}
