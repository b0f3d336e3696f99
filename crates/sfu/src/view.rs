//! What viewers see: which layer each is to get, chosen anew when it wants something else, when
//! something else reaches it, and while the layers themselves change.

use std::time::Instant;

use odeum_types::PeerId;

use crate::layer_choice::VideoWish;
use crate::peer::Role;
use crate::publisher::Asked;
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
        let is_simulcast = match self.peers.get(publisher).map(|peer| &peer.role) {
            Some(Role::Publisher(publisher)) => publisher.layers(TrackKind::Video).len() > 1,
            _ => false,
        };
        let mut at = 0;
        while let Some(viewer) = self.viewer(publisher, at).filter(|_| is_simulcast) {
            self.choose_layer(now, viewer);
            at += 1;
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
        let layer = subscriber.choose_layer(now, source);
        self.ask_for_key_frame(now, publisher_key, layer, Asked::ByJoining);
    }
}
