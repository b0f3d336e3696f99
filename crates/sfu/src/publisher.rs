//! One stream that is sent to us: parses each packet once, keeps it in its track's ring, and gives
//! the publisher what its sender needs: reports, NACKs, transport-cc feedback and key frame
//! requests.

use std::time::{Duration, Instant};

use odeum_rtp::rtcp::{self, ReportBlock, RtcpPacket};
use odeum_rtp::{FeedbackLeft, RtpPacket, TransportRecorder, TransportRecorderConfig};

use crate::PeerKey;
use crate::config::{KEY_FRAME_ATTEMPTS_MAX, PACKET_BYTES_MAX, RECEIVER_REPORT_INTERVAL};
use crate::cut::CutTracks;
use crate::event::Statistics;
use crate::subscriber::{CNAME, SendPath};
use crate::track::{Received, SourceTerms, Track, TrackKind};

/// Bytes of one RTCP compound: below every path's MTU.
const RTCP_BYTES_MAX: usize = 1_200;

/// Arrivals wait this long for their feedback: with the sweep, 50 to 100 ms.
const RECORDER: TransportRecorderConfig =
    TransportRecorderConfig { interval: Duration::from_millis(45) };

/// Feedback messages of one sweep; what is left is told in the next.
const TRANSPORT_FEEDBACKS_MAX: usize = 8;

/// Who wants a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A viewer that has just joined; it sees nothing until then, so the interval is a fifth.
    ByJoining,
    /// A viewer that lost something.
    ByLoss,
}

/// Whether a packet has to be handed to subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It waits in its track.
    ToForward,
    /// It was a duplicate, padding or nothing of ours.
    Ignored,
}

/// A peer that publishes.
pub(crate) struct Publisher {
    /// By [`TrackKind`].
    tracks: [Option<Track>; 2],
    /// Its subscribers, connected or not; bounded by `subscribers_per_publisher_max`.
    viewers: Vec<PeerKey>,
    /// Our SSRC in reports.
    ssrc: u32,
    /// Arrival times for transport-cc.
    recorder: TransportRecorder,
    /// When key frames were and will be asked for.
    key_frames: KeyFrameRequests,
    /// A gap too long to be filled wants a key frame.
    is_broken: bool,
    /// When the last receiver report went out.
    reported: Option<Instant>,
    /// Whether its packets go to mirrors on other workers as well.
    pub(crate) is_relayed: bool,
}

impl Publisher {
    pub(crate) fn new(now: Instant, ssrc: u32) -> Self {
        Self {
            tracks: [None, None],
            viewers: Vec::new(),
            ssrc,
            recorder: TransportRecorder::new(now, RECORDER),
            key_frames: KeyFrameRequests::default(),
            is_broken: false,
            reported: None,
            is_relayed: false,
        }
    }

    pub(crate) fn add_track(&mut self, kind: TrackKind, track: Track) {
        self.tracks[kind as usize] = Some(track);
    }

    pub(crate) fn add_viewer(&mut self, viewer: PeerKey) {
        self.viewers.push(viewer);
    }

    /// Gives the place that the viewer had.
    pub(crate) fn remove_viewer(&mut self, viewer: PeerKey) -> Option<usize> {
        let at = self.viewers.iter().position(|other| *other == viewer)?;
        self.viewers.remove(at);
        Some(at)
    }

    /// Takes a plain RTP packet.
    pub(crate) fn handle_rtp(
        &mut self,
        now: Instant,
        bytes: &[u8],
        statistics: &mut Statistics,
    ) -> Arrival {
        let parsed = (bytes.len() <= PACKET_BYTES_MAX).then(|| RtpPacket::parse(bytes));
        let Some(Ok(packet)) = parsed else {
            statistics.rtp_unknown += 1;
            return Arrival::Ignored;
        };
        let payload_type = packet.header().payload_type;
        let track = self.tracks.iter_mut().flatten().find(|track| track.takes(payload_type));
        let Some(track) = track else {
            statistics.rtp_unknown += 1;
            return Arrival::Ignored;
        };
        statistics.rtp_received += 1;
        if let Some(sequence) = track.transport_sequence(&packet) {
            self.recorder.record(now, sequence);
        }
        let received = track.handle_rtp(now, &packet);
        if track.take_broken() {
            self.is_broken = true;
        }
        match received {
            Received::New => Arrival::ToForward,
            Received::KeyFrame => {
                self.key_frames.satisfy();
                Arrival::ToForward
            }
            Received::Full => {
                statistics.dropped_queue_full += 1;
                Arrival::ToForward
            }
            Received::Foreign => {
                statistics.rtp_unknown += 1;
                Arrival::Ignored
            }
            Received::Cut => {
                statistics.rtp_cut += 1;
                Arrival::Ignored
            }
            Received::Nothing => Arrival::Ignored,
        }
    }

