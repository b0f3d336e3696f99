//! One viewer of one stream: writes the publisher's packets under this viewer's numbers into the
//! send arena, answers its NACKs from the track's ring and reports to it.

use std::time::{Duration, Instant};

use odeum_rtp::rtcp::SenderInfo;
use odeum_types::{Bitrate, Codec};

use crate::PeerKey;
use crate::deal::Demand;
use crate::forwarder::{ClockStep, Decision, Forwarder, LayerIndex, Numbers, Origin, Pick, Route};
use crate::header::ExtensionIds;
use crate::layer_choice::{LAYERS_MAX, LayerFacts, Limit, choose, rate_of};
use crate::line::LineKey;
use crate::publisher::Publisher;
use crate::retransmission_budget::RetransmissionBudget;
use crate::ring::Stored;
use crate::send_path::SendPath;
use crate::track::{Track, TrackKind};
use crate::wish::PlayWish;

mod payload_format;
mod probe;
mod write;

use write::Sending;

/// Time between two sender reports per track (RFC 3550 §6.2 allows less often).
const SENDER_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The canonical name of everything we send: one name, so that a viewer plays audio and video of a
/// stream in sync (RFC 3550 §6.5.1).
pub(crate) const CNAME: &str = "odeum";

/// What was negotiated for one track with one subscriber.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrackTerms {
    /// The codec.
    pub(crate) codec: Codec,
    /// Our SSRC.
    pub(crate) ssrc: u32,
    /// The payload type that the subscriber's SDP gives the codec.
    pub(crate) payload_type: u8,
    /// Its payload type of the same with redundancy (RFC 2198); without, redundancy is left out.
    pub(crate) red_payload_type: Option<u8>,
    /// SSRC and payload type of retransmissions (RFC 4588), if it has them.
    pub(crate) rtx: Option<(u32, u8)>,
    /// Header extensions.
    pub(crate) extensions: ExtensionIds,
    /// Ticks of the RTP clock per second.
    pub(crate) clock_rate: u32,
}

/// One track as one subscriber gets it.
pub(crate) struct SubscriberTrack {
    /// What was negotiated.
    terms: TrackTerms,
    /// Which layer it gets, and under which numbers.
    forwarder: Forwarder,
    /// Next sequence number of the retransmission stream.
    rtx_sequence: u16,
    /// Packets sent, for the sender reports.
    packets: u32,
    /// Payload bytes sent, for the sender reports.
    octets: u32,
    /// When the last sender report went out.
    reported: Option<Instant>,
}

/// What became of a packet for one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// It is in the arena.
    Sent,
    /// It waits for a key frame, which should be asked for.
    AwaitsKeyFrame,
    /// It was left out: too old, or the arena is full.
    LeftOut,
}

impl SubscriberTrack {
    pub(crate) fn new(terms: TrackTerms, origin: Origin, rtx_sequence: u16) -> Self {
        Self {
            terms,
            forwarder: Forwarder::new(origin),
            rtx_sequence,
            packets: 0,
            octets: 0,
            reported: None,
        }
    }

