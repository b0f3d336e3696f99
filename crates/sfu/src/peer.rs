//! One peer: a WebRTC transport (ICE, DTLS, SRTP) and what it is for.

use std::time::Instant;

use odeum_srtp::UnprotectError;
use odeum_types::{PeerId, prefetch};

use crate::arena::Arena;
use crate::dtls::SrtpKeys;
use crate::event::{MediaFacts, Statistics};
use crate::publisher::Publisher;
use crate::send_path::SendPath;
use crate::subscriber::Subscriber;
use crate::transport::Transport;

/// A peer of the worker.
pub(crate) struct Peer {
    /// Its name outside.
    pub(crate) id: PeerId,
    /// What was negotiated.
    pub(crate) facts: MediaFacts,
    /// The way to its client; none for a mirror, which hears its packets from another worker.
    pub(crate) transport: Option<Transport>,
    /// When the last authentic packet came.
    pub(crate) heard: Instant,
    /// What it is for.
    pub(crate) role: Role,
    /// Makes the next packet's handling panic, to test that it is contained.
    #[cfg(test)]
    pub(crate) panics_next: bool,
}

/// What a peer is for.
pub(crate) enum Role {
    /// It sends one stream.
    Publisher(Box<Publisher>),
    /// It receives one stream.
    Subscriber(Box<Subscriber>),
}

impl Peer {
    /// Opens an RTP packet in place and gives the plain bytes; counts what it refuses.
    pub(crate) fn open_rtp<'a>(
        &mut self,
        now: Instant,
        bytes: &'a mut [u8],
        statistics: &mut Statistics,
    ) -> Option<&'a [u8]> {
        #[cfg(test)]
        assert!(!self.panics_next, "injected");
        let opened = self.srtp()?.inbound.unprotect_rtp(bytes);
        let length = self.judge(now, opened, statistics)?;
        Some(&bytes[..length])
    }

    /// The same for RTCP.
    pub(crate) fn open_rtcp<'a>(
        &mut self,
        now: Instant,
        bytes: &'a mut [u8],
        statistics: &mut Statistics,
    ) -> Option<&'a [u8]> {
        let opened = self.srtp()?.inbound.unprotect_rtcp(bytes);
        let length = self.judge(now, opened, statistics)?;
        Some(&bytes[..length])
    }

    fn judge(
        &mut self,
        now: Instant,
        opened: Result<usize, UnprotectError>,
        statistics: &mut Statistics,
    ) -> Option<usize> {
        match opened {
            Ok(length) => {
                self.heard = now;
                Some(length)
            }
            Err(UnprotectError::Replayed { .. } | UnprotectError::TooOld) => {
                statistics.srtp_replayed += 1;
                None
            }
            Err(
                UnprotectError::Malformed
                | UnprotectError::Forged
                | UnprotectError::NotEncrypted
                | UnprotectError::TooManySsrcs { .. },
            ) => {
                statistics.srtp_refused += 1;
                None
            }
        }
    }

    /// The way out to this peer, and what it is for; `None` before DTLS is done,
    /// and for a mirror.
    pub(crate) fn sending<'a>(
        &'a mut self,
        now: Instant,
        arena: &'a mut Arena,
        statistics: &'a mut Statistics,
    ) -> Option<(SendPath<'a>, &'a mut Role)> {
        let transport = self.transport.as_mut()?;
        let destination = transport.ice.selected()?;
        let outbound = &mut transport.srtp.as_mut()?.outbound;
        let flow = transport.flow.as_deref_mut();
        let path = SendPath { arena, outbound, destination, now, flow, statistics };
        Some((path, &mut self.role))
    }

    /// Brings near what sending to it needs, once the peer itself is near: keys, numbers, estimate.
    pub(crate) fn prefetch_parts(&self) {
        if let Role::Subscriber(subscriber) = &self.role {
            prefetch(&**subscriber);
        }
        let Some(transport) = &self.transport else { return };
        if let Some(srtp) = &transport.srtp {
            srtp.outbound.prefetch();
        }
        if let Some(flow) = &transport.flow {
            flow.prefetch();
        }
    }

    /// Brings near what those lead to.
    pub(crate) fn prefetch_tables(&self) {
        let Some(transport) = &self.transport else { return };
        if let Some(srtp) = &transport.srtp {
            srtp.outbound.prefetch_windows();
        }
        if let Some(flow) = &transport.flow {
            flow.prefetch_history();
        }
    }

    /// Whether it stands here for a publisher of another worker.
    pub(crate) fn is_mirror(&self) -> bool {
        self.transport.is_none()
    }

    /// Whether DTLS is done.
    pub(crate) fn is_connected(&self) -> bool {
        self.transport.as_ref().is_some_and(|transport| transport.srtp.is_some())
    }

    fn srtp(&mut self) -> Option<&mut SrtpKeys> {
        self.transport.as_mut()?.srtp.as_deref_mut()
    }
}