    /// Takes a plain compound RTCP packet.
    pub(crate) fn handle_rtcp(&mut self, now: Instant, compound: &[u8]) {
        // What follows a malformed packet cannot be framed; what came before it counts.
        for packet in rtcp::packets(compound).map_while(Result::ok) {
            match packet {
                RtcpPacket::SenderReport(report) => {
                    for track in self.tracks.iter_mut().flatten() {
                        track.handle_sender_report(now, &report.info);
                    }
                }
                RtcpPacket::Goodbye(goodbye) => {
                    for ssrc in goodbye.ssrcs() {
                        self.tracks.iter_mut().flatten().for_each(|t| t.handle_goodbye(ssrc));
                    }
                }
                // We send a publisher no media that it could report on.
                RtcpPacket::ReceiverReport(_)
                | RtcpPacket::SourceDescription(_)
                | RtcpPacket::Nack(_)
                | RtcpPacket::TransportFeedback(_)
                | RtcpPacket::PictureLossIndication(_)
                | RtcpPacket::FullIntraRequest(_)
                | RtcpPacket::ReceiverEstimate(_)
                | RtcpPacket::Other { .. } => {}
            }
        }
    }

    /// Lets nothing more of these tracks go on, and everything of the others. Returns whether video
    /// goes on again, for which a key frame is needed.
    pub(crate) fn set_cut(&mut self, cut: CutTracks) -> bool {
        let mut resumes = |kind: TrackKind, is_cut| {
            self.tracks[kind as usize].as_mut().is_some_and(|track| track.set_cut(is_cut))
        };
        resumes(TrackKind::Audio, cut.audio);
        resumes(TrackKind::Video, cut.video)
    }

    /// Whether every track has said goodbye and has sent nothing since. That alone does not end the
    /// peer: browsers say it for tracks that are only paused.
    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.tracks.iter().flatten().all(Track::has_said_goodbye)
    }

    /// Notes that a key frame is wanted.
    pub(crate) fn want_key_frame(&mut self, now: Instant, interval: Duration, asked: Asked) {
        let interval = match asked {
            Asked::ByJoining => interval / 5,
            Asked::ByLoss => interval,
        };
        self.key_frames.want(now, interval);
    }

    /// Whether a gap was too long to be filled; says so once.
    pub(crate) fn take_broken(&mut self) -> bool {
        std::mem::take(&mut self.is_broken)
    }

    /// Asks for a key frame if one is wanted and the interval allows (PLI, RFC 4585 §6.3.1).
    pub(crate) fn send_key_frame_request(
        &mut self,
        now: Instant,
        interval: Duration,
        path: &mut SendPath<'_>,
    ) {
        let Some(ssrc) = self.track(TrackKind::Video).and_then(Track::ssrc) else { return };
        if !self.take_key_frame_request(now, interval) {
            return;
        }
        let own = self.ssrc;
        path.statistics.key_frame_requests_sent += 1;
        path.send_rtcp(16, |writer| writer.picture_loss_indication(own, ssrc));
    }

    /// Whether to ask for a key frame now: one is wanted, the interval allows, and it would go on.
    pub(crate) fn take_key_frame_request(&mut self, now: Instant, interval: Duration) -> bool {
        let goes_on = self.track(TrackKind::Video).is_some_and(|track| !track.is_cut());
        goes_on && self.key_frames.take_due(now, interval)
    }

    /// Sends what is due of NACKs, transport-cc feedback and receiver reports.
    pub(crate) fn send_feedback(&mut self, now: Instant, path: &mut SendPath<'_>) {
        self.send_nacks(now, path);
        self.send_transport_feedback(now, path);
        let is_due = self
            .reported
            .is_none_or(|at| now.saturating_duration_since(at) >= RECEIVER_REPORT_INTERVAL);
        if is_due {
            self.reported = Some(now);
            self.send_receiver_report(now, path);
        }
    }

    /// Asks for what is missing and not yet asked for, or due to be asked for again.
    pub(crate) fn send_nacks(&mut self, now: Instant, path: &mut SendPath<'_>) {
        let own = self.ssrc;
        for track in self.tracks.iter_mut().flatten() {
            track.send_nacks(now, own, path);
        }
    }

    fn send_transport_feedback(&mut self, now: Instant, path: &mut SendPath<'_>) {
        let Some(media) = self.tracks.iter().flatten().find_map(Track::ssrc) else { return };
        let (own, recorder) = (self.ssrc, &mut self.recorder);
        for _ in 0..TRANSPORT_FEEDBACKS_MAX {
            if recorder.poll_timeout().is_none_or(|at| at > now) {
                return;
            }
            path.send_rtcp(RTCP_BYTES_MAX, |writer| {
                recorder.write_feedback(writer, own, media).map(|_left: FeedbackLeft| ())
            });
        }
    }

    fn send_receiver_report(&mut self, now: Instant, path: &mut SendPath<'_>) {
        let mut blocks = [ReportBlock::default(); 2];
        let mut count = 0;
        for track in self.tracks.iter_mut().flatten() {
            if let Some(block) = track.report(now) {
                blocks[count] = block;
                count += 1;
            }
        }
        let own = self.ssrc;
        path.send_rtcp(128, |writer| {
            writer.receiver_report(own, &blocks[..count])?;
            writer.source_description(own, CNAME)
        });
    }

    /// Fixes which packets this round of the fan-out hands to every subscriber.
    pub(crate) fn begin_fan_out(&mut self) {
        self.tracks.iter_mut().flatten().for_each(Track::begin_round);
    }

    /// Forgets the packets of this round; true when none wait for another.
    pub(crate) fn end_fan_out(&mut self) -> bool {
        self.tracks.iter_mut().flatten().for_each(Track::end_round);
        self.tracks.iter().flatten().all(Track::is_handed_out)
    }

    /// What was negotiated for its tracks.
    pub(crate) fn terms(&self) -> Vec<(TrackKind, SourceTerms)> {
        let kinds = [TrackKind::Audio, TrackKind::Video].into_iter();
        kinds.filter_map(|kind| Some((kind, self.track(kind)?.terms().clone()))).collect()
    }

    /// What of it does not go on.
    pub(crate) fn cut(&self) -> CutTracks {
        let is_cut = |kind| self.track(kind).is_some_and(Track::is_cut);
        CutTracks { audio: is_cut(TrackKind::Audio), video: is_cut(TrackKind::Video) }
    }

    pub(crate) fn track(&self, kind: TrackKind) -> Option<&Track> {
        self.tracks[kind as usize].as_ref()
    }

    pub(crate) fn viewers(&self) -> &[PeerKey] {
        &self.viewers
    }
}

