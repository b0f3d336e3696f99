//! What a publisher says in `fmtp` and `ptime` of that which it sends, for the answers to its
//! viewers: the server passes media on as it is, so it sends what the publisher sends.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use odeum_types::Codec;

use super::Chosen;
use crate::codec::{PictureSize, picture_size};
use crate::sdp::{Media, PacketTimes, PayloadFormat};

/// Bytes of a list of parameter sets, in base64. A VPS, an SPS or a PPS has some 20 to 100; longer
/// lists are not passed on.
const PARAMETER_SETS_BYTES_MAX: usize = 1_024;

/// What a parameter's value has to be to be passed on.
enum Value {
    /// 0 or 1.
    Flag,
    /// A number.
    Number(RangeInclusive<u32>),
    /// NAL units in base64, with commas between; each of a type that `is_one` takes by the unit's
    /// first byte.
    Units { is_one: fn(u8) -> bool },
}

impl Value {
    fn allows(&self, text: &str) -> bool {
        match self {
            Self::Flag => matches!(text, "0" | "1"),
            Self::Number(range) => {
                let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
                is_digits && text.parse().is_ok_and(|number| range.contains(&number))
            }
            Self::Units { is_one } => {
                text.len() <= PARAMETER_SETS_BYTES_MAX
                    && text.split(',').all(|t| is_unit(t, *is_one))
            }
        }
    }
}

fn is_unit(text: &str, is_one: fn(u8) -> bool) -> bool {
    let unit = STANDARD.decode(text);
    unit.is_ok_and(|unit| unit.first().is_some_and(|header| is_one(*header)))
}

/// RFC 7587 §6.1. Of those that are wishes of a receiver the publisher got as many granted as it
/// uttered, so that they say what it sends as well.
const OPUS: [(&str, Value); 8] = [
    ("sprop-stereo", Value::Flag),
    ("sprop-maxcapturerate", Value::Number(8_000..=48_000)),
    ("stereo", Value::Flag),
    ("maxaveragebitrate", Value::Number(6_000..=510_000)),
    ("maxplaybackrate", Value::Number(8_000..=48_000)),
    ("useinbandfec", Value::Flag),
    ("usedtx", Value::Flag),
    ("cbr", Value::Flag),
];

/// RFC 6184 §8.1: parameter sets and what extends them (types 7, 8, 13 and 15).
const H264: [(&str, Value); 1] = [(
    "sprop-parameter-sets",
    Value::Units { is_one: |header| matches!(header & 0x1F, 7 | 8 | 13 | 15) },
)];

/// RFC 7798 §7.1.
const H265: [(&str, Value); 3] = [
    ("sprop-vps", Value::Units { is_one: |header| header >> 1 == 32 }),
    ("sprop-sps", Value::Units { is_one: |header| header >> 1 == 33 }),
    ("sprop-pps", Value::Units { is_one: |header| header >> 1 == 34 }),
];

fn known(codec: Codec) -> &'static [(&'static str, Value)] {
    match codec {
        Codec::Opus => &OPUS,
        Codec::H264 => &H264,
        Codec::H265 => &H265,
        Codec::Vp8 | Codec::Vp9 | Codec::Av1 => &[],
    }
}

/// What a publisher says of that which it sends: known parameters with sound values, and nothing
/// else of its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SenderParameters {
    /// As `fmtp` has them: `name=value;name=value`.
    parameters: Box<str>,
    /// How much sound a packet has.
    packet_times: PacketTimes,
    /// The parameter sets, each a NAL unit.
    sets: Box<[Box<[u8]>]>,
    /// The size of the pictures, as the parameter sets have it.
    size: Option<PictureSize>,
}

impl SenderParameters {
    /// Those of a publisher's line of which `chosen` was chosen.
    pub fn of(media: &Media, chosen: &Chosen) -> Self {
        let codec = chosen.codec.codec();
        let mut sets = Vec::new();
        let said = known(codec).iter().filter_map(|(name, rule)| {
            let value = chosen.format.parameter(name).filter(|value| rule.allows(value))?;
            if let Value::Units { .. } = rule {
                sets.extend(value.split(',').filter_map(|text| STANDARD.decode(text).ok()));
            }
            Some(format!("{name}={value}"))
        });
        let parameters = said.collect::<Vec<_>>().join(";").into();
        let packet_times = match codec {
            Codec::Opus => media.packet_times,
            Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::H265 | Codec::Av1 => {
                PacketTimes::default()
            }
        };
        Self { parameters, packet_times, ..Self::default() }.with_parameter_sets(codec, sets)
    }

    /// The same with other parameter sets.
    #[must_use]
    pub fn with_parameter_sets(self, codec: Codec, sets: Vec<Vec<u8>>) -> Self {
        let size = sets.iter().find_map(|unit| picture_size(codec, unit));
        let sets = sets.into_iter().map(Vec::into_boxed_slice).collect();
        Self { sets, size, ..self }
    }

