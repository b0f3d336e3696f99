//! The fan-out: what publishers sent, to all their subscribers, and what subscribers say back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use odeum_rtp::rtcp::{self, RtcpPacket};
use odeum_types::{Bitrate, prefetch};

use crate::event::CloseReason;
use crate::forwarder::LayerIndex;
use crate::key_frames::Asked;
use crate::peer::Role;
use crate::publisher::Publisher;
use crate::repairs::Repairs;
use crate::send_path::SendPath;
use crate::subscriber::{Forwarded, Subscriber, SubscriberTrack};
use crate::track::TrackKind;
use crate::{PeerKey, Sfu};

/// Whether a packet has to be handed to subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It waits in its track.
    ToForward,
    /// As before, and it may wait for the rest of its frame.
    MayLinger,
    /// It was a duplicate, padding or nothing of ours.
    Ignored,
}

/// Publishers whose packets wait for their subscribers.
#[derive(Default)]
pub(crate) struct FanOut {
    /// In the order of arrival, each once.
    publishers: VecDeque<PeerKey>,
    /// How many subscribers of the first one have its packets already.
    served: usize,
    /// Publishers whose packets may wait for more, and until when; the earliest first, each once.
    held: VecDeque<(Instant, PeerKey)>,
}

impl FanOut {
    pub(crate) fn add(&mut self, publisher: PeerKey) {
        // The last one is the usual case: a batch holds runs of one publisher.
        if self.publishers.back() != Some(&publisher) && !self.publishers.contains(&publisher) {
            self.publishers.push_back(publisher);
        }
    }

    /// Looks after a publisher's packets at `until`; before that more may join them.
    fn hold(&mut self, until: Instant, publisher: PeerKey) {
        let at = self.held.iter().rposition(|(other, _)| *other <= until).map_or(0, |at| at + 1);
        self.held.insert(at, (until, publisher));
    }

    /// When packets have waited long enough.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.held.front().map(|(until, _)| *until)
    }

    /// A viewer has gone from its place; those behind it have moved up by one.
    pub(crate) fn viewer_removed(&mut self, publisher: PeerKey, at: usize) {
        if self.publishers.front() == Some(&publisher) && at < self.served {
            self.served -= 1;
        }
    }

    pub(crate) fn remove(&mut self, publisher: PeerKey) {
        if self.publishers.front() == Some(&publisher) {
            self.served = 0;
        }
        self.publishers.retain(|other| *other != publisher);
        self.held.retain(|(_, other)| *other != publisher);
    }
}

impl Sfu {
    /// A publisher's packet has arrived.
    pub(crate) fn arrived(&mut self, key: PeerKey, arrival: Arrival) {
        match arrival {
            Arrival::ToForward => self.fan_out.add(key),
            Arrival::MayLinger => {
                let Role::Publisher(publisher) = &mut self.peers[key].role else { return };
                // One that is held already is looked after earlier than this packet asks for.
                if !std::mem::replace(&mut publisher.is_held, true) {
                    self.fan_out.hold(self.now + publisher.linger, key);
                }
            }
            Arrival::Ignored => {}
        }
    }

    /// Lets packets go that have waited for the rest of their frame long enough.
    pub(crate) fn release_held(&mut self, now: Instant) {
        while let Some((until, key)) = self.fan_out.held.front().copied()
            && until <= now
        {
            self.fan_out.held.pop_front();
            let Some(Role::Publisher(publisher)) = self.peers.get_mut(key).map(|p| &mut p.role)
            else {
                continue;
            };
            publisher.is_held = false;
            if publisher.has_pending() {
                self.fan_out.add(key);
            }
        }
    }

    /// Writes waiting packets into the arena until that is full or nothing waits.
    pub(crate) fn fan_out(&mut self) {
        while let Some(&key) = self.fan_out.publishers.front() {
            if self.fan_out.served == 0 {
                self.begin_round(key);
            }
            while let Some(viewer) = self.viewer(key, self.fan_out.served) {
                if self.arena.is_due() {
                    return;
                }
                self.prefetch_behind(key, self.fan_out.served);
                self.fan_out.served += 1;
                self.serve(key, viewer);
            }
            self.fan_out.served = 0;
            let is_done = match self.peers.get_mut(key).map(|peer| &mut peer.role) {
                Some(Role::Publisher(publisher)) => publisher.end_fan_out(),
                _ => true,
            };
            // One that broke down meanwhile has taken itself off.
            if is_done && self.fan_out.publishers.front() == Some(&key) {
                self.fan_out.publishers.pop_front();
            }
        }
    }

