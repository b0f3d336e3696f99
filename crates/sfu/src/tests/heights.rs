//! Simulcast of the codecs whose packets have no size of their own: it is learned from parameter
//! sets and sequence headers, and a viewer gets what it has use for.

use std::time::Duration;

use super::client::{RIDS, Rtx, VIDEO_PT};
use super::net::Net;
use crate::{PlayWish, VideoWish};

/// Sequence parameter sets of x264 and x265 and sequence headers of libaom, as encoders write them,
/// of pictures with so many rows.
const HEIGHTS: [u16; 3] = [182, 360, 1080];
const H264: [&str; 3] = [
    "67640014acb202a33c44d80b5060606a50000003001000000303c8f142a480",
    "6764001eacb201405ff2e02d418181a940000003004000000f23c58b92",
    "67640028acb200f0044fcb80b501010140000003004000000f23c60c92",
];
const H265: [&str; 3] = [
    "42010101600000030090000003000003003fa00a480b9c9596566924cafff000100016a0c0c0c08000000300800000\
     0f04",
    "42010101600000030090000003000003003fa00502016965959a4932bffc00040005a830303020000003002000000\
     303c1",
    "420101016000000300900000030000030078a003c08010e596566924cafff000100016a0202020800000030080000\
     00f04",
];
const AV1: [&str; 3] =
    ["000000043d06d781b5f20080", "0000000cc4ff67e06d7c8020", "00000042abbfc37e0657c802"];

fn bytes(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The first packet of a key frame, and one of another frame, of a layer; the last byte says which
/// layer it is.
fn payloads(codec: &str, layer: usize) -> [Vec<u8>; 2] {
    let [mut key, mut other] = match codec {
        "H264" => [aggregate(&[0x78], &bytes(H264[layer]), &[0x65, 0x88]), vec![0x61, 0xE0]],
        "H265" => [aggregate(&[48 << 1, 1], &bytes(H265[layer]), &[19 << 1, 1]), vec![1 << 1, 1]],
        _ => [[&[0x18, 0x08][..], &bytes(AV1[layer])].concat(), vec![0x10, 0x30]],
    };
    for payload in [&mut key, &mut other] {
        payload.resize(200 << layer, 7);
        payload.push(layer as u8);
    }
    [key, other]
}

/// A parameter set, and the begin of a picture, whose rest is still to come.
fn aggregate(header: &[u8], set: &[u8], picture: &[u8]) -> Vec<u8> {
    let length = |unit: &[u8]| (unit.len() as u16).to_be_bytes();
    [header, &length(set), set, &length(picture), picture].concat()
}

/// The layer that a viewer with this wish gets of a simulcast of `codec`.
fn layer_for(codec: &'static str, wish: VideoWish) -> u8 {
    let mut net = Net::new();
    net.codec = codec;
    net.lines = if codec == "H264" { "a=fmtp:96 profile-level-id=42e01f\r\n" } else { "" };
    let publisher = net.simulcast_publisher();
    let viewer = net.viewer(publisher, Rtx::Offered);
    for frame in 0..40u16 {
        for (layer, rid) in RIDS.into_iter().enumerate() {
            let [key, other] = payloads(codec, layer);
            let payload = if frame % 20 == 0 { key } else { other };
            let rid = (frame < 5).then_some(rid);
            let at = (frame, u32::from(frame) * 3_600);
            let packet = net.clients[publisher].layer_video(layer, rid, at, &payload);
            net.send(publisher, packet);
        }
        net.settle();
        net.pass(Duration::from_millis(40));
        if frame == 10 {
            let id = net.clients[viewer].id;
            net.sfu.set_wish(net.now, id, PlayWish { video: wish, ..PlayWish::default() });
        }
    }
    let packets = net.clients[viewer].received(VIDEO_PT);
    *packets.last().unwrap().2.last().unwrap()
}

#[test]
fn a_viewer_gets_the_size_that_it_has_use_for() {
    for codec in ["H264", "H265", "AV1"] {
        for (layer, rows) in (0..).zip(HEIGHTS) {
            assert_eq!(layer_for(codec, VideoWish::Height(rows)), layer, "{codec}, {rows} rows");
        }
        assert_eq!(layer_for(codec, VideoWish::Best), 2, "{codec}");
    }
}
