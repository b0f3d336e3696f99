//! What a publisher says in SDP of that which it sends: its viewers are told it, wherever they are.

use std::sync::Arc;

use odeum_rtp::sdp::{Answer, Direction, PacketTimes};
use odeum_types::PeerId;

use super::client::{AUDIO_PT, Client, Rtx, VIDEO_PT};
use super::net::Net;
use crate::PlayTerms;

const SETS: &str = "sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==";

/// The offer of a client with more said of its audio and video.
fn offer(net: &Net, id: u64, direction: Direction, [audio, video]: [&str; 2]) -> (PeerId, String) {
    let client = Client::new(net.now, id, Arc::clone(&net.client_config));
    let offer = client.offer(direction, Rtx::Offered).replace("VP8/90000", "H264/90000");
    let opus = format!("a=rtpmap:{AUDIO_PT} opus/48000/2\r\n");
    let more = format!("{opus}a=fmtp:{AUDIO_PT} {audio}\r\n");
    let h264 = format!("a=fmtp:{VIDEO_PT} profile-level-id=42e01f;packetization-mode=1{video}\r\n");
    assert!(offer.contains(&opus));
    (client.id, offer.replace(&opus, &more) + &h264)
}

/// Publishes `audio` and `video` at home; then gives what a viewer there is answered, and one
/// elsewhere.
fn answers(said: [&str; 2]) -> [Answer; 2] {
    let (mut home, mut other) = (Net::new(), Net::new());
    let (publisher, sdp) = offer(&home, 0, Direction::SendOnly, said);
    home.sfu.create_publisher(home.now, publisher, &sdp).unwrap();
    let terms = home.sfu.begin_relay(publisher).unwrap();
    other.sfu.create_mirror(other.now, publisher, &terms).unwrap();
    [&mut home, &mut other].map(|net| {
        let own = ["minptime=10;useinbandfec=1", ""];
        let (viewer, sdp) = offer(net, 1, Direction::ReceiveOnly, own);
        let terms = PlayTerms::alone(publisher);
        let answer = net.sfu.create_subscriber(net.now, viewer, terms, &sdp).unwrap();
        Answer::parse(&answer.sdp).unwrap()
    })
}

#[test]
fn viewers_at_home_and_of_a_mirror_are_told_the_parameters_of_the_publisher() {
    let audio = "minptime=3;stereo=1;sprop-stereo=1;usedtx=1;maxaveragebitrate=96000\r\na=ptime:40";
    let video = format!(";{SETS}");
    for answer in answers([audio, &video]) {
        let [audio, video] = answer.media() else { panic!() };
        assert_eq!(
            audio.formats[0].parameters,
            "minptime=10;sprop-stereo=1;stereo=1;maxaveragebitrate=96000;usedtx=1"
        );
        assert_eq!(audio.packet_times, PacketTimes { usual_ms: Some(40), most_ms: None });
        assert_eq!(
            video.formats[0].parameters,
            format!("profile-level-id=42e01f;packetization-mode=1;{SETS}")
        );
        assert_eq!(video.packet_times, PacketTimes::default());
    }
}

#[test]
fn what_is_not_a_parameter_set_is_told_to_nobody() {
    for video in [";sprop-parameter-sets=ZUI=", ";sprop-parameter-sets=<script>"] {
        for answer in answers(["useinbandfec=7", video]) {
            let [audio, video] = answer.media() else { panic!() };
            assert_eq!(audio.formats[0].parameters, "minptime=10");
            assert_eq!(video.formats[0].parameters, "profile-level-id=42e01f;packetization-mode=1");
        }
    }
}
