//! The way out to one peer: where its packets are written, and with which keys they are protected.

use std::time::Instant;

use odeum_bwe::Flow;
use odeum_rtp::BufferTooSmall;
use odeum_rtp::rtcp::RtcpWriter;
use odeum_srtp::Outbound;

use crate::arena::Arena;
use crate::event::Statistics;
use crate::transport_address::AddressPair;

/// Where and with which keys a peer's packets leave.
pub(crate) struct SendPath<'a> {
    /// Where packets are written.
    pub(crate) arena: &'a mut Arena,
    /// The peer's keys.
    pub(crate) outbound: &'a mut Outbound,
    /// The peer's address, and ours.
    pub(crate) destination: AddressPair,
    /// When they leave.
    pub(crate) now: Instant,
    /// What is sent to the peer, if its feedback tells what of it arrives.
    pub(crate) flow: Option<&'a mut Flow>,
    /// The worker's counters.
    pub(crate) statistics: &'a mut Statistics,
}

impl SendPath<'_> {
    /// Sends the RTCP that `write` makes in at most `bytes_max` bytes; nothing if it makes nothing.
    pub(crate) fn send_rtcp(
        &mut self,
        bytes_max: usize,
        write: impl FnOnce(&mut RtcpWriter<'_>) -> Result<(), BufferTooSmall>,
    ) {
        let overhead = self.outbound.profile().rtcp_overhead_bytes();
        let Ok(room) = self.arena.room(bytes_max + overhead) else {
            self.statistics.dropped_queue_full += 1;
            return;
        };
        let mut writer = RtcpWriter::new(&mut room[..bytes_max]);
        // What does not fit is left out whole; what was written before it is sound.
        let is_complete = write(&mut writer).is_ok();
        debug_assert!(is_complete, "callers ask for enough room");
        let length = writer.size();
        if length == 0 {
            return;
        }
        let total = length + overhead;
        // Only the end of the index space refuses, after 2^31 packets; then nothing may be sent.
        if self.outbound.protect_rtcp(&mut room[..total]).is_ok() {
            self.arena.commit(self.destination, total);
        }
    }
}
