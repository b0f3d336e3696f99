//! Sound with redundancy (RFC 2198): on to who takes it, and without it to who does not.

use odeum_rtp::{HeaderWriter, Marker, PacketKind, RtpPacket};

use super::client::{AUDIO_PT, AUDIO_SSRC, Rtx};
use super::net::Net;

const RED_PT: u8 = 63;

/// Where an offer has RED.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Red {
    /// Nowhere.
    Left,
    /// Nowhere, and lost sound is asked for.
    LeftForNack,
    /// Before Opus, which has this payload type.
    BeforeOpus(u8),
    /// Behind it.
    BehindOpus(u8),
}

impl Red {
    pub(super) fn offered(self, offer: String) -> String {
        let (opus, list) = match self {
            Self::Left => return offer,
            Self::LeftForNack => {
                let line = format!("a=rtpmap:{AUDIO_PT} opus/48000/2\r\n");
                return offer.replace(&line, &format!("{line}a=rtcp-fb:{AUDIO_PT} nack\r\n"));
            }
            Self::BeforeOpus(opus) => (opus, format!("SAVPF {RED_PT} {opus}\r\n")),
            Self::BehindOpus(opus) => (opus, format!("SAVPF {opus} {RED_PT}\r\n")),
        };
        let lines = format!(
            "a=rtpmap:{opus} opus/48000/2\r\na=rtcp-fb:{opus} nack\r\na=rtpmap:{RED_PT} red/48000/2\r\n\
             a=fmtp:{RED_PT} {opus}/{opus}\r\n"
        );
        let offer = offer.replacen(&format!("SAVPF {AUDIO_PT}\r\n"), &list, 1);
        offer.replacen(&format!("a=rtpmap:{AUDIO_PT} opus/48000/2\r\n"), &lines, 1)
    }
}

/// "old", then "new", as Opus of one payload type.
fn old_and_new(opus: u8) -> Vec<u8> {
    let [_, time_and_length @ ..] = (960u32 << 10 | 3).to_be_bytes();
    [&[0x80 | opus][..], &time_and_length, &[opus], b"oldnew"].concat()
}

fn send(net: &mut Net, publisher: usize, (payload_type, sequence): (u8, u16), payload: &[u8]) {
    let header = HeaderWriter {
        marker: Marker::Clear,
        payload_type,
        sequence_number: sequence,
        timestamp: u32::from(sequence) * 960,
        ssrc: AUDIO_SSRC,
        csrcs: &[],
    };
    let packet = net.clients[publisher].protect(&header, &[], payload);
    net.send(publisher, packet);
    net.settle();
}

fn payloads(net: &Net, viewer: usize, payload_type: u8) -> Vec<Vec<u8>> {
    let received = net.clients[viewer].received(payload_type);
    received.into_iter().map(|(_, _, payload)| payload).collect()
}

#[test]
fn a_viewer_gets_redundancy_under_its_own_payload_types_or_none() {
    let mut net = Net::new();
    net.red = Red::BeforeOpus(AUDIO_PT);
    let publisher = net.publisher();
    net.red = Red::BehindOpus(109);
    let takes = net.viewer(publisher, Rtx::Left);
    net.red = Red::Left;
    let takes_not = net.viewer(publisher, Rtx::Left);

    send(&mut net, publisher, (RED_PT, 1), &old_and_new(AUDIO_PT));
    send(&mut net, publisher, (AUDIO_PT, 2), b"plain");
    assert_eq!(payloads(&net, takes, RED_PT), [old_and_new(109)]);
    assert_eq!(payloads(&net, takes, 109), [b"plain"]);
    assert_eq!(payloads(&net, takes_not, RED_PT), [b""; 0]);
    assert_eq!(payloads(&net, takes_not, AUDIO_PT), [&b"new"[..], b"plain"]);
}

