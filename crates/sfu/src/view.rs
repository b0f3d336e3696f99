//! What viewers see: which layer each is to get, chosen anew when it wants something else, when
//! something else reaches it, and while the layers themselves change.

use std::time::Instant;

use odeum_types::{Bitrate, LayerSet, PeerId};

use crate::event::SfuEvent;
use crate::key_frames::Asked;
use crate::layer_choice::{VideoWish, choose};
use crate::peer::Role;
use crate::subscriber::{LayerChange, SubscriberTrack};
use crate::track::TrackKind;
use crate::{PeerKey, Sfu};

impl Sfu {
    /// What a subscriber wants to see of its video, from now on. Of a peer that is gone or does not
    /// play: nothing happens.
    pub fn set_video_wish(&mut self, now: Instant, peer: PeerId, wish: VideoWish) {
        self.now = now;
        let Some(&key) = self.by_id.get(&peer) else { return };
        self.contained(key, |sfu| {
            if let Role::Subscriber(subscriber) = &mut sfu.peers[key].role {
                subscriber.wish = wish;
                sfu.choose_layer(now, key);
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
        if let Some(pick) = choose(&facts[..count.into()], VideoWish::Smallest, None, None) {
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
        let peer = &mut self.peers[key];
        let estimates = peer.transport.as_ref().is_some_and(|t| t.estimator.is_some());
        if let (false, Role::Subscriber(subscriber)) = (estimates, &mut peer.role) {
            subscriber.available = Some(told);
            self.choose_layer(now, key);
        }
    }

    /// Takes what the estimator says now of what reaches a viewer, sound first, and tries whether
    /// there is room for more if more is wanted.
    pub(crate) fn adapt(&mut self, now: Instant, key: PeerKey) {
        let peer = &mut self.peers[key];
        let Role::Subscriber(subscriber) = &mut peer.role else { return };
        let estimator = peer.transport.as_ref().and_then(|transport| transport.estimator.as_ref());
        let Some(estimator) = estimator.filter(|estimator| estimator.is_settled()) else { return };
        let estimate = estimator.estimate();
        let publisher_key = subscriber.publisher;
        let Some((publisher, viewer)) = self.peers.get2_mut(publisher_key, key) else { return };
        let (Role::Publisher(source), Role::Subscriber(subscriber)) =
            (&publisher.role, &mut viewer.role)
        else {
            return;
        };
        let audio = source.audio_rate(now);
        subscriber.available = Some(estimate.minus(audio));
        let wanted = subscriber.wanted_rate(now, source).map(|rate| rate.plus(audio));
        self.choose_layer(now, key);
        if let Some(wanted) = wanted {
            self.probe(now, key, publisher_key, wanted);
        }
    }

    fn probe(&mut self, now: Instant, key: PeerKey, publisher_key: PeerKey, wanted: Bitrate) {
        let Some((publisher, viewer)) = self.peers.get2_mut(publisher_key, key) else { return };
        let Role::Publisher(source) = &publisher.role else { return };
        let sending = viewer.sending(now, &mut self.arena, &mut self.statistics);
        let Some((mut path, Role::Subscriber(subscriber))) = sending else { return };
        let Some(estimator) = &mut path.estimator else { return };
        let Some(burst) = estimator.poll_probe(now, wanted) else { return };
        if let Some(track) = subscriber.track_mut(TrackKind::Video) {
            track.probe(&mut path, source.layers(TrackKind::Video), burst);
        }
    }

    fn choose_layer(&mut self, now: Instant, key: PeerKey) {
        let Role::Subscriber(subscriber) = &self.peers[key].role else { return };
        let publisher_key = subscriber.publisher;
        let Some((publisher, viewer)) = self.peers.get2_mut(publisher_key, key) else { return };
        let (Role::Publisher(source), Role::Subscriber(subscriber)) =
            (&publisher.role, &mut viewer.role)
        else {
            return;
        };
        match subscriber.choose_layer(now, source) {
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
}