    /// Puts them into the format of `codec` that answers a viewer, in the place of what the viewer
    /// said of its own.
    pub fn say_in(&self, codec: Codec, format: &mut PayloadFormat) {
        let is_own = |parameter: &&str| {
            let name = parameter.split_once('=').map_or(*parameter, |(name, _)| name).trim();
            !known(codec).iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let own = format.parameters.split(';').map(str::trim).filter(is_own);
        let all = own.chain([&*self.parameters]).filter(|parameter| !parameter.is_empty());
        format.parameters = all.collect::<Vec<_>>().join(";");
    }

    /// The parameter sets, each a NAL unit; in the order in which they were said.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &[u8]> {
        self.sets.iter().map(|unit| &**unit)
    }

    /// The size of the pictures, as far as the parameter sets say it.
    pub fn picture_size(&self) -> Option<PictureSize> {
        self.size
    }

    /// How much sound a packet has, as far as the publisher said it.
    pub fn packet_times(&self) -> PacketTimes {
        self.packet_times
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::negotiate::CodecFormat;
    use crate::sdp::Description;

    /// What a viewer that offers `own` is answered when its publisher offered `said`.
    fn answered(encoding: &str, said: &str, own: &str) -> String {
        let (kind, rest) = match encoding {
            "opus" => ("audio", "opus/48000/2".to_owned()),
            _ => ("video", format!("{encoding}/90000")),
        };
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm={kind} 9 UDP/TLS/RTP/SAVPF 96\r\n\
             a=rtpmap:96 {rest}\r\na=fmtp:96 {said}\r\n"
        );
        let media = &Description::parse(&text).unwrap().media[0];
        let codec = CodecFormat::of(&media.formats[0]).unwrap();
        let chosen = Chosen::from_offer(media, &media.formats[0], codec);
        let mut format = PayloadFormat::new(97, encoding, 90_000);
        format.parameters = own.to_owned();
        SenderParameters::of(media, &chosen).say_in(codec.codec(), &mut format);
        format.parameters
    }

    #[test]
    fn a_viewer_is_told_what_its_publisher_sends_and_nothing_else_of_it() {
        let sets = "sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==";
        let h265 = "sprop-vps=QAEMAf//;sprop-sps=QgEBAWA=;sprop-pps=RAHA8g==";
        for (encoding, said, own, expected) in [
            (
                "opus",
                "minptime=10; stereo=1;sprop-stereo=1;USEDTX=1;maxaveragebitrate=64000;x=y",
                "minptime=20;useinbandfec=1;stereo=0",
                "minptime=20;sprop-stereo=1;stereo=1;maxaveragebitrate=64000;usedtx=1",
            ),
            ("opus", "stereo=2;usedtx=01;maxaveragebitrate=+6000;cbr=", "", ""),
            ("opus", "maxaveragebitrate=510001;sprop-maxcapturerate=7999", "a=b", "a=b"),
            ("H264", sets, "packetization-mode=1", &format!("packetization-mode=1;{sets}")),
            // What a viewer says of its own sending is not the publisher's; nor is it repeated.
            ("H264", "x=1", &format!("{sets};packetization-mode=0"), "packetization-mode=0"),
            // A slice, an empty one, no base64, bytes behind the padding.
            ("H264", "sprop-parameter-sets=ZUI=", "", ""),
            ("H264", "sprop-parameter-sets=Z0I=,", "", ""),
            ("H264", "sprop-parameter-sets=Z0I=\t,aM4=", "", ""),
            ("H264", "sprop-parameter-sets=Z0I=aM4=", "", ""),
            ("H265", h265, "profile-id=1", &format!("profile-id=1;{h265}")),
            ("H265", "sprop-vps=QgEBAWA=;sprop-sps=QAEMAf//;sprop-pps=?", "tier=0", "tier=0"),
            ("VP8", "sprop-stereo=1;max-fs=12288", "max-fr=60", "max-fr=60"),
        ] {
            assert_eq!(answered(encoding, said, own), expected, "{said}");
        }
    }

    #[test]
    fn a_list_of_parameter_sets_that_is_too_long_is_left_out() {
        let of = |sets: usize| {
            let list = vec!["Z0I="; sets].join(",");
            answered("H264", &format!("sprop-parameter-sets={list}"), "").len()
        };
        let name = "sprop-parameter-sets=".len();
        assert_eq!(of(205), name + 5 * 205 - 1);
        assert_eq!(of(206), 0);
    }

    proptest! {
        #[test]
        fn whatever_a_publisher_says_a_viewer_is_told_known_things_alone(
            values in proptest::collection::vec("[ -~]{0,40}", OPUS.len()),
        ) {
            let said = OPUS.iter().zip(&values).map(|((name, _), value)| format!("{name}={value}"));
            let told = answered("opus", &said.collect::<Vec<_>>().join(";"), "");
            for parameter in told.split(';').filter(|parameter| !parameter.is_empty()) {
                let (name, value) = parameter.split_once('=').unwrap();
                let (_, rule) = OPUS.iter().find(|(known, _)| *known == name).unwrap();
                prop_assert!(rule.allows(value), "{told}");
            }
        }
    }
}
