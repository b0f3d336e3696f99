//! One who receives.

use std::net::UdpSocket;
use std::time::Instant;

use anyhow::bail;
use odeum_client::{CloseReason, Kind, PeerEvent, Stamp, WebRtcPeer};
use odeum_rtp::PacketKind;

use super::{Delays, bind, flush};
use crate::sys::{Datagram, ReceiveBatch, stamp_arrivals};

/// One who receives.
pub(super) struct Viewer {
    /// Its transport.
    pub(super) peer: WebRtcPeer,
    /// Its socket.
    pub(super) socket: UdpSocket,
    /// The place of whom it plays.
    pub(super) publisher: usize,
    /// Whether it decrypts and checks everything.
    is_sampled: bool,
    /// Media packets from the server, each once.
    pub(super) received: u64,
    /// Datagrams of the floor.
    pub(super) of_floor: u64,
    /// When the peer's timer is due.
    timer_at: Option<Instant>,
}

impl Viewer {
    /// One whose answer has come.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(super) fn new(
        peer: WebRtcPeer,
        publisher: usize,
        is_sampled: bool,
    ) -> anyhow::Result<Self> {
        let socket = bind()?;
        if is_sampled {
            stamp_arrivals(&socket)?;
        }
        Ok(Self {
            peer,
            socket,
            publisher,
            is_sampled,
            received: 0,
            of_floor: 0,
            timer_at: Some(Instant::now()),
        })
    }

    /// Does what is due.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn handle_timer(&mut self, now: Instant) -> anyhow::Result<()> {
        if self.timer_at.is_some_and(|at| at <= now) {
            self.peer.handle_timeout(now);
            flush(&mut self.peer, &self.socket)?;
            self.timer_at = self.peer.poll_timeout();
        }
        Ok(())
    }

    /// Takes what has come to its socket; `datagram_bytes` learns how large sound and video come.
    ///
    /// # Errors
    /// The peer closed, or what the kernel says.
    pub(super) fn receive(
        &mut self,
        batch: &mut ReceiveBatch,
        datagram_bytes: &mut [usize; 2],
        delays: &mut Delays,
    ) -> anyhow::Result<()> {
        batch.receive(&self.socket)?;
        let now = Instant::now();
        let remote = self.peer.remote();
        let mut is_media_only = true;
        for Datagram { source, waited, bytes } in batch.datagrams() {
            if remote.is_some_and(|remote| remote != source) {
                self.of_floor += 1;
                continue;
            }
            let size = bytes.len();
            if PacketKind::of(bytes) != PacketKind::Rtp {
                is_media_only = false;
                self.peer.handle_datagram(now, source, bytes);
                continue;
            }
            if !self.is_sampled {
                if let Some(kind) = self.peer.note_unopened(now, bytes) {
                    self.received += 1;
                    datagram_bytes[kind as usize] = size;
                }
                continue;
            }
            let Some(received) = self.peer.handle_datagram(now, source, bytes) else { continue };
            self.received += 1;
            if !received.is_retransmission {
                datagram_bytes[received.kind as usize] = size;
            }
            if !Stamp::is_intact(received.payload) {
                delays.altered += 1;
                continue;
            }
            if let Some(stamp) = Stamp::read(received.payload) {
                let ends_frame = received.kind == Kind::Video && received.marker;
                // What it waited for is the load's core, not the server.
                let age = stamp.age(now, delays.epoch).saturating_sub(waited);
                delays.record(age, ends_frame);
            }
        }
        if !is_media_only {
            while let Some(event) = self.peer.poll_event() {
                if let PeerEvent::Closed(reason) = event
                    && reason != CloseReason::Closed
                {
                    bail!("a viewer closed: {reason:?}");
                }
            }
            flush(&mut self.peer, &self.socket)?;
        }
        self.timer_at = self.peer.poll_timeout();
        Ok(())
    }
}
