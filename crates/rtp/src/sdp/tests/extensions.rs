//! Header extensions: ids that clash, and directions.

use super::*;

#[test]
fn an_extension_id_that_clashes_or_is_reserved_is_skipped_and_the_offer_taken() {
    let added = "a=mid:0\na=extmap:15 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n";
    let offer = Offer::parse(&PUBLISH.replacen("a=mid:0\n", added, 1)).unwrap();
    assert_eq!(offer.media()[0].extensions.id(ExtensionKind::RtpStreamId), None);
    let mid = offer.media()[0].extensions.id(ExtensionKind::Mid).unwrap();
    let clash = format!("a=extmap:{mid} urn:3gpp:video-orientation\n");
    let clashing = PUBLISH.replacen("a=mid:0\n", &format!("a=mid:0\n{clash}"), 1);
    assert!(clashing.contains(&clash), "the offer has a first section to add to");
    let offer = Offer::parse(&clashing);
    assert!(offer.is_ok(), "{offer:?}");
}

#[test]
fn an_extension_of_one_direction_is_answered_with_the_other() {
    // As Firefox offers it, with more that is not its habit.
    let lines = "a=mid:0\na=extmap:40/recvonly \
         http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\n\
         a=extmap:41/inactive urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n\
         a=extmap:42/sideways urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\n";
    let text = PUBLISH.replacen("a=mid:0\n", lines, 1);
    let text = text.replacen("extmap:1 urn:ietf", "extmap:1/sendonly urn:ietf", 1);
    let offer = Offer::parse(&text).unwrap();
    let answer = answer_all(&offer).to_string();
    let of = |id: &str| {
        answer.lines().filter(|line| line.contains(id)).map(str::to_owned).collect::<Vec<_>>()
    };
    let delay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
    assert_eq!(of("extmap:40"), [format!("a=extmap:40/sendonly {delay}")]);
    let level = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    assert_eq!(of("ssrc-audio-level"), [format!("a=extmap:1/recvonly {level}")]);
    let rid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    assert_eq!(of("extmap:41"), [format!("a=extmap:41/inactive {rid}")]);
    assert!(of("extmap:42").is_empty(), "what nobody knows is left out");
    assert!(of("extmap:4 ").iter().all(|line| !line.contains('/')), "the others as before");
}
