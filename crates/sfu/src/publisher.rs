//! One stream that is sent to us: parses each packet once, keeps it in its track's ring, and gives
//! the publisher what its sender needs: reports, NACKs, transport-cc feedback and key frame
//! requests.

use std::time::{Duration, Instant};

use odeum_rtp::rtcp::{self, ReportBlock, RtcpPacket};
use odeum_rtp::{FeedbackLeft, RtpPacket, TransportRecorder, TransportRecorderConfig};
use odeum_types::Bitrate;

use crate::PeerKey;
use crate::config::{PACKET_BYTES_MAX, RECEIVER_REPORT_INTERVAL};
use crate::cut::CutTracks;
use crate::event::Statistics;
use crate::fan_out::Arrival;
use crate::forwarder::{LayerIndex, Pick};
use crate::key_frames::Asked;
use crate::layer_choice::{LAYERS_MAX, LayerFacts};
use crate::layer_watch::LayerWatch;
use crate::selection::Selection;
use crate::send_path::SendPath;
use crate::source_terms::SourceTerms;
use crate::subscriber::CNAME;
use crate::track::{Received, Track, TrackKind};

/// Bytes of one RTCP compound: below every path's MTU.
const RTCP_BYTES_MAX: usize = 1_200;

/// Bytes of a receiver report with its source description: header, a block per layer, name.
const RECEIVER_REPORT_BYTES_MAX: usize = 8 + 24 * (1 + LAYERS_MAX) + 24;

/// Arrivals wait this long for their feedback: with the sweep, 50 to 100 ms.
const RECORDER: TransportRecorderConfig =
    TransportRecorderConfig { interval: Duration::from_millis(45) };

/// Feedback messages of one sweep; what is left is told in the next.
const TRANSPORT_FEEDBACKS_MAX: usize = 8;

/// In the place of a layer that is not there.
const NO_LAYER: LayerFacts = LayerFacts {
    pick: Pick { layer: LayerIndex(0), selection: Selection::TOP },
    rate: None,
    reduced: [None; 2],
    is_available: false,
    height: None,
};

/// A peer that publishes.
pub(crate) struct Publisher {
    /// The layers of its tracks, by [`TrackKind`]: one, or several of video; none without the
    /// track.
    tracks: [Vec<Track>; 2],
    /// Its subscribers, connected or not; bounded by `subscribers_per_publisher_max`.
    viewers: Vec<PeerKey>,
    /// Our SSRC in reports.
    ssrc: u32,
    /// Arrival times for transport-cc.
    recorder: TransportRecorder,
    /// When the last receiver report went out.
    reported: Option<Instant>,
    /// Who watches the layers of its video, when there are several.
    pub(crate) layer_watch: Option<LayerWatch>,
    /// Whether its packets go to mirrors on other workers as well.
    pub(crate) is_relayed: bool,
    /// How long the packets of a video frame may wait for the rest of it.
    pub(crate) linger: Duration,
    /// Whether the fan-out looks after its packets when that time is over.
    pub(crate) is_held: bool,
}

impl Publisher {
    pub(crate) fn new(now: Instant, ssrc: u32) -> Self {
        Self {
            tracks: [Vec::new(), Vec::new()],
            viewers: Vec::new(),
            ssrc,
            recorder: TransportRecorder::new(now, RECORDER),
            reported: None,
            layer_watch: None,
            is_relayed: false,
            linger: Duration::ZERO,
            is_held: false,
        }
    }