    /// Writes a packet of `layers[layer]` for this subscriber, who is to get `wanted`.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        path: &mut SendPath<'_>,
        wanted: Option<Pick>,
        (layers, layer): (&[Track], LayerIndex),
        stored: Stored<'_>,
    ) -> Forwarded {
        let facts = &stored.packet.facts;
        let layering = layers.get(usize::from(layer.0)).and_then(Track::layering);
        let placed = layering.and_then(|layering| layering.place(facts.sequence));
        if let Some(placed) = placed {
            self.forwarder.turn(wanted, layer, facts.sequence, placed);
        }
        let mut decision = self.forwarder.decide(wanted, layer, facts, placed);
        if let (Decision::Begin, Some(pick)) = (decision, wanted) {
            let clock = self.clock_step(layers, layer);
            self.forwarder.begin(now, pick, facts, placed, clock);
            decision = self.forwarder.decide(wanted, layer, facts, placed);
        }
        let Decision::Forward(numbers) = decision else {
            return match decision {
                Decision::AwaitKeyFrame => Forwarded::AwaitsKeyFrame,
                Decision::LeaveOut | Decision::Begin | Decision::Forward(_) => Forwarded::LeftOut,
            };
        };
        // The number is this packet's even if there is no room for it now: it may be asked for.
        self.forwarder.number(now, facts, &numbers);
        let Some(bytes) = self.write(path, stored, numbers, Sending::First) else {
            return Forwarded::LeftOut;
        };
        self.packets = self.packets.wrapping_add(1);
        let taken = self.payload_format(stored.packet, Sending::First).strip(stored.payload);
        self.octets = self.octets.wrapping_add(taken.len() as u32);
        path.statistics.rtp_forwarded += 1;
        path.statistics.rtp_forwarded_bytes += bytes as u64;
        Forwarded::Sent
    }

    /// Sends again what the subscriber misses under its number `target`: as RTX (RFC 4588) when
    /// negotiated, else byte for byte as before. Gives the bytes.
    pub(crate) fn retransmit(
        &mut self,
        path: &mut SendPath<'_>,
        layers: &[Track],
        target: u16,
    ) -> Option<usize> {
        let Some((numbers, stored)) = self.stored(layers, target) else {
            path.statistics.retransmission_missed += 1;
            return None;
        };
        let sent = if self.terms.rtx.is_some() {
            let numbers = self.rtx_numbers(numbers);
            self.write(path, stored, numbers, Sending::Rtx { original: target })
        } else if self.terms.extensions.transport_sequence.is_none() {
            self.write(path, stored, numbers, Sending::Again)
        } else {
            // It would have another transport-wide number: another text under the same nonce.
            None
        };
        path.statistics.retransmitted += u64::from(sent.is_some());
        sent
    }

    /// What the subscriber knows as `target`, if a ring still has it, with its numbers.
    fn stored<'l>(&self, layers: &'l [Track], target: u16) -> Option<(Numbers, Stored<'l>)> {
        let (route, number): (&Route, _) = self.forwarder.route_of(target)?;
        let layer = layers.get(usize::from(route.layer.0))?;
        let source = route.source(number, layer.layering())?;
        let placed = layer.layering().and_then(|layering| layering.place(source));
        let stored = layer.ring().get(source)?;
        Some((route.again(target, &stored.packet.facts, placed)?, stored))
    }

    /// The next numbers of the retransmission stream, for what has `numbers` in its own.
    fn rtx_numbers(&mut self, numbers: Numbers) -> Numbers {
        let sequence = u64::from(self.rtx_sequence);
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        Numbers { sequence, ..numbers }
    }

    /// Sends nothing more of what it gets now, until a layer begins anew.
    pub(crate) fn pause(&mut self) {
        self.forwarder.end();
    }

    /// What it gets now.
    pub(crate) fn pick(&self) -> Option<Pick> {
        self.forwarder.pick()
    }

    /// The layer that it gets now.
    pub(crate) fn layer(&self) -> Option<LayerIndex> {
        self.pick().map(|pick| pick.layer)
    }

    /// How far the clock of the layer that begins is from that of the one before.
    fn clock_step(&self, layers: &[Track], next: LayerIndex) -> ClockStep {
        let clock = |layer: LayerIndex| layers.get(usize::from(layer.0))?.clock();
        let clock_rate = self.terms.clock_rate;
        let before = self.layer().and_then(clock);
        let offset = before.zip(clock(next)).map(|(old, new)| old.ticks_ahead_of(new, clock_rate));
        ClockStep { offset, clock_rate }
    }

    /// Sends a sender report if one is due and the publisher has told its clock.
    ///
    /// The report carries the publisher's own wall clock, moved on by the time since its report
    /// came: both tracks of a stream share it, so lip sync survives (RFC 3550 §6.4.1).
    pub(crate) fn report(&mut self, now: Instant, path: &mut SendPath<'_>, layers: &[Track]) {
        let is_due =
            self.reported.is_none_or(|at| now.duration_since(at) >= SENDER_REPORT_INTERVAL);
        let layer = self.layer().and_then(|layer| layers.get(usize::from(layer.0)));
        let clock = layer.and_then(Track::clock);
        let (Some(clock), Some(mapping), true) = (clock, self.forwarder.mapping(), is_due) else {
            return;
        };
        self.reported = Some(now);
        let elapsed = now.saturating_duration_since(clock.arrived);
        let ticks = elapsed.as_micros() * u128::from(self.terms.clock_rate) / 1_000_000;
        let info = SenderInfo {
            ssrc: self.terms.ssrc,
            ntp: clock.ntp.wrapping_add(((elapsed.as_micros() << 32) / 1_000_000) as u64),
            rtp_timestamp: mapping.timestamp(clock.rtp_timestamp.wrapping_add(ticks as u32)),
            packet_count: self.packets,
            octet_count: self.octets,
        };
        path.send_rtcp(64, |writer| {
            writer.sender_report(&info, &[])?;
            writer.source_description(info.ssrc, CNAME)
        });
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.terms.ssrc
    }

    /// Whether its packets have transport-wide numbers.
    pub(crate) fn is_numbered(&self) -> bool {
        self.terms.extensions.transport_sequence.is_some()
    }
}

/// What a choice of layers has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerChange {
    /// What comes goes on coming.
    None,
    /// Nothing comes any more.
    Paused,
    /// More or less of the same is to come, which needs no key frame.
    Turns,
    /// This one is to come, and needs a key frame.
    Awaits(LayerIndex),
    /// The same as at the last choice.
    StillAwaits(LayerIndex),
}