    /// Brings the memory of the viewers behind `at` near while that one is served: what a viewer
    /// has lies where nobody looked since its last packet, and to wait for it would cost more than
    /// to forward. Three steps, each a viewer further on: the addresses of a step are found in what
    /// the one before has brought.
    fn prefetch_behind(&self, publisher: PeerKey, at: usize) {
        let Some(peer) = self.peers.get(publisher) else { return };
        let Role::Publisher(publisher) = &peer.role else { return };
        let viewers = publisher.viewers();
        let peer = |behind: usize| self.peers.get(*viewers.get(at + behind)?);
        if let Some(peer) = peer(3) {
            prefetch(&**peer);
        }
        if let Some(peer) = peer(2) {
            peer.prefetch_parts();
        }
        if let Some(peer) = peer(1) {
            peer.prefetch_tables();
        }
    }

    /// Fixes the packets of a round and asks at once for those that a batch showed to be missing.
    fn begin_round(&mut self, key: PeerKey) {
        self.contained(key, |sfu| {
            let Some(peer) = sfu.peers.get_mut(key) else { return Ok(()) };
            #[cfg(test)]
            assert!(!peer.panics_next, "injected");
            if let Role::Publisher(publisher) = &mut peer.role {
                publisher.begin_fan_out();
            }
            let sending = peer.sending(sfu.now, &mut sfu.arena, &mut sfu.statistics);
            if let Some((mut path, Role::Publisher(publisher))) = sending {
                publisher.send_nacks(sfu.now, &mut path);
            }
            Ok(())
        });
    }

    pub(crate) fn viewer(&self, publisher: PeerKey, at: usize) -> Option<PeerKey> {
        match &self.peers.get(publisher)?.role {
            Role::Publisher(publisher) => publisher.viewers().get(at).copied(),
            Role::Subscriber(_) => None,
        }
    }

    /// Gives one subscriber the packets of this round.
    fn serve(&mut self, publisher_key: PeerKey, key: PeerKey) {
        let mark = self.arena.mark();
        let served = catch_unwind(AssertUnwindSafe(|| self.serve_unguarded(publisher_key, key)));
        match served {
            Ok(Forwarded::AwaitsKeyFrame) => {
                let layer = match self.peers.get(key).map(|peer| &peer.role) {
                    Some(Role::Subscriber(subscriber)) => {
                        subscriber.video_pick.map(|pick| pick.layer)
                    }
                    _ => None,
                };
                self.ask_for_key_frame(self.now, publisher_key, layer, Asked::ByLoss);
            }
            Ok(Forwarded::Sent | Forwarded::LeftOut) => {}
            Err(_) => {
                self.arena.rewind(mark);
                self.statistics.panics += 1;
                self.drop_peer(key, CloseReason::Panicked);
            }
        }
    }

    fn serve_unguarded(&mut self, publisher_key: PeerKey, key: PeerKey) -> Forwarded {
        let Some((publisher, viewer)) = self.peers.get2_mut(publisher_key, key) else {
            return Forwarded::LeftOut;
        };
        #[cfg(test)]
        assert!(!viewer.panics_next, "injected");
        let Role::Publisher(publisher) = &publisher.role else { return Forwarded::LeftOut };
        let now = self.now;
        let sending = viewer.sending(self.now, &mut self.arena, &mut self.statistics);
        let Some((mut path, Role::Subscriber(subscriber))) = sending else {
            return Forwarded::LeftOut;
        };
        // Tracks outside, packets inside: packets of one size lie together.
        let audio = forward_track(now, &mut path, publisher, subscriber, TrackKind::Audio);
        let video = forward_track(now, &mut path, publisher, subscriber, TrackKind::Video);
        match (audio, video) {
            (Forwarded::AwaitsKeyFrame, _) | (_, Forwarded::AwaitsKeyFrame) => {
                Forwarded::AwaitsKeyFrame
            }
            _ => Forwarded::Sent,
        }
    }

    /// Asks a publisher for a key frame of a layer of its video, as soon as that layer's interval
    /// allows; for none when nothing is to be sent.
    pub(crate) fn ask_for_key_frame(
        &mut self,
        now: Instant,
        publisher: PeerKey,
        layer: Option<LayerIndex>,
        asked: Asked,
    ) {
        let Some(layer) = layer else { return };
        let Some(peer) = self.peers.get_mut(publisher) else { return };
        let interval = self.config.key_frame_interval;
        if let Role::Publisher(source) = &mut peer.role {
            source.want_key_frame(now, interval, layer, asked);
        }
        if peer.is_mirror() {
            return self.ask_home_for_key_frames(now, publisher);
        }
        let sending = peer.sending(self.now, &mut self.arena, &mut self.statistics);
        if let Some((mut path, Role::Publisher(source))) = sending {
            source.send_key_frame_requests(now, interval, &mut path);
        }
    }