    /// Adds a track, or another layer of it.
    pub(crate) fn add_layer(&mut self, kind: TrackKind, layer: Track) {
        let layers = &mut self.tracks[kind as usize];
        layers.push(layer);
        if layers.len() > 1 {
            self.layer_watch = Some(LayerWatch::new(layers.len()));
        }
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
        let takes = |layers: &&mut Vec<Track>| {
            layers.first().is_some_and(|layer| layer.takes(payload_type))
        };
        let Some(layers) = self.tracks.iter_mut().find(takes) else {
            statistics.rtp_unknown += 1;
            return Arrival::Ignored;
        };
        if let Some(sequence) = layers[0].transport_sequence(&packet) {
            self.recorder.record(now, sequence);
        }
        let layer = match &mut layers[..] {
            [only] => Some(only),
            several => several.iter_mut().find_map(|l| l.is_of_layer(&packet).then_some(l)),
        };
        let Some(layer) = layer else {
            statistics.rtp_unknown += 1;
            return Arrival::Ignored;
        };
        statistics.rtp_received += 1;
        match layer.handle_rtp(now, &packet) {
            Received::New if !self.linger.is_zero() && layer.lingers(&packet) => Arrival::MayLinger,
            Received::New => Arrival::ToForward,
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
                    for track in self.layers_mut() {
                        track.handle_sender_report(now, &report.info);
                    }
                }
                RtcpPacket::Goodbye(goodbye) => {
                    for ssrc in goodbye.ssrcs() {
                        self.layers_mut().for_each(|layer| layer.handle_goodbye(ssrc));
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
            let layers = self.tracks[kind as usize].iter_mut();
            layers.fold(false, |resumes, layer| resumes | layer.set_cut(is_cut))
        };
        resumes(TrackKind::Audio, cut.audio);
        resumes(TrackKind::Video, cut.video)
    }

    /// Whether every track has said goodbye and has sent nothing since. That alone does not end the
    /// peer: browsers say it for tracks that are only paused.
    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.tracks.iter().flatten().all(Track::has_said_goodbye)
    }

    /// Notes that a key frame of a layer of its video is wanted.
    pub(crate) fn want_key_frame(
        &mut self,
        now: Instant,
        interval: Duration,
        layer: LayerIndex,
        asked: Asked,
    ) {
        let interval = match asked {
            Asked::ByJoining => interval / 5,
            Asked::ByLoss => interval,
        };
        let layers = &mut self.tracks[TrackKind::Video as usize];
        if let Some(layer) = layers.get_mut(usize::from(layer.0)) {
            layer.want_key_frame(now, interval);
        }
    }

    /// Whether a spatial layer of its video has gone since this was last asked.
    pub(crate) fn take_loss_of_layer(&mut self) -> bool {
        let layers = self.tracks[TrackKind::Video as usize].iter_mut();
        layers.fold(false, |is_lost, layer| is_lost | layer.take_loss_of_layer())
    }

    /// Notes that key frames are wanted where only they help over what was lost.
    pub(crate) fn mend(&mut self, now: Instant, interval: Duration) {
        self.layers_mut().for_each(|layer| layer.mend(now, interval));
    }

    /// Asks for the key frames that are wanted if the interval allows (PLI, RFC 4585 §6.3.1).
    pub(crate) fn send_key_frame_requests(
        &mut self,
        now: Instant,
        interval: Duration,
        path: &mut SendPath<'_>,
    ) {
        let own = self.ssrc;
        for layer in &mut self.tracks[TrackKind::Video as usize] {
            let Some(ssrc) = layer.ssrc() else { continue };
            if layer.take_key_frame_request(now, interval) {
                path.statistics.key_frame_requests_sent += 1;
                path.send_rtcp(16, |writer| writer.picture_loss_indication(own, ssrc));
            }
        }
    }