/// A viewer of one publisher.
pub(crate) struct Subscriber {
    /// The publisher's place among the worker's peers.
    pub(crate) publisher: usize,
    /// Its tracks as this viewer gets them, by [`TrackKind`].
    pub(crate) tracks: [Option<SubscriberTrack>; 2],
    /// How much may be sent again.
    pub(crate) budget: RetransmissionBudget,
    /// What it wants.
    pub(crate) wish: PlayWish,
    /// What it shares with the others of its session, if its feedback tells what reaches it.
    pub(crate) line: Option<LineKey>,
    /// What reaches it by its own word, without such feedback; none while it has not said.
    pub(crate) available: Option<Bitrate>,
    /// What it is to get of video; none when nothing fits.
    pub(crate) video_pick: Option<Pick>,
}

impl Subscriber {
    /// What it is to get of a track.
    pub(crate) fn wanted_pick(&self, kind: TrackKind) -> Option<Pick> {
        match kind {
            TrackKind::Audio => Some(Pick::whole(LayerIndex(0))),
            TrackKind::Video => self.video_pick,
        }
    }

    /// What it gets of video when it plays alone.
    pub(crate) fn chosen(&self, now: Instant, source: &Publisher) -> Option<Pick> {
        let (facts, count) = self.video_facts(now, source);
        let wish = (self.wish.video, Limit::NONE);
        choose(&facts[..count], wish, self.available, self.video_pick)
    }

    /// What it takes part with when its session's bandwidth is dealt out; none without video.
    pub(crate) fn demand(&self, now: Instant, peer: PeerKey, source: &Publisher) -> Option<Demand> {
        let track = self.track(TrackKind::Video)?;
        let facts = self.video_facts(now, source);
        let mut demand = Demand::new(peer, facts, self.wish, self.video_pick);
        demand.can_probe = track.terms.rtx.is_some();
        Some(demand)
    }

    /// Takes what was chosen of video; whether another layer is to come, if only none.
    pub(crate) fn take(&mut self, chosen: Option<Pick>, source: &Publisher) -> LayerChange {
        if chosen == self.video_pick {
            return self.still_awaited(source);
        }
        self.video_pick = chosen;
        let Some(track) = self.track_mut(TrackKind::Video) else { return LayerChange::None };
        let Some(pick) = chosen else {
            track.pause();
            return LayerChange::Paused;
        };
        match track.pick() {
            // It may come back to what it still gets.
            Some(current) if current == pick => LayerChange::None,
            Some(current) if source.can_turn(current, pick) => LayerChange::Turns,
            _ => LayerChange::Awaits(pick.layer),
        }
    }

    /// Sends nothing more of the layer that it gets if that takes more than what was chosen.
    pub(crate) fn stop_larger(&mut self, now: Instant, source: &Publisher) {
        let current = self.track(TrackKind::Video).and_then(SubscriberTrack::pick);
        let (Some(current), Some(chosen)) = (current, self.video_pick) else { return };
        let (facts, count) = self.video_facts(now, source);
        let rate = |pick| rate_of(&facts[..count], pick);
        if rate(current) > rate(chosen)
            && let Some(track) = self.track_mut(TrackKind::Video)
        {
            track.pause();
        }
    }

    /// Whether it still waits for a key picture of the stream that it gets other layers of: the one
    /// that was asked for may have been lost, and what comes meanwhile does not say so.
    fn still_awaited(&self, source: &Publisher) -> LayerChange {
        let current = self.track(TrackKind::Video).and_then(SubscriberTrack::pick);
        match (current, self.video_pick) {
            (Some(current), Some(pick)) if current.layer == pick.layer => {
                match source.can_turn(current, pick) {
                    true => LayerChange::None,
                    false => LayerChange::StillAwaits(pick.layer),
                }
            }
            _ => LayerChange::None,
        }
    }

    /// The layers that it can have. To decode AV1 in spatial layers browsers need dependency
    /// descriptors (they refuse pictures of several frames without); without it has the lowest.
    fn video_facts(&self, now: Instant, source: &Publisher) -> ([LayerFacts; LAYERS_MAX], usize) {
        let (facts, count) = source.video_facts(now);
        let terms = self.track(TrackKind::Video).map(|track| &track.terms);
        let lacks = terms.is_some_and(|t| t.codec == Codec::Av1 && !t.extensions.describes());
        let is_one_stream = source.layers(TrackKind::Video).len() == 1;
        (facts, if lacks && is_one_stream { count.min(1) } else { count })
    }

    pub(crate) fn track(&self, kind: TrackKind) -> Option<&SubscriberTrack> {
        self.tracks[kind as usize].as_ref()
    }

    pub(crate) fn track_mut(&mut self, kind: TrackKind) -> Option<&mut SubscriberTrack> {
        self.tracks[kind as usize].as_mut()
    }
}
