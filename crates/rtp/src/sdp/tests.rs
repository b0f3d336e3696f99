//! Offers as Chromium makes them, answers to them, and our client's both ways.

use proptest::prelude::*;

use odeum_types::Redacted;

use super::*;
use crate::negotiate::{
    Chosen, CodecFormat, H264Format, H264Profile, Packetization, ProfileNumber,
    choose_for_publisher, choose_for_subscriber,
};
use crate::{ExtensionKind, ExtensionMap};

mod extensions;
mod simulcast;

const PUBLISH: &str = include_str!("tests/chromium_publish.sdp");
const PLAY: &str = include_str!("tests/chromium_play.sdp");

fn transport() -> Transport {
    Transport {
        session_id: 42,
        ice: IceCredentials {
            ufrag: "serv".into(),
            password: Redacted::new("0123456789abcdefghijkl".into()),
        },
        fingerprint: Fingerprint([0xAB; 32]),
        candidates: vec![
            "203.0.113.5:7000".parse().unwrap(),
            "[2001:db8::5]:7000".parse().unwrap(),
        ],
        tcp_candidates: Vec::new(),
    }
}

fn receive(chosen: &Chosen, extensions: ExtensionMap) -> MediaSection {
    MediaSection {
        direction: Direction::ReceiveOnly,
        formats: chosen.formats(),
        packet_times: PacketTimes::default(),
        extensions,
        rids: Vec::new(),
        sender: None,
    }
}

fn answer_all(offer: &Offer) -> Description {
    let sections: Vec<_> = offer
        .media()
        .iter()
        .map(|media| choose_for_publisher(media).map(|chosen| receive(&chosen, media.extensions)))
        .collect();
    offer.answer(&transport(), &sections)
}

#[test]
fn a_chromium_publish_offer_is_read() {
    let offer = Offer::parse(PUBLISH).unwrap();
    assert_eq!(offer.ice().ufrag, "EsAw");
    assert_eq!(offer.ice().password.expose(), "P2uYro0UCOQ4zxjKXaWCBui1");
    assert_eq!(offer.fingerprint().0[..3], [0x6B, 0x8B, 0xF0]);
    let [audio, video] = offer.media() else { panic!() };
    assert_eq!((&audio.kind, &video.kind), (&MediaKind::Audio, &MediaKind::Video));
    assert_eq!((&audio.mid[..], &video.mid[..]), ("0", "1"));
    assert_eq!(audio.direction, Direction::SendOnly);
    assert_eq!(audio.formats.len(), 8);
    assert_eq!(audio.format(111).unwrap().parameter("useinbandfec"), Some("1"));
    assert_eq!(video.sources, [3463951252, 1461041037]);
    assert_eq!(video.primary_ssrc(), Some(3463951252));
    assert_eq!(video.retransmission_ssrc(3463951252), Some(1461041037));
    assert_eq!(video.cname.as_deref(), Some("4QWAAm1xBhtDnJqX"));
    assert_eq!(video.extensions.id(ExtensionKind::TransportSequenceNumber), Some(3));
    assert_eq!(video.extensions.id(ExtensionKind::VideoOrientation), Some(13));
    let feedback = &video.format(96).unwrap().feedback;
    assert_eq!(feedback.len(), 5);
    assert!(feedback.contains(&Feedback::NackPli));
}

#[test]
fn a_publisher_is_answered_with_one_codec_and_its_rtx_and_red() {
    let offer = Offer::parse(PUBLISH).unwrap();
    let text = answer_all(&offer).to_string();
    let lines: Vec<&str> = text.split("\r\n").collect();
    for line in [
        "a=group:BUNDLE 0 1",
        "a=ice-lite",
        "a=extmap-allow-mixed",
        "m=audio 7000 UDP/TLS/RTP/SAVPF 111 63",
        "m=video 7000 UDP/TLS/RTP/SAVPF 96 97",
        "a=rtpmap:96 VP8/90000",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtcp-fb:96 transport-cc",
        "a=rtcp-fb:96 ccm fir",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:111 opus/48000/2",
        "a=setup:passive",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=candidate:1 1 udp 2130706431 203.0.113.5 7000 typ host",
        "a=end-of-candidates",
    ] {
        assert!(lines.contains(&line), "{line} is missing in {text}");
    }
    assert!(!text.contains("goog-remb"));
    assert_eq!(text.matches("a=candidate").count(), 2, "in the first line only");
}

