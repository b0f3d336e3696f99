//! What viewers see: which layer each is to get, chosen anew when it wants something else, when
//! something else reaches it, and while the layers themselves change.

use std::time::Instant;

use odeum_types::{Bitrate, LayerSet, PeerId};

use crate::deal::{Demand, NextStep, deal};
use crate::event::SfuEvent;
use crate::forwarder::Pick;
use crate::key_frames::Asked;
use crate::layer_choice::{Limit, VideoWish, choose};
use crate::line::{Line, LineKey};
use crate::peer::Role;
use crate::publisher::Publisher;
use crate::subscriber::{LayerChange, Subscriber, SubscriberTrack};
use crate::track::TrackKind;
use crate::wish::PlayWish;
use crate::{PeerKey, Sfu};

/// What headers of sound take: about 40 bytes each 20 ms, which are much beside its payload.
const SOUND_HEADERS: Bitrate = Bitrate::from_kilobits_per_second(16);

/// What becomes of the layer that a viewer gets while the smaller one that it is to get has no key
/// frame yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LargerLayer {
    /// It goes on, so that the picture does not stand still.
    GoesOn,
    /// It stops, so that the queue empties that sound waits in.
    Stops,
}

/// The smallest layer of all.
const SMALLEST: (VideoWish, Limit) = (VideoWish::Smallest, Limit::NONE);

impl Sfu {
    /// What a subscriber wants of its stream, from now on. Of a peer that is gone or does not play:
    /// nothing happens.
    pub fn set_wish(&mut self, now: Instant, peer: PeerId, wish: PlayWish) {
        self.now = now;
        let Some(&key) = self.by_id.get(&peer) else { return };
        self.contained(key, |sfu| {
            if let Role::Subscriber(subscriber) = &mut sfu.peers[key].role {
                subscriber.wish = wish;
                sfu.choose_anew(now, key);
            }
            Ok(())
        });
    }

    /// Chooses again for all viewers of a publisher, if there is anything to choose between.
    pub(crate) fn choose_layers(&mut self, now: Instant, publisher: PeerKey) {
        let is_layered = match self.peers.get(publisher).map(|peer| &peer.role) {
            Some(Role::Publisher(publisher)) => publisher.is_layered(),
            _ => false,
        };
        let mut at = 0;
        while let Some(viewer) = self.viewer(publisher, at).filter(|_| is_layered) {
            self.choose_layer(now, viewer);
            at += 1;
        }
    }

    /// Looks which layers of a publisher anybody watches. All of them are taken to be when they
    /// cross to other workers.
    pub(crate) fn watch_layers(&mut self, now: Instant, key: PeerKey) {
        let Some(Role::Publisher(source)) = self.peers.get(key).map(|peer| &peer.role) else {
            return;
        };
        if source.layer_watch.is_none() {
            return;
        }
        let (facts, count) = source.video_facts(now);
        let count = u8::try_from(count).unwrap_or(u8::MAX);
        // Until all layers have been seen none rests: browsers begin with the smallest, and send
        // the next one only once the one before has shown that there is room.
        let is_new = facts[..count.into()].iter().any(|facts| facts.rate.is_none());
        let mut watched = match source.is_relayed || is_new {
            true => LayerSet::all(count),
            false => LayerSet::none(count),
        };
        // The smallest is sent for whoever comes next.
        if let Some(pick) = choose(&facts[..count.into()], SMALLEST, None, None) {
            watched.insert(pick.layer.0);
        }
        for viewer in source.viewers() {
            let Some(viewer) = self.peers.get(*viewer) else { continue };
            let Role::Subscriber(subscriber) = &viewer.role else { continue };
            let current = subscriber.track(TrackKind::Video).and_then(SubscriberTrack::pick);
            for pick in [current, subscriber.video_pick].into_iter().flatten() {
                watched.insert(pick.layer.0);
            }
        }
        let peer = &mut self.peers[key];
        let Role::Publisher(source) = &mut peer.role else { return };
        let wanted = source.layer_watch.as_mut().and_then(|watch| watch.update(now, watched));
        if let Some(layers) = wanted {
            self.events.push_back(SfuEvent::LayersWanted { publisher: peer.id, layers });
        }
    }

    /// A viewer without transport-wide feedback says itself what reaches it.
    pub(crate) fn take_receiver_estimate(&mut self, now: Instant, key: PeerKey, told: Bitrate) {
        let Role::Subscriber(subscriber) = &mut self.peers[key].role else { return };
        if subscriber.line.is_none() {
            subscriber.available = Some(told);
            self.choose_layer(now, key);
        }
    }

    /// Deals out what reaches the session of a peer that plays, if that is due.
    pub(crate) fn adapt(&mut self, now: Instant, key: PeerKey) {
        if let Some(line) = self.line_of(key)
            && self.lines.get(line).is_some_and(|line| line.is_due(now))
        {
            self.deal(now, line);
        }
    }

    /// Chooses for a peer that plays, at once: with the others of its session, if anything is known
    /// of what reaches that, else for itself.
    pub(crate) fn choose_anew(&mut self, now: Instant, key: PeerKey) {
        match self.settled_line_of(key) {
            Some(line) => self.deal(now, line),
            None => self.choose_alone(now, key),
        }
    }

    /// The same, if it is due.
    fn choose_layer(&mut self, now: Instant, key: PeerKey) {
        match self.settled_line_of(key) {
            Some(_) => self.adapt(now, key),
            None => self.choose_alone(now, key),
        }
    }

