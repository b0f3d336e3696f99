//! What is accepted of an m-line, and the line that answers it.

use odeum_rtp::negotiate::{self, Chosen, SenderParameters};
use odeum_rtp::sdp::{self, Direction, Feedback, MediaSection, MediaSender, PacketTimes};
use odeum_rtp::{ExtensionKind, ExtensionMap};
use odeum_types::{Codec, PeerId};

use crate::entropy::Entropy;
use crate::forwarder::Origin;
use crate::header::ExtensionIds;
use crate::layer_choice::LAYERS_MAX;
use crate::subscriber::{CNAME, SubscriberTrack, TrackTerms};
use crate::track::TrackKind;

/// Extensions taken from a publisher of `codec`. Of AV1 and H.264 in one stream the dependency
/// descriptor is among them: nothing else tells their layers. Senders of VP8 that have it leave out
/// the numbers of pictures, and those of VP9 and H.265 say all in the payload as well; between
/// streams its frame numbers would not go on.
pub(crate) fn is_taken(kind: ExtensionKind, codec: Codec, rids: &[String]) -> bool {
    if kind == ExtensionKind::DependencyDescriptor {
        return matches!(codec, Codec::Av1 | Codec::H264) && rids.is_empty();
    }
    let names_layers =
        matches!(kind, ExtensionKind::RtpStreamId | ExtensionKind::RepairedRtpStreamId);
    kind == ExtensionKind::TransportSequenceNumber || names_layers || is_forwarded(kind)
}

/// Extensions given to a subscriber. Send times are not among them: they are the publisher's, and
/// the estimation between server and subscriber has to be about the server's.
pub(crate) fn is_forwarded(kind: ExtensionKind) -> bool {
    matches!(
        kind,
        ExtensionKind::AudioLevel | ExtensionKind::VideoOrientation | ExtensionKind::PlayoutDelay
    )
}

/// What a line is for; none for one that the offerer has stopped.
pub(crate) fn kind_of(media: &sdp::Media) -> Option<TrackKind> {
    if media.is_rejected() {
        return None;
    }
    match media.kind {
        sdp::MediaKind::Audio => Some(TrackKind::Audio),
        sdp::MediaKind::Video => Some(TrackKind::Video),
        sdp::MediaKind::Application | sdp::MediaKind::Other(_) => None,
    }
}

pub(crate) fn kind_of_codec(codec: Codec) -> TrackKind {
    match codec {
        Codec::Opus => TrackKind::Audio,
        Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::H265 | Codec::Av1 => TrackKind::Video,
    }
}

/// A line over which nothing will go, with a codec of the offer because a line has to have one.
pub(crate) fn inactive_section(media: &sdp::Media) -> Option<MediaSection> {
    let kind = kind_of(media)?;
    let chosen = negotiate::choose_for_publisher(media)?;
    (kind_of_codec(chosen.codec.codec()) == kind).then(|| MediaSection {
        direction: Direction::Inactive,
        formats: chosen.formats(),
        packet_times: PacketTimes::default(),
        extensions: media.extensions.only(is_forwarded),
        rids: Vec::new(),
        sender: None,
    })
}

/// The layers that are taken of a line that offers several; empty for one that does not, or whose
/// packets would not say which layer they are of.
pub(crate) fn taken_rids(media: &sdp::Media) -> Vec<String> {
    let names_them = media.extensions.sent().id(ExtensionKind::RtpStreamId).is_some();
    let is_several = media.simulcast && media.send_rids.len() > 1;
    let is_taken = names_them && is_several && kind_of(media) == Some(TrackKind::Video);
    let rids = media.send_rids.iter().filter(|_| is_taken);
    rids.take(LAYERS_MAX).cloned().collect()
}

/// Extensions given to a subscriber of `chosen`. Without RTX what is missed is sent again byte for
/// byte, and could have no transport-wide number of its own.
pub(crate) fn given_extensions(media: &sdp::Media, chosen: &Chosen) -> ExtensionMap {
    let is_repeated =
        chosen.retransmission.is_none() && chosen.format.feedback.contains(&Feedback::Nack);
    let is_av1 = chosen.codec.codec() == Codec::Av1;
    media.extensions.received().only(|kind| match kind {
        ExtensionKind::TransportSequenceNumber => !is_repeated,
        ExtensionKind::DependencyDescriptor => is_av1,
        _ => is_forwarded(kind),
    })
}

pub(crate) fn track_terms(
    entropy: &mut Entropy,
    media: &sdp::Media,
    chosen: &Chosen,
) -> TrackTerms {
    TrackTerms {
        codec: chosen.codec.codec(),
        ssrc: entropy.number(),
        payload_type: chosen.format.payload_type,
        red_payload_type: chosen.redundancy.as_ref().map(|red| red.format.payload_type),
        rtx: chosen.retransmission.as_ref().map(|format| (entropy.number(), format.payload_type)),
        extensions: ExtensionIds::of(&given_extensions(media, chosen)),
        clock_rate: chosen.format.clock_rate,
    }
}

pub(crate) fn subscriber_track(entropy: &mut Entropy, terms: TrackTerms) -> SubscriberTrack {
    let mut sequence = || (entropy.number() & 0x7fff) as u16;
    let (first, rtx_first) = (sequence(), sequence());
    let origin = Origin { sequence: first, timestamp: entropy.number() };
    SubscriberTrack::new(terms, origin, rtx_first)
}

pub(crate) fn subscriber_section(
    publisher: PeerId,
    kind: TrackKind,
    mut chosen: Chosen,
    (said, terms): (&SenderParameters, &TrackTerms),
    extensions: ExtensionMap,
) -> MediaSection {
    // Without its header extension, feedback on the transport has nothing to count.
    if extensions.id(ExtensionKind::TransportSequenceNumber).is_none() {
        chosen.format.feedback.retain(|feedback| *feedback != Feedback::TransportCc);
    }
    said.say_in(terms.codec, &mut chosen.format);
    let track = match kind {
        TrackKind::Audio => "audio",
        TrackKind::Video => "video",
    };
    MediaSection {
        direction: Direction::SendOnly,
        formats: chosen.formats(),
        packet_times: said.packet_times(),
        extensions,
        rids: Vec::new(),
        sender: Some(MediaSender {
            ssrc: terms.ssrc,
            retransmission_ssrc: terms.rtx.map(|(ssrc, _)| ssrc),
            cname: CNAME.to_owned(),
            stream: format!("odeum-{publisher}"),
            track: track.to_owned(),
        }),
    }
}
