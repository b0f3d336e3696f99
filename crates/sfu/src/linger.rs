//! Lingering: packets of a video frame that come one by one wait for the rest of it, so that each
//! viewer gets them in one send.
//!
//! What a picture waits for is its last packet, which takes all others with it at once: the cost is
//! that the earlier ones come later, by the time that was to be waited at most.

use std::time::Duration;

use odeum_types::PeerId;

use crate::Sfu;
use crate::peer::Role;

/// The longest that packets may be made to wait: more would be felt when a frame's last packet is
/// lost, and a sender that paces a frame over longer than that gains little.
pub const LINGER_MAX: Duration = Duration::from_millis(4);

impl Sfu {
    /// From now on the packets of a video frame of this publisher wait for the rest of it,
    /// `linger` at most, [`LINGER_MAX`] in any case; zero lets each batch go on as it comes. Of a
    /// peer that is gone or does not publish: nothing happens.
    pub fn set_linger(&mut self, publisher: PeerId, linger: Duration) {
        let peer = self.by_id.get(&publisher).and_then(|key| self.peers.get_mut(*key));
        if let Some(Role::Publisher(source)) = peer.map(|peer| &mut peer.role) {
            source.linger = linger.min(LINGER_MAX);
        }
    }
}
