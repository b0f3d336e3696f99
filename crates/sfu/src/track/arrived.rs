//! A packet that goes on: into the ring, and to the fan-out.

use std::time::Instant;

use odeum_rtp::Marker;
use odeum_rtp::codec::{PictureNumbers, picture_size};
use odeum_types::Codec;

use super::{Received, Track};
use crate::config::PENDING_PACKETS_MAX;
use crate::forwarder::{FrameStart, PacketFacts};
use crate::layers::PacketLayers;
use crate::ring::{ForwardedExtensions, StoredPacket};

/// A packet that goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived<'a> {
    /// Its number in the ring.
    pub(super) sequence: u64,
    /// Its timestamp.
    pub(super) timestamp: u32,
    /// Whether decoding can begin with it.
    pub(super) frame: FrameStart,
    /// Its marker bit.
    pub(super) marker: Marker,
    /// Values for the subscribers' header extensions.
    pub(super) extensions: ForwardedExtensions,
    /// The value of its dependency descriptor.
    pub(super) descriptor: Option<&'a [u8]>,
    /// Bytes of its payload before the primary one (RFC 2198).
    pub(super) redundancy_bytes: Option<u16>,
    /// Its payload.
    pub(super) payload: &'a [u8],
}

impl Track {
    /// Puts a packet into the ring and hands it to the fan-out.
    pub(super) fn store(&mut self, now: Instant, packet: &Arrived<'_>) -> Received {
        let Arrived { sequence, frame, payload, .. } = *packet;
        let codec = self.terms.format.codec();
        self.meter.add(now, payload.len());
        if codec != Codec::Opus && frame == FrameStart::Decodable {
            self.key_frames.satisfy();
            let size = picture_size(codec, payload);
            self.height = size.map(|size| size.height).or(self.height);
        }
        let said = PacketLayers { marker: packet.marker, descriptor: packet.descriptor, payload };
        let described = self.layers.read(sequence, frame, said);
        let is_renumbered = self.terms.rid.is_some() || self.layering().is_some();
        let picture = is_renumbered.then(|| PictureNumbers::of(codec, payload)).flatten();
        let stored = StoredPacket {
            facts: PacketFacts { sequence, timestamp: packet.timestamp, frame, picture },
            marker: packet.marker,
            redundancy_bytes: packet.redundancy_bytes,
            extensions: packet.extensions,
        };
        if let Some(layering) = self.layers.layering_mut() {
            layering.take(now, &stored.facts, described, payload.len());
        }
        self.is_broken |= self.layers.take_break();
        self.ring.push(stored, self.layers.descriptor(), payload);
        if self.pending.len() >= PENDING_PACKETS_MAX {
            return Received::Full;
        }
        self.pending.push(sequence);
        Received::New
    }
}
