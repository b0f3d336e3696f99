//! The forwarder decides, packet by packet, what a subscriber gets of a track and under which
//! numbers. It writes nothing.
//!
//! A track has layers: one, or several encodings of the same picture (RFC 8853). A subscriber gets
//! one at a time, and its numbers go on without a gap from layer to layer. Each stretch of one
//! layer is a [`Route`]: what a subscriber's number stood for stays known after the layer has
//! changed, for retransmissions.

use std::time::Instant;

use odeum_rtp::codec::Vp8Numbers;

/// Routes remembered after they have ended: five changes of layers within the time of a
/// retransmission.
const ENDED_ROUTES_MAX: usize = 4;

/// Which of a track's layers, in the order of the publisher's SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerIndex(pub u8);

/// Whether decoding can begin at a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameStart {
    /// It can: the first packet of a key frame, or any packet of audio.
    Decodable,
    /// It needs what came before.
    Other,
}

/// What a decision needs of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacketFacts {
    /// The publisher's sequence number, extended so that it does not wrap.
    pub(crate) sequence: u64,
    /// The publisher's timestamp, in units of the clock rate.
    pub(crate) timestamp: u32,
    /// Whether decoding can begin here.
    pub(crate) frame: FrameStart,
    /// The frame's numbers, of VP8 in several layers.
    pub(crate) vp8: Option<Vp8Numbers>,
}

/// How the publisher's numbers become the subscriber's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The publisher's number of the first packet forwarded.
    source_first: u64,
    /// The subscriber's number of the same.
    target_first: u64,
    /// Added to timestamps, modulo 2^32.
    timestamp_offset: u32,
    /// Added to VP8's numbers.
    pub(crate) vp8_offset: Vp8Numbers,
}

impl Mapping {
    /// The subscriber's timestamp for the publisher's.
    pub(crate) fn timestamp(&self, source: u32) -> u32 {
        source.wrapping_add(self.timestamp_offset)
    }

    fn sequence(&self, source: u64) -> Option<u64> {
        Some(self.target_first + source.checked_sub(self.source_first)?)
    }
}

/// A stretch of one layer.
#[derive(Debug, Clone, Copy)]
struct Route {
    /// Which layer.
    layer: LayerIndex,
    /// Its numbers.
    mapping: Mapping,
    /// The publisher's largest number that has one of the subscriber's.
    source_last: u64,
}

impl Route {
    fn sequence(&self, layer: LayerIndex, source: u64) -> Option<u64> {
        (self.layer == layer && source <= self.source_last)
            .then(|| self.mapping.sequence(source))?
    }
}

/// The newest packet that has a subscriber's number.
#[derive(Debug, Clone, Copy)]
struct Newest {
    /// Its number, extended.
    target: u64,
    /// Its timestamp.
    timestamp: u32,
    /// Its frame's numbers, as the subscriber got them.
    vp8: Option<Vp8Numbers>,
    /// When it got it.
    at: Instant,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Not sent: nothing of this layer can be decoded before its next key frame.
    AwaitKeyFrame,
    /// Not sent: older than the first packet that was, or of a layer that is not wanted.
    LeaveOut,
    /// The layer begins with it: [`Forwarder::begin`], and it will be sent.
    Begin,
    /// Sent with these numbers.
    Forward(Numbers),
}

/// A subscriber's numbers for a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Sequence number, extended.
    pub(crate) sequence: u64,
    /// Timestamp.
    pub(crate) timestamp: u32,
    /// What to add to VP8's numbers.
    pub(crate) vp8_offset: Vp8Numbers,
}

/// Where a subscriber's numbers begin: random, and low enough that the first packets do not roll
/// over while the other end may still lose them (RFC 3711 §3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// First sequence number, below 2^15.
    pub(crate) sequence: u16,
    /// First timestamp.
    pub(crate) timestamp: u32,
}

/// How a layer's clock is found when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockStep {
    /// Added to the timestamp of the layer that begins, it is that of the one before, at the same
    /// moment; none when sender reports of both have not come yet.
    pub(crate) offset: Option<u32>,
    /// Ticks per second.
    pub(crate) clock_rate: u32,
}

/// One subscriber's view of one track.
pub(crate) struct Forwarder {
    /// Where its numbers begin.
    origin: Origin,
    /// What it gets now.
    open: Option<Route>,
    /// What it got before, the latest first.
    ended: [Option<Route>; ENDED_ROUTES_MAX],
    /// The newest packet that has a number.
    newest: Option<Newest>,
}