#[test]
fn a_viewer_is_answered_with_sources_and_stream() {
    let offer = Offer::parse(PLAY).unwrap();
    let video = choose_for_subscriber(&offer.media()[1], CodecFormat::Vp8).unwrap();
    let section = MediaSection {
        direction: Direction::SendOnly,
        formats: video.formats(),
        packet_times: PacketTimes::default(),
        extensions: offer.media()[1].extensions,
        rids: Vec::new(),
        sender: Some(MediaSender {
            ssrc: 11,
            retransmission_ssrc: Some(12),
            cname: "odeum".into(),
            stream: "camera".into(),
            track: "video".into(),
        }),
    };
    let text = offer.answer(&transport(), &[None, Some(section)]).to_string();
    for line in [
        "a=group:BUNDLE 1\r\n",
        "m=audio 0 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
         a=inactive\r\nm=video",
        "a=msid:camera video\r\n",
        "a=ssrc-group:FID 11 12\r\n",
        "a=ssrc:11 cname:odeum\r\na=ssrc:11 msid:camera video\r\n",
        "a=ssrc:12 cname:odeum\r\n",
        "a=candidate:2 1 udp 2130706175 2001:db8::5 7000 typ host\r\n",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
}

#[test]
fn data_channels_and_stopped_lines_are_rejected_in_their_place() {
    let data =
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n";
    let text = PUBLISH.replace("m=audio 9", "m=audio 0").replace("BUNDLE 0 1", "BUNDLE 1 2") + data;
    let offer = Offer::parse(&text).unwrap();
    let chosen = choose_for_publisher(&offer.media()[1]).unwrap();
    let section = receive(&chosen, ExtensionMap::default());
    let sections = [Some(section.clone()), Some(section.clone()), Some(section)];
    let answer = offer.answer(&transport(), &sections);
    let rejected: Vec<bool> = answer.media.iter().map(Media::is_rejected).collect();
    assert_eq!(rejected, [true, false, true]);
    assert_eq!(answer.bundle, ["1"]);
    assert!(answer.to_string().contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
}

#[test]
fn our_client_reads_the_answer_to_its_own_offer() {
    let mut opus = PayloadFormat::new(111, "opus", 48_000);
    opus.channels = 2;
    let mut extensions = ExtensionMap::default();
    assert!(extensions.insert(4, ExtensionKind::Mid));
    let section = MediaSection {
        direction: Direction::SendOnly,
        formats: vec![opus],
        packet_times: PacketTimes { usual_ms: Some(40), most_ms: Some(60) },
        extensions,
        rids: Vec::new(),
        sender: Some(MediaSender {
            ssrc: 5,
            retransmission_ssrc: None,
            cname: "c".into(),
            stream: "s".into(),
            track: "t".into(),
        }),
    };
    let client = Transport { candidates: Vec::new(), ..transport() };
    let offered = Description::offer(&client, &[(MediaKind::Audio, section)]);
    let offer = Offer::parse(&offered.to_string()).unwrap();
    assert_eq!(offer.media()[0].primary_ssrc(), Some(5));
    assert_eq!(offer.media()[0].packet_times.most_ms, Some(60));
    let answer = Answer::parse(&answer_all(&offer).to_string()).unwrap();
    assert_eq!(answer.ice(), &transport().ice);
    assert_eq!(answer.fingerprint(), &transport().fingerprint);
    assert_eq!(answer.candidates(), transport().candidates);
    assert_eq!(answer.ice_mode(), IceMode::Lite);
    assert_eq!(answer.media()[0].direction, Direction::ReceiveOnly);
    assert_eq!(answer.media()[0].formats[0].payload_type, 111);
}

#[test]
fn what_is_written_is_read_back_the_same() {
    for text in [PUBLISH, PLAY] {
        let description = Description::parse(text).unwrap();
        assert_eq!(Description::parse(&description.to_string()), Ok(description));
    }
    let answer = answer_all(&Offer::parse(PUBLISH).unwrap());
    let mut read = Description::parse(&answer.to_string()).unwrap();
    for media in &mut read.media {
        media.format_list = answer.media[0].format_list.clone();
    }
    assert_eq!(read.media[0], answer.media[0]);
}

#[test]
fn an_offer_that_cannot_be_answered_says_why() {
    let error = |from: &str, to: &str| {
        assert!(PUBLISH.contains(from), "{from}");
        Offer::parse(&PUBLISH.replace(from, to)).unwrap_err()
    };
    let mid = || "0".to_owned();
    assert_eq!(error("a=mid:1", "a=mid:0"), OfferError::Mid { index: 1 });
    assert_eq!(error("BUNDLE 0 1", "BUNDLE 0"), OfferError::NotBundled { mid: "1".into() });
    assert_eq!(error("a=rtcp-mux\n", ""), OfferError::NoRtcpMux { mid: mid() });
    assert_eq!(error("a=ice-ufrag:EsAw\n", ""), OfferError::NoIceCredentials { mid: mid() });
    assert_eq!(error("setup:actpass", "setup:passive"), OfferError::Setup { mid: mid() });
    assert_eq!(error("UDP/TLS/RTP/SAVPF", "RTP/AVP"), OfferError::Protocol { mid: mid() });
    assert_eq!(error("t=0 0\n", "t=0 0\na=ice-lite\n"), OfferError::IceLite);
    assert_eq!(Offer::parse("v=0\r\n").unwrap_err(), OfferError::NoMedia);
    let algorithm = OfferError::Sdp(SdpError::FingerprintAlgorithm { line: 44 });
    assert_eq!(error("sha-256", "sha-1"), algorithm);
}

#[test]
fn a_malformed_line_is_named() {
    let error = |text: &str| Description::parse(text).unwrap_err();
    let malformed = |line, name| SdpError::Malformed { line, name };
    assert_eq!(error(""), malformed(1, "v=0"));
    assert_eq!(error("v=1"), malformed(1, "v=0"));
    assert_eq!(error("v=0\r\nnonsense"), SdpError::Line { line: 2 });
    assert_eq!(error("v=0\na=x\r:y\n"), SdpError::Line { line: 2 });
    assert_eq!(error("v=0\no=- x 1"), malformed(2, "origin"));
    assert_eq!(error("v=0\nm=audio 9"), malformed(2, "m-line"));
    assert_eq!(error("v=0\nm=audio 9 P 128"), malformed(2, "payload type"));
    assert_eq!(error("v=0\nm=audio 9 P 1 1"), malformed(2, "payload type"));
    assert_eq!(error("v=0\na=ice-ufrag:abc"), malformed(2, "ice-ufrag"));
    assert_eq!(error("v=0\na=ice-pwd:short"), malformed(2, "ice-pwd"));
    assert_eq!(error("v=0\na=fingerprint:sha-256 AB"), malformed(2, "fingerprint"));
    assert_eq!(error("v=0\nm=audio 9 P 1\na=rtpmap:1 x"), malformed(3, "rtpmap"));
    assert_eq!(error("v=0\nm=audio 9 P 1\na=ssrc:x"), malformed(3, "ssrc"));
    assert_eq!(error(&" ".repeat(SIZE_MAX + 1)), SdpError::TooLong { size: SIZE_MAX + 1 });
}

#[test]
fn every_list_is_bounded() {
    let what = |text: String| match Description::parse(&text).unwrap_err() {
        SdpError::TooMany { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(what(format!("v=0\n{}", "b=x\n".repeat(LINES_MAX))), "lines");
    assert_eq!(what(format!("v=0\n{}", "m=a 9 P 1\n".repeat(MEDIA_MAX + 1))), "m-lines");
    let many = |line: &dyn Fn(usize) -> String| {
        let lines: String = (0..=ITEMS_MAX).map(line).collect();
        format!("v=0\nm=audio 9 P 1\n{lines}")
    };
    assert_eq!(what(many(&|n| format!("a=ssrc:{n} x\n"))), "sources");
    assert_eq!(what(many(&|n| format!("a=ssrc-group:FID {n} 1\n"))), "source groups");
    assert_eq!(what(many(&|n| format!("a=rid:{n} send\n"))), "rids");
    let candidate = |n: usize| format!("a=candidate:1 1 udp 1 127.0.0.1 {n} typ host\n");
    assert_eq!(what(many(&candidate)), "candidates");
    assert_eq!(what(format!("v=0\na=group:BUNDLE{}", " 1".repeat(ITEMS_MAX + 1))), "bundled mids");
}

fn h264(profile: H264Profile, packetization: Packetization) -> CodecFormat {
    CodecFormat::H264(H264Format { profile, packetization })
}

#[test]
fn a_publisher_that_prefers_h264_sends_what_all_viewers_decode() {
    let text = PUBLISH.replace("SAVPF 96 97 103", "SAVPF 103").replace("115 116", "115 116 96 97");
    let offer = Offer::parse(&text).unwrap();
    let chosen = choose_for_publisher(&offer.media()[1]).unwrap();
    let expected = h264(H264Profile::ConstrainedBaseline, Packetization::NonInterleaved);
    assert_eq!(chosen.codec, expected);
    assert_eq!(chosen.format.payload_type, 109);
    assert_eq!(chosen.retransmission.map(|rtx| rtx.payload_type), Some(114));
}

#[test]
fn a_viewer_gets_the_payload_type_that_fits_the_published_codec() {
    use H264Profile::{Baseline, ConstrainedBaseline, High, Main};
    use Packetization::{NonInterleaved, SingleNal};
    let offer = Offer::parse(PLAY).unwrap();
    let [audio, video] = offer.media() else { panic!() };
    for (published, payload_type) in [
        (CodecFormat::Vp8, 96),
        (h264(ConstrainedBaseline, NonInterleaved), 109),
        (h264(ConstrainedBaseline, SingleNal), 115),
        (h264(Baseline, NonInterleaved), 103),
        (h264(Main, SingleNal), 39),
        (h264(High, NonInterleaved), 119),
        (h264(High, SingleNal), 119),
        (h264(H264Profile::ConstrainedHigh, NonInterleaved), 119),
        (CodecFormat::Vp9(ProfileNumber(0)), 98),
        (CodecFormat::Av1(ProfileNumber(0)), 45),
    ] {
        let chosen = choose_for_subscriber(video, published).expect("offered");
        assert_eq!(chosen.format.payload_type, payload_type, "{published:?}");
    }
    assert_eq!(choose_for_subscriber(audio, CodecFormat::Opus).unwrap().format.payload_type, 111);
    assert_eq!(choose_for_subscriber(audio, CodecFormat::Vp8), None);
}

#[test]
fn a_viewer_without_the_profile_or_packetization_gets_nothing() {
    let play = |formats: &str| {
        let text = format!("v=0\nm=video 9 UDP/TLS/RTP/SAVPF 1\na=mid:0\n{formats}");
        Description::parse(&text).unwrap().media.remove(0)
    };
    let only = play("a=rtpmap:1 H264/90000\na=fmtp:1 profile-level-id=42e01f\n");
    let fits = |codec| choose_for_subscriber(&only, codec).is_some();
    assert!(fits(h264(H264Profile::ConstrainedBaseline, Packetization::SingleNal)));
    assert!(!fits(h264(H264Profile::ConstrainedBaseline, Packetization::NonInterleaved)));
    assert!(!fits(h264(H264Profile::High, Packetization::SingleNal)));
    assert!(!fits(CodecFormat::Vp8));
    let unknown = play("a=rtpmap:1 H266/90000\n");
    assert_eq!(choose_for_publisher(&unknown), None);
}

#[test]
fn a_decoder_takes_its_own_profile_and_the_ones_that_it_contains() {
    let media = |format: &str| {
        let text = format!("v=0\nm=video 9 UDP/TLS/RTP/SAVPF 1\na=mid:0\na=rtpmap:1 {format}\n");
        Description::parse(&text).unwrap().media.remove(0)
    };
    for (published, viewer, fits) in [
        ("VP9/90000", "VP9/90000\na=fmtp:1 profile-id=0", true),
        ("VP9/90000\na=fmtp:1 profile-id=2", "VP9/90000", false),
        ("VP9/90000", "VP9/90000\na=fmtp:1 profile-id=2", false),
        ("H265/90000", "H265/90000\na=fmtp:1 level-id=93;profile-id=1;tier-flag=0", true),
        ("H265/90000", "H265/90000\na=fmtp:1 profile-id=2", true),
        ("H265/90000\na=fmtp:1 profile-id=2", "H265/90000", false),
        ("AV1/90000", "AV1/90000\na=fmtp:1 level-idx=5;profile=0;tier=0", true),
        ("AV1/90000", "AV1/90000\na=fmtp:1 profile=1", true),
        ("AV1/90000\na=fmtp:1 profile=1", "AV1/90000", false),
        ("AV1/90000", "VP9/90000", false),
    ] {
        let chosen = choose_for_publisher(&media(published)).expect(published);
        let found = choose_for_subscriber(&media(viewer), chosen.codec);
        assert_eq!(found.is_some(), fits, "{published} for {viewer}");
    }
    for format in ["VP9/90000\na=fmtp:1 profile-id=x", "AV1/90000\na=fmtp:1 profile=300"] {
        assert_eq!(choose_for_publisher(&media(format)), None, "{format}");
    }
}

/// Descriptions with some lines lost, doubled or moved.
fn shuffled() -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = PUBLISH.lines().collect();
    let count = lines.len();
    proptest::collection::vec(0..count, 0..200).prop_map(move |indices| {
        let picked: Vec<&str> = indices.iter().map(|index| lines[*index]).collect();
        format!("v=0\n{}", picked.join("\n"))
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,300}") {
        prop_assert!(Offer::parse(&text).is_err());
        prop_assert!(Answer::parse(&text).is_err());
    }

    #[test]
    fn shuffled_lines_never_panic_and_survive_writing(text in shuffled()) {
        if let Ok(description) = Description::parse(&text) {
            let written = description.to_string();
            let read = Description::parse(&written).unwrap();
            prop_assert_eq!(read.to_string(), written);
        }
    }

    #[test]
    fn a_mutated_offer_never_panics(at in 0usize..8000, byte in any::<char>()) {
        let mut text: Vec<char> = PUBLISH.chars().collect();
        let at = at % text.len();
        text[at] = byte;
        let text: String = text.into_iter().collect();
        if let Ok(offer) = Offer::parse(&text) {
            let answer = answer_all(&offer).to_string();
            prop_assert!(Description::parse(&answer).is_ok(), "{}", answer);
        }
    }
}
