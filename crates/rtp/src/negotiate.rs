//! Which codec both ends can use: what of a publisher's offer is accepted, and which payload type
//! of a viewer's offer fits what is published. Nothing is transcoded, so "none" is a possible
//! answer.

use odeum_types::Codec;

use crate::sdp::{Feedback, Media, PayloadFormat};

mod sender_parameters;

pub use sender_parameters::SenderParameters;

/// Feedback that the server gives or takes; the rest of an offer is not accepted.
const FEEDBACK: [Feedback; 4] =
    [Feedback::Nack, Feedback::NackPli, Feedback::CcmFir, Feedback::TransportCc];

/// A codec with what makes two payload types of it incompatible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodecFormat {
    /// Opus, 48 kHz, two channels.
    Opus,
    /// VP8.
    Vp8,
    /// VP9 of one profile (RFC 9628 §6).
    Vp9(ProfileNumber),
    /// H.264 of one profile and packetization.
    H264(H264Format),
    /// H.265 of one profile (RFC 7798 §7.1).
    H265(ProfileNumber),
    /// AV1 of one profile.
    Av1(ProfileNumber),
}

/// A codec's profile by its number in the codec's specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProfileNumber(pub u8);

impl ProfileNumber {
    /// H.265 Main, which a decoder of [`Self::H265_MAIN_10`] decodes too.
    const H265_MAIN: Self = Self(1);
    /// H.265 Main 10.
    const H265_MAIN_10: Self = Self(2);

    /// What the parameter `name` says, or its default; None when that is no number.
    fn of(format: &PayloadFormat, name: &str, default: u8) -> Option<Self> {
        format.parameter(name).map_or(Some(default), |text| text.parse().ok()).map(Self)
    }

    fn same(self, viewer: Self) -> Option<u8> {
        (self == viewer).then_some(0)
    }

    /// H.265 A.3.3: decoders of Main 10 decode Main.
    fn h265_fitness(self, viewer: Self) -> Option<u8> {
        match (self, viewer) {
            (Self::H265_MAIN, Self::H265_MAIN_10) => Some(0),
            _ => self.same(viewer).map(|_| 1),
        }
    }

    /// AV1 A.2: decoders of a profile decode those below it.
    fn av1_fitness(self, viewer: Self) -> Option<u8> {
        (viewer.0 >= self.0).then(|| u8::from(viewer == self))
    }
}

impl CodecFormat {
    /// The codec alone.
    pub fn codec(self) -> Codec {
        match self {
            Self::Opus => Codec::Opus,
            Self::Vp8 => Codec::Vp8,
            Self::Vp9(_) => Codec::Vp9,
            Self::H264(_) => Codec::H264,
            Self::H265(_) => Codec::H265,
            Self::Av1(_) => Codec::Av1,
        }
    }

    /// What a payload type carries; None when Odeum does not forward it.
    pub fn of(format: &PayloadFormat) -> Option<Self> {
        if format.is("opus") && format.clock_rate == 48_000 && format.channels == 2 {
            return Some(Self::Opus);
        }
        if format.clock_rate != 90_000 {
            return None;
        }
        if format.is("VP8") {
            return Some(Self::Vp8);
        }
        if format.is("VP9") {
            return ProfileNumber::of(format, "profile-id", 0).map(Self::Vp9);
        }
        if format.is("H264") {
            return H264Format::of(format).map(Self::H264);
        }
        if format.is("H265") {
            return ProfileNumber::of(format, "profile-id", 1).map(Self::H265);
        }
        if format.is("AV1") {
            return ProfileNumber::of(format, "profile", 0).map(Self::Av1);
        }
        None
    }

    /// How well a viewer's payload type takes what was published as `self`; the highest is the
    /// best.
    fn fitness(self, viewer: Self) -> Option<u8> {
        match (self, viewer) {
            (Self::Opus, Self::Opus) | (Self::Vp8, Self::Vp8) => Some(0),
            (Self::Vp9(published), Self::Vp9(viewer)) => published.same(viewer),
            (Self::H264(published), Self::H264(viewer)) => published.fitness(viewer),
            (Self::H265(published), Self::H265(viewer)) => published.h265_fitness(viewer),
            (Self::Av1(published), Self::Av1(viewer)) => published.av1_fitness(viewer),
            _ => None,
        }
    }
}

/// What of `profile-level-id` and `packetization-mode` decides compatibility. The level is left
/// out: browsers offer 3.1 and decode far above it, and the server may not lower it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct H264Format {
    /// Which tools the decoder needs.
    pub profile: H264Profile,
    /// Which packets it must take apart.
    pub packetization: Packetization,
}

/// The profiles that browsers offer (RFC 6184 §8.1, table 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum H264Profile {
    /// `42e01f` and its kin: the part that every decoder has.
    ConstrainedBaseline,
    /// `42001f`.
    Baseline,
    /// `4d001f`.
    Main,
    /// `640c1f`: neither interlaced nor with pictures that refer to later ones.
    ConstrainedHigh,
    /// `64081f`: never interlaced.
    ProgressiveHigh,
    /// `64001f`.
    High,
}