impl Forwarder {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, open: None, ended: [None; ENDED_ROUTES_MAX], newest: None }
    }

    /// What becomes of the packet `facts` of `layer`, while `wanted` is the layer that the
    /// subscriber is to get.
    pub(crate) fn decide(
        &self,
        wanted: Option<LayerIndex>,
        layer: LayerIndex,
        facts: &PacketFacts,
    ) -> Decision {
        let open = self.open.filter(|route| route.layer == layer);
        if let Some(sequence) = open.and_then(|route| route.mapping.sequence(facts.sequence)) {
            return forward(sequence, open.expect("it gave the number").mapping, facts);
        }
        let ended = self.ended.iter().flatten();
        let late = ended.filter_map(|r| Some((r.sequence(layer, facts.sequence)?, r.mapping)));
        if let Some((sequence, mapping)) = late.into_iter().next() {
            return forward(sequence, mapping, facts);
        }
        if open.is_some() || wanted != Some(layer) {
            return Decision::LeaveOut;
        }
        match facts.frame {
            FrameStart::Decodable => Decision::Begin,
            FrameStart::Other => Decision::AwaitKeyFrame,
        }
    }

    /// A layer begins with the packet `facts`, behind all that was sent before.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        layer: LayerIndex,
        facts: &PacketFacts,
        clock: ClockStep,
    ) {
        let timestamp = self.first_timestamp(now, layer, facts, clock);
        self.end();
        let vp8_offset = match (self.newest.and_then(|newest| newest.vp8), facts.vp8) {
            (Some(last), Some(first)) => {
                let one = Vp8Numbers { picture_id: 1, tl0_picture_index: 1 };
                first.offset(last.plus(one))
            }
            _ => Vp8Numbers::default(),
        };
        let mapping = Mapping {
            source_first: facts.sequence,
            target_first: self
                .newest
                .map_or(u64::from(self.origin.sequence), |newest| newest.target + 1),
            timestamp_offset: timestamp.wrapping_sub(facts.timestamp),
            vp8_offset,
        };
        self.open = Some(Route { layer, mapping, source_last: facts.sequence });
    }

    /// Nothing more of the open layer goes on.
    pub(crate) fn end(&mut self) {
        if let Some(route) = self.open.take() {
            self.ended.rotate_right(1);
            self.ended[0] = Some(route);
        }
    }

    /// A packet has these numbers from now on.
    pub(crate) fn number(&mut self, now: Instant, facts: &PacketFacts, numbers: &Numbers) {
        if let Some(route) = &mut self.open {
            let is_of_it = numbers.sequence >= route.mapping.target_first;
            if is_of_it && facts.sequence > route.source_last {
                route.source_last = facts.sequence;
            }
        }
        if self.newest.is_none_or(|newest| numbers.sequence > newest.target) {
            self.newest = Some(Newest {
                target: numbers.sequence,
                timestamp: numbers.timestamp,
                vp8: facts.vp8.map(|source| source.plus(numbers.vp8_offset)),
                at: now,
            });
        }
    }

    /// What the subscriber knows as `target`: layer and number of the publisher's, and the mapping.
    /// `None` for a number that stands for nothing.
    pub(crate) fn source_of(&self, target: u16) -> Option<(LayerIndex, u64, Mapping)> {
        let newest = self.newest?.target;
        let distance = i64::from(target.wrapping_sub(newest as u16) as i16);
        let target = newest.checked_add_signed(distance).filter(|target| *target <= newest)?;
        let routes = self.open.iter().chain(self.ended.iter().flatten());
        routes.into_iter().find_map(|route| {
            let source = target.checked_sub(route.mapping.target_first)?;
            let source = route.mapping.source_first + source;
            (source <= route.source_last).then_some((route.layer, source, route.mapping))
        })
    }

    /// The newest number that stands for a packet.
    pub(crate) fn newest(&self) -> Option<u16> {
        self.newest.map(|newest| newest.target as u16)
    }

    /// The layer that it gets now.
    pub(crate) fn layer(&self) -> Option<LayerIndex> {
        self.open.map(|route| route.layer)
    }

    /// The numbers of what it gets now.
    pub(crate) fn mapping(&self) -> Option<&Mapping> {
        self.open.as_ref().map(|route| &route.mapping)
    }

    /// What the first packet's timestamp becomes: the same moment on the subscriber's clock, and
    /// later than anything sent.
    fn first_timestamp(
        &self,
        now: Instant,
        layer: LayerIndex,
        facts: &PacketFacts,
        clock: ClockStep,
    ) -> u32 {
        let Some(newest) = self.newest else { return self.origin.timestamp };
        let before = self.open.or(self.ended[0]).expect("what was sent had a route");
        let step = if before.layer == layer { Some(0) } else { clock.offset };
        let timestamp = match step {
            Some(step) => before.mapping.timestamp(facts.timestamp.wrapping_add(step)),
            None => {
                let elapsed = now.saturating_duration_since(newest.at).as_micros();
                let ticks = elapsed * u128::from(clock.clock_rate) / 1_000_000;
                newest.timestamp.wrapping_add(ticks as u32)
            }
        };
        let is_later = timestamp.wrapping_sub(newest.timestamp) as i32 > 0;
        if is_later { timestamp } else { newest.timestamp.wrapping_add(1) }
    }
}

fn forward(sequence: u64, mapping: Mapping, facts: &PacketFacts) -> Decision {
    Decision::Forward(Numbers {
        sequence,
        timestamp: mapping.timestamp(facts.timestamp),
        vp8_offset: mapping.vp8_offset,
    })
}

#[cfg(test)]
mod tests;