    /// The layers of its video whose key frames are to be asked for now, elsewhere.
    pub(crate) fn take_key_frame_requests(
        &mut self,
        now: Instant,
        interval: Duration,
    ) -> impl Iterator<Item = LayerIndex> {
        let layers = self.tracks[TrackKind::Video as usize].iter_mut().zip(0..);
        layers.filter_map(move |(layer, index)| {
            layer.take_key_frame_request(now, interval).then_some(LayerIndex(index))
        })
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
        for layer in self.layers_mut() {
            layer.send_nacks(now, own, path);
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
        let mut blocks = [ReportBlock::default(); 1 + LAYERS_MAX];
        let mut count = 0;
        for (block, report) in
            blocks.iter_mut().zip(self.layers_mut().filter_map(|layer| layer.report(now)))
        {
            *block = report;
            count += 1;
        }
        let own = self.ssrc;
        path.send_rtcp(RECEIVER_REPORT_BYTES_MAX, |writer| {
            writer.receiver_report(own, &blocks[..count])?;
            writer.source_description(own, CNAME)
        });
    }

    /// Fixes which packets this round of the fan-out hands to every subscriber.
    pub(crate) fn begin_fan_out(&mut self) {
        self.layers_mut().for_each(Track::begin_round);
    }

    /// Whether packets wait for a round.
    pub(crate) fn has_pending(&self) -> bool {
        !self.tracks.iter().flatten().all(Track::is_handed_out)
    }

    /// Forgets the packets of this round; true when none wait for another.
    pub(crate) fn end_fan_out(&mut self) -> bool {
        self.layers_mut().for_each(Track::end_round);
        !self.has_pending()
    }

    /// What was negotiated for its tracks.
    pub(crate) fn terms(&self) -> Vec<(TrackKind, SourceTerms)> {
        let kinds = [TrackKind::Audio, TrackKind::Video].into_iter();
        kinds
            .flat_map(|kind| self.layers(kind).iter().map(move |layer| (kind, layer.terms())))
            .collect()
    }

    /// What of it does not go on.
    pub(crate) fn cut(&self) -> CutTracks {
        let is_cut = |kind| self.track(kind).is_some_and(Track::is_cut);
        CutTracks { audio: is_cut(TrackKind::Audio), video: is_cut(TrackKind::Video) }
    }

    /// What all layers of a track have in common, by one of them; none without the track.
    pub(crate) fn track(&self, kind: TrackKind) -> Option<&Track> {
        self.layers(kind).first()
    }

    /// The layers of a track; empty without the track.
    pub(crate) fn layers(&self, kind: TrackKind) -> &[Track] {
        &self.tracks[kind as usize]
    }

    /// Whether viewers can choose between layers of its video.
    pub(crate) fn is_layered(&self) -> bool {
        match self.layers(TrackKind::Video) {
            [only] => only.layering().is_some(),
            several => !several.is_empty(),
        }
    }

    /// Whether a viewer that gets `current` comes to `next` without a key frame.
    pub(crate) fn can_turn(&self, current: Pick, next: Pick) -> bool {
        let layer = self.layers(TrackKind::Video).get(usize::from(next.layer.0));
        let is_same = current.layer == next.layer;
        is_same && layer.is_some_and(|l| l.can_turn(current.selection, next.selection))
    }

    /// What is known of the layers of its video, be they streams or inside its only one, and how
    /// many there are.
    pub(crate) fn video_facts(&self, now: Instant) -> ([LayerFacts; LAYERS_MAX], usize) {
        let layers = self.layers(TrackKind::Video);
        if let [only] = layers
            && let Some(layering) = only.layering()
        {
            return layering.facts(now, only);
        }
        let facts = |at| {
            let layer = layers.get(at);
            let facts = layer.map_or(NO_LAYER, |layer: &Track| layer.layer_facts(now));
            let pick = Pick::whole(LayerIndex(at as u8));
            let watch = self.layer_watch.as_ref().filter(|_| facts.rate.is_some());
            let can_come = watch.is_some_and(|watch| watch.can_come(now, at as u8));
            LayerFacts { pick, is_available: facts.is_available || can_come, ..facts }
        };
        (std::array::from_fn(facts), layers.len().min(LAYERS_MAX))
    }

    /// What its sound takes.
    pub(crate) fn audio_rate(&self, now: Instant) -> Bitrate {
        let facts = self.track(TrackKind::Audio).map(|track| track.layer_facts(now));
        facts.filter(|facts| facts.is_available).and_then(|facts| facts.rate).unwrap_or_default()
    }

    fn layers_mut(&mut self) -> impl Iterator<Item = &mut Track> {
        self.tracks.iter_mut().flatten()
    }

    pub(crate) fn viewers(&self) -> &[PeerKey] {
        &self.viewers
    }
}
