//! Ways that are too narrow for all that comes through them: one for each session, so that what
//! reaches it is dealt out again and again.

use std::time::{Duration, Instant};

use odeum_rtp::{PacketKind, RtpPacket, TransportRecorder, TransportRecorderConfig};

use super::{ROUND, Round, Stage, VIEWERS_PER_SESSION};
use crate::counting::charge;

/// How long a packet waits at most; beyond it, it is lost.
const QUEUE_MAX: Duration = Duration::from_millis(300);

/// What is between the media plane and its viewers.
pub(crate) struct NarrowWays {
    /// Until when each session's way has something to carry.
    busy_until: Vec<Instant>,
    /// When what arrived at each viewer.
    recorders: Vec<TransportRecorder>,
}

impl NarrowWays {
    pub(crate) fn new(stage: &Stage) -> Self {
        let sessions = stage.viewers.len().div_ceil(VIEWERS_PER_SESSION as usize);
        let config = TransportRecorderConfig::default();
        let recorder = |_| TransportRecorder::new(stage.now, config);
        Self {
            busy_until: vec![stage.now; sessions],
            recorders: (0..stage.viewers.len()).map(recorder).collect(),
        }
    }

    /// Sends a round through ways of so many kbit/s, lets its time pass, and tells the media plane
    /// what arrived when.
    pub(crate) fn play(&mut self, stage: &mut Stage, round: Round, kbps: u64) {
        for (source, mut datagram) in round {
            charge(|| stage.sfu.handle_datagram(stage.now, source, &mut datagram));
        }
        self.carry(stage, kbps);
        stage.now += ROUND;
        charge(|| stage.sfu.handle_timeout(stage.now));
        self.carry(stage, kbps);
        for (viewer, recorder) in stage.viewers.iter_mut().zip(&mut self.recorders) {
            if recorder.poll_timeout().is_none_or(|at| at > stage.now) {
                continue;
            }
            let mut datagram = viewer.rtcp(|writer| {
                recorder.write_feedback(writer, 1, 2).unwrap();
            });
            charge(|| stage.sfu.handle_datagram(stage.now, viewer.address, &mut datagram));
        }
        self.carry(stage, kbps);
    }

    fn carry(&mut self, stage: &mut Stage, kbps: u64) {
        while let Some(transmit) = charge(|| stage.sfu.poll_transmit()) {
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            let destination = transmit.destination.socket;
            let at = stage.viewers.iter().position(|viewer| viewer.address == destination);
            let Some(at) = at else { continue };
            let busy_until = &mut self.busy_until[at / VIEWERS_PER_SESSION as usize];
            for bytes in transmit.bytes.chunks(size) {
                let begins = (*busy_until).max(stage.now);
                if begins - stage.now > QUEUE_MAX {
                    continue;
                }
                *busy_until = begins + Duration::from_micros(bytes.len() as u64 * 8_000 / kbps);
                let viewer = &mut stage.viewers[at];
                viewer.handle_datagram(stage.now, bytes);
                if PacketKind::of(bytes) == PacketKind::Rtp
                    && let Some(packet) = viewer.rtp.pop()
                    && let Some(number) = RtpPacket::parse(&packet).unwrap().extension(3)
                {
                    let number = u16::from_be_bytes(number.try_into().unwrap());
                    self.recorders[at].record(*busy_until, number);
                }
            }
        }
    }
}