    fn choose_alone(&mut self, now: Instant, key: PeerKey) {
        let Some((source, subscriber)) = self.played(key) else { return };
        let chosen = subscriber.chosen(now, source);
        self.give(now, key, chosen, LargerLayer::GoesOn);
    }

    /// Deals out what reaches a session, sound first, and tries whether there is room for more if
    /// more is wanted.
    fn deal(&mut self, now: Instant, line_key: LineKey) {
        let Some(line) = self.lines.get(line_key) else { return };
        let Some(budget) = line.budget(now) else { return };
        self.statistics.bandwidth_deals += 1;
        let again = line.again(now);
        let larger = match line.estimator.is_draining(now) {
            true => LargerLayer::Stops,
            false => LargerLayer::GoesOn,
        };
        let mut demands = std::mem::take(&mut self.lines.demands);
        let sound = self.gather(now, line_key, &mut demands);
        let first = sound.plus(again);
        let (used, next) = deal(&mut demands, budget.minus(first));
        if let Some(line) = self.lines.get_mut(line_key) {
            line.note_deal(now, used.plus(sound));
        }
        for demand in &demands {
            self.give(now, demand.peer, demand.granted, larger);
        }
        demands.clear();
        self.lines.demands = demands;
        if let Some(next) = next {
            let step = NextStep {
                needed: next.needed.plus(first),
                wanted: next.wanted.plus(first),
                ..next
            };
            self.probe(now, line_key, step);
        }
    }

    /// The videos that a session plays, of peers that are connected; gives what their sound takes.
    fn gather(&mut self, now: Instant, line_key: LineKey, demands: &mut Vec<Demand>) -> Bitrate {
        let mut sound = Bitrate::default();
        let mut at = 0;
        while let Some(key) = self.lines.get(line_key).and_then(|line| line.member(at)) {
            at += 1;
            let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.is_connected()) else {
                continue;
            };
            let flow = peer.transport.as_mut().and_then(|transport| transport.flow.as_mut());
            if let (Some(line), Some(flow)) = (self.lines.get_mut(line_key), flow) {
                line.estimator.forget_silent(now, flow);
            }
            let Some((source, subscriber)) = self.played(key) else { continue };
            let audio = source.audio_rate(now);
            if audio > Bitrate::default() {
                sound = sound.plus(audio).plus(SOUND_HEADERS);
            }
            demands.extend(subscriber.demand(now, key, source));
        }
        sound
    }

    fn probe(&mut self, now: Instant, line_key: LineKey, step: NextStep) {
        let Role::Subscriber(subscriber) = &self.peers[step.peer].role else { return };
        let Some((publisher, viewer)) = self.peers.get2_mut(subscriber.publisher, step.peer) else {
            return;
        };
        let Role::Publisher(source) = &publisher.role else { return };
        let sending = viewer.sending(now, &mut self.arena, &mut self.statistics);
        let Some((mut path, Role::Subscriber(subscriber))) = sending else { return };
        let (Some(line), Some(flow)) = (self.lines.get_mut(line_key), &mut path.flow) else {
            return;
        };
        let burst = line.estimator.poll_probe(now, flow, step.needed, step.wanted);
        if let (Some(burst), Some(track)) = (burst, subscriber.track_mut(TrackKind::Video)) {
            track.probe(&mut path, source.layers(TrackKind::Video), burst);
        }
    }

    /// Lets a peer that plays have `chosen` of its video from now on.
    fn give(&mut self, now: Instant, key: PeerKey, chosen: Option<Pick>, larger: LargerLayer) {
        let Some((source, subscriber)) = self.played(key) else { return };
        let publisher_key = subscriber.publisher;
        let change = subscriber.take(chosen, source);
        let awaits = matches!(change, LayerChange::Awaits(_) | LayerChange::StillAwaits(_));
        if awaits && larger == LargerLayer::Stops {
            subscriber.stop_larger(now, source);
        }
        match change {
            LayerChange::None => {}
            LayerChange::Paused | LayerChange::Turns => self.statistics.layer_changes += 1,
            LayerChange::Awaits(layer) => {
                self.statistics.layer_changes += 1;
                self.ask_for_key_frame(now, publisher_key, Some(layer), Asked::ByJoining);
            }
            LayerChange::StillAwaits(layer) => {
                self.ask_for_key_frame(now, publisher_key, Some(layer), Asked::ByLoss);
            }
        }
    }

    /// What a peer plays, and the peer as its subscriber.
    fn played(&mut self, key: PeerKey) -> Option<(&Publisher, &mut Subscriber)> {
        let Role::Subscriber(subscriber) = &self.peers.get(key)?.role else { return None };
        let (publisher, viewer) = self.peers.get2_mut(subscriber.publisher, key)?;
        match (&publisher.role, &mut viewer.role) {
            (Role::Publisher(source), Role::Subscriber(subscriber)) => Some((source, subscriber)),
            _ => None,
        }
    }

    fn line_of(&self, key: PeerKey) -> Option<LineKey> {
        match &self.peers.get(key)?.role {
            Role::Subscriber(subscriber) => subscriber.line,
            Role::Publisher(_) => None,
        }
    }

    fn settled_line_of(&self, key: PeerKey) -> Option<LineKey> {
        let is_settled = |line: &LineKey| self.lines.get(*line).is_some_and(Line::is_settled);
        self.line_of(key).filter(is_settled)
    }
}
