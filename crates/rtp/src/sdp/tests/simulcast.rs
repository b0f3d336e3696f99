//! Several layers of one video in an offer, and which of them an answer takes.

use super::*;

#[test]
fn simulcast_is_recognised_and_answered_by_the_rids_that_are_taken() {
    let text = format!("{PUBLISH}a=rid:h send\na=rid:l send\na=simulcast:send h;l\n");
    let offer = Offer::parse(&text).unwrap();
    assert_eq!(offer.media()[1].send_rids, ["h", "l"]);
    assert!(offer.media()[1].simulcast);
    assert!(!answer_all(&offer).to_string().contains("simulcast"), "nobody takes a layer");
    let chosen = choose_for_publisher(&offer.media()[1]).unwrap();
    let rids = vec!["l".to_owned(), "h".to_owned()];
    let section = MediaSection { rids, ..receive(&chosen, offer.media()[1].extensions) };
    let answer = offer.answer(&transport(), &[None, Some(section)]).to_string();
    let lines = "a=rid:l recv\r\na=rid:h recv\r\na=simulcast:recv l;h\r\n";
    assert!(answer.contains(lines), "{answer}");
    for bad in ["a=rid: send", "a=rid:ä send", "a=rid:h sideways", "a=rid:12345678901234567 send"]
    {
        let text = format!("{PUBLISH}{bad}\n");
        assert!(matches!(Offer::parse(&text), Err(OfferError::Sdp(SdpError::Malformed { .. }))));
    }
}
