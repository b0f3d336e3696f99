//! The forwarder decides, packet by packet, what a subscriber gets of a track and under which
//! numbers. It writes nothing.
//!
//! A track has layers: one, or several encodings of the same picture (RFC 8853). A subscriber gets
//! one at a time, and its numbers go on without a gap from layer to layer. Each stretch of one
//! layer, and of one selection of the layers inside it, is a [`Route`]: what a subscriber's number
//! stood for stays known after the layer has changed, for retransmissions.

use std::time::Instant;

use odeum_rtp::codec::PictureNumbers;
use odeum_rtp::dependency_descriptor::{ActiveField, DecodeTargets};

use crate::layering::{Placed, Shape};
use crate::selection::Selection;

mod route;

pub(crate) use route::{Mapping, Route};

/// Routes remembered after they have ended: five changes of layers within the time of a
/// retransmission.
const ENDED_ROUTES_MAX: usize = 4;

/// Which of a track's layers, in the order of the publisher's SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerIndex(pub u8);

/// What a subscriber is to get of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pick {
    /// Which layer.
    pub(crate) layer: LayerIndex,
    /// What of the layers inside it.
    pub(crate) selection: Selection,
}

impl Pick {
    /// All of a layer.
    pub(crate) fn whole(layer: LayerIndex) -> Self {
        Self { layer, selection: Selection::TOP }
    }
}

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
    /// The picture's numbers, of VP8 and VP9 in several layers.
    pub(crate) picture: Option<PictureNumbers>,
}

/// The newest packet that has a subscriber's number.
#[derive(Debug, Clone, Copy)]
struct Newest {
    /// Its number, extended.
    target: u64,
    /// Its timestamp.
    timestamp: u32,
    /// Its picture's numbers, as the subscriber got them.
    picture: Option<PictureNumbers>,
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
    /// What to add to VP8's and VP9's numbers.
    pub(crate) picture_offset: PictureNumbers,
    /// How much of it is sent.
    pub(crate) shape: Shape,
    /// The decode targets that are left of its dependency descriptor's, and where they are.
    pub(crate) active: Option<(ActiveField, DecodeTargets)>,
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

    /// What becomes of the packet `facts` of `layer`, while `wanted` is what the subscriber is to
    /// get; `placed` is the packet among the layers inside.
    pub(crate) fn decide(
        &self,
        wanted: Option<Pick>,
        layer: LayerIndex,
        facts: &PacketFacts,
        placed: Option<Placed<'_>>,
    ) -> Decision {
        let open = self.open.as_ref().filter(|route| route.layer == layer);
        if let Some(route) = open.filter(|route| facts.sequence >= route.source_first) {
            return route.forward(facts, placed);
        }
        if let Some(late) = self.ended.iter().flatten().find(|r| r.has(layer, facts.sequence)) {
            return late.forward(facts, placed);
        }
        if open.is_some() || wanted.map(|pick| pick.layer) != Some(layer) {
            return Decision::LeaveOut;
        }
        match facts.frame {
            FrameStart::Decodable => Decision::Begin,
            FrameStart::Other => Decision::AwaitKeyFrame,
        }
    }

    /// What the subscriber is to get begins with the packet `facts`, behind all that was sent
    /// before.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        pick: Pick,
        facts: &PacketFacts,
        placed: Option<Placed<'_>>,
        clock: ClockStep,
    ) {
        let timestamp = self.first_timestamp(now, pick.layer, facts, clock);
        self.end();
        let picture_offset = match (self.newest.and_then(|newest| newest.picture), facts.picture) {
            (Some(last), Some(first)) => {
                let one = PictureNumbers { picture_id: 1, tl0_picture_index: 1 };
                first.offset(last.plus(one))
            }
            _ => PictureNumbers::default(),
        };
        let left_out = placed.map_or(0, |placed| placed.left_out(pick.selection));
        let target_first =
            self.newest.map_or(u64::from(self.origin.sequence), |newest| newest.target + 1);
        let mapping = Mapping {
            number_first: placed.map_or(facts.sequence, |placed| placed.number(pick.selection)),
            target_first,
            timestamp_offset: timestamp.wrapping_sub(facts.timestamp),
            picture_offset: picture_offset.with_pictures_more(left_out),
        };
        self.open = Some(Route::new(pick, mapping, facts.sequence));
    }

    /// Changes the selection of the open layer if `placed`, the packet `sequence` of `layer`,
    /// allows it. What is still missing from before keeps its numbers.
    pub(crate) fn turn(
        &mut self,
        wanted: Option<Pick>,
        layer: LayerIndex,
        sequence: u64,
        placed: Placed<'_>,
    ) {
        let Some(wanted) = wanted.filter(|pick| pick.layer == layer) else { return };
        let Some(open) = self.open.as_mut().filter(|route| route.layer == layer) else { return };
        if open.selection == wanted.selection || sequence <= open.source_last || !placed.is_turn() {
            return;
        }
        let (from, to) = (open.selection, placed.step(open.selection, wanted.selection));
        if to == from {
            return;
        }
        let target_first = open.mapping.sequence(placed.number(from));
        let offset = open.mapping.picture_offset.with_pictures_less(placed.left_out(from));
        let mapping = Mapping {
            number_first: placed.number(to),
            target_first,
            picture_offset: offset.with_pictures_more(placed.left_out(to)),
            ..open.mapping
        };
        (open.source_last, open.target_last) = (sequence - 1, target_first.saturating_sub(1));
        self.end();
        self.open = Some(Route::new(Pick { layer, selection: to }, mapping, sequence));
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
                (route.source_last, route.target_last) = (facts.sequence, numbers.sequence);
            }
        }
        if self.newest.is_none_or(|newest| numbers.sequence > newest.target) {
            let before = self.newest.and_then(|newest| newest.picture);
            let picture = facts.picture.map(|source| source.plus(numbers.picture_offset));
            self.newest = Some(Newest {
                target: numbers.sequence,
                timestamp: numbers.timestamp,
                picture: if numbers.shape == Shape::Empty { before } else { picture },
                at: now,
            });
        }
    }

    /// What the subscriber knows as `target`: where it came from, and its number there. `None` for
    /// a number that stands for nothing.
    pub(crate) fn route_of(&self, target: u16) -> Option<(&Route, u64)> {
        let newest = self.newest?.target;
        let distance = i64::from(target.wrapping_sub(newest as u16) as i16);
        let target = newest.checked_add_signed(distance).filter(|target| *target <= newest)?;
        let mut routes = self.open.iter().chain(self.ended.iter().flatten());
        routes.find_map(|route| {
            let mapping = &route.mapping;
            let is_its = (mapping.target_first..=route.target_last).contains(&target);
            is_its.then(|| (route, mapping.number_first + (target - mapping.target_first)))
        })
    }

    /// The newest number that stands for a packet.
    pub(crate) fn newest(&self) -> Option<u16> {
        self.newest.map(|newest| newest.target as u16)
    }

    /// What it gets now.
    pub(crate) fn pick(&self) -> Option<Pick> {
        self.open.map(|route| Pick { layer: route.layer, selection: route.selection })
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

#[cfg(test)]
mod tests;
