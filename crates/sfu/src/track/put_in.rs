//! Where a publisher leaves the parameter sets of its key frames out, they are put in.

use std::time::Instant;

use odeum_rtp::Marker;
use odeum_rtp::codec::begins_random_access;

use super::Track;
use super::arrived::Arrived;
use crate::forwarder::FrameStart;
use crate::ring::ForwardedExtensions;

impl Track {
    /// Puts the parameter sets before `packet` if it begins a key frame without. `gated` is its
    /// number when nothing was put in. The packet may have another number behind.
    pub(super) fn put_sets_before(&mut self, now: Instant, gated: u64, packet: &mut Arrived<'_>) {
        let Some(mut sets) = self.sets.take() else { return };
        sets.learn(Some(packet.sequence), packet.payload);
        let codec = self.terms.format.codec();
        // Who describes its frames is a browser, which has them in band; and what is put in would
        // have no description.
        if packet.descriptor.is_none() && begins_random_access(codec, packet.payload) {
            let carried = sets.carried(&self.ring, packet.sequence, packet.payload);
            let is_newest = packet.sequence == self.newest;
            let may_put_in = is_newest && sets.is_due(now, packet.timestamp);
            match (may_put_in, sets.missing(carried)) {
                (_, []) => {}
                (true, payloads) => {
                    for payload in payloads {
                        // Is there no room, viewers ask for it as for any other.
                        self.store(now, &Arrived { payload, ..before(packet) });
                        packet.sequence += 1;
                    }
                    let count = payloads.len() as u64;
                    self.newest = packet.sequence;
                    sets.raise(gated, count);
                    sets.put_in(now, packet.timestamp);
                }
                // What follows has its numbers already, or they were put in just now: nobody can
                // begin with it.
                (false, _) => packet.frame = FrameStart::Other,
            }
        }
        self.sets = Some(sets);
    }
}

/// What is put in before `packet`, but for its payload: of the same time, in its place.
fn before<'a>(packet: &Arrived<'_>) -> Arrived<'a> {
    Arrived {
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        frame: FrameStart::Decodable,
        marker: Marker::Clear,
        extensions: ForwardedExtensions::default(),
        descriptor: None,
        redundancy_bytes: None,
        payload: &[],
    }
}