/// When key frames were asked for, and when the next may be.
#[derive(Default)]
struct KeyFrameRequests {
    /// The last request.
    sent: Option<Instant>,
    /// From when on the next may go; `None` when nobody waits.
    due: Option<Instant>,
    /// Requests since somebody last began to want one; at most [`KEY_FRAME_ATTEMPTS_MAX`].
    attempts: u8,
}

impl KeyFrameRequests {
    fn want(&mut self, now: Instant, interval: Duration) {
        let earliest = self.sent.map_or(now, |sent| (sent + interval).max(now));
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
        self.attempts = 0;
    }

    /// A key frame came: whoever waited has it.
    fn satisfy(&mut self) {
        self.due = None;
    }

    /// Whether to ask now. The request or its answer may be lost, so it is due again after
    /// `interval` unless a key frame comes before.
    fn take_due(&mut self, now: Instant, interval: Duration) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.attempts += 1;
        self.due = (self.attempts < KEY_FRAME_ATTEMPTS_MAX).then(|| now + interval);
        self.sent = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frame_requests_keep_their_distance_and_none_is_lost() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let interval = Duration::from_millis(500);
        let mut requests = KeyFrameRequests::default();
        let is_due =
            |requests: &mut KeyFrameRequests, millis| requests.take_due(at(millis), interval);
        assert!(!is_due(&mut requests, 0));
        requests.want(at(0), interval);
        assert!(is_due(&mut requests, 0));
        requests.want(at(10), interval);
        requests.want(at(20), interval);
        assert!(!is_due(&mut requests, 499));
        assert!(is_due(&mut requests, 500));
        assert!(!is_due(&mut requests, 999));
        assert!(is_due(&mut requests, 1_000), "unanswered, so once more");
        requests.satisfy();
        assert!(!is_due(&mut requests, 3_000));
        requests.want(at(3_000), interval);
        let sent = (6..200).filter(|n| is_due(&mut requests, n * 500)).count();
        assert_eq!(sent, usize::from(KEY_FRAME_ATTEMPTS_MAX));
    }
}
