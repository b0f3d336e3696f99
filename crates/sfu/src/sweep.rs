//! Time: one sweep every 50 ms over publishers and unfinished handshakes, and over a slice of the
//! subscribers, so that thousands of peers need no timer each.

use std::time::{Duration, Instant};

use crate::config::{GOODBYE_SILENCE, LAYER_CHOICE_SWEEPS, SUBSCRIBER_SLICES, SWEEP_INTERVAL};
use crate::event::CloseReason;
use crate::peer::Role;
use crate::track::TrackKind;
use crate::{PeerKey, Sfu, sender};

impl Sfu {
    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.release_held(now);
        self.sweep_questions(now);
        if self.peers.is_empty() || now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP_INTERVAL;
        self.sweeps = self.sweeps.wrapping_add(1);
        // From the back: a peer that is dropped takes itself and perhaps others off the list.
        for at in (0..self.connecting.len()).rev() {
            if let Some(&key) = self.connecting.get(at) {
                self.contained(key, |sfu| sfu.sweep_connecting(now, key));
            }
        }
        for at in (0..self.publishers.len()).rev() {
            if let Some(&key) = self.publishers.get(at) {
                self.contained(key, |sfu| sfu.sweep_publisher(now, key));
            }
        }
        let slice = self.sweeps % SUBSCRIBER_SLICES;
        for key in (slice..self.peers.capacity()).step_by(SUBSCRIBER_SLICES) {
            let is_viewer = self.peers.get(key).is_some_and(|peer| {
                peer.is_connected() && matches!(peer.role, Role::Subscriber(_))
            });
            if is_viewer {
                self.contained(key, |sfu| sfu.sweep_subscriber(now, key));
            }
        }
    }

    /// When [`Self::handle_timeout`] is wanted; never without peers and questions to STUN servers.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sweep = (!self.peers.is_empty()).then_some(self.next_sweep);
        let others = self.fan_out.poll_timeout().into_iter().chain(self.outer.poll_timeout());
        others.chain(sweep).min()
    }

    fn sweep_connecting(&mut self, now: Instant, key: PeerKey) -> Result<(), CloseReason> {
        let Some(transport) = &mut self.peers[key].transport else { return Ok(()) };
        if now.duration_since(transport.created) >= self.config.connect_timeout {
            return Err(CloseReason::ConnectTimeout);
        }
        let Some(destination) = transport.ice.selected() else { return Ok(()) };
        let send = sender(&mut self.arena, &mut self.statistics, destination);
        transport.dtls.handle_timeout(now, send)
    }

    /// How long nothing authentic has come from a peer.
    fn silence(&self, now: Instant, key: PeerKey) -> Duration {
        now.saturating_duration_since(self.peers[key].heard)
    }

    fn sweep_publisher(&mut self, now: Instant, key: PeerKey) -> Result<(), CloseReason> {
        let has_lost_layer = match &mut self.peers[key].role {
            Role::Publisher(publisher) => publisher.take_loss_of_layer(),
            Role::Subscriber(_) => false,
        };
        if has_lost_layer || self.sweeps.is_multiple_of(LAYER_CHOICE_SWEEPS) {
            self.choose_layers(now, key);
        }
        if self.peers[key].is_mirror() {
            return self.sweep_mirror(now, key);
        }
        if !self.peers[key].is_connected() {
            return Ok(());
        }
        if self.sweeps.is_multiple_of(LAYER_CHOICE_SWEEPS) {
            self.watch_layers(now, key);
        }
        let silence = self.silence(now, key);
        if silence >= self.config.silence_timeout {
            return Err(CloseReason::Silence);
        }
        let has_said_goodbye = match &self.peers[key].role {
            Role::Publisher(publisher) => publisher.has_said_goodbye(),
            Role::Subscriber(_) => false,
        };
        if has_said_goodbye && silence >= GOODBYE_SILENCE {
            return Err(CloseReason::RemoteClosed);
        }
        let sending = self.peers[key].sending(self.now, &mut self.arena, &mut self.statistics);
        if let Some((mut path, Role::Publisher(publisher))) = sending {
            publisher.mend(now, self.config.key_frame_interval);
            publisher.send_key_frame_requests(now, self.config.key_frame_interval, &mut path);
            publisher.send_feedback(now, &mut path);
        }
        Ok(())
    }

    fn sweep_subscriber(&mut self, now: Instant, key: PeerKey) -> Result<(), CloseReason> {
        if self.silence(now, key) >= self.config.silence_timeout {
            return Err(CloseReason::Silence);
        }
        let Role::Subscriber(subscriber) = &self.peers[key].role else { return Ok(()) };
        let line = subscriber.line.and_then(|line| self.lines.get_mut(line));
        let Some((publisher, viewer)) = self.peers.get2_mut(subscriber.publisher, key) else {
            return Ok(());
        };
        let Role::Publisher(publisher) = &publisher.role else { return Ok(()) };
        let flow = viewer.transport.as_mut().and_then(|transport| transport.flow.as_mut());
        if let (Some(line), Some(flow)) = (line, flow) {
            line.estimator.handle_timeout(now, flow);
        }
        let sending = viewer.sending(self.now, &mut self.arena, &mut self.statistics);
        if let Some((mut path, Role::Subscriber(subscriber))) = sending {
            for kind in [TrackKind::Audio, TrackKind::Video] {
                if let Some(track) = subscriber.track_mut(kind) {
                    track.report(now, &mut path, publisher.layers(kind));
                }
            }
        }
        self.adapt(now, key);
        Ok(())
    }
}