#[test]
fn malformed_redundancy_goes_to_nobody_and_the_next_packet_goes_on() {
    let mut net = Net::new();
    net.red = Red::BeforeOpus(AUDIO_PT);
    let publisher = net.publisher();
    let takes = net.viewer(publisher, Rtx::Left);
    net.red = Red::Left;
    let takes_not = net.viewer(publisher, Rtx::Left);
    let good = old_and_new(AUDIO_PT);
    send(&mut net, publisher, (RED_PT, 1), &good[..8]);
    send(&mut net, publisher, (RED_PT, 2), &old_and_new(13));
    send(&mut net, publisher, (RED_PT, 3), &good);
    assert_eq!(payloads(&net, takes, RED_PT), [good]);
    assert_eq!(payloads(&net, takes_not, AUDIO_PT), [b"new"]);
}

#[test]
fn what_is_sent_again_is_what_was_sent_first() {
    let mut net = Net::new();
    net.red = Red::BeforeOpus(AUDIO_PT);
    let publisher = net.publisher();
    let takes = net.viewer(publisher, Rtx::Left);
    net.red = Red::LeftForNack;
    let takes_not = net.viewer(publisher, Rtx::Left);
    for (viewer, payload_type, sequence) in [(takes, RED_PT, 1), (takes_not, AUDIO_PT, 2)] {
        // To learn the SSRC.
        send(&mut net, publisher, (RED_PT, sequence * 2), &old_and_new(AUDIO_PT));
        let packet = RtpPacket::parse(net.clients[viewer].rtp.last().unwrap()).unwrap();
        let (ssrc, before) = (packet.header().ssrc, packet.header().sequence_number);
        assert_eq!(packet.header().payload_type, payload_type);
        net.holds = Some(net.clients[viewer].address);
        send(&mut net, publisher, (RED_PT, sequence * 2 + 1), &old_and_new(AUDIO_PT));
        let lost = before.wrapping_add(1);
        let nack = net.clients[viewer].rtcp(|writer| writer.nack(1, ssrc, [lost]).unwrap());
        net.send(viewer, nack);
        net.settle();
        let held = std::mem::take(&mut net.held);
        let rtp = held.iter().filter(|bytes| PacketKind::of(bytes) == PacketKind::Rtp);
        let [first, again] = rtp.collect::<Vec<_>>()[..] else { panic!("{held:02x?}") };
        assert_eq!(first, again, "the same number, the same bytes");
        net.holds = None;
        let first = first.clone();
        net.clients[viewer].handle_datagram(net.now, &first);
        let received = net.clients[viewer].received(payload_type);
        assert_eq!(received.last().unwrap().0, lost);
    }
}

#[test]
fn an_answer_keeps_the_order_of_the_offer_and_has_no_redundancy_that_does_not_come() {
    let formats = |publishes: Red, plays: Red| {
        let mut net = Net::new();
        net.red = publishes;
        let publisher = net.publisher();
        net.red = plays;
        let viewer = net.viewer(publisher, Rtx::Left);
        let of = |at: usize| {
            let answer = net.clients[at].answer.as_ref().unwrap();
            let formats = answer.media()[0].formats.iter();
            formats.map(|f| (f.payload_type, f.parameters.clone())).collect::<Vec<_>>()
        };
        (of(publisher), of(viewer))
    };
    let (opus, red) = ((AUDIO_PT, String::new()), (RED_PT, format!("{AUDIO_PT}/{AUDIO_PT}")));
    let (before, behind) = (Red::BeforeOpus(AUDIO_PT), Red::BehindOpus(AUDIO_PT));
    let (first, second) = (vec![red.clone(), opus.clone()], vec![opus.clone(), red]);
    assert_eq!(formats(before, behind), (first, second.clone()));
    assert_eq!(formats(behind, Red::Left), (second, vec![opus.clone()]));
    assert_eq!(formats(Red::Left, before), (vec![opus.clone()], vec![opus]));
}
