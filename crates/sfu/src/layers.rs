//! Finds the layers inside a track's stream by what its packets say.

use std::time::Instant;

use odeum_rtp::Marker;
use odeum_rtp::codec::{FrameLayer, Vp9Descriptor, Vp9Structure};
use odeum_types::Codec;

use crate::forwarder::{FrameStart, PacketFacts};
use crate::frame_facts::FrameFacts;
use crate::layering::{Layering, PictureIds};

/// The layers inside a track's stream.
pub(crate) struct Layers {
    /// The track's codec.
    codec: Codec,
    /// Slots of the track's ring.
    packets: usize,
    /// The layers, once a packet has told of more than one: about 120 KB.
    layering: Option<Box<Layering>>,
}

impl Layers {
    pub(crate) fn new(codec: Codec, packets: usize) -> Self {
        Self { codec, packets, layering: None }
    }

    /// What a packet's frame is to the selections of layers. From the first one on that tells of
    /// more layers than one they are counted.
    pub(crate) fn read(
        &mut self,
        sequence: u64,
        frame: FrameStart,
        marker: Marker,
        payload: &[u8],
    ) -> FrameFacts {
        let layer = FrameLayer::of(self.codec, payload, marker);
        let structure = self.structure(payload);
        let is_higher = layer.is_some_and(|layer| layer.temporal > 0 || layer.spatial > 0);
        let is_several = structure.is_some_and(|structure| structure.spatial_layers > 1);
        if self.layering.is_none() && (is_higher || is_several) {
            let ids = match self.codec {
                Codec::Vp8 => PictureIds::WithoutGap,
                Codec::Opus | Codec::Vp9 | Codec::H264 | Codec::H265 | Codec::Av1 => {
                    PictureIds::AsTheyAre
                }
            };
            self.layering = Some(Box::new(Layering::new(sequence, self.packets, ids)));
        }
        let Some(layering) = &mut self.layering else { return FrameFacts::UNKNOWN };
        if let Some(structure) = structure {
            layering.take_structure(&structure);
        }
        layer.map_or(FrameFacts::UNKNOWN, |layer| layering.frame(&layer, frame))
    }

    /// Takes a packet of `size` bytes whose frame was read.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        packet: &PacketFacts,
        frame: FrameFacts,
        size: usize,
    ) {
        if let Some(layering) = &mut self.layering {
            layering.take(now, packet, frame, size);
        }
    }

    /// The layers, if there are several.
    pub(crate) fn layering(&self) -> Option<&Layering> {
        self.layering.as_deref()
    }

    /// The structure of VP9's layers, if a payload brings it.
    fn structure(&self, payload: &[u8]) -> Option<Vp9Structure> {
        match self.codec {
            Codec::Vp9 => Vp9Descriptor::parse(payload)?.structure,
            Codec::Opus | Codec::Vp8 | Codec::H264 | Codec::H265 | Codec::Av1 => None,
        }
    }
}
