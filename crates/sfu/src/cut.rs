//! Cutting what a publisher sends, at the word of whoever owns the media plane.

use std::time::Instant;

use odeum_types::PeerId;

use crate::Sfu;
use crate::forwarder::LayerIndex;
use crate::key_frames::Asked;
use crate::peer::Role;
use crate::track::TrackKind;

/// Which tracks of a publisher do not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CutTracks {
    /// Its audio.
    pub audio: bool,
    /// Its video.
    pub video: bool,
}

impl Sfu {
    /// Lets nothing more of these tracks of a publisher go on, and everything of the others, from
    /// the next packet on. Its viewers see no gap; video goes on again with a key frame, which is
    /// asked for. Of a peer that is gone or does not publish: nothing happens.
    pub fn cut(&mut self, now: Instant, peer: PeerId, cut: CutTracks) {
        self.now = now;
        let Some(&key) = self.by_id.get(&peer) else { return };
        self.contained(key, |sfu| {
            let Some(peer) = sfu.peers.get_mut(key) else { return Ok(()) };
            let Role::Publisher(publisher) = &mut peer.role else { return Ok(()) };
            if publisher.set_cut(cut) {
                let layers = publisher.layers(TrackKind::Video).len();
                for layer in (0..).take(layers).map(LayerIndex) {
                    sfu.ask_for_key_frame(now, key, Some(layer), Asked::ByJoining);
                }
            }
            Ok(())
        });
    }
}