    /// What a subscriber reports and asks for.
    pub(crate) fn handle_viewer_rtcp(
        &mut self,
        now: Instant,
        key: PeerKey,
        publisher_key: PeerKey,
        compound: &[u8],
    ) {
        let Some((publisher, viewer)) = self.peers.get2_mut(publisher_key, key) else { return };
        let Role::Publisher(publisher) = &publisher.role else { return };
        let sending = viewer.sending(self.now, &mut self.arena, &mut self.statistics);
        let Some((mut path, Role::Subscriber(subscriber))) = sending else { return };
        let (mut wants_key_frame, mut is_told, mut told) = (false, false, None);
        // What follows a malformed packet cannot be framed; what came before it counts.
        for packet in rtcp::packets(compound).map_while(Result::ok) {
            match packet {
                RtcpPacket::Nack(nack) => {
                    let line = subscriber.line.and_then(|line| self.lines.get_mut(line));
                    let line = line.filter(|line| line.is_settled());
                    let repairs = line.map(|line| line.repairs_at(now));
                    answer_nack(now, &mut path, publisher, subscriber, (&nack, repairs));
                }
                RtcpPacket::PictureLossIndication(_) | RtcpPacket::FullIntraRequest(_) => {
                    path.statistics.key_frame_requests_received += 1;
                    wants_key_frame = true;
                }
                RtcpPacket::TransportFeedback(feedback) => {
                    let line = subscriber.line.and_then(|line| self.lines.get_mut(line));
                    if let (Some(line), Some(flow)) = (line, &mut path.flow) {
                        line.estimator.handle_feedback(now, flow, &feedback);
                        is_told = true;
                    }
                }
                RtcpPacket::ReceiverEstimate(estimate) => {
                    told = Some(Bitrate::from_bits_per_second(estimate.bits_per_second));
                }
                // The rest says nothing to a sender.
                RtcpPacket::SenderReport(_)
                | RtcpPacket::ReceiverReport(_)
                | RtcpPacket::SourceDescription(_)
                | RtcpPacket::Goodbye(_)
                | RtcpPacket::Other { .. } => {}
            }
        }
        // What it cannot decode is what it gets now; the layer it waits for is asked for anyhow.
        let layer = subscriber.track(TrackKind::Video).and_then(SubscriberTrack::layer);
        let layer = layer.or(subscriber.video_pick.map(|pick| pick.layer));
        if is_told {
            self.adapt(now, key);
        }
        if let Some(told) = told {
            self.take_receiver_estimate(now, key, told);
        }
        if wants_key_frame {
            self.ask_for_key_frame(now, publisher_key, layer, Asked::ByLoss);
        }
    }
}

fn forward_track(
    now: Instant,
    path: &mut SendPath<'_>,
    publisher: &Publisher,
    subscriber: &mut Subscriber,
    kind: TrackKind,
) -> Forwarded {
    let layers = publisher.layers(kind);
    let wanted = subscriber.wanted_pick(kind);
    let Some(target) = subscriber.track_mut(kind) else { return Forwarded::LeftOut };
    // The layer that it gets goes before the one that it waits for, so that nothing of the old one
    // is left behind when the new one begins.
    let current = target.layer();
    let in_order = (0..).take(layers.len()).map(LayerIndex);
    let next = wanted.map(|pick| pick.layer);
    let others = in_order.filter(|layer| Some(*layer) != current && Some(*layer) != next);
    let waited_for = next.filter(|layer| Some(*layer) != current);
    let mut outcome = Forwarded::Sent;
    for layer in current.into_iter().chain(others).chain(waited_for) {
        let Some(source) = layers.get(usize::from(layer.0)) else { continue };
        // What the last packet met counts: a key frame behind the others leaves nothing to ask for.
        for sequence in source.round() {
            // A ring smaller than a batch may have lost it again.
            let Some(packet) = source.ring().get(*sequence) else { continue };
            outcome = target.forward(now, path, wanted, (layers, layer), packet);
            if outcome == Forwarded::AwaitsKeyFrame {
                path.statistics.rtp_held_for_key_frame += 1;
            }
        }
    }
    outcome
}

fn answer_nack(
    now: Instant,
    path: &mut SendPath<'_>,
    publisher: &Publisher,
    subscriber: &mut Subscriber,
    (nack, mut repairs): (&rtcp::Nack<'_>, Option<&mut Repairs>),
) {
    let kind = [TrackKind::Audio, TrackKind::Video]
        .into_iter()
        .find(|kind| subscriber.track(*kind).is_some_and(|track| track.ssrc() == nack.media_ssrc));
    let Some(kind) = kind else { return };
    let layers = publisher.layers(kind);
    for sequence in nack.sequence_numbers() {
        // Sound goes first.
        let fits = kind == TrackKind::Audio || repairs.as_ref().is_none_or(|it| it.may_send());
        if !fits || !subscriber.budget.take(now) {
            path.statistics.retransmission_refused += 1;
            continue;
        }
        let target = subscriber.track_mut(kind);
        let sent = target.and_then(|target| target.retransmit(path, layers, sequence));
        if let (Some(repairs), Some(bytes)) = (&mut repairs, sent) {
            repairs.note(bytes);
        }
    }
}