/// `packetization-mode` (RFC 6184 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packetization {
    /// 0: single NAL units only.
    SingleNal,
    /// 1: aggregation and fragmentation too.
    NonInterleaved,
}

impl H264Profile {
    /// Reads the six hexadecimal digits of `profile-level-id`.
    fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u32::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
        let (profile, constraints) = (number >> 16, number >> 8 & 0xFF);
        match (profile, constraints) {
            (0x42, c) if c & 0x4F == 0x40 => Some(Self::ConstrainedBaseline),
            (0x4D, c) if c & 0x8F == 0x80 => Some(Self::ConstrainedBaseline),
            (0x58, c) if c & 0xCF == 0xC0 => Some(Self::ConstrainedBaseline),
            (0x42, c) if c & 0x4F == 0x00 => Some(Self::Baseline),
            (0x58, c) if c & 0xCF == 0x80 => Some(Self::Baseline),
            (0x4D, c) if c & 0xAF == 0x00 => Some(Self::Main),
            // A.2.4: the other constraints of High only say what else a stream keeps to.
            (0x64, c) if c & 0x0C == 0x0C => Some(Self::ConstrainedHigh),
            (0x64, c) if c & 0x0C == 0x08 => Some(Self::ProgressiveHigh),
            (0x64, _) => Some(Self::High),
            _ => None,
        }
    }

    /// Whether a decoder of `self` decodes a stream of `stream`.
    fn decodes(self, stream: Self) -> bool {
        match self {
            _ if self == stream || stream == Self::ConstrainedBaseline => true,
            Self::High => {
                matches!(stream, Self::Main | Self::ConstrainedHigh | Self::ProgressiveHigh)
            }
            Self::ProgressiveHigh => stream == Self::ConstrainedHigh,
            Self::ConstrainedBaseline | Self::Baseline | Self::Main | Self::ConstrainedHigh => {
                false
            }
        }
    }
}

impl H264Format {
    fn of(format: &PayloadFormat) -> Option<Self> {
        // RFC 6184 §8.1: without the parameter it is Baseline, level 1.
        let profile = format.parameter("profile-level-id").unwrap_or("42000a");
        let packetization = match format.parameter("packetization-mode") {
            None | Some("0") => Packetization::SingleNal,
            Some("1") => Packetization::NonInterleaved,
            Some(_) => return None,
        };
        Some(Self { profile: H264Profile::parse(profile)?, packetization })
    }

    fn fitness(self, viewer: Self) -> Option<u8> {
        let unpacks = viewer.packetization == self.packetization
            || viewer.packetization == Packetization::NonInterleaved;
        if !unpacks || !viewer.profile.decodes(self.profile) {
            return None;
        }
        let same_profile = u8::from(viewer.profile == self.profile);
        Some(2 * same_profile + u8::from(viewer.packetization == self.packetization))
    }

    /// Which of several H.264 types a publisher should send: first the profile that every viewer
    /// decodes, then the packetization that fills packets.
    fn reach(self) -> u8 {
        2 * u8::from(self.profile == H264Profile::ConstrainedBaseline)
            + u8::from(self.packetization == Packetization::NonInterleaved)
    }
}

/// A payload type chosen from an offer, as the answer repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// What it carries.
    pub codec: CodecFormat,
    /// The media's payload type, with the feedback that is accepted.
    pub format: PayloadFormat,
    /// Its RTX payload type (RFC 4588).
    pub retransmission: Option<PayloadFormat>,
    /// The payload type that the same comes under with redundancy (RFC 2198); of Opus alone.
    pub redundancy: Option<Redundancy>,
}

/// A payload type of RED.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redundancy {
    /// As it was offered.
    pub format: PayloadFormat,
    /// Whether the offerer would rather have it than its codec alone.
    pub rank: RedundancyRank,
}

/// Where an offer lists RED: the order is its maker's preference (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedundancyRank {
    /// Before the codec: use it.
    BeforeCodec,
    /// Behind it: only take it.
    BehindCodec,
}

impl Redundancy {
    fn of(media: &Media, codec: &PayloadFormat) -> Option<Self> {
        let carries = |red: &&PayloadFormat| {
            let mut blocks = red.parameters.split('/').map(str::trim);
            red.is("red")
                && red.clock_rate == codec.clock_rate
                && red.channels == codec.channels
                && blocks.all(|block| block.parse() == Ok(codec.payload_type))
        };
        let place = |wanted: u8| media.formats.iter().position(|f| f.payload_type == wanted);
        let mut format = media.formats.iter().find(carries)?.clone();
        format.feedback.retain(|feedback| FEEDBACK.contains(feedback));
        let rank = match place(format.payload_type) < place(codec.payload_type) {
            true => RedundancyRank::BeforeCodec,
            false => RedundancyRank::BehindCodec,
        };
        Some(Self { format, rank })
    }
}

impl Chosen {
    /// Media, then RTX: what an answer's [`crate::sdp::MediaSection`] lists. RED keeps its place
    /// in the offer, before or behind the media: what is first is what the other end sends.
    pub fn formats(&self) -> Vec<PayloadFormat> {
        let redundancy = |wanted| {
            let red = self.redundancy.as_ref().filter(|red| red.rank == wanted);
            red.map(|red| red.format.clone())
        };
        let before = redundancy(RedundancyRank::BeforeCodec).into_iter();
        let media = before.chain([self.format.clone()]);
        media
            .chain(redundancy(RedundancyRank::BehindCodec))
            .chain(self.retransmission.clone())
            .collect()
    }

    fn from_offer(media: &Media, format: &PayloadFormat, codec: CodecFormat) -> Self {
        let mut chosen = format.clone();
        chosen.feedback.retain(|feedback| FEEDBACK.contains(feedback));
        let payload_type = chosen.payload_type;
        let retransmission = media.formats.iter().find(|rtx| {
            let apt = rtx.parameter("apt").and_then(|apt| apt.parse::<u8>().ok());
            rtx.is("rtx") && rtx.clock_rate == chosen.clock_rate && apt == Some(payload_type)
        });
        let redundancy =
            (codec == CodecFormat::Opus).then(|| Redundancy::of(media, format)).flatten();
        Self { codec, format: chosen, retransmission: retransmission.cloned(), redundancy }
    }
}

/// What a publisher is to send: the first codec of its offer that Odeum forwards, since the order
/// is the client's preference; within H.264 the type that most viewers can take. None: reject the
/// line.
pub fn choose_for_publisher(media: &Media) -> Option<Chosen> {
    let supported =
        || media.formats.iter().filter_map(|format| Some((format, CodecFormat::of(format)?)));
    let (mut format, mut codec) = supported().next()?;
    if let CodecFormat::H264(mut best) = codec {
        for (other_format, other) in supported() {
            if let CodecFormat::H264(other) = other
                && other.reach() > best.reach()
            {
                (format, best) = (other_format, other);
            }
        }
        codec = CodecFormat::H264(best);
    }
    Some(Chosen::from_offer(media, format, codec))
}

/// The payload type of a viewer's offer that takes what was published as `published`, the closest
/// one first. None: this viewer cannot decode it.
pub fn choose_for_subscriber(media: &Media, published: CodecFormat) -> Option<Chosen> {
    let mut best: Option<(u8, &PayloadFormat)> = None;
    for format in &media.formats {
        let fitness = CodecFormat::of(format).and_then(|viewer| published.fitness(viewer));
        if let Some(fitness) = fitness
            && best.is_none_or(|(known, _)| fitness > known)
        {
            best = Some((fitness, format));
        }
    }
    best.map(|(_, format)| Chosen::from_offer(media, format, published))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Description;

    /// What encoders and decoders of hardware and software say: `profile-level-id` and
    /// `packetization-mode`, of a publisher and then of a viewer.
    #[test]
    fn a_viewer_takes_h264_of_a_profile_and_packetization_that_its_own_contain() {
        let media = |(profile, mode): (&str, u8)| {
            let text = format!(
                "v=0\nm=video 9 UDP/TLS/RTP/SAVPF 1\na=mid:0\na=rtpmap:1 H264/90000\n\
                 a=fmtp:1 profile-level-id={profile};packetization-mode={mode}\n"
            );
            Description::parse(&text).unwrap().media.remove(0)
        };
        for (published, viewer, fits) in [
            (("42e01f", 1), ("640c1f", 1), true),
            (("640c1f", 1), ("42e01f", 1), false),
            (("42c00d", 0), ("42e01f", 1), true),
            (("42e01f", 1), ("42e01f", 0), false),
            (("4d401f", 1), ("64001f", 1), true),
            (("640c28", 1), ("64001f", 1), true),
            (("64001f", 1), ("640c1f", 1), false),
            // High whose constraints say what else it keeps to, and what is never interlaced.
            (("644028", 1), ("64001f", 1), true),
            (("640828", 1), ("64001f", 1), true),
            (("640c1f", 1), ("64081f", 1), true),
            (("640828", 1), ("640c1f", 1), false),
            (("64001f", 1), ("64081f", 1), false),
            (("4d401f", 1), ("64081f", 1), false),
        ] {
            let chosen = choose_for_publisher(&media(published));
            let chosen = chosen.unwrap_or_else(|| panic!("{published:?} is not taken"));
            let found = choose_for_subscriber(&media(viewer), chosen.codec);
            assert_eq!(found.is_some(), fits, "{published:?} for {viewer:?}");
        }
        assert_eq!(choose_for_publisher(&media(("f4001f", 1))), None);
        assert_eq!(choose_for_publisher(&media(("42e01f", 2))), None);
    }
}
